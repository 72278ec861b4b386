//! From what somebody did to who is told of it: one order for all, and nothing told that is not kept.

use std::collections::BTreeMap;

use ropewalk::{Bytes, Failure, Resolver};

use super::super::journal::Batch;
use super::super::wire::{Told, What};
use super::inner::Inner;
use super::room::Message;
use super::{Hall, Seat};

/// Something that those in a room are told, in its turn.
pub(crate) enum Item {
    Said {
        room: String,
        author: String,
        message: Message,
    },
    Came {
        room: String,
        id: String,
        name: String,
    },
    Went {
        room: String,
        id: String,
        name: String,
        what: &'static str,
    },
    /// Nothing: somebody wants to know when all before it is told.
    Mark(Resolver<()>),
}

impl Hall {
    /// Tells what can be told now: all of it, or what is before the next message that is to be kept first.
    pub(super) fn flush(&self) {
        let mut inner = self.0.borrow_mut();
        if inner.is_keeping {
            return;
        }
        let mut items = inner.take_outbox();
        let is_said = |item: &Item| matches!(item, Item::Said { .. });
        let journal = inner.journal.clone();
        let Some(journal) = journal.filter(|_| items.iter().any(is_said)) else {
            items.into_iter().for_each(|item| inner.deliver(item));
            return inner.calm();
        };
        let batch = inner.batch(&mut items);
        inner.is_keeping = true;
        drop(inner);
        let this = self.clone();
        journal
            .keep(batch)
            .on_result(move |kept| this.kept(items, kept));
    }

    /// The journal has kept these, or could not.
    fn kept(&self, items: Vec<Item>, kept: Result<(), Failure>) {
        let mut inner = self.0.borrow_mut();
        inner.is_keeping = false;
        if let Err(failure) = &kept {
            tracing::error!(%failure, "the history cannot be written: nobody is told what was said");
        }
        // What waits behind is refused with it: else it would overtake what its sender says again.
        let behind = match kept.is_err() {
            true => inner.take_outbox(),
            false => Vec::new(),
        };
        for item in items.into_iter().chain(behind) {
            match item {
                Item::Said {
                    room,
                    author,
                    message,
                } if kept.is_err() => inner.refuse(&room, &author, &message),
                item => inner.deliver(item),
            }
        }
        drop(inner);
        self.flush();
    }
}

impl Inner {
    pub(super) fn put(&mut self, item: Item) {
        if let Item::Said { room, message, .. } = &item {
            self.outbox_bytes += message.bytes();
            if let Some(room) = self.rooms.get_mut(room) {
                room.pending += 1;
            }
        }
        self.outbox.push(item);
    }

    /// Takes all that waits, with the messages numbered.
    fn take_outbox(&mut self) -> Vec<Item> {
        let mut items = std::mem::take(&mut self.outbox);
        self.outbox_bytes = 0;
        let mut last = BTreeMap::new();
        for item in &mut items {
            if let Item::Said { room, message, .. } = item {
                let of_room = || self.rooms.get(room).map_or(0, |room| room.last);
                let seq = last.entry(room.clone()).or_insert_with(of_room);
                *seq += 1;
                message.seq = *seq;
            }
        }
        items
    }

    /// What the journal is to keep, and to forget.
    fn batch(&mut self, items: &mut [Item]) -> Batch {
        let mut batch = Batch {
            gone: std::mem::take(&mut self.gone),
            pruned: std::mem::take(&mut self.pruned),
            ..Batch::default()
        };
        for item in items {
            if let Item::Said { room, message, .. } = item
                && let Some(room) = self.rooms.get(room)
            {
                let of_room = || (room.name.to_string(), room.id.clone());
                batch.rooms.entry(room.number).or_insert_with(of_room);
                batch.messages.push((room.number, message.clone()));
            }
        }
        batch
    }

    fn deliver(&mut self, item: Item) {
        match item {
            Item::Said {
                room,
                author,
                message,
            } => self.tell_message(&room, &author, message),
            Item::Came { room, id, name } => {
                let told = |room| Told::Joined { room, name: &name };
                self.tell_others(&room, &id, format!("* {name} joined\n"), told);
            }
            Item::Went {
                room,
                id,
                name,
                what,
            } => {
                let told = |room| Told::Left { room, name: &name };
                self.tell_others(&room, &id, format!("* {name} {what}\n"), told);
            }
            Item::Mark(resolver) => {
                let _it_may_be_gone = resolver.resolve(());
            }
        }
    }

    fn tell_message(&mut self, room: &str, author: &str, message: Message) {
        let Some(found) = self.rooms.get_mut(room) else {
            return;
        };
        found.pending -= 1;
        let (name, seq) = (found.name.to_string(), message.seq);
        let told = Told::Message {
            room: &name,
            message: &message,
        };
        found.topic.send(told.text());
        if let Some(key) = &message.key
            && let Some(socket) = found.settle(key)
        {
            let room = name.as_str();
            socket.send_text(Told::Ack { room, key, seq }.text());
        }
        let line = format!("{}: {}\n", message.name, message.text);
        let echoes = self.people.get(author).is_some_and(|author| author.echo);
        self.tell_lines(room, (!echoes).then_some(author), line);
        self.add(room, message);
        self.changed.insert(room.to_owned());
    }

    fn tell_others<'a>(
        &'a self,
        room: &str,
        id: &str,
        line: String,
        told: impl FnOnce(&'a str) -> Told<'a>,
    ) {
        let Some(found) = self.rooms.get(room).filter(|_| self.tells_who_goes()) else {
            return;
        };
        let text = told(found.name.as_str()).text();
        match self.people.get(id).map(|person| &person.seat) {
            Some(Seat::Browser(own)) => found.topic.send_to_others(own, text),
            _ => found.topic.send(text),
        };
        self.tell_lines(room, Some(id), line);
    }

    fn tell_lines(&self, room: &str, but: Option<&str>, line: String) {
        let line = Bytes::from(line);
        let ears = self.rooms.get(room).map(|room| room.ears.iter());
        let others = ears.into_iter().flatten();
        others
            .filter(|(id, _)| Some(id.as_str()) != but)
            .for_each(|(_, ear)| ear.hear(&line));
    }

    /// Tells who said it that nobody got it.
    fn refuse(&mut self, room: &str, author: &str, message: &Message) {
        const WHY: &str = "It could not be kept, so nobody got it.";
        let found = self.rooms.get_mut(room);
        found.into_iter().for_each(|room| room.pending -= 1);
        let key = message.key.as_deref();
        let asker = key.and_then(|key| self.rooms.get_mut(room).and_then(|room| room.settle(key)));
        if let Some(socket) = asker {
            let refused = Told::Refused {
                what: What::Message,
                why: WHY,
                key,
                again: true,
            };
            socket.send_text(refused.text());
        }
        if let Some(Seat::Lines(ear)) = self.people.get(author).map(|person| &person.seat) {
            ear.hear(&Bytes::from(format!("* {WHY}\n")));
        }
        self.close_if_blank(room);
    }
}
