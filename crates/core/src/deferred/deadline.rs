//! A Deferred's time-out.
//!
//! It belongs to the node instead of being one more in the chain, so that a waiter in a lock's line that is dropped, with its time-out, leaves
//! the line: a link in between would hide the drop.

use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::deferred::Deferred;
use crate::deferred::cancel::Cancelling;
use crate::deferred::node::Node;
use crate::failure::{Cancelled, Failure, TimedOut};
use crate::handle::Handle;
use crate::timer::DelayedCall;

/// The timer of a node, and whether it has run.
pub(crate) struct Deadline {
    timer: DelayedCall,
    after: Duration,
    expired: bool,
}

impl Deadline {
    /// The result is here: removes the timer; if that is what cancelled, says so.
    pub(super) fn end<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        let _ran_already = self.timer.cancel();
        let after = self.after;
        result.map_err(|failure| match self.expired && failure.is::<Cancelled>() {
            true => Failure::at(TimedOut { after }, failure.location()),
            false => failure,
        })
    }
}

impl<T: 'static> Deferred<T> {
    /// Cancels this if it has no result after a time, and then fails with [`TimedOut`] instead of [`Cancelled`].
    ///
    /// What the canceller or a task makes of it stays: another failure, or a result after all. Callbacks added later are not covered. A
    /// second time-out counts if it is sooner.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ropewalk_core::{Deferred, Handle};
    ///
    /// fn impatient(answer: Deferred<String>, handle: &Handle) -> Deferred<String> {
    ///     answer.timeout(Duration::from_secs(5), handle).add_errback(|_| Ok("no answer".to_string()))
    /// }
    /// ```
    #[doc(alias = "addTimeout")]
    #[track_caller]
    #[must_use]
    pub fn timeout(self, after: Duration, handle: &Handle) -> Self {
        let (node, location) = (self.node(), Location::caller());
        let due = handle.now().saturating_add(after);
        let sooner = node
            .core()
            .deadline
            .as_ref()
            .and_then(|deadline| deadline.timer.due());
        if node.is_settled() || sooner.is_some_and(|sooner| sooner <= due) {
            return self;
        }
        let weak = Rc::downgrade(node);
        let timer = handle.call_later(after, move |_| {
            if let Some(node) = weak.upgrade() {
                node.expire(location);
            }
        });
        let deadline = Deadline {
            timer,
            after,
            expired: false,
        };
        let later = node.core().deadline.replace(Box::new(deadline));
        if let Some(later) = later {
            let _ran_already = later.timer.cancel();
        }
        self
    }
}

impl<T: 'static> Node<T> {
    fn expire(self: Rc<Self>, location: &'static Location<'static>) {
        if let Some(deadline) = &mut self.core().deadline {
            deadline.expired = true;
        }
        Cancelling::run(self, location);
    }
}
