//! WebSocket on the reactor, for servers and clients.
//!
//! ```text
//!   WebSocketServer ─ Factory ──► reads the request itself ─┐
//!                   ├ Resource ─► in a Site                 ├─► WebSocketReceiver ─► your WebSocketProtocol
//!                   └ upgrade ──► wherever a head was read ─┤                          ▲ WebSocket, the handle
//!   WebSocketClient ─ connect, service ─► by an Agent ──────┘
//! ```
//!
//! For: messages, heartbeats, closing, slow peers, broadcasts. Not for: the rules of frames and handshakes, which are
//! [`ropewalk_grammar::websocket`]'s.
//!
//! ```
//! use ropewalk_testing::StringTransport;
//! use ropewalk_web::websocket::{WebSocket, WebSocketProtocol, WebSocketServer};
//!
//! struct Echo;
//!
//! impl WebSocketProtocol for Echo {
//!     fn text_received(&mut self, socket: &WebSocket, text: &str) {
//!         socket.send_text(text);
//!     }
//! }
//!
//! let mut browser = StringTransport::builder().factory(WebSocketServer::new(|_| Echo));
//! browser.receive("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
//! assert!(browser.take_sent().starts_with(b"HTTP/1.1 101 "));
//! browser.receive(b"\x81\x82\0\0\0\0hi");
//! assert_eq!(browser.take_sent(), b"\x81\x02hi");
//! ```
//!
//! # What is on by default
//!
//! | limit | stops |
//! | --- | --- |
//! | messages of 1 MiB, decompressed | a peer that sends for ever, or a bomb |
//! | a request within 10 s, of 16 KiB | clients that begin and never end |
//! | a ping after 30 s of silence, the end after 20 s more | peers that are dead, and hold memory for ever |
//! | the peer's close within 10 s of ours | peers that never agree to part |
//! | reading stops while 64 KiB wait to be sent | peers that ask and do not read |
//! | pages of the own host only | pages of others, that speak in the user's name |

mod asking;
mod awaiters;
mod client;
mod connect_error;
mod conversation;
#[cfg(feature = "cores")]
mod core_link;
mod ending;
mod envelope;
mod frames;
mod gap;
mod members;
mod message;
mod opening;
mod options;
mod origins;
mod outgoing;
mod pending;
mod protocol;
mod published;
mod receiver;
mod refusal;
mod server;
mod service;
mod shared;
mod socket;
mod terms;
mod topic;
mod topics;
mod upgrading;

pub use ropewalk_grammar::websocket::{
    AnswerRule, Close, CloseCode, Deflate, Extension, ExtensionError, HandshakeRule, Kind,
    NotAToken, Parameter, Rule, SendError, WebSocketError,
};

pub use self::client::{WebSocketClient, connect};
pub use self::connect_error::{Refused, WebSocketConnectError};
pub use self::conversation::{Conversation, Talk};
pub use self::ending::Ending;
pub use self::gap::Gap;
pub use self::message::Message;
pub use self::opening::Opening;
pub use self::options::WebSocketOptions;
pub use self::origins::Origins;
pub use self::outgoing::OutgoingMessage;
pub use self::pending::SlowPeer;
pub use self::protocol::WebSocketProtocol;
pub use self::published::Published;
pub use self::receiver::WebSocketReceiver;
pub use self::refusal::Refusal;
pub use self::server::{Upgrade, WebSocketServer};
pub use self::service::WebSocketService;
pub use self::socket::WebSocket;
pub use self::topic::Topic;
pub use self::topics::{TopicNameError, Topics};
