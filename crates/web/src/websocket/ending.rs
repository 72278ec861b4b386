//! How a WebSocket ended.

use std::fmt;

use ropewalk_core::Reason;
use ropewalk_grammar::websocket::CloseCode;

/// How a WebSocket ended, told once.
#[derive(Debug)]
pub struct Ending<'a> {
    /// What the peer's close frame said, if one came; a close frame may say nothing.
    pub(super) code: Option<CloseCode>,
    pub(super) words: &'a str,
    pub(super) is_clean: bool,
    pub(super) reason: &'a Reason,
}

impl Ending<'_> {
    /// The peer's close code; 1005 if its close frame had none, 1006 if none came (RFC 6455 7.1.5).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self.code {
            Some(code) => code.number(),
            None if self.is_clean => 1005,
            None => 1006,
        }
    }

    /// The words of the peer's close frame, for whoever looks for a fault.
    #[must_use]
    pub fn words(&self) -> &str {
        self.words
    }

    /// Whether close frames went both ways.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.is_clean
    }

    /// What became of the connection below.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        self.reason
    }
}

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code())?;
        if !self.words.is_empty() {
            write!(f, " {:?}", self.words)?;
        }
        match self.is_clean {
            true => Ok(()),
            false => write!(f, " ({})", self.reason),
        }
    }
}
