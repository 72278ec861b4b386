//! A WebSocket as a coroutine: messages are awaited.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use ropewalk_grammar::websocket::CloseCode;

use super::ending::Ending;
use super::message::Message;
use super::protocol::WebSocketProtocol;
use super::socket::WebSocket;

/// A [`WebSocketProtocol`] that runs an async function, which awaits messages.
///
/// At most 16 messages, or 64 KiB, wait to be taken; then nothing more is read from the peer. When the function returns, the
/// WebSocket is closed with 1000, when it panics with 1011; a function that waits for a message when the connection is lost gets `None`.
/// How it ended says [`close_code`](WebSocket::close_code). A graceful stop of the program closes with 1001 at once; who wants to be told of
/// that, or of pongs, writes a [`WebSocketProtocol`].
///
/// ```
/// use ropewalk_web::websocket::{Conversation, WebSocketServer};
///
/// let echo = WebSocketServer::new(|_| Conversation::new(|mut socket| async move {
///     while let Some(message) = socket.recv().await {
///         socket.send(message);
///     }
/// }));
/// ```
pub struct Conversation {
    talk: Option<Function>,
    inbox: Rc<Inbox>,
}

type Function = Box<dyn FnOnce(Talk) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A [`WebSocket`] whose messages can be awaited: that of a [`Conversation`], or a client's
/// ([`WebSocketClient::talk`](super::WebSocketClient::talk)).
///
/// That of a client closes with 1000 when it is dropped, or with 1011 if that is because of a panic.
pub struct Talk {
    socket: WebSocket,
    inbox: Rc<Inbox>,
    _end: Option<End>,
}

/// Closes when it is dropped.
struct End(WebSocket);

#[derive(Default)]
struct Inbox {
    messages: RefCell<VecDeque<Message>>,
    bytes: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    has_ended: Cell<bool>,
    is_paused: Cell<bool>,
}

/// So many messages and bytes wait at most, but for the last one. Stops a peer that is faster than the function.
const MOST_MESSAGES: usize = 16;
const MOST_BYTES: usize = 64 * 1024;

impl Conversation {
    /// Runs this function once the WebSocket is open.
    pub fn new<F>(talk: impl FnOnce(Talk) -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            talk: Some(Box::new(move |socket| Box::pin(talk(socket)))),
            inbox: Rc::default(),
        }
    }

    /// One whose messages are awaited elsewhere, and what makes the handle for that.
    pub(super) fn elsewhere() -> (Self, impl FnOnce(WebSocket) -> Talk) {
        let inbox = Rc::<Inbox>::default();
        let this = Self {
            talk: None,
            inbox: Rc::clone(&inbox),
        };
        let talk = |socket: WebSocket| Talk {
            _end: Some(End(socket.clone())),
            socket,
            inbox,
        };
        (this, talk)
    }
}

impl Talk {
    /// The next message; `None` once the peer closes or is gone: [`close_code`](WebSocket::close_code) says how.
    ///
    /// A wait that is given up, as the loser of a race with a timer is, loses no message.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|context| {
            if let Some(message) = self.inbox.pop(&self.socket) {
                return Poll::Ready(Some(message));
            }
            if self.inbox.has_ended.get() {
                return Poll::Ready(None);
            }
            *self.inbox.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Inbox {
    fn push(&self, socket: &WebSocket, message: Message) {
        self.bytes.set(self.bytes.get() + message.len());
        self.messages.borrow_mut().push_back(message);
        if self.is_full() && !self.is_paused.replace(true) {
            socket.transport().pause_reading();
        }
        self.wake();
    }

    fn pop(&self, socket: &WebSocket) -> Option<Message> {
        let message = self.messages.borrow_mut().pop_front()?;
        self.bytes.set(self.bytes.get() - message.len());
        if !self.is_full() && self.is_paused.replace(false) {
            socket.transport().resume_reading();
        }
        Some(message)
    }

    fn is_full(&self) -> bool {
        self.messages.borrow().len() >= MOST_MESSAGES || self.bytes.get() >= MOST_BYTES
    }

    fn wake(&self) {
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn end(&self) {
        self.has_ended.set(true);
        self.wake();
    }
}

impl WebSocketProtocol for Conversation {
    fn opened(&mut self, socket: &WebSocket) {
        let Some(talk) = self.talk.take() else {
            return;
        };
        let talking = talk(Talk {
            socket: socket.clone(),
            inbox: Rc::clone(&self.inbox),
            _end: None,
        });
        let end = End(socket.clone());
        let done = socket.reactor().spawn(async move {
            talking.await;
            drop(end);
        });
        drop(done); // it goes on by itself
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.inbox.push(socket, text.into());
    }

    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        let data = Bytes::copy_from_slice(data);
        self.inbox.push(socket, data.into());
    }

    fn close_received(&mut self, _: &WebSocket, _: ropewalk_grammar::websocket::Close<'_>) {
        self.inbox.end();
    }

    fn connection_lost(&mut self, _: &WebSocket, _: &Ending<'_>) {
        self.inbox.end();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let code = match std::thread::panicking() {
            true => CloseCode::INTERNAL_ERROR,
            false => CloseCode::NORMAL,
        };
        self.0.close(code, "");
    }
}

impl Deref for Talk {
    type Target = WebSocket;

    fn deref(&self) -> &WebSocket {
        &self.socket
    }
}

impl fmt::Debug for Talk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Talk").field(&self.socket).finish()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("has_begun", &self.talk.is_none())
            .finish_non_exhaustive()
    }
}
