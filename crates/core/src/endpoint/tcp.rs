//! What the endpoint type `tcp` says, for a server and for a client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use super::description::Description;
use super::error::EndpointError;
use super::value::{Value, seconds, unbracketed};

const KIND: &str = "tcp";

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
/// assert_eq!((server.host.as_str(), server.port, server.backlog), ("0.0.0.0", 8000, 50));
/// assert_eq!(server.to_string(), "tcp:0.0.0.0:8000:backlog=50");
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpServer {
    /// The name or IP address to listen at, without brackets, not yet resolved.
    #[doc(alias = "interface")]
    pub host: String,
    /// The port; 0 picks a free one.
    pub port: u16,
    /// How many connections the kernel keeps until they are accepted. It may keep fewer.
    pub backlog: u32,
    /// Whether other sockets may listen at the same port, each getting its share of the connections.
    pub reuse_port: bool,
}

impl TcpServer {
    /// The backlog when none is given.
    pub const DEFAULT_BACKLOG: u32 = 1024;
    /// The host when none is given: every IPv4 interface.
    pub const DEFAULT_HOST: &str = "0.0.0.0";

    /// A server at this host (a name or an IP address without brackets) and port, with the default options.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            backlog: Self::DEFAULT_BACKLOG,
            reuse_port: false,
        }
    }

    /// Takes the arguments and options of a server from a description.
    ///
    /// # Errors
    ///
    /// When its type is not `tcp`, or its arguments and options are not those of a TCP server.
    pub fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        check_kind(&description)?;
        description.set_form("tcp:PORT or tcp:HOST:PORT");
        let host = take_server_host(&mut description)?;
        let port = description.positional("port")?;
        let interface = description.option::<Host>("interface")?;
        if host.is_some() && interface.is_some() {
            return Err(description.repeated("interface"));
        }
        let mut server = Self::new(Self::DEFAULT_HOST, port);
        if let Some(Host(host)) = host.or(interface) {
            server.host = host;
        }
        if let Some(backlog) = description.option("backlog")? {
            server.backlog = backlog;
        }
        if server.backlog > LONGEST_BACKLOG {
            return Err(description.wrong("backlog", "a whole number from 0 to 2147483647"));
        }
        server.reuse_port = description.option("reuse_port")?.unwrap_or(false);
        description.finish()?;
        Ok(server)
    }
}

/// `listen(2)` takes a C int.
const LONGEST_BACKLOG: u32 = i32::MAX as u32;

impl fmt::Display for TcpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut description = describe(&self.host, self.port);
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
        Self::from_description(Description::parse(text)?)
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

    /// Takes the arguments and options of a client from a description.
    ///
    /// # Errors
    ///
    /// When its type is not `tcp`, or its arguments and options are not those of a TCP client.
    pub fn from_description(mut description: Description) -> Result<Self, EndpointError> {
        check_kind(&description)?;
        description.set_form("tcp:HOST:PORT");
        let Host(host) = description.positional("host")?;
        let mut client = Self::new(host, description.positional("port")?);
        if client.port == 0 {
            return Err(description.wrong("port", "a whole number from 1 to 65535"));
        }
        if let Some(timeout) = description.option("timeout")? {
            client.timeout = timeout;
        }
        if client.timeout.is_zero() {
            return Err(description.wrong("timeout", "more than 0 seconds"));
        }
        client.bind = description.option("bind")?;
        description.finish()?;
        Ok(client)
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
        Self::from_description(Description::parse(text)?)
    }
}

fn check_kind(description: &Description) -> Result<(), EndpointError> {
    if description.kind() == KIND {
        Ok(())
    } else {
        Err(description.unknown_type(&[KIND]))
    }
}

/// The host of `tcp:HOST:PORT`, which is there when there is one argument more than the port.
fn take_server_host(description: &mut Description) -> Result<Option<Host>, EndpointError> {
    let port_by_name = usize::from(description.has_option("port"));
    if description.positionals_left() + port_by_name < 2 && !description.has_option("host") {
        return Ok(None);
    }
    description.positional("host").map(Some)
}

fn describe(host: &str, port: u16) -> Description {
    Description::new(KIND)
        .with_argument(&bracketed(host))
        .with_argument(&port.to_string())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// A host name or an IP address, without the brackets of IPv6. It may have a scope: `fe80::1%eth0`.
struct Host(String);

impl Value for Host {
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
