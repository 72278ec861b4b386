//! What a timed call or a call from another thread may return.

use std::fmt::Display;

/// Nothing, or a `Result` whose error is logged (R13).
pub trait Outcome {
    /// Logs the error, if it is one.
    fn log_error(self, what: &'static str);
}

impl Outcome for () {
    fn log_error(self, _what: &'static str) {}
}

impl<T, E: Display> Outcome for Result<T, E> {
    fn log_error(self, what: &'static str) {
        if let Err(error) = self {
            tracing::error!(%error, "{what} failed");
        }
    }
}
