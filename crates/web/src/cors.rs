//! Whom browsers let read what is answered to pages of other origins (the Fetch standard, CORS).
//!
//! For: services that pages of other sites call. Not for: keeping anybody out; only browsers obey, and only for scripts.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::http1::{Method, Name};

use crate::field_name::FieldName;
use crate::methods::Methods;
use crate::negotiate::add_vary;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};
use crate::response::Response;

/// A resource, and all below it, that pages of other origins may ask.
///
/// Preflights are answered here. Nobody is allowed unless named. What depends on the origin says so by `Vary`, so that no cache gives
/// it to another.
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Cors, Request, Router, Site};
///
/// let api = Router::new().get("/", |_: &Request| "tea");
/// let site = Site::new(Cors::new(api).with_origin("https://example.com"));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://example.com\r\n\r\n");
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.contains("\r\nAccess-Control-Allow-Origin: https://example.com\r\n"));
/// assert!(sent.contains("\r\nVary: Origin\r\n"));
/// ```
pub struct Cors {
    resource: Rc<dyn Resource>,
    policy: Rc<Policy>,
}

#[derive(Clone, Debug)]
struct Policy {
    /// None stands for all.
    origins: Option<Vec<HeaderValue>>,
    methods: Methods,
    headers: String,
    exposed: String,
    with_credentials: bool,
    max_age: Duration,
}

impl Cors {
    /// Nobody may ask yet. Methods are GET, HEAD and POST, headers those that need no permission.
    pub fn new(resource: impl Resource) -> Self {
        Self {
            resource: Rc::new(resource),
            policy: Rc::new(Policy {
                origins: Some(Vec::new()),
                methods: Methods::GET.and(Methods::POST),
                headers: String::new(),
                exposed: String::new(),
                with_credentials: false,
                max_age: Duration::from_secs(600),
            }),
        }
    }

    /// Pages of this origin may ask as well, such as `https://example.com`.
    ///
    /// # Panics
    ///
    /// When it is no origin: a scheme, a host and perhaps a port, with no slash behind.
    #[must_use]
    pub fn with_origin(self, origin: &str) -> Self {
        assert!(
            Self::is_origin(origin),
            "Cors::with_origin({origin:?}): an origin is like https://example.com or http://localhost:3000, without a path; for all there \
             is with_any_origin"
        );
        let value = HeaderValue::try_from(origin.to_ascii_lowercase()).expect("it is plain");
        self.changed(|policy| policy.origins.get_or_insert_default().push(value))
    }

    /// Whether a text is an origin, as [`with_origin`](Self::with_origin) wants it.
    #[must_use]
    pub fn is_origin(text: &str) -> bool {
        let (scheme, host) = text.split_once("://").unwrap_or_default();
        let is_plain = text.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
        !scheme.is_empty() && !host.is_empty() && !host.contains('/') && is_plain
    }

    /// Pages of all origins may ask, without credentials.
    #[must_use]
    pub fn with_any_origin(self) -> Self {
        self.changed(|policy| policy.origins = None)
    }

    /// By these methods.
    #[must_use]
    pub fn with_methods(self, methods: Methods) -> Self {
        self.changed(|policy| policy.methods = methods)
    }

    /// With this header in requests as well, such as `Content-Type` for JSON.
    ///
    /// # Panics
    ///
    /// When it is no name of a header.
    #[must_use]
    pub fn with_header(self, name: &str) -> Self {
        self.changed(|policy| add_name(&mut policy.headers, name))
    }

    /// This header of responses may be read by the page.
    ///
    /// # Panics
    ///
    /// When it is no name of a header.
    #[must_use]
    pub fn with_exposed_header(self, name: &str) -> Self {
        self.changed(|policy| add_name(&mut policy.exposed, name))
    }

    /// With cookies and passwords of the user.
    ///
    /// # Panics
    ///
    /// When pages of all origins may ask: each could do as its visitor all that he may do here.
    #[must_use]
    pub fn with_credentials(self) -> Self {
        self.changed(|policy| policy.with_credentials = true)
    }

    /// For how long a browser may remember the answer to a preflight: 10 minutes unless told otherwise.
    #[must_use]
    pub fn with_max_age(self, max_age: Duration) -> Self {
        self.changed(|policy| policy.max_age = max_age)
    }

    fn changed(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let policy = Rc::make_mut(&mut self.policy);
        change(policy);
        assert!(
            !policy.with_credentials || policy.origins.is_some(),
            "Cors: with credentials the origins must be named: give them by with_origin instead of with_any_origin"
        );
        self
    }
}

fn add_name(list: &mut String, name: &str) {
    let name = FieldName::try_from(name)
        .unwrap_or_else(|error| panic!("Cors: {name:?} is no name of a header: {error}"));
    add_vary(list, name.as_str());
}

impl Policy {
    /// What to call the origin in the answer, if its pages may read it.
    fn allowed(&self, origin: &str) -> Option<HeaderValue> {
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(origins) => {
                let mut origins = origins.iter();
                origins.find(|one| one.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))?;
                HeaderValue::try_from(origin).ok()
            }
        }
    }

    /// Marks a response as one that pages of this origin may read.
    fn mark(&self, origin: Option<&str>, response: &mut Response) {
        let headers = response.headers_mut();
        if self.origins.is_some() {
            headers.add_to_vary("Origin");
        }
        let Some(origin) = origin.and_then(|origin| self.allowed(origin)) else {
            return;
        };
        headers.replace(Name::AccessControlAllowOrigin.into(), origin);
        if self.with_credentials {
            let value = HeaderValue::from_static("true");
            headers.replace(Name::AccessControlAllowCredentials.into(), value);
        }
        if !self.exposed.is_empty() {
            let value = HeaderValue::try_from(&self.exposed).expect("names are tokens");
            headers.replace(Name::AccessControlExposeHeaders.into(), value);
        }
    }

    fn answer_preflight(&self, origin: &str) -> Response {
        let mut response = Response::empty(StatusCode::NO_CONTENT);
        self.mark(Some(origin), &mut response);
        let headers = response.headers_mut();
        headers.add_to_vary("Access-Control-Request-Method");
        headers.add_to_vary("Access-Control-Request-Headers");
        if !headers.contains(Name::AccessControlAllowOrigin) {
            return response;
        }
        let methods = self.methods.to_string();
        let texts = [
            (Name::AccessControlAllowMethods, methods),
            (Name::AccessControlAllowHeaders, self.headers.clone()),
            (
                Name::AccessControlMaxAge,
                self.max_age.as_secs().to_string(),
            ),
        ];
        for (name, text) in texts {
            if !text.is_empty() {
                let value = HeaderValue::try_from(text).expect("these are tokens and digits");
                headers.replace(name.into(), value);
            }
        }
        response
    }
}

impl Resource for Cors {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        let origin = request.header(Name::Origin);
        if let Some(origin) = origin
            && request.head().method() == Method::Options
            && request.header(Name::AccessControlRequestMethod).is_some()
        {
            return self.policy.answer_preflight(origin).into();
        }
        let policy = Rc::clone(&self.policy);
        request.on_response(move |request, mut response| {
            policy.mark(request.header(Name::Origin), &mut response);
            response
        });
        serve(&*self.resource, request)
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cors").field(&self.policy).finish()
    }
}
