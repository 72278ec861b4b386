//! Why a WebSocket could not be had.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use ropewalk_core::Reason;
use ropewalk_grammar::http1::{Http1Error, SendError};
use ropewalk_grammar::websocket::AnswerRule;

/// Why a server that was reached gave no WebSocket; see [`ConnectError`](ropewalk_core::ConnectError) for one that was not.
#[derive(Debug)]
#[non_exhaustive]
pub enum WebSocketConnectError {
    /// The request cannot be sent: a header is doubled, or has blanks around it.
    Request(SendError),
    /// It answered otherwise (R166).
    Refused(Box<Refused>),
    /// It agreed to what was not asked.
    Answer(AnswerRule),
    /// Its answer is not HTTP.
    Http(Http1Error),
    /// It did not answer in time.
    TimedOut(Duration),
    /// The connection ended before the answer was there.
    Lost(String),
}

/// The answer of a server that refuses.
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
}

impl WebSocketConnectError {
    pub(super) fn lost(reason: &Reason) -> Self {
        Self::Lost(reason.to_string())
    }
}

impl fmt::Display for WebSocketConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => {
                write!(f, "the server refused with {}", refused.status)?;
                let text = String::from_utf8_lossy(&refused.body);
                let line = text.lines().next().unwrap_or_default().trim();
                match line.is_empty() || line.starts_with('<') {
                    true => Ok(()),
                    false => write!(
                        f,
                        ": {}",
                        line.chars().take(200).collect::<String>().escape_debug()
                    ),
                }
            }
            Self::Request(error) => error.fmt(f),
            Self::Answer(rule) => rule.fmt(f),
            Self::Http(error) => write!(f, "the server does not speak HTTP: {error}"),
            Self::TimedOut(after) => write!(f, "the server did not answer within {after:?}"),
            Self::Lost(why) => write!(f, "the connection ended before the server answered: {why}"),
        }
    }
}

impl Error for WebSocketConnectError {}
