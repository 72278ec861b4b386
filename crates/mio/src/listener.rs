//! A listening socket, with its rests when accepting is impossible.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::Registry;
use mio::net::{TcpListener, UnixListener};
use ropewalk_core::address::{Address, UnixAddress};
use ropewalk_core::driver::{Listen, StreamOptions};
use ropewalk_core::slots::Key;
use socket2::{SockRef, Socket as RawSocket};

use crate::connect::{new_socket, new_unix_socket, socket_address};
use crate::options::apply;
use crate::socket::Socket;
use crate::token::Target;
use crate::unix_name;
use crate::unix_path::{self, UnixPath};

/// At most one line of log in this time, so that a flood does not fill the disk (USERS P29: 211 GB in one night).
const LOG_EVERY: Duration = Duration::from_secs(5);

/// The first rest after accepting became impossible; each further one is twice as long.
const SHORTEST_REST: Duration = Duration::from_millis(100);

/// The longest rest: well below the second in which a server must be back when it has descriptors again.
const LONGEST_REST: Duration = Duration::from_millis(400);

pub(crate) struct Listener {
    /// Goes before the socket: who comes meanwhile is refused either way.
    _path: Option<UnixPath>,
    socket: ListeningSocket,
    address: Address,
    /// Its connections are for another reactor.
    pub(crate) hands_over: bool,
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    options: StreamOptions,
    /// The kernel may have more for us, and makes no edge for it.
    pub(crate) ready: bool,
    /// It accepts nothing before this time.
    pub(crate) rests_until: Option<Duration>,
    rest: Duration,
    last_log: Option<Duration>,
    unlogged: u64,
    /// Errors that `accept` gives before it asks the kernel.
    #[cfg(test)]
    pub(crate) injected: std::collections::VecDeque<i32>,
}

/// A socket that listens, of either family.
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// A socket that listens, not yet watched.
    pub(crate) fn open(listen: &Listen) -> io::Result<Self> {
        match &listen.address {
            Address::Unix(address) => Self::open_unix(address, listen),
            address => Self::open_tcp(socket_address(address)?, listen),
        }
    }

    /// An IPv6 listener takes IPv6 only, so that `tcp:[::]:80` and `tcp:0.0.0.0:80` are two listeners that may both be
    /// had, on every system alike, and an IPv4 peer never shows up as `::ffff:192.0.2.1`.
    fn open_tcp(address: SocketAddr, listen: &Listen) -> io::Result<Self> {
        let socket = new_socket(address)?;
        // Without it the port stays busy for a minute after a restart (connections in TIME_WAIT).
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if listen.reuse_port {
            share_port(&socket)?;
        }
        apply(listen.options, &SockRef::from(&socket))?;
        socket.bind(&address.into())?;
        start(&socket, listen)?;
        let socket = TcpListener::from_std(socket.into());
        let address = Address::Tcp(socket.local_addr()?);
        Ok(Self::new(
            ListeningSocket::Tcp(socket),
            address,
            None,
            listen,
        ))
    }

    fn open_unix(address: &UnixAddress, listen: &Listen) -> io::Result<Self> {
        let socket = new_unix_socket()?;
        let path = unix_path::bind(&socket, address, listen.unix)?;
        start(&socket, listen)?;
        let socket = ListeningSocket::Unix(UnixListener::from_std(socket.into()));
        Ok(Self::new(socket, listen.address.clone(), path, listen))
    }

    /// One that was bound elsewhere: its path is not ours to remove.
    pub(crate) fn adopted(
        socket: ListeningSocket,
        options: StreamOptions,
        hand_over: bool,
    ) -> io::Result<Self> {
        let address = match &socket {
            ListeningSocket::Tcp(socket) => Address::Tcp(socket.local_addr()?),
            ListeningSocket::Unix(socket) => unix_name::from_kernel(&socket.local_addr()?),
        };
        if let ListeningSocket::Tcp(socket) = &socket {
            apply(options, &SockRef::from(socket))?;
        }
        let mut listen = Listen::new(address.clone());
        (listen.options, listen.hand_over) = (options, hand_over);
        Ok(Self::new(socket, address, None, &listen))
    }

    fn new(
        socket: ListeningSocket,
        address: Address,
        path: Option<UnixPath>,
        listen: &Listen,
    ) -> Self {
        Self {
            _path: path,
            socket,
            address,
            hands_over: listen.hand_over,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            options: listen.options,
            ready: false,
            rests_until: None,
            rest: SHORTEST_REST,
            last_log: None,
            unlogged: 0,
            #[cfg(test)]
            injected: std::collections::VecDeque::new(),
        }
    }

    pub(crate) fn register(&mut self, key: Key, registry: &Registry) -> io::Result<()> {
        let (token, interest) = (Target::Listener(key).token(), mio::Interest::READABLE);
        match &mut self.socket {
            ListeningSocket::Tcp(socket) => registry.register(socket, token, interest),
            ListeningSocket::Unix(socket) => registry.register(socket, token, interest),
        }
    }

    /// Another process may hold the socket too, and so keep it making events for us.
    pub(crate) fn deregister(&mut self, registry: &Registry) {
        let gone = match &mut self.socket {
            ListeningSocket::Tcp(socket) => registry.deregister(socket),
            ListeningSocket::Unix(socket) => registry.deregister(socket),
        };
        if let Err(error) = gone {
            tracing::debug!(%error, "cannot unwatch a listener");
        }
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    pub(crate) fn accept(&mut self) -> io::Result<(Socket, Address)> {
        #[cfg(test)]
        if let Some(errno) = self.injected.pop_front() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        match &self.socket {
            ListeningSocket::Tcp(listener) => {
                let (socket, peer) = listener.accept()?;
                self.apply_options(&SockRef::from(&socket));
                Ok((Socket::Tcp(socket), Address::Tcp(peer)))
            }
            ListeningSocket::Unix(listener) => {
                let (socket, peer) = listener.accept()?;
                Ok((Socket::Unix(socket), unix_name::from_kernel(&peer)))
            }
        }
    }

    /// Accepted sockets inherit the options of their listener.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const fn apply_options(&self, _: &SockRef<'_>) {}

    /// Kernels refuse options for a peer that is gone already, which must not look like trouble of the listener.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn apply_options(&self, socket: &SockRef<'_>) {
        if let Err(error) = apply(self.options, socket) {
            tracing::debug!(%error, "cannot set the options of an accepted connection");
        }
    }

    /// Our end of an accepted connection. Only a listener on the wildcard address must ask the kernel.
    pub(crate) fn host_of(&self, socket: &Socket) -> Address {
        let is_any = self.address.ip().is_some_and(|ip| ip.is_unspecified());
        let asked = is_any.then(|| socket.host().ok()).flatten();
        asked.unwrap_or_else(|| self.address.clone())
    }

    /// Accepts nothing for a while.
    pub(crate) fn rest(&mut self, now: Duration) {
        self.rests_until = Some(now + self.rest);
        self.rest = (self.rest * 2).min(LONGEST_REST);
    }

    /// Accepting is possible again: the next rest is short.
    pub(crate) const fn is_well(&mut self) {
        self.rest = SHORTEST_REST;
    }

    /// Counts `times` happenings of trouble; how many to log now, if it is time for a line.
    pub(crate) fn complain(&mut self, now: Duration, times: u64) -> Option<u64> {
        self.unlogged += times;
        if self.last_log.is_some_and(|last| now < last + LOG_EVERY) {
            return None;
        }
        self.last_log = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

fn start(socket: &RawSocket, listen: &Listen) -> io::Result<()> {
    socket.listen(i32::try_from(listen.backlog).unwrap_or(i32::MAX))
}

/// Several sockets on one address; the kernel shares out the connections (`SO_REUSEPORT`, which FreeBSD calls
/// `SO_REUSEPORT_LB`).
#[cfg(not(target_os = "freebsd"))]
fn share_port(socket: &RawSocket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(target_os = "freebsd")]
fn share_port(socket: &RawSocket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r065_accepted_sockets_have_the_options_of_their_listener() {
        for (no_delay, keep_alive) in [(true, Some(Duration::from_secs(90))), (false, None)] {
            let mut listener = Listener::open(&Listen {
                options: ropewalk_core::driver::StreamOptions {
                    no_delay,
                    keep_alive,
                },
                ..Listen::new(Address::Tcp("127.0.0.1:0".parse().unwrap()))
            })
            .unwrap();
            // A blocking connect on loopback returns when the connection waits to be accepted.
            let address = listener.address().socket().unwrap();
            let _peer = std::net::TcpStream::connect(address).unwrap();
            let Ok((Socket::Tcp(socket), _)) = listener.accept() else {
                panic!("a connection waits")
            };
            let socket = SockRef::from(&socket);
            assert_eq!(socket.tcp_nodelay().unwrap(), no_delay);
            assert_eq!(socket.keepalive().unwrap(), keep_alive.is_some());
            if let Some(after) = keep_alive {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), after);
            }
        }
    }
}
