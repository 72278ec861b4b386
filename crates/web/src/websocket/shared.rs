//! What a handle and its receiver share about one WebSocket.

use std::cell::{Cell, Ref, RefCell};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Failure, Handle, Transport};
use ropewalk_grammar::websocket::{Close, CloseCode, Deflate, Encoder, Event, Kind, SendError};

use super::awaiters::{Awaited, Awaiters};
use super::frames::is_compressed;
use super::message::Message;
use super::options::WebSocketOptions;
use super::pending::{Pending, Queueing, SlowPeer, Waiting};
use super::terms::Terms;

/// From this size on bytes that somebody owns already are queued as they are.
const SHARE_FROM_BYTES: usize = ropewalk_core::buffer::COPY_BELOW_BYTES;

pub(super) struct Shared {
    pub(super) transport: Transport,
    pub(super) options: Rc<WebSocketOptions>,
    pub(super) terms: Option<Box<Terms>>,
    pub(super) is_deflated: bool,
    encoder: RefCell<Encoder>,
    /// The connection said that too much waits.
    pub(super) is_writing_paused: Cell<bool>,
    /// A turn was asked for to look after what waits.
    is_stirred: Cell<bool>,
    /// Rarely needed, so an idle socket has only a word of each.
    pending: RefCell<Option<Box<Pending>>>,
    awaiters: Awaiters,
    deadline: Cell<Option<DelayedCall>>,
    is_lost: Cell<bool>,
    goodbye: RefCell<Option<Box<Goodbye>>>,
}

/// What the peer's close frame said.
#[derive(Debug)]
pub(super) struct Goodbye {
    pub(super) code: Option<CloseCode>,
    pub(super) words: Box<str>,
    /// We had not closed before.
    is_first: bool,
}

impl Shared {
    pub(super) fn new(
        transport: &Transport,
        options: &Rc<WebSocketOptions>,
        terms: Option<Box<Terms>>,
        encoder: Encoder,
        is_deflated: bool,
    ) -> Self {
        Self {
            transport: transport.clone(),
            options: Rc::clone(options),
            terms,
            is_deflated,
            encoder: RefCell::new(encoder),
            is_writing_paused: Cell::new(false),
            is_stirred: Cell::new(false),
            pending: RefCell::default(),
            awaiters: Awaiters::default(),
            deadline: Cell::new(None),
            is_lost: Cell::new(false),
            goodbye: RefCell::default(),
        }
    }

    /// The peer closes.
    pub(super) fn dismissed(&self, close: Close<'_>) {
        self.goodbye.replace(Some(Box::new(Goodbye {
            code: close.code,
            words: close.reason.into(),
            is_first: !self.is_closing(),
        })));
    }

    /// What the peer's close frame said, if one came.
    pub(super) fn goodbye(&self) -> Ref<'_, Option<Box<Goodbye>>> {
        self.goodbye.borrow()
    }

    /// With what the peer closed, if it was the first to close.
    pub(super) fn dismissed_with(&self) -> Option<CloseCode> {
        let goodbye = self.goodbye();
        let goodbye = goodbye.as_ref().filter(|goodbye| goodbye.is_first);
        goodbye?.code
    }

    /// Whether a close was sent.
    pub(super) fn is_closing(&self) -> bool {
        self.encoder.borrow().is_closed()
    }

    pub(super) fn is_open(&self) -> bool {
        self.transport.is_open() && !self.is_closing()
    }

    pub(super) fn is_full(&self) -> bool {
        let has_pending = self.pending.borrow().is_some();
        self.transport.is_full() || has_pending && !self.encoder.borrow().is_in_message()
    }

    pub(super) fn buffered(&self) -> usize {
        let pending = self.pending.borrow();
        let waiting = pending.as_ref().map_or(0, |pending| pending.bytes());
        waiting + self.transport.unsent_bytes()
    }

    /// Sends a message or a control frame at once.
    #[inline]
    fn send_now(&self, event: Event<'_>) -> Result<(), SendError> {
        let mut encoder = self.encoder.borrow_mut();
        self.transport.write_with(|out| encoder.send(event, out))
    }

    /// Sends a message, now or when its time has come.
    #[inline]
    pub(super) fn send(self: &Rc<Self>, event: Event<'_>) {
        if self.may_send_now()
            && let Ok(()) = self.send_now(event)
        {
            return;
        }
        self.send_later(self.queueing(None), || {
            Waiting::Message(match event {
                Event::Text(text) => text.into(),
                Event::Binary(data) => data.to_vec().into(),
                _ => unreachable!("control frames do not wait"),
            })
        });
    }

    /// Sends a message with a key, for the policy that keeps the newest of each.
    pub(super) fn send_message(self: &Rc<Self>, key: Option<u64>, message: Message) {
        if self.may_send_now() && self.send_owned(&message).is_ok() {
            return message.let_go();
        }
        self.send_later(self.queueing(key), || Waiting::Message(message));
    }

    /// Sends what is framed already, for many.
    pub(super) fn send_framed(self: &Rc<Self>, frame: &Bytes, queueing: Queueing) {
        if !self.is_full() && self.write_framed(frame).is_ok() {
            return;
        }
        self.send_later(queueing, || Waiting::Framed(frame.clone()));
    }

    /// Sends what is for many and must be framed for each, as a client does.
    pub(super) fn send_masked(self: &Rc<Self>, message: &Message, queueing: Queueing) {
        if !self.is_full() && self.send_owned(message).is_ok() {
            return;
        }
        self.send_later(queueing, || Waiting::Message(message.clone()));
    }

    /// How messages wait that belong to no topic with a policy of its own.
    fn queueing(&self, key: Option<u64>) -> Queueing {
        Queueing {
            lane: 0,
            key,
            policy: self.options.slow_peer,
            is_for_many: false,
        }
    }

    #[inline]
    fn may_send_now(&self) -> bool {
        if self.pending.borrow().is_some() {
            return false;
        }
        let waits = matches!(self.options.slow_peer, SlowPeer::Wait);
        waits || !self.transport.is_full()
    }

    fn write_framed(&self, frame: &Bytes) -> Result<(), SendError> {
        let is_compressed = is_compressed(frame);
        self.encoder.borrow_mut().send_shared(is_compressed)?;
        self.transport.write_owned(frame.clone());
        Ok(())
    }

    fn send_owned(&self, message: &Message) -> Result<(), SendError> {
        match message {
            Message::Binary(data) if data.len() >= SHARE_FROM_BYTES && self.sends_as_it_is() => {
                let mut encoder = self.encoder.borrow_mut();
                let length = data.len() as u64;
                self.transport
                    .write_with(|out| encoder.send_head(Kind::Binary, length, out))?;
                self.transport.write_owned(data.clone());
                Ok(())
            }
            Message::Binary(data) => self.send_now(Event::Binary(data)),
            Message::Text(text) => self.send_now(Event::Text(text)),
        }
    }

    /// Neither masked nor compressed.
    fn sends_as_it_is(&self) -> bool {
        !self.is_deflated && !self.is_client()
    }

    /// How a message of this length is compressed that many receivers share, and with which window; none if this one gets it
    /// as it is.
    pub(super) fn shares_deflated(&self, length: usize) -> Option<(Deflate, u8)> {
        let window_bits = self.encoder.borrow().shared_window_bits(length)?;
        Some((self.options.deflate?, window_bits))
    }

    pub(super) fn is_client(&self) -> bool {
        self.encoder.borrow().role() == ropewalk_grammar::websocket::Role::Client
    }

    #[cold]
    fn send_later(self: &Rc<Self>, queueing: Queueing, waiting: impl FnOnce() -> Waiting) {
        if !self.is_open() {
            return;
        }
        if queueing.policy == SlowPeer::Disconnect && !self.encoder.borrow().is_in_message() {
            return self.close(CloseCode::TRY_AGAIN_LATER, TOO_SLOW);
        }
        let mut pending = self.pending.borrow_mut();
        let pending_now = pending.get_or_insert_default();
        if pending_now.is_over(queueing) {
            drop(pending);
            return self.close(CloseCode::TRY_AGAIN_LATER, TOO_SLOW);
        }
        pending_now.push(queueing, waiting());
        let held = pending_now.held_bytes();
        drop(pending);
        if held > PENDING_BYTES {
            let error = Failure::message("more waits for a slow WebSocket than may");
            return self.transport.reject(error.into_error());
        }
        self.watch();
    }

    /// Looks after what waits, soon: after the turn has sent what it could.
    fn stir(self: &Rc<Self>) {
        if self.is_stirred.replace(true) {
            return;
        }
        let this = Rc::downgrade(self);
        let flush = move |_: &Handle| {
            if let Some(this) = this.upgrade() {
                this.is_stirred.set(false);
                this.flush();
            }
        };
        self.transport.reactor().call_later(Duration::ZERO, flush);
    }

    /// Sends what waits, as far as the peer takes it; wakes who waits for room.
    pub(super) fn flush(self: &Rc<Self>) {
        loop {
            if self.transport.is_full() {
                return self.watch();
            }
            if self.pending.borrow().is_none() {
                return self.wake(Awaited::Room);
            }
            if self.encoder.borrow().is_in_message() {
                return self.wake(Awaited::Room);
            }
            self.flush_one();
        }
    }

    /// Flushes once the peer has read; the connection says when, unless it has not noticed yet that too much waits.
    pub(super) fn watch(self: &Rc<Self>) {
        if !self.is_writing_paused.get() && self.transport.is_open() {
            self.stir();
        }
    }

    /// Sends the oldest of what waits.
    fn flush_one(&self) {
        let mut pending = self.pending.borrow_mut();
        let waiting = pending.as_mut().and_then(|pending| pending.pop());
        if pending.as_ref().is_none_or(|pending| pending.is_empty()) {
            *pending = None;
        }
        drop(pending);
        let _closed_meanwhile = match waiting {
            Some(Waiting::Message(message)) => {
                let sent = self.send_owned(&message);
                message.let_go();
                sent
            }
            Some(Waiting::Framed(frame)) => self.write_framed(&frame),
            None => Ok(()),
        };
    }

    /// Sends a ping or a pong, at once.
    pub(super) fn send_control(&self, event: Event<'_>) -> Result<(), SendError> {
        match self.transport.is_open() {
            true => self.send_now(event),
            false => Ok(()),
        }
    }

    pub(super) fn begin(&self, kind: Kind) -> Result<(), SendError> {
        if !self.encoder.borrow().is_in_message() && self.pending.borrow().is_some() {
            return Err(SendError::Waiting);
        }
        let mut encoder = self.encoder.borrow_mut();
        self.transport
            .write_with(|out| encoder.begin(kind, &[], out))
    }

    pub(super) fn send_fragment(&self, data: &[u8], is_last: bool) -> Result<(), SendError> {
        let mut encoder = self.encoder.borrow_mut();
        self.transport
            .write_with(|out| encoder.send_fragment(data, is_last, out))
    }

    /// Sends what waits and a close frame, and gives the peer a while to answer it.
    pub(super) fn close(self: &Rc<Self>, code: CloseCode, reason: &str) {
        let close = Close {
            code: Some(code),
            reason: cut(reason),
        };
        self.close_with(close);
    }

    pub(super) fn close_with(self: &Rc<Self>, close: Close<'_>) {
        if !self.is_open() {
            return;
        }
        if !self.encoder.borrow().is_in_message() && close.code != Some(CloseCode::TRY_AGAIN_LATER)
        {
            while self.pending.borrow().is_some() {
                self.flush_one();
            }
        }
        self.pending.take();
        let _closed_before = self.send_now(Event::Close(close));
        self.transport.resume_reading(); // the answer, whatever else waits before it
        self.wake(Awaited::Room);
        self.wait_for_end();
    }

    /// Ends the connection if the peer does not, after a while.
    pub(super) fn wait_for_end(&self) {
        let transport = self.transport.clone();
        let timer =
            self.transport
                .reactor()
                .call_later(
                    self.options.close_timeout,
                    move |_: &Handle| match transport.unsent_bytes() {
                        0 => transport.lose_connection(),
                        _ => transport.abort_connection(),
                    },
                );
        self.forget_deadline();
        self.deadline.set(Some(timer));
    }

    fn forget_deadline(&self) {
        if let Some(timer) = self.deadline.take() {
            let _it_may_have_run = timer.cancel();
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&self) {
        self.is_lost.set(true);
        self.forget_deadline();
        self.pending.take();
        self.wake(Awaited::Room);
        self.wake(Awaited::End);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.get()
    }

    /// Waits for this, or for the end; tells whether messages may be sent.
    pub(super) async fn ready(self: &Rc<Self>, awaited: Awaited) -> bool {
        let found = || {
            let for_room = awaited == Awaited::Room;
            if self.is_lost() || for_room && !(self.is_full() && self.is_open()) {
                return Some(self.is_open());
            }
            if for_room {
                self.watch();
            }
            None
        };
        self.awaiters.until(awaited, found).await
    }

    fn wake(&self, found: Awaited) {
        self.awaiters.wake(found);
    }
}

/// More never waits, whatever the policy (WS-03): as much as a connection takes by default.
const PENDING_BYTES: usize = 64 * 1024 * 1024;

const TOO_SLOW: &str = "you read too slowly";

/// As much of a reason as a close frame takes.
fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(CloseCode::REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
