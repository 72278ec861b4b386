//! What decides, with messages above.

use std::any::{Any, TypeId};

use ropewalk_core::short_name;
use ropewalk_grammar::websocket::{Close, CloseCode};

use super::ending::Ending;
use super::socket::WebSocket;

/// One end of a WebSocket.
///
/// *Guaranteed*: `opened` once, after the handshake; then any number of the others; then `connection_lost` once. Texts and
/// bytes come whole, however they were cut (R162). Pings are answered without you (R163).
///
/// A kind of message that you do not take closes the connection with 1003.
pub trait WebSocketProtocol: 'static {
    /// The handshake is over: messages may be sent.
    #[doc(alias = "onOpen")]
    #[doc(alias = "negotiationFinished")]
    fn opened(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// A text came.
    #[doc(alias = "textMessageReceived")]
    #[doc(alias = "onMessage")]
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        let _ = text;
        socket.close(CloseCode::UNSUPPORTED, "texts are not taken here");
    }

    /// Bytes came.
    #[doc(alias = "bytesMessageReceived")]
    #[doc(alias = "onMessage")]
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = data;
        socket.close(CloseCode::UNSUPPORTED, "binary messages are not taken here");
    }

    /// A ping came, and was answered.
    fn ping_received(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// A pong came: an answer to a ping of yours, of the heartbeat, or to none.
    #[doc(alias = "pongReceived")]
    fn pong_received(&mut self, socket: &WebSocket, data: &[u8]) {
        let _ = (socket, data);
    }

    /// The peer closes, or has answered our close. Nothing more comes but `connection_lost`. The answer, with the peer's code and no
    /// words, is sent behind what you send now; a [`close`](WebSocket::close) of yours takes its place.
    fn close_received(&mut self, socket: &WebSocket, close: Close<'_>) {
        let _ = (socket, close);
    }

    /// The connection is gone; the handle does nothing any more.
    #[doc(alias = "onClose")]
    fn connection_lost(&mut self, socket: &WebSocket, ending: &Ending<'_>) {
        let _ = (socket, ending);
    }

    /// The peer reads too slowly: more waits than the high-water mark allows.
    #[doc(alias = "pauseProducing")]
    fn writing_paused(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// All is sent.
    #[doc(alias = "resumeProducing")]
    fn writing_resumed(&mut self, socket: &WebSocket) {
        let _ = socket;
    }

    /// The program stops gracefully. Unless this is overridden, the WebSocket is closed with 1001.
    fn shutting_down(&mut self, socket: &WebSocket) {
        socket.close(CloseCode::GOING_AWAY, "");
    }

    /// A part of this protocol that has the type `wanted`, for closures that want it lent.
    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        let _ = wanted;
        None
    }

    /// The protocol's name in logs.
    fn name(&self) -> &'static str {
        short_name(std::any::type_name::<Self>())
    }
}

/// A boxed protocol is a protocol, so that it may be chosen at run time.
impl WebSocketProtocol for Box<dyn WebSocketProtocol> {
    fn opened(&mut self, socket: &WebSocket) {
        (**self).opened(socket);
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        (**self).text_received(socket, text);
    }
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        (**self).binary_received(socket, data);
    }
    fn ping_received(&mut self, socket: &WebSocket, data: &[u8]) {
        (**self).ping_received(socket, data);
    }
    fn pong_received(&mut self, socket: &WebSocket, data: &[u8]) {
        (**self).pong_received(socket, data);
    }
    fn close_received(&mut self, socket: &WebSocket, close: Close<'_>) {
        (**self).close_received(socket, close);
    }
    fn connection_lost(&mut self, socket: &WebSocket, ending: &Ending<'_>) {
        (**self).connection_lost(socket, ending);
    }
    fn writing_paused(&mut self, socket: &WebSocket) {
        (**self).writing_paused(socket);
    }
    fn writing_resumed(&mut self, socket: &WebSocket) {
        (**self).writing_resumed(socket);
    }
    fn shutting_down(&mut self, socket: &WebSocket) {
        (**self).shutting_down(socket);
    }
    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        (**self).inner(wanted)
    }
    fn name(&self) -> &'static str {
        (**self).name()
    }
}
