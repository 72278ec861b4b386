//! What a server answered.

use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use ropewalk_grammar::http1::{Fields, KeptHead, Key, Name, Response, ResponseHead, Version};
use url::Url;

use super::agent_error::{AgentError, AgentProblem};
use super::agent_limits::AgentLimits;
use super::current::{Answer, header_map};
use super::hop::{Hop, name_of};
use super::upgraded::Upgraded;
use crate::incoming::Incoming;

/// A response: its head is here, its body is read from the socket as it is asked for (R167).
///
/// One that is dropped with its body unread costs the connection, unless the rest is short.
pub struct ClientResponse {
    head: KeptHead<Response>,
    status: StatusCode,
    body: Incoming,
    switched: Option<Upgraded>,
    method: Method,
    url: Url,
    passed: Vec<Url>,
    limits: Rc<AgentLimits>,
}

impl ClientResponse {
    pub(super) fn new(
        answer: Answer,
        status: StatusCode,
        hop: Hop,
        passed: Vec<Url>,
        limits: Rc<AgentLimits>,
    ) -> Self {
        Self {
            head: answer.head,
            status,
            body: answer.body,
            switched: answer.switched.map(Upgraded::new),
            method: hop.method,
            url: hop.url,
            passed,
            limits,
        }
    }

    /// The status.
    #[doc(alias = "code")]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The head, as the grammar read it.
    pub fn head(&self) -> ResponseHead<'_> {
        self.head.head()
    }

    /// HTTP/1.0 or HTTP/1.1.
    pub fn version(&self) -> Version {
        self.head().version()
    }

    /// The fields, in order, as they were sent: also `Content-Encoding` and `Content-Length` of a body that is decompressed here.
    pub fn fields(&self) -> Fields<'_> {
        self.head().fields()
    }

    /// The value of a header, of the last if there are more; `None` also if it is no text.
    pub fn header<'k>(&self, name: impl Into<Key<'k>>) -> Option<&str> {
        std::str::from_utf8(self.head().value(name)?).ok()
    }

    /// The fields, for those who work with the `http` crate.
    pub fn header_map(&self) -> HeaderMap {
        header_map(self.fields())
    }

    /// Where it came from, redirects followed.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it was asked for before, and each time redirected from.
    #[doc(alias = "previousResponse")]
    pub fn redirected_from(&self) -> &[Url] {
        &self.passed
    }

    /// The body, to be read as it comes, decompressed. [`Incoming::end`] tells whether it may have been cut.
    #[doc(alias = "deliverBody")]
    pub fn body(&self) -> Incoming {
        self.body.clone()
    }

    /// The whole body, if it has no more than [`AgentLimits::body_bytes`].
    ///
    /// # Errors
    ///
    /// It is longer, or did not come whole.
    #[doc(alias = "readBody")]
    pub async fn bytes(self) -> Result<Bytes, AgentError> {
        let collected = self.body.collect(self.limits.body_bytes).await;
        collected.map_err(|error| AgentError::new(name_of(&self.method, &self.url), error))
    }

    /// The whole body as text: UTF-8, or ISO 8859-1 if its type says so.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and when it is no text of its kind.
    pub async fn text(self) -> Result<String, AgentError> {
        let charset = self
            .header(Name::ContentType)
            .and_then(charset_of)
            .unwrap_or_default();
        let name = name_of(&self.method, &self.url);
        let bytes = self.bytes().await?;
        let wrong = |why: String| AgentError::new(name, AgentProblem::Decode(why));
        match charset.as_str() {
            "" | "utf-8" | "utf8" | "us-ascii" => {
                String::from_utf8(bytes.into()).map_err(|error| {
                    let at = error.utf8_error().valid_up_to();
                    wrong(format!(
                        "the body is no UTF-8 from byte {at} on; ask for its bytes instead"
                    ))
                })
            }
            "iso-8859-1" | "latin1" => Ok(bytes.iter().map(|&byte| char::from(byte)).collect()),
            other => Err(wrong(format!(
                "the body is text in {}, which is not known here; ask for its bytes instead",
                other.escape_debug()
            ))),
        }
    }

    /// The whole body, read as JSON, whatever its type says.
    ///
    /// # Errors
    ///
    /// As [`bytes`](Self::bytes), and when it is not the JSON of such a value.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, AgentError> {
        let name = name_of(&self.method, &self.url);
        let bytes = self.bytes().await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let why = format!("the body is not the JSON that was expected: {error}");
            AgentError::new(name, AgentProblem::Decode(why))
        })
    }

    /// The same, unless the status is 400 or above.
    ///
    /// # Errors
    ///
    /// [`AgentProblem::Status`].
    pub fn error_for_status(self) -> Result<Self, AgentError> {
        match self.status.as_u16() {
            400.. => {
                let name = name_of(&self.method, &self.url);
                Err(AgentError::new(name, AgentProblem::Status(self.status)))
            }
            _ => Ok(self),
        }
    }

    /// The connection, if the server agreed to another protocol (101); once.
    pub fn take_upgraded(&mut self) -> Option<Upgraded> {
        self.switched.take()
    }
}

/// The `charset` of a type, in small letters.
fn charset_of(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').skip(1);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_it = name.trim().eq_ignore_ascii_case("charset");
        is_it.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    })
}

impl fmt::Debug for ClientResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientResponse")
            .field("request", &name_of(&self.method, &self.url))
            .field("status", &self.status)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
