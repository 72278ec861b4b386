//! One work of a cooperator, and the handle on it.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::mem;
use std::panic::Location;
use std::rc::Rc;

use crate::deferred::{Deferred, Resolver};
use crate::failure::Failure;
use crate::task::Tasks;
use crate::timer::Cooperator;

/// One work that a [`Cooperator`] does. Cheap to clone. Dropping it changes nothing: the work goes on.
#[derive(Clone)]
pub struct CooperativeTask {
    work: Rc<Work>,
    cooperator: Cooperator,
}

/// How a work ended, or why it could not be paused, resumed or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CooperativeTaskError {
    /// It has come to its end.
    Done,
    /// It was stopped.
    Stopped,
    /// It failed.
    Failed,
    /// It is not paused.
    NotPaused,
}

/// What a cooperator knows of a work.
pub(super) struct Work {
    state: RefCell<State>,
    pauses: Cell<usize>,
    in_line: Cell<bool>,
    started: &'static Location<'static>,
    /// Those who want to know of its end.
    waiting: RefCell<Vec<Resolver<()>>>,
}

type Pieces = Box<dyn Iterator<Item = Option<Deferred<()>>>>;

enum State {
    /// Has pieces to do.
    Ready(Pieces),
    /// Does a piece right now.
    Busy,
    /// Waits for the Deferred that the last piece was.
    Waiting(Pieces),
    /// Why it failed is kept until somebody asks.
    Ended(CooperativeTaskError, Option<Failure>),
}

impl CooperativeTask {
    pub(super) fn new(work: Rc<Work>, cooperator: Cooperator) -> Self {
        Self { work, cooperator }
    }

    /// Does no more pieces until [`resume`](Self::resume)d as often as paused.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn pause(&self) -> Result<(), CooperativeTaskError> {
        self.work.check()?;
        self.work.pauses.set(self.work.pauses.get() + 1);
        Ok(())
    }

    /// Takes back one [`pause`](Self::pause).
    ///
    /// # Errors
    ///
    /// It has ended, or is not paused.
    pub fn resume(&self) -> Result<(), CooperativeTaskError> {
        self.work.check()?;
        let pauses = self
            .work
            .pauses
            .get()
            .checked_sub(1)
            .ok_or(CooperativeTaskError::NotPaused)?;
        self.work.pauses.set(pauses);
        self.cooperator.enqueue(&self.work);
        Ok(())
    }

    /// Ends it without its remaining pieces. Those who wait for its end are told [`CooperativeTaskError::Stopped`].
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn stop(&self) -> Result<(), CooperativeTaskError> {
        self.work.check()?;
        self.work.end(CooperativeTaskError::Stopped, None);
        Ok(())
    }

    /// Fires when it has come to its end. May be asked any number of times, also after the end.
    ///
    /// Fails with [`CooperativeTaskError::Stopped`], or with why it failed; that goes to who asked first, all others are told
    /// [`CooperativeTaskError::Failed`].
    #[doc(alias = "whenDone")]
    #[track_caller]
    pub fn when_done(&self) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(self.cooperator.handle());
        self.work.waiting.borrow_mut().push(resolver);
        self.work.tell();
        deferred
    }
}

impl Work {
    pub(super) fn new(pieces: Pieces, started: &'static Location<'static>) -> Rc<Self> {
        Rc::new(Self {
            state: RefCell::new(State::Ready(pieces)),
            pauses: Cell::new(0),
            in_line: Cell::new(false),
            started,
            waiting: RefCell::default(),
        })
    }

    /// Whether it is to be put in line: it can go on, and is not there.
    pub(super) fn join_line(&self) -> bool {
        let ready = self.pauses.get() == 0 && matches!(*self.state.borrow(), State::Ready(_));
        ready && !self.in_line.replace(true)
    }

    /// Does one piece, and gives what it must wait for.
    pub(super) fn step(&self, tasks: &Tasks) -> Option<Deferred<()>> {
        self.in_line.set(false);
        let mut pieces = self.take_pieces()?;
        let piece = tasks.guard("a cooperative task", self.started, || {
            let piece = pieces.next();
            (piece, pieces)
        });
        match piece {
            Ok((Some(wait), pieces)) => self.put_back(pieces, wait),
            Ok((None, pieces)) => {
                drop(pieces);
                self.end(CooperativeTaskError::Done, None);
                None
            }
            Err(panicked) => {
                let failure = Failure::at(panicked, self.started);
                self.end(CooperativeTaskError::Failed, Some(failure));
                None
            }
        }
    }

    /// The Deferred that it waited for has fired.
    pub(super) fn waited(&self, result: Result<(), Failure>) {
        if let Err(failure) = result {
            self.end(CooperativeTaskError::Failed, Some(failure));
            return;
        }
        let mut state = self.state.borrow_mut();
        *state = match mem::replace(&mut *state, State::Busy) {
            State::Waiting(pieces) => State::Ready(pieces),
            other => other,
        };
    }

    fn take_pieces(&self) -> Option<Pieces> {
        if self.pauses.get() > 0 {
            return None;
        }
        let mut state = self.state.borrow_mut();
        match mem::replace(&mut *state, State::Busy) {
            State::Ready(pieces) => Some(pieces),
            other => {
                *state = other;
                None
            }
        }
    }

    /// After a piece: goes on or waits, unless it was stopped by its own piece.
    fn put_back(&self, pieces: Pieces, wait: Option<Deferred<()>>) -> Option<Deferred<()>> {
        let mut state = self.state.borrow_mut();
        if !matches!(*state, State::Busy) {
            drop(state);
            drop(pieces);
            return None;
        }
        *state = if wait.is_some() {
            State::Waiting(pieces)
        } else {
            State::Ready(pieces)
        };
        wait
    }

    fn check(&self) -> Result<(), CooperativeTaskError> {
        match *self.state.borrow() {
            State::Ended(end, _) => Err(end),
            State::Ready(_) | State::Busy | State::Waiting(_) => Ok(()),
        }
    }

    /// Ends it, once.
    fn end(&self, end: CooperativeTaskError, failure: Option<Failure>) {
        if self.check().is_ok() {
            let old = self.state.replace(State::Ended(end, failure));
            drop(old);
            self.tell();
        }
    }

    /// Tells those who wait how it ended, if it has.
    fn tell(&self) {
        let Err(end) = self.check() else { return };
        for resolver in self.waiting.take() {
            let result = match end {
                CooperativeTaskError::Done => Ok(()),
                other => Err(self.take_failure().unwrap_or_else(|| other.into())),
            };
            let _cancelled = resolver.resolve_with(result);
        }
    }

    fn take_failure(&self) -> Option<Failure> {
        match &mut *self.state.borrow_mut() {
            State::Ended(_, failure) => failure.take(),
            State::Ready(_) | State::Busy | State::Waiting(_) => None,
        }
    }
}

impl fmt::Debug for CooperativeTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CooperativeTask")
            .field("started", &self.work.started)
            .field("end", &self.work.check().err())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for CooperativeTaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "this cooperative task has come to its end",
            Self::Stopped => "this cooperative task was stopped",
            Self::Failed => "this cooperative task failed",
            Self::NotPaused => "this cooperative task is not paused",
        })
    }
}

impl Error for CooperativeTaskError {}
