//! The handle on a WebSocket.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Address, Deferred, Failure, Handle, Transport};
use ropewalk_grammar::websocket::{CloseCode, Event, Extension, Kind, SendError};

use super::awaiters::Awaited;
use super::ending::code_of;
use super::message::Message;
use super::outgoing::OutgoingMessage;
use super::shared::Shared;

/// A handle on one WebSocket; cheap to clone, and it stays on the reactor's thread.
///
/// Every method only queues. Once the connection is closed or lost each does nothing, so a handle may be kept for ever.
/// Messages of a turn leave in one send, in the order in which they were sent.
///
/// ```
/// use ropewalk_web::websocket::{CloseCode, WebSocket, WebSocketProtocol};
///
/// struct Clerk;
///
/// impl WebSocketProtocol for Clerk {
///     fn text_received(&mut self, socket: &WebSocket, text: &str) {
///         match text {
///             "bye" => socket.close(CloseCode::NORMAL, "done"),
///             _ if socket.is_full() => {} // it reads more slowly than it asks
///             _ => socket.send_text(format!("you said {text}")),
///         }
///     }
/// }
/// ```
#[derive(Clone)]
pub struct WebSocket(pub(super) Rc<Shared>);

impl WebSocket {
    /// Sends a text.
    #[doc(alias = "sendTextMessage")]
    #[inline]
    pub fn send_text(&self, text: impl AsRef<str>) {
        self.0.send(Event::Text(text.as_ref()));
    }

    /// Sends bytes.
    #[doc(alias = "sendBytesMessage")]
    #[inline]
    pub fn send_binary(&self, data: impl AsRef<[u8]>) {
        self.0.send(Event::Binary(data.as_ref()));
    }

    /// Sends a message; many bytes that are owned already are not copied by a server that does not compress.
    pub fn send(&self, message: impl Into<Message>) {
        self.0.send_message(None, message.into());
    }

    /// Sends a message about the thing `key`: while the peer reads slowly, only the newest message about each thing waits,
    /// if that is the policy ([`SlowPeer::Coalesce`](super::SlowPeer::Coalesce)).
    pub fn send_keyed(&self, key: u64, message: impl Into<Message>) {
        self.0.send_message(Some(key), message.into());
    }

    /// Begins a message that is sent in fragments.
    ///
    /// # Errors
    ///
    /// Another such message is not finished, others wait for a slow peer ([`ready`](Self::ready) waits until they do not), or the
    /// WebSocket is closed.
    pub fn begin(&self, kind: Kind) -> Result<OutgoingMessage, SendError> {
        self.0.begin(kind)?;
        Ok(OutgoingMessage::new(self.clone()))
    }

    /// Sends a ping with at most 125 bytes; the peer answers with the same ([`pong_received`]).
    ///
    /// The heartbeat sends its own; see [`WebSocketOptions::heartbeat`](super::WebSocketOptions::heartbeat).
    ///
    /// [`pong_received`]: super::WebSocketProtocol::pong_received
    ///
    /// # Errors
    ///
    /// There are more bytes, or the WebSocket is closed.
    pub fn ping(&self, data: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.0.send_control(Event::Ping(data.as_ref()))
    }

    /// Sends a pong that nobody asked for, with at most 125 bytes. Pings are answered without you.
    ///
    /// # Errors
    ///
    /// There are more bytes, or the WebSocket is closed.
    pub fn pong(&self, data: impl AsRef<[u8]>) -> Result<(), SendError> {
        self.0.send_control(Event::Pong(data.as_ref()))
    }

    /// Closes: sends what waits and a close frame, and ends the connection once the peer has answered, or after
    /// [`close_timeout`](super::WebSocketOptions::close_timeout). Of the reason 123 bytes are sent. What still comes is dropped.
    #[doc(alias = "loseConnection")]
    pub fn close(&self, code: CloseCode, reason: &str) {
        self.0.close(code, reason);
    }

    /// Whether messages may be sent: the connection is there and nobody asked to close it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_open()
    }

    /// How many bytes wait to be sent.
    #[doc(alias = "bufferedAmount")]
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Whether the peer is slow: more waits than the high-water mark allows. What waits for the end of a message that is sent in
    /// fragments does not count, or that could wait for itself; [`buffered`](Self::buffered) counts it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Waits until the peer is not [slow](Self::is_full) any more, or is gone; tells whether messages may be sent.
    pub async fn ready(&self) -> bool {
        self.0.ready(Awaited::Room).await
    }

    /// Waits until the connection is gone.
    pub async fn closed(&self) {
        self.0.ready(Awaited::End).await;
    }

    /// The peer's close code, once it has closed: 1005 if its close frame had none. 1006 once the connection is gone without one
    /// (RFC 6455 7.1.5).
    ///
    /// A [`WebSocketProtocol`](super::WebSocketProtocol) is told more of it, as an [`Ending`](super::Ending).
    #[must_use]
    pub fn close_code(&self) -> Option<u16> {
        let goodbye = self.0.goodbye();
        let has_ended = goodbye.is_some() || self.0.is_lost();
        has_ended.then(|| code_of(goodbye.as_deref()))
    }

    /// The words of the peer's close frame, for whoever looks for a fault; none until it closes.
    #[must_use]
    pub fn close_words(&self) -> String {
        let goodbye = self.0.goodbye();
        let words = goodbye.as_ref().map(|goodbye| &*goodbye.words);
        words.unwrap_or_default().to_owned()
    }

    /// The subprotocol agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.0.terms.as_ref()?.subprotocol.as_deref()
    }

    /// The extensions agreed on beside compression, with the parameters that the server answered, in its order.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'_>> {
        let terms = self.0.terms.as_ref();
        let text = terms.map_or("", |terms| &terms.extensions);
        Extension::parse(text.as_bytes()).flatten()
    }

    /// Whether compression was agreed on.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.0.is_deflated
    }

    /// The connection below: for its facts and limits, and to pause reading. What is written there breaks the frames.
    #[must_use]
    pub fn transport(&self) -> &Transport {
        &self.0.transport
    }

    /// Their end.
    #[must_use]
    pub fn peer(&self) -> &Address {
        self.0.transport.peer()
    }

    /// Our end.
    #[must_use]
    pub fn host(&self) -> &Address {
        self.0.transport.host()
    }

    /// The reactor that it lives on.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        self.0.transport.reactor()
    }

    /// Calls a method of the protocol after a time ([`Transport::call_later`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`: that ends this connection with a message that names both.
    #[doc(alias = "callLater")]
    pub fn call_later<P: 'static>(
        &self,
        delay: Duration,
        call: impl FnOnce(&mut P, &Self) + 'static,
    ) -> DelayedCall {
        let socket = self.clone();
        let transport = &self.0.transport;
        transport.call_later(delay, move |this: &mut P, _| call(this, &socket))
    }

    /// Calls a method of the protocol soon ([`Transport::call_soon`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn call_soon<P: 'static>(&self, call: impl FnOnce(&mut P, &Self) + 'static) {
        let socket = self.clone();
        let transport = &self.0.transport;
        transport.call_soon(move |this: &mut P, _| call(this, &socket));
    }

    /// Calls a method of the protocol when `deferred` has its result ([`Transport::when`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn when<T: 'static, P: 'static>(
        &self,
        deferred: Deferred<T>,
        call: impl FnOnce(&mut P, &Self, Result<T, Failure>) + 'static,
    ) {
        let socket = self.clone();
        let transport = &self.0.transport;
        transport.when(deferred, move |this: &mut P, _, result| {
            call(this, &socket, result);
        });
    }
}

impl PartialEq for WebSocket {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for WebSocket {}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WebSocket").field(&self.0.transport).finish()
    }
}
