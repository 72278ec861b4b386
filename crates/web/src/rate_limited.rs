//! Clients that ask too often.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::StatusCode;
use ropewalk_grammar::http1::Name;
use ropewalk_protocols::{PeerKey, RateLimit};

use crate::error_page::error_page;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};
use crate::response::Response;

/// A resource, and all below it, that each [client](Request::client) may ask only so often; else 429 with `Retry-After`.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{RateLimit, RateLimited, Request, Router, Site};
///
/// // Two at once, and then one every three seconds.
/// let limit = RateLimit::new(2, Duration::from_secs(3));
/// let site = Site::new(RateLimited::new(Router::new().get("/", |_: &Request| "tea"), limit));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3));
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert_eq!(sent.matches(" 200 OK\r\n").count(), 2);
/// assert!(sent.contains("HTTP/1.1 429 Too Many Requests\r\n") && sent.contains("\r\nRetry-After: 3\r\n"));
/// ```
pub struct RateLimited {
    resource: Rc<dyn Resource>,
    limit: RefCell<RateLimit<PeerKey>>,
}

impl RateLimited {
    /// Lets each client ask `resource` as often as `limit` says.
    pub fn new(resource: impl Resource, limit: RateLimit<PeerKey>) -> Self {
        Self {
            resource: Rc::new(resource),
            limit: RefCell::new(limit),
        }
    }
}

impl Resource for RateLimited {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        let client = request.client().map(PeerKey::from).unwrap_or_default();
        let taken = (self.limit.borrow_mut()).take(client, request.reactor().turn_time());
        match taken {
            Ok(()) => serve(&*self.resource, request),
            Err(wait) => come_back(StatusCode::TOO_MANY_REQUESTS, wait).into(),
        }
    }
}

/// A page that says when to come back.
pub(crate) fn come_back(status: StatusCode, wait: Duration) -> Response {
    let mut response = error_page(status, None);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let headers = response.headers_mut();
    headers.replace(Name::RetryAfter.into(), seconds.max(1).into());
    response
}

impl fmt::Debug for RateLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RateLimited")
            .field(&self.limit.borrow())
            .finish()
    }
}
