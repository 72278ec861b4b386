//! What a driver that has datagrams can do with them: a capability, so that one may lack it and says so.
//!
//! ```text
//!   Driver::poll ─► Handler::event(Datagram { port, peer, data }) ─► user code, which may only queue
//!        │                   … a batch of them …
//!        └────────► Handler::flush_datagrams(port, send)            what the batch wrote leaves, in few system calls
//! ```

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use super::datagram_queue::DatagramQueue;
use super::{Sent, UnixOptions};
use crate::address::Address;
use crate::slots::Key;

/// Names a datagram port of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub Key);

/// The datagrams of a driver.
///
/// *Guaranteed* to the reactor: each datagram is one [`Event::Datagram`](super::Event::Datagram), cut to the port's
/// [`limit`](Bind::limit_bytes) if it is longer, and none while the port is paused. Not guaranteed, as the network does
/// not: that one arrives, arrives once, or in order.
pub trait Datagrams {
    /// Opens a port; returns the real address (with the port that 0 stood for).
    ///
    /// # Errors
    ///
    /// The kernel's error: the address is busy, forbidden or not ours, or a group cannot be joined.
    fn bind(&mut self, bind: &Bind) -> io::Result<(PortId, Address)>;

    /// Closes a port: no later event names it, and its address is free when this returns.
    fn close(&mut self, port: PortId);

    /// Sends what it can, and takes it from the queue. What the kernel refuses is counted there
    /// ([`DatagramQueue::lose`]). [`Sent::Blocked`] if some are left: then
    /// [`DatagramsWritable`](super::Event::DatagramsWritable) follows.
    fn send(&mut self, port: PortId, queue: &mut DatagramQueue) -> Sent;

    /// Fixes the peer: only its datagrams are received, those without an address go to it, and it is told when nobody
    /// listens there.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    fn connect(&mut self, port: PortId, peer: &Address) -> io::Result<()>;

    /// Sets an option.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    fn set_option(&mut self, port: PortId, option: &DatagramOption) -> io::Result<()>;

    /// Delivers nothing more until [`resume`](Self::resume). The kernel keeps some, and drops the rest.
    fn pause(&mut self, port: PortId);

    /// Delivers again.
    fn resume(&mut self, port: PortId);
}

/// Where and how to open a datagram port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The address; port 0 picks a free one.
    pub address: Address,
    /// The longest datagram that is received whole, in bytes; longer ones are cut (R85).
    pub limit_bytes: usize,
    /// Whether it may send to broadcast addresses.
    pub broadcast: bool,
    /// Whether several sockets may have this address, each getting every multicast datagram.
    pub reuse_address: bool,
    /// The multicast groups to join from the start.
    pub groups: Vec<(IpAddr, Interface)>,
    /// How the path of a UNIX socket is made; who may write to it may send.
    pub unix: UnixOptions,
}

impl Bind {
    /// The longest datagram that is received whole, if nothing is said: that of Twisted, and no peer's question is longer.
    pub const DEFAULT_LIMIT_BYTES: usize = 8192;

    /// The most that [`limit_bytes`](Self::limit_bytes) may be: no longer datagram exists (RFC 768).
    pub const LARGEST_LIMIT_BYTES: usize = 65_536;

    /// An ordinary port at this address.
    #[must_use]
    pub const fn new(address: Address) -> Self {
        Self {
            address,
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            broadcast: false,
            reuse_address: false,
            groups: Vec::new(),
            unix: UnixOptions::USUAL,
        }
    }
}

/// An option of an open datagram port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramOption {
    /// Receive what is sent to this group, at this interface.
    Join(IpAddr, Interface),
    /// Receive it no more.
    Leave(IpAddr, Interface),
    /// How many routers a multicast datagram may pass; 1, the default, stays on the local network.
    MulticastTtl(u8),
    /// Whether this host's own members of a group receive what the port sends to it; by default they do.
    MulticastLoopback(bool),
    /// Where multicast datagrams leave.
    MulticastInterface(Interface),
    /// Whether it may send to broadcast addresses.
    Broadcast(bool),
}

/// A network interface of this machine, for multicast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interface {
    /// The one that the kernel's routes say.
    #[default]
    Default,
    /// The one that has this IPv4 address.
    Address(Ipv4Addr),
    /// The one of this number.
    Index(u32),
    /// The one of this name, such as `eth0`.
    Name(String),
}

impl From<&str> for Interface {
    /// An address, a number or a name, whichever it looks like; nothing is the default.
    fn from(text: &str) -> Self {
        if text.is_empty() {
            return Self::Default;
        }
        let address = text.parse().ok().map(Self::Address);
        address
            .or_else(|| text.parse().ok().map(Self::Index))
            .unwrap_or_else(|| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Address(address) => address.fmt(f),
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}
