//! Where an end of a connection is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The place of one end of a connection, shown in the syntax of endpoint strings.
///
/// ```
/// use ropewalk_core::Address;
///
/// let address = Address::Tcp("[::1]:80".parse().unwrap());
/// assert_eq!(address.to_string(), "tcp:[::1]:80");
/// assert_eq!(address.port(), Some(80));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IPv4 or IPv6 address and a TCP port.
    Tcp(SocketAddr),
}

impl Address {
    /// The IP address, for the kinds that have one. Its scope is kept in [`Address::socket`].
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.socket().map(|socket| socket.ip())
    }

    /// The port, for the kinds that have one.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.socket().map(|socket| socket.port())
    }

    /// The socket address (with IPv6 flow and scope), for the kinds that have one.
    #[must_use]
    pub fn socket(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => Some(*socket),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(socket) => write!(f, "tcp:{socket}"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self::Tcp(socket)
    }
}
