//! One room: what was said in it, and who is there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use ropewalk::web::websocket::{Topic, WebSocket};
use serde::Serialize;

use super::super::text::Name;
use super::Ear;

/// So many messages are kept of a room. More would be read by nobody, and cost memory and time at the start.
pub(crate) const ROOM_MESSAGES: usize = 10_000;

/// So many messages, and so many bytes of them, are told at once; the rest is asked for. Less than what may wait for a guest,
/// so that nobody is dropped for being told much.
const PIECE_MESSAGES: usize = 200;
const PIECE_BYTES: usize = 64 * 1024;

/// What a message costs beyond its text, about.
const MESSAGE_BYTES: usize = 200;

/// What somebody said, kept and numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// Its number in its room, from 1 on.
    pub(crate) seq: u64,
    /// What its sender knows it by, if it came from a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    pub(crate) name: String,
    /// One line, safe to show anywhere.
    pub(crate) text: String,
    /// When it was said, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// A room and all that is known of it.
pub(crate) struct Room {
    pub(crate) name: Name,
    /// Its number among the rooms that are kept.
    pub(crate) number: i64,
    /// Whose the numbers of messages are: another room of the same name has another one.
    pub(crate) id: String,
    messages: VecDeque<Message>,
    /// The number of the newest message.
    pub(crate) last: u64,
    bytes: usize,
    /// Messages by what their senders know them by.
    keys: BTreeMap<String, Known>,
    /// How many messages are not kept yet.
    pub(crate) pending: usize,
    /// As people are told apart: by what their names look like.
    pub(crate) here: BTreeSet<String>,
    /// Of those who are here, who hears lines.
    pub(crate) ears: BTreeMap<String, Rc<dyn Ear>>,
    /// The browsers that have all of the history, and so hear what is new.
    pub(crate) topic: Topic,
}

/// What is known of a key.
pub(crate) enum Known {
    /// Its message is not kept yet; then this one wants to know.
    Pending(WebSocket),
    Kept(u64),
}

/// A piece of a room's history, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Piece<'a> {
    pub(crate) messages: Vec<&'a Message>,
    pub(crate) more: bool,
    pub(crate) earlier: bool,
    pub(crate) gap: bool,
}

impl Message {
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + MESSAGE_BYTES
    }
}

impl Room {
    pub(crate) fn new(name: Name, number: i64, id: String) -> Self {
        Self {
            name,
            number,
            id,
            messages: VecDeque::new(),
            last: 0,
            bytes: 0,
            keys: BTreeMap::new(),
            pending: 0,
            here: BTreeSet::new(),
            ears: BTreeMap::new(),
            topic: Topic::new(),
        }
    }

    /// Adds the newest message. Its number is greater than that of any before.
    pub(crate) fn push(&mut self, message: Message) {
        self.last = message.seq;
        self.bytes += message.bytes();
        if let Some(key) = &message.key {
            self.keys.insert(key.clone(), Known::Kept(message.seq));
        }
        self.messages.push_back(message);
    }

    /// Forgets the oldest message, but not the only one: it holds the number.
    pub(crate) fn forget_oldest(&mut self) -> Option<u64> {
        if self.messages.len() < 2 {
            return None;
        }
        let message = self.messages.pop_front()?;
        self.bytes -= message.bytes();
        if let Some(key) = &message.key {
            self.keys.remove(key);
        }
        Some(message.seq)
    }

    pub(crate) fn known(&mut self, key: &str) -> Option<&mut Known> {
        self.keys.get_mut(key)
    }

    /// Remembers who wants to know of a message.
    pub(crate) fn expect(&mut self, key: String, socket: WebSocket) {
        self.keys.insert(key, Known::Pending(socket));
    }

    /// Who wanted to know, as it is settled now.
    pub(crate) fn settle(&mut self, key: &str) -> Option<WebSocket> {
        match self.keys.remove(key)? {
            Known::Pending(socket) => Some(socket),
            Known::Kept(_) => None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the last word was said, if any was.
    pub(crate) fn newest(&self) -> Option<&Message> {
        self.messages.back()
    }

    /// Whether nobody would notice if it were not there.
    pub(crate) fn is_blank(&self) -> bool {
        self.here.is_empty() && self.messages.is_empty() && self.pending == 0
    }

    /// What came after `seen`; if that is too long ago, from the oldest on.
    pub(crate) fn after(&self, seen: u64) -> Piece<'_> {
        let from = self.messages.partition_point(|message| message.seq <= seen);
        let messages = few(self.messages.range(from..));
        Piece {
            more: from + messages.len() < self.messages.len(),
            earlier: from > 0,
            gap: messages.first().is_some_and(|first| first.seq > seen + 1),
            messages,
        }
    }

    /// The newest before that number.
    pub(crate) fn before(&self, seq: u64) -> Piece<'_> {
        let to = self.messages.partition_point(|message| message.seq < seq);
        let mut messages = few(self.messages.range(..to).rev());
        messages.reverse();
        Piece {
            earlier: messages.len() < to,
            messages,
            ..Piece::default()
        }
    }

    /// The newest few, of so many bytes at most.
    pub(crate) fn newest_few(&self, count: usize, bytes: usize) -> impl Iterator<Item = &Message> {
        let mut left = bytes;
        let newest = self.messages.iter().rev().take(count);
        let fitting = newest.take_while(|message| {
            let fits = message.bytes() <= left;
            left = left.saturating_sub(message.bytes());
            fits
        });
        self.messages.range(self.messages.len() - fitting.count()..)
    }
}

/// As many as make a piece, and at least one.
fn few<'a>(messages: impl Iterator<Item = &'a Message>) -> Vec<&'a Message> {
    let mut bytes = 0;
    let has_room = |message: &&Message| {
        let had_room = bytes < PIECE_BYTES;
        bytes += message.bytes();
        had_room
    };
    messages.take(PIECE_MESSAGES).take_while(has_room).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(messages: u64, bytes: usize) -> Room {
        let mut room = Room::new(Name::parse(b"lobby").unwrap(), 1, "id".to_owned());
        for seq in 1..=messages {
            let key = Some(format!("k{seq}"));
            let (name, text) = ("ann".to_owned(), "x".repeat(bytes));
            room.push(Message {
                seq,
                key,
                name,
                text,
                at: seq,
            });
        }
        room
    }

    fn numbers(piece: &Piece<'_>) -> Vec<u64> {
        piece.messages.iter().map(|message| message.seq).collect()
    }

    #[test]
    fn pieces_one_after_another_are_all_there_is() {
        for (messages, bytes) in [(0, 0), (1, 100_000), (1000, 10), (300, 16_000)] {
            let room = room(messages, bytes);
            let (mut seen, mut got) = (0, Vec::new());
            loop {
                let piece = room.after(seen);
                assert!(!piece.gap && piece.messages.len() <= PIECE_MESSAGES);
                got.extend(numbers(&piece));
                seen = got.last().copied().unwrap_or_default();
                if !piece.more {
                    break;
                }
            }
            assert!(got.into_iter().eq(1..=messages), "{messages} of {bytes}");
        }
    }

    #[test]
    fn what_is_forgotten_is_told_as_a_gap_and_the_last_stays() {
        let mut room = room(10, 10);
        assert_eq!((1..=5).map(|_| room.forget_oldest()).last(), Some(Some(5)));
        let piece = room.after(3);
        assert!(piece.gap && numbers(&piece) == [6, 7, 8, 9, 10]);
        assert!(!room.after(5).gap && room.after(7).earlier && !room.after(10).gap);
        assert!(room.known("k5").is_none() && room.known("k6").is_some());
        while room.forget_oldest().is_some() {}
        assert_eq!(
            (room.len(), room.last, room.bytes()),
            (1, 10, MESSAGE_BYTES + 10)
        );
    }

    #[test]
    fn one_can_go_back_to_the_beginning() {
        let room = room(450, 10);
        let newest = room.before(u64::MAX);
        assert!(newest.earlier && numbers(&newest).into_iter().eq(251..=450));
        let first = room.before(51);
        assert!(!first.earlier && numbers(&first).into_iter().eq(1..=50));
        assert!(
            room.newest_few(2, 10_000)
                .map(|message| message.seq)
                .eq(449..=450)
        );
        assert_eq!(room.newest_few(9, MESSAGE_BYTES + 10).count(), 1);
    }
}
