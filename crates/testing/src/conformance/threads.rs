//! Other threads: rules 32 to 37. The other threads are those of the driver's pool.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ropewalk_core::failure::{Failure, Panicked, ReactorGone};
use ropewalk_core::timer::defer_later;
use ropewalk_core::{Deferred, Handle, Phase, Remote};

use super::script::Script;
use super::witness::Log;
use super::{Harness, Stage};
use crate::journal::take_errors;

/// What calls from threads leave here, on the reactor's thread.
fn collector(stage: &Stage) -> (Rc<RefCell<Vec<usize>>>, Deposit) {
    thread_local! {
        static SEEN: RefCell<Option<Rc<RefCell<Vec<usize>>>>> = const { RefCell::new(None) };
    }
    let seen = Rc::<RefCell<Vec<usize>>>::default();
    SEEN.set(Some(seen.clone()));
    let put = |number| {
        SEEN.with_borrow(|seen| {
            if let Some(seen) = seen {
                seen.borrow_mut().push(number);
            }
        });
    };
    (
        seen,
        Deposit {
            remote: stage.remote(),
            put,
        },
    )
}

#[derive(Clone)]
struct Deposit {
    remote: Remote,
    put: fn(usize),
}

impl Deposit {
    fn put(&self, number: usize) {
        let put = self.put;
        let _the_reactor_may_be_gone = self.remote.call(move |_| put(number));
    }
}

/// Rule 32: calls of another thread run in its order, and wake the reactor at once.
pub fn r032_calls_from_a_thread_come_in_order_and_at_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (seen, deposit) = collector(&stage);
    let begun = stage.now();
    stage.run_in_thread(move || (0..1000).for_each(|number| deposit.put(number)));
    stage.wait("the calls", || seen.borrow().len() == 1000);
    assert!(seen.borrow().iter().copied().eq(0..1000));
    assert!(
        stage.now() - begun < Duration::from_secs(10),
        "only the alarm woke it"
    );
}

/// Rule 33: calls made before the reactor runs wait for it.
pub fn r033_calls_before_the_start_are_kept(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (seen, deposit) = collector(&stage);
    (0..10).for_each(|number| deposit.put(number));
    assert!(seen.borrow().is_empty());
    stage.wait("the calls", || seen.borrow().len() == 10);
    assert!(seen.borrow().iter().copied().eq(0..10));
}

/// Rule 34: any number of calls may be outstanding.
pub fn r034_any_number_of_calls_may_be_outstanding(harness: &Harness) {
    const CALLS: usize = 100_000;
    if harness.is_repetition() {
        return;
    }
    let mut stage = Stage::new(harness);
    let (seen, deposit) = collector(&stage);
    let other = deposit.clone();
    stage.run_in_thread(move || (0..CALLS).for_each(|number| other.put(number)));
    (0..CALLS).for_each(|number| deposit.put(number));
    stage.wait("the calls", || seen.borrow().len() == 2 * CALLS);
    let sum: usize = seen.borrow().iter().sum();
    assert_eq!(sum, CALLS * (CALLS - 1));
}

/// Rule 34: a reactor that is gone says so.
pub fn r034_a_reactor_that_is_gone_says_so(harness: &Harness) {
    let remote = Stage::new(harness).remote();
    assert_eq!(remote.call(|_| ()), Err(ReactorGone));
}

/// Rule 35: result, failure and panic of a job arrive on the reactor's thread.
pub fn r035_results_of_jobs_arrive(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (value, failure) = (
        stage.defer_to_thread(|| Ok(6 * 7)),
        stage.defer_to_thread(|| Err::<(), _>(Failure::message("on purpose"))),
    );
    assert!(matches!(stage.wait_for(value), Ok(42)));
    let failure = stage.wait_for(failure).expect_err("it fails");
    assert_eq!(failure.to_string(), "on purpose");
    let panic = stage.defer_to_thread(|| -> Result<(), Failure> { panic!("on purpose") });
    let failure = stage.wait_for(panic).expect_err("it panics");
    assert!(failure.is::<Panicked>(), "{failure}");
}

/// Rule 35: jobs do not hold up the sockets.
pub fn r035_jobs_do_not_hold_up_the_sockets(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let came = Arc::new(AtomicBool::new(false));
    let (told, seen) = (came.clone(), came.clone());
    let script = Script::new().on_data(move |_, _| told.store(true, Ordering::SeqCst));
    let (_, client) = stage.pair(Script::echo(), script);
    let remote = stage.remote();
    let job = stage.defer_to_thread(move || remote.blocking_call(|handle| raised(handle, seen)));
    client.transport().write("!");
    stage.wait_for(job).expect("nothing fails");
    assert!(came.load(Ordering::SeqCst));
}

/// Fires once a flag is raised.
fn raised(handle: &Handle, flag: Arc<AtomicBool>) -> Deferred<()> {
    if flag.load(Ordering::SeqCst) {
        return Deferred::succeed(handle, ());
    }
    let again = handle.clone();
    defer_later(handle, Duration::from_millis(1), || Ok(()))
        .add_callback(move |()| raised(&again, flag))
}

/// Rule 36: a thread that calls into the reactor waits for the Deferred, and gets its failure.
pub fn r036_a_blocking_call_waits_for_its_deferred(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let remote = stage.remote();
    let answers = stage.defer_to_thread(move || {
        let value = remote.blocking_call(|handle| {
            defer_later(
                handle,
                Duration::from_millis(2),
                || Ok("in time".to_owned()),
            )
        })?;
        let failure = remote
            .blocking_call(|handle| Deferred::<()>::fail(handle, Failure::message("on purpose")))
            .expect_err("it fails");
        Ok(format!("{value}, {failure}"))
    });
    assert_eq!(
        stage.wait_for(answers).expect("nothing fails"),
        "in time, on purpose"
    );
}

/// Rule 37: jobs given before the start run after it; more than there are threads wait in order.
pub fn r037_jobs_wait_for_the_start_and_for_a_thread(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (seen, deposit) = collector(&stage);
    stage.set_thread_limit(1);
    for number in 0..50 {
        let deposit = deposit.clone();
        stage.run_in_thread(move || deposit.put(number));
    }
    assert!(seen.borrow().is_empty());
    stage.wait("the jobs", || seen.borrow().len() == 50);
    assert!(seen.borrow().iter().copied().eq(0..50));
}

/// Rule 37: never more jobs at a time than the limit.
pub fn r037_no_more_jobs_run_at_a_time_than_threads(harness: &Harness) {
    let mut stage = Stage::new(harness);
    stage.set_thread_limit(3);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let left = Rc::new(Cell::new(20));
    for _ in 0..20 {
        let (remote, running, most) = (stage.remote(), running.clone(), most.clone());
        let job = stage.defer_to_thread(move || {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let slept = remote
                .blocking_call(|handle| defer_later(handle, Duration::from_millis(1), || Ok(())));
            running.fetch_sub(1, Ordering::SeqCst);
            slept
        });
        let left = left.clone();
        job.on_result(move |_| left.set(left.get() - 1));
    }
    stage.wait("the jobs", || left.get() == 0);
    assert!((1..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
}

/// Rule 37: a stop waits, in its during phase, until jobs that run have ended; those that wait are dropped.
pub fn r037_a_stop_joins_the_threads(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (ended, begun) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let (own, first, remote) = (ended.clone(), begun.clone(), stage.remote());
    stage.call_when_running(move |handle: &Handle| {
        handle.run_in_thread(move || {
            first.store(true, Ordering::SeqCst);
            let _wakes_it = remote.call(|_| ());
            (0..1000).for_each(|_| std::thread::yield_now());
            own.store(true, Ordering::SeqCst);
        });
    });
    let (own, after) = (log.clone(), ended);
    stage.add_trigger(Phase::AfterShutdown, move |_: &Handle| {
        own.note(format!("ended: {}", after.load(Ordering::SeqCst)));
    });
    stage.call_later(Duration::ZERO, |_| ());
    stage.wait("the job", || begun.load(Ordering::SeqCst));
    stage.stop().expect("it runs");
    stage.wait("the stop", || !log.is_empty());
    assert_eq!(log, ["ended: true"]);
}

/// Rule 35: a panic in a job that nobody waits for is logged, where the log of that thread goes, and nothing else happens.
pub fn r035_a_panic_in_a_job_ends_the_job_only(harness: &Harness) {
    let mut stage = Stage::new(harness);
    stage.set_thread_limit(1);
    stage.run_in_thread(|| panic!("on purpose"));
    let next = stage.defer_to_thread(|| Ok("the thread lives"));
    assert_eq!(
        stage.wait_for(next).expect("nothing fails"),
        "the thread lives"
    );
    // The readiness driver's threads log elsewhere.
    assert!(
        take_errors()
            .iter()
            .all(|error| error.contains("on purpose"))
    );
}
