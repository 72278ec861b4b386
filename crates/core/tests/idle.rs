//! The idle time-out counts from the last byte, not from when the reactor began to wait.

use std::time::Duration;

use ropewalk_core::{Protocol, Reactor, Reason, Timeout, Transport};
use ropewalk_sim::SimDriver;

const IDLE: Duration = Duration::from_secs(10);

struct Impatient;

impl Protocol for Impatient {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_timeout(Some(IDLE));
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        assert!(
            matches!(reason, Reason::TimedOut(Timeout::Idle(IDLE))),
            "{reason}"
        );
        // Bytes came at 9 s and at 18 s, and none after.
        assert_eq!(transport.reactor().now().as_secs(), 28);
        transport.reactor().stop().unwrap();
    }
}

struct Slow;

impl Protocol for Slow {
    fn connection_made(&mut self, transport: &Transport) {
        for seconds in [9, 18] {
            let later = Duration::from_secs(seconds);
            transport.call_later(later, |_: &mut Self, transport| {
                transport.write("still here");
            });
        }
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn r125_each_read_restarts_the_idle_time_out() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("tcp:10.0.0.1:7", || Impatient).unwrap();
    reactor.connect("tcp:10.0.0.1:7", || Slow).unwrap();
    reactor.run().unwrap();
    assert!(reactor.now() < Duration::from_secs(30));
}
