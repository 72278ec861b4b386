//! Cancelling: the way up a chain to whoever can stop the work.

use std::fmt;
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::slots::Key;
use crate::task::Tasks;

/// Cancels one [`Deferred`](crate::Deferred) from elsewhere. Cheap to clone; keeps nothing alive.
///
/// It covers what the Deferred was when [`canceller`](crate::Deferred::canceller) was called: callbacks added later are not undone.
#[derive(Clone)]
pub struct Canceller {
    node: Weak<dyn Cancellable>,
}

impl Canceller {
    pub(crate) fn new(node: Weak<dyn Cancellable>) -> Self {
        Self { node }
    }

    /// Asks for cancelling, as [`Deferred::cancel`](crate::Deferred::cancel) does. Does nothing if there is a result already.
    #[track_caller]
    pub fn cancel(&self) {
        if let Some(node) = self.node() {
            Cancelling::run(node, Location::caller());
        }
    }

    pub(crate) fn node(&self) -> Option<Rc<dyn Cancellable>> {
        self.node.upgrade()
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller").finish_non_exhaustive()
    }
}

/// A node of any type, as seen by who cancels.
pub(crate) trait Cancellable {
    /// Stops the work if that can be done here, else says who comes next.
    fn cancel_step(self: Rc<Self>, cancelling: &mut Cancelling);

    /// Whether it has a result that has not yet moved on to the next in the chain.
    fn is_on_its_way(&self) -> bool;

    /// Whether this task waits for it.
    fn is_awaited_by(&self, task: Key) -> bool;

    /// Where it was made.
    fn made(&self) -> &'static Location<'static>;
}

/// One request to cancel, under way. A list instead of recursion, however long the chain.
pub(crate) struct Cancelling {
    next: Vec<Rc<dyn Cancellable>>,
    location: &'static Location<'static>,
}

impl Cancelling {
    pub(crate) fn run(first: Rc<dyn Cancellable>, location: &'static Location<'static>) {
        let mut cancelling = Self {
            next: vec![first],
            location,
        };
        while let Some(node) = cancelling.next.pop() {
            node.cancel_step(&mut cancelling);
        }
    }

    /// Where cancelling was asked for.
    pub(crate) fn location(&self) -> &'static Location<'static> {
        self.location
    }

    pub(crate) fn push(&mut self, node: Rc<dyn Cancellable>) {
        self.next.push(node);
    }

    /// Adds several; the first is cancelled first.
    pub(crate) fn extend(&mut self, nodes: impl IntoIterator<Item = Rc<dyn Cancellable>>) {
        let start = self.next.len();
        self.next.extend(nodes);
        self.next[start..].reverse();
    }

    /// Tries again when the result that is on its way has arrived: it may be followed by another wait.
    pub(crate) fn again_soon(&self, tasks: &Tasks, node: Rc<dyn Cancellable>) {
        let location = self.location;
        tasks.call_soon(move |_| Self::run(node, location));
    }
}
