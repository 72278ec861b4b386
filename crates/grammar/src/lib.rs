//! Sans-I/O grammars: rules that turn a stream of bytes into events and events into bytes.
//!
//! For: whoever has bytes (a protocol on the reactor, a test, a tool in a browser tab) and wants
//! lines, length-prefixed strings, netstrings, a [PROXY header](proxy), [HTTP/1.1](http1), [multipart bodies](multipart), [WebSocket](websocket), or
//! the protocols of [NATS](nats) and [Redis](resp). Not for: sockets, time, back-pressure or
//! decisions; those belong to the protocol that owns the grammar.
//!
//! ```text
//!   bytes ── receive ──► Input ── next_event ──► event, borrowed from the bytes     stop anywhere:
//!                          ▲  └── dropped ─────► the rest waits in the Backlog ──┐  pause, switch,
//!                          └───────────────────────────────────────────────────┘  discard
//!   event ── send ──► bytes appended to a Vec
//! ```
//!
//! What every grammar here guarantees (each is a test named `law_…`, and a fuzz target):
//!
//! - any split of the input gives the same events and the same error;
//! - what one end sends, the other end receives;
//! - a byte is searched once and copied at most a constant number of times, however the input is
//!   split, paused or switched between modes;
//! - a frame that lies whole in the received bytes is lent from there, without a copy;
//! - memory follows what has arrived, never what a length declares, and an idle grammar holds no
//!   buffer;
//! - no bytes of a peer can make it panic; the first broken rule ends the stream with one error.
//!
//! ```
//! use ropewalk_grammar::{Framing, LineEvent, LineGrammar};
//!
//! let mut grammar = LineGrammar::new();
//! let mut seen = Vec::new();
//! for chunk in [&b"HELO example\r"[..], b"\nQUIT\r\nunfin"] {
//!     let mut input = grammar.receive(chunk);
//!     while let Some(event) = input.next_event() {
//!         match event? {
//!             LineEvent::Line(line) => seen.push(line.to_vec()),
//!             LineEvent::Raw(_) => unreachable!("nobody switched to raw mode"),
//!         }
//!     }
//! }
//! assert_eq!(seen, [&b"HELO example"[..], b"QUIT"]);
//! assert_eq!(grammar.buffered(), b"unfin".len());
//! # Ok::<(), ropewalk_grammar::LineError>(())
//! ```

mod backlog;
mod cost;
mod delimiter;
mod framing;
pub mod http1;
pub mod inflate;
mod input;
mod length_prefixed;
mod line;
mod memory;
pub mod multipart;
pub mod nats;
mod netstring;
pub mod proxy;
pub mod resp;
pub mod websocket;
mod wire_line;

pub use backlog::Backlog;
pub use delimiter::Delimiter;
pub use framing::{Frame, Framing, Pending};
pub use input::{Counted, Input};
pub use length_prefixed::{LengthPrefixedError, LengthPrefixedGrammar, Width};
pub use line::{LineError, LineEvent, LineGrammar};
pub use netstring::{NetstringError, NetstringGrammar};
