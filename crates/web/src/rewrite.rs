//! Paths that mean others.

use std::fmt;
use std::rc::Rc;

use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};

/// A resource that is asked for other paths than the client wrote, such as those of a service that has moved.
///
/// The function sees the path as it was sent, percent-encoded, and gives one of the same kind, or `None` if it stands. Clients see nothing
/// of it; the target of the request, its query and the access log are as they were.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Request, Rewrite, Router, Site};
///
/// let router = Router::new().get("/shop/{id}", |request: &Request| request.path().to_owned());
/// let rewrite = Rewrite::new(router, |path: &str| {
///     path.strip_prefix("/old-shop/").map(|rest| format!("/shop/{rest}"))
/// });
/// let mut client = StringTransport::builder().factory(Site::new(rewrite));
/// client.receive("GET /old-shop/7 HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert!(client.take_sent().ends_with(b"\r\n\r\n/shop/7"));
/// ```
#[doc(alias = "RewriterResource")]
pub struct Rewrite<F> {
    resource: Rc<dyn Resource>,
    rule: F,
}

impl<F: Fn(&str) -> Option<String> + 'static> Rewrite<F> {
    /// Has `resource` asked for what `rule` makes of paths. It stands at the root of the tree, where the whole path is seen, and a path is
    /// rewritten once: a second one below it changes nothing.
    pub fn new(resource: impl Resource, rule: F) -> Self {
        Self {
            resource: Rc::new(resource),
            rule,
        }
    }
}

impl<F: Fn(&str) -> Option<String> + 'static> Resource for Rewrite<F> {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        if let Some(path) = (self.rule)(request.path()) {
            request.rewrite_path(path);
        }
        serve(&*self.resource, request)
    }
}

impl<F> fmt::Debug for Rewrite<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rewrite")
    }
}
