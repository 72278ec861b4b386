//! A tree of resources on a port.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ropewalk_core::{Address, Factory, Protocol, Transport};
use ropewalk_grammar::http1::RequestHead;

use crate::access_log::AccessFormat;
use crate::error_page::{ErrorPage, Painter};
use crate::incoming::Incoming;
use crate::load::Load;
use crate::recent_heads::RecentHeads;
use crate::request::Request;
use crate::resource::Resource;
use crate::response::Response;
use crate::server::{AccessRecorder, HttpServer};
use crate::site_limits::SiteLimits;
use crate::trusted_proxies::TrustedProxies;

/// Serves a tree of resources by HTTP: a factory, to be given to `listen`. Clones serve the same tree.
///
/// ```
/// use ropewalk_core::Reactor;
/// use ropewalk_sim::SimDriver;
/// use ropewalk_web::{Request, Router, Site};
///
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// reactor.listen("tcp:127.0.0.1:80", Site::new(Router::new().get("/", |_: &Request| "hello")))?;
/// # Ok::<(), ropewalk_core::ListenError>(())
/// ```
#[doc(alias = "HTTPFactory")]
#[derive(Clone)]
pub struct Site(Rc<SiteShared>);

pub(crate) struct SiteShared {
    pub(crate) root: Rc<dyn Resource>,
    pub(crate) limits: SiteLimits,
    pub(crate) heads: RecentHeads,
    pub(crate) access: Option<Rc<AccessRecorder>>,
    pub(crate) proxies: Option<Rc<TrustedProxies>>,
    pub(crate) load: Load,
    pub(crate) painter: Option<Rc<Painter>>,
    pub(crate) shows_failures: bool,
    /// Requests whose memory serves the next ones.
    spare: RefCell<Vec<Request>>,
}

/// How many are kept: more are in use at the same time only when answers come later.
const SPARE_REQUESTS: usize = 8;

impl Site {
    /// Serves what is below `root`.
    pub fn new(root: impl Resource) -> Self {
        Self(Rc::new(SiteShared {
            root: Rc::new(root),
            limits: SiteLimits::default(),
            heads: RecentHeads::default(),
            access: None,
            proxies: None,
            load: Load::default(),
            painter: None,
            shows_failures: false,
            spare: RefCell::default(),
        }))
    }

    /// The same tree with other limits.
    #[must_use]
    pub fn with_limits(self, limits: SiteLimits) -> Self {
        self.changed(|site| site.limits = limits)
    }

    /// The same tree, with a log: `sink` is given a line, with its line feed, for each request that is over (R152).
    ///
    /// Requests that were refused have a line as well, and those whose client left before the answer, with the status 499, which is nginx's. Over
    /// is a request once the last byte of its answer was given to the connection. What came from the client is escaped (H1-18).
    ///
    /// ```
    /// use std::cell::RefCell;
    /// use std::rc::Rc;
    /// use ropewalk_testing::StringTransport;
    /// use ropewalk_web::{AccessFormat, Request, Router, Site};
    ///
    /// let lines = Rc::new(RefCell::new(Vec::new()));
    /// let log = lines.clone();
    /// let site = Site::new(Router::new().get("/", |_: &Request| "hello"))
    ///     .with_access_log(AccessFormat::Combined, move |line| log.borrow_mut().extend_from_slice(line));
    /// let mut client = StringTransport::builder().factory(site);
    /// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let line = String::from_utf8(lines.take()).unwrap();
    /// assert!(line.ends_with("\"GET / HTTP/1.1\" 200 5 \"-\" \"-\"\n"), "{line}");
    /// ```
    #[doc(alias = "logFormatter")]
    #[must_use]
    pub fn with_access_log(self, format: AccessFormat, sink: impl FnMut(&[u8]) + 'static) -> Self {
        self.changed(|site| site.access = Some(Rc::new(AccessRecorder::new(format, sink))))
    }

    /// The same tree, behind proxies that are believed when they say for whom they ask.
    #[must_use]
    pub fn with_trusted_proxies(self, proxies: TrustedProxies) -> Self {
        self.changed(|site| site.proxies = Some(Rc::new(proxies)))
    }

    /// The same tree, with pages of your own for errors; where `paint` makes none, the usual one is shown. The status stays.
    ///
    /// ```
    /// use ropewalk_testing::StringTransport;
    /// use ropewalk_web::{ErrorPage, Escaped, Request, Response, Router, Site};
    ///
    /// let paint = |_: &Request, error: &ErrorPage| {
    ///     let detail = Escaped(error.detail().unwrap_or_default());
    ///     Some(Response::html(format!("<h1>Sorry: {}</h1>{detail}", error.status())))
    /// };
    /// let site = Site::new(Router::new()).with_error_page(paint);
    /// let mut client = StringTransport::builder().factory(site);
    /// client.receive("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    /// let sent = String::from_utf8(client.take_sent()).unwrap();
    /// assert!(sent.starts_with("HTTP/1.1 404 ") && sent.contains("<h1>Sorry: 404 Not Found</h1>"));
    /// ```
    #[must_use]
    pub fn with_error_page(
        self,
        paint: impl Fn(&Request, &ErrorPage) -> Option<Response> + 'static,
    ) -> Self {
        self.changed(|site| site.painter = Some(Rc::new(paint)))
    }

    /// The same tree, whose pages tell clients what failed, and where: for developing, and never for the public (R148).
    #[doc(alias = "displayTracebacks")]
    #[must_use]
    pub fn dangerous_show_failures(self) -> Self {
        self.changed(|site| site.shows_failures = true)
    }

    fn changed(self, change: impl FnOnce(&mut SiteShared)) -> Self {
        let mut shared = SiteShared {
            root: Rc::clone(&self.0.root),
            limits: self.0.limits.clone(),
            heads: RecentHeads::default(),
            access: self.0.access.clone(),
            proxies: self.0.proxies.clone(),
            load: Load::default(),
            painter: self.0.painter.clone(),
            shows_failures: self.0.shows_failures,
            spare: RefCell::default(),
        };
        change(&mut shared);
        Self(Rc::new(shared))
    }
}

impl SiteShared {
    pub(crate) fn request(
        &self,
        head: &RequestHead<'_>,
        body: Option<Incoming>,
        carrier: &Transport,
    ) -> Request {
        let spare = self.spare.borrow_mut().pop();
        match spare {
            Some(mut spare) => {
                spare.set_carrier(Some(carrier.clone()));
                spare.renew(head, body);
                spare
            }
            None => Request::new(head, body, self, carrier),
        }
    }

    /// A request is over and cleared: its memory may serve the next of any connection.
    pub(crate) fn recycle(&self, mut request: Request) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_REQUESTS {
            request.set_carrier(None);
            spare.push(request);
        }
    }
}

impl Factory for Site {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(HttpServer::new(&self.0)))
    }

    fn accepts(&mut self, peer: &Address) -> bool {
        let accepts = self.0.load.accepts(peer.ip(), &self.0.limits);
        if !accepts {
            tracing::debug!(%peer, "a connection was refused: there are too many");
        }
        accepts
    }

    fn ended(&mut self, transport: &Transport) {
        let peer = transport.wire_peer().ip();
        self.0.load.ended(peer, &self.0.limits);
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
