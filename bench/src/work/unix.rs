//! Echo over UNIX sockets.

use super::echo;
use crate::Outcome;
use crate::bench::Bench;
use crate::server::Mode;

/// Runs both sizes.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    echo::run_cases(bench, "unix", Mode::Unix, &echo::STREAM_CASES)
}
