//! What is done for every request on its way to a resource.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::Resource;

/// A resource, and all below it, behind something that sees each request first: a filter for responses, a guard, a session.
///
/// What it found out it passes down by [`Request::set`]; responses it changes by [`Request::on_response`].
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{HeaderValue, Request, Router, Site, StatusCode, Wrapped};
///
/// let router = Router::new().get("/", |_: &Request| "tea");
/// let guarded = Wrapped::new(router, |request: &Request| {
///     request.on_response(|_, mut response| {
///         response.headers_mut().set("x-served-by", HeaderValue::from_static("Ropewalk")).expect("it is a name");
///         response
///     });
///     let may = request.header("x-key") == Some("open sesame");
///     (!may).then(|| StatusCode::FORBIDDEN.into())
/// });
/// let mut client = StringTransport::builder().factory(Site::new(guarded));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.starts_with("HTTP/1.1 403 ") && sent.contains("X-Served-By: Ropewalk\r\n"));
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\nX-Key: open sesame\r\n\r\n");
/// assert!(client.take_sent().ends_with(b"\r\n\r\ntea"));
/// ```
pub struct Wrapped<R, F> {
    inner: R,
    enter: F,
}

impl<R: Resource, F: Fn(&Request) -> Option<Reply> + 'static> Wrapped<R, F> {
    /// Has `enter` see each request for `inner` and what is below it, once; what it replies is answered instead.
    pub fn new(inner: R, enter: F) -> Self {
        Self { inner, enter }
    }
}

impl<R: Resource, F: Fn(&Request) -> Option<Reply> + 'static> Resource for Wrapped<R, F> {
    fn methods(&self) -> Methods {
        self.inner.methods()
    }

    fn is_leaf(&self) -> bool {
        self.inner.is_leaf()
    }

    fn child(&self, name: &str, request: &Request) -> Option<Rc<dyn Resource>> {
        match (self.enter)(request) {
            Some(reply) => Some(Rc::new(Instead(Cell::new(Some(reply))))),
            None => self.inner.child(name, request),
        }
    }

    fn render(&self, request: &Request) -> Reply {
        match (self.enter)(request) {
            Some(reply) => reply,
            None => self.inner.render(request),
        }
    }
}

/// Answers one request, for all that would be below.
struct Instead(Cell<Option<Reply>>);

impl Resource for Instead {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, _: &Request) -> Reply {
        let reply = self.0.take();
        reply.expect("it is made for one request, which is rendered once")
    }
}

impl<R: fmt::Debug, F> fmt::Debug for Wrapped<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Wrapped").field(&self.inner).finish()
    }
}
