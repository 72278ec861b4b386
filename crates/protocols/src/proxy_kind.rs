//! What the endpoint type `proxy` says.

use ropewalk_core::endpoint::{Description, EndpointError, Kind, Listening, Role};

use crate::allowed_peers::AllowedPeers;
use crate::proxy_factory::ProxyFactory;

/// The endpoint type `proxy`: another endpoint, reached through proxies that say by the PROXY protocol for whom they connect
/// ([`ProxyFactory`]).
///
/// ```
/// use ropewalk_core::Reactor;
/// use ropewalk_core::endpoint;
/// use ropewalk_protocols::wire::Echo;
/// use ropewalk_sim::SimDriver;
///
/// endpoint::register(ropewalk_protocols::PROXY_KIND);
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// let port = reactor.listen("proxy:from=10.0.0.0/8,[fd00::]/8:tcp:10.0.0.1:80", || Echo)?;
/// assert_eq!(port.endpoint(), "proxy:tcp:10.0.0.1:80");
/// # Ok::<(), ropewalk_core::Failure>(())
/// ```
pub const PROXY_KIND: Kind = Kind::new(
    "proxy",
    "another endpoint, behind proxies that say for whom they connect (PROXY protocol, versions 1 and 2)",
)
.for_servers(Role {
    form: "proxy:from=PROXIES:ENDPOINT",
    options: &[(
        "from=PROXIES",
        "who is believed, as in 10.0.0.0/8,192.0.2.7 or unix; nobody else may connect; must be given",
    )],
    parse: server,
});

fn server(mut description: Description) -> Result<Listening, EndpointError> {
    let inner = description.inner("endpoint")?;
    let from: AllowedPeers = description.required("from")?;
    description.finish()?;
    let wrap = move |factory| ProxyFactory::new(factory, from.clone());
    let listening = inner.listening()?.shown_inside("proxy");
    Ok(listening.wrapped(move |_, factory| Ok(Box::new(wrap(factory)))))
}
