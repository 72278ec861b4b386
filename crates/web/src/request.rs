//! What a client asks for.

mod path;

use std::any::Any;
use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use ropewalk_core::{Address, Deferred, Encrypted, Failure, Handle, Transport};
use ropewalk_grammar::http1::{self, Authority, Fields, KeptHead, Key, RequestHead, Version};

pub(crate) use self::path::{decoded, slash};
use crate::body_error::BodyError;
use crate::exchange::{Exchange, Order, Phase};
use crate::headers::Headers;
use crate::incoming::Incoming;
use crate::into_response::IntoResponse;
use crate::methods::Methods;
use crate::reply::{Reply, When};
use crate::responder::Responder;
use crate::response::Response;
use crate::server::{HttpServer, deliver};
use crate::site::SiteShared;
use crate::trusted_proxies::{Client, TrustedProxies};

/// A request: a handle, cheap to clone, which may be kept for as long as the answer takes.
///
/// Its head is here when a resource is asked for it; its body comes later ([`body`](Self::body), [`bytes`](Self::bytes)).
#[derive(Clone)]
pub struct Request(pub(crate) Rc<Inner>);

pub(crate) struct Inner {
    head: KeptHead<http1::Request>,
    /// The path of the target; looked up for every segment of it.
    path: String,
    /// The method, if a resource can have it.
    method: Option<Methods>,
    /// How much of the body may be collected.
    body_bytes: u64,
    proxies: Option<Rc<TrustedProxies>>,
    /// None only while no request is in here.
    carrier: Option<Transport>,
    body: Option<Incoming>,
    /// How much of the path has been passed on the way down the tree.
    passed: Cell<usize>,
    /// What stands in the place of the path, since somebody rewrote it.
    rewritten: OnceCell<Box<str>>,
    params: RefCell<Vec<(Rc<str>, String)>>,
    values: RefCell<Vec<Rc<dyn Any>>>,
    pub(crate) exchange: Exchange,
}

impl Request {
    pub(crate) fn new(
        head: &RequestHead<'_>,
        body: Option<Incoming>,
        site: &SiteShared,
        carrier: &Transport,
    ) -> Self {
        Self(Rc::new(Inner {
            head: head.keep(),
            path: head.path().into(),
            method: Methods::of(head.method()),
            body_bytes: site.limits.body_bytes,
            proxies: site.proxies.clone(),
            carrier: Some(carrier.clone()),
            body,
            passed: Cell::new(0),
            rewritten: OnceCell::new(),
            params: RefCell::default(),
            values: RefCell::default(),
            exchange: Exchange::new(),
        }))
    }

    /// The same memory for the next request.
    pub(crate) fn renew(&mut self, head: &RequestHead<'_>, body: Option<Incoming>) {
        let inner = self.inner();
        inner.take_head(head);
        inner.body = body;
    }

    /// Forgets all but the head and the connection, to be renewed later; tells whether nobody else has a handle.
    pub(crate) fn clear(&mut self) -> bool {
        let Some(inner) = Rc::get_mut(&mut self.0) else {
            return false;
        };
        inner.body = None;
        inner.passed.set(0);
        inner.rewritten.take();
        inner.params.get_mut().clear();
        inner.values.get_mut().clear();
        inner.exchange.renew();
        true
    }

    /// Changes the connection of a request that was cleared: none while it serves nobody.
    pub(crate) fn set_carrier(&mut self, carrier: Option<Transport>) {
        self.inner().carrier = carrier;
    }

    fn inner(&mut self) -> &mut Inner {
        Rc::get_mut(&mut self.0).expect("a cleared request has one handle")
    }

    /// Whether anybody but the connection has a handle.
    pub(crate) fn is_held(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }

    // ── The head ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// The head, as the grammar read it.
    pub fn head(&self) -> RequestHead<'_> {
        self.0.head.head()
    }

    /// The method.
    pub fn method(&self) -> Method {
        let method = self.head().method();
        Method::from_bytes(method.as_str().as_bytes()).unwrap_or(Method::GET)
    }

    /// The target as it was sent.
    #[doc(alias = "uri")]
    pub fn target(&self) -> &str {
        self.head().target_text()
    }

    /// The method as a set of its own; none if no resource can have it.
    pub(crate) fn asks_for(&self) -> Option<Methods> {
        self.0.method
    }

    /// Whether it is `OPTIONS *`: it asks the server, and no resource.
    pub(crate) fn is_for_all(&self) -> bool {
        self.0.path.is_empty() && self.0.method == Some(Methods::NONE)
    }

    /// What stands behind the first question mark.
    pub fn query(&self) -> Option<&str> {
        self.head().target().query()
    }

    /// HTTP/1.0 or HTTP/1.1.
    #[doc(alias = "clientproto")]
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The fields, in order, as they were sent.
    #[doc(alias = "requestHeaders")]
    pub fn fields(&self) -> Fields<'_> {
        self.head().fields()
    }

    /// The value of a header, of the last if there are more (R139); `None` also if it is no text.
    ///
    /// ```
    /// use ropewalk_web::{Name, Request};
    ///
    /// fn agent(request: &Request) -> &str {
    ///     request.header(Name::UserAgent).unwrap_or("somebody")
    /// }
    /// ```
    #[doc(alias = "getHeader")]
    pub fn header<'k>(&self, name: impl Into<Key<'k>>) -> Option<&str> {
        std::str::from_utf8(self.head().value(name)?).ok()
    }

    /// The fields, for those who work with the `http` crate.
    pub fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for field in self.fields().iter() {
            let name = http::HeaderName::from_bytes(field.name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_bytes(field.value)) {
                map.append(name, value);
            }
        }
        map
    }

    /// Whom the client wants to talk to: of the target, or of `Host`.
    #[doc(alias = "getRequestHostname")]
    pub fn authority(&self) -> Option<Authority<'_>> {
        self.head().authority()
    }

    // ── The connection ──────────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn carrier(&self) -> &Transport {
        self.0
            .carrier
            .as_ref()
            .expect("a request that somebody holds has its connection")
    }

    /// The reactor that serves it.
    pub fn reactor(&self) -> &Handle {
        self.carrier().reactor()
    }

    /// Where the client is, or the proxy before us unless it says for whom it asks by the PROXY protocol.
    #[doc(alias = "getClientAddress")]
    pub fn peer(&self) -> &Address {
        self.carrier().peer()
    }

    /// Our end.
    pub fn host(&self) -> &Address {
        self.carrier().host()
    }

    /// Whether nobody between can read it: the connection has TLS.
    #[doc(alias = "isSecure")]
    pub fn is_secure(&self) -> bool {
        self.fact::<Encrypted>().is_some()
    }

    fn claimed(&self) -> Client {
        match &self.0.proxies {
            Some(proxies) => proxies.client(self.peer(), &self.head()),
            None => Client {
                ip: self.peer().ip(),
                is_secure: None,
            },
        }
    }

    /// Whether the peer is a proxy that is believed.
    pub(crate) fn trusts_peer(&self) -> bool {
        (self.0.proxies.as_ref()).is_some_and(|proxies| proxies.trusts(self.peer()))
    }

    /// The address of the client: the peer's, or the one that a [trusted proxy](crate::TrustedProxies) asks for. `None` if it has none.
    #[doc(alias = "getClientIP")]
    pub fn client(&self) -> Option<IpAddr> {
        self.claimed().ip
    }

    /// `https` or `http`: how the client came, to us or to the [trusted proxy](crate::TrustedProxies) before us.
    pub fn scheme(&self) -> &'static str {
        match self.is_secure() || self.claimed().is_secure == Some(true) {
            true => "https",
            false => "http",
        }
    }

    /// What a layer of the connection found out: TLS, for example.
    pub fn fact<T: 'static>(&self) -> Option<Rc<T>> {
        self.carrier().fact()
    }

    // ── The body ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Whether there is a body, perhaps of no bytes.
    pub(crate) fn has_body(&self) -> bool {
        self.0.body.is_some()
    }

    /// The body, to be read as it comes. A client that waits for a go-ahead gets it when reading begins (R136).
    #[doc(alias = "content")]
    pub fn body(&self) -> Incoming {
        self.0.body.clone().unwrap_or_else(Incoming::empty)
    }

    /// The whole body, if it has no more than [`SiteLimits::body_bytes`](crate::SiteLimits::body_bytes).
    ///
    /// # Errors
    ///
    /// The body is longer (413), or ended early; by `?` in a handler that is the answer.
    pub async fn bytes(&self) -> Result<Bytes, BodyError> {
        self.body().collect(self.body_limit()).await
    }

    /// The whole body as text, within the same limit.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and when it is not UTF-8 (400).
    pub async fn text(&self) -> Result<String, BodyError> {
        let bytes = self.bytes().await?;
        String::from_utf8(bytes.into()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            BodyError::Malformed(format!("it is text, so in UTF-8, which ends at byte {at}"))
        })
    }

    /// How much of a body may be collected here.
    pub(crate) fn body_limit(&self) -> u64 {
        self.0.body_bytes
    }

    // ── The answer ──────────────────────────────────────────────────────────────────────────────────────────────────

    /// Answers later: `call` is given what to answer with, to be kept wherever the answer will come from.
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    /// use ropewalk_web::{Reply, Request, Responder};
    ///
    /// // A long poll: all who wait are answered at the next event.
    /// fn poll(waiting: &Rc<RefCell<Vec<Responder>>>, request: &Request) -> Reply {
    ///     request.respond_later(|responder| waiting.borrow_mut().push(responder))
    /// }
    /// ```
    #[doc(alias = "NOT_DONE_YET")]
    pub fn respond_later(&self, call: impl FnOnce(Responder)) -> Reply {
        call(Responder::new(self.clone()));
        Reply(When::Later)
    }

    /// Answers with the reply that a future gives: for what must wait before it asks another resource. The future is dropped, or what it
    /// waits for is cancelled, when the client leaves.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use ropewalk_web::{Reply, Request, Resource, Router};
    ///
    /// async fn is_open() -> bool {
    ///     true
    /// }
    ///
    /// fn gate(request: &Request, shop: Rc<Router>) -> Reply {
    ///     let asking = request.clone();
    ///     request.reply_later(async move {
    ///         match is_open().await {
    ///             true => shop.render(&asking),
    ///             false => "we are closed".into(),
    ///         }
    ///     })
    /// }
    /// ```
    pub fn reply_later(&self, future: impl Future<Output = Reply> + 'static) -> Reply {
        let task = self
            .reactor()
            .spawn(async { Ok::<_, Failure>(future.await) });
        self.0.exchange.set_task(task.canceller());
        let request = self.clone();
        task.on_result(move |result| match result {
            Ok(reply) => deliver(reply, &request),
            Err(failure) if !request.is_abandoned() => {
                request.order(Order::Respond(failure.into_response()));
            }
            Err(_) => {}
        });
        Reply(When::Later)
    }

    /// Changes the response on its way out, whoever makes it and whenever: for what wraps resources. The last that was added is the first
    /// that is called.
    pub fn on_response(&self, filter: impl FnOnce(&Self, Response) -> Response + 'static) {
        self.0.exchange.add_filter(Box::new(filter));
    }

    /// Sends 103 with these headers before the response, so that the client can begin to load what the page will need (RFC 8297).
    pub fn send_early_hints(&self, headers: Headers) {
        self.send_interim(StatusCode::EARLY_HINTS, headers);
    }

    pub(crate) fn send_interim(&self, status: StatusCode, headers: Headers) {
        self.order(Order::Interim(status, headers));
    }

    /// Fires when the response is out, and fails if the client leaves before (R141).
    #[doc(alias = "notifyFinish")]
    pub fn finished(&self) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(self.reactor());
        match self.0.exchange.phase() {
            Phase::Finished => drop(resolver.resolve(())),
            Phase::Gone => drop(resolver.fail(BodyError::Cut)),
            Phase::Unanswered | Phase::Answered => self.0.exchange.wait(resolver),
        }
        deferred
    }

    /// Calls this when the site is asked to stop while the request is not over, at once if it was before: for answers that may take for ever,
    /// such as long polls, which are better given now than cut at the deadline ([`Grace`](ropewalk_core::Grace)).
    ///
    /// ```
    /// use ropewalk_web::{Reply, Request, StatusCode};
    ///
    /// fn poll(request: &Request) -> Reply {
    ///     request.respond_later(|responder| {
    ///         // … or when there is something to tell.
    ///         request.on_shutting_down(move || responder.respond(StatusCode::NO_CONTENT));
    ///     })
    /// }
    /// ```
    pub fn on_shutting_down(&self, call: impl FnOnce() + 'static) {
        if matches!(self.0.exchange.phase(), Phase::Gone | Phase::Finished) {
            return;
        }
        if self.carrier().is_shutting_down() {
            self.reactor().call_soon(move |_| call());
            return;
        }
        self.0.exchange.on_stop(Box::new(call));
    }

    /// Whether the client is gone, so that an answer would reach nobody.
    pub fn is_abandoned(&self) -> bool {
        self.0.exchange.phase() == Phase::Gone
    }

    pub(crate) fn order(&self, order: Order) {
        if self.0.exchange.order(order) {
            self.carrier().call_soon(HttpServer::carry_out);
        }
    }

    // ── What travels with it ────────────────────────────────────────────────────────────────────────────────────────

    /// Keeps a value with the request, one of each type: what a wrapper found out for the resources below it.
    pub fn set<T: 'static>(&self, value: T) {
        let mut values = self.0.values.borrow_mut();
        values.retain(|other| !other.is::<T>());
        values.push(Rc::new(value));
    }

    /// The value of this type that somebody kept with the request.
    pub fn get<T: 'static>(&self) -> Option<Rc<T>> {
        let values = self.0.values.borrow();
        values
            .iter()
            .find_map(|value| Rc::clone(value).downcast().ok())
    }
}

impl Inner {
    fn take_head(&mut self, head: &RequestHead<'_>) {
        if head.keep_in(&mut self.head) {
            self.path.clear();
            self.path.push_str(head.path());
            self.method = Methods::of(head.method());
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Request({} {})",
            self.head().method().as_str(),
            self.target()
        )
    }
}
