//! What cannot be sent as a header.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use http::header::InvalidHeaderValue;

/// A header that could be read as more than one, or as none: it is never sent, and never silently repaired (R138, H1-15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Name(Box<str>),
    Value,
    Handshake(Box<str>),
}

impl HeaderError {
    pub(crate) fn name(text: &str) -> Self {
        Self(Problem::Name(text.escape_debug().to_string().into()))
    }

    pub(crate) fn value() -> Self {
        Self(Problem::Value)
    }

    /// A header that a WebSocket's handshake makes.
    pub(crate) fn of_handshake(name: &str) -> Self {
        Self(Problem::Handshake(name.into()))
    }
}

impl From<InvalidHeaderValue> for HeaderError {
    fn from(_: InvalidHeaderValue) -> Self {
        Self(Problem::Value)
    }
}

impl From<Infallible> for HeaderError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Name(name) => write!(f, "'{name}' is no name of a header: it may have letters, digits and !#$%&'*+-.^_`|~"),
            Problem::Handshake(name) => write!(
                f,
                "'{name}' is made by the handshake: offer subprotocols by with_subprotocol, extensions by with_extension, compression by the options' deflate"
            ),
            Problem::Value => f.write_str(
                "the value of a header has a control character, such as a line break; it may have visible characters, blanks and tabs",
            ),
        }
    }
}

impl Error for HeaderError {}
