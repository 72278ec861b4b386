//! An answer that is no WebSocket.

use http::{HeaderValue, StatusCode};
use ropewalk_grammar::websocket::HandshakeRule;

use crate::field_name::FieldName;
use crate::header_error::HeaderError;
use crate::headers::Headers;
use crate::param_error::ParamError;
use crate::response::Response;
use crate::status_error::StatusError;

/// Why a server does not make a WebSocket of a request, and what it answers.
///
/// ```
/// use ropewalk_web::websocket::Refusal;
///
/// let refusal = Refusal::new(401, "who are you?").with_header("WWW-Authenticate", "Bearer")?;
/// let moved = Refusal::new(307, "the room has moved").with_header("Location", "wss://b.example/")?;
/// assert_eq!((refusal.status(), moved.status()), (401, 307));
/// # Ok::<(), ropewalk_web::HeaderError>(())
/// ```
///
/// A [`ParamError`] and a [`StatusError`] become one by `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: u16,
    headers: Headers,
    text: String,
}

impl Refusal {
    /// An answer of one's own, with a text for people.
    ///
    /// # Panics
    ///
    /// When the status is not from 300 to 599.
    #[must_use]
    pub fn new(status: u16, text: impl Into<String>) -> Self {
        assert!(
            (300..600).contains(&status),
            "Refusal::new({status}): give a status from 300 to 599"
        );
        Self {
            status,
            headers: Headers::new(),
            text: text.into(),
        }
    }

    /// The same with a header in the place of all of its name: a challenge, a place to go to, a type of its text.
    ///
    /// # Errors
    ///
    /// The name is no token, or the value could be read as more than one header (WS-05).
    pub fn with_header<N, V>(mut self, name: N, value: V) -> Result<Self, HeaderError>
    where
        N: TryInto<FieldName, Error: Into<HeaderError>>,
        V: TryInto<HeaderValue, Error: Into<HeaderError>>,
    {
        self.headers.set(name, value)?;
        Ok(self)
    }

    /// The status to answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The headers that belong to it.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// What to tell people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl From<HandshakeRule> for Refusal {
    fn from(rule: HandshakeRule) -> Self {
        let mut headers = Headers::new();
        for &(name, value) in rule.fields() {
            headers.replace(name.into(), HeaderValue::from_static(value));
        }
        Self {
            status: rule.status(),
            headers,
            text: rule.to_string(),
        }
    }
}

/// What the path says names nothing that is here: 404. That the route has no such parameter is our own fault: 500.
impl From<ParamError> for Refusal {
    fn from(error: ParamError) -> Self {
        let status = error.status();
        if status.is_server_error() {
            tracing::error!(%error, "a WebSocket could not be opened");
        }
        Self::new(
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
        )
    }
}

/// What is not from 300 to 599 becomes 500.
impl From<StatusError> for Refusal {
    fn from(error: StatusError) -> Self {
        let status = error.status().as_u16();
        let status = if status < 300 { 500 } else { status };
        Self::new(status.min(599), error.detail().unwrap_or_default())
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status);
        let status = status.expect("a refusal has a right status");
        let mut response = Self::text(refusal.text).with_status(status);
        for (name, value) in refusal.headers.iter() {
            response.headers_mut().replace(name.clone(), value.clone());
        }
        response
    }
}
