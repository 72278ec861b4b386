//! What can be listened at and connected to.

use std::net::SocketAddr;

use super::{Description, Destination, EndpointError, Listening, TcpClient, TcpServer, host_of};
use crate::address::{Address, UnixAddress};
use crate::driver::Listen;

/// What a reactor can listen at: an endpoint string, or what one says.
pub trait ServerEndpoint {
    /// Where and how.
    ///
    /// # Errors
    ///
    /// It cannot be understood, or names no address.
    fn listening(&self) -> Result<Listening, EndpointError>;
}

impl ServerEndpoint for str {
    fn listening(&self) -> Result<Listening, EndpointError> {
        Description::parse(self)?.listening()
    }
}

impl ServerEndpoint for String {
    fn listening(&self) -> Result<Listening, EndpointError> {
        self.as_str().listening()
    }
}

impl<T: ServerEndpoint + ?Sized> ServerEndpoint for &T {
    fn listening(&self) -> Result<Listening, EndpointError> {
        (**self).listening()
    }
}

impl ServerEndpoint for Listening {
    fn listening(&self) -> Result<Listening, EndpointError> {
        Ok(self.clone())
    }
}

impl ServerEndpoint for Listen {
    fn listening(&self) -> Result<Listening, EndpointError> {
        Ok(self.clone().into())
    }
}

impl ServerEndpoint for TcpServer {
    fn listening(&self) -> Result<Listening, EndpointError> {
        Ok(Listening::from(self.listen()).with_text(self))
    }
}

impl ServerEndpoint for SocketAddr {
    fn listening(&self) -> Result<Listening, EndpointError> {
        TcpServer::new(*self).listening()
    }
}

/// What a reactor can connect to: an endpoint string, or what one says.
pub trait ClientEndpoint {
    /// Where and how.
    ///
    /// # Errors
    ///
    /// It cannot be understood.
    fn destination(&self) -> Result<Destination, EndpointError>;
}

impl ClientEndpoint for str {
    fn destination(&self) -> Result<Destination, EndpointError> {
        Description::parse(self)?.destination()
    }
}

impl ClientEndpoint for String {
    fn destination(&self) -> Result<Destination, EndpointError> {
        self.as_str().destination()
    }
}

impl<T: ClientEndpoint + ?Sized> ClientEndpoint for &T {
    fn destination(&self) -> Result<Destination, EndpointError> {
        (**self).destination()
    }
}

impl ClientEndpoint for Destination {
    fn destination(&self) -> Result<Destination, EndpointError> {
        Ok(self.clone())
    }
}

impl ClientEndpoint for TcpClient {
    fn destination(&self) -> Result<Destination, EndpointError> {
        Ok(self.into())
    }
}

impl ClientEndpoint for UnixAddress {
    fn destination(&self) -> Result<Destination, EndpointError> {
        Ok(self.clone().into())
    }
}

impl ClientEndpoint for Address {
    fn destination(&self) -> Result<Destination, EndpointError> {
        match self {
            Self::Tcp(socket) => socket.destination(),
            Self::Unix(address) => address.destination(),
            other => other.to_string().destination(),
        }
    }
}

impl ClientEndpoint for SocketAddr {
    fn destination(&self) -> Result<Destination, EndpointError> {
        TcpClient::new(host_of(self), self.port()).destination()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r047_a_scope_is_kept() {
        let address: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
        let destination = address.destination().unwrap();
        assert_eq!(destination.host().unwrap().literal(), Some(address));
        let listening = "tcp:[fe80::1%3]:80".listening().unwrap();
        assert_eq!(listening.listen().unwrap().address, Address::Tcp(address));
    }

    #[test]
    fn a_server_listens_at_an_address_not_a_name() {
        let error = "tcp:example.com:80".listening().unwrap_err().to_string();
        assert!(
            error.contains("byte 4: \"example.com\"") && error.contains("127.0.0.1"),
            "{error}"
        );
        assert!("tcp:localhost:80".listening().is_ok());
    }
}
