//! The state of the hall: who is in, what waits to be kept, and how much each address may do.

mod rooms;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::protocols::{PeerKey, RateLimit};
use ropewalk::web::websocket::{CloseCode, Topic};
use ropewalk::{Bytes, Deferred, Handle, Resolver};

pub(crate) use self::rooms::NoRoom;
use self::rooms::forget_surplus;
use super::super::journal::{Journal, Kept};
use super::super::text::Name;
use super::Seat;
use super::outbox::Item;
use super::room::Room;

/// So many people at most, whatever the limits of connections: each is told of those who come and go.
const MOST_PEOPLE: usize = 10_000;

/// While so much waits to be kept, nothing more is read. Stops guests who are faster than the disk.
const OUTBOX_BYTES: usize = 256 * 1024;

/// Messages of an address: so many at once, and then one in so long. Stops who would push out of the history what others said; he is read more slowly, and loses nothing.
const WORDS: (u32, Duration) = (10_000, Duration::from_micros(500));

/// Names that an address takes, in the same way. Stops who comes and goes all the time, of which all in the lobby are told; he is refused.
const ARRIVALS: (u32, Duration) = (2000, Duration::from_millis(20));

/// Rooms that it opens. Stops who fills the list that everybody is shown; he is refused.
const OPENINGS: (u32, Duration) = (20, Duration::from_secs(30));

/// The token of one who closed with this was taken over: the number is ours to choose (RFC 6455 7.4.2).
const TAKEN_OVER: u16 = 4001;

pub(crate) struct Inner {
    /// By folded name.
    pub(super) rooms: BTreeMap<String, Room>,
    /// By what their names look like.
    pub(super) people: BTreeMap<String, Person>,
    /// The browsers of all who are in.
    pub(super) browsers: Topic,
    /// The rooms of which browsers do not know yet how they changed.
    pub(super) changed: BTreeSet<String>,
    pub(super) is_telling: bool,
    /// What is not told yet, in order.
    pub(super) outbox: Vec<Item>,
    pub(super) outbox_bytes: usize,
    pub(super) is_keeping: bool,
    pub(super) journal: Option<Rc<Journal>>,
    /// What the journal may forget: rooms, and of others all up to a number.
    pub(super) gone: Vec<i64>,
    pub(super) pruned: BTreeMap<i64, u64>,
    /// Messages that each peer may say.
    pub(super) words: RateLimit<PeerKey>,
    arrivals: RateLimit<PeerKey>,
    openings: RateLimit<PeerKey>,
    history_bytes: usize,
    is_open: bool,
    is_closing: bool,
    waiting: Vec<Resolver<()>>,
    visits: u64,
    next_room: i64,
}

/// Somebody with a name.
pub(super) struct Person {
    pub(super) name: Name,
    token: Option<String>,
    pub(super) visit: u64,
    pub(super) room: Option<String>,
    pub(super) seat: Seat,
    /// Whether he hears his own lines.
    pub(super) echo: bool,
    pub(super) typed: Option<Duration>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// The name is in use.
    Taken,
    /// One that looks like it is.
    Alike,
    TooMany,
    TooOften,
    Closing,
}

impl Inner {
    pub(super) fn new(is_open: bool) -> Self {
        Self {
            rooms: BTreeMap::new(),
            people: BTreeMap::new(),
            browsers: Topic::new(),
            changed: BTreeSet::new(),
            is_telling: false,
            outbox: Vec::new(),
            outbox_bytes: 0,
            is_keeping: false,
            journal: None,
            gone: Vec::new(),
            pruned: BTreeMap::new(),
            words: RateLimit::new(WORDS.0, WORDS.1),
            arrivals: RateLimit::new(ARRIVALS.0, ARRIVALS.1),
            openings: RateLimit::new(OPENINGS.0, OPENINGS.1),
            history_bytes: 0,
            is_open,
            is_closing: false,
            waiting: Vec::new(),
            visits: 0,
            next_room: 1,
        }
    }

    pub(super) fn open(&mut self, journal: Rc<Journal>, kept: Kept) {
        for room in kept.rooms {
            self.next_room = self.next_room.max(room.number + 1);
            self.history_bytes += room.bytes();
            if let Some(older) = self.rooms.insert(room.name.folded(), room) {
                self.history_bytes -= older.bytes();
                self.gone.push(older.number);
            }
        }
        self.journal = Some(journal);
        self.is_open = true;
        for room in self.rooms.values_mut() {
            self.history_bytes -= forget_surplus(room, &mut self.pruned);
        }
        self.trim();
    }

    pub(super) fn busy(&mut self, handle: &Handle) -> Option<Deferred<()>> {
        if self.is_open && self.outbox_bytes < OUTBOX_BYTES {
            return None;
        }
        let (calm, resolver) = Deferred::new(handle);
        self.waiting.push(resolver);
        Some(calm)
    }

    /// Lets those go on who were kept waiting.
    pub(super) fn calm(&mut self) {
        if self.is_open && self.outbox_bytes < OUTBOX_BYTES {
            for resolver in self.waiting.drain(..) {
                let _it_may_be_gone = resolver.resolve(());
            }
        }
    }

    pub(super) fn may_arrive(&mut self, peer: PeerKey, now: Duration) -> Result<(), NoEntry> {
        let taken = self.arrivals.take(peer, now);
        taken.map_err(|_| NoEntry::TooOften)
    }

    /// Gives the number of the visit.
    pub(super) fn enter(
        &mut self,
        id: &str,
        name: &Name,
        token: Option<String>,
        seat: Seat,
    ) -> Result<u64, NoEntry> {
        if self.is_closing {
            return Err(NoEntry::Closing);
        }
        self.visits += 1;
        if let Some(person) = self.people.get_mut(id) {
            if person.name.folded() != name.folded() {
                return Err(NoEntry::Alike);
            }
            if token.is_none() || token != person.token {
                return Err(NoEntry::Taken);
            }
            person.visit = self.visits;
            let (room, before) = (
                person.room.clone(),
                std::mem::replace(&mut person.seat, seat),
            );
            self.unsubscribe(room.as_deref(), &before);
            if let (Seat::Browser(socket), Some(code)) = (before, CloseCode::of(TAKEN_OVER)) {
                socket.close(code, "you are here from elsewhere");
            }
            return Ok(self.visits);
        }
        if self.people.len() >= MOST_PEOPLE {
            return Err(NoEntry::TooMany);
        }
        let person = Person {
            name: name.clone(),
            token,
            visit: self.visits,
            room: None,
            seat,
            echo: false,
            typed: None,
        };
        self.people.insert(id.to_owned(), person);
        Ok(self.visits)
    }

    /// Puts somebody who is in no room into one; tells whether he is still here.
    pub(super) fn seat(&mut self, id: &str, visit: u64, room: &str) -> bool {
        let person = self.people.get_mut(id);
        let Some(person) = person.filter(|person| person.visit == visit) else {
            return false;
        };
        person.room = Some(room.to_owned());
        if let Some(room) = self.rooms.get_mut(room) {
            room.here.insert(id.to_owned());
            if let Seat::Lines(ear) = &person.seat {
                room.ears.insert(id.to_owned(), Rc::clone(ear));
            }
        }
        self.changed.insert(room.to_owned());
        true
    }

    /// Takes somebody out of his room, and tells which it was. A room that nobody would miss goes.
    pub(super) fn unseat(&mut self, id: &str, visit: u64) -> Option<String> {
        let person = self.people.get_mut(id);
        let person = person.filter(|person| person.visit == visit)?;
        let name = person.room.take()?;
        let room = self.rooms.get_mut(&name)?;
        room.here.remove(id);
        room.ears.remove(id);
        if let Seat::Browser(socket) = &person.seat {
            room.topic.unsubscribe(socket);
        }
        self.close_if_blank(&name);
        self.changed.insert(name.clone());
        Some(name)
    }

    pub(super) fn forget(&mut self, id: &str, visit: u64) {
        let person = self.people.get(id);
        if person.is_some_and(|person| person.visit == visit) {
            self.people.remove(id);
        }
    }

    /// Tells a browser that was in this room nothing more.
    pub(super) fn unsubscribe(&self, room: Option<&str>, seat: &Seat) {
        if let Seat::Browser(socket) = seat {
            self.browsers.unsubscribe(socket);
            if let Some(room) = room.and_then(|room| self.rooms.get(room)) {
                room.topic.unsubscribe(socket);
            }
        }
    }

    pub(super) fn close(&mut self, line: &Bytes) {
        self.is_closing = true;
        let ears = self.rooms.values().flat_map(|room| room.ears.values());
        ears.for_each(|ear| ear.hear(line));
    }

    /// Whether those who come and go are told of.
    pub(super) const fn tells_who_goes(&self) -> bool {
        !self.is_closing
    }
}

impl NoEntry {
    /// Whether the same may be granted a little later, with nobody doing anything about it.
    pub(crate) const fn may_pass(self) -> bool {
        !matches!(self, Self::Taken | Self::Alike)
    }
}

impl fmt::Display for NoEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "Somebody here is called that already.",
            Self::Alike => "Somebody here has a name that looks like this one.",
            Self::TooMany => "The chat is full. Try again later.",
            Self::TooOften => "Too many come from your address. Try again in a minute.",
            Self::Closing => "The chat is being stopped. Try again later.",
        })
    }
}
