//! Two ends that both send much at once.

use std::cell::Cell;
use std::rc::Rc;

use ropewalk_core::{ConnectOptions, Limits, Protocol, Reactor, Reason, Transport};
use ropewalk_sim::{Faults, Mood, SimDriver};

const MUCH: usize = 200_000;

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

struct Client(usize, Rc<Cell<bool>>);

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(vec![7; MUCH]);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0 += data.len();
        if self.0 == MUCH {
            transport.lose_connection();
        }
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.1.set(self.0 == MUCH && reason.is_clean());
        transport.reactor().stop().unwrap();
    }
}

/// An echo server pauses reading while its client does not read; a client that would do the same would never end.
#[test]
fn two_ends_that_send_much_at_once_do_not_wait_for_each_other() {
    for (seed, mood) in (0..50).flat_map(|seed| [(seed, Mood::Readiness), (seed, Mood::Completion)])
    {
        let driver = SimDriver::alone(seed).with_mood(mood);
        driver.world().set_faults(Faults::gentle());
        let whole = Rc::new(Cell::new(false));
        let mut reactor = Reactor::new(driver);
        reactor.listen("tcp:10.0.0.1:7", || Echo).unwrap();
        let told = Rc::clone(&whole);
        // A link of a few bytes a second is slow, not stalled.
        let limits = Limits {
            write_stall: None,
            ..Limits::of_client()
        };
        let options = ConnectOptions::new("tcp:10.0.0.1:7")
            .unwrap()
            .limits(limits);
        reactor
            .connect_with(options, move || Client(0, Rc::clone(&told)))
            .unwrap();
        reactor.run().unwrap();
        assert!(whole.get(), "seed {seed}, {mood:?}");
    }
}
