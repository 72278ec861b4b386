//! Why a connection ended, and why one could not be had.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::address::Address;
use crate::endpoint::EndpointError;

/// Why a connection ended; given once, to `connection_lost`.
///
/// ```
/// use ropewalk_core::Reason;
///
/// let reason = Reason::Lost(std::io::ErrorKind::ConnectionReset.into());
/// assert!(!reason.is_clean());
/// assert_eq!(Reason::Done.to_string(), "closed cleanly");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum Reason {
    /// In order: the peer ended it, or we did and everything was sent.
    Done,
    /// We aborted it: the peer saw a reset.
    Aborted,
    /// One of our time-outs struck.
    TimedOut(Timeout),
    /// It broke: a reset, an unreachable network, a stream cut off, or the reactor stopped.
    Lost(io::Error),
    /// The peer broke the rules of the protocol.
    Misbehaved(Box<dyn Error + Send + Sync>),
    /// A callback of the protocol panicked.
    Panicked(String),
}

/// Which time-out ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Timeout {
    /// Nothing was received or sent for this long.
    Idle(Duration),
    /// Bytes waited to be sent for this long, and the peer took none.
    WriteStall(Duration),
    /// The layers (TLS …) were not open after this long.
    Handshake(Duration),
}

impl Reason {
    /// Whether the end was in order.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub(crate) fn stopped() -> Self {
        Self::Lost(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the reactor stopped",
        ))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("closed cleanly"),
            Self::Aborted => f.write_str("aborted by us"),
            Self::TimedOut(timeout) => write!(f, "timed out: {timeout}"),
            Self::Lost(error) => write!(f, "lost: {error}"),
            Self::Misbehaved(error) => write!(f, "the peer misbehaved: {error}"),
            Self::Panicked(message) => write!(f, "the protocol panicked: {message}"),
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(after) => write!(f, "idle for {after:?}"),
            Self::WriteStall(after) => write!(f, "the peer took no byte for {after:?}"),
            Self::Handshake(after) => write!(f, "the handshake took longer than {after:?}"),
        }
    }
}

/// Why listening failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListenError {
    /// The endpoint cannot be understood.
    Endpoint(EndpointError),
    /// The address cannot be had.
    Bind {
        /// The address asked for.
        address: Address,
        /// The kernel's error.
        error: io::Error,
    },
    /// What the endpoint names cannot be had: a descriptor, a process.
    Open {
        /// The endpoint string.
        endpoint: String,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, error) = match self {
            Self::Endpoint(error) => return error.fmt(f),
            Self::Open { endpoint, error } => {
                return write!(f, "cannot listen on {endpoint}: {error}");
            }
            Self::Bind { address, error } => (address, error),
        };
        write!(f, "cannot listen on {address}: {error}")?;
        if address.socket().is_none() {
            return Ok(()); // The driver says what is wrong with a path.
        }
        f.write_str(match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; stop the other program or pick another port (0 takes a free one)"
            }
            io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need a privilege, pick a higher one"
            }
            io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
            _ => "",
        })
    }
}

impl Error for ListenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Endpoint(error) => Some(error),
            Self::Bind { error, .. } | Self::Open { error, .. } => Some(error),
        }
    }
}

/// Why a connection could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens there.
    Refused(String),
    /// The endpoint cannot be understood.
    Endpoint(EndpointError),
    /// No answer within the time.
    TimedOut(String, Duration),
    /// No way to that network or host.
    NoRoute(String, io::Error),
    /// The host name has no address.
    Lookup(String, io::Error),
    /// Given up by us: the attempt was cancelled, or the reactor stopped.
    Cancelled(String),
    /// The factory built no protocol.
    NoProtocol(String),
    /// Connected, but a layer's handshake failed before any protocol was told.
    Handshake(String, Reason),
    /// Anything else the kernel says.
    Other(String, io::Error),
}

impl ConnectError {
    pub(crate) fn from_io(address: &Address, error: io::Error) -> Self {
        let address = address.to_string();
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused(address),
            io::ErrorKind::TimedOut => Self::TimedOut(address, Duration::ZERO),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                Self::NoRoute(address, error)
            }
            _ => Self::Other(address, error),
        }
    }

    /// The address (or endpoint string) that was tried.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Refused(address)
            | Self::TimedOut(address, _)
            | Self::NoRoute(address, _)
            | Self::Lookup(address, _)
            | Self::Cancelled(address)
            | Self::NoProtocol(address)
            | Self::Handshake(address, _)
            | Self::Other(address, _) => address,
            Self::Endpoint(error) => error.text(),
        }
    }
}

/// Whether this is the text of a UNIX address, which has no port.
fn is_unix(address: &str) -> bool {
    address.starts_with("unix:")
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Endpoint(error) = self {
            return error.fmt(f);
        }
        write!(f, "cannot connect to {}: ", self.address())?;
        match self {
            Self::Endpoint(_) => Ok(()),
            Self::Refused(address) if is_unix(address) => {
                f.write_str("connection refused: nobody listens there; is the server running?")
            }
            Self::Refused(_) => {
                f.write_str("connection refused; is the server running on that port?")
            }
            Self::TimedOut(_, after) if after.is_zero() => f.write_str("timed out"),
            Self::TimedOut(_, after) => write!(f, "no answer within {after:?}"),
            Self::Other(address, error)
                if is_unix(address) && error.kind() == io::ErrorKind::NotFound =>
            {
                f.write_str("nothing is at that path; is the server running?")
            }
            Self::NoRoute(_, error) | Self::Other(_, error) => write!(f, "{error}"),
            Self::Lookup(_, error) => write!(f, "the host name was not found: {error}"),
            Self::Cancelled(_) => f.write_str("cancelled"),
            Self::Handshake(_, reason) => write!(f, "the handshake failed: {reason}"),
            Self::NoProtocol(_) => f.write_str("the factory built no protocol"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoRoute(_, error) | Self::Lookup(_, error) | Self::Other(_, error) => Some(error),
            _ => None,
        }
    }
}
