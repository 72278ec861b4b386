//! What a test logged, on its own thread: an error in the log is an error of the test.
//!
//! A tracing subscriber for one thread, kept in memory. Not a log for people: it is shown only when a test fails.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// How many lines are shown of a test that failed.
const LINES_SHOWN: usize = 50;

thread_local! {
    /// The journal of the test that runs on this thread.
    static CURRENT: RefCell<Option<Journal>> = const { RefCell::new(None) };
}

/// Takes out the errors that the test of this thread has logged so far: those it expects, since it fails by all others.
///
/// Panics that the reactor caught, failures that nobody looked at, errors of timed calls: all are logged as errors.
///
/// ```
/// use ropewalk_core::Failure;
/// use ropewalk_testing::{TestCase, run_test, take_errors};
///
/// run_test(TestCase::new("example"), |world| {
///     world.reactor("host").call_later(Default::default(), |_| Err::<(), _>(Failure::message("ouch")));
///     world.settle();
///     assert!(take_errors()[0].contains("ouch"));
/// });
/// ```
#[doc(alias = "flushLoggedErrors")]
#[must_use = "look whether they are the ones that you expect"]
pub fn take_errors() -> Vec<String> {
    let journal = CURRENT.with_borrow(Clone::clone);
    journal.map_or_else(Vec::new, |journal| {
        std::mem::take(&mut journal.lock().errors)
    })
}

/// What was logged. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    errors: Vec<String>,
    latest: VecDeque<String>,
}

impl Journal {
    /// Runs a test whose log is kept here.
    pub(crate) fn keep<R>(&self, test: impl FnOnce() -> R) -> R {
        let _restored = Restore(CURRENT.replace(Some(self.clone())));
        tracing::subscriber::with_default(self.clone(), test)
    }

    /// The last lines, whatever their level.
    pub(crate) fn latest(&self) -> Vec<String> {
        self.lock().latest.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, level: Level, line: String) {
        let mut lines = self.lock();
        if lines.latest.len() == LINES_SHOWN {
            lines.latest.pop_front();
        }
        lines.latest.push_back(format!("{level:5} {line}"));
        if level == Level::ERROR {
            lines.errors.push(line);
        }
    }
}

/// Puts the journal of an outer test back, also when the inner one panics.
struct Restore(Option<Journal>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Subscriber for Journal {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        self.note(*event.metadata().level(), line.message + &line.fields);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// `message, field = value, …`
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, ", {name} = {value:?}"),
        };
        written.expect("a string takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_the_rest() {
        let journal = Journal::default();
        journal.keep(|| {
            tracing::info!(peer = 7, "hello");
            tracing::debug!("not even kept");
            tracing::error!(code = "x", "it {}", "broke");
            assert_eq!(take_errors(), ["it broke, code = \"x\""]);
            assert!(take_errors().is_empty(), "they were taken");
        });
        assert_eq!(
            journal.latest(),
            ["INFO  hello, peer = 7", "ERROR it broke, code = \"x\""]
        );
        assert!(take_errors().is_empty(), "there is no test");
    }

    #[test]
    fn only_the_latest_lines_are_kept() {
        let journal = Journal::default();
        journal.keep(|| (0..200).for_each(|n| tracing::warn!("{n}")));
        let latest = journal.latest();
        assert_eq!((latest.len(), latest[49].as_str()), (50, "WARN  199"));
    }
}
