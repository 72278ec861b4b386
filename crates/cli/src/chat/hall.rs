//! The hall: all rooms, who is in them, and what was said. It knows lines and WebSockets only as seats, so that clients of any
//! kind share the same rooms.
//!
//! ```text
//!   a guest says ─► outbox ─► numbered ─► the journal keeps it ─► all who are in the room are told, and the sender
//!   comes, goes  ──┘ in one order for all   (or at once, without)
//! ```
//!
//! Everything that is told is in memory, bounded; the journal is written when something is said and read when the hall opens.
//! So nobody waits for a disk but for what he said himself, and what came before is told without a gap to what comes now.

mod guest;
mod inner;
mod outbox;
mod room;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::protocols::PeerKey;
use ropewalk::web::websocket::WebSocket;
use ropewalk::{Address, Bytes, Deferred, Handle};

pub(crate) use self::guest::Guest;
use self::inner::Inner;
pub(crate) use self::inner::{NoEntry, NoRoom};
use self::outbox::Item;
pub(crate) use self::room::{Message, Piece, Room};
use super::journal::{Journal, Kept};
use super::text::Name;
use super::wire::Told;

/// The room where everybody comes in.
pub(crate) const LOBBY: &str = "lobby";

/// The longest text, as it is sent. Longer ones would fill others' screens.
pub(crate) const TEXT_BYTES: usize = 16_384;

/// So many names are told of those who are in a room; of the others their number.
pub(crate) const MOST_NAMES: usize = 500;

/// Changes of rooms are told together, this often at most: they go to everybody.
const ROOMS_INTERVAL: Duration = Duration::from_secs(1);

/// All rooms; cheap to clone, every clone is the same hall.
#[derive(Clone)]
pub(crate) struct Hall(Rc<RefCell<Inner>>);

/// Where what happens in a room arrives at one guest.
pub(crate) enum Seat {
    Browser(WebSocket),
    Lines(Rc<dyn Ear>),
    /// Nobody's, but kept for a while for who was cut off.
    Empty,
}

/// Somebody who hears lines.
pub(crate) trait Ear {
    /// Queues a line, which ends with a line feed and is safe to show. All are given the same allocation.
    fn hear(&self, line: &Bytes);
}

impl Hall {
    /// A hall that keeps what is said in memory alone.
    pub(crate) fn in_memory() -> Self {
        Self(Rc::new(RefCell::new(Inner::new(true))))
    }

    /// A hall that lets nobody in until its history is there: see [`open`](Self::open).
    pub(crate) fn closed() -> Self {
        Self(Rc::new(RefCell::new(Inner::new(false))))
    }

    /// Opens with what was kept; from here on the journal keeps what is said.
    pub(crate) fn open(&self, journal: Rc<Journal>, kept: Kept) {
        self.0.borrow_mut().open(journal, kept);
        self.flush();
    }

    /// If there is too much to do, or it is not open yet: when to go on.
    pub(crate) fn busy(&self, handle: &Handle) -> Option<Deferred<()>> {
        self.0.borrow_mut().busy(handle)
    }

    /// Takes a place, in no room yet.
    ///
    /// Who has the token of the name's owner takes the name over, with the room; the other connection is told so.
    pub(crate) fn enter(
        &self,
        handle: &Handle,
        peer: &Address,
        name: Name,
        token: Option<String>,
        seat: Seat,
    ) -> Result<Guest, NoEntry> {
        let peer = peer.ip().map(PeerKey::from).unwrap_or_default();
        let id = name.looks();
        let mut inner = self.0.borrow_mut();
        inner.may_arrive(peer, handle.now())?;
        let visit = inner.enter(&id, &name, token, seat)?;
        Ok(Guest {
            hall: self.clone(),
            name,
            id,
            visit,
            handle: handle.clone(),
            peer,
        })
    }

    /// The names of those in a room, as one line.
    pub(crate) fn who(&self, room: &str) -> String {
        let (count, mut names) = (self.count(room), self.here(room, MOST_NAMES));
        names.sort_by_cached_key(|name| name.to_lowercase());
        let more = match count - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        match count {
            0 => "Nobody is here.".to_owned(),
            count => format!("{count} here: {}{more}", names.join(", ")),
        }
    }

    /// All rooms, as one line.
    pub(crate) fn rooms(&self) -> String {
        let inner = self.0.borrow();
        let rooms = inner.rooms.values();
        let rooms: Vec<String> = rooms
            .map(|room| format!("{} ({} here)", room.name, room.here.len()))
            .collect();
        format!("{} rooms: {}", rooms.len(), rooms.join(", "))
    }

    /// How many are in a room.
    pub(crate) fn count(&self, room: &str) -> usize {
        let inner = self.0.borrow();
        inner.rooms.get(room).map_or(0, |room| room.here.len())
    }

    /// The names of those in a room, so many at most.
    pub(crate) fn here(&self, room: &str, most: usize) -> Vec<String> {
        let inner = self.0.borrow();
        inner.names(room).take(most).map(str::to_owned).collect()
    }

    /// Tells everybody a last line. What they have said already is still kept and told, but nobody comes any more, and nobody is
    /// told of anybody who leaves.
    pub(crate) fn close(&self, goodbye: &str) {
        let line = Bytes::from(format!("* {goodbye}\n"));
        self.0.borrow_mut().close(&line);
    }

    /// Fires once all that was said before this is kept and told, or refused.
    pub(crate) fn settled(&self, handle: &Handle) -> Deferred<()> {
        let (settled, resolver) = Deferred::new(handle);
        self.put(handle, Item::Mark(resolver));
        settled
    }

    /// Lets a guest look at his room.
    pub(crate) fn look<T>(&self, room: &str, look: impl FnOnce(&Room) -> T) -> Option<T> {
        self.0.borrow().rooms.get(room).map(look)
    }

    /// Tells a browser of all rooms, and from now on of what changes.
    pub(crate) fn tell_rooms(&self, socket: &WebSocket) {
        let inner = self.0.borrow();
        let rooms = inner.rooms.values().map(Room::told).collect();
        let told = Told::Rooms {
            all: true,
            rooms,
            gone: Vec::new(),
        };
        socket.send_text(told.text());
        inner.browsers.subscribe(socket);
    }

    /// How long a peer has to wait who says so much that one word more is too much.
    pub(crate) fn too_fast(&self, peer: PeerKey, now: Duration) -> Option<Duration> {
        self.0.borrow_mut().words.take(peer, now).err()
    }

    fn put(&self, handle: &Handle, item: Item) {
        self.0.borrow_mut().put(item);
        self.flush();
        self.tell_changes_later(handle);
    }

    fn tell_changes_later(&self, handle: &Handle) {
        let mut inner = self.0.borrow_mut();
        if inner.changed.is_empty() || inner.is_telling {
            return;
        }
        if inner.browsers.is_empty() {
            inner.changed.clear();
        } else {
            inner.is_telling = true;
            let this = self.clone();
            handle.call_later(ROOMS_INTERVAL, move |_: &Handle| {
                this.0.borrow_mut().tell_changes();
            });
        }
    }
}
