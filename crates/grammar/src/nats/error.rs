//! What can be wrong about an operation.

use std::error::Error;
use std::fmt;

/// A rule of the NATS protocol that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NatsError {
    /// A line has more than [`LINE_BYTES`](super::NatsGrammar::LINE_BYTES).
    LineTooLong {
        /// Where in the stream it begins, counted from 0.
        offset: u64,
    },
    /// A line begins with no operation that there is.
    UnknownOperation {
        /// Where in the stream it begins, counted from 0.
        offset: u64,
    },
    /// The fields of an operation are not as they must be.
    Malformed {
        /// Where in the stream it begins, counted from 0.
        offset: u64,
        /// How it is written.
        form: &'static str,
    },
    /// A payload is declared longer than what is accepted.
    PayloadTooLong {
        /// Where in the stream the operation begins, counted from 0.
        offset: u64,
        /// The length that was declared.
        declared: u64,
        /// The longest that was accepted.
        limit: usize,
    },
    /// CR LF must follow a line and a payload.
    MissingEnd {
        /// Where in the stream, counted from 0.
        offset: u64,
    },
    /// What was to be sent has a subject or another name that cannot be said: it is empty, has blanks, control characters,
    /// empty tokens, or wildcards where none may be.
    Unsayable,
}

impl fmt::Display for NatsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { offset } => write!(
                f,
                "byte {offset}: a line of more than {} bytes",
                super::NatsGrammar::LINE_BYTES
            ),
            Self::UnknownOperation { offset } => {
                write!(f, "byte {offset}: this is no operation of NATS")
            }
            Self::Malformed { offset, form } => {
                write!(f, "byte {offset}: it must be written {form}")
            }
            Self::PayloadTooLong {
                offset,
                declared,
                limit,
            } => write!(
                f,
                "byte {offset}: a payload of {declared} bytes, where {limit} are accepted"
            ),
            Self::MissingEnd { offset } => {
                write!(f, "byte {offset}: CR LF must be here")
            }
            Self::Unsayable => f.write_str("a name that cannot be said in NATS"),
        }
    }
}

impl Error for NatsError {}
