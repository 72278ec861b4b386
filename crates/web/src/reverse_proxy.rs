//! A server behind this one (RFC 9110 7.6).
//!
//! ```text
//!   client ─► request ─► fields of this hop taken out, who asks written in ─► Agent ─► server
//!          ◄─ response ◄─────────────── fields of that hop taken out ────────────────◄─┘
//! ```
//!
//! Bodies go both ways as they come, at the speed of whoever is slower. After 101 the two connections are joined.

mod fields;
mod limited;
mod tunnel;

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use percent_encoding::percent_decode_str;
use ropewalk_core::{Failure, Handle};
use ropewalk_grammar::http1::{Method, Name};
use url::Url;

use self::limited::Limited;
use self::tunnel::Tunnel;
use crate::body::Body;
use crate::body_error::BodyError;
use crate::client::{
    Agent, AgentError, AgentLimits, AgentProblem, ClientResponse, IntoUrl, Redirects,
};
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, options};
use crate::response::Response;

/// Passes requests on to another server: the rest of the path, and the query, behind its URL.
///
/// Fields that are for one hop only stay on their side, those named by `Connection` and trailers as well. The server behind is told who asks by
/// `X-Forwarded-For`, `X-Forwarded-Proto`, `X-Forwarded-Host` and `Forwarded`, `X-Real-IP`; what a client says there itself is dropped, unless the
/// site [trusts](crate::TrustedProxies) it. `Host` is the client's. `Proxy` never passes (H1-20). What is passed on is written anew from what
/// was understood, so that there is one way to read it.
///
/// A server that cannot be reached, or breaks the rules, is a 502, one that takes too long a 504; one that breaks off in the middle of
/// a body breaks off the client's response, too. Requests without body whose method is idempotent are asked once more if a kept connection
/// turns out to be closed. Interim responses pass, and who waits for a go-ahead waits for that of the server. When the client leaves, so do we.
///
/// A request for another protocol, such as WebSocket, becomes a tunnel once the server agrees; one for HTTP/2 (`h2c`) does not, as its requests
/// would pass unseen by all that stands before this resource.
///
/// ```
/// use ropewalk_core::Reactor;
/// use ropewalk_sim::SimDriver;
/// use ropewalk_web::{Branch, ReverseProxy, Site};
///
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// let proxy = ReverseProxy::new(&reactor.handle(), "http://127.0.0.1:3000/app")?;
/// let site = Site::new(Branch::new().with_child("shop", proxy)); // /shop/tea is /app/tea there
/// reactor.listen("tcp:127.0.0.1:80", site)?;
/// # Ok::<(), ropewalk_core::Failure>(())
/// ```
#[doc(alias = "ReverseProxyResource")]
pub struct ReverseProxy {
    agent: Agent,
    base: Url,
    tunnel_idle: Duration,
    body_bytes: Option<u64>,
}

/// How long a tunnel may be silent.
const TUNNEL_IDLE: Duration = Duration::from_secs(600);

impl ReverseProxy {
    /// Passes on to the server at this URL, over a pool of 1024 connections at most. Connecting may take 10 s, an answer 60 s, and a pause in
    /// a body 60 s.
    ///
    /// # Errors
    ///
    /// It is no URL of HTTP, or has a query.
    pub fn new(handle: &Handle, url: impl IntoUrl) -> Result<Self, Failure> {
        let base = url.into_url().map_err(|problem| {
            Failure::message(format!("a server to pass requests on to: {problem}"))
        })?;
        if base.query().is_some() || base.fragment().is_some() {
            return Err(Failure::message(format!(
                "a server to pass requests on to: {base} has a query; write http://HOST:PORT/PATH"
            )));
        }
        let limits = AgentLimits {
            connect: Duration::from_secs(10),
            connections_per_host: 1024,
            idle_per_host: 64,
            // A body that nobody reads is one whose client has left.
            drain_bytes: 0,
            ..AgentLimits::default()
        };
        let agent = Agent::new(handle)
            .with_limits(limits)
            .without_header(Name::UserAgent);
        let proxy = Self {
            agent,
            base,
            tunnel_idle: TUNNEL_IDLE,
            body_bytes: None,
        };
        Ok(proxy.with_agent(|agent| agent))
    }

    /// The same with another agent made of this one: with TLS, or with other limits. It follows no redirects and decompresses nothing.
    #[must_use]
    pub fn with_agent(mut self, change: impl FnOnce(Agent) -> Agent) -> Self {
        let agent = change(self.agent);
        self.agent = agent
            .with_redirects(Redirects::none())
            .without_decompression();
        self
    }

    /// The same, for a server that may take so long to answer, and to go on with a body.
    #[must_use]
    pub fn with_timeout(self, silence: Duration) -> Self {
        self.with_agent(|agent| {
            let mut limits = agent.limits().clone();
            (limits.first_byte, limits.body_idle) = (silence, silence);
            agent.with_limits(limits)
        })
    }

    /// The same, passing on bodies of so many bytes at most; a larger one is 413, at once if its length is said. No limit unless this is called,
    /// as nothing is kept here.
    #[must_use]
    pub fn with_body_limit(mut self, bytes: u64) -> Self {
        self.body_bytes = Some(bytes);
        self
    }

    /// The same, ending tunnels in which nothing came either way for so long: 10 minutes unless this is called. Against those who leave without
    /// saying so.
    #[must_use]
    pub fn with_tunnel_idle(mut self, idle: Duration) -> Self {
        self.tunnel_idle = idle;
        self
    }

    /// Where a request goes; none for paths that could mean another folder there.
    fn target(&self, request: &Request) -> Option<Url> {
        let rest = request.rest();
        let leads_up = |segment: &str| {
            let decoded = percent_decode_str(segment).collect::<Vec<u8>>();
            matches!(&*decoded, b"." | b"..") || decoded.contains(&b'\\')
        };
        // Without its slash the rest could be read as more of the host.
        let is_path = rest.is_empty() || rest.starts_with('/');
        if !is_path || rest.split('/').any(leads_up) {
            return None;
        }
        let base = self.base.as_str().trim_end_matches('/');
        let mut url = format!("{base}{rest}");
        if let Some(query) = request.query() {
            url += &format!("?{query}");
        }
        url.into_url().ok()
    }

    fn pass_on(&self, request: &Request) -> Reply {
        let Some(url) = self.target(request) else {
            return StatusCode::BAD_REQUEST.into();
        };
        if fields::hops_left(request) == Some(0) {
            return options(Methods::ALL).into();
        }
        let most = self.body_bytes.unwrap_or(u64::MAX);
        if request.has_body() && request.body().known_length() > Some(most) {
            return StatusCode::PAYLOAD_TOO_LARGE.into();
        }
        let upgrade = fields::upgrade(request);
        let headers = fields::of_request(request, upgrade.as_deref());
        let asking = request.clone();
        let mut sending = (self.agent.request(request.method(), url))
            .headers(&headers)
            .on_interim(move |status, fields| pass_interim(&asking, status, fields));
        if request.has_body() {
            sending = sending.body(Body::wrap(Limited::new(request.body(), most)));
        }
        let is_head = request.head().method() == Method::Head;
        let (name, idle) = (format!("{request:?}"), self.tunnel_idle);
        request.reply_later(async move {
            match sending.await {
                Ok(response) => passed_back(response, is_head, idle).into(),
                Err(error) => refused(&name, &error).into(),
            }
        })
    }
}

/// An interim response passes at once (RFC 9110 15.2); but 100 is ours to say, once the server wants the body and we read it.
fn pass_interim(request: &Request, status: StatusCode, fields: &HeaderMap) {
    if status != StatusCode::CONTINUE {
        request.send_interim(status, fields::of_interim(fields));
    }
}

/// The response as the client gets it.
fn passed_back(mut response: ClientResponse, is_head: bool, idle: Duration) -> Response {
    let headers = fields::of_response(&response);
    if let Some(upgraded) = response.take_upgraded() {
        return Response::switch(headers, Tunnel::new(upgraded, idle));
    }
    let mut passed = match is_head {
        true => Response::new(Body::wrap(Unseen(fields::length(&response)))),
        false => Response::new(response.body()),
    };
    *passed.headers_mut() = headers;
    passed.with_status(response.status())
}

fn refused(request: &str, error: &AgentError) -> StatusCode {
    if let AgentProblem::Upload(failure) = error.problem()
        && let Some(BodyError::TooLarge { .. }) = failure.downcast_ref()
    {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    tracing::warn!(request, %error, "a request could not be passed on");
    match error.is_timeout() {
        true => StatusCode::GATEWAY_TIMEOUT,
        false => StatusCode::BAD_GATEWAY,
    }
}

/// A body of which only the length is told: of HEAD.
struct Unseen(Option<u64>);

impl http_body::Body for Unseen {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Resource for ReverseProxy {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        self.pass_on(request)
    }
}

impl fmt::Debug for ReverseProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReverseProxy({})", self.base)
    }
}
