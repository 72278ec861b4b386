//! What the endpoint type `udp` says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::datagram_endpoint::DatagramEndpoint;
use super::description::Description;
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::tcp::{bracketed, host_of, take_local_address};
use crate::address::Address;
use crate::driver::{Bind, Interface};

const NAME: &str = "udp";

pub(super) const KIND: Kind = Kind::new(NAME, "datagrams over IPv4 or IPv6").for_datagrams(Role {
    form: "udp:PORT or udp:HOST:PORT",
    options: &[
        (
            "interface=HOST",
            "the host, when the string is udp:PORT; 0.0.0.0 by default",
        ),
        LIMIT,
        ("broadcast=yes", "it may send to broadcast addresses"),
        (
            "reuse_address=yes",
            "several sockets may have the address, each getting every multicast datagram",
        ),
        ("group=ADDRESS", "the multicast group to join"),
        (
            "group_interface=NAME",
            "where: the name, number or IPv4 address of an interface",
        ),
    ],
    parse: |description| UdpServer::from_description(description)?.bind(),
});

/// The option of every kind of datagram endpoint.
pub(super) const LIMIT: (&str, &str) = (
    "limit=BYTES",
    "the longest datagram that is received whole, up to 65536; 8192 by default",
);

/// Where a UDP port is opened: `udp:PORT` or `udp:HOST:PORT`.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `interface=HOST` | the host, when the string is `udp:PORT` | `0.0.0.0` |
/// | `limit=BYTES` | the longest datagram that is received whole, up to 65536; longer ones are cut | 8192 |
/// | `broadcast=yes` | it may send to broadcast addresses | no |
/// | `reuse_address=yes` | several sockets may have the address, each getting every multicast datagram | no |
/// | `group=ADDRESS` | the multicast group to join | none |
/// | `group_interface=NAME` | where: the name, number or IPv4 address of an interface | as the routes say |
///
/// **`udp:53` receives at every IPv4 interface.** For this machine only write `udp:127.0.0.1:53`, for IPv6
/// `udp:[::]:53`. Port 0 picks a free port.
///
/// ```
/// use ropewalk_core::endpoint::UdpServer;
///
/// let server: UdpServer = "udp:5353:reuse_address=yes:group=224.0.0.251".parse()?;
/// assert_eq!((server.address.port(), server.limit_bytes), (5353, 8192));
/// assert_eq!(server.to_string(), "udp:0.0.0.0:5353:reuse_address=yes:group=224.0.0.251");
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpServer {
    /// Where to receive; port 0 picks a free one.
    #[doc(alias = "interface")]
    pub address: SocketAddr,
    /// The longest datagram that is received whole, in bytes.
    #[doc(alias = "maxPacketSize")]
    pub limit_bytes: usize,
    /// Whether it may send to broadcast addresses.
    pub broadcast: bool,
    /// Whether several sockets may have this address.
    #[doc(alias = "listenMultiple")]
    pub reuse_address: bool,
    /// The multicast group to join.
    pub group: Option<IpAddr>,
    /// At which interface.
    pub group_interface: Interface,
}

impl UdpServer {
    /// A port at this address, with the default options.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            limit_bytes: Bind::DEFAULT_LIMIT_BYTES,
            broadcast: false,
            reuse_address: false,
            group: None,
            group_interface: Interface::Default,
        }
    }

    /// Takes the arguments and options of a UDP port from a description.
    ///
    /// # Errors
    ///
    /// When its type is not `udp`, or its arguments and options are not those of a UDP port.
    pub fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        if description.kind() != NAME {
            return Err(description.unknown_type(&[NAME]));
        }
        description.set_form("udp:PORT or udp:HOST:PORT");
        let mut server = Self::new(take_local_address(&mut description)?);
        server.limit_bytes = take_limit(&mut description)?;
        server.broadcast = description.option("broadcast")?.unwrap_or(false);
        server.reuse_address = description.option("reuse_address")?.unwrap_or(false);
        server.group = take_group(&mut description, server.address)?;
        if let Some(interface) = description.option::<String>("group_interface")? {
            server.group_interface = interface.as_str().into();
            if server.group.is_none() {
                return Err(description.wrong("group_interface", "given with group=ADDRESS"));
            }
        }
        description.finish()?;
        Ok(server)
    }
}

/// The option `limit`, as every kind of datagram endpoint has it.
pub(super) fn take_limit(description: &mut Description) -> Result<usize, EndpointError> {
    let Some(limit) = description.option::<u32>("limit")? else {
        return Ok(Bind::DEFAULT_LIMIT_BYTES);
    };
    let limit = limit as usize;
    if (1..=Bind::LARGEST_LIMIT_BYTES).contains(&limit) {
        return Ok(limit);
    }
    Err(description.wrong("limit", "a number of bytes from 1 to 65536"))
}

/// The option `group`: a multicast address of the host's family.
fn take_group(
    description: &mut Description,
    host: SocketAddr,
) -> Result<Option<IpAddr>, EndpointError> {
    let group = description.option::<IpAddr>("group")?;
    match group {
        Some(group) if !group.is_multicast() || group.is_ipv6() != host.is_ipv6() => {
            let meaning = if host.is_ipv6() {
                "a multicast address of IPv6, such as ff02::fb, because the port's host is one"
            } else {
                "a multicast address of IPv4, such as 239.1.2.3, because the port's host is one"
            };
            Err(description.wrong("group", meaning))
        }
        group => Ok(group),
    }
}

impl fmt::Display for UdpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = Description::new(NAME)
            .with_argument(&bracketed(&host_of(&self.address)))
            .with_argument(&self.address.port().to_string());
        if self.limit_bytes != Bind::DEFAULT_LIMIT_BYTES {
            description = description.with_option("limit", &self.limit_bytes.to_string());
        }
        if self.broadcast {
            description = description.with_option("broadcast", "yes");
        }
        if self.reuse_address {
            description = description.with_option("reuse_address", "yes");
        }
        if let Some(group) = self.group {
            description = description.with_option("group", &bracketed(&group.to_string()));
        }
        if self.group_interface != Interface::Default {
            let interface = self.group_interface.to_string();
            description = description.with_option("group_interface", &interface);
        }
        description.fmt(f)
    }
}

impl FromStr for UdpServer {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        Self::from_description(Description::parse(text)?)
    }
}

impl DatagramEndpoint for UdpServer {
    fn bind(&self) -> Result<Bind, EndpointError> {
        let group = self
            .group
            .map(|group| (group, self.group_interface.clone()));
        Ok(Bind {
            limit_bytes: self.limit_bytes,
            broadcast: self.broadcast,
            reuse_address: self.reuse_address,
            groups: group.into_iter().collect(),
            ..Bind::new(Address::Udp(self.address))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        text.parse::<UdpServer>().unwrap_err().to_string()
    }

    #[test]
    fn a_udp_endpoint_says_where_and_how() {
        let text = "udp:[::]:5353:limit=65536:broadcast=yes:reuse_address=yes:group=[ff02::fb]:group_interface=eth0";
        let server: UdpServer = text.parse().unwrap();
        assert_eq!(server.to_string(), text);
        let bind = server.bind().unwrap();
        assert_eq!(bind.address.to_string(), "udp:[::]:5353");
        assert_eq!(
            (bind.limit_bytes, bind.broadcast, bind.reuse_address),
            (65536, true, true)
        );
        let group = (
            "ff02::fb".parse().unwrap(),
            Interface::Name("eth0".to_owned()),
        );
        assert_eq!(bind.groups, [group]);
        let short = "udp:9:interface=127.0.0.1".bind().unwrap();
        assert_eq!(
            short,
            Bind::new(
                "127.0.0.1:9"
                    .parse::<std::net::SocketAddr>()
                    .map(Address::Udp)
                    .unwrap()
            )
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(
            error("udp:9:limit=0").ends_with("limit must be a number of bytes from 1 to 65536")
        );
        assert!(error("udp:9:limit=65537").contains("65536"));
        assert!(error("udp:9:group=10.0.0.1").contains("multicast address of IPv4"));
        assert!(error("udp:9:group=[ff02::fb]").contains("multicast address of IPv4"));
        assert!(error("udp:9:group_interface=lo").contains("given with group"));
        assert!(error("udp:example.com:9").contains("host must be an IP address of this machine"));
        assert!(error("udp:9:interface=example.com").contains("interface must be an IP address"));
        assert!(error("udp:9:brodcast=yes").contains("did you mean \"broadcast\""));
        let error = "tcp:9".bind().unwrap_err().to_string();
        assert!(
            error.contains(
                "\"tcp\" is to listen at and to connect to, not to exchange datagrams at, known: "
            ),
            "{error}"
        );
        assert!(error.contains("udp, unix-datagram"), "{error}");
        let scoped = "udp:[fe80::1%3]:9".parse::<UdpServer>().unwrap();
        assert_eq!(scoped.to_string(), "udp:[fe80::1%3]:9");
    }
}
