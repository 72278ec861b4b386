//! A reactor without a driver, for the unit tests of timers, tasks and Deferreds: a clock that is set by hand, and turns taken by hand.

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::mailbox::Mailbox;
use crate::senses::Senses;
use crate::task::Tasks;
use crate::timed::Timed;

/// Callbacks per turn, as few as shows that a turn is bounded.
pub(crate) const BUDGET: usize = 64;

pub(crate) struct World {
    pub(crate) handle: Handle,
    pub(crate) mailbox: Arc<Mailbox>,
    now: Rc<Cell<Duration>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let now = Rc::new(Cell::new(Duration::ZERO));
        let clock = now.clone();
        let mailbox = Mailbox::new();
        let handle = Handle::new(
            Senses::of_clock(Rc::new(move || clock.get())),
            mailbox.clone(),
        );
        Self {
            handle,
            mailbox,
            now,
        }
    }

    /// One turn: the timers that are due, then what is ready. Says whether something is left to do at once.
    pub(crate) fn turn(&self) -> bool {
        let timers = self.handle.timers();
        let mark = timers.borrow().mark();
        let now = self.now.get();
        loop {
            let due = timers.borrow_mut().pop_due(now, mark);
            match due {
                Some((_, Timed::Call(call, _))) => call(&self.handle),
                Some(_) => panic!("only plain timed calls here"),
                None => break,
            }
        }
        let _entered = self.tasks().enter();
        let left = self.tasks().run(&self.handle, BUDGET);
        let next = timers.borrow_mut().next_due();
        let may_sleep = self.mailbox.fall_asleep();
        self.mailbox.wake_up();
        left || !may_sleep || next.is_some_and(|due| due <= now)
    }

    /// Turns until there is nothing to do at once.
    pub(crate) fn settle(&self) {
        while self.turn() {}
    }

    /// Moves the clock from one timer to the next, running what is due, until the time has passed (rule 24).
    pub(crate) fn advance(&self, time: Duration) {
        let end = self.now.get() + time;
        self.settle();
        loop {
            let next = self.handle.timers().borrow_mut().next_due();
            let Some(due) = next.filter(|due| *due <= end) else {
                break;
            };
            self.now.set(due.max(self.now.get()));
            self.settle();
        }
        self.now.set(end);
        self.settle();
    }

    /// Moves the clock without looking at the timers in between, as a turn that took long does.
    pub(crate) fn stall(&self, time: Duration) {
        self.now.set(self.now.get() + time);
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        self.handle.tasks()
    }

    /// The texts of the failures that nobody looked at.
    pub(crate) fn unhandled(&self) -> Vec<String> {
        let unhandled = self.tasks().take_unhandled();
        unhandled
            .iter()
            .map(|unhandled| unhandled.failure.to_string())
            .collect()
    }

    /// The result of a Deferred, once it is there.
    pub(crate) fn watch<T: 'static>(&self, deferred: Deferred<T>) -> Watch<T> {
        let result = Rc::new(Cell::new(None));
        let keep = result.clone();
        deferred.on_result(move |result| keep.set(Some(result)));
        Watch(result)
    }
}

impl AsRef<Tasks> for World {
    fn as_ref(&self) -> &Tasks {
        self.tasks()
    }
}

pub(crate) struct Watch<T>(Rc<Cell<Option<Result<T, Failure>>>>);

impl<T: Debug> Watch<T> {
    pub(crate) fn take(&self) -> Option<Result<T, Failure>> {
        self.0.take()
    }

    pub(crate) fn value(&self) -> T {
        self.take().expect("a result").expect("a value")
    }

    pub(crate) fn failure(&self) -> Failure {
        self.take().expect("a result").expect_err("a failure")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks().close();
    }
}
