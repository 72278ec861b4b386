//! What a client's endpoint string comes to: how the peer is reached, and what is put around the factory.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::wrappers::Wrappers;
use super::{Description, EndpointError, Open, TcpClient, scoped};
use crate::address::{Address, UnixAddress};
use crate::driver::ConnId;
use crate::factory::Factory;
use crate::handle::Handle;

/// Where to connect, how, and what stands between there and the factory. A connector keeps it, to connect again.
///
/// It is made from a string by the [kinds](super::Kind) that are [registered](super::register); a kind of your own makes
/// one of these. Nothing is opened before somebody connects.
///
/// Shown, it is the endpoint string without its options.
#[derive(Clone)]
pub struct Destination {
    /// How the peer is reached.
    pub route: Route,
    /// How long connecting may take, the look-up of the name included.
    pub timeout: Duration,
    wrappers: Wrappers,
    text: String,
}

/// How a peer is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Route {
    /// By TCP.
    Host(Host),
    /// By a UNIX socket.
    Unix(UnixAddress),
    /// In another way: the standard descriptors, a child process.
    Open(Open<ConnId>),
}

/// A host, by name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name, or an IP address as text.
    pub name: String,
    /// The port.
    pub port: u16,
    /// The address of this machine to connect from.
    pub bind: Option<IpAddr>,
}

impl Host {
    /// The address, if the host needs no look-up. `localhost` does.
    #[must_use]
    pub fn literal(&self) -> Option<SocketAddr> {
        let ip = self.name.parse().ok();
        ip.map(|ip| SocketAddr::new(ip, self.port))
            .or_else(|| scoped(&self.name, self.port))
    }

    /// Where to connect from, if it was said; any port.
    #[must_use]
    pub fn bind_address(&self) -> Option<Address> {
        self.bind.map(|ip| Address::Tcp(SocketAddr::new(ip, 0)))
    }
}

impl Destination {
    /// By this route, within the [usual time](TcpClient::DEFAULT_TIMEOUT); `text` is the endpoint string, for errors.
    #[must_use]
    pub fn new(route: Route, text: impl fmt::Display) -> Self {
        Self {
            route,
            timeout: TcpClient::DEFAULT_TIMEOUT,
            wrappers: Wrappers::default(),
            text: text.to_string(),
        }
    }

    /// With another factory around the user's, outside of those that are there already.
    ///
    /// The function is called when a connector is made: what must be read for it, such as certificates, is read there, and
    /// what is wrong with that is said with [`Description::unusable`].
    #[must_use]
    pub fn wrapped(
        mut self,
        wrap: impl Fn(&Handle, Box<dyn Factory>) -> Result<Box<dyn Factory>, EndpointError> + 'static,
    ) -> Self {
        self.wrappers.add(wrap);
        self
    }

    /// Within another time.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Said so in errors.
    #[must_use]
    pub fn with_text(mut self, text: impl fmt::Display) -> Self {
        self.text = text.to_string();
        self
    }

    /// The host and port, where it is reached by these.
    #[must_use]
    pub fn host(&self) -> Option<&Host> {
        match &self.route {
            Route::Host(host) => Some(host),
            Route::Unix(_) | Route::Open(_) => None,
        }
    }

    /// The factory with all that belongs around it.
    ///
    /// # Errors
    ///
    /// What a wrapper needs cannot be had, such as the roots to trust.
    pub fn wrap(
        &self,
        handle: &Handle,
        factory: Box<dyn Factory>,
    ) -> Result<Box<dyn Factory>, EndpointError> {
        self.wrappers.wrap(handle, factory)
    }
}

impl From<UnixAddress> for Destination {
    fn from(address: UnixAddress) -> Self {
        let text = Description::new("unix").with_argument(&address.to_string());
        Self::new(Route::Unix(address), text)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination")
            .field("text", &self.text)
            .field("route", &self.route)
            .field("timeout", &self.timeout)
            .field("wrappers", &self.wrappers)
            .finish()
    }
}
