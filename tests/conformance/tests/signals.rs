//! Rule 12 on the simulated driver. A signal belongs to the process, so the readiness driver's tests of it run in child
//! processes of their own, in `crates/mio/tests/driver/signal.rs`.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::Signal;
use ropewalk_core::timer::defer_later;
use ropewalk_core::{Handle, Phase, Reactor};
use ropewalk_sim::{Mood, SimDriver};

type Lines = Rc<RefCell<Vec<&'static str>>>;

const HOUR: Duration = Duration::from_secs(3600);

/// Runs a reactor to its end, or for an hour, with these signals each a second after the other; its hooks take a minute.
fn run(mood: Mood, catching: bool, signals: &'static [Signal]) -> (Reactor, Lines, Duration) {
    let driver = SimDriver::alone(12).with_mood(mood);
    let world = driver.world().clone();
    for (second, signal) in (1..).zip(signals) {
        world.at(Duration::from_secs(second), move |world| {
            world.signal("sim", *signal);
        });
    }
    let mut reactor = Reactor::new(driver);
    if catching {
        reactor = reactor.catching_signals();
    }
    let lines = Lines::default();
    for (phase, line) in [
        (Phase::BeforeShutdown, "before"),
        (Phase::AfterShutdown, "after"),
    ] {
        let lines = lines.clone();
        reactor.add_trigger(phase, move |handle: &Handle| {
            lines.borrow_mut().push(line);
            defer_later(handle, Duration::from_secs(60), || Ok(()))
        });
    }
    reactor.call_later(HOUR, Handle::crash);
    reactor.run().expect("the world goes on");
    (reactor, lines, world.now())
}

const MOODS: [Mood; 2] = [Mood::Readiness, Mood::Completion];

#[test]
fn r012_a_signal_stops_in_order_and_is_remembered() {
    for (mood, signal) in MOODS
        .into_iter()
        .zip([&[Signal::Interrupt], &[Signal::Terminate]])
    {
        let (reactor, lines, end) = run(mood, true, signal);
        assert_eq!(*lines.borrow(), ["before", "after"]);
        assert_eq!(reactor.exit_signal(), Some(signal[0]));
        assert_eq!(
            end,
            Duration::from_secs(121),
            "a second, and a minute for each hook"
        );
    }
}

#[test]
fn r012_a_second_signal_ends_at_once() {
    for mood in MOODS {
        let (reactor, lines, end) = run(mood, true, &[Signal::Interrupt, Signal::Terminate]);
        assert_eq!(
            (&**lines.borrow(), end),
            (&["before"][..], Duration::from_secs(2))
        );
        assert_eq!(reactor.exit_signal(), Some(Signal::Terminate));
    }
}

#[test]
fn r012_signals_are_left_alone_unless_asked_for() {
    for mood in MOODS {
        let (reactor, lines, end) = run(mood, false, &[Signal::Interrupt, Signal::Terminate]);
        assert_eq!((lines.borrow().len(), end), (0, HOUR));
        assert_eq!(reactor.exit_signal(), None);
    }
}

#[test]
fn r012_a_hangup_does_not_stop() {
    for mood in MOODS {
        let (reactor, lines, end) = run(mood, true, &[Signal::Hangup, Signal::Hangup]);
        assert_eq!((lines.borrow().len(), end), (0, HOUR));
        assert_eq!(reactor.exit_signal(), None);
    }
}
