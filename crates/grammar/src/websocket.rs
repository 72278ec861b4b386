//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692): handshakes, frames and messages, without a socket or a clock.
//!
//! For: whoever speaks WebSocket, on either side. Not for: heartbeats, time-outs, what a message means, or when to stop
//! reading; those belong to the protocol that owns a decoder.
//!
//! ```text
//!   request ─► ServerHandshake ─► fields of 101, or a HandshakeRule with its status
//!
//!   bytes ── receive ──► Input ── next_event ──► Text, Binary, Ping, Pong, Close       lent from the bytes
//!   event ── send ──► Encoder ──► bytes appended to a Vec
//! ```
//!
//! **Strict, and one profile.** Every [`Rule`] is in the standards, and the first that is broken ends the stream with its close
//! code. Where the standards leave a choice:
//!
//! - lengths take as few bytes as they can, as RFC 6455 5.2 says and few check;
//! - bad UTF-8 is told at the first bad byte, wherever the message is cut;
//! - codes of close frames are 1000 to 1003, 1007 to 1014 and 3000 to 4999;
//! - a message has one limit, whatever its fragments say and whatever it decompresses to;
//! - a final block in a compressed message ends its context too.
//!
//! **Extensions.** permessage-deflate is built in. Others can be offered and agreed to
//! ([`ClientHandshake::with_extension`], [`ServerHandshake::extensions`]) if what they do is done to whole messages, by whoever
//! sends and receives them; frames with reserved bits or opcodes stay broken rules.

mod assembly;
mod client_handshake;
mod close;
mod decoder;
#[cfg(feature = "deflate")]
mod deflate;
mod encoder;
mod extension;
mod frame;
mod input;
mod mask;
mod permessage;
mod rule;
mod server_handshake;
mod sha1;

pub use self::client_handshake::{Agreed, AnswerRule, ClientHandshake, NotAToken};
pub use self::close::{Close, CloseCode};
pub use self::decoder::Decoder;
#[cfg(feature = "deflate")]
pub use self::deflate::{Deflate, DeflateAgreed};
pub use self::encoder::{Encoder, Kind, SendError};
pub use self::extension::{Extension, ExtensionError, Parameter};
pub use self::input::{Assembled, Event, Input};
pub use self::rule::{Rule, WebSocketError};
pub use self::server_handshake::{HandshakeRule, ServerHandshake};

/// An end of a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that was connected to.
    Server,
    /// The end that connected; it masks what it sends.
    Client,
}

impl Role {
    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Server => Self::Client,
            Self::Client => Self::Server,
        }
    }
}
