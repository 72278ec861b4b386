//! A listening socket, with its rests when accepting is impossible.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::Registry;
use mio::net::{TcpListener, TcpStream};
use ropewalk_core::address::Address;
use ropewalk_core::driver::Listen;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use ropewalk_core::driver::StreamOptions;
use ropewalk_core::slots::Key;
use socket2::{SockRef, Socket};

use crate::connect::{new_socket, socket_address};
use crate::stream::apply;
use crate::token::Target;

/// At most one line of log in this time, so that a flood does not fill the disk (USERS P29: 211 GB in one night).
const LOG_EVERY: Duration = Duration::from_secs(5);

/// The first rest after accepting became impossible; each further one is twice as long.
const SHORTEST_REST: Duration = Duration::from_millis(100);

/// The longest rest: well below the second in which a server must be back when it has descriptors again.
const LONGEST_REST: Duration = Duration::from_millis(400);

pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
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

impl Listener {
    /// A socket that listens, not yet watched.
    ///
    /// An IPv6 listener takes IPv6 only, so that `tcp:[::]:80` and `tcp:0.0.0.0:80` are two listeners that may both be
    /// had, on every system alike, and an IPv4 peer never shows up as `::ffff:192.0.2.1`.
    pub(crate) fn open(listen: &Listen) -> io::Result<Self> {
        let address = socket_address(&listen.address)?;
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
        socket.listen(i32::try_from(listen.backlog).unwrap_or(i32::MAX))?;
        let socket = TcpListener::from_std(socket.into());
        Ok(Self {
            address: socket.local_addr()?,
            socket,
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            options: listen.options,
            ready: false,
            rests_until: None,
            rest: SHORTEST_REST,
            last_log: None,
            unlogged: 0,
            #[cfg(test)]
            injected: std::collections::VecDeque::new(),
        })
    }

    pub(crate) fn register(&mut self, key: Key, registry: &Registry) -> io::Result<()> {
        registry.register(
            &mut self.socket,
            Target::Listener(key).token(),
            mio::Interest::READABLE,
        )
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        #[cfg(test)]
        if let Some(errno) = self.injected.pop_front() {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let (socket, peer) = self.socket.accept()?;
        self.apply_options(&socket);
        Ok((socket, peer))
    }

    /// Accepted sockets inherit the options of their listener.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const fn apply_options(&self, _: &TcpStream) {}

    /// Kernels refuse options for a peer that is gone already, which must not look like trouble of the listener.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn apply_options(&self, socket: &TcpStream) {
        if let Err(error) = apply(self.options, &SockRef::from(socket)) {
            tracing::debug!(%error, "cannot set the options of an accepted connection");
        }
    }

    /// Our end of an accepted connection. Only a listener on the wildcard address must ask the kernel.
    pub(crate) fn host_of(&self, socket: &TcpStream) -> Address {
        if self.address.ip().is_unspecified() {
            Address::Tcp(socket.local_addr().unwrap_or(self.address))
        } else {
            Address::Tcp(self.address)
        }
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

/// Several sockets on one address; the kernel shares out the connections (`SO_REUSEPORT`, which FreeBSD calls
/// `SO_REUSEPORT_LB`).
#[cfg(not(target_os = "freebsd"))]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(target_os = "freebsd")]
fn share_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port_lb(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r065_accepted_sockets_have_the_options_of_their_listener() {
        for (no_delay, keep_alive) in [(true, Some(Duration::from_secs(90))), (false, None)] {
            let mut listener = Listener::open(&Listen {
                address: Address::Tcp("127.0.0.1:0".parse().unwrap()),
                backlog: 1,
                reuse_port: false,
                options: ropewalk_core::driver::StreamOptions {
                    no_delay,
                    keep_alive,
                },
            })
            .unwrap();
            // A blocking connect on loopback returns when the connection waits to be accepted.
            let _peer = std::net::TcpStream::connect(listener.address()).unwrap();
            let (socket, _) = listener.accept().unwrap();
            let socket = SockRef::from(&socket);
            assert_eq!(socket.tcp_nodelay().unwrap(), no_delay);
            assert_eq!(socket.keepalive().unwrap(), keep_alive.is_some());
            if let Some(after) = keep_alive {
                assert_eq!(socket.tcp_keepalive_time().unwrap(), after);
            }
        }
    }
}
