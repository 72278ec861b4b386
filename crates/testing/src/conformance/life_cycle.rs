//! The life of a reactor: rules 1 to 15.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Deferred, Handle, Phase, Resolver, RunError, StopError, UnknownTrigger};

use super::script::{End, Script, Told};
use super::witness::{Log, Witness};
use super::{Harness, Stage};
use crate::journal::take_errors;

const SOON: Duration = Duration::from_millis(2);

fn note(log: &Log, line: &'static str) -> impl FnOnce(&Handle) + 'static {
    let log = log.clone();
    move |_| log.note(line)
}

/// What stops the reactor once it runs.
fn stop(handle: &Handle) {
    handle.stop().expect("it runs");
}

/// Rule 1: a stop that makes no sense is an error and changes nothing.
pub fn r001_a_stop_out_of_place_is_an_error(harness: &Harness) {
    let mut stage = Stage::new(harness);
    assert_eq!(stage.stop(), Err(StopError::NotRunning));
    let seen = Rc::new(Cell::new(None));
    let second = seen.clone();
    stage.call_when_running(move |handle| {
        stop(handle);
        second.set(Some(handle.stop()));
    });
    stage.run();
    assert_eq!(seen.get(), Some(Err(StopError::AlreadyStopping)));
    assert_eq!(stage.stop(), Err(StopError::NotRunning));
}

/// Rule 2: calls registered before the start run in order once it runs; later ones soon.
pub fn r002_calls_wait_for_the_start_in_order(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    stage.call_when_running(note(&log, "one"));
    stage.call_when_running(note(&log, "two"));
    let own = log.clone();
    stage.call_when_running(move |handle| {
        handle.call_when_running(note(&own, "four"));
        own.note("three");
    });
    assert!(log.is_empty());
    stage.call_later(SOON, stop);
    stage.run();
    assert_eq!(log, ["one", "two", "three", "four"]);
}

/// Rule 3: it is running from its start on, not before.
pub fn r003_it_runs_after_startup_and_not_before(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in [Phase::BeforeStartup, Phase::AfterStartup] {
        let own = log.clone();
        stage.add_trigger(phase, move |handle| {
            own.note(format!("{:?}", handle.is_running()));
        });
    }
    stage.call_when_running(stop);
    stage.run();
    assert_eq!(log, ["false", "true"]);
    assert!(!stage.is_running());
}

/// Rule 4: shutdown begins at the end of the pass of timed calls in which it was asked for.
pub fn r004_a_stop_lets_the_pass_of_timed_calls_end(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    stage.add_trigger(Phase::BeforeShutdown, note(&log, "shutdown"));
    let (own, later) = (log.clone(), log.clone());
    stage.call_when_running(move |handle| {
        handle.call_later(Duration::ZERO, move |handle| {
            stop(handle);
            own.note("the call goes on");
        });
        handle.call_later(Duration::ZERO, note(&later, "so does the pass"));
    });
    stage.run();
    assert_eq!(log, ["the call goes on", "so does the pass", "shutdown"]);
}

/// Rule 5: hooks run phase by phase, in order, once.
pub fn r005_hooks_run_phase_by_phase_once(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for (phase, line) in [
        (Phase::AfterShutdown, "after"),
        (Phase::DuringShutdown, "during"),
        (Phase::BeforeShutdown, "before"),
        (Phase::BeforeShutdown, "before, second"),
        (Phase::AfterShutdown, "after, second"),
    ] {
        stage.add_trigger(phase, note(&log, line));
    }
    stage.call_when_running(stop);
    stage.run();
    assert_eq!(
        log,
        [
            "before",
            "before, second",
            "during",
            "after",
            "after, second"
        ]
    );
}

/// Rule 6: what a before hook returns is waited for, while timers and sockets work.
pub fn r006_shutdown_waits_while_sockets_and_timers_work(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (_, client) = stage.pair(Script::echo(), echoed(&log));
    stage.add_trigger(Phase::DuringShutdown, note(&log, "during"));
    let (own, diary) = (log.clone(), client);
    stage.add_trigger(Phase::BeforeShutdown, move |handle: &Handle| {
        let (deferred, resolver) = Deferred::new(handle);
        diary.transport().write("?");
        finish_when_echoed(handle, own, resolver);
        deferred
    });
    stop(&stage);
    stage.wait("the stop", || log.has("during"));
    assert_eq!(log, ["echo", "timer", "during"]);
}

fn echoed(log: &Log) -> Script {
    let log = log.clone();
    Script::new().on_data(move |_, _| log.note("echo"))
}

/// Looks every other moment, so that a timer is at work too.
fn finish_when_echoed(handle: &Handle, log: Log, resolver: Resolver<()>) {
    handle.call_later(SOON, move |handle: &Handle| {
        if log.has("echo") {
            log.note("timer");
            resolver.resolve(()).expect("only here");
        } else {
            finish_when_echoed(handle, log, resolver);
        }
    });
}

/// Rule 7: a hook that panics is logged, and the others run.
pub fn r007_a_hook_that_panics_does_not_stop_the_others(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in [
        Phase::BeforeShutdown,
        Phase::DuringShutdown,
        Phase::AfterShutdown,
    ] {
        stage.add_trigger(phase, |_: &Handle| assert_eq!(1, 2, "on purpose"));
        stage.add_trigger(phase, note(&log, "the next"));
    }
    stage.add_trigger(Phase::BeforeShutdown, |handle: &Handle| {
        Deferred::<()>::fail(handle, std::io::Error::other("on purpose"))
    });
    stage.call_when_running(stop);
    stage.run();
    assert_eq!(log.count("the next"), 3);
    let errors = take_errors();
    assert_eq!(
        errors
            .iter()
            .filter(|error| error.contains("on purpose"))
            .count(),
        4,
        "{errors:?}"
    );
}

/// Rule 8: a hook that was removed never runs; to remove it again is an error.
pub fn r008_a_removed_hook_never_runs(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let gone = stage.add_trigger(Phase::BeforeShutdown, note(&log, "removed"));
    stage.add_trigger(Phase::BeforeShutdown, note(&log, "kept"));
    assert_eq!(stage.remove_trigger(gone), Ok(()));
    assert_eq!(stage.remove_trigger(gone), Err(UnknownTrigger));
    stage.call_when_running(stop);
    stage.run();
    assert_eq!(log, ["kept"]);
}

/// Rule 9: a stop loses what is open, once, as lost and not as done, before the last hooks; ports and attempts end.
pub fn r009_a_stop_loses_what_is_open(harness: &Harness) {
    let (mut stage, log, ports) = (Stage::new(harness), Log::new(), Log::new());
    let own = log.clone();
    let told = move || {
        Script::new().on_lost({
            let log = own.clone();
            move |_| log.note("lost")
        })
    };
    let (server, client) = stage.pair(told(), told());
    let port = stage.listen(Witness::new(&ports, || None));
    stage.add_trigger(Phase::BeforeShutdown, note(&log, "before"));
    stage.add_trigger(Phase::AfterShutdown, note(&log, "after"));
    stop(&stage);
    stage.wait("the end", || log.has("after"));
    assert_eq!(log, ["before", "lost", "lost", "after"]);
    assert_eq!(
        (server.end(), client.end()),
        (Some(End::Lost), Some(End::Lost))
    );
    assert!(!port.is_listening());
    assert_eq!(ports, ["start", "stop"]);
}

/// Rule 9: an attempt to connect is given up.
pub fn r009_a_stop_gives_up_attempts(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, _) = stage.serve(Script::new());
    let own = log.clone();
    stage.call_when_running(move |handle| {
        let witness = Witness::new(&own, || Some(Script::new()));
        handle
            .connect(&address, witness)
            .expect("an address can be read");
        stop(handle);
    });
    stage.run();
    assert_eq!(
        log.lines().last().map(String::as_str),
        Some("stop"),
        "{log:?}"
    );
}

/// Rule 10, ours: a reactor runs once, and others run after it.
pub fn r010_a_reactor_runs_once_and_others_after_it(harness: &Harness) {
    let mut first = Stage::new(harness);
    first.call_when_running(stop);
    first.run();
    assert!(matches!(first.try_run(), Err(RunError::AlreadyRan)));
    let mut second = Stage::new(harness);
    let (_, client) = second.pair(Script::echo(), Script::new());
    client.transport().write("hello");
    second.wait("the echo", || client.received() == 5);
}

/// Rule 11: a crash leaves the loop, and no hook runs.
pub fn r011_a_crash_runs_no_hook(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in [
        Phase::BeforeShutdown,
        Phase::DuringShutdown,
        Phase::AfterShutdown,
    ] {
        stage.add_trigger(phase, note(&log, "hook"));
    }
    stage.call_later(SOON, Handle::crash);
    stage.run();
    assert!(log.is_empty() && !stage.is_running());
}

/// Rule 13: a panic or an error in a timed call or a call from elsewhere is logged, and everything goes on.
pub fn r013_a_panic_in_a_call_is_logged_and_nothing_else_happens(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (_, client) = stage.pair(Script::echo(), Script::new());
    stage.call_later(Duration::ZERO, |_| assert_eq!(1, 2, "on purpose"));
    stage.call_later(Duration::ZERO, |_| Err::<(), _>("on purpose"));
    stage.call_soon(|_| assert_eq!(1, 2, "on purpose"));
    let remote = stage.remote();
    remote
        .call(|_| assert_eq!(1, 2, "on purpose"))
        .expect("the reactor is there");
    stage.call_later(SOON, note(&log, "later"));
    client.transport().write("hello");
    stage.wait("the echo", || client.received() == 5 && log.has("later"));
    let errors = take_errors();
    assert!(
        errors.iter().all(|error| error.contains("on purpose")),
        "{errors:?}"
    );
    assert!(errors.len() >= 4, "{errors:?}");
}

/// Rule 14: a panic in a callback ends its connection only, and drops what that had queued.
pub fn r014_a_panic_in_a_protocol_ends_its_connection_only(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let port = stage.listen(|| {
        Script::new().on_data(|transport, data| {
            transport.write("an echo, or nothing");
            assert_ne!(data[0], b'!', "on purpose");
        })
    });
    let [evil, good] = [(); 2].map(|()| stage.dial(port.host(), Script::new()));
    stage.wait("the connections", || evil.is_made() && good.is_made());
    evil.transport().write("!");
    stage.wait("the end", || evil.is_lost());
    assert_eq!(evil.received(), 0, "what was queued is dropped");
    good.transport().write(".");
    stage.wait("the echo", || good.received() > 0);
    assert!(!good.is_lost());
    let errors = take_errors();
    assert!(
        errors.len() == 1 && errors[0].contains("on purpose"),
        "{errors:?}"
    );
}

/// Rule 14: in every callback, and the reason says what happened.
pub fn r014_a_panic_in_any_callback_is_the_reason(harness: &Harness) {
    let scripts: [fn() -> Script; 3] = [
        || Script::new().on_made(|_| panic!("on purpose")),
        || Script::new().on_data(|_, _| panic!("on purpose")),
        || Script::new().on_lost(|_| panic!("on purpose")),
    ];
    for script in scripts {
        let mut stage = Stage::new(harness);
        let (server, client) = stage.pair(script(), Script::new());
        client.transport().write("go");
        client.transport().lose_connection();
        stage.wait("both ends", || server.is_lost() && client.is_lost());
        let is_the_reason = server.end() == Some(End::Panicked);
        assert_eq!(
            is_the_reason,
            server.reason().contains("on purpose"),
            "{server:?}"
        );
        assert!(is_the_reason || server.has(&Told::Eof), "{server:?}");
        assert_eq!(take_errors().len(), 1);
    }
}

/// Rule 15: a connection that was given up within a batch of events hears nothing more of that batch.
pub fn r015_a_connection_given_up_within_a_batch_hears_nothing_more(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let all = Rc::new(RefCell::new(Vec::new()));
    let given_up = Rc::new(Cell::new(false));
    let (known, over) = (all.clone(), given_up.clone());
    let port = stage.listen(move || {
        let (known, over, make) = (known.clone(), over.clone(), known.clone());
        Script::new()
            .on_made(move |transport| make.borrow_mut().push(transport.clone()))
            .on_data(move |_, _| {
                assert!(!over.replace(true), "told after it was given up");
                known
                    .borrow()
                    .iter()
                    .for_each(ropewalk_core::Transport::abort_connection);
            })
    });
    let clients: Vec<_> = (0..10)
        .map(|_| stage.dial(port.host(), Script::new()))
        .collect();
    stage.wait("the connections", || all.borrow().len() == 10);
    stage.wait("the connections", || {
        clients.iter().all(super::Diary::is_made)
    });
    clients
        .iter()
        .for_each(|client| client.transport().write("!"));
    stage.wait("the ends", || clients.iter().all(super::Diary::is_lost));
    assert!(given_up.get());
}
