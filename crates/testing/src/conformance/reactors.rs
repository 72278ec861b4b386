//! Several reactors in one process, and threads that no reactor knows: more of rules 10, 13, 23 and 32 to 35.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ropewalk_core::{Failure, Handle, Phase};

use super::script::{Diary, End, Script};
use super::witness::Log;
use super::{Harness, Stage};
use crate::journal::take_errors;

const SOON: Duration = Duration::from_millis(2);

/// A client of an echo server, both here, that has said this.
fn echo(stage: &mut Stage, hello: &'static str) -> Diary {
    let (address, _) = stage.serve(Script::echo());
    stage.dial(
        &address,
        Script::new().on_made(move |transport| transport.write(hello)),
    )
}

/// Runs to the first echo.
fn run_to_echo(stage: &mut Stage) {
    let (address, _) = stage.serve(Script::echo());
    let client = Script::new()
        .on_made(|transport| transport.write("hello"))
        .on_data(|transport, _| _ = transport.reactor().stop());
    let diary = stage.dial(&address, client);
    stage.run();
    assert!(diary.received() > 0);
    assert_eq!(diary.end(), Some(End::Lost));
}

/// Rule 10, ours: one after another.
pub fn r010_many_may_run_one_after_another(harness: &Harness) {
    for _ in 0..5 {
        run_to_echo(&mut Stage::new(harness));
    }
}

/// Rule 10, ours: one may be made, run and dropped inside a callback of another.
pub fn r010_one_may_run_inside_another(harness: &Harness) {
    let (mut outer, mut inner, log) = (Stage::new(harness), Stage::new(harness), Log::new());
    let (_, client) = outer.pair(Script::echo(), Script::new());
    let (transport, own) = (client.transport(), log.clone());
    outer.call_later(SOON, move |handle: &Handle| {
        transport.write("hello");
        run_to_echo(&mut inner);
        drop(inner);
        let task = handle.spawn(async { Ok::<_, Failure>("tasks find their own reactor") });
        task.on_result(move |result| own.note(result.unwrap_or("no")));
    });
    outer.wait("the echo and the task", || {
        client.received() == 5 && !log.is_empty()
    });
    assert_eq!(log, ["tasks find their own reactor"]);
}

/// Rule 10, ours: side by side in one thread, turn by turn.
pub fn r010_several_may_live_side_by_side(harness: &Harness) {
    let mut stages = [(); 3].map(|()| Stage::new(harness));
    let clients: Vec<_> = stages
        .iter_mut()
        .map(|stage| echo(stage, "hello"))
        .collect();
    let ends = stages
        .each_ref()
        .map(|stage| stage.now() + harness.patience);
    while clients.iter().any(|client| client.received() < 5) {
        for (stage, end) in stages.iter_mut().zip(ends) {
            stage
                .turn(Some(Duration::from_millis(1)))
                .expect("the driver works");
            assert!(stage.now() < end, "there was no echo");
        }
    }
    stages.iter_mut().for_each(run_out);
}

fn run_out(stage: &mut Stage) {
    let log = Log::new();
    let own = log.clone();
    stage.add_trigger(Phase::AfterShutdown, move |_: &Handle| own.note("stopped"));
    stage.stop().expect("it runs");
    stage.wait("the stop", || !log.is_empty());
}

/// Rule 23: a distant call as the only one is no hindrance to sockets, nor to calls from threads.
pub fn r023_a_distant_call_alone_does_not_hold_up_the_sockets(harness: &Harness) {
    for distant in [Duration::from_secs(30 * 24 * 3600), Duration::MAX] {
        let mut stage = Stage::new(harness);
        let (_, client) = stage.pair(Script::echo(), Script::new());
        assert_eq!(stage.delayed_calls(), 0, "nothing else wakes it");
        stage.call_later(distant, |handle: &Handle| handle.crash());
        client.transport().write("hello");
        turn_until(&mut stage, || client.received() == 5);
        let (seen, remote) = (Arc::new(Mutex::new(false)), stage.remote());
        let own = seen.clone();
        stage.run_in_thread(move || {
            let told = remote.call(move |_| *own.lock().expect("nobody panics with it") = true);
            told.expect("the reactor is there");
        });
        turn_until(&mut stage, || *seen.lock().expect("nobody panics with it"));
    }
}

/// Turns without an alarm, since that would be a near timer; a turn that ends for nothing is forgiven a few times.
fn turn_until(stage: &mut Stage, mut holds: impl FnMut() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        stage.turn(None).expect("the driver works");
    }
    panic!("the reactor spins");
}

/// Runs a function on a thread of its own, to its end.
#[allow(
    clippy::disallowed_methods,
    reason = "a thread that the reactor does not know is the point"
)]
fn in_foreign_thread(run: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = scope.spawn(run);
        thread.join().expect("it does not panic");
    });
}

/// Rules 32, 33: the calls of a thread that nobody knows are kept until the reactor runs, and come in order.
pub fn r033_calls_of_a_foreign_thread_are_kept_and_come_in_order(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (seen, remote) = (Arc::new(Mutex::new(Vec::new())), stage.remote());
    in_foreign_thread(|| {
        for number in 0..100 {
            let seen = seen.clone();
            let call = move |handle: &Handle| {
                assert!(handle.is_running());
                seen.lock().expect("nobody panics with it").push(number);
            };
            remote.call(call).expect("the reactor is there");
        }
    });
    assert!(seen.lock().expect("nobody panics with it").is_empty());
    stage.call_later(SOON, Handle::stop);
    stage.run();
    assert!(
        seen.lock()
            .expect("nobody panics with it")
            .iter()
            .copied()
            .eq(0..100)
    );
    in_foreign_thread(|| assert!(remote.call(|_| ()).is_ok(), "it is over, but still there"));
}

/// Rule 32: each question of a thread wakes the reactor, which has nothing else to do.
pub fn r032_every_question_wakes_the_reactor(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (remote, begun) = (stage.remote(), stage.now());
    let questions = stage.defer_to_thread(move || {
        for number in 0..200 {
            let answer = remote
                .blocking_call(move |handle| ropewalk_core::Deferred::succeed(handle, number))?;
            assert_eq!(answer, number);
        }
        Ok(())
    });
    stage.wait_for(questions).expect("all are answered");
    assert!(
        stage.now() - begun < harness.patience / 2,
        "only the alarm woke it"
    );
}

/// Rule 13: a call from another thread that fails or panics is logged, and the next come.
pub fn r013_a_call_of_a_thread_that_panics_is_logged(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (_, client) = stage.pair(Script::echo(), Script::new());
    let (seen, remote) = (Arc::new(Mutex::new(false)), stage.remote());
    let own = seen.clone();
    stage.run_in_thread(move || {
        let calls = [
            remote.call(|_| Err::<(), _>("it fails, on purpose")),
            remote.call(|_| assert_eq!(1, 2, "it panics, on purpose")),
            remote.call(move |_| *own.lock().expect("nobody panics with it") = true),
        ];
        assert!(calls.iter().all(Result::is_ok));
    });
    stage.wait("the last call", || {
        *seen.lock().expect("nobody panics with it")
    });
    client.transport().write("hello");
    stage.wait("the echo", || client.received() == 5);
    let errors = take_errors();
    assert!(
        errors[0].contains("it fails") && errors[1].contains("it panics"),
        "{errors:?}"
    );
    assert!(
        errors.iter().all(|error| error.contains("on purpose")),
        "{errors:?}"
    );
}

/// Rule 35: the job runs on another thread, and its result comes on the reactor's.
pub fn r035_results_come_on_the_reactors_thread(harness: &Harness) {
    let (mut stage, own) = (Stage::new(harness), thread::current().id());
    let seen = Rc::new(Cell::new(None));
    for fails in [false, true] {
        let job = stage.defer_to_thread(move || match fails {
            false => Ok(thread::current().id()),
            true => Err(Failure::message("on purpose")),
        });
        let told = seen.clone();
        job.on_result(move |result| told.set(Some((result.ok(), thread::current().id()))));
        let told = seen_by(&mut stage, &seen);
        assert_eq!(told.1, own);
        assert_eq!(told.0.is_none(), fails);
        assert_ne!(told.0, Some(own), "a job does not block the reactor");
    }
}

type Told = (Option<thread::ThreadId>, thread::ThreadId);

fn seen_by(stage: &mut Stage, seen: &Rc<Cell<Option<Told>>>) -> Told {
    stage.wait("the result", || seen.get().is_some());
    seen.take().expect("it was just there")
}
