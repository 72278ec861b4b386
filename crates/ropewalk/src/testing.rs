//! Fakes, simulated worlds and suites for tests: all of [`ropewalk_testing`], in worlds that know every type of endpoints.

pub use ropewalk_testing::*;

use crate::Handle;

/// Runs a test once for each of its seeds; see [`ropewalk_testing::run_test`].
///
/// # Panics
///
/// If the test fails.
pub fn run_test<R: TestOutcome>(case: TestCase, test: impl Fn(&mut World) -> R) {
    crate::register_endpoints();
    ropewalk_testing::run_test(case, test);
}

/// Runs a test that is a task of a reactor; see [`ropewalk_testing::run_async_test`].
///
/// # Panics
///
/// If the test fails.
pub fn run_async_test<F>(case: TestCase, test: impl Fn(Handle) -> F)
where
    F: Future<Output: TestOutcome> + 'static,
{
    crate::register_endpoints();
    ropewalk_testing::run_async_test(case, test);
}
