//! What can be wrong about a value.

use std::error::Error;
use std::fmt;

/// A rule of RESP that was broken. Offsets are those of the stream, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RespError {
    /// No value begins with this byte.
    UnknownType {
        /// Where it is.
        offset: u64,
        /// The byte.
        found: u8,
    },
    /// A line does not say what it must, or does not end with CR LF.
    Malformed {
        /// Where the value begins.
        offset: u64,
        /// What must be there.
        expected: &'static str,
    },
    /// A value is longer than what is accepted.
    TooLong {
        /// Where it begins.
        offset: u64,
        /// The most bytes that are accepted.
        limit: usize,
    },
    /// Too many values are in one ([`MOST_VALUES`](super::RespGrammar::MOST_VALUES)).
    TooMany {
        /// Where the one that is too many is declared.
        offset: u64,
    },
    /// Values lie too deep in each other ([`MOST_DEPTH`](super::RespGrammar::MOST_DEPTH)).
    TooDeep {
        /// Where the deepest begins.
        offset: u64,
    },
    /// What was to be sent cannot be said: a line with CR or LF in it, too many values, or too deep.
    Unsayable,
}

impl fmt::Display for RespError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType { offset, found } => {
                let found = found.escape_ascii();
                write!(f, "byte {offset}: no value begins with {found}")
            }
            Self::Malformed { offset, expected } => {
                write!(f, "byte {offset}: {expected} must be here")
            }
            Self::TooLong { offset, limit } => write!(
                f,
                "byte {offset}: a value of more bytes than the {limit} that are accepted"
            ),
            Self::TooMany { offset } => write!(f, "byte {offset}: too many values in one"),
            Self::TooDeep { offset } => {
                write!(f, "byte {offset}: values lie too deep in each other")
            }
            Self::Unsayable => f.write_str("a value that cannot be said in RESP"),
        }
    }
}

impl Error for RespError {}
