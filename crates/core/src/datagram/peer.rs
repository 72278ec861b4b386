//! What names the peer of a datagram.

use std::borrow::Cow;
use std::net::SocketAddr;

use super::error::DatagramError;
use crate::address::{Address, UnixAddress};

/// What a datagram can be sent to: an [`Address`], a socket address, or the text of one.
///
/// ```
/// use ropewalk_core::{DatagramError, DatagramPeer};
///
/// let peer = "[::1]:53".address()?;
/// assert_eq!(peer.to_string(), "udp:[::1]:53");
/// assert!(matches!("localhost:53".address(), Err(DatagramError::HostName(_))));
/// # Ok::<(), DatagramError>(())
/// ```
pub trait DatagramPeer {
    /// The address.
    ///
    /// # Errors
    ///
    /// It is the name of a host (R86): resolve it first.
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError>;
}

impl DatagramPeer for Address {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        Ok(Cow::Borrowed(self))
    }
}

impl DatagramPeer for SocketAddr {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        Ok(Cow::Owned(Address::Udp(*self)))
    }
}

impl DatagramPeer for UnixAddress {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        Ok(Cow::Owned(Address::Unix(self.clone())))
    }
}

impl DatagramPeer for str {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        let literal = self.strip_prefix("udp:").unwrap_or(self);
        let socket: SocketAddr = literal
            .parse()
            .map_err(|_| DatagramError::HostName(self.to_owned()))?;
        Ok(Cow::Owned(Address::Udp(socket)))
    }
}

impl DatagramPeer for String {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        self.as_str().address()
    }
}

impl<T: DatagramPeer + ?Sized> DatagramPeer for &T {
    fn address(&self) -> Result<Cow<'_, Address>, DatagramError> {
        (**self).address()
    }
}
