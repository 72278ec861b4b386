//! Why a WebSocket could not be had.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime};

use ropewalk_grammar::http1::Name;
use ropewalk_grammar::websocket::AnswerRule;

use crate::client::AgentError;
use crate::http_date::HttpDate;

/// Why there is no WebSocket.
#[derive(Debug)]
#[non_exhaustive]
pub enum WebSocketConnectError {
    /// There was no answer: no connection, a proxy that opens no tunnel, a certificate that is not trusted, too much time,
    /// too many redirects, or what came is no HTTP.
    Request(AgentError),
    /// The server answered otherwise (R166).
    Refused(Box<Refused>),
    /// The server agreed to what was not asked.
    Answer(AnswerRule),
    /// The connection to this peer ended as soon as the server had agreed.
    Lost(String),
}

/// The answer of a server that refuses.
///
/// ```
/// use ropewalk_core::Failure;
/// use ropewalk_web::websocket::WebSocketConnectError;
///
/// fn why(failure: &Failure) -> String {
///     match failure.downcast_ref() {
///         Some(WebSocketConnectError::Refused(refused)) if refused.status == 401 => {
///             let challenge = refused.field("www-authenticate").unwrap_or_default();
///             format!("log in by {}", challenge.escape_ascii())
///         }
///         _ => failure.to_string(),
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// The status: 401, 404, 302 …
    pub status: u16,
    /// The fields, in order.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, of which at most 64 KiB are kept.
    pub body: Vec<u8>,
}

/// So much of a refusal is kept. Stops a server from filling memory with it.
pub(super) const MOST_BODY_BYTES: usize = 64 * 1024;

impl Refused {
    /// The value of the last field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.fields.iter().rev();
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        Some(&found.1)
    }

    /// How long the server asks to wait before the next attempt (`Retry-After`, RFC 9110 10.2.3), from `now` on.
    #[must_use]
    pub fn retry_after(&self, now: SystemTime) -> Option<Duration> {
        let text = std::str::from_utf8(self.field(Name::RetryAfter.as_str())?).ok()?;
        match text.trim().parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let date = HttpDate::parse(text.trim())?;
                Some(date.time().duration_since(now).unwrap_or_default())
            }
        }
    }

    /// The first line of the body, if it is for people, without the status that it may repeat.
    fn words(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let line = text.lines().next().unwrap_or_default().trim();
        let status = self.status.to_string();
        let line = line.strip_prefix(&status).unwrap_or(line).trim_start();
        let is_plain = !line.is_empty() && !line.starts_with('<');
        is_plain.then(|| line.chars().take(200).collect())
    }
}

impl fmt::Display for WebSocketConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.problem().fmt(f),
            Self::Refused(refused) => {
                write!(f, "the server refused with {}", refused.status)?;
                match refused.words() {
                    Some(words) => write!(f, ": {}", words.escape_debug()),
                    None => Ok(()),
                }
            }
            Self::Answer(rule) => rule.fmt(f),
            Self::Lost(peer) => write!(f, "the connection to {peer} ended as soon as it was open"),
        }
    }
}

impl Error for WebSocketConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Request(error) => error.source(),
            Self::Answer(rule) => Some(rule),
            Self::Refused(_) | Self::Lost(_) => None,
        }
    }
}
