//! Whom a program asks by UDP, as one line of text.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::description::Description;
use super::error::EndpointError;
use super::tcp::{bracketed, scoped, take_peer};

const NAME: &str = "udp";

/// The peer of a UDP port: `udp:HOST:PORT`, where the host is a name or an IP address.
///
/// It opens nothing: [resolve](crate::Handle::resolve) the name, open a port of the same family, and
/// [connect](crate::DatagramTransport::connect) it.
///
/// ```
/// use ropewalk_core::endpoint::UdpClient;
///
/// let server: UdpClient = "udp:time.example.com:123".parse()?;
/// assert_eq!((server.host.as_str(), server.port, server.literal()), ("time.example.com", 123, None));
/// let server: UdpClient = "udp:[::1]:123".parse()?;
/// assert_eq!(server.literal(), Some("[::1]:123".parse().unwrap()));
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpClient {
    /// A name, or an IP address as text.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl UdpClient {
    /// The address, if the host needs no look-up.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        let ip = self.host.parse().ok();
        ip.map(|ip| SocketAddr::new(ip, self.port))
            .or_else(|| scoped(&self.host, self.port))
    }
}

impl FromStr for UdpClient {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let mut description = Description::parse(text)?;
        if description.kind() != NAME {
            return Err(description.unknown_type(&[NAME]));
        }
        description.set_form("udp:HOST:PORT");
        let (host, port) = take_peer(&mut description)?;
        description.finish()?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for UdpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = Description::new(NAME).with_argument(&bracketed(&self.host));
        description.with_argument(&self.port.to_string()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_peer_is_named() {
        for (text, why) in [
            ("udp:port:9:1", "is too much, write udp:HOST:PORT"),
            ("udp:host:0", "port must be"),
            ("udp:host:time", "port must be"),
            ("udp:9", "port is missing"),
            ("tcp:host:9", "unknown type"),
        ] {
            let error = text.parse::<UdpClient>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let scoped: UdpClient = "udp:[fe80::1%3]:9".parse().unwrap();
        assert_eq!(scoped.to_string(), "udp:[fe80::1%3]:9");
        assert!(scoped.literal().is_some());
    }
}
