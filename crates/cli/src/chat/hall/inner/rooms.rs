//! The rooms of the hall: how many there are, how much they remember, and what browsers are told of them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ropewalk::protocols::PeerKey;

use super::super::room::{Message, ROOM_MESSAGES, Room};
use super::super::{LOBBY, Seat};
use super::Inner;
use crate::chat::text::Name;
use crate::chat::wire::{RoomTold, Told};

/// So many rooms at most: everybody is shown all of them.
const MOST_ROOMS: usize = 200;

/// In a full hall a room where nobody is makes place for a new one, if nothing was said in it for so long (a day).
const QUIET_MS: u64 = 24 * 60 * 60 * 1000;

/// The history of all rooms takes so much memory and disk, about; then the room with most of it forgets its oldest messages, so
/// that who talks much in one room takes nothing from others.
const HISTORY_BYTES: usize = 32 * 1024 * 1024;

/// So much is forgotten at once: to look which room has most costs more than to forget.
const FORGOTTEN_BYTES: usize = 64 * 1024;

/// Why a room cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    TooMany,
    TooOften,
}

impl Inner {
    pub(crate) fn names(&self, room: &str) -> impl Iterator<Item = &str> {
        let here = self.rooms.get(room).map(|room| room.here.iter());
        let people = here.into_iter().flatten();
        let people = people.filter_map(|id| self.people.get(id));
        people.map(|person| person.name.as_str())
    }

    /// Makes a room if there is none of that name.
    pub(crate) fn open_room(
        &mut self,
        name: &Name,
        peer: PeerKey,
        now: Duration,
        clock: u64,
        id: u64,
    ) -> Result<(), NoRoom> {
        let folded = name.folded();
        if self.rooms.contains_key(&folded) {
            return Ok(());
        }
        if folded != LOBBY {
            let taken = self.openings.take(peer, now);
            taken.map_err(|_| NoRoom::TooOften)?;
            if self.rooms.len() >= MOST_ROOMS && !self.close_quiet_room(clock) {
                return Err(NoRoom::TooMany);
            }
        }
        let number = self.next_room;
        self.next_room += 1;
        self.changed.insert(folded.clone());
        let room = Room::new(name.clone(), number, format!("{id:016x}"));
        self.rooms.insert(folded, room);
        Ok(())
    }

    /// Closes a room that nobody would miss.
    pub(crate) fn close_if_blank(&mut self, room: &str) {
        if self.rooms.get(room).is_some_and(Room::is_blank) {
            self.rooms.remove(room);
        }
    }

    /// Forgets the room that was quiet for longest, if it was for long.
    fn close_quiet_room(&mut self, clock: u64) -> bool {
        let silent = |(folded, room): (&String, &Room)| {
            let said = room.newest()?.at;
            let is_quiet =
                said.saturating_add(QUIET_MS) < clock && room.here.is_empty() && room.pending == 0;
            (is_quiet && folded != LOBBY).then(|| (said, folded.clone()))
        };
        let Some((_, quietest)) = self.rooms.iter().filter_map(silent).min() else {
            return false;
        };
        if let Some(room) = self.rooms.remove(&quietest) {
            self.history_bytes -= room.bytes();
            if self.journal.is_some() {
                self.gone.push(room.number);
            }
        }
        self.changed.insert(quietest);
        true
    }

    /// Adds a message to its room, and forgets what is too much.
    pub(crate) fn add(&mut self, room: &str, message: Message) {
        if let Some(room) = self.rooms.get_mut(room) {
            self.history_bytes += message.bytes();
            room.push(message);
            self.history_bytes -= forget_surplus(room, &mut self.pruned);
            self.trim();
        }
    }

    pub(super) fn trim(&mut self) {
        while self.history_bytes > HISTORY_BYTES {
            let Some(largest) = self.rooms.values_mut().max_by_key(|room| room.bytes()) else {
                return;
            };
            let forgotten = forget(largest, &mut self.pruned, |_, done| done < FORGOTTEN_BYTES);
            if forgotten == 0 {
                return;
            }
            self.history_bytes -= forgotten;
        }
    }

    pub(crate) fn tell_changes(&mut self) {
        self.is_telling = false;
        let changed = std::mem::take(&mut self.changed);
        let rooms = changed.iter().filter_map(|name| self.rooms.get(name));
        let gone = changed
            .iter()
            .filter(|name| !self.rooms.contains_key(*name));
        let told = Told::Rooms {
            all: false,
            rooms: rooms.map(Room::told).collect(),
            gone: gone.map(String::as_str).collect(),
        };
        self.browsers.send(told.text());
    }

    pub(crate) fn tell_typing(&self, id: &str) {
        let Some(person) = self.people.get(id) else {
            return;
        };
        let room = person.room.as_ref().and_then(|room| self.rooms.get(room));
        if let (Some(room), Seat::Browser(socket)) = (room, &person.seat) {
            let (name, told) = (person.name.as_str(), room.name.as_str());
            let told = Told::Typing { room: told, name };
            room.topic.send_to_others(socket, told.text());
        }
    }
}

/// Forgets what a room has too many of; gives how many bytes were forgotten.
pub(super) fn forget_surplus(room: &mut Room, pruned: &mut BTreeMap<i64, u64>) -> usize {
    forget(room, pruned, |room, _| room.len() > ROOM_MESSAGES)
}

/// Forgets the oldest messages while there is a reason to, which is given how many bytes are forgotten; gives how many were.
fn forget(
    room: &mut Room,
    pruned: &mut BTreeMap<i64, u64>,
    goes_on: impl Fn(&Room, usize) -> bool,
) -> usize {
    let before = room.bytes();
    while goes_on(room, before - room.bytes())
        && let Some(seq) = room.forget_oldest()
    {
        pruned.insert(room.number, seq);
    }
    before - room.bytes()
}

impl Room {
    pub(crate) fn told(&self) -> RoomTold<'_> {
        RoomTold {
            name: self.name.as_str(),
            people: self.here.len(),
            last: self.last,
        }
    }
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "There are {MOST_ROOMS} rooms already. Join one of them."),
            Self::TooOften => {
                f.write_str("Too many new rooms come from your address. Try again in a minute.")
            }
        }
    }
}
