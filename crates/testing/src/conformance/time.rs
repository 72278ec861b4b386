//! Timed calls on a driver's clock: rules 17 to 23 and 31.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::failure::Failure;
use ropewalk_core::timer::{DelayedCall, TimerError, sleep};
use ropewalk_core::{Handle, Phase};

use super::script::Script;
use super::witness::Log;
use super::{Harness, Stage};

const SOON: Duration = Duration::from_millis(5);

fn note(log: &Log, line: &'static str) -> impl FnOnce(&Handle) + 'static {
    let log = log.clone();
    move |_| log.note(line)
}

fn never(_: &Handle) {
    panic!("it was cancelled, or is not due for long");
}

/// Rule 17: a call without delay does not run inside the call that schedules it.
pub fn r017_a_call_without_delay_runs_later(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    stage.call_later(Duration::ZERO, note(&log, "ran"));
    assert!(log.is_empty());
    stage.wait("the call", || log.has("ran"));
}

/// Rule 18: a call without delay that a timed call schedules runs in the next pass.
pub fn r018_a_call_of_a_timed_call_runs_in_the_next_pass(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let own = log.clone();
    stage.call_later(Duration::ZERO, move |handle: &Handle| {
        handle.call_later(Duration::ZERO, note(&own, "next pass"));
        handle.call_soon(note(&own, "end of this pass"));
    });
    stage.call_later(Duration::ZERO, note(&log, "this pass"));
    stage.wait("the calls", || log.len() == 3);
    assert_eq!(log, ["this pass", "end of this pass", "next pass"]);
}

/// Rule 18: an endless chain of calls without delay does not starve the sockets.
pub fn r018_endless_calls_do_not_starve_the_sockets(harness: &Harness) {
    fn again(handle: &Handle) {
        handle.call_later(Duration::ZERO, again);
    }
    if harness.is_repetition() {
        return;
    }
    let mut stage = Stage::new(harness);
    let (_, client) = stage.pair(Script::echo(), Script::new());
    again(&stage);
    client.transport().write("hello");
    stage.wait("the echo", || client.received() == 5);
}

/// Rule 18: nor do tasks that wake each other for ever.
pub fn r018_endless_tasks_do_not_starve_the_sockets(harness: &Harness) {
    fn again(handle: &Handle) {
        handle.call_soon(again);
    }
    if harness.is_repetition() {
        return;
    }
    let mut stage = Stage::new(harness);
    let (_, client) = stage.pair(Script::echo(), Script::new());
    again(&stage);
    client.transport().write("hello");
    stage.wait("the echo", || client.received() == 5);
}

/// Rule 19: calls run in the order of their times, not before them.
pub fn r019_calls_run_in_order_and_not_early(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let early = Rc::new(Cell::new(false));
    for (millis, line) in [(9, "third"), (3, "first"), (6, "second")] {
        let (log, early) = (log.clone(), early.clone());
        let due = stage.now() + Duration::from_millis(millis);
        stage.call_later(Duration::from_millis(millis), move |handle: &Handle| {
            early.set(early.get() || handle.now() < due);
            log.note(line);
        });
    }
    stage.wait("the calls", || log.len() == 3);
    assert_eq!(log, ["first", "second", "third"]);
    assert!(!early.get());
}

/// Rule 20: what was called or cancelled cannot be changed, also not from within.
pub fn r020_a_call_that_ran_cannot_be_changed(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (own, seen) = (
        Rc::new(RefCell::new(None::<DelayedCall>)),
        Rc::new(Cell::new(None)),
    );
    let (call, result) = (own.clone(), seen.clone());
    let called = stage.call_later(SOON, move |_| {
        result.set(call.borrow().as_ref().map(DelayedCall::cancel));
    });
    *own.borrow_mut() = Some(called);
    stage.wait("the call", || seen.get().is_some());
    assert_eq!(seen.get(), Some(Err(TimerError::AlreadyCalled)));
    let call = own.take().expect("it was put there");
    assert_eq!(call.reset(SOON), Err(TimerError::AlreadyCalled));
    let cancelled = stage.call_later(SOON, never);
    assert_eq!(cancelled.cancel(), Ok(()));
    assert_eq!(cancelled.delay(SOON), Err(TimerError::AlreadyCancelled));
    stage.linger();
}

/// Rule 21: reset counts from now, delay from the due time; sooner and later.
pub fn r021_reset_and_delay_move_a_call(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let far = Duration::from_secs(3600);
    let sooner = stage.call_later(far, note(&log, "sooner"));
    let later = stage.call_later(SOON, note(&log, "later"));
    sooner.reset(SOON).expect("it is pending");
    later.delay(SOON * 4).expect("it is pending");
    stage.wait("the calls", || log.len() == 2);
    assert_eq!(log, ["sooner", "later"]);
}

/// Rule 22: only what is pending counts as pending.
pub fn r022_only_pending_calls_are_counted(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    stage.call_later(SOON, note(&log, "ran"));
    let cancelled = stage.call_later(SOON, never);
    assert_eq!(stage.delayed_calls(), 2);
    cancelled.cancel().expect("it is pending");
    assert_eq!(stage.delayed_calls(), 1);
    stage.wait("the call", || log.has("ran"));
    assert_eq!(stage.delayed_calls(), 0);
}

/// Rule 23: a time further off than the kernel can count is no hindrance for what is nearer.
pub fn r023_distant_calls_are_accepted(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let year = Duration::from_secs(365 * 24 * 3600);
    for distant in [year / 12, year, year * 1000, Duration::MAX] {
        stage.call_later(distant, never);
    }
    let (_, client) = stage.pair(Script::echo(), Script::new());
    stage.call_later(SOON, note(&log, "near"));
    client.transport().write("hello");
    stage.wait("the near ones", || {
        log.has("near") && client.received() == 5
    });
}

/// Rule 31: the main function's result ends the run, in order and once.
pub fn r031_the_main_function_stops_the_reactor(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (_, client) = stage.pair(Script::echo(), Script::new());
    stage.add_trigger(Phase::AfterShutdown, note(&log, "stopped"));
    drop(stage);
    assert!(
        client.is_lost(),
        "a reactor that is dropped loses what it had"
    );
    let mut stage = Stage::new(harness);
    stage.add_trigger(Phase::AfterShutdown, note(&log, "stopped"));
    let result = stage.run_main(|handle: Handle| async move {
        sleep(&handle, SOON).await?;
        Ok::<_, Failure>(42)
    });
    assert_eq!(result.expect("nothing fails"), Some(42));
    assert_eq!(log, ["stopped"]);
}

/// Rule 31: its failure is the run's.
pub fn r031_a_failing_main_function_fails_the_run(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let result = stage.run_main(|_| async { Err::<(), _>(Failure::message("on purpose")) });
    assert_eq!(result.expect_err("it fails").to_string(), "on purpose");
}

/// Rule 31: if somebody else stops the reactor first there is no result.
pub fn r031_a_stop_before_the_result_gives_none(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let result = stage.run_main(|handle: Handle| async move {
        handle.stop()?;
        sleep(&handle, Duration::from_secs(3600)).await
    });
    assert!(matches!(result, Ok(None)), "{result:?}");
}
