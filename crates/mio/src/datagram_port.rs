//! One datagram socket, and what we know of it that the kernel will not say twice.
//!
//! As with streams, registration is edge-triggered and every edge is kept until it was used up. A batch that leaves room
//! has emptied the socket, unless the port is connected: there an answer of the network may hide behind the last datagram,
//! and makes no new edge.

use std::io;

use mio::net::{UdpSocket, UnixDatagram};
use mio::{Interest, Registry, Token};
use ropewalk_core::address::{Address, UnixAddress};
use ropewalk_core::driver::{Bind, DatagramQueue, Sent};
use socket2::{Domain, Protocol, SockAddr, SockRef, Type};

use crate::batch::{self, Family};
use crate::multicast;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::segments::{Front, Segments};
use crate::unix_name;
use crate::unix_path::{self, UnixPath};

pub(crate) enum Socket {
    Udp(UdpSocket, Family),
    Unix(UnixDatagram),
}

impl Socket {
    pub(crate) fn as_socket(&self) -> SockRef<'_> {
        match self {
            Self::Udp(socket, _) => SockRef::from(socket),
            Self::Unix(socket) => SockRef::from(socket),
        }
    }

    fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Udp(socket, _) => registry.register(socket, token, Interest::READABLE),
            Self::Unix(socket) => registry.register(socket, token, Interest::READABLE),
        }
    }

    fn watch_writable(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Self::Udp(socket, _) => registry.reregister(socket, token, both),
            Self::Unix(socket) => registry.reregister(socket, token, both),
        }
    }
}

pub(crate) struct Port {
    /// Goes before the socket, as with listeners.
    _path: Option<UnixPath>,
    pub(crate) socket: Socket,
    pub(crate) limit: usize,
    /// The kernel may hold datagrams or an error for us, and will make no edge for them.
    pub(crate) unread: bool,
    pub(crate) paused: bool,
    /// A send was cut short; the reactor waits for `DatagramsWritable`.
    pub(crate) blocked: bool,
    pub(crate) connected: bool,
    watches_writable: bool,
    /// It is in the list of those to be served without an edge.
    pub(crate) listed: bool,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    segments: Segments,
    /// What the network answered to something sent, not told yet.
    pub(crate) refused: Option<io::Error>,
    /// What came in one batch with a datagram that paused the port.
    pub(crate) kept: DatagramQueue,
}

impl Port {
    /// A port, not yet watched, and its real address.
    pub(crate) fn open(bind: &Bind) -> io::Result<(Self, Address)> {
        let (socket, address, path) = match &bind.address {
            Address::Udp(address) => open_udp(bind, *address)?,
            Address::Unix(name) => open_unix(bind, name)?,
            other => {
                let what = format!("{other} is not an address of datagrams");
                return Err(io::Error::new(io::ErrorKind::Unsupported, what));
            }
        };
        let port = Self {
            _path: path,
            socket,
            limit: bind.limit_bytes.clamp(1, Bind::LARGEST_LIMIT_BYTES),
            unread: false,
            paused: false,
            blocked: false,
            connected: false,
            watches_writable: false,
            listed: false,
            #[cfg(any(target_os = "linux", target_os = "android"))]
            segments: Segments::default(),
            refused: None,
            kept: DatagramQueue::default(),
        };
        Ok((port, address))
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token)
    }

    pub(crate) fn connect(&mut self, peer: &Address) -> io::Result<()> {
        self.socket.as_socket().connect(&name_of(peer)?)?;
        self.connected = true;
        Ok(())
    }

    pub(crate) const fn wants_read(&self) -> bool {
        self.unread && !self.paused
    }

    /// Whether it must be served although the kernel reports nothing.
    pub(crate) fn has_work(&self) -> bool {
        self.refused.is_some() || !self.paused && (self.unread || !self.kept.is_empty())
    }

    /// Sends what the kernel takes. What it will never take is lost, and counted in the queue.
    pub(crate) fn send(
        &mut self,
        queue: &mut DatagramQueue,
        registry: &Registry,
        token: Token,
    ) -> Sent {
        let mut retried = false;
        while !queue.is_empty() {
            match self.send_some(queue) {
                Ok(count) => {
                    queue.remove(count);
                    retried = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_full(&error) && self.will_say() => {
                    return self.block(registry, token);
                }
                // About an earlier datagram; this one was not even tried.
                Err(error) if self.connected && is_refusal(&error) && !retried => {
                    self.refused = Some(error);
                    retried = true;
                }
                Err(error) => {
                    queue.lose(error);
                    retried = false;
                }
            }
        }
        Sent::Done
    }

    /// Sends some of the first by one call; how many went.
    fn send_some(&mut self, queue: &DatagramQueue) -> io::Result<usize> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if let Socket::Udp(socket, _) = &self.socket {
            match Front::of(queue) {
                Front::Run(count, len) if self.segments.work(socket) => {
                    return self.segments.send(socket, queue, (count, len));
                }
                Front::Mixed(count) => return batch::send(&self.socket, queue, count),
                Front::Run(..) => {}
            }
        }
        batch::send(&self.socket, queue, queue.len())
    }

    /// Whether the kernel reports when there is room again. It does not for the queue of a UNIX socket that ours is not
    /// connected to, so what such a one does not take is lost (FEATURES 3.16).
    const fn will_say(&self) -> bool {
        matches!(self.socket, Socket::Udp(..)) || self.connected
    }

    fn block(&mut self, registry: &Registry, token: Token) -> Sent {
        self.blocked = true;
        if !self.watches_writable {
            if let Err(error) = self.socket.watch_writable(registry, token) {
                return Sent::Failed(error);
            }
            self.watches_writable = true;
        }
        Sent::Blocked
    }
}

/// No room in the socket's own buffer. `ENOBUFS`, no room in the network card's queue, is not of this kind: no kernel says
/// when that ends, so such a datagram is lost.
fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// What the network answered, as opposed to what is wrong with us or with the datagram.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::ECONNRESET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::ENOPROTOOPT
                | libc::EPROTO
        )
    )
}

/// An open socket, its real address, and the path to remove at the end.
type Opened = (Socket, Address, Option<UnixPath>);

fn open_udp(bind: &Bind, address: std::net::SocketAddr) -> io::Result<Opened> {
    let socket = new_socket(Domain::for_address(address), Some(Protocol::UDP))?;
    if bind.reuse_address {
        socket.set_reuse_address(true)?;
        // Without it BSD and macOS do not share a multicast port; on Linux it would share out by sender instead.
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    only_own_groups(&socket, address)?;
    if bind.broadcast {
        socket.set_broadcast(true)?;
    }
    socket.bind(&address.into())?;
    for (group, interface) in &bind.groups {
        multicast::join(&SockRef::from(&socket), *group, interface)?;
    }
    let socket = UdpSocket::from_std(socket.into());
    let real = socket.local_addr()?;
    Ok((
        Socket::Udp(socket, Family::of(real)),
        Address::Udp(real),
        None,
    ))
}

fn open_unix(bind: &Bind, address: &UnixAddress) -> io::Result<Opened> {
    let socket = new_socket(Domain::UNIX, None)?;
    let path = match address {
        UnixAddress::Unnamed => None,
        address => unix_path::bind(&socket, address, bind.unix)?,
    };
    let socket = UnixDatagram::from_std(socket.into());
    Ok((Socket::Unix(socket), bind.address.clone(), path))
}

/// Linux gives a socket at the wildcard address what is sent to any group that anybody on this machine joined.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn only_own_groups(socket: &socket2::Socket, address: std::net::SocketAddr) -> io::Result<()> {
    match address.is_ipv4() {
        true => socket.set_multicast_all_v4(false),
        false => socket.set_multicast_all_v6(false),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn only_own_groups(_: &socket2::Socket, _: std::net::SocketAddr) -> io::Result<()> {
    Ok(())
}

/// A datagram socket that neither blocks nor survives `exec`.
fn new_socket(domain: Domain, protocol: Option<Protocol>) -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(domain, Type::DGRAM, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What the kernel calls that address.
pub(crate) fn name_of(address: &Address) -> io::Result<SockAddr> {
    match address {
        Address::Udp(socket) => Ok((*socket).into()),
        Address::Unix(name) => unix_name::to_kernel(name),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("nothing can be sent to {other}"),
        )),
    }
}
