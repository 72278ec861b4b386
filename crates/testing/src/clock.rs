//! Virtual time without a network.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use ropewalk_core::{Handle, Reactor};

use crate::memory::Memory;

/// A reactor whose time the test moves, and which has no network.
///
/// Everything that a [`Handle`] does it does as in production: timers, tasks, Deferreds, looping calls. Jobs for threads
/// run at once, one after the other; a name is never found, and an attempt to connect is refused. It derefs to its
/// handle.
///
/// ```
/// use std::{cell::Cell, rc::Rc, time::Duration};
/// use ropewalk_testing::Clock;
///
/// let mut clock = Clock::new();
/// let rang = Rc::new(Cell::new(false));
/// let bell = rang.clone();
/// clock.call_later(Duration::from_secs(3600), move |_| bell.set(true));
///
/// clock.advance(Duration::from_secs(3599));
/// assert!(!rang.get());
/// clock.advance(Duration::from_secs(1));
/// assert!(rang.get());
/// ```
#[doc(alias = "MemoryReactorClock")]
pub struct Clock {
    reactor: Reactor,
    memory: Memory,
}

/// So many turns at one moment are no work but a wheel that never stops.
const TURNS_AT_ONE_MOMENT: u32 = 100_000;

impl Clock {
    /// A reactor at time zero; it runs already.
    #[must_use]
    pub fn new() -> Self {
        let memory = Memory::default();
        let mut clock = Self {
            reactor: Reactor::new(memory.driver()),
            memory,
        };
        clock.settle();
        clock
    }

    /// Lets time pass, from one due call to the next: each sees the time at which it was due, and those that it schedules
    /// run too if they are due by the end (R24).
    ///
    /// # Panics
    ///
    /// As [`settle`](Self::settle).
    pub fn advance(&mut self, time: Duration) {
        let end = self.memory.now().saturating_add(time);
        self.settle();
        while let Some(due) = self.next_due().filter(|&due| due <= end) {
            self.memory.set_now(due);
            self.settle();
        }
        self.memory.set_now(end);
        self.settle();
    }

    /// Advances by each of these times, one after the other.
    ///
    /// # Panics
    ///
    /// As [`settle`](Self::settle).
    pub fn pump(&mut self, times: impl IntoIterator<Item = Duration>) {
        for time in times {
            self.advance(time);
        }
    }

    /// Lets time pass at one blow, as if the process had been stopped: what became due meanwhile is late.
    ///
    /// # Panics
    ///
    /// As [`settle`](Self::settle).
    pub fn stall(&mut self, time: Duration) {
        self.memory.set_now(self.memory.now().saturating_add(time));
        self.settle();
    }

    /// Does everything that can be done without time passing.
    ///
    /// # Panics
    ///
    /// If that never ends, because something always schedules itself for now; or if the reactor's driver fails.
    pub fn settle(&mut self) {
        for _ in 0..TURNS_AT_ONE_MOMENT {
            self.turn();
            if !self.is_busy() {
                return;
            }
        }
        panic!(
            "something schedules itself for now, again and again: time cannot go on from {:?}",
            self.memory.now()
        );
    }

    /// One turn of the reactor.
    pub(crate) fn turn(&mut self) {
        self.reactor
            .turn(Some(Duration::ZERO))
            .expect("the memory driver does not fail");
    }

    /// Whether a turn would do something at this moment.
    pub(crate) fn is_busy(&self) -> bool {
        !self.reactor.is_over()
            && (self.memory.has_news() || self.reactor.wait() == Some(Duration::ZERO))
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    fn next_due(&self) -> Option<Duration> {
        let running = !self.reactor.is_over();
        let wait = self.reactor.wait().filter(|_| running)?;
        Some(self.memory.now().saturating_add(wait))
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Clock {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.reactor
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.memory.now())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    type Log = Rc<RefCell<Vec<(u64, &'static str)>>>;

    fn note(log: &Log, what: &'static str) -> impl FnOnce(&Handle) + 'static {
        let log = log.clone();
        move |handle| log.borrow_mut().push((handle.now().as_secs(), what))
    }

    #[test]
    fn r019_calls_run_in_order_of_due_time_and_equal_ones_in_order_of_scheduling() {
        let (mut clock, log) = (Clock::new(), Log::default());
        for (delay, what) in [(3, "d"), (1, "a"), (2, "b"), (2, "c")] {
            clock.call_later(SECOND * delay, note(&log, what));
        }
        clock.advance(SECOND * 3);
        assert_eq!(*log.borrow(), [(1, "a"), (2, "b"), (2, "c"), (3, "d")]);
    }

    #[test]
    fn r024_calls_scheduled_by_calls_run_too() {
        let (mut clock, log) = (Clock::new(), Log::default());
        let (first, last) = (note(&log, "first"), note(&log, "last"));
        clock.call_later(SECOND, move |handle: &Handle| {
            first(handle);
            handle.call_later(SECOND, last);
        });
        clock.advance(SECOND * 2);
        assert_eq!(*log.borrow(), [(1, "first"), (2, "last")]);
    }

    #[test]
    fn r017_a_call_without_delay_does_not_run_inside_the_call_that_schedules_it() {
        let (mut clock, log) = (Clock::new(), Log::default());
        clock.call_later(Duration::ZERO, note(&log, "now"));
        assert!(log.borrow().is_empty());
        clock.settle();
        assert_eq!(*log.borrow(), [(0, "now")]);
    }

    #[test]
    fn pump_advances_step_by_step_and_a_stall_makes_late() {
        let (mut clock, log) = (Clock::new(), Log::default());
        clock.call_later(SECOND, note(&log, "in time"));
        clock.call_later(SECOND * 3, note(&log, "late"));
        clock.pump([SECOND, SECOND]);
        clock.stall(SECOND * 5);
        assert_eq!(*log.borrow(), [(1, "in time"), (7, "late")]);
    }

    #[test]
    #[should_panic(expected = "schedules itself for now")]
    fn a_call_that_reschedules_itself_for_now_is_found() {
        fn again(handle: &Handle) {
            handle.call_later(Duration::ZERO, again);
        }
        let mut clock = Clock::new();
        clock.call_soon(again);
        clock.advance(SECOND);
    }

    #[test]
    fn jobs_run_at_once_and_their_results_come() {
        let (mut clock, seen) = (Clock::new(), Rc::new(RefCell::new(None)));
        let result = seen.clone();
        let sum = clock.defer_to_thread(|| Ok(6 * 7));
        sum.on_result(move |sum| *result.borrow_mut() = sum.ok());
        clock.settle();
        assert_eq!(*seen.borrow(), Some(42));
    }

    #[test]
    fn nobody_is_there_and_no_name_is_known() {
        let (mut clock, log) = (Clock::new(), Rc::new(RefCell::new(Vec::new())));
        for target in ["tcp:10.0.0.9:1", "tcp:nowhere.test:1"] {
            let log = log.clone();
            clock
                .connect_protocol(target, crate::tests::Echo)
                .on_result(move |outcome| {
                    log.borrow_mut().push(outcome.unwrap_err().to_string());
                });
        }
        clock.settle();
        let log = log.borrow();
        assert!(
            log.iter()
                .any(|line| line.contains("10.0.0.9:1: connection refused")),
            "{log:?}"
        );
        assert!(
            log.iter()
                .any(|line| line.contains("nowhere.test") && line.contains("not found")),
            "{log:?}"
        );
    }
}
