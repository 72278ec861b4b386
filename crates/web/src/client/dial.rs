//! Making a connection: TCP, then what lies between it and HTTP.
//!
//! ```text
//!   direct      tcp ─ (tls) ─ http            layers, lowest first; the connection is there once all are open
//!   tunnelled   tcp ─ (tls of the proxy) ─ CONNECT ─ (tls) ─ http
//! ```

use std::rc::{Rc, Weak};

use ropewalk_core::endpoint::TcpClient;
use ropewalk_core::{
    ConnectError, ConnectOptions, Connector, Factory, Limits, Protocol, Transport,
};

use super::agent_error::AgentProblem;
use super::connection::{Connection, HttpClient};
use super::host::Host;
use super::pool::Pool;
use super::tunnel::TunnelFactory;

/// Begins to connect; the host is told how it ends.
pub(super) fn dial(host: &Rc<Host>, pool: &Pool) -> Result<(), AgentProblem> {
    let route = &host.route;
    let mut factory: Box<dyn Factory> = Box::new(Dial(Rc::downgrade(host)));
    if route.is_secure {
        factory = pool.secure.wrap(&route.host, factory)?;
    }
    let (mut name, mut port) = (&*route.host, route.port);
    if let Some(proxy) = &host.proxy {
        let authorization = proxy.authorization.clone();
        factory = Box::new(TunnelFactory::new(
            route.to_string(),
            authorization,
            factory,
        ));
        name = proxy.url.host_str().unwrap_or_default();
        port = proxy.url.port_or_known_default().unwrap_or(80);
        if proxy.url.scheme() == "https" {
            factory = pool.secure.wrap(name, factory)?;
        }
    }
    let limits = Limits {
        connect: pool.limits.connect,
        handshake: Some(pool.limits.handshake),
        ..Limits::of_client()
    };
    let options = match &pool.endpoint {
        Some(endpoint) => ConnectOptions::new(endpoint),
        None => ConnectOptions::new(TcpClient::new(name.trim_matches(['[', ']']), port)),
    };
    let options = options.map_err(ConnectError::Endpoint)?;
    let options = options.limits(limits);
    let connector = pool.handle.connect_with(options, factory);
    connector
        .map(drop)
        .map_err(|error| ConnectError::Endpoint(error).into())
}

/// What a connector of a host tells.
struct Dial(Weak<Host>);

impl Factory for Dial {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        let host = self.0.upgrade()?;
        let connection = Connection::new(transport, &host);
        Some(Box::new(HttpClient(connection)))
    }

    fn connection_failed(&mut self, _: &Connector, error: ConnectError) {
        if let Some(host) = self.0.upgrade() {
            host.failed(error);
        }
    }
}
