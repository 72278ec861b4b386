//! How a WebSocket ended.

use std::fmt;

use ropewalk_core::Reason;
use ropewalk_grammar::websocket::CloseCode;

use super::shared::Goodbye;

/// How a WebSocket ended, told once.
///
/// ```
/// use ropewalk_web::websocket::{Ending, WebSocket, WebSocketProtocol};
///
/// struct Guest;
///
/// impl WebSocketProtocol for Guest {
///     fn connection_lost(&mut self, socket: &WebSocket, ending: &Ending<'_>) {
///         match ending.is_clean() {
///             true => println!("{} left with {}", socket.peer(), ending.code()),
///             false => println!("{} is gone: {}", socket.peer(), ending.reason()),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Ending<'a> {
    pub(super) goodbye: Option<&'a Goodbye>,
    pub(super) is_clean: bool,
    pub(super) reason: &'a Reason,
}

impl Ending<'_> {
    /// The peer's close code; 1005 if its close frame had none, 1006 if none came (RFC 6455 7.1.5).
    #[must_use]
    pub fn code(&self) -> u16 {
        code_of(self.goodbye)
    }

    /// The words of the peer's close frame, for whoever looks for a fault.
    #[must_use]
    pub fn words(&self) -> &str {
        self.goodbye.map_or("", |goodbye| &goodbye.words)
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
        if !self.words().is_empty() {
            write!(f, " {:?}", self.words())?;
        }
        match self.is_clean {
            true => Ok(()),
            false => write!(f, " ({})", self.reason),
        }
    }
}

/// The code of a WebSocket that has ended (RFC 6455 7.1.5).
pub(super) fn code_of(goodbye: Option<&Goodbye>) -> u16 {
    match goodbye {
        None => 1006,
        Some(goodbye) => goodbye.code.map_or(1005, CloseCode::number),
    }
}
