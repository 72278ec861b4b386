//! Runs a test in worlds of its own, and fails it for what it leaves behind.
//!
//! ```text
//!   for each seed:  World ─► the test ─► what is left? ─► drop the world ─► what was logged as an error?
//!                                            └──────────── anything: the test fails ───────────┘
//! ```

use std::cell::RefCell;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use ropewalk_core::Handle;
use ropewalk_sim::Seed;

use crate::journal::{Journal, take_errors};
use crate::test_case::TestCase;
use crate::world::World;

/// What a test may return: nothing, or a `Result` whose error fails it.
pub trait TestOutcome {
    /// # Panics
    ///
    /// If it is an error.
    fn check(self);
}

impl TestOutcome for () {
    fn check(self) {}
}

impl<E: Debug> TestOutcome for Result<(), E> {
    fn check(self) {
        if let Err(error) = self {
            panic!("the test failed: {error:?}");
        }
    }
}

/// Runs a test once for each of its seeds, in a fresh world each.
///
/// It fails for what it leaves behind: timers that are pending, and, after a grace of 10 s of the world's time, listening
/// ports, attempts to connect, connections and tasks; each is named with the place where it was made. It also fails for
/// errors in the log that it has not taken with [`take_errors`]: panics that a reactor caught, and failures that nobody
/// looked at.
///
/// # Panics
///
/// If the test fails. What it logged last is printed then, and the command that runs its seed again.
pub fn run_test<R: TestOutcome>(case: TestCase, test: impl Fn(&mut World) -> R) {
    case.for_each_seed(|seed| run_in_world(seed, |world| test(world).check()));
}

/// Runs a test that is a task of a reactor, in a world with one host named `sim`; otherwise as [`run_test`].
///
/// # Panics
///
/// As [`run_test`]; also if the task can never end.
pub fn run_async_test<F>(case: TestCase, test: impl Fn(Handle) -> F)
where
    F: Future<Output: TestOutcome> + 'static,
{
    case.for_each_seed(|seed| run_future(seed, &test, TestOutcome::check));
}

/// Runs a task to its end in a world of its own, as a test is run; `judge` looks at its result before anybody looks at
/// what is left behind.
pub(crate) fn run_future<F, R>(
    seed: Seed,
    start: impl FnOnce(Handle) -> F,
    judge: impl FnOnce(F::Output) -> R,
) -> R
where
    F: Future + 'static,
{
    run_in_world(seed, |world| {
        let handle = world.reactor("sim").handle();
        let (future, outcome) = (start(handle.clone()), Rc::new(RefCell::new(None)));
        let ended = outcome.clone();
        let task = handle.spawn(async move { *ended.borrow_mut() = Some(future.await) });
        if let Err(failure) = world.wait_for(task) {
            panic!("the test failed: {failure}");
        }
        judge(outcome.take().expect("the task has ended"))
    })
}

fn run_in_world<R>(seed: Seed, test: impl FnOnce(&mut World) -> R) -> R {
    let journal = Journal::default();
    let outcome = journal.keep(|| {
        catch_unwind(AssertUnwindSafe(|| {
            let mut world = World::new(seed);
            let result = test(&mut world);
            examine(world);
            result
        }))
    });
    outcome.unwrap_or_else(|panic| {
        let log = journal.latest();
        if !log.is_empty() {
            eprintln!("the last lines of its log:\n    {}", log.join("\n    "));
        }
        resume_unwind(panic)
    })
}

/// # Panics
///
/// If the test left something behind, or logged an error that it did not take.
fn examine(mut world: World) {
    let mut complaints = world.left_behind();
    let tasks = world.tasks();
    drop(world);
    let has_unhandled = tasks.iter().any(|tasks| !tasks.take_unhandled().is_empty());
    let errors = take_errors().into_iter();
    // A failure that the test took from the reactor itself is still in the log.
    complaints
        .extend(errors.filter(|line| has_unhandled || !line.starts_with("unhandled failure")));
    assert!(
        complaints.is_empty(),
        "the test left behind:\n    {}",
        complaints.join("\n    ")
    );
}
