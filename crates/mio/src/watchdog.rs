//! The thread that looks whether the reactor's thread is stuck, and what the kernel knows of that.
//!
//! It looks while the reactor works, every few milliseconds, and sleeps without end once the reactor has waited for events
//! from one look to the next: an idle program wakes nobody up.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use ropewalk_core::driver::Wake;
use ropewalk_core::watchdog::{Lookout, Seen};

/// A thread that looks, until this is dropped.
pub(crate) struct Watching {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
}

struct Watcher {
    lookout: Lookout,
    subject: Subject,
    start: Instant,
    shared: Arc<Shared>,
}

/// A look that comes so much later than it should says nothing: the process was stopped, or the machine slept.
const OVERSLEPT: u32 = 8;

/// How long the log may take to take the last line before an abort.
const LAST_WORDS: Duration = Duration::from_millis(200);

impl Watching {
    /// Looks after the reactor of this thread. If there can be no thread, says so in the log, and nobody looks.
    pub(crate) fn start(lookout: Lookout, start: Instant) -> Option<Self> {
        let shared = Arc::<Shared>::default();
        let pulse = Arc::clone(lookout.pulse());
        let watcher = Watcher {
            lookout,
            subject: Subject::this(),
            start,
            shared: Arc::clone(&shared),
        };
        let builder = thread::Builder::new().name("ropewalk-watchdog".to_owned());
        match builder.spawn(move || watcher.watch()) {
            Ok(handle) => {
                let thread = handle.thread().clone();
                pulse.set_watcher(Arc::new(Unpark(thread.clone())));
                Some(Self { shared, thread })
            }
            Err(error) => {
                tracing::warn!(%error, "no thread for the watchdog: nobody looks whether the reactor is stuck");
                None
            }
        }
    }
}

impl Drop for Watching {
    /// Is not waited for: it may be about to log.
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(&self) {
        self.0.unpark();
    }
}

impl Watcher {
    fn watch(mut self) {
        let interval = self.lookout.interval();
        let mut rests = 0_u32;
        while !self.shared.is_over.load(Ordering::Relaxed) {
            let asleep = Instant::now();
            match rests {
                // Told that it shall wake us, and looked at once more since: it really rests.
                2.. => thread::park(),
                _ => thread::park_timeout(interval),
            }
            if rests < 2 && asleep.elapsed() > interval * OVERSLEPT {
                self.lookout.forget();
            }
            rests = if self.look() { 0 } else { rests + 1 };
            if rests == 1 {
                self.lookout.pulse().sleep();
            }
        }
    }

    /// Whether the reactor works.
    fn look(&mut self) -> bool {
        match self.lookout.look(self.start.elapsed()) {
            Seen::Rest => return false,
            Seen::Work => {}
            Seen::Stuck(stuck) => {
                let lasts = stuck.lasts;
                let (thread, pid) = (&self.subject, process::id());
                tracing::error!(
                    ?lasts, %thread, "the reactor is stuck: {stuck}; `gdb -p {pid} -batch -ex 'thread apply all bt'` shows where"
                );
            }
            Seen::Lost(stuck) => {
                let (lasts, thread) = (stuck.lasts, &self.subject);
                tracing::error!(?lasts, %thread, "the reactor is stuck, and the process is aborted: {stuck}");
                thread::sleep(LAST_WORDS);
                process::abort();
            }
        }
        true
    }
}

/// The thread that is looked at, for [`Display`](fmt::Display): what the kernel says it does, which takes a moment.
///
/// A backtrace is not taken: that would run code on a thread that may hold any lock, which cannot be done safely. Files
/// are opened when they are read; in a chroot without `/proc` there are none.
#[derive(Debug)]
struct Subject {
    name: String,
    folder: Option<PathBuf>,
}

/// Whether a thread computes is seen from how much processor time it takes meanwhile.
const GLANCE: Duration = Duration::from_millis(20);

impl Subject {
    fn this() -> Self {
        let thread = fs::read_link("/proc/thread-self").ok();
        Self {
            name: thread::current().name().unwrap_or("unnamed").to_owned(),
            folder: thread.map(|thread| Path::new("/proc").join(thread)),
        }
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder.as_ref()?.join(name)).ok()
    }

    /// The letter that `ps` shows.
    fn state(&self) -> Option<char> {
        let stat = self.read("stat")?;
        // The name before the state may have brackets of its own.
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    }

    fn computed(&self) -> Option<Duration> {
        let schedstat = self.read("schedstat")?;
        let nanos = schedstat.split(' ').next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }

    fn is_computing(&self) -> bool {
        let before = self.computed();
        thread::sleep(GLANCE);
        match (before, self.computed()) {
            (Some(before), Some(after)) => after.saturating_sub(before) > GLANCE / 10,
            _ => true,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.name)?;
        let place = self.read("wchan").filter(|place| place.len() > 1);
        match (self.state(), place) {
            (None, _) => f.write_str("is unknown to the kernel"),
            (Some('R'), _) if self.is_computing() => f.write_str("computes"),
            (Some('R'), _) => f.write_str("waits for a processor"),
            (Some('S'), Some(place)) => write!(f, "waits in the kernel, in {place}"),
            (Some('S'), None) => f.write_str("waits in the kernel"),
            (Some('D'), _) => f.write_str("waits for a disk or the like"),
            (Some(state), _) => write!(f, "is in state {state}"),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_waits_is_told_from_one_that_computes() {
        let (tell, told) = mpsc::channel();
        let (end, ended) = mpsc::channel::<()>();
        let waiting = thread::spawn(move || {
            tell.send(Subject::this()).unwrap();
            let _ = ended.recv();
        });
        let subject = told.recv().unwrap();
        while subject.state() == Some('R') {
            thread::yield_now();
        }
        assert!(subject.to_string().contains(" waits in the kernel"));
        drop(end);
        waiting.join().unwrap();

        let (tell, told) = mpsc::channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let computing = thread::spawn(move || {
            tell.send(Subject::this()).unwrap();
            while !over.load(Ordering::Relaxed) {}
        });
        let subject = told.recv().unwrap();
        let text = subject.to_string();
        is_over.store(true, Ordering::Relaxed);
        computing.join().unwrap();
        assert!(
            text.ends_with("computes") || text.ends_with("waits for a processor"),
            "{text}"
        );
    }
}
