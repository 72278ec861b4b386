//! A message that is sent in fragments.

use ropewalk_grammar::websocket::CloseCode;

use super::socket::WebSocket;

/// A message that is sent as it is made, in fragments: for what is large, or not all there yet.
///
/// Other messages wait until it is finished; pings and pongs go between. Dropped without
/// [`finish`](Self::finish), it closes the connection with 1011, for a message cannot be taken back.
///
/// ```
/// use ropewalk_web::websocket::{Conversation, Kind};
///
/// let report = Conversation::new(|socket| async move {
///     let Ok(mut message) = socket.begin(Kind::Binary) else { return };
///     for page in 0..1000 {
///         message.send_slowly(vec![page as u8; 100_000]).await;
///     }
///     message.finish();
/// });
/// ```
#[derive(Debug)]
pub struct OutgoingMessage {
    socket: WebSocket,
    is_spent: bool,
}

impl OutgoingMessage {
    pub(super) fn new(socket: WebSocket) -> Self {
        Self {
            socket,
            is_spent: false,
        }
    }

    /// Sends the next fragment. A character of a text may stand in two; the text as a whole must be UTF-8.
    pub fn send(&mut self, fragment: impl AsRef<[u8]>) {
        let _closed = self.socket.0.send_fragment(fragment.as_ref(), false);
    }

    /// Sends the next fragment, and waits until there is room for another ([`WebSocket::ready`]).
    pub async fn send_slowly(&mut self, fragment: impl AsRef<[u8]>) {
        self.send(fragment);
        self.socket.ready().await;
    }

    /// Ends the message.
    pub fn finish(mut self) {
        self.is_spent = true;
        let _closed = self.socket.0.send_fragment(&[], true);
        self.socket.0.flush();
    }
}

impl Drop for OutgoingMessage {
    fn drop(&mut self) {
        if !self.is_spent {
            self.socket
                .close(CloseCode::INTERNAL_ERROR, "a message was not finished");
        }
    }
}
