//! What sends requests.

use std::fmt;
use std::rc::Rc;

use http::{HeaderValue, Method};
use ropewalk_core::Handle;
use ropewalk_core::endpoint::{ClientEndpoint, Destination, EndpointError};
use ropewalk_grammar::http1::Name;

use super::agent_limits::AgentLimits;
use super::client_request::{ClientRequest, IntoMethod};
use super::cookie_jar::CookieJar;
use super::into_url::IntoUrl;
use super::pool::Pool;
use super::proxies::Proxies;
use super::redirects::Redirects;
use super::secure::Secure;
use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;

/// A client of the web: sends requests, keeps connections, follows redirects. Cheap to clone; clones share all of it.
///
/// ```
/// use ropewalk_core::{Failure, Reactor};
/// use ropewalk_sim::SimDriver;
/// use ropewalk_web::{Agent, Request, Router, Site};
///
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// reactor.listen("tcp:10.0.0.1:80", Site::new(Router::new().get("/tea", |_: &Request| "a cup")))?;
/// let text = reactor.run_main(async |reactor| {
///     let agent = Agent::new(&reactor);
///     let response = agent.get("http://10.0.0.1/tea").await?;
///     assert_eq!(response.status(), 200);
///     Ok::<_, Failure>(response.text().await?)
/// })?;
/// assert_eq!(text.as_deref(), Some("a cup"));
/// # Ok::<(), Failure>(())
/// ```
///
/// By default it keeps no cookies, asks no proxy, understands gzip and deflate, and follows redirects of GET and HEAD. Connections with TLS need
/// the feature `tls`; they trust what the machine trusts, which is read when the first is made.
///
/// Connections that nobody uses are watched: one that the server closes is not used again. A request without body whose method is
/// idempotent is sent once more, over a new connection, when one that was used before ends without a byte of an answer (R168).
#[derive(Clone)]
pub struct Agent(pub(super) Rc<Shared>);

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) pool: Rc<Pool>,
    pub(super) limits: Rc<AgentLimits>,
    pub(super) redirects: Redirects,
    pub(super) proxies: Proxies,
    pub(super) cookies: Option<CookieJar>,
    pub(super) headers: Headers,
    pub(super) decompresses: bool,
}

impl Agent {
    /// An agent on this reactor.
    pub fn new(handle: &Handle) -> Self {
        let limits = Rc::new(AgentLimits::default());
        let mut headers = Headers::new();
        let name = concat!("ropewalk/", env!("CARGO_PKG_VERSION"));
        headers.replace(Name::UserAgent.into(), HeaderValue::from_static(name));
        Self(Rc::new(Shared {
            pool: Pool::new(handle, Rc::clone(&limits), Secure::default(), None),
            limits,
            redirects: Redirects::default(),
            proxies: Proxies::none(),
            cookies: None,
            headers,
            decompresses: true,
        }))
    }

    /// Its limits.
    pub fn limits(&self) -> &AgentLimits {
        &self.0.limits
    }

    /// The same with other limits, and a pool of its own.
    #[must_use]
    pub fn with_limits(self, limits: AgentLimits) -> Self {
        self.changed(|shared| {
            shared.limits = Rc::new(limits);
            shared.renew_pool(shared.pool.secure.clone(), shared.pool.endpoint.clone());
        })
    }

    /// The same with these settings of TLS, and a pool of its own. ALPN is the agent's.
    ///
    /// # Errors
    ///
    /// The settings contradict each other.
    #[cfg(feature = "tls")]
    pub fn with_tls(
        self,
        options: ropewalk_tls::ClientOptions,
    ) -> Result<Self, ropewalk_tls::TlsError> {
        let secure = Secure::new(options)?;
        Ok(self.changed(|shared| shared.renew_pool(secure, shared.pool.endpoint.clone())))
    }

    /// The same, following other redirects.
    #[must_use]
    pub fn with_redirects(self, redirects: Redirects) -> Self {
        self.changed(|shared| shared.redirects = redirects)
    }

    /// The same, through these proxies.
    #[doc(alias = "ProxyAgent")]
    #[must_use]
    pub fn with_proxies(self, proxies: Proxies) -> Self {
        self.changed(|shared| shared.proxies = proxies)
    }

    /// The same, connecting to this endpoint wherever URLs lead: a UNIX socket, another machine. Requests say what the URL says, and TLS is
    /// for the host of an `https` URL. If there is a proxy, this is how it is reached.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood.
    #[doc(alias = "usingEndpointFactory")]
    pub fn with_endpoint(self, endpoint: impl ClientEndpoint) -> Result<Self, EndpointError> {
        let endpoint = endpoint.destination()?;
        Ok(self.changed(|shared| shared.renew_pool(shared.pool.secure.clone(), Some(endpoint))))
    }

    /// The same, keeping cookies in this jar and sending them.
    #[doc(alias = "CookieAgent")]
    #[must_use]
    pub fn with_cookies(self, jar: CookieJar) -> Self {
        self.changed(|shared| shared.cookies = Some(jar))
    }

    /// The same, sending this header with each request that has none of its name. `User-Agent` is one already.
    ///
    /// # Errors
    ///
    /// When the name is no token, or the value could be read as more than one header.
    pub fn with_header<N, V>(self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        let mut headers = self.0.headers.clone();
        headers.set(name, value)?;
        Ok(self.changed(|shared| shared.headers = headers))
    }

    /// The same agent, which adds no such header of its own: `User-Agent`, for example.
    #[must_use]
    pub fn without_header(self, name: impl TryInto<FieldName>) -> Self {
        let mut headers = self.0.headers.clone();
        headers.remove(name);
        self.changed(|shared| shared.headers = headers)
    }

    /// The same, asking for bodies as they are, and leaving them so.
    #[doc(alias = "ContentDecoderAgent")]
    #[must_use]
    pub fn without_decompression(self) -> Self {
        self.changed(|shared| shared.decompresses = false)
    }

    /// A GET of this URL, to be awaited or sent.
    #[must_use = "a request is sent when it is awaited, or by `send`"]
    pub fn get(&self, url: impl IntoUrl) -> ClientRequest {
        self.request(Method::GET, url)
    }

    /// A POST to this URL.
    #[must_use = "a request is sent when it is awaited, or by `send`"]
    pub fn post(&self, url: impl IntoUrl) -> ClientRequest {
        self.request(Method::POST, url)
    }

    /// A request of any method to this URL. What is wrong with them is told when it is sent, and nothing is sent then (R171).
    #[must_use = "a request is sent when it is awaited, or by `send`"]
    pub fn request(&self, method: impl IntoMethod, url: impl IntoUrl) -> ClientRequest {
        ClientRequest::new(&self.0, method.into_method(), url.into_url())
    }

    /// Closes the connections that nobody uses. It also happens when the last clone is dropped.
    #[doc(alias = "closeCachedConnections")]
    pub fn close_idle_connections(&self) {
        self.0.pool.close_idle();
    }

    /// How many connections there are, those included that are being made.
    pub fn connections(&self) -> usize {
        self.0.pool.connections()
    }

    /// The reactor.
    pub fn reactor(&self) -> &Handle {
        &self.0.pool.handle
    }

    fn changed(self, change: impl FnOnce(&mut Shared)) -> Self {
        let mut shared = Rc::unwrap_or_clone(self.0);
        change(&mut shared);
        Self(Rc::new(shared))
    }
}

impl Shared {
    fn renew_pool(&mut self, secure: Secure, endpoint: Option<Destination>) {
        let limits = Rc::clone(&self.limits);
        self.pool = Pool::new(&self.pool.handle, limits, secure, endpoint);
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("limits", &self.0.limits)
            .field("redirects", &self.0.redirects)
            .field("proxies", &self.0.proxies)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}
