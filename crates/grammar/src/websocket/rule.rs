//! The rules of WebSocket that a peer can break once the handshake is over.

use std::error::Error;
use std::fmt;

use super::CloseCode;

/// A rule was broken by the peer: which one, where, and what to close with.
///
/// After it nothing more is read from the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WebSocketError {
    pub(super) rule: Rule,
    pub(super) offset: u64,
}

impl WebSocketError {
    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where in the stream the frame begins that broke it, counted from 0.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The code to close with.
    pub fn close_code(&self) -> CloseCode {
        self.rule.close_code()
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident, $code:ident, $message:literal;)*) => {
        /// A rule of RFC 6455, RFC 7692 or of ours; its section is in its description.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant),*];

            /// What to close with when it is broken.
            pub const fn close_code(self) -> CloseCode {
                match self {
                    $(Rule::$variant => CloseCode::$code,)*
                }
            }

            /// The rule in words; short enough for the reason of a close frame.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Rule::$variant => $message,)*
                }
            }
        }
    };
}

rules! {
    /// The reserved bits are zero, but for the first bit of a compressed message where compression was agreed on (RFC 6455
    /// 5.2, RFC 7692 6).
    ReservedBits, PROTOCOL_ERROR, "a reserved bit is set that no extension has given a meaning";
    /// The opcode is one of the six that have a meaning (RFC 6455 5.2).
    Opcode, PROTOCOL_ERROR, "the opcode is reserved";
    /// Control frames are not fragmented (RFC 6455 5.5).
    FragmentedControl, PROTOCOL_ERROR, "a control frame may not be fragmented";
    /// Control frames have at most 125 bytes (RFC 6455 5.5).
    ControlTooLong, PROTOCOL_ERROR, "a control frame has at most 125 bytes";
    /// A continuation continues a message (RFC 6455 5.4).
    StrayContinuation, PROTOCOL_ERROR, "a continuation without a message to continue";
    /// A message begins when the last one is whole (RFC 6455 5.4).
    MessageInMessage, PROTOCOL_ERROR, "a message begins before the last one has ended";
    /// Frames of a client are masked (RFC 6455 5.1).
    Unmasked, PROTOCOL_ERROR, "a client must mask its frames";
    /// Frames of a server are not masked (RFC 6455 5.1).
    Masked, PROTOCOL_ERROR, "a server must not mask its frames";
    /// A length takes as few bytes as it can (RFC 6455 5.2).
    LengthNotMinimal, PROTOCOL_ERROR, "a length must take as few bytes as it can";
    /// A length is below 2⁶³ (RFC 6455 5.2).
    LengthTooLarge, PROTOCOL_ERROR, "a length must be below 2^63";
    /// A message has a limit ([`Decoder::with_limit_bytes`](super::Decoder::with_limit_bytes)), compressed or not (WS-02, WS-04).
    MessageTooBig, TOO_BIG, "the message is longer than is accepted";
    /// Texts are UTF-8 (RFC 6455 8.1).
    Utf8, INVALID_DATA, "a text must be UTF-8";
    /// A compressed message decompresses (RFC 7692 7.2.2).
    Compression, INVALID_DATA, "a compressed message is damaged";
    /// A close frame is empty, or has a code of two bytes (RFC 6455 5.5.1).
    CloseLength, PROTOCOL_ERROR, "a close frame has no code or one of two bytes";
    /// The code of a close frame is one that may be sent (RFC 6455 7.4).
    CloseCode, PROTOCOL_ERROR, "a close frame has a code that may not be sent";
    /// The reason of a close frame is UTF-8 (RFC 6455 5.5.1).
    CloseReason, INVALID_DATA, "the reason of a close frame must be UTF-8";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rule, code) = (self.rule, self.close_code());
        write!(
            f,
            "the frame at byte {}: {rule} (close code {code})",
            self.offset
        )
    }
}

impl Error for WebSocketError {}
