//! The messages of a measurement: what is sent, and what must come back.
//!
//! ```text
//!   begin ─► so many on the way ─► each answer: every byte compared, its time counted ─► the next
//!   finish ─► no more are sent ─► the last answers ─► 1000
//! ```

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::web::websocket::{CloseCode, Ending, WebSocket, WebSocketProtocol};

use super::latencies::Latencies;

/// What all connections share.
pub(super) struct Load {
    /// Each message is a piece of this.
    source: Vec<u8>,
    size: usize,
    depth: usize,
    is_text: bool,
    is_over: Cell<bool>,
    pub(super) answered: Cell<u64>,
    pub(super) latencies: RefCell<Latencies>,
    /// What went wrong, and how often.
    pub(super) errors: RefCell<BTreeMap<String, u64>>,
}

/// One connection.
pub(super) struct Member {
    load: Rc<Load>,
    /// Where its messages begin, so that no two connections say the same.
    number: usize,
    sent: usize,
    heard: usize,
    /// When those were sent that are on the way, oldest first.
    on_the_way: VecDeque<Duration>,
}

/// So many different messages there are at most.
const PIECES: usize = 4096;

/// So many kinds of errors are told apart. Stops a server that is wrong in ever new ways.
const MOST_ERRORS: usize = 16;

impl Load {
    pub(super) fn new(size: usize, depth: usize, is_text: bool, seed: u64) -> Rc<Self> {
        let mut state = seed | 1;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        let letter = |byte: u8| b"0123456789abcdef"[usize::from(byte & 15)];
        let source = (0..size + PIECES).map(|_| match is_text {
            true => letter(draw()),
            false => draw(),
        });
        Rc::new(Self {
            source: source.collect(),
            size,
            depth,
            is_text,
            is_over: Cell::new(false),
            answered: Cell::new(0),
            latencies: RefCell::default(),
            errors: RefCell::default(),
        })
    }

    pub(super) fn member(self: &Rc<Self>, number: usize) -> Member {
        Member {
            load: Rc::clone(self),
            number,
            sent: 0,
            heard: 0,
            on_the_way: VecDeque::with_capacity(self.depth),
        }
    }

    /// No more is sent.
    pub(super) fn finish(&self) {
        self.is_over.set(true);
    }

    pub(super) fn note(&self, error: impl Display, count: u64) {
        let mut errors = self.errors.borrow_mut();
        let mut error = error.to_string();
        if errors.len() >= MOST_ERRORS && !errors.contains_key(&error) {
            error = "other errors".to_owned();
        }
        *errors.entry(error).or_default() += count;
    }
}

impl Member {
    fn piece(&self, message: usize) -> &[u8] {
        let begin = (self.number * 61 + message) % PIECES;
        &self.load.source[begin..begin + self.load.size]
    }

    /// Sends as many as may be on the way.
    pub(super) fn begin(&mut self, socket: &WebSocket) {
        for _ in 0..self.load.depth {
            self.send(socket);
        }
    }

    /// Closes, once all has come back.
    pub(super) fn finish(&mut self, socket: &WebSocket) {
        if self.on_the_way.is_empty() {
            socket.close(CloseCode::NORMAL, "");
        }
    }

    fn send(&mut self, socket: &WebSocket) {
        let piece = self.piece(self.sent);
        match self.load.is_text {
            true => socket.send_text(std::str::from_utf8(piece).expect("it is ASCII")),
            false => socket.send_binary(piece),
        }
        self.sent += 1;
        self.on_the_way.push_back(socket.reactor().now());
    }

    fn heard(&mut self, socket: &WebSocket, data: &[u8], is_text: bool) {
        let Some(sent) = self.on_the_way.pop_front() else {
            return self.wrong(socket, "a message came that nobody asked for");
        };
        if data != self.piece(self.heard) || is_text != self.load.is_text {
            return self.wrong(socket, "another message came back than was sent");
        }
        self.heard += 1;
        if self.load.is_over.get() {
            return self.finish(socket);
        }
        let took = socket.reactor().now().saturating_sub(sent);
        self.load.latencies.borrow_mut().add(took);
        self.load.answered.set(self.load.answered.get() + 1);
        self.send(socket);
    }

    fn wrong(&mut self, socket: &WebSocket, why: &str) {
        self.load.note(why, 1);
        self.on_the_way.clear();
        socket.close(CloseCode::POLICY, why);
    }
}

impl WebSocketProtocol for Member {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.heard(socket, text.as_bytes(), true);
    }

    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        self.heard(socket, data, false);
    }

    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        let missing = self.on_the_way.len() as u64;
        if missing > 0 {
            let why = format!("answers were still to come when a connection ended with {ending}");
            self.load.note(why, missing);
        } else if !self.load.is_over.get() && self.load.errors.borrow().is_empty() {
            self.load
                .note(format_args!("a connection ended with {ending}"), 1);
        }
    }

    /// The measurement ends by itself, and tells what there is.
    fn shutting_down(&mut self, _: &WebSocket) {}

    fn name(&self) -> &'static str {
        "WebSocketLoad"
    }
}
