//! Why a WebSocket was closed (RFC 6455 7.4).

use std::fmt;

/// A status code of a close frame that may be sent: 1000 to 1003, 1007 to 1014, or 3000 to 4999.
///
/// The codes that only say how a connection ended without one (1005, 1006, 1015) cannot be made.
///
/// ```
/// use ropewalk_grammar::websocket::CloseCode;
///
/// assert_eq!(CloseCode::of(1000), Some(CloseCode::NORMAL));
/// assert_eq!(CloseCode::of(1006), None);
/// assert_eq!(CloseCode::of(4000).unwrap().number(), 4000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

/// What a close frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// The code; none if the frame is empty, which RFC 6455 calls 1005.
    pub code: Option<CloseCode>,
    /// Words for those who look for the fault; not for users.
    pub reason: &'a str,
}

impl CloseCode {
    /// What the connection was for is done.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint goes away: a server stops, a page is left.
    pub const GOING_AWAY: Self = Self(1001);
    /// The peer broke a rule of the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data came that the endpoint does not take.
    pub const UNSUPPORTED: Self = Self(1003);
    /// A text that is not UTF-8, or data that is not what its type says.
    pub const INVALID_DATA: Self = Self(1007);
    /// A message broke a rule of the application.
    pub const POLICY: Self = Self(1008);
    /// A message was larger than is accepted.
    pub const TOO_BIG: Self = Self(1009);
    /// The client misses an extension in the server's answer.
    pub const EXTENSION_MISSING: Self = Self(1010);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The server starts anew; come back after a while.
    pub const RESTART: Self = Self(1012);
    /// The server has too much to do, or the client reads too slowly; try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// A gateway got a bad answer.
    pub const BAD_GATEWAY: Self = Self(1014);

    /// The longest reason, in bytes: a close frame has at most 125, of which the code takes two.
    pub const REASON_BYTES: usize = 123;

    /// The code of this number, if it may be sent.
    pub const fn of(number: u16) -> Option<Self> {
        match number {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
