//! What one world leaves in writing: all that was said in the room, and each end of each connection.
//!
//! The engine catches panics of protocols, so nothing is asserted in a callback: it is written down here, and judged later.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use ropewalk::{Address, Bytes, Handle, Protocol, Reason, Transport};

use super::super::hall::{Ear, Guest, Hall, LOBBY, Seat};
use super::super::text::Name;

/// Everything; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Ledger(Rc<Book>);

#[derive(Default)]
struct Book {
    lines: RefCell<Vec<Bytes>>,
    servers: RefCell<Vec<Rc<End>>>,
    clients: RefCell<Vec<Rc<End>>>,
}

/// One end of a connection that was made.
#[derive(Default)]
pub(super) struct End {
    made: Cell<u32>,
    lost: Cell<u32>,
    is_clean: Cell<bool>,
    heard_after_end: Cell<bool>,
    transport: RefCell<Option<Transport>>,
}

/// A protocol, overheard.
pub(super) struct Watched<P> {
    protocol: P,
    end: Rc<End>,
}

/// The ledger's own place in the room: it is a guest whose connection never fails.
impl Ear for Ledger {
    fn hear(&self, line: &Bytes) {
        self.0.lines.borrow_mut().push(line.clone());
    }
}

impl Ledger {
    /// Comes into the first room.
    pub(super) fn listen(&self, hall: &Hall, handle: &Handle) -> Guest {
        let name = |text: &str| Name::parse(text.as_bytes()).expect("a good name");
        let seat = Seat::Lines(Rc::new(self.clone()));
        let entered = hall.enter(handle, &Address::Stdio, name("ledger"), None, seat);
        let guest = entered.expect("it is the first");
        guest.join(&name(LOBBY)).expect("there is room");
        guest
    }

    /// The protocol of a server's end.
    pub(super) fn watch_server<P: Protocol>(&self, protocol: P) -> Watched<P> {
        watch(&self.0.servers, protocol, Rc::default())
    }

    /// The protocol of a client's end.
    pub(super) fn watch_client<P: Protocol>(&self, protocol: P, end: Rc<End>) -> Watched<P> {
        watch(&self.0.clients, protocol, end)
    }

    /// All that was said, in the room's order.
    pub(super) fn said(&self) -> Vec<String> {
        let lines = self.0.lines.borrow();
        let text = |line: &Bytes| String::from_utf8(line.to_vec()).expect("only text is said");
        lines.iter().map(text).collect()
    }

    /// The transports of the server's ends that are not lost.
    pub(super) fn at_server(&self) -> Vec<Transport> {
        let ends = self.0.servers.borrow();
        ends.iter().filter_map(|end| end.live()).collect()
    }

    /// The most bytes that wait for one guest.
    pub(super) fn most_unsent(&self) -> usize {
        let ends = self.0.servers.borrow();
        let unsent = ends.iter().filter_map(|end| {
            let transport = end.transport.borrow();
            transport.as_ref().map(Transport::unsent_bytes)
        });
        unsent.max().unwrap_or_default()
    }

    /// What was told wrong, an entry each: every end hears of its beginning once, and of its end at most once.
    pub(super) fn told_wrong(&self) -> Vec<String> {
        self.check(|end| end.made.get() == 1 && end.lost.get() <= 1 && !end.heard_after_end.get())
    }

    /// The ends that were not told exactly once of their beginning and their end.
    pub(super) fn not_ended_once(&self) -> Vec<String> {
        self.check(|end| end.made.get() == 1 && end.lost.get() == 1)
    }

    fn check(&self, holds: impl Fn(&End) -> bool) -> Vec<String> {
        let both = [("server", &self.0.servers), ("client", &self.0.clients)];
        let mut wrong = Vec::new();
        for (side, ends) in both {
            let ends = ends.borrow();
            let bad = ends.iter().filter(|end| !holds(end));
            wrong.extend(bad.map(|end| {
                let (made, lost) = (end.made.get(), end.lost.get());
                format!("an end at the {side}: made {made} times, lost {lost} times")
            }));
        }
        wrong
    }

    /// How many lines of the room end like this.
    pub(super) fn count(&self, ending: &str) -> usize {
        let lines = self.0.lines.borrow();
        lines
            .iter()
            .filter(|line| line.ends_with(ending.as_bytes()))
            .count()
    }
}

impl End {
    /// The transport, until the connection is lost.
    pub(super) fn live(&self) -> Option<Transport> {
        self.transport.borrow().clone()
    }

    /// Whether the connection is over, in order.
    pub(super) fn ended_well(&self) -> bool {
        self.is_clean.get()
    }
}

fn watch<P: Protocol>(ends: &RefCell<Vec<Rc<End>>>, protocol: P, end: Rc<End>) -> Watched<P> {
    ends.borrow_mut().push(Rc::clone(&end));
    Watched { protocol, end }
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        self.end.made.update(|made| made + 1);
        *self.end.transport.borrow_mut() = Some(transport.clone());
        self.protocol.connection_made(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if self.end.lost.get() > 0 || data.is_empty() {
            self.end.heard_after_end.set(true);
        }
        self.protocol.data_received(transport, data);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.end.lost.update(|lost| lost + 1);
        self.end.is_clean.set(reason.is_clean());
        self.protocol.connection_lost(transport, reason);
        *self.end.transport.borrow_mut() = None;
    }

    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        Some(&mut self.protocol)
    }
}

/// What each guest must hear if nothing keeps it from that: everything from its coming to its going but its own words.
pub(super) fn to_be_heard(said: &[String]) -> BTreeMap<String, String> {
    let mut here = BTreeMap::<String, String>::new();
    let mut all = BTreeMap::new();
    for line in said {
        let coming = notice(line, " joined\n");
        let going =
            notice(line, " left\n").or_else(|| notice(line, " was dropped: it did not read\n"));
        if let Some(gone) = going.and_then(|name| here.remove_entry(name)) {
            all.extend([gone]);
        }
        for (name, hears) in &mut here {
            if line
                .split_once(": ")
                .is_none_or(|(speaker, _)| speaker != name)
            {
                hears.push_str(line);
            }
        }
        if let Some(name) = coming {
            let twice = here.insert(name.to_owned(), String::new());
            assert!(
                twice.is_none() && !all.contains_key(name),
                "{name} joined twice"
            );
        }
    }
    all.extend(here);
    all
}

fn notice<'a>(line: &'a str, what: &str) -> Option<&'a str> {
    line.strip_prefix("* ")?.strip_suffix(what)
}
