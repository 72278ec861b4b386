//! The handle on a connection.

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;
use std::mem::take;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use crate::address::Address;
use crate::buffer::FileRange;
use crate::deferred::Deferred;
use crate::descriptor::{Descriptor, DescriptorError};
use crate::driver::{ConnId, SocketOption, StreamOptions};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::layer::Layer;
use crate::link::{Flags, Link};
use crate::producer::{Producer, ProducerError, Registration, Slot};
use crate::protocol::{Protocol, lend};
use crate::reason::Reason;
use crate::registry::LentCall;
use crate::timer::DelayedCall;

/// A handle on one connection; cheap to clone, and it stays on the reactor's thread.
///
/// Every method only queues: no callback runs inside it. Once the connection is lost each does nothing, so a handle may be
/// kept for ever.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
///
/// struct Welcome;
///
/// impl Protocol for Welcome {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("欢迎访问!");
///         transport.lose_connection(); // after all is sent
///     }
///     fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
/// }
/// ```
#[derive(Clone)]
pub struct Transport(pub(crate) Rc<Link>);

impl Transport {
    /// Queues bytes. They leave in order, after this event or at the end of the turn, joined with their neighbours.
    ///
    /// Never blocks, never calls back (R50). After [`lose_connection`](Self::lose_connection) they are dropped (R53).
    #[inline]
    pub fn write(&self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        self.0
            .write_with(|outgoing, pool| outgoing.write(data, pool));
    }

    /// Queues bytes without copying them when they are many; clones of one [`Bytes`] share one allocation.
    pub fn write_owned(&self, data: impl Into<Bytes>) {
        let data = data.into();
        self.0
            .write_with(|outgoing, pool| outgoing.write_shared(data, pool));
    }

    /// Queues a stretch of a file, which is read as the peer takes it: by the kernel, where the driver can have it sent so and
    /// no layer needs its bytes, else 64 KiB at a time (R160). It is closed once sent, or when the connection ends.
    ///
    /// A file that cannot be read, or became shorter than the range, ends the connection with [`Reason::Lost`], so that the peer
    /// sees what it has is not all. Bytes in files count as unsent, but not against [`Limits`](crate::Limits)`::outgoing_bytes`,
    /// which is about memory.
    pub fn write_file(&self, range: FileRange) {
        self.0
            .write_with(|outgoing, _pool| outgoing.write_file(range));
    }

    /// Queues pieces, as if each were written (R50).
    #[doc(alias = "writeSequence")]
    pub fn write_vectored<T: AsRef<[u8]>>(&self, pieces: impl IntoIterator<Item = T>) {
        self.0.write_with(|outgoing, pool| {
            for piece in pieces {
                outgoing.write(piece.as_ref(), pool);
            }
        });
    }

    /// Queues what a closure appends to the end of the queue: for grammars, which say things into a `Vec`, without a copy
    /// and without memory of their own. Gives what the closure gives.
    ///
    /// Like [`write`](Self::write) otherwise. What the closure itself queues on this transport comes behind what it
    /// appends.
    ///
    /// ```
    /// use std::io::Write;
    /// use ropewalk_core::Transport;
    ///
    /// fn report(transport: &Transport, count: usize) -> std::io::Result<()> {
    ///     transport.write_with(|out| writeln!(out, "{count} messages"))
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// When the closure takes bytes away that lie in the vector already.
    #[inline]
    pub fn write_with<R>(&self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.0.append_with(append)
    }

    /// Sends a descriptor over a UNIX socket: it goes with the next byte written after it, and the peer's
    /// [`Protocol::descriptor_received`] is called before it gets that byte (R89). Our own is closed once it is sent; one
    /// after which nothing is written is never sent.
    ///
    /// # Errors
    ///
    /// The connection is of another kind or has layers, or too many wait already. The descriptor is closed.
    #[doc(alias = "sendFileDescriptor")]
    pub fn send_descriptor(&self, descriptor: Descriptor) -> Result<(), DescriptorError> {
        self.0.pass(descriptor)
    }

    /// Ends the connection once everything queued is sent, whatever the size (R51). Nothing more is received (R52).
    #[doc(alias = "loseConnection")]
    pub fn lose_connection(&self) {
        self.0.lose();
    }

    /// Ends the connection because the peer broke the protocol's rules; queued bytes are still sent.
    pub fn reject(&self, error: impl Into<Box<dyn Error + Send + Sync>>) {
        self.0.lose_because(Reason::Misbehaved(error.into()));
    }

    /// Closes our half once everything queued is sent; reading goes on (R59).
    #[doc(alias = "loseWriteConnection")]
    pub fn lose_write_connection(&self) {
        if self.is_open() && !self.0.has(Flags::LOSING_WRITE) {
            self.0.set(Flags::LOSING_WRITE);
            self.0.note();
        }
    }

    /// Ends the connection at once: queued bytes are dropped and the peer sees a reset (R56).
    #[doc(alias = "abortConnection")]
    pub fn abort_connection(&self) {
        self.0.abort();
    }

    /// Delivers nothing until [`resume_reading`](Self::resume_reading); back-pressure then reaches the peer (R63).
    #[doc(alias = "pauseProducing")]
    pub fn pause_reading(&self) {
        if self.is_open() {
            self.0.set(Flags::READING_PAUSED);
            self.0.clear(Flags::RESUMING);
            self.0.note();
        }
    }

    /// Delivers again. Nothing is lost, and nothing is delivered inside this call.
    #[doc(alias = "resumeProducing")]
    pub fn resume_reading(&self) {
        if self.is_open() && self.0.has(Flags::READING_PAUSED) {
            self.0.clear(Flags::READING_PAUSED);
            self.0.set(Flags::RESUMING);
            self.0.note();
        }
    }

    /// Whether the connection is there and nobody asked to end it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.has(Flags::OPEN) && !self.0.has(Flags::LOSING)
    }

    /// Whether the program, or the service that listens, stops: the protocol was told
    /// [`shutting_down`](Protocol::shutting_down).
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.0.has(Flags::SHUTTING_DOWN)
    }

    /// Whether nothing seems to be in flight, during a graceful stop: all is sent, nothing came or went for
    /// [`Grace::quiet`](crate::Grace::quiet), reading is not paused, and nobody but the protocol's own callbacks could
    /// write: no producer, no pending closure that wants the protocol, and no handle but the `kept` ones that the protocol
    /// itself keeps.
    ///
    /// So an answer that is being made elsewhere is waited for, as whoever makes it has a handle to write it with.
    #[must_use]
    pub fn is_idle(&self, kept: usize) -> bool {
        let link = &self.0;
        let drains = &link.handle.shared().drains;
        let has_others = Rc::strong_count(link) > 1 + kept
            || link.has(Flags::READING_PAUSED)
            || link.waits_for_producer()
            || drains.lent.borrow().contains(&link.id);
        !has_others && link.unsent() == 0 && self.quiet_for() >= drains.quiet.get()
    }

    /// Whether the protocol paused reading.
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.0.has(Flags::READING_PAUSED)
    }

    /// Whether the protocol may be given more now: not while reading is paused, by the protocol or because too much waits
    /// to be sent, nor once somebody asked to end the connection.
    ///
    /// For protocols that carry another one and cut what they receive into its messages: ask before each message, and
    /// keep the rest while the answer is no; [`Protocol::reading_resumed`] says when to go on.
    #[must_use]
    #[inline]
    pub fn wants_data(&self) -> bool {
        self.0.wants_data()
    }

    /// How many bytes wait to be sent: as they were written, and as layers made them, once they ran down.
    #[must_use]
    pub fn unsent_bytes(&self) -> usize {
        self.0.unsent()
    }

    /// Whether more waits to be sent than the high-water mark allows. If it still does at the end of the turn,
    /// [`Protocol::writing_paused`] tells, and once all is sent [`Protocol::writing_resumed`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.unsent() > self.0.limits.high_water_bytes
    }

    /// The name of this connection: no other of the same reactor ever has it. For tables of connections.
    #[must_use]
    pub fn id(&self) -> ConnId {
        self.0.id
    }

    /// Our end; behind a proxy that says so, the address that the peer connected to.
    #[doc(alias = "getHost")]
    #[must_use]
    pub fn host(&self) -> &Address {
        self.0.host()
    }

    /// Their end; behind a proxy that says so, the address that it forwards for.
    #[doc(alias = "getPeer")]
    #[must_use]
    pub fn peer(&self) -> &Address {
        self.0.peer()
    }

    /// Their end of the wire: the proxy itself, where [`peer`](Self::peer) is whom it forwards for.
    #[must_use]
    pub fn wire_peer(&self) -> &Address {
        &self.0.peer
    }

    /// What a layer found out, by its type: the certificate of the peer, the header of a proxy. `None` if no layer told such
    /// a thing, or not yet.
    #[must_use]
    pub fn fact<T: 'static>(&self) -> Option<Rc<T>> {
        self.0.facts.borrow().as_ref()?.find()
    }

    /// The reactor that the connection lives on.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.0.handle
    }

    /// Puts a layer on top of the stack, once everything queued before is on its way through the layers there are:
    /// STARTTLS. `connection_made` is not called again.
    #[doc(alias = "startTLS")]
    pub fn push_layer(&self, layer: impl Layer) {
        if self.is_open() {
            let before = self.0.outgoing.borrow().len();
            self.0
                .wish(|wishes| wishes.layers.push((before, Box::new(layer))));
            self.0.note();
        }
    }

    /// Gives the connection to another protocol, which gets `connection_made` and then `unread`, the bytes that came with
    /// the upgrade. The old protocol is dropped without `connection_lost`; closures made for it are dropped too.
    pub fn switch_protocol(&self, protocol: impl Protocol, unread: impl Into<Vec<u8>>) {
        if self.is_open() {
            let next = (boxed(protocol), unread.into());
            self.0.wish(|wishes| wishes.switch = Some(next));
            self.0.note();
        }
    }

    /// Sets an option of the socket, at the end of the turn; a kernel that refuses is logged.
    #[doc(alias = "setTcpNoDelay")]
    #[doc(alias = "setTcpKeepAlive")]
    pub fn set_option(&self, option: SocketOption) {
        if self.is_open() {
            let id = self.0.id;
            let mut options = self.0.options.get();
            match option {
                SocketOption::NoDelay(on) => options.no_delay = on,
                SocketOption::KeepAlive(after) => options.keep_alive = after,
                SocketOption::UserTimeout(_) => {}
            }
            self.0.options.set(options);
            self.0
                .handle
                .command(move |engine| engine.set_option(id, option));
        }
    }

    /// Whether small segments are sent at once, and when a silent peer is probed (R65).
    #[doc(alias = "getTcpNoDelay")]
    #[doc(alias = "getTcpKeepAlive")]
    #[must_use]
    pub fn options(&self) -> StreamOptions {
        self.0.options.get()
    }

    /// Calls a method of the protocol after a time. If the connection is gone by then, or has another protocol, the
    /// closure is dropped: no lifetime to think of, nothing to cancel.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`: that ends this connection with a message that names both.
    #[track_caller]
    pub fn call_later<P: 'static>(
        &self,
        delay: Duration,
        call: impl FnOnce(&mut P, &Self) + 'static,
    ) -> DelayedCall {
        self.0.handle.call_later_lent(delay, self.lent(call))
    }

    /// Calls a method of the protocol on the reactor's turn, when `deferred` has its result. If the connection is gone by
    /// then, or has another protocol, the closure is dropped; a failure is then logged as nobody's.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn when<T: 'static, P: 'static>(
        &self,
        deferred: Deferred<T>,
        call: impl FnOnce(&mut P, &Self, Result<T, Failure>) + 'static,
    ) {
        let transport = self.clone();
        deferred.on_result(move |result| {
            let lent = transport.lent(move |this: &mut P, transport| call(this, transport, result));
            transport.0.handle.lend_soon(lent);
        });
    }

    /// Calls a method of the protocol on the reactor's turn, soon.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn call_soon<P: 'static>(&self, call: impl FnOnce(&mut P, &Self) + 'static) {
        self.0.handle.lend_soon(self.lent(call));
    }

    /// Registers a producer, which writes as fast as the peer reads; see [`Producer`].
    ///
    /// # Errors
    ///
    /// One is registered already (R68); the new one is not touched.
    #[doc(alias = "registerProducer")]
    pub fn register_producer(
        &self,
        producer: impl Producer,
        streaming: bool,
    ) -> Result<(), ProducerError> {
        let mut registration = Registration::new(Box::new(producer), streaming);
        if !self.0.has(Flags::OPEN) {
            let transport = self.clone();
            self.0
                .handle
                .call_soon(move |_| registration.stop(&transport));
            return Ok(());
        }
        self.0.wish(|wishes| {
            if !wishes.producer.is_empty() {
                return Err(ProducerError);
            }
            wishes.producer = Slot::Idle(registration);
            Ok(())
        })?;
        self.0.note();
        Ok(())
    }

    /// Forgets the producer; a connection that waited for it to end is closed once all is sent (R70).
    #[doc(alias = "unregisterProducer")]
    pub fn unregister_producer(&self) {
        let gone = self
            .0
            .wishes
            .borrow_mut()
            .as_mut()
            .map(|wishes| take(&mut wishes.producer));
        drop(gone); // its destructor is user code: not under the borrow
        self.0.note();
    }

    fn lent<P: 'static>(&self, call: impl FnOnce(&mut P, &Self) + 'static) -> LentCall {
        let epoch = self.0.epoch.get();
        LentCall {
            conn: self.0.id,
            epoch,
            call: Box::new(move |protocol, transport| {
                match lend(protocol, TypeId::of::<P>()).and_then(|any| any.downcast_mut::<P>()) {
                    Some(this) => call(this, transport),
                    None => wrong_type::<P>(protocol.name()),
                }
            }),
        }
    }
}

/// In a box, unless it is in one.
fn boxed<P: Protocol>(protocol: P) -> Box<dyn Protocol> {
    let mut protocol = Some(protocol);
    let any: &mut dyn Any = &mut protocol;
    match any.downcast_mut::<Option<Box<dyn Protocol>>>() {
        Some(boxed) => boxed.take(),
        None => protocol.map(|protocol| Box::new(protocol) as Box<dyn Protocol>),
    }
    .expect("it was put there")
}

#[cold]
fn wrong_type<P>(actual: &str) -> ! {
    panic!(
        "a closure wants `this: &mut {}`, but the protocol of the connection is {actual}; \
         name the protocol's own type, or forward it in Protocol::inner",
        std::any::type_name::<P>()
    )
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Transport {}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport({} → {})", self.host(), self.peer())
    }
}
