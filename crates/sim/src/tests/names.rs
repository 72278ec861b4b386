//! Look-ups and signals.

use std::io::ErrorKind;
use std::net::IpAddr;

use ropewalk_core::driver::{Driver, Signal};

use super::probe::{Probe, Seen, ms, secs};
use crate::{Answer, Faults};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn names_are_those_given_and_those_of_hosts() {
    let mut probe = Probe::alone(1);
    let world = probe.world();
    world.host_at("peer", [ip("192.0.2.9")]);
    world.name("Example.com", [ip("192.0.2.1"), ip("2001:db8::1")]);
    world.name("gone.example", Answer::Failure("gone".to_owned()));
    let names = [
        "example.COM.",
        "localhost",
        "peer",
        "gone.example",
        "nobody.example",
    ];
    let ids = names.map(|name| probe.driver.lookup(name));
    probe.run();
    let answers = [
        Ok(vec![ip("192.0.2.1"), ip("2001:db8::1")]),
        Ok(vec![ip("127.0.0.1"), ip("::1")]),
        Ok(vec![ip("192.0.2.9")]),
        Err(ErrorKind::NotFound),
        Err(ErrorKind::NotFound),
    ];
    let expected: Vec<_> = ids
        .into_iter()
        .zip(answers)
        .map(|(id, is)| Seen::LookedUp(id, is))
        .collect();
    assert_eq!(probe.news(), expected);
}

#[test]
fn an_answer_is_what_holds_when_it_comes() {
    let mut probe = Probe::alone(1);
    let world = probe.world();
    world.name_after("example.com", secs(5), [ip("192.0.2.1")]);
    world.at(secs(3), |world| {
        world.name("example.com", [ip("192.0.2.2")]);
    });
    let id = probe.driver.lookup("example.com");
    probe.run();
    assert_eq!(
        probe.news(),
        [Seen::LookedUp(id, Ok(vec![ip("192.0.2.2")]))]
    );
    assert_eq!(probe.now(), secs(5));
}

#[test]
fn silence_is_a_deadlock_that_names_the_look_up() {
    let mut probe = Probe::alone(1);
    probe.world().name("slow.example", Answer::Silence);
    probe.driver.lookup("slow.example");
    let deadlock = probe.run();
    assert_eq!(
        deadlock.waiting,
        ["sim: the look-up of slow.example has no answer"]
    );
}

#[test]
fn a_cancelled_look_up_is_never_heard_of_again() {
    let mut probe = Probe::alone(1);
    let id = probe.driver.lookup("localhost");
    probe.driver.cancel_lookup(id);
    probe.run();
    let late = probe.driver.lookup("localhost");
    probe.world().advance(secs(1));
    probe.driver.cancel_lookup(late);
    probe.run();
    assert_eq!(probe.news(), []);
}

#[test]
fn look_ups_fail_and_stay_silent_by_plan() {
    let mut probe = Probe::alone(1);
    probe.world().set_faults(Faults {
        lookup_failure: 0.3,
        lookup_silence: 0.3,
        lookup_delay: secs(1),
        ..Faults::none()
    });
    (0..100).for_each(|_| _ = probe.driver.lookup("localhost"));
    probe.run();
    let news = probe.news();
    let failed = news
        .iter()
        .filter(|seen| matches!(seen, Seen::LookedUp(_, Err(_))))
        .count();
    assert!((50..90).contains(&news.len()) && (10..40).contains(&failed));
    assert!(probe.now() > ms(500));
}

#[test]
fn signals_come_to_those_who_catch_them() {
    let mut probe = Probe::alone(1);
    let world = probe.world();
    world.signal("sim", Signal::Hangup);
    probe.driver.catch_signals().unwrap();
    world.signal("sim", Signal::Interrupt);
    world.at(secs(7), |world| world.signal("sim", Signal::Terminate));
    probe.run();
    assert_eq!(
        probe.news(),
        [
            Seen::Signal(Signal::Interrupt),
            Seen::Signal(Signal::Terminate)
        ]
    );
    assert_eq!(probe.now(), secs(7));
}
