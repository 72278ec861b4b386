//! What a server answers.

use std::fmt;

use http::{HeaderValue, StatusCode};
use ropewalk_core::Protocol;
use ropewalk_grammar::http1::Name;

use crate::body::Body;
use crate::error_page::ErrorPage;
use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;
use crate::methods::Methods;

/// A response: status, headers and body.
///
/// `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` are written for you.
///
/// ```
/// use ropewalk_web::{Name, Response, StatusCode};
///
/// let response = Response::new("a pot of tea")
///     .with_status(StatusCode::IM_A_TEAPOT)
///     .with_header(Name::ContentLanguage, "en")?;
/// assert_eq!(response.status().as_u16(), 418);
/// # Ok::<(), ropewalk_web::HeaderError>(())
/// ```
pub struct Response {
    status: StatusCode,
    headers: Headers,
    body: Body,
    /// Whose page it is, until somebody gives it another body.
    pub(crate) error: Option<Box<ErrorPage>>,
    pub(crate) switch: Option<Box<dyn Protocol>>,
}

// Checked and put together once, by the compiler: every response of a usual kind has one.
const TEXT: Headers = Headers::of_type("text/plain; charset=utf-8");
const HTML: Headers = Headers::of_type("text/html; charset=utf-8");
pub(crate) const OCTETS: Headers = Headers::of_type("application/octet-stream");
#[cfg(feature = "json")]
pub(crate) const JSON: Headers = Headers::of_type("application/json");

impl Response {
    /// 200 with this body, and no type.
    pub fn new(body: impl Into<Body>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: Headers::new(),
            body: body.into(),
            error: None,
            switch: None,
        }
    }

    /// This status, and no body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self::new(Body::empty()).with_status(status)
    }

    /// 200 with this body and these headers.
    pub(crate) fn of(body: Body, headers: Headers) -> Self {
        Self {
            status: StatusCode::OK,
            headers,
            body,
            error: None,
            switch: None,
        }
    }

    /// 200 with text in UTF-8.
    pub fn text(text: impl Into<Body>) -> Self {
        Self::of(text.into(), TEXT)
    }

    /// 200 with a page in UTF-8. What came from a client must be escaped in it.
    pub fn html(page: impl Into<Body>) -> Self {
        Self::of(page.into(), HTML)
    }

    /// 101: the connection belongs to `protocol` from here on, which gets what has come behind the request (R161).
    ///
    /// `headers` have `Upgrade`, which names a protocol that the client asked for. If the client asked for none, the answer is
    /// 500 and the connection stays as it is.
    pub fn switch(headers: Headers, protocol: impl Protocol) -> Self {
        let mut response = Self::empty(StatusCode::SWITCHING_PROTOCOLS);
        response.headers = headers;
        response.switch = Some(Box::new(protocol));
        response
    }

    /// The same with another status.
    #[doc(alias = "setResponseCode")]
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a header in the place of all of its name.
    ///
    /// # Errors
    ///
    /// When the name is no token, or the value could be read as more than one header (R138).
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// The same with this `Content-Type`.
    ///
    /// # Panics
    ///
    /// When the text has a control character.
    #[must_use]
    pub fn with_type(self, content_type: &'static str) -> Self {
        self.of_type(HeaderValue::from_static(content_type))
    }

    /// The same with a type that was checked before.
    #[inline]
    pub(crate) fn of_type(mut self, content_type: HeaderValue) -> Self {
        self.headers.replace(Name::ContentType.into(), content_type);
        self
    }

    /// The same with these methods in `Allow`.
    pub(crate) fn allowing(mut self, methods: Methods) -> Self {
        let allow = HeaderValue::try_from(methods.to_string()).expect("methods are tokens");
        self.headers.replace(Name::Allow.into(), allow);
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        (self.body, self.error) = (body.into(), None);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// The body, to be changed or taken.
    pub fn body_mut(&mut self) -> &mut Body {
        self.error = None;
        &mut self.body
    }

    pub(crate) fn take_body(&mut self) -> Body {
        std::mem::take(&mut self.body)
    }
}

/// 200, and no body.
impl Default for Response {
    fn default() -> Self {
        Self::new(Body::empty())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &self.body)
            .field("switches", &self.switch.is_some())
            .finish()
    }
}

impl<B: Into<Body>> From<http::Response<B>> for Response {
    fn from(response: http::Response<B>) -> Self {
        let (parts, body) = response.into_parts();
        let mut converted = Self::new(body).with_status(parts.status);
        converted.headers = parts.headers.into();
        converted
    }
}
