//! Where a datagram port can be opened.

use std::net::SocketAddr;

use super::{Description, EndpointError};
use crate::address::Address;
use crate::driver::Bind;

/// Where a reactor can open a datagram port: an endpoint string, or what one says.
pub trait DatagramEndpoint {
    /// Where and how.
    ///
    /// # Errors
    ///
    /// It cannot be understood, or names no address.
    fn bind(&self) -> Result<Bind, EndpointError>;
}

impl DatagramEndpoint for str {
    fn bind(&self) -> Result<Bind, EndpointError> {
        Description::parse(self)?.bind()
    }
}

impl DatagramEndpoint for String {
    fn bind(&self) -> Result<Bind, EndpointError> {
        self.as_str().bind()
    }
}

impl<T: DatagramEndpoint + ?Sized> DatagramEndpoint for &T {
    fn bind(&self) -> Result<Bind, EndpointError> {
        (**self).bind()
    }
}

impl DatagramEndpoint for SocketAddr {
    fn bind(&self) -> Result<Bind, EndpointError> {
        Ok(Bind::new(Address::Udp(*self)))
    }
}

impl DatagramEndpoint for Address {
    fn bind(&self) -> Result<Bind, EndpointError> {
        match self {
            Self::Udp(_) | Self::Unix(_) => Ok(Bind::new(self.clone())),
            other => other.to_string().bind(),
        }
    }
}

impl DatagramEndpoint for Bind {
    fn bind(&self) -> Result<Bind, EndpointError> {
        Ok(self.clone())
    }
}
