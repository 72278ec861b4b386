//! The connections of an agent, by where they lead.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use ropewalk_core::Handle;
use ropewalk_core::endpoint::Destination;

use super::agent_error::AgentProblem;
use super::agent_limits::AgentLimits;
use super::connection::Connection;
use super::hop::Hop;
use super::host::Host;
use super::proxies::{Proxies, Proxy};
use super::secure::Secure;

/// The hosts that an agent has connections to. TLS is the same for all of them, so it is no part of what tells them apart.
pub(super) struct Pool {
    pub(super) handle: Handle,
    pub(super) limits: Rc<AgentLimits>,
    pub(super) secure: Secure,
    /// Where all connections lead, whatever URLs say.
    pub(super) endpoint: Option<Destination>,
    hosts: RefCell<BTreeMap<Route, Rc<Host>>>,
}

/// Where a connection leads: what uses the same connections.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) is_secure: bool,
    /// The proxy that tunnels to it.
    pub(super) tunnel: Option<Box<str>>,
}

/// How a request travels.
pub(super) struct Way {
    pub(super) route: Route,
    pub(super) proxy: Option<Rc<Proxy>>,
}

impl Way {
    pub(super) fn of(hop: &Hop, proxies: &Proxies) -> Self {
        let proxy = proxies.of(&hop.url).cloned();
        let needs_tunnel = hop.is_secure() || hop.upgrades();
        let end = match &proxy {
            Some(proxy) if !needs_tunnel => &proxy.url,
            _ => &hop.url,
        };
        let tunnel = proxy.as_ref().filter(|_| needs_tunnel);
        let route = Route {
            host: end.host_str().unwrap_or_default().into(),
            port: end.port_or_known_default().unwrap_or(80),
            is_secure: end.scheme() == "https",
            tunnel: tunnel.map(|proxy| proxy.url.as_str().into()),
        };
        Self { route, proxy }
    }

    /// The proxy that the request itself is sent to.
    pub(super) fn forwarder(&self) -> Option<&Proxy> {
        self.proxy
            .as_deref()
            .filter(|_| self.route.tunnel.is_none())
    }
}

impl Pool {
    pub(super) fn new(
        handle: &Handle,
        limits: Rc<AgentLimits>,
        secure: Secure,
        endpoint: Option<Destination>,
    ) -> Rc<Self> {
        Rc::new(Self {
            handle: handle.clone(),
            limits,
            secure,
            endpoint,
            hosts: RefCell::default(),
        })
    }

    /// A connection to begin a request on: one that is idle, unless it must be new, or the next that there is.
    pub(super) async fn acquire(
        self: &Rc<Self>,
        way: &Way,
        wants_new: bool,
    ) -> Result<Lease, AgentProblem> {
        let host = self.host(way);
        if !wants_new && let Some(connection) = host.take_idle() {
            return Ok(Lease::new(connection));
        }
        let turn = host.line_up(wants_new)?;
        turn.await.map_err(AgentProblem::of)
    }

    pub(super) fn close_idle(&self) {
        let hosts: Vec<_> = self.hosts.borrow().values().cloned().collect();
        for host in hosts {
            host.close_idle();
        }
    }

    /// How many connections there are, those included that are being made.
    pub(super) fn connections(&self) -> usize {
        self.hosts.borrow().values().map(|host| host.open()).sum()
    }

    /// Forgets a host that has no connections and for which nobody waits.
    pub(super) fn forget(&self, route: &Route) {
        self.hosts.borrow_mut().remove(route);
    }

    fn host(self: &Rc<Self>, way: &Way) -> Rc<Host> {
        let mut hosts = self.hosts.borrow_mut();
        if let Some(host) = hosts.get(&way.route) {
            return Rc::clone(host);
        }
        let proxy = way.proxy.clone().filter(|_| way.route.tunnel.is_some());
        let host = Host::new(self, way.route.clone(), proxy);
        hosts.insert(way.route.clone(), Rc::clone(&host));
        host
    }
}

/// The agent is gone: nobody will use its connections again.
impl Drop for Pool {
    fn drop(&mut self) {
        self.close_idle();
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A connection that somebody may begin a request on; it goes back if nobody does.
pub(super) struct Lease(Option<Rc<Connection>>);

impl Lease {
    pub(super) fn new(connection: Rc<Connection>) -> Self {
        Self(Some(connection))
    }

    pub(super) fn take(mut self) -> Rc<Connection> {
        self.0.take().expect("a lease is taken once")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            connection.give_back();
        }
    }
}
