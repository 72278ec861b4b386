//! What can be listened at and connected to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::{Description, EndpointError, TcpClient, TcpServer};
use crate::address::Address;
use crate::driver::{Listen, StreamOptions};

/// What a reactor can listen at: an endpoint string, or what one says.
pub trait ServerEndpoint {
    /// Where and how.
    ///
    /// # Errors
    ///
    /// It cannot be understood, or names no address.
    fn listen(&self) -> Result<Listen, EndpointError>;
}

impl ServerEndpoint for str {
    fn listen(&self) -> Result<Listen, EndpointError> {
        self.parse::<TcpServer>()?.listen()
    }
}

impl ServerEndpoint for String {
    fn listen(&self) -> Result<Listen, EndpointError> {
        self.as_str().listen()
    }
}

impl<T: ServerEndpoint + ?Sized> ServerEndpoint for &T {
    fn listen(&self) -> Result<Listen, EndpointError> {
        (**self).listen()
    }
}

impl ServerEndpoint for TcpServer {
    fn listen(&self) -> Result<Listen, EndpointError> {
        let Some(address) = literal(&self.host, self.port) else {
            let mut description = Description::parse(&self.to_string())?;
            description.positional::<String>("host")?;
            return Err(description.wrong(
                "host",
                "an IP address of this machine: 127.0.0.1, 0.0.0.0 for all of IPv4, [::] for IPv6",
            ));
        };
        Ok(Listen {
            address: Address::Tcp(address),
            backlog: self.backlog,
            reuse_port: self.reuse_port,
            options: StreamOptions::default(),
        })
    }
}

impl ServerEndpoint for SocketAddr {
    fn listen(&self) -> Result<Listen, EndpointError> {
        TcpServer::new(self.ip().to_string(), self.port()).listen()
    }
}

impl ServerEndpoint for Listen {
    fn listen(&self) -> Result<Listen, EndpointError> {
        Ok(self.clone())
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

/// Where to connect: a host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// A name, or an IP address as text.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address of this machine to connect from.
    pub bind: Option<IpAddr>,
    /// How long connecting may take, the look-up of the name included.
    pub timeout: Duration,
}

impl Destination {
    /// The address, if the host needs no look-up. `localhost` does.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        self.host
            .parse()
            .ok()
            .map(|ip| SocketAddr::new(ip, self.port))
            .or_else(|| scoped(&self.host, self.port))
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        TcpClient::new(self.host.as_str(), self.port).fmt(f)
    }
}

impl ClientEndpoint for str {
    fn destination(&self) -> Result<Destination, EndpointError> {
        self.parse::<TcpClient>()?.destination()
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

impl ClientEndpoint for TcpClient {
    fn destination(&self) -> Result<Destination, EndpointError> {
        let Self {
            host,
            port,
            timeout,
            bind,
        } = self.clone();
        Ok(Destination {
            host,
            port,
            bind,
            timeout,
        })
    }
}

impl ClientEndpoint for Address {
    fn destination(&self) -> Result<Destination, EndpointError> {
        match self {
            Self::Tcp(socket) => socket.destination(),
            other => other.to_string().destination(),
        }
    }
}

impl ClientEndpoint for SocketAddr {
    fn destination(&self) -> Result<Destination, EndpointError> {
        let host = self.to_string();
        let host = host.rsplit_once(':').map_or("", |(host, _port)| host);
        TcpClient::new(host.trim_matches(['[', ']']), self.port()).destination()
    }
}

impl ClientEndpoint for Destination {
    fn destination(&self) -> Result<Destination, EndpointError> {
        Ok(self.clone())
    }
}

/// The address of a server's host; the one name that is known without asking is `localhost`.
fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    if host == "localhost" {
        return Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    host.parse()
        .ok()
        .map(|ip| SocketAddr::new(ip, port))
        .or_else(|| scoped(host, port))
}

/// `fe80::1%3`: an IPv6 address with the number of its interface (R47).
fn scoped(host: &str, port: u16) -> Option<SocketAddr> {
    let (ip, scope) = host.split_once('%')?;
    Some(SocketAddrV6::new(ip.parse().ok()?, port, 0, scope.parse().ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r047_a_scope_is_kept() {
        let address: SocketAddr = "[fe80::1%3]:80".parse().unwrap();
        assert_eq!(address.destination().unwrap().literal(), Some(address));
        assert_eq!(
            "tcp:[fe80::1%3]:80".listen().unwrap().address,
            Address::Tcp(address)
        );
    }

    #[test]
    fn a_server_listens_at_an_address_not_a_name() {
        let error = "tcp:example.com:80".listen().unwrap_err().to_string();
        assert!(
            error.contains("example.com") && error.contains("127.0.0.1"),
            "{error}"
        );
        assert!("tcp:localhost:80".listen().is_ok());
    }
}
