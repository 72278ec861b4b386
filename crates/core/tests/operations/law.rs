//! What holds whatever a program does to its connections and whatever the network does to the program.
//!
//! Random bytes are a plan: a seed, a mood and faults for the world, and operations for each end of a few connections. Shared by
//! the property test beside this and by the fuzz target `operations`.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Protocol, Reactor, Reason, Transport};
use ropewalk_sim::{Faults, Mood, SimDriver};

const CONNECTIONS: usize = 3;

/// One thing that a protocol does with its transport.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Write(usize),
    WriteOwned(usize),
    Lose,
    LoseWrite,
    Abort,
    Pause,
    Resume,
    TimeOut(u8),
    Later(u8),
    Panic,
}

impl Operation {
    fn from_bytes(kind: u8, size: u8) -> Self {
        match kind % 32 {
            0..8 => Self::Write(usize::from(size)),
            8..14 => Self::Write(usize::from(size) * 331),
            14..18 => Self::WriteOwned(usize::from(size) * 97),
            18..20 => Self::Lose,
            20 => Self::LoseWrite,
            21 => Self::Abort,
            22..25 => Self::Pause,
            25..28 => Self::Resume,
            28 => Self::TimeOut(size),
            29..31 => Self::Later(size),
            _ => Self::Panic,
        }
    }
}

/// The bytes of one direction: each says its own place, so that a lost, doubled or moved byte is seen.
fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

fn bytes_from(place: usize, count: usize) -> Vec<u8> {
    (place..place + count).map(byte_at).collect()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Life {
    #[default]
    New,
    Made,
    Lost,
}

/// One end of a connection, doing the next operation of its plan at every event.
struct End {
    plan: VecDeque<Operation>,
    life: Life,
    written: usize,
    received: usize,
    /// It asked for an end, or half of one.
    losing: bool,
    ledger: Rc<Ledger>,
}

/// What the ends of one world leave behind. The engine catches panics of protocols, so a broken law is written down.
#[derive(Default)]
struct Ledger {
    alive: Cell<usize>,
    made: Cell<usize>,
    broken: RefCell<Vec<String>>,
}

impl Ledger {
    fn must(&self, holds: bool, law: impl FnOnce() -> String) {
        if !holds {
            self.broken.borrow_mut().push(law());
        }
    }
}

impl End {
    fn act(&mut self, transport: &Transport) {
        let life = self.life;
        self.ledger
            .must(life == Life::Made, || format!("a callback while {life:?}"));
        match self.plan.pop_front() {
            Some(Operation::Write(count)) => {
                transport.write(self.next_bytes(count));
            }
            Some(Operation::WriteOwned(count)) => {
                transport.write_owned(self.next_bytes(count));
            }
            Some(Operation::Lose) => self.lose(Transport::lose_connection, transport),
            Some(Operation::LoseWrite) => transport.lose_write_connection(),
            Some(Operation::Abort) => self.lose(Transport::abort_connection, transport),
            Some(Operation::Pause) => {
                transport.pause_reading();
                self.later(transport, 3, Transport::resume_reading);
            }
            Some(Operation::Resume) => transport.resume_reading(),
            Some(Operation::TimeOut(seconds)) => {
                transport.set_timeout(Some(Duration::from_secs(u64::from(seconds) + 1)));
            }
            Some(Operation::Later(tenths)) => self.later(transport, u64::from(tenths), |_| {}),
            Some(Operation::Panic) => std::panic::resume_unwind(Box::new("as planned")),
            None => self.lose(Transport::lose_connection, transport),
        }
    }

    fn lose(&mut self, lose: fn(&Transport), transport: &Transport) {
        self.losing = true;
        lose(transport);
    }

    /// Bytes written after a lose are dropped: they do not count, and the place does not move.
    fn next_bytes(&mut self, count: usize) -> Vec<u8> {
        let bytes = bytes_from(self.written, count);
        self.written += count;
        bytes
    }

    fn later(&self, transport: &Transport, tenths: u64, what: fn(&Transport)) {
        let delay = Duration::from_millis(tenths * 100);
        transport.call_later(delay, move |this: &mut Self, transport| {
            what(transport);
            this.act(transport);
        });
    }
}

impl Protocol for End {
    fn connection_made(&mut self, transport: &Transport) {
        self.ledger
            .must(self.life == Life::New, || "made twice".to_owned());
        self.life = Life::Made;
        self.ledger.alive.update(|alive| alive + 1);
        self.ledger.made.update(|made| made + 1);
        self.later(transport, 600, |_| {});
        self.act(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let place = self.received;
        self.ledger.must(!self.losing, || {
            "R52: data after lose_connection".to_owned()
        });
        self.ledger.must(data == bytes_from(place, data.len()), || {
            format!("other bytes at {place}")
        });
        self.received += data.len();
        self.act(transport);
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.ledger.must(self.life == Life::Made, || {
            "lost twice, or never made".to_owned()
        });
        self.life = Life::Lost;
        self.ledger.alive.update(|alive| alive.wrapping_sub(1));
    }

    fn timed_out(&mut self, transport: &Transport) {
        self.act(transport);
    }
}

/// Carries out a plan, and checks everything that must hold. Gives the number of ends that were made.
pub(crate) fn check(plan: &[u8]) -> usize {
    let mut plan = plan.iter().copied().chain(std::iter::repeat(0));
    let mut byte = || plan.next().unwrap_or_default();
    let (seed, faults, mood) = (u64::from(byte()), byte(), byte());
    let operations = usize::from(byte() % 24);
    let mut plans: Vec<VecDeque<Operation>> = (0..2 * CONNECTIONS)
        .map(|_| {
            (0..operations)
                .map(|_| Operation::from_bytes(byte(), byte()))
                .collect()
        })
        .collect();

    let driver = SimDriver::alone(seed).with_mood(if mood % 2 == 0 {
        Mood::Readiness
    } else {
        Mood::Completion
    });
    driver.world().set_faults(match faults % 3 {
        0 => Faults::none(),
        1 => Faults::gentle(),
        _ => Faults::all(),
    });
    let ledger = Rc::new(Ledger::default());
    let kept = Rc::clone(&ledger);
    let end = move |plan| End {
        plan,
        life: Life::New,
        written: 0,
        received: 0,
        losing: false,
        ledger: Rc::clone(&kept),
    };

    let mut reactor = Reactor::new(driver);
    let server_plans = RefCell::new(plans.split_off(CONNECTIONS));
    let make = end.clone();
    let listening = reactor.listen("tcp:10.0.0.1:1", move || {
        make(server_plans.borrow_mut().pop().unwrap_or_default())
    });
    if listening.is_ok() {
        for plan in plans {
            let (make, plan) = (end.clone(), RefCell::new(plan));
            reactor
                .connect("tcp:10.0.0.1:1", move || make(plan.take()))
                .expect("a right endpoint");
        }
    }
    reactor.call_later(Duration::from_secs(3600), |reactor| reactor.stop());
    reactor
        .run()
        .expect("a timer is set, so there is no deadlock");
    assert_eq!(
        ledger.alive.get(),
        0,
        "every end that was made was lost, once"
    );
    assert!(
        ledger.broken.borrow().is_empty(),
        "{:?}",
        ledger.broken.borrow()
    );
    ledger.made.get()
}
