//! The marks that a reactor leaves while it works, for somebody on another thread to see.
//!
//! All are relaxed stores of the reactor's thread: they order nothing, and who looks too early looks again. What is wrong for
//! the length of a store buffer is right long before anything counts as slow.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::site::{Callback, Named, Of, Recent, SiteId, Sites};
use crate::driver::Wake;

/// What a reactor does right now, as far as others can see.
///
/// A [`Driver`](crate::driver::Driver) marks when it [rests](Self::rest), waiting for events, and when the reactor
/// [works](Self::work); the reactor does the rest.
#[derive(Default)]
pub struct Pulse {
    /// Odd while the reactor works.
    turn: AtomicU64,
    /// How many pieces of user code were begun.
    call: AtomicU64,
    /// What runs, or ran last: [`OVER`] is set once it has ended.
    doing: AtomicU64,
    /// The call, and the turn, that somebody found late; and since when, in nanoseconds of the driver's clock.
    late_call: AtomicU64,
    late_turn: AtomicU64,
    late_since: AtomicU64,
    turn_since: AtomicU64,
    /// Whoever looks has stopped to, and wants to be woken.
    unwatched: AtomicBool,
    watcher: OnceLock<Arc<dyn Wake>>,
    sites: Sites,
}

const OVER: u64 = 1 << 63;

/// A look at a [`Pulse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) turn: u64,
    pub(super) call: u64,
    pub(super) doing: u64,
}

impl Pulse {
    /// The driver is about to wait, or the reactor is not in a turn.
    #[inline]
    pub fn rest(&self) {
        let turn = self.turn.load(Relaxed);
        self.turn.store((turn + 1) & !1, Relaxed);
    }

    /// The wait is over.
    #[inline]
    pub fn work(&self) {
        let turn = self.turn.load(Relaxed);
        self.turn.store((turn + 1) | 1, Relaxed);
        if self.unwatched.load(Relaxed) {
            self.call_watcher();
        }
    }

    #[cold]
    fn call_watcher(&self) {
        self.unwatched.store(false, Relaxed);
        if let Some(watcher) = self.watcher.get() {
            watcher.wake();
        }
    }

    /// Tells how to wake who looks, for [`sleep`](Self::sleep). The first one stays.
    pub fn set_watcher(&self, watcher: Arc<dyn Wake>) {
        let _first_stays = self.watcher.set(watcher);
    }

    /// Nobody looks until [`work`](Self::work) wakes the watcher. It may have begun to work just now: look once more before
    /// waiting without end.
    pub fn sleep(&self) {
        self.unwatched.store(true, Relaxed);
    }

    pub(super) fn marks(&self) -> Marks {
        Marks {
            turn: self.turn.load(Relaxed),
            call: self.call.load(Relaxed),
            doing: self.doing.load(Relaxed),
        }
    }

    pub(super) fn mark_late_call(&self, call: u64, since: Duration) {
        self.late_since.store(nanos(since), Relaxed);
        self.late_call.store(call, Relaxed);
    }

    pub(super) fn mark_late_turn(&self, turn: u64, since: Duration) {
        self.turn_since.store(nanos(since), Relaxed);
        self.late_turn.store(turn, Relaxed);
    }

    #[inline]
    pub(super) fn is_late_turn(&self, turn: u64) -> bool {
        self.late_turn.load(Relaxed) == turn
    }

    /// What runs, and whether it does: or else it ran last.
    pub(super) fn name(&self, doing: u64) -> (Named, bool) {
        (self.sites.name(doing & !OVER), doing & OVER == 0)
    }
}

impl std::fmt::Debug for Pulse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pulse({:?})", self.marks())
    }
}

/// The reactor's side of its pulse.
pub(crate) struct Heart {
    pulse: Arc<Pulse>,
    recent: Recent,
    clock: Rc<dyn Fn() -> Duration>,
}

/// A piece of user code that runs.
#[derive(Clone, Copy)]
#[must_use]
pub(crate) struct Entry {
    doing: u64,
    call: u64,
}

impl Heart {
    /// A heart that asks this clock for how long something lasted.
    pub(crate) fn new(clock: Rc<dyn Fn() -> Duration>) -> Rc<Self> {
        Rc::new(Self {
            pulse: Arc::default(),
            recent: Recent::new(),
            clock,
        })
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// The number of a piece of user code.
    #[inline]
    pub(crate) fn site(&self, what: &'static str, of: Of) -> SiteId {
        self.recent.number(what, of, &self.pulse.sites)
    }

    /// User code begins.
    #[inline]
    pub(crate) fn enter(&self, callback: Callback, site: SiteId) -> Entry {
        let call = self.pulse.call.load(Relaxed) + 1;
        let doing = site.with(callback);
        self.pulse.call.store(call, Relaxed);
        self.pulse.doing.store(doing, Relaxed);
        Entry { doing, call }
    }

    /// It has ended; whether somebody found it late.
    #[inline]
    pub(crate) fn leave(&self, entry: Entry) -> bool {
        self.pulse.doing.store(entry.doing | OVER, Relaxed);
        self.pulse.late_call.load(Relaxed) == entry.call
    }

    /// Runs user code that belongs to no connection; if it was late, logs so.
    #[inline]
    pub(crate) fn run<R>(&self, what: &'static str, of: Of, call: impl FnOnce() -> R) -> R {
        let entry = self.enter(Callback::None, self.site(what, of));
        let outcome = call();
        if self.leave(entry) {
            self.tell_late(entry);
        }
        outcome
    }

    #[cold]
    fn tell_late(&self, entry: Entry) {
        let (name, took) = (self.pulse.sites.name(entry.doing), self.lasted());
        tracing::warn!(?took, "{name} blocked the reactor");
    }

    /// How long the call took that was late.
    pub(crate) fn lasted(&self) -> Duration {
        since(&self.pulse.late_since, (self.clock)())
    }

    /// A turn has ended. Says so if it was late, and none of its calls was.
    #[inline]
    pub(crate) fn end_turn(&self) {
        let turn = self.pulse.turn.load(Relaxed);
        self.pulse.rest();
        if self.pulse.is_late_turn(turn) && turn != 0 {
            self.tell_late_turn();
        }
    }

    #[cold]
    fn tell_late_turn(&self) {
        let now = (self.clock)();
        self.pulse.late_turn.store(0, Relaxed);
        let took = since(&self.pulse.turn_since, now);
        let one_call = since(&self.pulse.late_since, now);
        if self.pulse.late_call.swap(0, Relaxed) == 0 || one_call > took {
            tracing::warn!(
                ?took,
                "a turn of the reactor took long, and no callback alone did"
            );
        }
    }
}

fn since(then: &AtomicU64, now: Duration) -> Duration {
    now.saturating_sub(Duration::from_nanos(then.load(Relaxed)))
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
