//! What a handle says about the life of its reactor: when it runs, that it shall stop, and what is to be done then.
//!
//! Not here: how startup and shutdown go on, which is `lifecycle`, and how work in flight ends, which is `service::drain`.

use std::collections::BTreeSet;
use std::panic::Location;

use crate::deferred::Deferred;
use crate::driver::{ConnId, Signal};
use crate::handle::Handle;
use crate::lifecycle::{Phase, StopError, TriggerId, UnknownTrigger, Waits};
use crate::service::{Drain, Grace, Owned};
use crate::timed::Timed;

impl Handle {
    /// Calls a function once the reactor runs (in order); soon, if it runs already (R2).
    #[doc(alias = "callWhenRunning")]
    pub fn call_when_running(&self, call: impl FnOnce(&Self) + 'static) {
        self.shared()
            .lifecycle
            .call_when_running(self, self.lending(call));
    }

    /// Calls a function at every SIGHUP, which by custom means: read your configuration, certificates and log file anew.
    /// Several are called in the order added; one that panics is logged, and the others are still called. Only where the
    /// reactor catches signals.
    pub fn on_hangup(&self, call: impl FnMut(&Self) + 'static) {
        let hook = self.shared().lifecycle.on_hangup(call);
        self.own(|| Owned::HangupHook(hook));
    }

    /// Whether the reactor runs: false in before-startup hooks, true in after-startup hooks (R3).
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.shared().lifecycle.is_running()
    }

    /// Stops the reactor at the end of this turn's timed calls, with its shutdown hooks (R4).
    ///
    /// # Errors
    ///
    /// It does not run, or stops already (R1); nothing changes.
    pub fn stop(&self) -> Result<(), StopError> {
        self.shared().lifecycle.stop()?;
        self.shared().drains.stir(); // a graceful stop waits no longer
        Ok(())
    }

    /// Stops the reactor once the work in flight is done, at the latest at the deadlines: what a service manager's signal
    /// means.
    ///
    /// 1. Ports stop listening, and every protocol is told [`shutting_down`](crate::Protocol::shutting_down).
    /// 2. It waits for the connections that peers made, except idle ones, which are closed, and for [`work`](Self::work).
    ///    It logs each second how much is left. [`stop`](Self::stop) ends the wait.
    /// 3. At the soft deadline, what is left is cancelled and closed, and [`Phase::BeforeShutdown`] begins: services stop.
    /// 4. At the hard deadline, what is still there is cut off, and no hook is waited for any more.
    ///
    /// A second signal ends it at once, without hooks.
    ///
    /// # Errors
    ///
    /// It does not run, or stops already; nothing changes.
    #[track_caller]
    pub fn stop_gracefully(&self, grace: Grace) -> Result<(), StopError> {
        self.shared().lifecycle.begin_draining()?;
        let (root, made) = (self.owned_by(None), Location::caller());
        let (deferred, done) = Deferred::new(&root);
        let drain = Drain::new(None, grace, self.now(), done, made);
        self.shared().lifecycle.wait_for_drain(deferred);
        let hurry = |handle: &Self| handle.shared().lifecycle.hurry();
        self.schedule(
            grace.hard.max(grace.soft),
            Timed::Call(Box::new(hurry), made),
        );
        self.command(move |engine| {
            root.shared().lifecycle.tell_stopping(&root);
            engine.begin_drain(drain);
        });
        Ok(())
    }

    /// What SIGINT and SIGTERM do: [`stop_gracefully`](Self::stop_gracefully) with these deadlines, or
    /// [`stop`](Self::stop) for `None`, which is the default. Only where the reactor catches signals.
    pub fn set_grace(&self, grace: Option<Grace>) {
        self.shared().lifecycle.set_grace(grace);
    }

    /// Counts a Deferred, such as that of a task, as work in flight, and gives it back: a graceful stop waits for it until
    /// the soft deadline, then cancels it. For work that belongs to no connection: what was taken from a queue.
    ///
    /// ```
    /// use ropewalk_core::{Failure, Handle};
    ///
    /// async fn deliver(message: String) -> Result<(), Failure> {
    ///     Ok(drop(message))
    /// }
    ///
    /// fn accept(handle: &Handle, message: String) {
    ///     drop(handle.work(handle.spawn(deliver(message))));
    /// }
    /// ```
    #[track_caller]
    pub fn work<T: 'static>(&self, deferred: Deferred<T>) -> Deferred<T> {
        self.shared().drains.work(self, deferred)
    }

    /// Calls a function once the reactor begins to stop, before anything else of that: to tell a service manager, or to
    /// answer a health check with no. The work in flight may still take as long as its grace.
    pub fn on_stopping(&self, call: impl FnOnce(&Self) + 'static) {
        self.shared().lifecycle.on_stopping(self.lending(call));
    }

    /// Whether the reactor stops, or was told to.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared().lifecycle.is_stopping()
    }

    /// The connections that pending closures want to be lent the protocols of.
    pub(crate) fn lent_connections(&self) -> BTreeSet<ConnId> {
        let (timers, lent) = (self.shared().timers.borrow(), self.shared().lent.borrow());
        let timed = timers.iter().filter_map(|(_, _, timed)| timed.lent_to());
        timed.chain(lent.iter().map(|lent| lent.conn)).collect()
    }

    /// Leaves the loop at the end of this turn, without any shutdown hook (R11).
    pub fn crash(&self) {
        self.shared().lifecycle.crash();
    }

    /// Adds a hook to a phase of startup or shutdown; one that returns a Deferred is waited for (R5, R6).
    #[doc(alias = "addSystemEventTrigger")]
    pub fn add_trigger<W: Waits>(
        &self,
        phase: Phase,
        hook: impl FnOnce(&Self) -> W + 'static,
    ) -> TriggerId {
        let own = self.owner().is_some().then(|| self.clone());
        let hook = move |handle: &Self| hook(own.as_ref().unwrap_or(handle)).into_deferred();
        let id = self.shared().lifecycle.add_trigger(phase, Box::new(hook));
        self.own(|| Owned::Trigger(id));
        id
    }

    /// Removes a hook that has not run.
    ///
    /// # Errors
    ///
    /// There is no such hook, or it is gone already (R8).
    #[doc(alias = "removeSystemEventTrigger")]
    pub fn remove_trigger(&self, id: TriggerId) -> Result<(), UnknownTrigger> {
        self.shared().lifecycle.remove_trigger(id)
    }

    /// The signal that stopped the reactor, so that a tool can end by the same (R12).
    #[must_use]
    pub fn exit_signal(&self) -> Option<Signal> {
        self.shared().lifecycle.exit_signal()
    }

    pub(crate) fn signalled(&self, signal: Signal) {
        self.shared().lifecycle.signalled(signal, self);
    }
}
