//! A function that is called again and again, on a grid of times.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::deferred::{Answer, Deferred, Resolver, Settled};
use crate::failure::{Cancelled, Failure};
use crate::handle::Handle;
use crate::service::{Ends, Owned};
use crate::timer::DelayedCall;

/// Calls a function at fixed intervals. Cheap to clone; all clones are the same loop.
///
/// The calls stand on a grid: start, start + interval, start + 2 · interval. One that takes longer than the interval makes the next come at
/// the next grid time that is still ahead, so the loop neither drifts nor catches up in a burst. A function that returns a Deferred is not
/// called again before that fires.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::Handle;
/// use ropewalk_core::timer::LoopingCall;
///
/// fn heartbeat(handle: &Handle) -> LoopingCall {
///     let beat = LoopingCall::new(handle, || println!("still here"));
///     beat.start(Duration::from_secs(30)).expect("it does not run yet");
///     beat
/// }
/// ```
#[derive(Clone)]
pub struct LoopingCall(Rc<Inner>);

/// [`LoopingCall::start`] of a loop that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyRunning;

/// [`LoopingCall::stop`] or [`reset`](LoopingCall::reset) of a loop that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotRunning;

struct Inner {
    handle: Handle,
    /// Taken out while it runs.
    call: RefCell<Option<Repeated>>,
    made: &'static Location<'static>,
    run: RefCell<Option<Run>>,
}

/// The function, given how many grid times it is called for.
type Repeated = Box<dyn FnMut(u64) -> Settled<()>>;

/// One run of the loop, from start to stop.
struct Run {
    interval: Duration,
    start: Duration,
    /// How many grid times have been called for.
    counted: u64,
    /// The next call; `None` while one is under way.
    timer: Option<DelayedCall>,
    resolver: Resolver<LoopingCall>,
    stopping: bool,
}

impl LoopingCall {
    /// A loop that does not run yet. The function may return nothing, a `Result` or a [`Deferred`].
    #[track_caller]
    #[must_use]
    pub fn new<R: Answer>(handle: &Handle, mut call: impl FnMut() -> R + 'static) -> Self {
        Self::with_count(handle, move |_| call())
    }

    /// A loop whose function is told how many grid times have come since its last call: 1 normally, more after a stall (rule 28).
    #[doc(alias = "withCount")]
    #[track_caller]
    #[must_use]
    pub fn with_count<R: Answer>(
        handle: &Handle,
        mut call: impl FnMut(u64) -> R + 'static,
    ) -> Self {
        let call: Repeated = Box::new(move |count| match call(count).into_settled() {
            Settled::Now(result) => Settled::Now(result.map(drop)),
            Settled::Later(deferred) => Settled::Later(deferred.add_callback(|_| Ok(()))),
        });
        Self(Rc::new(Inner {
            handle: handle.clone(),
            call: RefCell::new(Some(call)),
            made: Location::caller(),
            run: RefCell::new(None),
        }))
    }

    /// Runs the loop: the first call soon, on the reactor's turn, the others on the grid that begins now. No interval: once per turn.
    ///
    /// The Deferred fires with the loop when it is stopped, and fails when the function fails or panics; then it no longer runs. Cancelling
    /// the Deferred stops the loop.
    ///
    /// # Errors
    ///
    /// It runs already.
    #[track_caller]
    pub fn start(&self, interval: Duration) -> Result<Deferred<Self>, AlreadyRunning> {
        self.begin(interval, Duration::ZERO)
    }

    /// [`start`](Self::start) with the first call after one interval.
    ///
    /// # Errors
    ///
    /// It runs already.
    #[track_caller]
    pub fn start_later(&self, interval: Duration) -> Result<Deferred<Self>, AlreadyRunning> {
        self.begin(interval, interval)
    }

    /// Makes no further call. A Deferred that the function returned is waited for before [`start`](Self::start)'s fires.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn stop(&self) -> Result<(), NotRunning> {
        let mut run = self.0.run.borrow_mut();
        let current = run.as_mut().filter(|run| !run.stopping).ok_or(NotRunning)?;
        current.stopping = true;
        let Some(timer) = current.timer.take() else {
            return Ok(());
        };
        let ended = run.take();
        drop(run);
        let _ran_already = timer.cancel();
        self.fire(ended, Ok(()));
        Ok(())
    }

    /// Skips the next call and begins the grid anew: the next call comes one interval from now.
    ///
    /// # Errors
    ///
    /// It does not run.
    pub fn reset(&self) -> Result<(), NotRunning> {
        let now = self.0.handle.now();
        let mut run = self.0.run.borrow_mut();
        let run = run.as_mut().filter(|run| !run.stopping).ok_or(NotRunning)?;
        run.start = now;
        run.counted = 1;
        if let Some(timer) = &run.timer {
            let _it_is_pending = timer.reset(run.interval);
        }
        Ok(())
    }

    /// Whether it was started, and neither stopped nor failed.
    #[doc(alias = "running")]
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0
            .run
            .borrow()
            .as_ref()
            .is_some_and(|run| !run.stopping)
    }

    /// The time between calls, while it runs.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        self.0.run.borrow().as_ref().map(|run| run.interval)
    }

    #[track_caller]
    fn begin(&self, interval: Duration, first: Duration) -> Result<Deferred<Self>, AlreadyRunning> {
        let mut run = self.0.run.borrow_mut();
        if run.is_some() {
            return Err(AlreadyRunning);
        }
        let to_stop = self.clone();
        let (deferred, resolver) = Deferred::with_canceller(&self.0.handle, move |resolver| {
            let _it_has_no_result = resolver.fail(Cancelled);
            let _stopped_already = to_stop.stop();
        });
        *run = Some(Run {
            interval,
            start: self.0.handle.now(),
            counted: u64::from(first > Duration::ZERO),
            timer: Some(self.schedule(first)),
            resolver,
            stopping: false,
        });
        self.0.handle.own(|| Owned::thing(&self.0));
        Ok(deferred)
    }

    fn schedule(&self, delay: Duration) -> DelayedCall {
        let this = self.clone();
        self.0
            .handle
            .call_later_at(self.0.made, delay, move |handle| this.tick(handle))
    }

    fn tick(&self, handle: &Handle) {
        let count = match &mut *self.0.run.borrow_mut() {
            Some(run) => {
                run.timer = None;
                run.count_to(handle.now())
            }
            None => return,
        };
        let Some(mut call) = self.0.call.borrow_mut().take() else {
            return;
        };
        let called = handle
            .tasks()
            .guard("a looping call", self.0.made, || call(count));
        *self.0.call.borrow_mut() = Some(call);
        match called {
            Ok(Settled::Now(result)) => self.done(result),
            Ok(Settled::Later(deferred)) => {
                let this = self.clone();
                deferred.on_result(move |result| this.done(result));
            }
            Err(panicked) => self.done(Err(Failure::at(panicked, self.0.made))),
        }
    }

    /// A call has its result: schedules the next, or ends.
    fn done(&self, result: Result<(), Failure>) {
        let mut run = self.0.run.borrow_mut();
        let Some(current) = run.as_mut() else { return };
        if result.is_ok() && !current.stopping {
            let delay = current.until_next(self.0.handle.now());
            current.timer = Some(self.schedule(delay));
            return;
        }
        let ended = run.take();
        drop(run);
        self.fire(ended, result);
    }

    fn fire(&self, ended: Option<Run>, result: Result<(), Failure>) {
        if let Some(run) = ended {
            let _cancelled = run.resolver.resolve_with(result.map(|()| self.clone()));
        }
    }
}

impl Ends for Inner {
    fn is_over(&self) -> bool {
        // Asked in the middle of a change, it goes on.
        self.run.try_borrow().is_ok_and(|run| run.is_none())
    }

    fn end(self: Rc<Self>, _handle: &Handle) {
        let _stopped_already = LoopingCall(self).stop();
    }
}

impl Run {
    /// How many grid times up to now have not been called for. The start itself is the first.
    fn count_to(&mut self, now: Duration) -> u64 {
        if self.interval.is_zero() {
            return 1;
        }
        let come = self.passed(now) + 1;
        let before = std::mem::replace(&mut self.counted, come);
        come.saturating_sub(before).max(1)
    }

    /// The time to the next point of the grid that is ahead.
    fn until_next(&self, now: Duration) -> Duration {
        if self.interval.is_zero() {
            return Duration::ZERO;
        }
        let since = now.saturating_sub(self.start).as_nanos() % self.interval.as_nanos();
        self.interval - Duration::from_nanos(u64::try_from(since).unwrap_or(u64::MAX))
    }

    fn passed(&self, now: Duration) -> u64 {
        let intervals = now.saturating_sub(self.start).as_nanos() / self.interval.as_nanos();
        u64::try_from(intervals).unwrap_or(u64::MAX - 1)
    }
}

impl fmt::Debug for LoopingCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopingCall")
            .field("is_running", &self.is_running())
            .field("made", &self.0.made)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for AlreadyRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this loop runs already: stop it first")
    }
}

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this loop does not run")
    }
}

impl Error for AlreadyRunning {}
impl Error for NotRunning {}
