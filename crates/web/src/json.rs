//! JSON, by serde: answered, and read.

use std::error::Error;
use std::fmt;

use http::StatusCode;
use ropewalk_grammar::http1::Name;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::body_error::BodyError;
use crate::into_response::IntoResponse;
use crate::request::Request;
use crate::response::{JSON, Response};

/// Most answers have no more, so that they are written without moving what is written.
const FIRST_BYTES: usize = 1024;

/// Answers a value as JSON.
///
/// ```
/// use ropewalk_web::{IntoResponse, Json};
///
/// let response = Json(vec![1, 2]).into_response();
/// assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
/// assert_eq!(response.body().known_length(), Some(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut text = Vec::with_capacity(FIRST_BYTES);
        match serde_json::to_writer(&mut text, &self.0) {
            Ok(()) => Response::of(text.into(), JSON),
            Err(error) => ropewalk_core::Failure::new(error).into_response(),
        }
    }
}

/// Why a request has no such JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// Its `Content-Type`, if it has one, is neither `application/json` nor `…+json`. Scripts of other sites can send only other types
    /// without being asked, so this guards against them too.
    Type(Option<Box<str>>),
    /// It is no JSON, or not of the wanted shape: what is wrong, with line and column.
    Content(Box<str>),
    /// The body did not come, or is too long.
    Body(BodyError),
}

impl Request {
    /// The body, read as JSON, if it is no longer than [`SiteLimits::body_bytes`](crate::SiteLimits::body_bytes).
    ///
    /// ```
    /// use ropewalk_testing::StringTransport;
    /// use ropewalk_web::{Failure, Request, Router, Site};
    ///
    /// async fn sum(request: Request) -> Result<String, Failure> {
    ///     let numbers: Vec<i64> = request.json().await?;
    ///     Ok(numbers.iter().sum::<i64>().to_string())
    /// }
    ///
    /// let mut client = StringTransport::builder().factory(Site::new(Router::new().post("/sum", sum)));
    /// client.receive("POST /sum HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\n[1, 2]");
    /// client.settle();
    /// assert!(client.take_sent().ends_with(b"\r\n\r\n3"));
    /// ```
    ///
    /// # Errors
    ///
    /// The type is another (415), the body is no JSON of that shape (400), is too long (413) or ended early; by `?` in a handler that
    /// is the answer, with what is wrong in it.
    pub async fn json<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        let content_type = self.header(Name::ContentType);
        if !content_type.is_some_and(is_json) {
            return Err(JsonError::Type(content_type.map(Into::into)));
        }
        self.dangerous_json_of_any_type().await
    }

    /// The same of a body that is said to be anything else, or nothing, as `curl -d` says it is a form.
    ///
    /// Dangerous where a browser is trusted by a cookie or by where it is: pages of other sites can send such requests from it without being
    /// asked. It is not where nobody is trusted, or by what only he knows.
    ///
    /// # Errors
    ///
    /// As [`json`](Self::json), but for the type.
    pub async fn dangerous_json_of_any_type<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        let text = self.bytes().await.map_err(JsonError::Body)?;
        serde_json::from_slice(&text).map_err(|error| JsonError::Content(error.to_string().into()))
    }
}

/// RFC 8259 11, RFC 6839 3.1.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

impl JsonError {
    /// What to answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Type(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Content(_) => StatusCode::BAD_REQUEST,
            Self::Body(error) => error.status(),
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(Some(other)) => write!(
                f,
                "the body is {}; send Content-Type: application/json",
                other.escape_debug()
            ),
            Self::Type(None) => {
                f.write_str("the body has no type; send Content-Type: application/json")
            }
            Self::Content(problem) => write!(f, "the JSON in the body is not right: {problem}"),
            Self::Body(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl Error for JsonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Body(error) => Some(error),
            _ => None,
        }
    }
}
