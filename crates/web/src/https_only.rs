//! Pages that are not sent in clear.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::http1::Name;

use crate::methods::Methods;
use crate::page::{PAGE_CONTENT_TYPE, Page};
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};
use crate::response::Response;

/// A resource that only those get who ask by https; the others are sent there (308, which keeps method and body).
///
/// Whether it was https is asked of the connection, or of a [trusted proxy](crate::TrustedProxies). Where one goes is the host that one asked for;
/// a site whose answers are cached by others puts it below a [`NameVirtualHost`](crate::NameVirtualHost), so that no answer names a host that is
/// not ours.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{HttpsOnly, Request, Router, Site};
///
/// let site = Site::new(HttpsOnly::new(Router::new().get("/", |_: &Request| "secret")));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("GET /a?b HTTP/1.1\r\nHost: tea.example:8080\r\n\r\n");
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.starts_with("HTTP/1.1 308 ") && sent.contains("\r\nLocation: https://tea.example/a?b\r\n"));
/// ```
pub struct HttpsOnly {
    resource: Rc<dyn Resource>,
    port: u16,
    hsts: Option<HeaderValue>,
}

impl HttpsOnly {
    /// Serves `resource` to those who come by https; the others are sent to its usual port.
    pub fn new(resource: impl Resource) -> Self {
        Self {
            resource: Rc::new(resource),
            port: 443,
            hsts: None,
        }
    }

    /// The same, with https at another port.
    #[must_use]
    pub fn with_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The same, telling browsers to use nothing but https for this host for so long (RFC 6797). They will not be talked out of it, so
    /// begin with minutes.
    #[must_use]
    pub fn with_strict_transport(mut self, max_age: Duration) -> Self {
        let text = format!("max-age={}", max_age.as_secs());
        self.hsts = HeaderValue::try_from(text).ok();
        self
    }

    fn redirect(&self, request: &Request) -> Reply {
        let Some(authority) = request.authority() else {
            return StatusCode::BAD_REQUEST.into();
        };
        let mut location = format!("https://{}", authority.host());
        if self.port != 443 {
            location += &format!(":{}", self.port);
        }
        location += request.path();
        if let Some(query) = request.query() {
            location += &format!("?{query}");
        }
        let page = Page::of_redirect(308, &location).to_string();
        let response = Response::new(page)
            .with_status(StatusCode::PERMANENT_REDIRECT)
            .with_type(PAGE_CONTENT_TYPE)
            .with_header(Name::Location, location);
        response.map_or_else(|_| StatusCode::BAD_REQUEST.into(), Reply::from)
    }
}

impl Resource for HttpsOnly {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        if request.scheme() != "https" {
            return self.redirect(request);
        }
        if let Some(hsts) = self.hsts.clone() {
            request.on_response(|_, mut response| {
                let headers = response.headers_mut();
                headers.replace(Name::StrictTransportSecurity.into(), hsts);
                response
            });
        }
        serve(&*self.resource, request)
    }
}

impl fmt::Debug for HttpsOnly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpsOnly(port {})", self.port)
    }
}
