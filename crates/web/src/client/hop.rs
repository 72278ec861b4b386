//! One request of those that a call may take: the first, or what a redirect led to.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderValue, Method};
use percent_encoding::percent_decode_str;
use ropewalk_grammar::http1::Name;
use url::{Position, Url};

use super::redirects::{CREDENTIALS, OF_CONTENT};
use crate::body::{Body, Content};
use crate::headers::Headers;

pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Headers,
    pub(super) body: Body,
}

impl Hop {
    /// The credentials in the URL become a header, unless there is one.
    pub(super) fn new(method: Method, mut url: Url, mut headers: Headers, body: Body) -> Self {
        if let Some(basic) = credentials_of(&url) {
            if !headers.contains(Name::Authorization) {
                headers.replace(Name::Authorization.into(), basic);
            }
            strip_credentials(&mut url);
        }
        Self {
            method,
            url,
            headers,
            body,
        }
    }

    /// What a redirect leads to. Credentials stay behind when the origin changes (CL-01).
    pub(super) fn redirected(&self, url: Url, method: Method) -> Self {
        let mut headers = self.headers.clone();
        for name in OF_CONTENT {
            headers.remove(name);
        }
        if url.origin() != self.url.origin() {
            headers.remove(Name::Host);
            for name in CREDENTIALS {
                headers.remove(name);
            }
        }
        Self::new(method, url, headers, Body::empty())
    }

    /// The host and the port, if it is not the usual one.
    pub(super) fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// The path and the query.
    pub(super) fn path(&self) -> &str {
        &self.url[Position::BeforePath..Position::AfterQuery]
    }

    pub(super) fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it asks for another protocol.
    pub(super) fn upgrades(&self) -> bool {
        self.headers.contains(Name::Upgrade)
    }

    /// Whether it may be sent once more when nobody knows whether it arrived (R168).
    pub(super) fn is_repeatable(&self) -> bool {
        let has_body = !matches!(&self.body.0, Content::Bytes(bytes) if bytes.is_empty());
        !has_body && ropewalk_grammar::http1::Method::of(self.method.as_str()).is_idempotent()
    }

    pub(super) fn name(&self) -> String {
        name_of(&self.method, &self.url)
    }
}

/// How errors and logs name a request: without what is secret.
pub(super) fn name_of(method: &Method, url: &Url) -> String {
    let scheme = &url[..Position::BeforeUsername];
    let authority = &url[Position::BeforeHost..Position::AfterPort];
    format!("{method} {scheme}{authority}{}", url.path())
}

/// The name and password in a URL, as a header.
pub(super) fn credentials_of(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text| percent_decode_str(text).collect::<Vec<u8>>();
    Some(basic(
        &decoded(url.username()),
        &decoded(url.password().unwrap_or_default()),
    ))
}

pub(super) fn strip_credentials(url: &mut Url) {
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.expect("a URL that had credentials can have none");
}

/// RFC 7617.
pub(crate) fn basic(user: &[u8], password: &[u8]) -> HeaderValue {
    let text = BASE64_STANDARD.encode([user, b":", password].concat());
    secret(&format!("Basic {text}")).expect("base64 is visible ASCII")
}

/// A value that is not shown in logs.
pub(crate) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
