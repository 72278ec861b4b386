//! One message to many WebSockets.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use ropewalk_grammar::websocket::{Deflate, Encoder, Event, Extension};

use super::message::Message;
use super::socket::WebSocket;

/// A set of WebSockets that get the same messages. Clones are the same topic.
///
/// A message is framed once, and compressed once if a receiver takes it so, whatever the number of receivers; large ones are
/// one piece of memory in all their queues. A receiver that reads slowly is treated as its
/// [`slow_peer`](super::WebSocketOptions::slow_peer) says. One that is closed leaves by itself.
///
/// ```
/// use ropewalk_web::websocket::{Topic, WebSocket, WebSocketProtocol, WebSocketServer};
///
/// struct Member(Topic);
/// impl WebSocketProtocol for Member {
///     fn opened(&mut self, socket: &WebSocket) {
///         self.0.subscribe(socket);
///     }
///     fn text_received(&mut self, socket: &WebSocket, text: &str) {
///         self.0.send_to_others(socket, text);
///     }
/// }
///
/// let room = Topic::new();
/// let server = WebSocketServer::new(move |_| Member(room.clone()));
/// ```
#[derive(Clone, Default)]
pub struct Topic(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    receivers: Vec<WebSocket>,
}

/// A message, framed at most once in each way.
struct Framed<'a> {
    message: &'a Message,
    plain: Option<Bytes>,
    deflated: Option<Bytes>,
}

impl Topic {
    /// A topic without receivers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a receiver, once.
    pub fn subscribe(&self, socket: &WebSocket) {
        let receivers = &mut self.0.borrow_mut().receivers;
        if socket.is_open() && !receivers.contains(socket) {
            receivers.push(socket.clone());
        }
    }

    /// Removes a receiver; tells whether it was one.
    pub fn unsubscribe(&self, socket: &WebSocket) -> bool {
        let receivers = &mut self.0.borrow_mut().receivers;
        let found = receivers.iter().position(|receiver| receiver == socket);
        found.map(|at| receivers.swap_remove(at)).is_some()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut inner = self.0.borrow_mut();
        inner.receivers.retain(WebSocket::is_open);
        inner.receivers.len()
    }

    /// Whether there is no receiver.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends to all; tells to how many.
    #[doc(alias = "publish")]
    pub fn send(&self, message: impl Into<Message>) -> usize {
        self.send_if(&message.into(), |_| true)
    }

    /// Sends to all but one; tells to how many.
    pub fn send_to_others(&self, sender: &WebSocket, message: impl Into<Message>) -> usize {
        self.send_if(&message.into(), |receiver| receiver != sender)
    }

    fn send_if(&self, message: &Message, wants: impl Fn(&WebSocket) -> bool) -> usize {
        let mut framed = Framed {
            message,
            plain: None,
            deflated: None,
        };
        let mut sent = 0;
        self.0.borrow_mut().receivers.retain(|receiver| {
            let is_open = receiver.is_open();
            if is_open && wants(receiver) {
                framed.send(receiver);
                sent += 1;
            }
            is_open
        });
        sent
    }
}

impl Framed<'_> {
    fn send(&mut self, receiver: &WebSocket) {
        let message = self.message;
        if receiver.0.is_client() {
            return receiver.send(message.clone());
        }
        let deflate = receiver.0.shares_deflated(message.len());
        let frame = match deflate {
            Some(deflate) => self
                .deflated
                .get_or_insert_with(|| frame(message, Some(deflate))),
            None => self.plain.get_or_insert_with(|| frame(message, None)),
        };
        receiver.send_framed(frame);
    }
}

/// The frame of a whole message, compressed by itself if at all.
fn frame(message: &Message, deflate: Option<Deflate>) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 10);
    let mut encoder = Encoder::server();
    let alone = deflate.map(|deflate| deflate.with_context_takeover(false).with_window_bits(15));
    let offer = Extension::parse(b"permessage-deflate").flatten();
    if let Some(deflate) = alone
        && let Some(agreed) = deflate.agree(offer)
    {
        encoder = encoder.with_deflate(agreed, &deflate);
    }
    let event = match message {
        Message::Text(text) => Event::Text(text),
        Message::Binary(data) => Event::Binary(data),
    };
    let sent = encoder.send(event, &mut out);
    sent.expect("a new encoder takes any message");
    out.into()
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Topic({} receivers)", self.0.borrow().receivers.len())
    }
}
