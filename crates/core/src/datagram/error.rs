//! Why a datagram cannot be sent, or a port not do as asked.

use std::error::Error;
use std::fmt;
use std::io;

use crate::address::Address;

/// Why a datagram was not taken, or what was asked of its port failed.
///
/// ```
/// use ropewalk_core::DatagramError;
///
/// let error = DatagramError::HostName("localhost:53".to_owned());
/// assert!(error.to_string().contains("resolve"));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum DatagramError {
    /// The port is closed.
    Closed(Address),
    /// The peer is named, not addressed: a name may take seconds to look up, and datagrams do not wait (R86).
    HostName(String),
    /// The port cannot reach addresses of that family (R86).
    WrongFamily {
        /// The port.
        host: Address,
        /// The address.
        peer: Address,
    },
    /// No datagram can be that long.
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The longest there is.
        limit: usize,
    },
    /// Too much waits already, because the kernel takes nothing: this datagram is dropped, and counted.
    Full {
        /// The port.
        host: Address,
        /// How many datagrams wait.
        waiting: usize,
    },
    /// There is no peer to send to without an address.
    NotConnected(Address),
    /// The port has a peer, and can have or reach no other.
    Connected(Address),
    /// The kernel, or the driver, refuses.
    Refused {
        /// What was asked.
        what: String,
        /// The port.
        host: Address,
        /// The kernel's error.
        error: io::Error,
    },
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(host) => write!(f, "the port {host} is closed"),
            Self::HostName(name) => write!(
                f,
                "{name:?} is no address such as 192.0.2.1:53; resolve the name first (Handle::resolve)"
            ),
            Self::WrongFamily { host, peer } => write!(
                f,
                "{host} cannot send to {peer}: open a port of that family for it"
            ),
            Self::TooLong { len, limit } => {
                write!(f, "a datagram of {len} bytes is too long: at most {limit}")
            }
            Self::Full { host, waiting } => write!(
                f,
                "{host} is full: {waiting} datagrams wait, so this one is dropped"
            ),
            Self::NotConnected(host) => {
                write!(f, "{host} is not connected: use write_to, or connect first")
            }
            Self::Connected(peer) => {
                write!(f, "the port is connected to {peer}: open another port")
            }
            Self::Refused { what, host, error } => write!(f, "{host} cannot {what}: {error}"),
        }
    }
}

impl Error for DatagramError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused { error, .. } => Some(error),
            _ => None,
        }
    }
}
