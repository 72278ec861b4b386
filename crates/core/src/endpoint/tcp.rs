//! What the endpoint type `tcp` says, for a server and for a client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;
use std::time::Duration;

use super::description::Description;
use super::destination::{Destination, Host, Route};
use super::error::EndpointError;
use super::kind::{Kind, Role};
use super::listening::Listening;
use super::value::{Value, seconds, unbracketed};
use crate::address::Address;
use crate::driver::Listen;

const NAME: &str = "tcp";

/// The type, with its meaning to servers and clients.
pub(super) const KIND: Kind = Kind::new(NAME, "a port by TCP, of IPv4 and IPv6")
    .for_servers(Role {
        form: SERVER_FORM,
        options: &[
            ("interface=HOST", "the host, when the string is tcp:PORT"),
            TcpServer::BACKLOG,
            (
                "reuse_port=yes",
                "several sockets share the port, and the kernel shares out the connections",
            ),
        ],
        parse: server,
    })
    .for_clients(Role {
        form: CLIENT_FORM,
        options: CLIENT_OPTIONS,
        parse: client,
    });

/// The same to a client, under the name that says that it asks for all addresses of a name.
pub(super) const HOST: Kind = Kind::new("host", "a port by TCP, of a host by its name")
    .for_clients(Role {
        form: "host:NAME:PORT",
        options: CLIENT_OPTIONS,
        parse: client,
    });

const SERVER_FORM: &str = "tcp:PORT or tcp:HOST:PORT";
const CLIENT_FORM: &str = "tcp:HOST:PORT";

const CLIENT_OPTIONS: &[(&str, &str)] = &[
    TcpClient::TIMEOUT,
    (
        "bind=ADDRESS",
        "the IP address of this machine to connect from",
    ),
];

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let server = TcpServer::take(&mut description)?;
    description.finish()?;
    Ok(server.listen().into())
}

fn client(mut description: Description) -> Result<Destination, EndpointError> {
    let client = TcpClient::take(&mut description)?;
    description.finish()?;
    Ok((&client).into())
}

/// Where a TCP server listens: `tcp:PORT` or `tcp:HOST:PORT`.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `interface=HOST` | the host, when the string is `tcp:PORT` | `0.0.0.0` |
/// | `backlog=N` | connections that the kernel keeps until they are accepted | 1024 |
/// | `reuse_port=yes` | several sockets share the port, and the kernel shares out the connections | no |
///
/// **`tcp:8000` listens on every IPv4 interface**, as in Twisted, so other machines reach it. For this
/// machine only write `tcp:127.0.0.1:8000`, for IPv6 as well `tcp:[::]:8000`. Port 0 picks a free port.
///
/// ```
/// use ropewalk_core::endpoint::TcpServer;
///
/// let server: TcpServer = "tcp:8000:backlog=50".parse()?;
/// assert_eq!((server.address, server.backlog), (([0, 0, 0, 0], 8000).into(), 50));
/// assert_eq!(server.to_string(), "tcp:0.0.0.0:8000:backlog=50");
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpServer {
    /// The address to listen at; port 0 picks a free one.
    #[doc(alias = "interface")]
    pub address: SocketAddr,
    /// How many connections the kernel keeps until they are accepted. It may keep fewer.
    pub backlog: u32,
    /// Whether other sockets may listen at the same port, each getting its share of the connections.
    pub reuse_port: bool,
}

impl TcpServer {
    /// The backlog when none is given.
    pub const DEFAULT_BACKLOG: u32 = 1024;
    /// The option of every stream server, for a [`Role`].
    pub const BACKLOG: (&str, &str) = (
        "backlog=N",
        "connections that the kernel keeps until they are accepted, 1024 by default",
    );

    /// A server at this address, with the default options.
    #[must_use]
    pub fn new(address: impl Into<SocketAddr>) -> Self {
        Self {
            address: address.into(),
            backlog: Self::DEFAULT_BACKLOG,
            reuse_port: false,
        }
    }

    /// Takes the arguments and options of a server from a description, and leaves others there: for types that run over TCP.
    ///
    /// # Errors
    ///
    /// When those that are there are not those of a TCP server.
    pub fn take(description: &mut Description) -> Result<Self, EndpointError> {
        let mut server = Self::new(take_local_address(description)?);
        server.backlog = Self::take_backlog(description)?;
        server.reuse_port = description.option("reuse_port")?.unwrap_or(false);
        Ok(server)
    }

    /// Takes the option [`BACKLOG`](Self::BACKLOG) from a description.
    ///
    /// # Errors
    ///
    /// When it is no number that a system takes.
    pub fn take_backlog(description: &mut Description) -> Result<u32, EndpointError> {
        let backlog = description.option("backlog")?;
        let backlog = backlog.unwrap_or(Self::DEFAULT_BACKLOG);
        if backlog > LONGEST_BACKLOG {
            return Err(description.wrong("backlog", "a whole number from 0 to 2147483647"));
        }
        Ok(backlog)
    }

    /// Where and how, for a driver.
    #[must_use]
    pub fn listen(&self) -> Listen {
        Listen {
            backlog: self.backlog,
            reuse_port: self.reuse_port,
            ..Listen::new(Address::Tcp(self.address))
        }
    }
}

const LOCAL_MEANING: &str =
    "an IP address of this machine: 127.0.0.1, 0.0.0.0 for all of IPv4, [::] for IPv6";

/// `listen(2)` takes a C int.
const LONGEST_BACKLOG: u32 = i32::MAX as u32;

impl fmt::Display for TcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = Description::new(NAME)
            .with_argument(&bracketed(&host_of(&self.address)))
            .with_argument(&self.address.port().to_string());
        if self.backlog != Self::DEFAULT_BACKLOG {
            description = description.with_option("backlog", &self.backlog.to_string());
        }
        if self.reuse_port {
            description = description.with_option("reuse_port", "yes");
        }
        description.fmt(f)
    }
}

impl FromStr for TcpServer {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let mut description = of_tcp(text, SERVER_FORM)?;
        let server = Self::take(&mut description)?;
        description.finish()?;
        Ok(server)
    }
}

/// Where a TCP client connects: `tcp:HOST:PORT`.
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `timeout=SECONDS` | how long connecting may take | 30 |
/// | `bind=ADDRESS` | the IP address of this machine to connect from | the kernel picks |
///
/// ```
/// use ropewalk_core::endpoint::TcpClient;
/// use std::time::Duration;
///
/// let client: TcpClient = "tcp:[::1]:80:timeout=0.5".parse()?;
/// assert_eq!((client.host.as_str(), client.port), ("::1", 80));
/// assert_eq!(client.timeout, Duration::from_millis(500));
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpClient {
    /// The name or IP address to connect to, without brackets, not yet resolved.
    pub host: String,
    /// The port, never 0 when parsed.
    pub port: u16,
    /// How long connecting may take.
    pub timeout: Duration,
    /// The address of this machine to connect from.
    #[doc(alias = "bindAddress")]
    pub bind: Option<IpAddr>,
}

impl TcpClient {
    /// How long connecting may take when nothing is said.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

    /// A client of this host (a name or an IP address without brackets) and port, with the default options.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            timeout: Self::DEFAULT_TIMEOUT,
            bind: None,
        }
    }

    /// The option of every client, for a [`Role`].
    pub const TIMEOUT: (&str, &str) = (
        "timeout=SECONDS",
        "how long connecting may take, 30 by default",
    );

    /// Takes the arguments and options of a client from a description, and leaves others there: for types that run over TCP.
    ///
    /// # Errors
    ///
    /// When those that are there are not those of a TCP client.
    pub fn take(description: &mut Description) -> Result<Self, EndpointError> {
        let (host, port) = take_peer(description)?;
        let mut client = Self::new(host, port);
        client.timeout = Self::take_timeout(description)?;
        client.bind = description.option("bind")?;
        Ok(client)
    }

    /// Takes the option [`TIMEOUT`](Self::TIMEOUT) from a description.
    ///
    /// # Errors
    ///
    /// When it is no time that can be waited.
    pub fn take_timeout(description: &mut Description) -> Result<Duration, EndpointError> {
        let timeout: Option<Duration> = description.option("timeout")?;
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(description.wrong("timeout", "more than 0 seconds"));
        }
        Ok(timeout.unwrap_or(Self::DEFAULT_TIMEOUT))
    }
}

impl fmt::Display for TcpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = describe(&self.host, self.port);
        if self.timeout != Self::DEFAULT_TIMEOUT {
            description = description.with_option("timeout", &seconds(self.timeout));
        }
        if let Some(bind) = self.bind {
            description = description.with_option("bind", &bracketed(&bind.to_string()));
        }
        description.fmt(f)
    }
}

impl FromStr for TcpClient {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let mut description = of_tcp(text, CLIENT_FORM)?;
        let client = Self::take(&mut description)?;
        description.finish()?;
        Ok(client)
    }
}

impl From<&TcpClient> for Destination {
    fn from(client: &TcpClient) -> Self {
        let text = describe(&client.host, client.port);
        let host = Host {
            name: client.host.clone(),
            port: client.port,
            bind: client.bind,
        };
        Self::new(Route::Host(host), text).within(client.timeout)
    }
}

fn of_tcp(text: &str, form: &str) -> Result<Description, EndpointError> {
    let mut description = Description::parse(text)?;
    description.set_form(form);
    if description.kind() == NAME {
        Ok(description)
    } else {
        Err(description.unknown_type(&[NAME]))
    }
}

/// `HOST:PORT` of a peer.
pub(super) fn take_peer(description: &mut Description) -> Result<(String, u16), EndpointError> {
    let HostName(host) = description.positional("host")?;
    let port = description.positional("port")?;
    if port == 0 {
        return Err(description.wrong("port", "a whole number from 1 to 65535"));
    }
    Ok((host, port))
}

/// `PORT` or `HOST:PORT`, or the host as the option `interface`.
pub(super) fn take_local_address(
    description: &mut Description,
) -> Result<SocketAddr, EndpointError> {
    let host = take_server_host(description)?;
    let port = description.positional("port")?;
    let interface = description.option::<HostName>("interface")?;
    if host.is_some() && interface.is_some() {
        return Err(description.repeated("interface"));
    }
    let name = if host.is_some() { "host" } else { "interface" };
    match host.or(interface) {
        None => Ok((Ipv4Addr::UNSPECIFIED, port).into()),
        Some(HostName(host)) => {
            local(&host, port).ok_or_else(|| description.wrong(name, LOCAL_MEANING))
        }
    }
}

/// The host of `tcp:HOST:PORT`, which is there when there is one argument more than the port.
fn take_server_host(description: &mut Description) -> Result<Option<HostName>, EndpointError> {
    let port_by_name = usize::from(description.has_option("port"));
    if description.positionals_left() + port_by_name < 2 && !description.has_option("host") {
        return Ok(None);
    }
    description.positional("host").map(Some)
}

fn describe(host: &str, port: u16) -> Description {
    Description::new(NAME)
        .with_argument(&bracketed(host))
        .with_argument(&port.to_string())
}

pub(super) fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// A host name or an IP address, without the brackets of IPv6. It may have a scope: `fe80::1%eth0`.
struct HostName(String);

impl Value for HostName {
    const MEANING: &'static str = "a host name or an IP address such as 127.0.0.1 or [::1]";

    fn from_text(text: &str) -> Option<Self> {
        let host = unbracketed(text);
        let address = host.split_once('%').map_or(host, |(address, _)| address);
        let is_ipv6 = address.parse::<Ipv6Addr>().is_ok();
        let needs_ipv6 = host != text || host.contains(':');
        let odd = |character: char| character.is_control() || " []/\\".contains(character);
        let is_host = !host.is_empty() && !host.contains(odd) && (is_ipv6 || !needs_ipv6);
        is_host.then(|| Self(host.to_owned()))
    }
}

/// The address of a server's host; the one name that is known without asking is `localhost`.
fn local(host: &str, port: u16) -> Option<SocketAddr> {
    if host == "localhost" {
        return Some((Ipv4Addr::LOCALHOST, port).into());
    }
    let ip: Option<IpAddr> = host.parse().ok();
    ip.map(|ip| SocketAddr::new(ip, port))
        .or_else(|| scoped(host, port))
}

/// `fe80::1%3`: an IPv6 address with the number of its interface (R47).
pub(super) fn scoped(host: &str, port: u16) -> Option<SocketAddr> {
    let (ip, scope) = host.split_once('%')?;
    Some(SocketAddrV6::new(ip.parse().ok()?, port, 0, scope.parse().ok()?).into())
}

/// The address without its port and brackets, its scope kept.
pub(super) fn host_of(address: &SocketAddr) -> String {
    let text = address.to_string();
    let host = text.rsplit_once(':').map_or("", |(host, _port)| host);
    host.trim_matches(['[', ']']).to_owned()
}
