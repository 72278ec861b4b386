//! The handle on a datagram port.

use std::any::Any;
use std::cell::Ref;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use super::DatagramProtocol;
use super::error::DatagramError;
use super::link::DatagramLink;
use super::peer::DatagramPeer;
use super::ports::LentPort;
use crate::address::Address;
use crate::deferred::Deferred;
use crate::driver::{DatagramOption, Datagrams, Interface, PortId};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::timer::DelayedCall;

/// A handle on one datagram port; cheap to clone, and it stays on the reactor's thread. It may be dropped: the port lives
/// on.
///
/// Every method only queues: no callback runs inside it. What is written in an answer leaves after the batch of datagrams
/// that it answers, many in one system call.
///
/// ```
/// use ropewalk_core::{Address, DatagramProtocol, DatagramTransport};
///
/// struct Beacon;
///
/// impl DatagramProtocol for Beacon {
///     fn start_protocol(&mut self, transport: &DatagramTransport) {
///         transport.write_to(b"here I am", "192.0.2.1:7777").expect("an IPv4 address on an IPv4 port");
///     }
///     fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: &Address) {}
/// }
/// ```
#[doc(alias = "DatagramPort")]
#[derive(Clone)]
pub struct DatagramTransport(pub(crate) Rc<DatagramLink>);

impl DatagramTransport {
    /// Queues a datagram to that address. It leaves once the kernel takes it, or never; nobody is told of its fate.
    ///
    /// # Errors
    ///
    /// It is not taken: the peer is a host name or of another family (R86), the datagram is too long, too much waits
    /// already, the port is connected to another peer, or closed.
    #[inline]
    pub fn write_to(
        &self,
        data: impl AsRef<[u8]>,
        peer: impl DatagramPeer,
    ) -> Result<(), DatagramError> {
        let peer = peer.address()?;
        self.0.check_family(&peer)?;
        match &*self.0.peer.borrow() {
            // With an address, some kernels refuse on a connected port.
            Some(only) if only == &*peer => self.0.push(data.as_ref(), None),
            Some(only) => Err(DatagramError::Connected(only.clone())),
            None => self.0.push(data.as_ref(), Some(&peer)),
        }
    }

    /// Queues a datagram to the peer that the port is connected to.
    ///
    /// # Errors
    ///
    /// As [`write_to`](Self::write_to); or the port is not connected.
    pub fn write(&self, data: impl AsRef<[u8]>) -> Result<(), DatagramError> {
        if self.0.peer.borrow().is_none() {
            return Err(DatagramError::NotConnected(self.0.host.clone()));
        }
        self.0.push(data.as_ref(), None)
    }

    /// Fixes the peer: from now on [`write`](Self::write) sends to it, only its datagrams are received, and
    /// [`connection_refused`](DatagramProtocol::connection_refused) tells when nobody listens there (R87).
    ///
    /// The Deferred fires when the kernel knows, which nobody has to wait for; it fails with a [`DatagramError`].
    pub fn connect(&self, peer: impl DatagramPeer) -> Deferred<()> {
        match self.begin_connect(peer) {
            Err(error) => Deferred::fail(self.reactor(), Failure::new(error)),
            Ok(peer) => {
                let link = Rc::clone(&self.0);
                self.ask(format!("connect to {peer}"), move |datagrams, port| {
                    let outcome = datagrams.connect(port, &peer);
                    link.connecting.set(false);
                    link.note();
                    outcome.inspect_err(|_| *link.peer.borrow_mut() = None)
                })
            }
        }
    }

    fn begin_connect(&self, peer: impl DatagramPeer) -> Result<Address, DatagramError> {
        let peer = peer.address()?.into_owned();
        self.0.check_family(&peer)?;
        let known = &mut *self.0.peer.borrow_mut();
        if let Some(known) = known {
            return Err(DatagramError::Connected(known.clone()));
        }
        *known = Some(peer.clone());
        self.0.connecting.set(true);
        Ok(peer)
    }

    /// Receives what is sent to a multicast group, at that interface; fails with a [`DatagramError`].
    #[doc(alias = "joinGroup")]
    pub fn join_group(&self, group: IpAddr, interface: impl Into<Interface>) -> Deferred<()> {
        let option = DatagramOption::Join(group, interface.into());
        self.set_option(format!("join the group {group}"), option)
    }

    /// Receives it no more.
    #[doc(alias = "leaveGroup")]
    pub fn leave_group(&self, group: IpAddr, interface: impl Into<Interface>) -> Deferred<()> {
        let option = DatagramOption::Leave(group, interface.into());
        self.set_option(format!("leave the group {group}"), option)
    }

    /// How many routers a multicast datagram may pass: 1, the default, stays on the local network.
    #[doc(alias = "setTTL")]
    pub fn set_ttl(&self, hops: u8) -> Deferred<()> {
        let option = DatagramOption::MulticastTtl(hops);
        self.set_option(format!("set the multicast TTL {hops}"), option)
    }

    /// Whether this host's own members of a group receive what this port sends to it; by default they do.
    #[doc(alias = "setLoopbackMode")]
    pub fn set_loopback(&self, on: bool) -> Deferred<()> {
        let option = DatagramOption::MulticastLoopback(on);
        self.set_option("set the multicast loopback".to_owned(), option)
    }

    /// Where multicast datagrams leave.
    #[doc(alias = "setOutgoingInterface")]
    pub fn set_interface(&self, interface: impl Into<Interface>) -> Deferred<()> {
        let interface = interface.into();
        let what = format!("send at the interface {interface}");
        self.set_option(what, DatagramOption::MulticastInterface(interface))
    }

    /// Whether it may send to broadcast addresses; by default the kernel refuses.
    #[doc(alias = "setBroadcastAllowed")]
    pub fn set_broadcast(&self, on: bool) -> Deferred<()> {
        let option = DatagramOption::Broadcast(on);
        self.set_option("allow broadcast".to_owned(), option)
    }

    /// Delivers nothing until [`resume_reading`](Self::resume_reading). The kernel keeps what its buffer holds, and drops
    /// the rest.
    #[doc(alias = "pauseProducing")]
    pub fn pause_reading(&self) {
        self.0.paused.set(true);
        self.0.note();
    }

    /// Delivers again.
    #[doc(alias = "resumeProducing")]
    pub fn resume_reading(&self) {
        self.0.paused.set(false);
        self.0.note();
    }

    /// Closes the port; fires once its address is free. Nothing more is received, and what the kernel does not take at
    /// once is lost.
    #[doc(alias = "stopListening")]
    #[doc(alias = "loseConnection")]
    pub fn stop_listening(&self) -> Deferred<()> {
        self.0.open.set(false);
        let (deferred, resolver) = Deferred::new(self.reactor());
        let id = self.0.id;
        self.0.handle.command(move |engine| {
            engine.close_port(id);
            let _ = resolver.resolve(());
        });
        deferred
    }

    /// Whether the port is there and nobody asked to close it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.open.get()
    }

    /// Our end, with the real port.
    #[doc(alias = "getHost")]
    #[must_use]
    pub fn host(&self) -> &Address {
        &self.0.host
    }

    /// The peer that it is connected to.
    #[must_use]
    pub fn peer(&self) -> Option<Ref<'_, Address>> {
        Ref::filter_map(self.0.peer.borrow(), Option::as_ref).ok()
    }

    /// The longest datagram that is received whole, in bytes.
    #[doc(alias = "maxPacketSize")]
    #[must_use]
    pub fn limit_bytes(&self) -> usize {
        self.0.limit_bytes
    }

    /// How many datagrams wait to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.0.queue.borrow().len()
    }

    /// How many datagrams were written and not sent: too many waited, or the kernel refused them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.get()
    }

    /// The reactor that the port lives on.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.0.handle
    }

    /// Calls a method of the protocol after a time. If the port is closed by then the closure is dropped.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`; that is logged.
    #[track_caller]
    pub fn call_later<P: DatagramProtocol>(
        &self,
        delay: Duration,
        call: impl FnOnce(&mut P, &Self) + 'static,
    ) -> DelayedCall {
        let (id, lent) = (self.0.id, lent(call));
        self.0
            .handle
            .call_later_at(Location::caller(), delay, move |handle| {
                handle.command(move |engine| engine.lend_port(id, lent));
            })
    }

    /// Calls a method of the protocol on the reactor's turn, soon.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`; that is logged.
    pub fn call_soon<P: DatagramProtocol>(&self, call: impl FnOnce(&mut P, &Self) + 'static) {
        let (id, lent) = (self.0.id, lent(call));
        self.0
            .handle
            .command(move |engine| engine.lend_port(id, lent));
    }

    /// Calls a method of the protocol on the reactor's turn, when `deferred` has its result. If the port is closed by
    /// then the closure is dropped; a failure is then logged as nobody's.
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`; that is logged.
    pub fn when<T: 'static, P: DatagramProtocol>(
        &self,
        deferred: Deferred<T>,
        call: impl FnOnce(&mut P, &Self, Result<T, Failure>) + 'static,
    ) {
        let transport = self.clone();
        deferred.on_result(move |result| {
            transport.call_soon(move |this: &mut P, transport| call(this, transport, result));
        });
    }

    fn set_option(&self, what: String, option: DatagramOption) -> Deferred<()> {
        self.ask(what, move |datagrams, port| {
            datagrams.set_option(port, &option)
        })
    }

    /// Asks the driver at the end of the turn.
    fn ask(
        &self,
        what: String,
        ask: impl FnOnce(&mut dyn Datagrams, PortId) -> io::Result<()> + 'static,
    ) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(self.reactor());
        let link = Rc::clone(&self.0);
        self.0.handle.command(move |engine| {
            let outcome = engine.ask_datagrams(link.id, ask);
            let host = link.host.clone();
            let _ = resolver.resolve_with(
                outcome.map_err(|error| Failure::new(DatagramError::Refused { what, host, error })),
            );
        });
        deferred
    }
}

fn lent<P: DatagramProtocol>(call: impl FnOnce(&mut P, &DatagramTransport) + 'static) -> LentPort {
    Box::new(move |protocol, transport| {
        let name = protocol.name();
        match (protocol as &mut dyn Any).downcast_mut::<P>() {
            Some(this) => call(this, transport),
            None => panic!(
                "a closure wants `this: &mut {}`, but the protocol of {} is {name}; name the protocol's own type",
                std::any::type_name::<P>(),
                transport.host()
            ),
        }
    })
}

impl PartialEq for DatagramTransport {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for DatagramTransport {}

impl fmt::Debug for DatagramTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatagramTransport({})", self.host())
    }
}
