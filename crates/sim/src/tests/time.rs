//! Virtual time.

use ropewalk_core::driver::Driver;

use super::probe::{Probe, ms, secs};
use crate::{SimDriver, World};

#[test]
fn a_poll_takes_exactly_its_time_if_nothing_happens() {
    let mut probe = Probe::alone(1);
    probe.poll(Some(secs(3600))).unwrap();
    assert_eq!(probe.driver.clock()(), secs(3600));
    probe.poll(Some(ms(0))).unwrap();
    assert_eq!(probe.now(), secs(3600));
}

#[test]
fn a_poll_ends_with_the_first_event() {
    let mut probe = Probe::alone(1);
    probe.listen("127.0.0.1:80");
    probe.connect("127.0.0.1:80");
    probe.poll(Some(secs(3600))).unwrap();
    assert_eq!(probe.news().len(), 1);
    assert!(probe.now() < ms(1));
}

#[test]
fn a_wake_ends_the_next_poll_once() {
    let mut probe = Probe::alone(1);
    let waker = probe.driver.waker();
    (0..1000).for_each(|_| waker.wake());
    probe.poll(None).unwrap();
    assert_eq!(probe.now(), ms(0));
    assert!(probe.poll(None).is_err());
}

#[test]
fn changes_are_made_in_order_and_at_their_time() {
    let mut probe = Probe::alone(1);
    let world = probe.world();
    world.at(secs(5), |world| {
        assert_eq!(world.now(), secs(5));
        world.after(secs(1), |world| world.host("late"));
    });
    world.at(secs(5), |world| world.host("early"));
    probe.run();
    assert_eq!(world.now(), secs(6));
    assert_eq!(world.addresses("early")[0].to_string(), "10.0.0.2");
    assert_eq!(world.addresses("late")[0].to_string(), "10.0.0.3");
}

#[test]
fn a_change_in_the_past_is_made_at_once() {
    let mut probe = Probe::alone(1);
    probe.run_until(secs(9));
    probe.world().at(secs(1), |world| world.host("there"));
    probe.poll(Some(ms(0))).unwrap();
    assert_eq!(
        (probe.world().addresses("there").len(), probe.now()),
        (2, secs(9))
    );
}

#[test]
fn a_reactor_that_never_waits_does_not_stop_time() {
    let mut probe = Probe::alone(1);
    probe.listen("127.0.0.1:80");
    probe.connect("127.0.0.1:80");
    for _ in 0..5000 {
        probe.poll(Some(ms(0))).unwrap();
    }
    assert_eq!(probe.log.seen.len(), 2);
    assert!(probe.now() > ms(0) && probe.now() < ms(5));
}

#[test]
fn a_deadlock_names_who_waits_for_what() {
    let mut probe = Probe::alone(1);
    let (client, _) = probe.pair("127.0.0.1:80");
    probe.pause(client);
    let deadlock = probe.run();
    assert_eq!(deadlock.waiting.len(), 3);
    assert_eq!(deadlock.waiting[0], "sim: tcp:127.0.0.1:80 is listening");
    assert!(
        deadlock.waiting[1].ends_with("to tcp:127.0.0.1:80 is open, paused"),
        "{deadlock}"
    );
    assert!(deadlock.waiting[2].ends_with(" is open"), "{deadlock}");
}

#[test]
fn in_a_shared_world_nobody_waits_alone() {
    let world = World::new(1);
    let mut one = Probe::new(world.driver("one"));
    let other = world.driver("other");
    let error = one.poll(None).unwrap_err();
    assert!(error.to_string().contains("World::run"), "{error}");
    drop(other);
    one.poll(Some(secs(1))).unwrap();
    assert_eq!(world.now(), secs(1));
}

#[test]
#[should_panic(expected = "has a driver already")]
fn a_host_runs_one_process() {
    let driver = SimDriver::alone(1);
    let _second = driver.world().driver("sim");
}

#[test]
#[should_panic(
    expected = "no host named \"nowhere\"; add it with World::host (there are [\"sim\"])"
)]
fn an_unknown_host_is_named_with_a_remedy() {
    SimDriver::alone(1).world().partition("sim", "nowhere");
}
