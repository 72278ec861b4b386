//! A client of the web: requests to any server, over connections that are kept and used again.
//!
//! ```text
//!   ClientRequest ─► errand: redirects, cookies, one retry ─► Pool ─► Connection ─► bytes
//!         ▲                                                    │ none idle: dial, by TCP, TLS, a proxy's tunnel
//!   ClientResponse ◄── head, then a body that is read from the socket only as it is asked for (R167)
//! ```
//!
//! For: HTTP/1.1 on the reactor, without threads. Not for: caches, HTTP/2.

mod agent;
mod agent_error;
mod agent_limits;
mod alarm;
mod as_agent;
mod client_request;
mod client_response;
mod connection;
mod cookie_date;
mod cookie_jar;
mod current;
mod decoding;
mod dial;
mod errand;
mod hop;
mod host;
mod into_url;
mod pool;
mod proxies;
mod received_cookie;
mod redirects;
mod secure;
mod tunnel;
mod upgraded;
mod upload;

pub use self::agent::Agent;
pub use self::agent_error::{AgentError, AgentProblem, Phase};
pub use self::agent_limits::AgentLimits;
pub use self::as_agent::AsAgent;
pub use self::client_request::{ClientRequest, IntoMethod};
pub use self::client_response::ClientResponse;
pub use self::cookie_jar::CookieJar;
pub(crate) use self::decoding::Decoding;
pub(crate) use self::hop::{basic, secret};
pub use self::into_url::IntoUrl;
pub(crate) use self::into_url::without_password;
pub use self::proxies::Proxies;
pub use self::redirects::Redirects;
pub use self::tunnel::TunnelError;
pub use self::upgraded::Upgraded;
