//! What the watchdog says, in virtual time: only what is spent takes any.

use std::cell::RefCell;
use std::time::Duration;

use ropewalk_core::{Protocol, Reactor, Transport};
use ropewalk_sim::World;
use ropewalk_testing::{TestCase, run_test, take_errors};

const MS: Duration = Duration::from_millis(1);

/// Spends time at each of its callbacks.
struct Slow(World, Duration);

impl Protocol for Slow {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        self.0.spend(self.1);
        transport.lose_connection();
    }
}

struct Asking;

impl Protocol for Asking {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("?");
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, transport: &Transport, _: &ropewalk_core::Reason) {
        transport.reactor().stop().unwrap();
    }
}

/// What is logged as an error when a protocol spends so much.
fn errors(time: Duration) -> Vec<String> {
    let errors = RefCell::default();
    run_test(TestCase::new("spending"), |_| {
        let world = World::new(1);
        let mut reactor = Reactor::new(world.driver("server"));
        reactor
            .listen("tcp:7", move || Slow(world.clone(), time))
            .unwrap();
        let _connector = reactor.connect("tcp:127.0.0.1:7", || Asking).unwrap();
        reactor.run().unwrap();
        errors.replace(take_errors());
    });
    errors.take()
}

#[test]
fn a_protocol_that_is_stuck_is_named() {
    assert_eq!(errors(MS * 4999), [""; 0]);
    let errors = errors(MS * 5000);
    assert_eq!(errors.len(), 1, "{errors:?}");
    let expected = "the reactor is stuck: data_received of Slow runs for 5s";
    assert!(errors[0].starts_with(expected), "{errors:?}");
}
