//! One datagram protocol on a port without a network.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::Bind;
use ropewalk_core::{Address, DatagramPeer, DatagramProtocol, DatagramTransport};

use crate::clock::Clock;
use crate::memory::PortArrival;

/// A datagram protocol with its port, of which the test is the peers, the network and the time.
///
/// It is the engine's own transport. Every method that makes something happen also lets everything happen that follows
/// from it.
///
/// ```
/// use ropewalk_core::{Address, DatagramProtocol, DatagramTransport};
/// use ropewalk_testing::FakeDatagramTransport;
///
/// struct Echo;
///
/// impl DatagramProtocol for Echo {
///     fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
///         transport.write_to(data, peer).unwrap();
///     }
/// }
///
/// let mut port = FakeDatagramTransport::new(Echo);
/// port.receive("hello", "192.0.2.7:53");
/// let (data, peer) = port.take_sent().remove(0);
/// assert_eq!((&data[..], peer.to_string().as_str()), (&b"hello"[..], "udp:192.0.2.7:53"));
/// ```
pub struct FakeDatagramTransport {
    transport: DatagramTransport,
    clock: Clock,
}

impl FakeDatagramTransport {
    /// Opens a port at 192.0.2.1:8000: the `start_protocol` of the protocol has been called.
    #[must_use]
    pub fn new(protocol: impl DatagramProtocol) -> Self {
        let host = SocketAddr::from(([192, 0, 2, 1], 8000));
        Self::at(&Bind::new(Address::Udp(host)), protocol)
    }

    /// Opens a port as the test wants it.
    ///
    /// # Panics
    ///
    /// Never: the memory driver takes every address.
    #[must_use]
    pub fn at(bind: &Bind, protocol: impl DatagramProtocol) -> Self {
        let mut clock = Clock::new();
        let opened = Rc::new(RefCell::new(None));
        let answer = Rc::clone(&opened);
        clock
            .listen_datagram(bind, protocol)
            .on_result(move |result| *answer.borrow_mut() = result.ok());
        clock.settle();
        let transport = opened
            .take()
            .expect("the memory driver takes every address");
        Self { transport, clock }
    }

    /// A peer sends a datagram.
    ///
    /// # Panics
    ///
    /// If the peer is no address.
    #[doc(alias = "datagramReceived")]
    pub fn receive(&mut self, data: impl AsRef<[u8]>, peer: impl DatagramPeer) {
        let peer = match peer.address() {
            Ok(peer) => peer.into_owned(),
            Err(error) => panic!("FakeDatagramTransport::receive: {error}"),
        };
        let data = data.as_ref().to_vec();
        self.arrive(PortArrival::Datagram(data, peer));
    }

    /// The network says that nobody listens where the port sent to.
    #[doc(alias = "connectionRefused")]
    pub fn refuse(&mut self) {
        self.arrive(PortArrival::Refused);
    }

    /// The kernel takes nothing more.
    pub fn block_sending(&mut self) {
        self.clock.memory().block_port(true);
    }

    /// The kernel takes what waits, and whatever comes.
    pub fn allow_sending(&mut self) {
        self.clock.memory().block_port(false);
        self.clock.settle();
    }

    /// Lets time pass; see [`Clock::advance`].
    pub fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
    }

    /// Lets everything happen that needs no time.
    pub fn settle(&mut self) {
        self.clock.settle();
    }

    /// What was sent since this was asked last, each with its receiver.
    #[doc(alias = "written")]
    pub fn take_sent(&mut self) -> Vec<(Vec<u8>, Address)> {
        self.clock.settle();
        self.clock.memory().take_datagrams()
    }

    /// Whether the port is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.clock.memory().is_port_closed()
    }

    /// The protocol's own handle.
    #[must_use]
    pub fn transport(&self) -> &DatagramTransport {
        &self.transport
    }

    fn arrive(&mut self, arrival: PortArrival) {
        self.clock.memory().arrive_at_port(arrival);
        self.clock.settle();
    }
}

impl fmt::Debug for FakeDatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FakeDatagramTransport({})", self.transport.host())
    }
}
