//! Signals, each in a process of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ropewalk_core::driver::{Driver, Signal};

use crate::child::{Process, is_child, say};
use crate::world::{Heard, World};

/// The names of the next signals, until `SIGTERM`.
fn say_signals(world: &mut World) {
    world.driver.catch_signals().unwrap();
    world.driver.catch_signals().unwrap();
    say("ready");
    let mut said = 0;
    loop {
        world.wait("signal", |log| (log.heard.len() > said).then_some(()));
        let Heard::Signal(signal) = world.log.heard[said] else {
            panic!()
        };
        say(&signal.to_string());
        said += 1;
        if signal == Signal::Terminate {
            return;
        }
    }
}

#[test]
fn r012_signals_are_events() {
    if is_child() {
        return say_signals(&mut World::new());
    }
    let mut child = Process::start("signal::r012_signals_are_events", "true");
    assert_eq!(child.line(), "ready");
    for name in ["HUP", "INT", "INT", "TERM"] {
        child.signal(name);
        assert_eq!(child.line(), format!("SIG{name}"));
    }
    child.succeed();
}

#[test]
fn r012_an_earlier_handler_is_called_as_before() {
    if is_child() {
        let earlier = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(Signal::Terminate.number(), Arc::clone(&earlier)).unwrap();
        say_signals(&mut World::new());
        assert!(earlier.load(Ordering::SeqCst));
        return;
    }
    let mut child = Process::start(
        "signal::r012_an_earlier_handler_is_called_as_before",
        "true",
    );
    assert_eq!(child.line(), "ready");
    child.signal("TERM");
    assert_eq!(child.line(), "SIGTERM");
    child.succeed();
}

#[test]
fn r012_signals_are_caught_only_when_asked_for() {
    if is_child() {
        let mut world = World::new();
        say("ready");
        world.wait("end", |_| None::<()>);
    }
    let mut child = Process::start(
        "signal::r012_signals_are_caught_only_when_asked_for",
        "true",
    );
    assert_eq!(child.line(), "ready");
    child.signal("TERM");
    assert_eq!(child.killed_by(), Some(15));
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    if is_child() {
        return say_signals(&mut World::new());
    }
    let mut child = Process::start("signal::an_ignored_hangup_stays_ignored", "trap '' HUP");
    assert_eq!(child.line(), "ready");
    child.signal("HUP");
    child.signal("TERM");
    assert_eq!(child.line(), "SIGTERM");
    child.succeed();
}

#[test]
fn when_no_driver_is_left_signals_do_again_what_they_did() {
    if is_child() {
        let mut first = World::new();
        first.driver.catch_signals().unwrap();
        say_signals(&mut World::new());
        say_signals(&mut first);
        drop(first);
        say("dropped");
        World::new().wait("end", |_| None::<()>);
    }
    let test = "signal::when_no_driver_is_left_signals_do_again_what_they_did";
    let mut child = Process::start(test, "true");
    assert_eq!(child.line(), "ready");
    child.signal("TERM");
    // Both drivers hear of it; then one of them is gone, and the other still catches.
    for said in ["SIGTERM", "ready", "SIGTERM", "dropped"] {
        assert_eq!(child.line(), said);
    }
    child.signal("TERM");
    assert_eq!(child.killed_by(), Some(15));
}
