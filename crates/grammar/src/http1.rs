//! HTTP/1.1 and 1.0 (RFC 9110, RFC 9112): what servers and clients hear and say, without a socket, a clock or a buffer of their own.
//!
//! For: whoever speaks HTTP, on either side, or reads it from elsewhere. Not for: what resources are, time-outs, limits on
//! bodies, or when to stop reading; those belong to the protocol that owns a decoder.
//!
//! ```text
//!   bytes ── receive ──► Input ── next_event ──► Head, Body…, Trailers, End     lent from the bytes
//!                          └───── dropped ─────► the rest waits: a pause, a request not answered yet
//!
//!   ServerExchange, ClientExchange: one request and its response ── send_… ──► bytes appended to a Vec
//! ```
//!
//! **Strict, and one profile.** Two parsers that understand a message differently let one request be hidden in another; so
//! nothing is guessed, repaired or skipped. Each [`Rule`] is in the standards or stricter; the first that is broken ends the stream,
//! with the byte's place and the status to answer. Where the standards leave a choice:
//!
//! - one empty line before a request is passed over, a second is not;
//! - any second `Content-Length` is refused, also an equal one; so is any blank but one space around it and `Transfer-Encoding`;
//! - a target is of visible ASCII without `#`; what browsers leave unencoded (`{`, `|`, `"`) passes, UTF-8 does not;
//! - no blank stands in the line of a chunk, not even those that the standard calls bad and suffers;
//! - HTTP/1.0 connections end after one response (R131), and their requests with content have a length;
//! - `Host` may be empty; a user name before a host is refused, and so are marks that the standard allows in a host and none has (`!$&'()*+,;=`);
//! - a trailer that belongs in the head is refused, not dropped;
//! - responses obey the same rules: no folding, no bare LF, one length.
//!
//! A server on it, whole:
//!
//! ```
//! use ropewalk_grammar::http1::{
//!     AfterExchange, BodyLength, Event, Http1Error, Name, RequestDecoder, SendError, ServerExchange, reason_phrase,
//!     send_response_head,
//! };
//!
//! struct Server {
//!     decoder: RequestDecoder,
//!     exchange: Option<ServerExchange>,
//! }
//!
//! impl Server {
//!     /// Appends answers to `out`; tells whether the connection stays open.
//!     fn data_received(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<bool, SendError> {
//!         let mut input = self.decoder.receive(data);
//!         while let Some(event) = input.next_event() {
//!             let event = match event {
//!                 Ok(event) => event,
//!                 Err(error) => {
//!                     let (status, close) = (error.status(), [(Name::Connection, "close")]);
//!                     send_response_head(status, reason_phrase(status), close, BodyLength::Known(0), out)?;
//!                     return Ok(false);
//!                 }
//!             };
//!             if let Event::Head(head) = event {
//!                 self.exchange = Some(ServerExchange::new(&head));
//!             }
//!             let exchange = self.exchange.as_mut().expect("a head came first");
//!             exchange.received(&event);
//!             if let Event::End = event {
//!                 exchange.send_head(200, "OK", [(Name::ContentType, "text/plain")], BodyLength::Known(3), out)?;
//!                 exchange.send_body(b"tea", out)?;
//!                 exchange.send_end(out)?;
//!                 match exchange.after() {
//!                     AfterExchange::Reuse => input.decoder().resume(),
//!                     _ => return Ok(false),
//!                 }
//!             }
//!         }
//!         Ok(true)
//!     }
//! }
//!
//! let mut server = Server { decoder: RequestDecoder::new(), exchange: None };
//! let mut out = Vec::new();
//! assert!(server.data_received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n", &mut out)?);
//! assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\ntea");
//! assert!(!server.data_received(b"Host : a\r\n", &mut out)?);
//! assert!(out.ends_with(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
//! # Ok::<(), SendError>(())
//! ```

mod authority;
mod chunk;
mod client_exchange;
mod decoder;
mod encode;
mod field;
mod kept_head;
mod limits;
mod machine;
mod meaning;
mod message;
mod method;
mod name;
mod outgoing;
mod prepared_head;
mod request;
mod response;
mod rule;
pub(crate) mod scan;
mod section;
mod send_name;
mod server_exchange;
mod status;
mod target;

pub use self::authority::Authority;
pub use self::client_exchange::ClientExchange;
pub use self::decoder::{Decoder, Event, Input, RequestDecoder, ResponseDecoder};
pub use self::encode::{
    SendError, send_chunk, send_chunk_start, send_last_chunk, send_request_head, send_response_head,
};
pub use self::field::{Field, Fields, Key};
pub use self::kept_head::KeptHead;
pub use self::limits::Limits;
pub use self::meaning::{BodyLength, Expect, Version};
pub use self::message::Message;
pub use self::method::Method;
pub use self::name::Name;
pub use self::prepared_head::PreparedHead;
pub use self::request::{Request, RequestHead};
pub use self::response::{Response, ResponseHead};
pub use self::rule::{Http1Error, Rule};
pub use self::send_name::SendName;
pub use self::server_exchange::{AfterExchange, ServerExchange};
pub use self::status::reason_phrase;
pub use self::target::Target;
