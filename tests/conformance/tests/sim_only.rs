//! Rules that take a world to provoke: silence, unreachable hosts, signals, and want of descriptors.
//!
//! The readiness driver has tests of its own for signals and descriptors, each in a child process (`crates/mio/tests`).

use std::time::Duration;

use ropewalk_core::driver::Signal;
use ropewalk_core::{Deferred, Handle, Phase, Reactor, RunError};
use ropewalk_sim::{Rule, SimDriver};
use ropewalk_testing::World;
use ropewalk_testing::conformance::{Diary, End, Log, Script, Told, Witness};

const SECOND: Duration = Duration::from_secs(1);

/// Rule 12: a reactor on a simulated host, and what its hooks and timers do.
fn catching(log: &Log) -> (Reactor, ropewalk_sim::World) {
    let driver = SimDriver::alone(7);
    let world = driver.world().clone();
    let reactor = Reactor::new(driver).catching_signals();
    let hook = log.clone();
    reactor.add_trigger(Phase::BeforeShutdown, move |_: &Handle| {
        hook.note("shutdown");
    });
    (reactor, world)
}

#[test]
fn r012_a_signal_stops_in_order_and_is_remembered() {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let log = Log::new();
        let (mut reactor, world) = catching(&log);
        world.after(SECOND, move |world| world.signal("sim", signal));
        reactor.run().unwrap();
        assert_eq!(log, ["shutdown"]);
        assert_eq!(
            (reactor.exit_signal(), reactor.now()),
            (Some(signal), SECOND)
        );
    }
}

#[test]
fn r012_a_second_signal_ends_at_once() {
    let log = Log::new();
    let (mut reactor, world) = catching(&log);
    reactor.add_trigger(Phase::BeforeShutdown, |handle: &Handle| {
        ropewalk_core::timer::defer_later(handle, SECOND * 3600, || Ok(()))
    });
    world.after(SECOND, |world| world.signal("sim", Signal::Interrupt));
    world.after(SECOND * 2, |world| world.signal("sim", Signal::Interrupt));
    reactor.run().unwrap();
    assert_eq!(reactor.now(), SECOND * 2);
}

#[test]
fn r012_hangup_stops_nothing_and_signals_are_caught_only_when_asked_for() {
    let log = Log::new();
    let (mut reactor, world) = catching(&log);
    world.after(SECOND, |world| world.signal("sim", Signal::Hangup));
    reactor.call_later(SECOND * 2, |handle: &Handle| handle.stop());
    reactor.run().unwrap();
    assert_eq!((reactor.exit_signal(), reactor.now()), (None, SECOND * 2));

    let driver = SimDriver::alone(7);
    driver
        .world()
        .after(SECOND, |world| world.signal("sim", Signal::Terminate));
    let mut reactor = Reactor::new(driver);
    reactor.call_later(SECOND * 2, |handle: &Handle| handle.stop());
    reactor.run().unwrap();
    assert_eq!((reactor.exit_signal(), reactor.now()), (None, SECOND * 2));
}

/// What a client on the host `client` is told when it connects there.
fn attempt(world: &mut World, endpoint: &str) -> Log {
    let log = Log::new();
    let client = world.reactor("client");
    client
        .connect(endpoint, Witness::new(&log, || Some(Script::new())))
        .unwrap();
    let seen = log.clone();
    world.wait_until(move || seen.has("stop"));
    log
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
fn r040_silence_is_a_time_out(world: &mut World) {
    world.host("server");
    world.install(Rule::everywhere().lose());
    let log = attempt(world, "tcp:10.0.0.1:7:timeout=5");
    assert_eq!(log, ["start", "connecting", "failed: timed out", "stop"]);
    assert_eq!(world.now(), SECOND * 5);
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
fn r040_no_route_is_its_own_reason(world: &mut World) {
    let log = attempt(world, "tcp:10.99.99.99:7");
    assert_eq!(log, ["start", "connecting", "failed: no route", "stop"]);
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
fn r040_a_name_without_an_answer_is_a_time_out(world: &mut World) {
    world.name("slow.test", ropewalk_sim::Answer::Silence);
    let log = attempt(world, "tcp:slow.test:7:timeout=5");
    assert_eq!(log, ["start", "connecting", "failed: timed out", "stop"]);
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
fn r046_without_descriptors_peers_are_closed_and_the_rest_works(world: &mut World) {
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:7", Script::echo)
        .unwrap();
    world.limit_descriptors("server", 2);
    let dial = |world: &mut World| -> Diary {
        let script = Script::new();
        let diary = script.diary();
        let connected = world
            .reactor("client")
            .connect_protocol("tcp:10.0.0.1:7", script);
        world.wait_for(connected).unwrap();
        diary
    };
    let first = dial(world);
    let second = dial(world);
    world.wait_until(|| second.is_lost());
    assert_eq!(second.received(), 0);
    first.transport().write("hello");
    world.wait_until(|| first.received() == 5);
    first.transport().lose_connection();
    world.run_for(SECOND);
    let third = dial(world);
    third.transport().write("hello");
    world.wait_until(|| third.received() == 5);
    third.transport().lose_connection();
    port.stop_listening();
}

/// USERS P7: a time-out of 2 s never strikes when the answer comes after 1.9 s of the same clock.
#[ropewalk_testing::test(crate = ropewalk_testing, seeds = 20)]
fn a_time_out_never_strikes_before_its_time(world: &mut World) {
    let late = |log: &Log| {
        let log = log.clone();
        Script::new().on_data(move |transport, _| {
            let (transport, log) = (transport.clone(), log.clone());
            let reactor = transport.reactor().clone();
            reactor.call_later(Duration::from_millis(1900), move |_| {
                log.note("answered");
                transport.write("in time");
            });
        })
    };
    let log = Log::new();
    let mut script = Some(late(&log));
    let factory = Witness::new(&Log::new(), move || script.take());
    let port = world
        .reactor("server")
        .listen("tcp:10.0.0.1:7", factory)
        .unwrap();
    let client = Script::new().on_made(|transport| transport.write("?"));
    let diary = client.diary();
    let connected = world
        .reactor("client")
        .connect_protocol("tcp:10.0.0.1:7", client);
    let transport = world.wait_for(connected).unwrap();
    transport.set_timeout(Some(SECOND * 2));
    world.run_for(Duration::from_millis(1950));
    assert_eq!(diary.received(), 7, "{log:?}");
    world.run_for(Duration::from_millis(1900));
    assert!(!diary.is_lost());
    world.run_for(SECOND);
    assert_eq!(
        diary.told(),
        [Told::Made, Told::Data(7), Told::Lost(End::TimedOut)]
    );
    port.stop_listening();
}

/// A world that can never move again is an error that names who waits for what.
#[test]
fn a_deadlock_is_an_error_that_names_who_waits() {
    let mut reactor = Reactor::new(SimDriver::alone(7));
    reactor.listen("tcp:10.0.0.1:7", Script::echo).unwrap();
    let (never, _resolver) = Deferred::<()>::new(&reactor);
    reactor.spawn(never).on_result(drop);
    let Err(RunError::Driver(error)) = reactor.run() else {
        panic!("it should have failed")
    };
    let text = error.to_string();
    assert!(
        text.contains("listening") && text.contains("sim_only.rs"),
        "{text}"
    );
}
