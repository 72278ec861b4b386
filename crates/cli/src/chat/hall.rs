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

mod inner;
mod outbox;
mod room;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, UNIX_EPOCH};

use ropewalk::protocols::PeerKey;
use ropewalk::web::websocket::WebSocket;
use ropewalk::{Address, Bytes, Deferred, Handle};

use self::inner::Inner;
pub(crate) use self::inner::{NoEntry, NoRoom};
use self::outbox::Item;
use self::room::Known;
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

/// For so long a name is kept for who was cut off and may come back.
const ABSENCE: Duration = Duration::from_secs(20);

/// Who types is told of this often at most: each notice goes to everybody.
const TYPING_INTERVAL: Duration = Duration::from_secs(2);

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

/// Somebody's place in the hall. Dropping it leaves.
pub(crate) struct Guest {
    hall: Hall,
    name: Name,
    /// What the name looks like: who this is.
    id: String,
    /// Whether it is still he: the same name may be somebody else's by now.
    visit: u64,
    handle: Handle,
    peer: PeerKey,
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

impl Guest {
    /// The name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    pub(crate) fn peer(&self) -> PeerKey {
        self.peer
    }

    /// The room where he is, folded.
    pub(crate) fn room(&self) -> Option<String> {
        let inner = self.hall.0.borrow();
        let person = inner.people.get(&self.id)?;
        person.room.clone().filter(|_| person.visit == self.visit)
    }

    /// Goes to a room, which is made if there is none, and leaves the one before; both are told. Gives how many hear of it.
    pub(crate) fn join(&self, room: &Name) -> Result<usize, NoRoom> {
        let (hall, to, from) = (&self.hall, room.folded(), self.room());
        if from.as_ref() == Some(&to) {
            return Ok(1);
        }
        self.open(room)?;
        let listeners = hall.count(&to) + from.map_or(0, |from| hall.count(&from));
        self.leave_room("left");
        if hall.0.borrow_mut().seat(&self.id, self.visit, &to) {
            let (id, name) = (self.id.clone(), self.name.to_string());
            hall.put(&self.handle, Item::Came { room: to, id, name });
        } else {
            hall.0.borrow_mut().close_if_blank(&to);
        }
        Ok(listeners)
    }

    /// Hears his own lines, too, once they are kept; or does not.
    pub(crate) fn set_echo(&self, echo: bool) {
        let mut inner = self.hall.0.borrow_mut();
        if let Some(person) = inner.people.get_mut(&self.id) {
            person.echo = echo;
        }
    }

    /// Says a line, which is safe to show, to all others in his room.
    pub(crate) fn say(&self, text: String) {
        if let Some(room) = self.room() {
            self.submit(room, None, text);
        }
    }

    /// Says something in a room under a key; the socket is told once it is kept. What is known already is not said again.
    pub(crate) fn say_once(
        &self,
        room: &Name,
        key: String,
        text: String,
        socket: &WebSocket,
    ) -> Result<(), NoRoom> {
        self.open(room)?;
        let folded = room.folded();
        let mut inner = self.hall.0.borrow_mut();
        let found = inner.rooms.get_mut(&folded).expect("it was just opened");
        match found.known(&key) {
            Some(Known::Pending(asker)) => asker.clone_from(socket),
            Some(Known::Kept(seq)) => {
                let (seq, room) = (*seq, found.name.as_str());
                let key = key.as_str();
                socket.send_text(Told::Ack { room, key, seq }.text());
            }
            None => {
                found.expect(key.clone(), socket.clone());
                drop(inner);
                self.submit(folded, Some(key), text);
            }
        }
        Ok(())
    }

    /// Tells the others in his room that he types; not too often.
    pub(crate) fn type_on(&self) {
        let now = self.handle.now();
        let mut inner = self.hall.0.borrow_mut();
        let Some(person) = inner.people.get_mut(&self.id) else {
            return;
        };
        let is_often = person
            .typed
            .is_some_and(|typed| now.saturating_sub(typed) < TYPING_INTERVAL);
        if is_often || person.visit != self.visit {
            return;
        }
        person.typed = Some(now);
        inner.tell_typing(&self.id);
    }

    /// Hears from now on what is said in his room.
    pub(crate) fn listen(&self, socket: &WebSocket) {
        if let Some(room) = self.room() {
            self.hall.look(&room, |room| room.topic.subscribe(socket));
        }
    }

    /// Hears nothing more of it, until he has heard all that was said before.
    pub(crate) fn stop_listening(&self, socket: &WebSocket) {
        if let Some(room) = self.room() {
            self.hall.look(&room, |room| room.topic.unsubscribe(socket));
        }
    }

    /// Leaves; the others are told what happened, as in `what`.
    pub(crate) fn leave(self, what: &'static str) {
        self.remove(what);
    }

    /// Was cut off: may come back for a while, as nobody else.
    pub(crate) fn cut_off(self) {
        let mut inner = self.hall.0.borrow_mut();
        let Some(person) = inner.people.get_mut(&self.id) else {
            return;
        };
        if person.visit == self.visit {
            let seat = std::mem::replace(&mut person.seat, Seat::Empty);
            let room = person.room.clone();
            inner.unsubscribe(room.as_deref(), &seat);
            drop(inner);
            let handle = self.handle.clone();
            handle.call_later(ABSENCE, move |_: &Handle| self.give_up());
        }
    }

    /// Removes who did not come back.
    fn give_up(self) {
        let is_back = {
            let inner = self.hall.0.borrow();
            let person = inner.people.get(&self.id);
            person.is_some_and(|person| person.visit != self.visit)
        };
        if !is_back {
            self.remove("left");
        }
    }

    /// Opens a room if there is none.
    fn open(&self, room: &Name) -> Result<(), NoRoom> {
        let mut inner = self.hall.0.borrow_mut();
        let id = u64::from_ne_bytes(self.handle.random_bytes());
        inner.open_room(room, self.peer, self.handle.now(), clock(&self.handle), id)
    }

    fn submit(&self, room: String, key: Option<String>, text: String) {
        if let Some(person) = self.hall.0.borrow_mut().people.get_mut(&self.id) {
            person.typed = None; // what he types now is another message
        }
        let said = Item::Said {
            room,
            author: self.id.clone(),
            message: Message {
                seq: 0,
                key,
                name: self.name.to_string(),
                text,
                at: clock(&self.handle),
            },
        };
        self.hall.put(&self.handle, said);
    }

    fn leave_room(&self, what: &'static str) {
        let room = self.hall.0.borrow_mut().unseat(&self.id, self.visit);
        if let Some(room) = room {
            let (id, name) = (self.id.clone(), self.name.to_string());
            let gone = Item::Went {
                room,
                id,
                name,
                what,
            };
            self.hall.put(&self.handle, gone);
        }
    }

    fn remove(&self, what: &'static str) {
        self.leave_room(what);
        self.hall.0.borrow_mut().forget(&self.id, self.visit);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.remove("left");
    }
}

/// Milliseconds since 1970.
fn clock(handle: &Handle) -> u64 {
    let since = handle.wall_time().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guest({})", self.name)
    }
}
