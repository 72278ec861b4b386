//! What becomes of a request: which connection, how often, and where redirects lead.
//!
//! ```text
//!   run, within the time for all ─► follow: a hop for each redirect ─► ask: a lease, once more if the connection was stale ─► begin
//! ```

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use ropewalk_core::Deferred;
use ropewalk_core::timer::sleep;
use ropewalk_grammar::http1::{
    BodyLength, ClientExchange, Method, Name, ResponseDecoder, ResponseHead, SendError,
};
use url::Url;

use super::agent::Shared;
use super::agent_error::{AgentError, AgentProblem, Phase};
use super::agent_limits::AgentLimits;
use super::client_response::ClientResponse;
use super::connection::Connection;
use super::current::{Answer, Current, OnInterim};
use super::decoding::ACCEPTED;
use super::hop::Hop;
use super::pool::{Lease, Way};
use super::redirects::Redirects;
use super::upload::upload;
use crate::body::{Body, Content, Source};
use crate::headers::Headers;

/// Bodies up to this length leave in one piece with their head; larger ones are shared.
const COPIED_BYTES: usize = 16 * 1024;

/// All of a request but where it goes.
pub(super) struct Errand {
    agent: Rc<Shared>,
    limits: Rc<AgentLimits>,
    total_due: Option<Duration>,
    keeps_alive: bool,
    on_interim: Option<OnInterim>,
    redirects: Redirects,
    before_sending: Option<BeforeSending>,
}

/// What is called with the headers each time that a request is sent.
pub(super) type BeforeSending = Rc<dyn Fn(&mut Headers)>;

impl Errand {
    pub(super) fn new(
        agent: Rc<Shared>,
        limits: Rc<AgentLimits>,
        keeps_alive: bool,
        redirects: Redirects,
        on_interim: Option<OnInterim>,
        before_sending: Option<BeforeSending>,
    ) -> Self {
        let total_due = limits.total.map(|total| agent.pool.handle.now() + total);
        Self {
            agent,
            limits,
            total_due,
            keeps_alive,
            redirects,
            on_interim,
            before_sending,
        }
    }
}

pub(super) async fn run(errand: Errand, hop: Hop) -> Result<ClientResponse, AgentError> {
    let Some(total) = errand.limits.total else {
        return follow(&errand, hop).await;
    };
    let name = hop.name();
    let mut timer = pin!(sleep(&errand.agent.pool.handle, total));
    let mut following = pin!(follow(&errand, hop));
    poll_fn(|context| match following.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => timer.as_mut().poll(context).map(|_over| {
            let problem = AgentProblem::TimedOut(Phase::Total, total);
            Err(AgentError::new(name.as_str(), problem))
        }),
    })
    .await
}

async fn follow(errand: &Errand, mut hop: Hop) -> Result<ClientResponse, AgentError> {
    let mut passed: Vec<Url> = Vec::new();
    loop {
        let answer = match ask(errand, &mut hop).await {
            Ok(answer) => answer,
            Err(problem) => return Err(AgentError::new(hop.name(), problem)),
        };
        let head = answer.head.head();
        if let Some(jar) = &errand.agent.cookies {
            keep_cookies(jar, &hop.url, &head, errand);
        }
        let status = StatusCode::from_u16(head.status()).unwrap_or_default();
        let location = head.value(Name::Location);
        let next = errand
            .redirects
            .follow(&hop, status, location, passed.len());
        match next {
            Err(problem) => return Err(AgentError::new(hop.name(), problem)),
            Ok(None) => {
                let limits = Rc::clone(&errand.limits);
                return Ok(ClientResponse::new(answer, status, hop, passed, limits));
            }
            Ok(Some(next)) => passed.push(std::mem::replace(&mut hop, next).url),
        }
    }
}

fn keep_cookies(jar: &super::CookieJar, url: &Url, head: &ResponseHead<'_>, errand: &Errand) {
    let now = errand.agent.pool.handle.wall_time();
    for field in head.fields().iter() {
        if field.name.eq_ignore_ascii_case(Name::SetCookie.as_str())
            && let Ok(text) = std::str::from_utf8(field.value)
        {
            jar.store(url, text, now);
        }
    }
}

/// Sends one request, and once more if that is safe and the connection was stale (R168).
async fn ask(errand: &Errand, hop: &mut Hop) -> Result<Answer, AgentProblem> {
    let way = Way::of(hop, &errand.agent.proxies);
    let mut wants_new = false;
    loop {
        let lease = errand.agent.pool.acquire(&way, wants_new).await?;
        let connection = Lease::take(lease);
        let may_repeat = connection.is_used() && !wants_new;
        wants_new = true;
        if may_repeat && !connection.is_open() {
            continue; // nothing was sent, so nothing can be sent twice
        }
        let may_repeat = may_repeat && hop.is_repeatable();
        match exchange(errand, hop, &way, &connection).await {
            Err(AgentProblem::Lost {
                has_heard: false, ..
            }) if may_repeat => {}
            outcome => return outcome,
        }
    }
}

async fn exchange(
    errand: &Errand,
    hop: &mut Hop,
    way: &Way,
    connection: &Rc<Connection>,
) -> Result<Answer, AgentProblem> {
    if !connection.is_open() {
        return Err(AgentProblem::Lost {
            peer: connection.transport.peer().to_string(),
            reason: "it was closed at once".to_owned(),
            has_heard: false,
        });
    }
    let mut guard = Guard(Some(connection));
    let answer = begin(errand, hop, way, connection)?;
    let answer = answer.await.map_err(AgentProblem::of)?;
    guard.0 = None;
    Ok(answer)
}

/// Ends the connection of a request that is given up.
struct Guard<'a>(Option<&'a Rc<Connection>>);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.abandon();
        }
    }
}

fn begin(
    errand: &Errand,
    hop: &mut Hop,
    way: &Way,
    connection: &Rc<Connection>,
) -> Result<Deferred<Answer>, AgentProblem> {
    if let Some(call) = &errand.before_sending {
        call(&mut hop.headers);
    }
    let asks = hop.headers.contains(Name::Expect);
    let content = Outgoing::of(std::mem::take(&mut hop.body), asks);
    let hop = &*hop;
    let mut wire = ClientExchange::new(Method::of(hop.method.as_str()));
    if !errand.keeps_alive {
        wire.close();
    }
    let accepts = errand.agent.decompresses && !hop.headers.contains(Name::AcceptEncoding);
    let current = Current::new(
        wire.without_method(),
        Rc::clone(&errand.limits),
        errand.total_due,
        errand.on_interim.clone(),
        accepts,
        content.later.is_some(),
    );
    let extra = Extra::of(errand, hop, accepts);
    let answer = connection.begin(current, |decoder, out| {
        send_head(&mut wire, hop, way, &extra, content.length, decoder, out)?;
        if content.later.is_none() {
            wire.send_body(&content.now, out)?;
            wire.send_end(out)?;
        }
        Ok(wire.without_method())
    })?;
    if let Some(source) = content.later {
        let handle = &errand.agent.pool.handle;
        let task = handle.spawn(upload(Rc::clone(connection), source));
        connection.set_upload(task.canceller());
    }
    Ok(answer)
}

/// The body of a request: what leaves with the head, and what comes behind it.
struct Outgoing {
    length: BodyLength,
    now: Bytes,
    later: Option<Source>,
}

impl Outgoing {
    /// `asks` the server whether it wants the body before it is sent.
    fn of(body: Body, asks: bool) -> Self {
        match body.0 {
            Content::Bytes(now) if now.is_empty() => Self {
                length: BodyLength::Empty,
                now,
                later: None,
            },
            Content::Bytes(now) if now.len() <= COPIED_BYTES && !asks => Self {
                length: BodyLength::Known(now.len() as u64),
                now,
                later: None,
            },
            content => {
                let body = Body(content);
                let known = body.known_length();
                Self {
                    length: known.map_or(BodyLength::Chunked, BodyLength::Known),
                    now: Bytes::new(),
                    later: Some(Box::pin(body)),
                }
            }
        }
    }
}

/// Headers that are the agent's.
struct Extra {
    cookies: Option<String>,
    accepts: Option<&'static str>,
}

impl Extra {
    fn of(errand: &Errand, hop: &Hop, accepts: bool) -> Self {
        let jar = errand.agent.cookies.as_ref();
        let jar = jar.filter(|_| !hop.headers.contains(Name::Cookie));
        let now = errand.agent.pool.handle.wall_time();
        Self {
            cookies: jar.and_then(|jar| jar.header(&hop.url, now)),
            accepts: accepts.then_some(ACCEPTED),
        }
    }
}

fn send_head(
    wire: &mut ClientExchange<'_>,
    hop: &Hop,
    way: &Way,
    extra: &Extra,
    length: BodyLength,
    decoder: &mut ResponseDecoder,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let pair = |name: Name, value| (name.as_str().as_bytes(), value);
    let host =
        (!hop.headers.contains(Name::Host)).then(|| pair(Name::Host, hop.authority().as_bytes()));
    let headers = hop
        .headers
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_bytes()));
    let accepts = extra
        .accepts
        .map(|text| pair(Name::AcceptEncoding, text.as_bytes()));
    let cookies = extra.cookies.as_deref();
    let cookies = cookies.map(|text| pair(Name::Cookie, text.as_bytes()));
    let proxy = way.forwarder();
    let authorization = proxy
        .and_then(|proxy| proxy.authorization.as_ref())
        .filter(|_| !hop.headers.contains(Name::ProxyAuthorization))
        .map(|value| pair(Name::ProxyAuthorization, value.as_bytes()));
    let fields = host
        .into_iter()
        .chain(headers)
        .chain(accepts)
        .chain(cookies)
        .chain(authorization);
    match proxy {
        None => wire.send_head(hop.path(), fields, length, decoder, out),
        Some(_) => {
            let target = format!("http://{}{}", hop.authority(), hop.path());
            wire.send_head(&target, fields, length, decoder, out)
        }
    }
}
