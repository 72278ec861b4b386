//! Why there is no session.

use std::error::Error;
use std::fmt;

use http::StatusCode;

/// Why a request has no session, or a session does not take a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// Nothing above this resource brings sessions.
    NotWrapped,
    /// There are as many as may be, and all are in use.
    TooMany,
    /// What it would hold is longer than a cookie can be: so many bytes.
    TooLarge(usize),
    /// The value cannot be written as JSON.
    Value(Box<str>),
}

impl SessionError {
    /// What to answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWrapped => f.write_str(
                "this resource has no sessions; wrap it, or one above it, by Sessions::wrap or SealedSessions::wrap",
            ),
            Self::TooMany => {
                f.write_str("there are too many sessions; raise Sessions::with_limit if so many are right")
            }
            Self::TooLarge(bytes) => write!(
                f,
                "the session would have {bytes} bytes and a cookie holds 3000; keep what is longer on the server, by Sessions"
            ),
            Self::Value(problem) => write!(f, "a value of a session cannot be written as JSON: {problem}"),
        }
    }
}

impl Error for SessionError {}
