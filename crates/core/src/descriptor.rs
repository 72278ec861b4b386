//! A descriptor that its driver understands, on its way between driver, reactor and user.

use std::any::Any;
use std::fmt;

use crate::address::Address;

/// An open descriptor, owned: of the kernel on a real driver, of the simulated network on that one. Dropping it closes it.
///
/// It may cross threads, so that one reactor accepts a connection and another serves it.
///
/// ```
/// use ropewalk_core::Descriptor;
///
/// let file = std::fs::File::open("/dev/null")?;
/// let descriptor = Descriptor::new(std::os::fd::OwnedFd::from(file));
/// let owned: std::os::fd::OwnedFd = descriptor.into_inner().map_err(|_| "another driver's")?;
/// # drop(owned);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Descriptor(Box<dyn Any + Send>);

impl Descriptor {
    /// What a driver calls a descriptor: an `OwnedFd` on every real one.
    #[must_use]
    pub fn new(inner: impl Any + Send) -> Self {
        Self(Box::new(inner))
    }

    /// The driver's own form of it.
    ///
    /// # Errors
    ///
    /// It is another driver's; it comes back.
    pub fn into_inner<T: Any>(self) -> Result<T, Self> {
        self.0.downcast().map(|inner| *inner).map_err(Self)
    }

    /// A look at the driver's own form of it.
    #[must_use]
    pub fn inner<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Descriptor")
    }
}

/// Which of the descriptors that the parent of this process left open for it.
///
/// It can be had once (R114): its number is closed when it is taken, and a second taker is told so.
///
/// ```
/// use ropewalk_core::Inherited;
///
/// assert_eq!(Inherited::Number(3).to_string(), "fd:3");
/// assert_eq!(Inherited::Named("web".into()).to_string(), "systemd:name=web");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Inherited {
    /// By its number, as a shell or a supervisor passes it.
    Number(u32),
    /// The so many-th of those that systemd passed (`LISTEN_FDS`), from 0.
    Index(usize),
    /// The first not yet taken that systemd passed under this name (`LISTEN_FDNAMES`).
    Named(String),
}

impl fmt::Display for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "fd:{number}"),
            Self::Index(index) => write!(f, "systemd:index={index}"),
            Self::Named(name) => write!(f, "systemd:name={}", crate::endpoint::quote(name)),
        }
    }
}

/// Why a descriptor cannot be sent over a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DescriptorError {
    /// Only UNIX sockets carry descriptors.
    NotUnix(Address),
    /// A layer stands between, and what it makes of the bytes has no place for a descriptor.
    Layered,
    /// So many wait already that the peer does not read, [`MOST_DESCRIPTORS`](crate::buffer::MOST_DESCRIPTORS).
    TooMany,
}

impl fmt::Display for DescriptorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUnix(address) => write!(
                f,
                "a descriptor cannot be sent over {address}; only UNIX sockets carry descriptors"
            ),
            Self::Layered => f.write_str(
                "a descriptor cannot be sent through a layer (TLS ...); send it before the layer is pushed, or beside it",
            ),
            Self::TooMany => write!(
                f,
                "{} descriptors wait to be sent already; write at least a byte after each, and let the peer read",
                crate::buffer::MOST_DESCRIPTORS
            ),
        }
    }
}

impl std::error::Error for DescriptorError {}

/// Who is at the other end of a UNIX connection, as the kernel says: a fact of the connection, where the kernel tells.
///
/// It is who the peer was when it connected (or listened), which a process that hands its end on to another keeps.
///
/// ```
/// use ropewalk_core::{PeerCredentials, Transport};
///
/// fn is_root(transport: &Transport) -> bool {
///     transport.fact::<PeerCredentials>().is_some_and(|peer| peer.user == 0)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerCredentials {
    /// The number of the process; by now it may be another's.
    pub process: Option<u32>,
    /// The effective user.
    pub user: u32,
    /// The effective group.
    pub group: u32,
}
