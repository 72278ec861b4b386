//! One person in the hall, as whoever brought him there sees him: says, hears, goes elsewhere, leaves.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use ropewalk::Handle;
use ropewalk::protocols::PeerKey;
use ropewalk::web::websocket::WebSocket;

use super::super::text::Name;
use super::super::wire::Told;
use super::outbox::Item;
use super::room::{Known, Message};
use super::{Hall, NoRoom, Seat};

/// For so long a name is kept for who was cut off and may come back.
const ABSENCE: Duration = Duration::from_secs(20);

/// Who types is told of this often at most: each notice goes to everybody.
const TYPING_INTERVAL: Duration = Duration::from_secs(2);

/// Somebody's place in the hall. Dropping it leaves.
pub(crate) struct Guest {
    pub(super) hall: Hall,
    pub(super) name: Name,
    /// What the name looks like: who this is.
    pub(super) id: String,
    /// Whether it is still he: the same name may be somebody else's by now.
    pub(super) visit: u64,
    pub(super) handle: Handle,
    pub(super) peer: PeerKey,
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
