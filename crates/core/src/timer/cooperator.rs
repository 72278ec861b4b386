//! Long work in small pieces, between which the reactor does everything else.
//!
//! For computations that would hold the reactor up: write them as an iterator, one piece per item. Work that waits for the network needs none
//! of this, and work that cannot be cut belongs in a thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::handle::Handle;
use crate::lifecycle::Waits;
use crate::timer::DelayedCall;
use crate::timer::cooperative_task::{CooperativeTask, Work};

/// How long pieces are done in a row before the reactor has its turn.
const SLICE: Duration = Duration::from_millis(10);

/// How many pieces at most are done in a row: pieces that take no time at all (the simulated clock stands still meanwhile) end their slice,
/// too.
const PIECES: usize = 1000;

/// Does the pieces of several works in turns. Cheap to clone; all clones are the same cooperator.
///
/// ```
/// use ropewalk_core::{Deferred, Handle};
/// use ropewalk_core::timer::Cooperator;
///
/// fn checksum(handle: &Handle, data: Vec<u8>) -> Deferred<()> {
///     let mut sum = 0_u64;
///     let chunks = (0..data.len()).step_by(4096);
///     let pieces = chunks.map(move |start| {
///         let end = data.len().min(start + 4096);
///         sum += data[start..end].iter().map(|byte| u64::from(*byte)).sum::<u64>();
///     });
///     Cooperator::new(handle).cooperate(pieces).when_done()
/// }
/// ```
#[derive(Clone)]
pub struct Cooperator(Rc<Inner>);

struct Inner {
    handle: Handle,
    made: &'static Location<'static>,
    ready: RefCell<VecDeque<Rc<Work>>>,
    tick: Cell<Option<DelayedCall>>,
}

impl Cooperator {
    /// A cooperator without work.
    #[track_caller]
    #[must_use]
    pub fn new(handle: &Handle) -> Self {
        Self(Rc::new(Inner {
            handle: handle.clone(),
            made: Location::caller(),
            ready: RefCell::default(),
            tick: Cell::new(None),
        }))
    }

    /// Does a work: takes one item of the iterator after another, in turns with the other works. An item that is a [`Deferred`](crate::Deferred) pauses this
    /// work until it fires; its failure, or a panic, ends the work.
    #[doc(alias = "coiterate")]
    #[track_caller]
    pub fn cooperate<I>(&self, pieces: I) -> CooperativeTask
    where
        I: IntoIterator<Item: Waits + 'static, IntoIter: 'static>,
    {
        let pieces = pieces.into_iter().map(Waits::into_deferred);
        let work = Work::new(Box::new(pieces), Location::caller());
        self.enqueue(&work);
        CooperativeTask::new(work, self.clone())
    }

    /// Puts a work in line, if it is not there and can go on.
    pub(super) fn enqueue(&self, work: &Rc<Work>) {
        if work.join_line() {
            self.0.ready.borrow_mut().push_back(work.clone());
            self.schedule();
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.0.handle
    }

    fn schedule(&self) {
        let ticking = self.0.tick.take();
        let ticking = ticking.filter(DelayedCall::is_active).unwrap_or_else(|| {
            let this = self.clone();
            let Inner { handle, made, .. } = &*self.0;
            handle.call_later_at(made, Duration::ZERO, move |_| this.tick())
        });
        self.0.tick.set(Some(ticking));
    }

    /// One slice: pieces in turns until the time or the number is used up.
    fn tick(&self) {
        let end = self.0.handle.now().saturating_add(SLICE);
        for _ in 0..PIECES {
            let next = self.0.ready.borrow_mut().pop_front();
            let Some(work) = next else { return };
            self.step(&work);
            if self.0.handle.now() >= end {
                break;
            }
        }
        if !self.0.ready.borrow().is_empty() {
            self.schedule();
        }
    }

    fn step(&self, work: &Rc<Work>) {
        if let Some(deferred) = work.step(self.0.handle.tasks()) {
            let (this, work) = (self.clone(), work.clone());
            deferred.on_result(move |result| {
                work.waited(result);
                this.enqueue(&work);
            });
        }
        self.enqueue(work);
    }
}

impl fmt::Debug for Cooperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cooperator")
            .field("ready", &self.0.ready.borrow().len())
            .finish_non_exhaustive()
    }
}
