//! One protocol on a transport without a network.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ropewalk_core::{
    Address, ConnectOptions, Factory, Handle, Layer, Limits, Protocol, Reason, Transport,
};

use crate::chunks::Chunks;
use crate::clock::Clock;
use crate::memory::{Arrival, End, Memory};
use crate::watched::Watched;

/// A protocol with its transport, of which the test is the peer, the network and the time.
///
/// It is the engine's own transport: layers, water marks, producers, time-outs and the order of things are as in
/// production. Every method that makes something happen also lets everything happen that follows from it.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_testing::StringTransport;
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut peer = StringTransport::new(Echo);
/// peer.receive("hello");
/// assert_eq!(peer.take_sent(), b"hello");
/// peer.eof();
/// assert!(peer.lost_reason().unwrap().is_clean());
/// ```
pub struct StringTransport {
    watched: Watched,
    clock: Clock,
}

/// What a [`StringTransport`] is to be like.
#[must_use = "end with `protocol` or `factory`"]
pub struct StringTransportBuilder {
    host: SocketAddr,
    peer: SocketAddr,
    limits: Limits,
    layers: Vec<Box<dyn Layer>>,
}

impl StringTransport {
    /// Connects a protocol: its `connection_made` has been called.
    #[must_use]
    pub fn new(protocol: impl Protocol) -> Self {
        Self::builder().protocol(protocol)
    }

    /// For addresses, limits and layers of the test's choice.
    pub fn builder() -> StringTransportBuilder {
        StringTransportBuilder {
            host: SocketAddr::from(([192, 0, 2, 1], 8000)),
            peer: SocketAddr::from(([192, 0, 2, 2], 54_321)),
            limits: Limits::default(),
            layers: Vec::new(),
        }
    }

    // ── What the test does ──────────────────────────────────────────────────────────────────────────────────────────

    /// The peer sends something, which comes in one piece; once reading goes on, if it is paused.
    #[doc(alias = "dataReceived")]
    pub fn receive(&mut self, data: impl AsRef<[u8]>) {
        self.receive_in_pieces(data, Chunks::whole());
    }

    /// The peer sends something, which comes in pieces.
    pub fn receive_in_pieces(&mut self, data: impl AsRef<[u8]>, chunks: Chunks) {
        for piece in chunks.cut(data.as_ref()) {
            self.arrive(Arrival::Bytes(piece.to_vec()));
        }
    }

    /// The peer sends nothing more.
    #[doc(alias = "readConnectionLost")]
    pub fn eof(&mut self) {
        self.arrive(Arrival::Eof);
    }

    /// The connection breaks.
    #[doc(alias = "connectionLost")]
    pub fn fail(&mut self, error: impl Into<io::Error>) {
        self.arrive(Arrival::Failed(error.into()));
    }

    /// Lets time pass; see [`Clock::advance`].
    pub fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
    }

    /// The peer stops reading: nothing more can be sent.
    pub fn block_sending(&mut self) {
        self.allow_sending(0);
    }

    /// The peer reads so many bytes and no more: that much can be sent from now on.
    pub fn allow_sending(&mut self, bytes: usize) {
        self.memory().set_room(self.watched.conn, bytes);
        self.settle();
    }

    /// The peer reads again, however much it is.
    pub fn unblock_sending(&mut self) {
        self.allow_sending(usize::MAX);
    }

    /// Lets everything happen that was asked for on a handle: `lose_connection`, `write`, … from within the test itself.
    pub fn settle(&mut self) {
        self.clock.settle();
    }

    // ── What the test sees ──────────────────────────────────────────────────────────────────────────────────────────

    /// Takes what was sent since the last time.
    #[doc(alias = "value")]
    #[doc(alias = "clear")]
    pub fn take_sent(&mut self) -> Vec<u8> {
        self.memory().take_sent(self.watched.conn)
    }

    /// What was sent and not taken.
    #[must_use]
    pub fn sent(&self) -> Vec<u8> {
        self.memory().sent(self.watched.conn)
    }

    /// The protocol's transport.
    ///
    /// # Panics
    ///
    /// If no protocol was built yet, because a layer is not open or the factory refused.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.watched.transport()
    }

    /// Looks at the protocol, also when its connection is lost. One that another protocol took the place of is gone.
    ///
    /// # Panics
    ///
    /// If the protocol, or one inside it, is no `P`.
    pub fn protocol<P: 'static, R: 'static>(
        &mut self,
        look: impl FnOnce(&mut P) -> R + 'static,
    ) -> R {
        self.watched.protocol(&mut self.clock, look)
    }

    /// The reactor that it lives on.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.clock
    }

    /// Whether the protocol was told that its connection is made.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.watched.is_made()
    }

    /// Whether somebody asked to end the connection, or it is over.
    #[doc(alias = "disconnecting")]
    #[must_use]
    pub fn is_disconnecting(&self) -> bool {
        self.is_disconnected() || (self.is_made() && !self.transport().is_open())
    }

    /// Whether the connection is over.
    #[doc(alias = "disconnected")]
    #[must_use]
    pub fn is_disconnected(&self) -> bool {
        self.memory().end(self.watched.conn).is_some()
    }

    /// Whether the peer was sent a reset.
    #[must_use]
    pub fn is_aborted(&self) -> bool {
        self.memory().end(self.watched.conn) == Some(End::Aborted)
    }

    /// Whether the peer was sent an end, after which nothing can be sent.
    #[must_use]
    pub fn is_write_closed(&self) -> bool {
        self.memory().is_write_closed(self.watched.conn)
    }

    /// Whether something was received that waits, because nothing is read for now.
    #[must_use]
    pub fn is_reading_held_up(&self) -> bool {
        self.memory().is_held_up(self.watched.conn)
    }

    /// Whether the protocol paused reading.
    #[doc(alias = "producerState")]
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.is_made() && self.transport().is_reading_paused()
    }

    /// Why the connection ended, as the protocol was told. An error inside keeps its kind and its text only.
    #[must_use]
    pub fn lost_reason(&self) -> Option<Reason> {
        self.watched.lost_reason()
    }

    /// Why there never was a connection for a protocol: the factory refused it, or a layer did not open.
    #[must_use]
    pub fn connect_error(&self) -> Option<String> {
        self.watched.connect_error()
    }

    fn memory(&self) -> &Memory {
        self.clock.memory()
    }

    fn arrive(&mut self, arrival: Arrival) {
        self.memory().arrive(self.watched.conn, arrival);
        self.settle();
    }
}

impl StringTransportBuilder {
    /// Our end; by default 192.0.2.1:8000.
    pub fn host(mut self, host: SocketAddr) -> Self {
        self.host = host;
        self
    }

    /// The peer's end; by default 192.0.2.2:54321.
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.peer = peer;
        self
    }

    /// With these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With a layer above those named before; below the lowest is the test. Only for [`protocol`](Self::protocol):
    /// a factory has its own.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// Connects a protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: impl Protocol) -> StringTransport {
        let layers = std::mem::take(&mut self.layers);
        self.factory(Once {
            protocol: Some(Box::new(protocol)),
            layers,
        })
    }

    /// Connects what a factory builds.
    #[must_use]
    pub fn factory(self, factory: impl Factory) -> StringTransport {
        let options = ConnectOptions::new(self.peer).expect("a socket address can be read");
        let (options, host) = (options.limits(self.limits), Address::Tcp(self.host));
        let mut clock = Clock::new();
        let watched = Watched::connect(&mut clock, host, options, Box::new(factory));
        StringTransport { watched, clock }
    }
}

impl fmt::Debug for StringTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransport")
            .field("sent", &String::from_utf8_lossy(&self.sent()))
            .field("lost_reason", &self.lost_reason())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StringTransportBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StringTransportBuilder")
            .field("host", &self.host)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A factory for one protocol that is there already.
pub(crate) struct Once {
    pub(crate) protocol: Option<Box<dyn Protocol>>,
    pub(crate) layers: Vec<Box<dyn Layer>>,
}

impl Factory for Once {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.protocol.take()
    }

    fn layers(&mut self, _peer: &Address) -> Vec<Box<dyn Layer>> {
        std::mem::take(&mut self.layers)
    }
}
