//! `websocket chat`: passes on messages among clients, untouched; for those who write a client. People have `ropewalk chat`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ropewalk::Failure;
use ropewalk::web::Bytes;
use ropewalk::web::websocket::{Ending, Message, SlowPeer, Topic, WebSocket, WebSocketProtocol};

use super::server_options::ServerOptions;
use crate::setup::Setup;

/// Passes on every message to all others at the same path, untouched: a room without a page
#[derive(clap::Args)]
#[command(after_help = "\
Each path is a room of its own. Who reads too slowly misses nothing at first: 1024 messages or 4 MiB wait, then it is closed with
1013; --slow says otherwise.

Examples:
  ropewalk websocket chat                        rooms at ws://127.0.0.1:8080/…
  ropewalk websocket connect ws://127.0.0.1:8080/tea
                                                 joins one; do it in two terminals
  ropewalk websocket chat --own --compress       who sends hears it, too
  ropewalk websocket chat --slow drop=10         who reads slowly gets the newest ten, and gaps")]
pub(super) struct Chat {
    #[command(flatten)]
    server: ServerOptions,
    /// Send messages back to who sent them, too
    #[arg(long)]
    own: bool,
    /// What becomes of messages for who reads too slowly: wait (many do, then it is closed), close (at once), drop=N (the newest N
    /// wait)
    #[arg(long, value_name = "POLICY", default_value = "wait", value_parser = slow_peer, hide_default_value = true)]
    slow: SlowPeer,
}

/// The rooms that somebody is in, by path.
#[derive(Clone)]
pub(super) struct Rooms {
    topics: Rc<RefCell<BTreeMap<String, Topic>>>,
    slow_peer: SlowPeer,
}

pub(super) struct Member {
    rooms: Rooms,
    path: String,
    /// The one at its path, once it is in.
    room: Topic,
    hears_itself: bool,
}

impl Chat {
    pub(super) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        let (rooms, own) = (Rooms::new(self.slow), self.own);
        self.server
            .serve(setup, move |opening| rooms.member(opening.path(), own))
    }
}

impl Rooms {
    pub(super) fn new(slow_peer: SlowPeer) -> Self {
        Self {
            topics: Rc::default(),
            slow_peer,
        }
    }

    pub(super) fn member(&self, path: &str, hears_itself: bool) -> Member {
        Member {
            rooms: self.clone(),
            path: path.to_owned(),
            room: Topic::new(),
            hears_itself,
        }
    }
}

#[cfg(test)]
impl Rooms {
    pub(super) fn len(&self) -> usize {
        self.topics.borrow().len()
    }
}

impl Member {
    fn pass_on(&self, socket: &WebSocket, message: impl Into<Message>) {
        match self.hears_itself {
            true => self.room.send(message),
            false => self.room.send_to_others(socket, message),
        };
    }
}

impl WebSocketProtocol for Member {
    fn opened(&mut self, socket: &WebSocket) {
        let mut topics = self.rooms.topics.borrow_mut();
        let new = || Topic::new().with_slow_peer(self.rooms.slow_peer);
        self.room = topics.entry(self.path.clone()).or_insert_with(new).clone();
        self.room.subscribe(socket);
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.pass_on(socket, text);
    }

    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        self.pass_on(socket, Bytes::copy_from_slice(data));
    }

    fn connection_lost(&mut self, socket: &WebSocket, _: &Ending<'_>) {
        self.room.unsubscribe(socket);
        if self.room.is_empty() {
            self.rooms.topics.borrow_mut().remove(&self.path);
        }
    }

    fn name(&self) -> &'static str {
        "WebSocketChat"
    }
}

fn slow_peer(text: &str) -> Result<SlowPeer, &'static str> {
    let wrong = "must be wait, close or drop=N, such as drop=100";
    match text.split_once('=') {
        None if text == "wait" => Ok(SlowPeer::Wait),
        None if text == "close" => Ok(SlowPeer::Disconnect),
        Some(("drop", count)) => match count.parse() {
            Ok(0) | Err(_) => Err(wrong),
            Ok(count) => Ok(SlowPeer::DropOldest(count)),
        },
        _ => Err(wrong),
    }
}
