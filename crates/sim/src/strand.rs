//! A job on a thread of its own, of which and the reactor only one runs at a time.
//!
//! The one place in this crate with real threads. A job may ask the reactor something and block until it has the
//! answer (`blocking_call`), and only a stack of its own can be left lying meanwhile. The baton makes it deterministic:
//! whoever hands it over waits until it comes back, so that a job runs only within the driver's `poll`.
//!
//! ```text
//!   reactor ── start, resume ─► job runs ── Blocked ─► reactor ── resume ─► job looks again … ── Ended ─► reactor
//! ```
//!
//! Running jobs inline was tried on paper and rejected: that one will block is known only when it is too late.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use ropewalk_core::driver::Job;

/// Why a job handed the baton back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It waits for the reactor.
    Blocked,
    /// It is over.
    Ended,
}

/// A job that has a thread.
#[derive(Debug)]
pub(crate) struct Strand {
    /// The reactor's baton; gone when the job is to end without an answer.
    go: Option<Sender<()>>,
    back: Receiver<Step>,
    thread: Option<JoinHandle<()>>,
}

/// The job's end of the exchange.
struct Baton {
    go: Receiver<()>,
    back: Sender<Step>,
}

thread_local! {
    static BATON: Cell<Option<Baton>> = const { Cell::new(None) };
}

impl Strand {
    /// Runs a job until it blocks or ends.
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulated pool's threads, in strict hand-over"
    )]
    pub(crate) fn start(job: Job) -> (Self, Step) {
        let ((go, told), (say, back)) = (channel(), channel());
        let thread = std::thread::spawn(move || {
            BATON.set(Some(Baton {
                go: told,
                back: say.clone(),
            }));
            // What a panic means is for who gave the job; the thread only has to say that it is over.
            let _ = catch_unwind(AssertUnwindSafe(job));
            let _ = say.send(Step::Ended);
        });
        let strand = Self {
            go: Some(go),
            back,
            thread: Some(thread),
        };
        let step = strand.wait();
        (strand, step)
    }

    /// Lets a blocked job look whether it has its answer, and go on.
    pub(crate) fn resume(&self) -> Step {
        match self.go.as_ref().map(|go| go.send(())) {
            Some(Ok(())) => self.wait(),
            _ => Step::Ended,
        }
    }

    fn wait(&self) -> Step {
        self.back.recv().unwrap_or(Step::Ended)
    }
}

impl Drop for Strand {
    /// A job that still waits goes on without an answer; its thread is joined.
    fn drop(&mut self) {
        self.go = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Blocks the calling job until it is answered, if it is one of ours; for real, if it is a stranger.
pub(crate) fn block(answered: &mut dyn FnMut(bool) -> bool) {
    let Some(baton) = BATON.take() else {
        answered(true);
        return;
    };
    while !answered(false) {
        let handed_over = baton.back.send(Step::Blocked).is_ok();
        if !handed_over || baton.go.recv().is_err() {
            break;
        }
    }
    BATON.set(Some(baton));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn a_job_runs_only_while_it_has_the_baton() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let (own, answer) = (log.clone(), Arc::new(Mutex::new(false)));
        let asked = answer.clone();
        let (strand, step) = Strand::start(Box::new(move || {
            own.lock().unwrap().push("asks");
            block(&mut |_| *asked.lock().unwrap());
            own.lock().unwrap().push("knows");
        }));
        assert_eq!(step, Step::Blocked);
        assert_eq!(strand.resume(), Step::Blocked, "no answer yet");
        *answer.lock().unwrap() = true;
        assert_eq!(*log.lock().unwrap(), ["asks"]);
        assert_eq!(strand.resume(), Step::Ended);
        assert_eq!(*log.lock().unwrap(), ["asks", "knows"]);
    }

    #[test]
    fn a_dropped_strand_ends_without_an_answer() {
        let ended = Arc::new(Mutex::new(false));
        let own = ended.clone();
        let (strand, step) = Strand::start(Box::new(move || {
            block(&mut |_| false);
            block(&mut |_| false);
            *own.lock().unwrap() = true;
        }));
        assert_eq!(step, Step::Blocked);
        drop(strand);
        assert!(*ended.lock().unwrap());
    }

    #[test]
    fn a_panic_ends_the_job_only() {
        let (strand, step) = Strand::start(Box::new(|| {
            std::panic::resume_unwind(Box::new("on purpose"))
        }));
        assert_eq!((step, strand.resume()), (Step::Ended, Step::Ended));
    }

    #[test]
    fn a_stranger_blocks_for_real() {
        let mut asked = Vec::new();
        block(&mut |for_real| {
            asked.push(for_real);
            true
        });
        assert_eq!(asked, [true]);
    }
}
