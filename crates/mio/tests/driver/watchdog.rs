//! The watchdog, each time in a process of its own: the log is the process's, and so is an abort.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ropewalk_core::{Handle, Reactor, Watchdog};
use ropewalk_mio::MioDriver;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, span};

use crate::child::{Process, is_child, say};

const MS: Duration = Duration::from_millis(1);
const SIGABRT: Option<i32> = Some(6);

static ERRORS: AtomicUsize = AtomicUsize::new(0);

/// Says each line of the log to the parent.
struct Aloud;

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl tracing::Subscriber for Aloud {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        say(&format!("{}{}", event.metadata().level(), line.0));
        if *event.metadata().level() == Level::ERROR {
            ERRORS.fetch_add(1, Ordering::SeqCst);
        }
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn run(watchdog: Watchdog, blocks: impl FnOnce(&Handle) + 'static) {
    tracing::subscriber::set_global_default(Aloud).unwrap();
    let mut reactor = Reactor::new(MioDriver::new().unwrap());
    reactor.set_watchdog(watchdog);
    // The thread that looks is asleep by then, and must be woken.
    reactor.call_later(MS * 100, blocks);
    reactor.run().unwrap();
}

#[test]
fn a_callback_that_blocks_is_told_while_it_does_and_when_it_ends() {
    if is_child() {
        let watchdog = Watchdog {
            slow: Some(MS * 8),
            stuck: Some(MS * 40),
            abort: None,
        };
        return run(watchdog, |handle| {
            while ERRORS.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            handle.stop().unwrap();
        });
    }
    let mut child = Process::start(
        "watchdog::a_callback_that_blocks_is_told_while_it_does_and_when_it_ends",
        "true",
    );
    let stuck = child.line();
    let what = "a timed call made at crates/mio/tests/driver/watchdog.rs";
    assert!(
        stuck.starts_with(&format!("ERROR message=the reactor is stuck: {what}"))
            && stuck.contains(" runs for "),
        "{stuck}"
    );
    assert!(stuck.contains(" thread="), "{stuck}");
    let late = child.line();
    assert!(
        late.starts_with(&format!("WARN message={what}"))
            && late.contains("blocked the reactor took="),
        "{late}"
    );
    child.succeed();
}

#[test]
fn one_that_never_ends_ends_the_process() {
    if is_child() {
        let watchdog = Watchdog {
            abort: Some(MS * 40),
            ..Watchdog::OFF
        };
        return run(watchdog, |_| {
            loop {
                thread::yield_now();
            }
        });
    }
    let mut child = Process::start(
        "watchdog::one_that_never_ends_ends_the_process",
        "ulimit -c 0",
    );
    let last = child.line();
    assert!(
        last.contains("the process is aborted: a timed call made at"),
        "{last}"
    );
    assert_eq!(child.killed_by(), SIGABRT);
}

#[test]
fn one_that_waits_for_events_is_left_alone_and_so_are_jobs_at_the_end() {
    if is_child() {
        let watchdog = Watchdog {
            abort: Some(MS * 40),
            ..Watchdog::OFF
        };
        return run(watchdog, |handle| {
            let (handle, end) = (handle.clone(), MS * 200);
            handle.run_in_thread(move || {
                let since = std::time::Instant::now();
                while since.elapsed() < end {
                    thread::yield_now();
                }
            });
            handle.stop().unwrap();
        });
    }
    let child = Process::start(
        "watchdog::one_that_waits_for_events_is_left_alone_and_so_are_jobs_at_the_end",
        "true",
    );
    child.succeed();
}
