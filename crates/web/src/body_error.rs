//! Why a body could not be received as a whole.

use std::error::Error;
use std::fmt;

use http::StatusCode;

/// Why a body ended before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// It has more bytes than may be collected (H1-16).
    TooLarge {
        /// How many may be.
        limit_bytes: u64,
    },
    /// The peer left, or cut the connection, in the middle of it.
    Cut,
    /// The peer sent too little for too long.
    TooSlow,
    /// The peer broke the rules of HTTP.
    Malformed(String),
    /// Somebody else reads it, or has read it.
    Taken,
}

impl BodyError {
    /// What to answer to a client whose request has such a body.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Cut | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Taken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit_bytes } => {
                write!(
                    f,
                    "the body has more than {limit_bytes} bytes, which is the limit"
                )
            }
            Self::Cut => f.write_str("the connection ended within the body"),
            Self::TooSlow => f.write_str("the body came too slowly"),
            Self::Malformed(rule) => write!(f, "the body is malformed: {rule}"),
            Self::Taken => f.write_str("the body is being read, or was read, elsewhere"),
        }
    }
}

impl Error for BodyError {}
