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

/// Speaks all the time, and wants to be answered.
struct Talker;

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.set_silence_timeout(Some(IDLE));
        transport.call_later(Duration::from_secs(1), Self::speak);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn timed_out(&mut self, transport: &Transport) {
        // Bytes came at 9 s and at 18 s; something was sent each second.
        assert_eq!(transport.reactor().now().as_secs(), 28);
        assert!(transport.quiet_for() <= Duration::from_secs(1));
        transport.abort_after_timeout();
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        assert!(
            matches!(reason, Reason::TimedOut(Timeout::Idle(IDLE))),
            "{reason}"
        );
        transport.reactor().stop().unwrap();
    }
}

impl Talker {
    fn speak(&mut self, transport: &Transport) {
        transport.write("anybody there?");
        transport.call_later(Duration::from_secs(1), Self::speak);
    }
}

#[test]
fn what_is_sent_does_not_restart_the_time_out_for_silence() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("tcp:10.0.0.1:7", || Talker).unwrap();
    reactor.connect("tcp:10.0.0.1:7", || Slow).unwrap();
    reactor.run().unwrap();
    assert_eq!(reactor.now().as_secs(), 28);
}
