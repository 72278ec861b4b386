//! A world of people who chat over a network with every fault, and what holds in it whatever happens.
//!
//! ```text
//!   c0 … c4: people with a script, who come back ──┐
//!                                                  ├─ every fault ─ server: the hall ─ the ledger, a guest that hears all
//!   what each heard ─ must be what the ledger says ┘
//! ```
//!
//! What is promised, and checked:
//!
//! - A guest hears, byte for byte, a beginning of what was said between its coming and its going: nothing twice, nothing
//!   left out, nothing mixed, in one order for all. All of it, if the network did not break its connection and it reads.
//! - What a sender wrote is said once and in order; all of it, if its connection is whole, or was told to have ended well.
//! - Each end of a connection is told of its end, once. For no guest waits more than [`SLOW_BYTES`]. Nothing is left over.
//!
//! Not promised by anybody: that bytes which were sent before a connection broke have arrived.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk::sim::{Faults, Mood, Random};
use ropewalk::testing::World;
use ropewalk::timer::DelayedCall;
use ropewalk::{Connector, Leftover, ListeningPort, Phase, ReconnectingFactory, Trying};

use super::hall::{Guest, Hall};
use super::limits;
use super::lines::{LineGuest, SLOW_BYTES};

mod ledger;
mod person;
mod restarts;
mod tab;

use ledger::{Ledger, to_be_heard};
use person::{Person, Temper, Visit, message};

const CLIENTS: usize = 5;

/// For so long everybody comes back who was cut off.
const CROWDED: Duration = Duration::from_secs(60);

/// Longer than all that may be under way then: a kernel repeats bytes for 925 s, a client may say its name for 120 s.
const REST: Duration = Duration::from_secs(1200);

#[ropewalk::test(seeds = 200)]
fn chat_world_delivers_once_and_in_order(world: &mut World) {
    Chat::play(world);
}

#[ropewalk::test(seeds = 20)]
fn chat_world_is_the_same_again_with_the_same_seed(world: &mut World) {
    let play = || {
        let mut world = World::new(world.seed());
        let tally = Chat::play(&mut world);
        (tally, world.trace().lines(), world.trace().hash())
    };
    assert_eq!(play(), play());
}

#[test]
fn chat_world_sees_every_kind_of_end() {
    let mut all = Tally::default();
    for seed in 0..100 {
        let tally = Chat::play(&mut World::new(seed));
        all.messages += tally.messages;
        all.heard_all += tally.heard_all;
        all.cut_short += tally.cut_short;
        all.dropped += tally.dropped;
        all.broken += tally.broken;
    }
    assert!(
        all.messages > 1000 && all.heard_all > 100 && all.cut_short > 10,
        "{all:?}"
    );
    assert!(all.dropped > 5 && all.broken > 10, "{all:?}");
}

/// What a world was like: two of the same seed are the same, and all kinds must come.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// Said in the room.
    messages: usize,
    /// Guests at the end, who heard all.
    heard_all: usize,
    /// Guests who missed something.
    cut_short: usize,
    /// Guests that were dropped since they did not read.
    dropped: usize,
    /// Connections that only one side, or neither, knows to be broken.
    broken: usize,
}

/// One world under way.
struct Chat<'a> {
    world: &'a mut World,
    random: Random,
    hall: Hall,
    ledger: Ledger,
    is_loud: bool,
    port: Option<ListeningPort>,
    visits: Rc<RefCell<Vec<Rc<Visit>>>>,
    clients: Vec<(Connector, Trying)>,
}

impl<'a> Chat<'a> {
    /// Runs a world from its beginning to its end, and judges it.
    fn play(world: &'a mut World) -> Tally {
        world.set_faults(Faults::all());
        let mut random = world.random();
        let is_loud = random.chance(0.25);
        let mut chat = Self {
            world,
            random,
            hall: Hall::in_memory(),
            ledger: Ledger::default(),
            is_loud,
            port: None,
            visits: Rc::default(),
            clients: Vec::new(),
        };
        let listener = chat.open();
        (0..CLIENTS).for_each(|number| chat.invite(number));
        chat.trouble();
        chat.pass(CROWDED);
        chat.clients.iter().for_each(|(_, trying)| trying.stop());
        chat.pass(REST);
        let tally = chat.judge();
        chat.end(listener);
        tally
    }

    /// Opens the room; the ledger is its first guest.
    fn open(&mut self) -> Guest {
        let (hall, ledger) = (self.hall.clone(), self.ledger.clone());
        let server = self.reactor("server");
        let guest = ledger.listen(&hall, &server.handle());
        let port = server.listen_with("tcp:10.0.0.1:8001", limits(), move || {
            ledger.watch_server(LineGuest::new(hall.clone()))
        });
        self.port = Some(port.expect("the address is free"));
        guest
    }

    /// Adds a host whose person comes, and comes back.
    fn invite(&mut self, number: usize) {
        let (host, is_loud) = (format!("c{number}"), self.is_loud);
        let (visits, ledger, mut random) =
            (self.visits.clone(), self.ledger.clone(), self.random.fork());
        let name = host.clone();
        let factory = ReconnectingFactory::new(move || {
            let count = visits.borrow().len();
            let person = Person::new(&name, count, is_loud, random.fork());
            let visit = person.visit();
            visits.borrow_mut().push(Rc::clone(&visit));
            ledger.watch_client(person, Rc::clone(&visit.end))
        });
        let trying = factory.trying();
        let connector = self
            .reactor(&host)
            .connect("tcp:10.0.0.1:8001", factory)
            .expect("a right endpoint");
        self.clients.push((connector, trying));
    }

    fn reactor(&mut self, host: &str) -> &mut ropewalk::Reactor {
        let moods = [Mood::Readiness, Mood::Completion];
        self.world.set_mood(moods[self.random.index(2)]);
        self.world.reactor(host)
    }

    /// Beyond what the plan of faults draws: whole hosts are cut off or reset, and descriptors run out.
    fn trouble(&mut self) {
        for number in 0..CLIENTS {
            let (host, longest) = (format!("c{number}"), Duration::from_secs(40));
            upset(self.world, &mut self.random, host, CROWDED, 6, longest);
        }
        if self.random.chance(0.2) {
            self.world.limit_descriptors("server", CLIENTS - 1);
        }
    }

    /// Lets time pass, and looks after every round of turns that no guest makes the server hold too much.
    fn pass(&mut self, time: Duration) {
        let is_over = Rc::new(Cell::new(false));
        let over = Rc::clone(&is_over);
        let _alarm: DelayedCall = self
            .world
            .reactor("server")
            .call_later(time, move |_| over.set(true));
        let ledger = self.ledger.clone();
        self.world.wait_until(|| {
            let unsent = ledger.most_unsent();
            assert!(unsent <= SLOW_BYTES, "{unsent} bytes wait for one guest");
            is_over.get()
        });
    }

    // ── The laws ────────────────────────────────────────────────────────────────────────────────────────────────────

    fn judge(&self) -> Tally {
        let said = self.ledger.said();
        let heard = to_be_heard(&said);
        let mut tally = Tally {
            dropped: self.ledger.count(" was dropped: it did not read\n"),
            ..Tally::default()
        };
        for visit in &*self.visits.borrow() {
            let accepted = self.accepted(visit, &said);
            tally.messages += accepted as usize;
            let expected = heard.get(&visit.name).map(String::as_str);
            let missing = check_heard(visit, expected.unwrap_or_default());
            tally.cut_short += usize::from(missing > 0);
            let is_whole = visit.end.live().is_some() && self.is_whole(visit);
            tally.broken += usize::from(visit.end.live().is_some() && !is_whole);
            self.check_sender(visit, accepted, is_whole);
            if is_whole && visit.temper != Temper::GoesDeaf {
                assert!(expected.is_some(), "{} never came in", visit.name);
                assert_eq!(missing, 0, "{} stayed and missed bytes", visit.name);
                tally.heard_all += 1;
            }
        }
        for transport in self.ledger.at_server() {
            assert_eq!(transport.unsent_bytes(), 0, "{transport:?} is not given up");
        }
        let wrong = self.ledger.told_wrong();
        assert!(wrong.is_empty(), "{wrong:?}");
        tally
    }

    /// How many messages of a visit were said in the room: each once, in order, and as it was written.
    fn accepted(&self, visit: &Visit, said: &[String]) -> u32 {
        let start = format!("{}: ", visit.name);
        let mut count = 0;
        for line in said.iter().filter_map(|line| line.strip_prefix(&start)) {
            assert_eq!(line, message(&visit.name, count, self.is_loud));
            count += 1;
        }
        count
    }

    fn check_sender(&self, visit: &Visit, accepted: u32, is_whole: bool) {
        let (name, wrote) = (&visit.name, visit.said.get());
        assert!(
            accepted <= wrote,
            "{name} wrote {wrote}, and {accepted} were said"
        );
        let heard = visit.heard.borrow();
        let came_in = contains(&heard, b"* You are in");
        let half_closed = visit.temper == Temper::HalfCloses && visit.end.ended_well() && came_in;
        if is_whole && visit.temper != Temper::GoesDeaf
            || contains(&heard, b"* Goodbye")
            || half_closed
        {
            assert_eq!(accepted, wrote, "{name} wrote messages that nobody said");
        }
    }

    /// Whether the network still joins the two ends of a connection.
    fn is_whole(&self, visit: &Visit) -> bool {
        let local = visit.end.live().map(|live| live.host().clone());
        let sockets = self.world.netstat();
        let own = sockets
            .iter()
            .find(|socket| socket.host == visit.host && Some(&socket.local) == local.as_ref());
        own.is_some_and(|own| !own.state.contains("cut from") && !own.state.contains("unknown to"))
    }

    // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    fn end(mut self, listener: Guest) {
        if self.random.chance(0.5) {
            self.close();
        } else {
            self.stop();
        }
        drop(listener);
        let wrong = self.ledger.not_ended_once();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// Everybody goes home in order, and everything is gone a minute later.
    fn close(&mut self) {
        self.hall.close("The chat is over. Goodbye.");
        self.clients
            .iter()
            .for_each(|(connector, _)| connector.disconnect());
        self.port.take().expect("it listens").stop_listening();
        for transport in self.ledger.at_server() {
            transport.lose_connection();
        }
        self.world.run_for(Duration::from_secs(61));
        self.check_leftovers(|_| true);
    }

    /// Every reactor stops in the midst, as at a SIGTERM.
    fn stop(&mut self) {
        let hall = self.hall.clone();
        let server = self.world.reactor("server");
        server.add_trigger(Phase::BeforeShutdown, move |_| {
            hall.close("The chat is over.");
        });
        for host in hosts() {
            self.world.reactor(&host).stop().expect("it runs");
        }
        self.world.run_for(Duration::from_secs(1));
        for host in hosts() {
            assert!(self.world.reactor(&host).is_over(), "{host} goes on");
        }
        self.check_leftovers(|leftover| !matches!(leftover, Leftover::Timer { .. }));
    }

    fn check_leftovers(&mut self, counts: fn(&Leftover) -> bool) {
        for host in hosts() {
            let reactor = self.world.reactor(&host);
            let left = reactor.leftovers().into_iter().filter(counts);
            let left: Vec<String> = left.map(|left| left.to_string()).collect();
            assert!(left.is_empty(), "{host}: {left:?}");
            assert_eq!(reactor.tasks().unhandled_failures(), 0, "{host}");
        }
    }
}

fn hosts() -> impl Iterator<Item = String> {
    let clients = (0..CLIENTS).map(|number| format!("c{number}"));
    std::iter::once("server".to_owned()).chain(clients)
}

/// Checks that what a guest heard is a beginning of what it should have. Gives the number of bytes that are missing.
fn check_heard(visit: &Visit, expected: &str) -> usize {
    let heard = visit.heard.borrow();
    let mut rest = expected.as_bytes();
    for line in heard.split_inclusive(|byte| *byte == b'\n') {
        if is_for_it_alone(line) {
            continue;
        }
        match rest.strip_prefix(line) {
            Some(left) => rest = left,
            None => panic!(
                "{} heard {:?}, and not {:?}",
                visit.name,
                start(line),
                start(rest)
            ),
        }
    }
    rest.len()
}

/// Within a time, resets a host's connections or cuts it off for a while, each with a chance of one in so many.
fn upset(
    world: &World,
    random: &mut Random,
    host: String,
    within: Duration,
    one_in: usize,
    longest: Duration,
) {
    let time = random.duration(within);
    match random.index(one_in) {
        0 => world.at(time, move |world| world.reset("server", &host)),
        1 => {
            let healed = time + random.duration(longest);
            let again = host.clone();
            world.at(time, move |world| world.partition("server", &host));
            world.at(healed, move |world| world.heal("server", &again));
        }
        _ => {}
    }
}

/// Answers of the server to this guest, and the past.
fn is_for_it_alone(line: &[u8]) -> bool {
    const ANSWERS: [&[u8]; 5] = [
        b"* Welcome to the chat. What is your name?\n",
        b"* You are in: ",
        b"* There is no command /nonsense; /help lists what there is.\n",
        b"* That line has more than 16384 bytes; nobody got it.\n",
        b"* Goodbye.\n",
    ];
    let begins = |answer: &&[u8]| line.starts_with(answer) || answer.starts_with(line);
    let is_count = |rest: &[u8]| rest.first().is_none_or(u8::is_ascii_digit);
    line.starts_with(b"|")
        || line.strip_prefix(b"* ").is_some_and(is_count)
        || ANSWERS.iter().any(begins)
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(word))
}

fn start(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(100)]).into_owned()
}
