//! Where an end of a connection is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use crate::endpoint::quote;

/// The place of one end of a connection or of a datagram port, shown in the syntax of endpoint strings.
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
    /// An IPv4 or IPv6 address and a UDP port.
    Udp(SocketAddr),
    /// A UNIX socket, of streams or datagrams.
    Unix(UnixAddress),
    /// The standard input and output of this process.
    Stdio,
    /// A child process, by its number.
    Process(u32),
    /// A descriptor of a kind that has no address: a pipe, a terminal.
    Pipe,
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
            Self::Tcp(socket) | Self::Udp(socket) => Some(*socket),
            _ => None,
        }
    }

    /// The UNIX socket's name, for that kind.
    #[must_use]
    pub fn unix(&self) -> Option<&UnixAddress> {
        match self {
            Self::Unix(address) => Some(address),
            _ => None,
        }
    }

    /// The type that an endpoint string of this kind begins with.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Udp(_) => "udp",
            Self::Unix(_) => "unix",
            Self::Stdio => "stdio",
            Self::Process(_) => "process",
            Self::Pipe => "pipe",
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Tcp(socket) | Self::Udp(socket) => write!(f, ":{socket}"),
            Self::Unix(address) => write!(f, ":{}", quote(&address.to_string())),
            Self::Process(number) => write!(f, ":{number}"),
            Self::Stdio | Self::Pipe => f.write_str(":"),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(socket: SocketAddr) -> Self {
        Self::Tcp(socket)
    }
}

/// The name of a UNIX socket.
///
/// An abstract name (Linux) lives in no file system and vanishes with its socket; it is written with a leading `@`. A
/// file whose name begins so is written `./@name`.
///
/// ```
/// use ropewalk_core::address::UnixAddress;
///
/// assert_eq!(UnixAddress::from("/run/chat"), UnixAddress::path("/run/chat"));
/// assert_eq!(UnixAddress::from("@chat"), UnixAddress::abstract_name("chat"));
/// assert_eq!(UnixAddress::from("@é").to_string(), "@é");
/// assert_eq!(UnixAddress::abstract_name([0xff]).to_string(), r"@\xff");
/// assert_eq!(UnixAddress::Unnamed.to_string(), "");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnixAddress {
    /// A file.
    Path(Arc<Path>),
    /// A name outside the file system, of any bytes.
    Abstract(Arc<[u8]>),
    /// None: the end that connected without binding.
    Unnamed,
}

impl UnixAddress {
    /// A socket in the file system.
    #[must_use]
    pub fn path(path: impl AsRef<Path>) -> Self {
        Self::Path(path.as_ref().into())
    }

    /// A socket outside the file system.
    #[must_use]
    pub fn abstract_name(name: impl AsRef<[u8]>) -> Self {
        Self::Abstract(name.as_ref().into())
    }

    /// The file, if it is one.
    #[must_use]
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            _ => None,
        }
    }
}

impl From<&str> for UnixAddress {
    fn from(text: &str) -> Self {
        match text.strip_prefix('@') {
            Some(name) => Self::abstract_name(name),
            None if text.is_empty() => Self::Unnamed,
            None => Self::path(text),
        }
    }
}

impl fmt::Display for UnixAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => match std::str::from_utf8(name) {
                Ok(text) if !text.contains(char::is_control) => write!(f, "@{text}"),
                _ => write!(f, "@{}", name.escape_ascii()),
            },
            Self::Unnamed => Ok(()),
        }
    }
}
