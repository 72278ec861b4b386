//! The people of a chat world: what they say, and how they behave to the server.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk::sim::Random;
use ropewalk::{Protocol, Transport};

use super::ledger::End;

/// How somebody's visit goes on once all is said, and meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    Stays,
    /// Reads nothing for a while, now and then.
    Dozes,
    /// Reads nothing any more.
    GoesDeaf,
    Quits,
    Closes,
    HalfCloses,
    Resets,
}

const TEMPERS: [Temper; 10] = [
    Temper::Stays,
    Temper::Stays,
    Temper::Stays,
    Temper::Dozes,
    Temper::Dozes,
    Temper::GoesDeaf,
    Temper::Quits,
    Temper::Closes,
    Temper::HalfCloses,
    Temper::Resets,
];

/// What is known of one visit, during and after it.
pub(super) struct Visit {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) temper: Temper,
    pub(super) end: Rc<End>,
    /// How many messages were written in full.
    pub(super) said: Cell<u32>,
    pub(super) heard: RefCell<Vec<u8>>,
}

/// One client's end of a connection: a guest with a script.
pub(super) struct Person {
    visit: Rc<Visit>,
    random: Random,
    is_loud: bool,
    /// Messages to say.
    left: u32,
    /// The rest of a message that is half written.
    rest: Vec<u8>,
}

impl Person {
    pub(super) fn new(host: &str, visit: usize, is_loud: bool, mut random: Random) -> Self {
        let temper = TEMPERS[random.index(TEMPERS.len())];
        let left = random.between(0..=20) as u32;
        let visit = Visit {
            name: format!("{host}v{visit}"),
            host: host.to_owned(),
            temper,
            end: Rc::default(),
            said: Cell::new(0),
            heard: RefCell::default(),
        };
        Self {
            visit: Rc::new(visit),
            random,
            is_loud,
            left,
            rest: Vec::new(),
        }
    }

    pub(super) fn visit(&self) -> Rc<Visit> {
        Rc::clone(&self.visit)
    }

    fn go_on_later(&mut self, transport: &Transport) {
        let longest = [10, 300, 3000][self.random.index(3)];
        let delay = self.random.duration(Duration::from_millis(longest));
        transport.call_later(delay, |this: &mut Self, transport| this.go_on(transport));
    }

    fn go_on(&mut self, transport: &Transport) {
        if !self.rest.is_empty() {
            transport.write(std::mem::take(&mut self.rest));
            self.visit.said.update(|said| said + 1);
        }
        for _ in 0..self.random.between(1..=3) {
            if self.left > 0 && self.rest.is_empty() {
                self.left -= 1;
                self.say(transport);
            }
        }
        self.doze(transport);
        if self.left > 0 || !self.rest.is_empty() {
            self.go_on_later(transport);
        } else {
            self.end(transport);
        }
    }

    /// Writes a message, or the first bytes of it; now and then something that is none.
    fn say(&mut self, transport: &Transport) {
        if self.random.chance(0.05) {
            let too_long = format!("{}\n", "x".repeat(20_000));
            transport.write(["/who\n", "/nonsense\n", &too_long][self.random.index(3)]);
        }
        let mut message =
            message(&self.visit.name, self.visit.said.get(), self.is_loud).into_bytes();
        if self.random.chance(0.2) {
            self.rest = message.split_off(self.random.index(message.len()));
            transport.write(message);
        } else {
            transport.write(message);
            self.visit.said.update(|said| said + 1);
        }
    }

    fn doze(&mut self, transport: &Transport) {
        match self.visit.temper {
            Temper::GoesDeaf => transport.pause_reading(),
            Temper::Dozes if self.random.chance(0.3) => {
                transport.pause_reading();
                let delay = self.random.duration(Duration::from_secs(20));
                transport.call_later(delay, |_: &mut Self, transport| transport.resume_reading());
            }
            _ => {}
        }
    }

    fn end(&mut self, transport: &Transport) {
        match self.visit.temper {
            Temper::Stays | Temper::Dozes | Temper::GoesDeaf => {}
            Temper::Quits => transport.write("/quit\n"),
            Temper::Closes => transport.lose_connection(),
            Temper::HalfCloses => transport.lose_write_connection(),
            Temper::Resets => transport.abort_connection(),
        }
    }
}

impl Protocol for Person {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(format!("{}\n", self.visit.name));
        self.go_on_later(transport);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.visit.heard.borrow_mut().extend_from_slice(data);
    }
}

/// A message, whose text and length follow from who says it and its number: what is cut or mixed is another text.
pub(super) fn message(name: &str, number: u32, is_loud: bool) -> String {
    let salt = name
        .bytes()
        .fold(u64::from(number), |salt, byte| salt * 31 + u64::from(byte));
    let mut random = Random::new(salt);
    let length = if is_loud {
        random.between(4000..=16_000)
    } else {
        random.skewed(500)
    } as usize;
    let word = format!("{name}/{number}ü ");
    let text = word.repeat(length / word.len());
    format!("{number} {text}\n")
}
