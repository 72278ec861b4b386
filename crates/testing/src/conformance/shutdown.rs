//! What may go on while a reactor stops: more of rules 1 to 9, 31, 36 and 37.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ropewalk_core::failure::{Failure, ReactorGone};
use ropewalk_core::timer::{defer_later, sleep};
use ropewalk_core::{Deferred, Exit, Handle, Phase, Remote, StopError, UnknownTrigger};

use super::script::Script;
use super::witness::Log;
use super::{Harness, Stage};
use crate::journal::take_errors;

const SOON: Duration = Duration::from_millis(2);

const PHASES: [Phase; 6] = [
    Phase::BeforeStartup,
    Phase::DuringStartup,
    Phase::AfterStartup,
    Phase::BeforeShutdown,
    Phase::DuringShutdown,
    Phase::AfterShutdown,
];

fn note(log: &Log, line: &'static str) -> impl FnOnce(&Handle) + 'static {
    let log = log.clone();
    move |_| log.note(line)
}

fn stop(handle: &Handle) {
    handle.stop().expect("it runs");
}

/// Rule 1: a stop in a hook of startup counts or not as the reactor runs or not; one in a hook of shutdown is too late.
pub fn r001_a_stop_in_a_hook_counts_once(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in PHASES {
        let log = log.clone();
        stage.add_trigger(phase, move |handle: &Handle| {
            log.note(match handle.stop() {
                Ok(()) => "stops",
                Err(StopError::NotRunning) => "does not run",
                Err(StopError::AlreadyStopping) => "stops already",
            });
        });
    }
    stage.run();
    let (early, late) = ("does not run", "stops already");
    assert_eq!(log, [early, "stops", late, late, late, late]);
}

/// Rule 3: phase by phase.
pub fn r003_it_runs_from_startup_to_the_end_of_shutdown(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in PHASES {
        let log = log.clone();
        stage.add_trigger(phase, move |handle: &Handle| {
            log.note(format!("{phase:?} {}", handle.is_running()));
        });
    }
    stage.call_later(SOON, stop);
    stage.run();
    let expected = [
        "BeforeStartup false",
        "DuringStartup true",
        "AfterStartup true",
        "BeforeShutdown true",
        "DuringShutdown true",
        "AfterShutdown false",
    ];
    assert_eq!(log, expected);
}

/// Rule 5: a hook that a hook adds to the phase that goes on runs in it; one for a phase that is over never does.
pub fn r005_a_hook_may_add_hooks(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let outer = log.clone();
    stage.add_trigger(Phase::DuringShutdown, move |handle: &Handle| {
        handle.add_trigger(Phase::DuringShutdown, note(&outer, "now"));
        handle.add_trigger(Phase::BeforeShutdown, note(&outer, "late"));
        outer.note("outer");
    });
    stage.add_trigger(Phase::AfterShutdown, note(&log, "after"));
    stage.call_later(SOON, stop);
    stage.run();
    assert_eq!(log, ["outer", "now", "after"]);
}

/// Rule 6: all Deferreds of the before hooks are waited for, whatever order they fire in, and also those that fail.
pub fn r006_shutdown_waits_for_every_hook(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for (millis, line) in [(30, "slow"), (1, "quick"), (15, "middle")] {
        let log = log.clone();
        stage.add_trigger(Phase::BeforeShutdown, move |handle: &Handle| {
            defer_later(handle, Duration::from_millis(millis), move || {
                log.note(line);
                Err::<(), _>(Failure::message(line))
            })
        });
    }
    stage.add_trigger(Phase::DuringShutdown, note(&log, "during"));
    stage.call_later(SOON, stop);
    stage.run();
    assert_eq!(log, ["quick", "middle", "slow", "during"]);
    assert_eq!(take_errors().len(), 3);
}

/// Rule 8: a hook may remove a later one, and what ran cannot be removed.
pub fn r008_a_hook_may_remove_a_later_one(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let first = log.clone();
    let later = stage.add_trigger(Phase::DuringShutdown, note(&log, "later"));
    let ran = stage.add_trigger(Phase::BeforeShutdown, move |handle: &Handle| {
        assert_eq!(handle.remove_trigger(later), Ok(()));
        first.note("first");
    });
    stage.call_later(SOON, stop);
    stage.run();
    assert_eq!(log, ["first"]);
    assert_eq!(stage.remove_trigger(ran), Err(UnknownTrigger));
}

/// Rule 9: what a protocol asks for in its last callback does not come, and does not hold the stop.
pub fn r009_a_lost_connection_cannot_hold_the_stop(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, _) = stage.serve(Script::new());
    let (own, again) = (log.clone(), address.clone());
    let client = Script::new().on_lost(move |transport| {
        let handle = transport.reactor();
        let attempt = handle.connect_protocol(&again, Script::new());
        let log = own.clone();
        attempt.on_result(move |result| log.note(format!("connected: {}", result.is_ok())));
        transport.write("not sent");
    });
    let diary = stage.dial(&address, client);
    stage.wait("the connection", || diary.is_made());
    stage.add_trigger(Phase::AfterShutdown, note(&log, "stopped"));
    stop(&stage);
    stage.wait("the stop", || log.has("stopped"));
    drop(stage);
    assert!(!log.has("connected: true"), "{log:?}");
}

/// Rule 31: a main function's failure is given as it is, so that its exit status can be found, and it stops once.
pub fn r031_an_exit_status_is_kept(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    for phase in &PHASES[3..] {
        stage.add_trigger(*phase, note(&log, "hook"));
    }
    let result = stage.run_main(|handle: Handle| async move {
        sleep(&handle, SOON).await?;
        handle.stop()?;
        Err::<(), _>(Failure::new(Exit(7)))
    });
    let failure = result.expect_err("it fails");
    assert_eq!(failure.downcast_ref::<Exit>(), Some(&Exit(7)));
    assert_eq!(log, ["hook", "hook", "hook"]);
}

type Answer = Arc<Mutex<Option<Result<(), Failure>>>>;

/// Asks the reactor, and leaves the answer.
fn ask_and_leave(
    remote: &Remote,
    answer: &Answer,
    question: impl FnOnce(&Handle) -> Deferred<()> + Send + 'static,
) {
    let result = remote.blocking_call(question);
    *answer.lock().expect("nobody panics with it") = Some(result);
}

fn is_gone(answer: &Answer) -> bool {
    let answer = answer.lock().expect("nobody panics with it");
    matches!(&*answer, Some(Err(failure)) if failure.is::<ReactorGone>())
}

/// Rules 36, 37: a job that waits for the reactor, while the stop waits for the job, is told that no answer will come.
pub fn r036_a_stop_lets_go_of_a_thread_that_waits(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (remote, answer) = (stage.remote(), Answer::default());
    let own = answer.clone();
    stage.run_in_thread(move || {
        ask_and_leave(&remote, &own, |handle| {
            stop(handle);
            defer_later(handle, Duration::from_secs(3600), || Ok(()))
        });
        ask_and_leave(&remote, &own, |handle| Deferred::succeed(handle, ()));
    });
    let own = log.clone();
    stage.add_trigger(Phase::AfterShutdown, move |_: &Handle| {
        own.note(format!("told: {}", is_gone(&answer)));
    });
    stage.run();
    assert_eq!(log, ["told: true"]);
}

/// Rules 36, 37: the same if nobody stopped the reactor before it was dropped.
pub fn r036_a_drop_lets_go_of_a_thread_that_waits(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (remote, answer) = (stage.remote(), Answer::default());
    let (own, asked) = (answer.clone(), Arc::new(Mutex::new(false)));
    let heard = asked.clone();
    stage.run_in_thread(move || {
        ask_and_leave(&remote, &own, move |handle| {
            *heard.lock().expect("nobody panics with it") = true;
            defer_later(handle, Duration::from_secs(3600), || Ok(()))
        });
    });
    stage.wait("the question", || {
        *asked.lock().expect("nobody panics with it")
    });
    drop(stage);
    log.note("dropped");
    assert!(is_gone(&answer));
}

/// Rule 36: a question that panics fails in the thread that asked it.
pub fn r036_a_question_that_panics_fails(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let remote = stage.remote();
    let job = stage.defer_to_thread(move || {
        let answer = remote.blocking_call(|_| -> Deferred<()> { panic!("on purpose") });
        Ok(answer.expect_err("it panicked").to_string())
    });
    let said = stage.wait_for(job).expect("the job does not fail");
    assert!(said.contains("on purpose"), "{said}");
    drop(take_errors());
}

/// Rule 37: a job that is given once the threads stop never runs, and is dropped.
pub fn r037_a_job_after_the_stop_is_dropped(harness: &Harness) {
    let (mut stage, ran) = (Stage::new(harness), Arc::new(AtomicBool::new(false)));
    for phase in [Phase::DuringShutdown, Phase::AfterShutdown] {
        let ran = ran.clone();
        stage.add_trigger(phase, move |handle: &Handle| {
            handle.run_in_thread(move || ran.store(true, Ordering::SeqCst));
        });
    }
    stage.call_later(SOON, stop);
    stage.run();
    drop(stage);
    assert_eq!(Arc::strong_count(&ran), 1, "both are dropped");
    assert!(!ran.load(Ordering::SeqCst));
}

/// Rule 37: threads are joined at the end of the during phase, so that its hooks may wait for what they do in threads.
pub fn r037_a_hook_may_wait_for_a_job(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (first, second) = (log.clone(), log.clone());
    stage.add_trigger(Phase::DuringShutdown, move |handle: &Handle| {
        let (handle, job) = (handle.clone(), handle.defer_to_thread(|| Ok("first")));
        job.add_callback(move |line| {
            first.note(line);
            handle.defer_to_thread(|| Ok("second"))
        })
        .add_callback(move |line| {
            second.note(line);
            Ok(())
        })
    });
    stage.add_trigger(Phase::AfterShutdown, note(&log, "after"));
    stage.call_later(SOON, stop);
    stage.run();
    assert_eq!(log, ["first", "second", "after"]);
}
