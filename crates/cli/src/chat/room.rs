//! The room: who is in it, and who hears what. It knows no transport and no command, so that clients of any kind share one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use ropewalk::Bytes;

use super::text::Name;

/// A room; cheap to clone, every clone is the same room.
#[derive(Clone, Default)]
pub(crate) struct Room(Rc<RefCell<Members>>);

/// Where what is said in the room arrives at one guest.
pub(crate) trait Seat {
    /// Queues a line, which ends with a line feed and is safe to show. All seats are given the same allocation.
    fn hear(&self, line: &Bytes);
}

/// Somebody's place in the room. Dropping it leaves the room.
pub(crate) struct Guest {
    room: Room,
    name: Name,
}

/// The name is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NameTaken;

/// In the order in which `/who` shows them.
type Members = BTreeMap<String, Member>;

struct Member {
    name: Name,
    seat: Box<dyn Seat>,
}

impl Room {
    /// Takes a place, and tells the others.
    pub(crate) fn enter(&self, name: Name, seat: impl Seat + 'static) -> Result<Guest, NameTaken> {
        let mut members = self.0.borrow_mut();
        let key = name.folded();
        if members.contains_key(&key) {
            return Err(NameTaken);
        }
        members.insert(
            key,
            Member {
                name: name.clone(),
                seat: Box::new(seat),
            },
        );
        drop(members);
        self.tell_others(&name, format_args!("* {name} joined"));
        Ok(Guest {
            room: self.clone(),
            name,
        })
    }

    /// How many are here.
    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// The names of all, as one line.
    pub(crate) fn who(&self) -> String {
        let members = self.0.borrow();
        let names: Vec<String> = members
            .values()
            .map(|member| member.name.to_string())
            .collect();
        match names.len() {
            0 => "Nobody is here.".to_owned(),
            count => format!("{count} here: {}", names.join(", ")),
        }
    }

    /// Tells everybody a last line. Then the room is empty, and nobody is told of anybody who leaves.
    pub(crate) fn close(&self, goodbye: &str) {
        let members = self.0.take();
        let line = Bytes::from(format!("* {goodbye}\n"));
        for member in members.values() {
            member.seat.hear(&line);
        }
    }

    fn tell_others(&self, name: &Name, said: fmt::Arguments<'_>) -> usize {
        let line = Bytes::from(format!("{said}\n"));
        let own = name.folded();
        let members = self.0.borrow();
        for (_, member) in members.iter().filter(|(key, _)| **key != own) {
            member.seat.hear(&line);
        }
        line.len()
    }
}

impl Guest {
    /// The name.
    pub(crate) fn name(&self) -> &Name {
        &self.name
    }

    /// Says something, which is safe to show, to all others. Returns how many bytes each of them gets.
    pub(crate) fn say(&self, text: &str) -> usize {
        self.room
            .tell_others(&self.name, format_args!("{}: {text}", self.name))
    }

    /// Leaves; the others are told what happened, as in `left`.
    pub(crate) fn leave(self, what: &str) {
        self.remove(what);
    }

    fn remove(&self, what: &str) {
        let member = self.room.0.borrow_mut().remove(&self.name.folded());
        if member.is_some() {
            self.room
                .tell_others(&self.name, format_args!("* {} {what}", self.name));
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.remove("left");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it hears.
    #[derive(Clone, Default)]
    struct Ear(Rc<RefCell<Vec<Bytes>>>);

    impl Seat for Ear {
        fn hear(&self, line: &Bytes) {
            self.0.borrow_mut().push(line.clone());
        }
    }

    impl Ear {
        fn heard(&self) -> Vec<String> {
            let lines = self.0.take();
            lines
                .iter()
                .map(|line| String::from_utf8_lossy(line).into_owned())
                .collect()
        }
    }

    fn enter(room: &Room, name: &str) -> (Guest, Ear) {
        let ear = Ear::default();
        let name = Name::parse(name.as_bytes()).unwrap();
        let guest = room.enter(name, ear.clone()).expect("the name is free");
        (guest, ear)
    }

    #[test]
    fn all_others_hear_what_is_said_who_comes_and_who_goes() {
        let room = Room::default();
        let (ann, at_ann) = enter(&room, "ann");
        let (bob, at_bob) = enter(&room, "bob");
        assert_eq!(at_ann.heard(), ["* bob joined\n"]);
        assert_eq!(ann.say("hi"), "ann: hi\n".len());
        assert_eq!(
            (at_ann.heard(), at_bob.heard()),
            (vec![], vec!["ann: hi\n".to_owned()])
        );
        bob.leave("was dropped");
        drop(ann);
        assert_eq!(at_ann.heard(), ["* bob was dropped\n"]);
        assert_eq!(room.count(), 0);
    }

    #[test]
    fn one_allocation_reaches_all() {
        let room = Room::default();
        let (ann, _) = enter(&room, "ann");
        let others: Vec<_> = ["b", "c", "d"].map(|name| enter(&room, name)).into();
        others.iter().for_each(|(_, ear)| drop(ear.heard()));
        ann.say("the same");
        let places: Vec<_> = others
            .iter()
            .map(|(_, ear)| ear.0.borrow()[0].as_ptr())
            .collect();
        assert!(places.iter().all(|place| *place == places[0]));
    }

    #[test]
    fn a_name_is_taken_once_and_free_again_later() {
        let room = Room::default();
        let (ann, _) = enter(&room, "Ann");
        let again = room.enter(Name::parse(b"aNN").unwrap(), Ear::default());
        assert_eq!(again.map(drop), Err(NameTaken));
        drop(ann);
        let (_ann, _) = enter(&room, "aNN");
        assert_eq!(room.who(), "1 here: aNN");
    }

    #[test]
    fn a_closed_room_says_goodbye_once() {
        let room = Room::default();
        let (ann, at_ann) = enter(&room, "ann");
        let (_bob, at_bob) = enter(&room, "bob");
        at_ann.heard();
        room.close("goodbye");
        drop(ann);
        assert_eq!(
            (at_ann.heard(), at_bob.heard()),
            (vec!["* goodbye\n".into()], vec!["* goodbye\n".into()])
        );
        assert_eq!(room.who(), "Nobody is here.");
    }
}
