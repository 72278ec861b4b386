//! Headers by which browsers protect the visitors of a page.

use std::fmt;
use std::rc::Rc;

use http::HeaderValue;
use ropewalk_grammar::http1::Name;

use crate::field_name::FieldName;
use crate::methods::Methods;
use crate::reply::Reply;
use crate::request::Request;
use crate::resource::{Resource, serve};

/// A resource, and all below it, whose responses get headers against common attacks, unless they have them already:
///
/// | header | value | against |
/// | --- | --- | --- |
/// | `X-Content-Type-Options` | `nosniff` | uploads that are read as scripts |
/// | `X-Frame-Options` | `SAMEORIGIN` | clicks that are meant for another page |
/// | `Referrer-Policy` | `strict-origin-when-cross-origin` | paths with secrets that other sites learn |
/// | `Content-Security-Policy` | yours, by [`with_policy`](Self::with_policy) | scripts that somebody else put into a page |
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Request, Router, SecureHeaders, Site};
///
/// let pages = Router::new().get("/", |_: &Request| "tea");
/// let site = Site::new(SecureHeaders::new(pages).with_policy("default-src 'self'"));
/// let mut client = StringTransport::builder().factory(site);
/// client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let sent = String::from_utf8(client.take_sent()).unwrap();
/// assert!(sent.contains("\r\nX-Content-Type-Options: nosniff\r\n"));
/// assert!(sent.contains("\r\nContent-Security-Policy: default-src 'self'\r\n"));
/// ```
pub struct SecureHeaders {
    resource: Rc<dyn Resource>,
    headers: Rc<Vec<(FieldName, HeaderValue)>>,
}

impl SecureHeaders {
    /// The headers of the table, without a policy of content, which only you know.
    pub fn new(resource: impl Resource) -> Self {
        let header = |name: Name, value| (name.into(), HeaderValue::from_static(value));
        Self {
            resource: Rc::new(resource),
            headers: Rc::new(vec![
                header(Name::XContentTypeOptions, "nosniff"),
                header(Name::XFrameOptions, "SAMEORIGIN"),
                header(Name::ReferrerPolicy, "strict-origin-when-cross-origin"),
            ]),
        }
    }

    /// The same with a `Content-Security-Policy`.
    ///
    /// # Panics
    ///
    /// When the text has a control character.
    #[must_use]
    pub fn with_policy(mut self, policy: &'static str) -> Self {
        let header = (
            Name::ContentSecurityPolicy.into(),
            HeaderValue::from_static(policy),
        );
        Rc::make_mut(&mut self.headers).push(header);
        self
    }
}

impl Resource for SecureHeaders {
    fn methods(&self) -> Methods {
        Methods::ALL
    }

    fn is_leaf(&self) -> bool {
        true
    }

    fn render(&self, request: &Request) -> Reply {
        let wanted = Rc::clone(&self.headers);
        request.on_response(move |_, mut response| {
            let headers = response.headers_mut();
            for (name, value) in &*wanted {
                if !headers.contains(name) {
                    headers.push(name.clone(), value.clone());
                }
            }
            response
        });
        serve(&*self.resource, request)
    }
}

impl fmt::Debug for SecureHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecureHeaders").field(&self.headers).finish()
    }
}
