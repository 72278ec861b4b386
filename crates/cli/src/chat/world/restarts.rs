//! A world of browsers and line clients, in which the server is switched off and on again.
//!
//! ```text
//!   t0 … t3: tabs, which do as the page does ──┐
//!                                              ├─ every fault ─ server: hall, journal ─ SQLite, which outlives it
//!   n0 n1: lines ──────────────────────────────┘
//! ```
//!
//! What is promised, and checked, once all are back and nobody says anything new:
//!
//! - All that a tab said is in its room, once, and in the order in which it was said, whatever was cut and whenever.
//! - Every tab has all messages of its room from the first it saw to the last, in the order of their numbers, once each, and
//!   the same as everybody else; and so has the journal.
//! - What a line client said is said once at most and in order; it hears nothing twice.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::enterprise::Sqlite;
use ropewalk::sim::{Faults, Random};
use ropewalk::testing::World;
use ropewalk::{Connector, Protocol, ReconnectingFactory, Transport, Trying};

use super::super::hall::{Hall, Message};
use super::super::journal::Journal;
use super::super::lines::LineGuest;
use super::super::{browser, limits};
use super::tab::Tab;
use super::upset;

const TABS: usize = 4;
const TALKERS: usize = 2;
const ROOMS: [&str; 2] = ["lobby", "harbour"];

/// For so long people talk, and everything goes wrong.
const TROUBLE: Duration = Duration::from_secs(60);

/// Longer than anything takes that brings somebody back: a dead peer is noticed after 50 s, and the last try is 15 s away.
const REST: Duration = Duration::from_secs(400);

#[ropewalk::test(seeds = 100)]
fn chat_world_loses_and_doubles_nothing_over_cuts_and_restarts(world: &mut World) {
    Rooms::play(world);
}

#[test]
fn chat_world_of_restarts_has_all_that_can_go_wrong() {
    let mut all = Tally::default();
    for seed in 0..20 {
        let tally = Rooms::play(&mut World::new(seed));
        all.messages += tally.messages;
        all.returns += tally.returns;
        all.again += tally.again;
        all.restarts += tally.restarts;
    }
    assert!(all.messages > 500 && all.returns > 50, "{all:?}");
    assert!(all.again > 10 && all.restarts > 10, "{all:?}");
}

/// What the worlds were like.
#[derive(Debug, Default)]
struct Tally {
    messages: usize,
    /// How often a tab came back.
    returns: usize,
    /// How often a message was sent again.
    again: usize,
    restarts: usize,
}

struct Rooms<'a> {
    world: &'a mut World,
    random: Random,
    database: Sqlite,
    hall: Hall,
    tabs: Vec<Tab>,
    talkers: Vec<Rc<Talker>>,
    clients: Vec<(Connector, Trying)>,
}

/// What a line client said and heard, over all of its connections.
#[derive(Default)]
struct Talker {
    name: String,
    said: RefCell<usize>,
    heard: RefCell<Vec<String>>,
}

/// A line client's end of a connection.
struct Talking {
    talker: Rc<Talker>,
    random: Random,
    unread: Vec<u8>,
}

impl<'a> Rooms<'a> {
    fn play(world: &'a mut World) -> Tally {
        world.set_faults(Faults::all());
        let random = world.random();
        let mut rooms = Self {
            world,
            random,
            database: Sqlite::in_memory().expect("there is memory"),
            hall: Hall::closed(),
            tabs: Vec::new(),
            talkers: Vec::new(),
            clients: Vec::new(),
        };
        rooms.open();
        (0..TABS).for_each(|number| rooms.add_tab(number));
        (0..TALKERS).for_each(|number| rooms.add_talker(number));
        let restarts = rooms.trouble();
        rooms.tabs.iter().for_each(Tab::fall_silent);
        rooms.clients.iter().for_each(|(_, trying)| trying.stop());
        rooms.world.set_faults(Faults::gentle());
        rooms.world.run_for(REST);
        let mut tally = rooms.judge();
        tally.restarts = restarts;
        rooms.end();
        tally
    }

    /// Opens the hall, with what is in the database.
    fn open(&mut self) {
        self.hall = Hall::closed();
        let hall = self.hall.clone();
        let server = self.world.reactor("server");
        let journal = Rc::new(Journal::of(&server.handle(), self.database.clone()));
        let kept = journal.load();
        kept.on_result({
            let hall = hall.clone();
            move |kept| hall.open(journal, kept.expect("the database is well"))
        });
        let web = server.listen_with("tcp:10.0.0.1:8080", limits(), browser::server(hall.clone()));
        web.expect("the address is free");
        let lines = server.listen_with("tcp:10.0.0.1:8001", limits(), move || {
            LineGuest::new(hall.clone())
        });
        lines.expect("the address is free");
    }

    fn add_tab(&mut self, number: usize) {
        let reactor = self.world.reactor(&format!("t{number}")).handle();
        let room = ROOMS[self.random.index(ROOMS.len())];
        let tab = Tab::open(&reactor, &format!("tab{number}"), room, self.random.fork());
        self.tabs.push(tab);
    }

    fn add_talker(&mut self, number: usize) {
        let talker = Rc::new(Talker {
            name: format!("nc{number}"),
            ..Talker::default()
        });
        self.talkers.push(Rc::clone(&talker));
        let mut random = self.random.fork();
        let factory = ReconnectingFactory::new(move || Talking {
            talker: Rc::clone(&talker),
            random: random.fork(),
            unread: Vec::new(),
        });
        let trying = factory.trying();
        let reactor = self.world.reactor(&format!("n{number}"));
        let connector = reactor.connect("tcp:10.0.0.1:8001", factory);
        self.clients
            .push((connector.expect("a right endpoint"), trying));
    }

    /// Cuts off hosts, and switches the server off and on again; tells how often.
    fn trouble(&mut self) -> usize {
        for number in 0..TABS {
            let (host, longest) = (format!("t{number}"), Duration::from_secs(90));
            upset(self.world, &mut self.random, host, TROUBLE, 4, longest);
        }
        let restarts = self.random.index(4);
        for _ in 0..restarts {
            self.world.run_for(self.random.duration(TROUBLE / 4));
            self.world.crash("server");
            self.world
                .run_for(self.random.duration(Duration::from_secs(5)));
            self.world.restart("server");
            self.open();
        }
        self.world.run_for(TROUBLE / 2);
        restarts
    }

    // ── The laws ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn judge(&mut self) -> Tally {
        let mut tally = Tally::default();
        for room in ROOMS {
            let all = self.messages(room);
            tally.messages += all.len();
            for (at, message) in all.iter().enumerate() {
                assert_eq!(
                    message.seq,
                    at as u64 + 1,
                    "the numbers of {room} have no gap"
                );
            }
            for tab in self.tabs.iter().filter(|tab| tab.room() == room) {
                tab.check(&all);
            }
            self.talkers
                .iter()
                .for_each(|talker| talker.check_said(&all));
        }
        self.talkers.iter().for_each(|talker| talker.check_heard());
        tally.returns = self.tabs.iter().map(Tab::returns).sum();
        tally.again = self.tabs.iter().map(Tab::sent_again).sum();
        tally
    }

    /// All that was said in a room, as it is kept.
    fn messages(&mut self, room: &str) -> Vec<Message> {
        let (mut all, mut seen) = (Vec::new(), 0);
        loop {
            let piece = self.hall.look(room, |room| {
                let piece = room.after(seen);
                (
                    piece.messages.into_iter().cloned().collect::<Vec<_>>(),
                    piece.more,
                )
            });
            let Some((messages, more)) = piece else {
                return all;
            };
            all.extend(messages);
            seen = all.last().map_or(0, |message: &Message| message.seq);
            if !more {
                return all;
            }
        }
    }

    fn end(self) {
        self.tabs.iter().for_each(Tab::close);
        self.clients
            .iter()
            .for_each(|(connector, _)| connector.disconnect());
        self.world.crash("server");
        self.world.run_for(Duration::from_secs(120));
    }
}

impl Talker {
    fn check_said(&self, all: &[Message]) {
        let own = all.iter().filter(|message| message.name == self.name);
        let numbers: Vec<usize> = own
            .filter_map(|message| message.text.parse().ok())
            .collect();
        assert!(
            numbers.is_sorted_by(|a, b| a < b),
            "{} said {numbers:?}",
            self.name
        );
        assert!(numbers.last().is_none_or(|last| last < &self.said.borrow()));
    }

    fn check_heard(&self) {
        let mut heard = self.heard.borrow().clone();
        heard.retain(|line| line.starts_with("tab") || line.starts_with("nc"));
        let count = heard.len();
        heard.sort();
        heard.dedup();
        assert_eq!(heard.len(), count, "{} heard something twice", self.name);
    }
}

impl Talking {
    fn go_on_later(&mut self, transport: &Transport) {
        let delay = self.random.duration(Duration::from_secs(5));
        transport.call_later(delay, |this: &mut Self, transport| {
            let number = *this.talker.said.borrow();
            if number < 20 {
                *this.talker.said.borrow_mut() += 1;
                transport.write(format!("{number}\n"));
                this.go_on_later(transport);
            }
        });
    }
}

impl Protocol for Talking {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(format!("{}\n", self.talker.name));
        self.go_on_later(transport);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.unread.extend_from_slice(data);
        while let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.talker.heard.borrow_mut().push(line);
        }
    }
}
