//! Startup and shutdown in phases.
//!
//! ```text
//!   run ─► before ─► during ─► after startup ─► running ─► stop ─► before ─► during ─► after shutdown ─► over
//!            └ Deferreds of a phase are waited for, while sockets and timers go on ┘
//! ```

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::driver::Signal;
use crate::handle::Handle;
use crate::service::Grace;

/// A phase of startup or shutdown that hooks can be added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The reactor does not run yet.
    BeforeStartup,
    /// The reactor begins to run.
    DuringStartup,
    /// The reactor runs.
    AfterStartup,
    /// Everything still works; what is returned is waited for.
    BeforeShutdown,
    /// Listening ports stop, and connections that are still open are lost. Threads still work; they are joined at the end of it.
    DuringShutdown,
    /// Everything is closed.
    AfterShutdown,
}

/// Names a hook, to remove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TriggerId(Phase, u64);

/// There is no such hook, or it has run or was removed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTrigger;

impl fmt::Display for UnknownTrigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such hook: it ran, was removed, or was never added")
    }
}

impl std::error::Error for UnknownTrigger {}

/// A stop that changes nothing (R1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopError {
    /// The reactor does not run.
    NotRunning,
    /// It stops already.
    AlreadyStopping,
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRunning => "cannot stop a reactor that is not running",
            Self::AlreadyStopping => "the reactor is stopping already",
        })
    }
}

impl std::error::Error for StopError {}

/// What a hook may return: nothing, or a Deferred to wait for.
pub trait Waits {
    /// The Deferred to wait for, if any.
    fn into_deferred(self) -> Option<Deferred<()>>;
}

impl Waits for () {
    fn into_deferred(self) -> Option<Deferred<()>> {
        None
    }
}

impl Waits for Deferred<()> {
    fn into_deferred(self) -> Option<Deferred<()>> {
        Some(self)
    }
}

impl Waits for Option<Deferred<()>> {
    fn into_deferred(self) -> Option<Deferred<()>> {
        self
    }
}

/// Where the reactor is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    New,
    /// In this phase of startup or shutdown, waiting for its Deferreds.
    In(Phase),
    Running,
    Stopped,
    Crashed,
}

type Hook = Box<dyn FnOnce(&Handle) -> Option<Deferred<()>>>;
type WhenRunning = Box<dyn FnOnce(&Handle)>;
type OnHangup = Rc<RefCell<dyn FnMut(&Handle)>>;

pub(crate) struct Lifecycle {
    stage: Cell<Stage>,
    stop_asked: Cell<bool>,
    /// A graceful stop has begun.
    is_draining: Cell<bool>,
    /// No hook is waited for any more.
    is_hurried: Cell<bool>,
    /// What a signal does.
    grace: Cell<Option<Grace>>,
    on_stopping: RefCell<Vec<WhenRunning>>,
    signal: Cell<Option<Signal>>,
    hooks: RefCell<BTreeMap<TriggerId, Hook>>,
    next_hook: Cell<u64>,
    when_running: RefCell<Vec<WhenRunning>>,
    on_hangup: RefCell<BTreeMap<u64, OnHangup>>,
    waiting: Rc<Cell<usize>>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self {
            stage: Cell::new(Stage::New),
            stop_asked: Cell::new(false),
            is_draining: Cell::new(false),
            is_hurried: Cell::new(false),
            grace: Cell::new(None),
            on_stopping: RefCell::default(),
            signal: Cell::new(None),
            hooks: RefCell::default(),
            next_hook: Cell::new(0),
            when_running: RefCell::default(),
            on_hangup: RefCell::default(),
            waiting: Rc::default(),
        }
    }
}

impl Lifecycle {
    pub(crate) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(
            self.stage.get(),
            Stage::Running
                | Stage::In(
                    Phase::DuringStartup
                        | Phase::AfterStartup
                        | Phase::BeforeShutdown
                        | Phase::DuringShutdown
                )
        )
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage.get(), Stage::Stopped | Stage::Crashed)
    }

    pub(crate) fn stop(&self) -> Result<(), StopError> {
        self.check_stop()?;
        self.stop_asked.set(true);
        Ok(())
    }

    fn check_stop(&self) -> Result<(), StopError> {
        match self.stage.get() {
            Stage::New | Stage::Stopped | Stage::Crashed | Stage::In(Phase::BeforeStartup) => {
                Err(StopError::NotRunning)
            }
            Stage::In(Phase::BeforeShutdown | Phase::DuringShutdown | Phase::AfterShutdown) => {
                Err(StopError::AlreadyStopping)
            }
            _ if self.stop_asked.get() => Err(StopError::AlreadyStopping),
            _ => Ok(()),
        }
    }

    /// A graceful stop begins.
    pub(crate) fn begin_draining(&self) -> Result<(), StopError> {
        self.check_stop()?;
        match self.is_draining.replace(true) {
            true => Err(StopError::AlreadyStopping),
            false => Ok(()),
        }
    }

    pub(crate) fn is_stop_asked(&self) -> bool {
        self.stop_asked.get()
    }

    /// Nothing that was in flight is waited for any more: hooks may run.
    pub(crate) fn drained(&self) {
        self.stop_asked.set(true);
    }

    /// Hooks are done only when this is, too.
    pub(crate) fn wait_for_drain(&self, drain: Deferred<()>) {
        self.wait_for(drain.add_errback(|_it_was_logged| Ok(())));
    }

    /// The hard deadline: no hook is waited for any more.
    pub(crate) fn hurry(&self) {
        self.is_hurried.set(true);
        self.stop_asked.set(true);
        if self.waiting.get() > 0 {
            tracing::error!("the hard deadline has passed: not waiting for hooks of shutdown");
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.is_draining.get() || self.check_stop() == Err(StopError::AlreadyStopping)
    }

    pub(crate) fn set_grace(&self, grace: Option<Grace>) {
        self.grace.set(grace);
    }

    pub(crate) fn on_stopping(&self, call: WhenRunning) {
        self.on_stopping.borrow_mut().push(call);
    }

    /// Calls those who asked for it, once.
    pub(crate) fn tell_stopping(&self, handle: &Handle) {
        for call in self.on_stopping.take() {
            handle.watched("a function for the stop", || {
                crate::panic::guard("a function for the stop", || call(handle));
            });
        }
    }

    pub(crate) fn crash(&self) {
        self.stage.set(Stage::Crashed);
    }

    /// The first signal stops in order, a second one at once; SIGHUP reloads.
    pub(crate) fn signalled(&self, signal: Signal, handle: &Handle) {
        if signal == Signal::Hangup {
            return self.hung_up(handle);
        }
        if self.signal.replace(Some(signal)).is_some() {
            tracing::info!(%signal, "ending now");
            return self.crash();
        }
        tracing::info!(%signal, "stopping; a second signal ends it now");
        let _it_may_be_stopping = match self.grace.get() {
            Some(grace) => handle.stop_gracefully(grace),
            None => handle.stop(),
        };
        if self.stage.get() == Stage::In(Phase::BeforeStartup) {
            self.stop_asked.set(true); // once it runs
        }
    }

    /// Gives what names the hook for [`forget_hangup`](Self::forget_hangup).
    pub(crate) fn on_hangup(&self, call: impl FnMut(&Handle) + 'static) -> u64 {
        let id = self.new_hook();
        let hooks = &mut *self.on_hangup.borrow_mut();
        hooks.insert(id, Rc::new(RefCell::new(call)));
        id
    }

    pub(crate) fn forget_hangup(&self, id: u64) {
        let gone = self.on_hangup.borrow_mut().remove(&id);
        drop(gone); // its destructor may be user code: not under the borrow
    }

    fn hung_up(&self, handle: &Handle) {
        let calls: Vec<OnHangup> = self.on_hangup.borrow().values().cloned().collect();
        tracing::info!(listeners = calls.len(), "reloading at SIGHUP");
        for call in calls {
            handle.watched("a SIGHUP hook", || {
                crate::panic::guard("a SIGHUP hook", || call.borrow_mut()(handle));
            });
        }
    }

    pub(crate) fn exit_signal(&self) -> Option<Signal> {
        self.signal.get()
    }

    pub(crate) fn add_trigger(&self, phase: Phase, hook: Hook) -> TriggerId {
        let id = TriggerId(phase, self.new_hook());
        self.hooks.borrow_mut().insert(id, hook);
        id
    }

    fn new_hook(&self) -> u64 {
        self.next_hook.replace(self.next_hook.get() + 1)
    }

    pub(crate) fn remove_trigger(&self, id: TriggerId) -> Result<(), UnknownTrigger> {
        let removed = self.hooks.borrow_mut().remove(&id);
        removed.map(drop).ok_or(UnknownTrigger)
    }

    pub(crate) fn call_when_running(&self, handle: &Handle, call: WhenRunning) {
        if self.is_running() {
            handle.call_soon(call);
        } else {
            self.when_running.borrow_mut().push(call);
        }
    }

    /// Drops hooks that never ran.
    pub(crate) fn clear(&self) {
        self.crash();
        drop(self.hooks.take());
        drop(self.when_running.take());
        drop(self.on_stopping.take());
        drop(self.on_hangup.take());
    }

    /// Whether the next step of startup or shutdown can be taken now.
    pub(crate) fn can_advance(&self) -> bool {
        match self.stage.get() {
            Stage::In(_) => self.waiting.get() == 0 || self.is_hurried.get(),
            Stage::Running => self.stop_asked.get(),
            Stage::New | Stage::Stopped | Stage::Crashed => false,
        }
    }

    /// Takes the next step; returns the phase that was entered.
    pub(crate) fn advance(&self, handle: &Handle) -> Option<Phase> {
        let next = match self.stage.get() {
            Stage::New => Phase::BeforeStartup,
            Stage::In(Phase::BeforeStartup) => Phase::DuringStartup,
            Stage::In(Phase::DuringStartup) => Phase::AfterStartup,
            Stage::In(Phase::AfterStartup) => {
                self.stage.set(Stage::Running);
                return None;
            }
            Stage::Running => Phase::BeforeShutdown,
            Stage::In(Phase::BeforeShutdown) => Phase::DuringShutdown,
            Stage::In(Phase::DuringShutdown) => Phase::AfterShutdown,
            Stage::In(Phase::AfterShutdown) => {
                self.stage.set(Stage::Stopped);
                return None;
            }
            Stage::Stopped | Stage::Crashed => return None,
        };
        self.stage.set(Stage::In(next));
        if next == Phase::DuringStartup {
            for call in self.when_running.take() {
                handle.call_soon(call);
            }
        }
        if next == Phase::BeforeShutdown {
            self.tell_stopping(handle);
        }
        self.fire(next, handle);
        Some(next)
    }

    /// Runs the hooks of a phase in the order added; one that panics is logged, and the others still run (R7). One that
    /// crashes the reactor is the last (R11).
    fn fire(&self, phase: Phase, handle: &Handle) {
        while self.stage.get() == Stage::In(phase)
            && let Some(hook) = self.next_of(phase)
        {
            let outcome = handle.watched("a hook of startup or shutdown", || {
                catch_unwind(AssertUnwindSafe(|| hook(handle)))
            });
            match outcome {
                Ok(Some(deferred)) => self.wait_for(deferred),
                Ok(None) => {}
                Err(payload) => {
                    let panic = crate::panic::message(&*payload);
                    tracing::error!(?phase, %panic, "a hook panicked");
                }
            }
        }
    }

    fn next_of(&self, phase: Phase) -> Option<Hook> {
        let mut hooks = self.hooks.borrow_mut();
        let id = *hooks
            .range(TriggerId(phase, 0)..=TriggerId(phase, u64::MAX))
            .next()?
            .0;
        hooks.remove(&id)
    }

    fn wait_for(&self, deferred: Deferred<()>) {
        self.waiting.set(self.waiting.get() + 1);
        let waiting = Rc::clone(&self.waiting);
        deferred.on_result(move |result| {
            waiting.set(waiting.get() - 1);
            if let Err(failure) = result {
                tracing::error!(%failure, "a hook failed");
            }
        });
    }
}
