//! One spawned future: its state between two polls, and how its result reaches its Deferred.

use std::any::Any;
use std::borrow::Cow;
use std::panic::Location;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::deferred::{Answer, Cancellable, Node};
use crate::failure::Failure;
use crate::slots::Key;
use crate::task::ready::{Step, TaskWaker};

/// A task in the table.
pub(crate) struct TaskSlot {
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) spawned: &'static Location<'static>,
    /// `None` while it is polled.
    pub(crate) body: Option<Body>,
    pub(crate) waiting: Waiting,
    pub(crate) started: bool,
    pub(crate) cancel: CancelState,
}

/// How far a task's cancelling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelState {
    /// Nobody asked, or the awaited Deferred was told.
    None,
    /// The next Deferred that it awaits will be cancelled.
    Next,
    /// It awaits nothing that could be told: it is dropped instead of polled.
    Abort,
}

/// What is needed to poll a task.
pub(crate) struct Body {
    pub(crate) future: Pin<Box<dyn Drive>>,
    pub(crate) node: Rc<dyn TaskNode>,
    pub(crate) waker: Waker,
    pub(crate) flag: Arc<TaskWaker>,
}

/// Any future whose result can be the result of a Deferred.
///
/// A trait of our own, so that a future is boxed as it is, and needs no second one around it to carry the result away.
pub(crate) trait Drive {
    /// Polls; the result goes to the node, and `Ready` holds what that made ready.
    fn drive(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        node: &Rc<dyn TaskNode>,
    ) -> Poll<Option<Rc<dyn Step>>>;
}

/// The Deferred of a task, whatever its type.
pub(crate) trait TaskNode: Any {
    fn fail(self: Rc<Self>, failure: Failure) -> Option<Rc<dyn Step>>;
}

impl<F: Future<Output: Answer>> Drive for F {
    fn drive(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        node: &Rc<dyn TaskNode>,
    ) -> Poll<Option<Rc<dyn Step>>> {
        self.poll(context).map(|answer| {
            let node: Rc<dyn Any> = node.clone();
            let node = node.downcast::<Node<<F::Output as Answer>::Value>>();
            node.ok().and_then(|node| node.answer(answer))
        })
    }
}

impl<T: 'static> TaskNode for Node<T> {
    fn fail(self: Rc<Self>, failure: Failure) -> Option<Rc<dyn Step>> {
        self.settle(Err(failure))
    }
}

/// The Deferreds that a task awaits, so that cancelling the task reaches them (rule 107).
///
/// All that it polled since they were last looked through, as a future that joins several may poll only those that were woken. The ones
/// with a result are swept out when the list has doubled.
#[derive(Default)]
pub(crate) struct Waiting {
    nodes: Vec<Weak<dyn Cancellable>>,
    limit: usize,
}

impl Waiting {
    pub(crate) fn push(&mut self, task: Key, node: Weak<dyn Cancellable>) {
        if self.nodes.len() >= self.limit {
            self.sweep(task);
            self.limit = 4.max(2 * self.nodes.len());
        }
        self.nodes.push(node);
    }

    /// Those that have no result yet.
    pub(crate) fn pending(&mut self, task: Key) -> Vec<Rc<dyn Cancellable>> {
        self.sweep(task);
        self.nodes.iter().filter_map(Weak::upgrade).collect()
    }

    fn sweep(&mut self, task: Key) {
        let pending = |node: &Weak<dyn Cancellable>| {
            node.upgrade().is_some_and(|node| node.is_awaited_by(task))
        };
        self.nodes.retain(pending);
    }
}
