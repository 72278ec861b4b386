//! What runs on the reactor's turn: Deferred callbacks, spawned futures, calls from other threads.
//!
//! It decides what runs next and keeps one from starving another; what a Deferred means is told in [`deferred`](crate::deferred), and when
//! the turn comes is the reactor's business.
//!
//! ```text
//!   Resolver::resolve ─┐
//!   call_soon ─────────┼─► ready (one queue, first come first served) ─► run: at most so many per turn
//!   Waker::wake, here ─┘          ▲
//!   Waker::wake, call elsewhere ─► mailbox
//! ```
//!
//! Nothing recurses: a step that makes another ready gives it back, and what is dropped in a row is dropped in a loop.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use crate::deferred::{Answer, Deferred, Node, Source};
use crate::failure::{Cancelled, Failure};
use crate::handle::Handle;
use crate::mailbox::{Batch, Mailbox};
use crate::slots::{Key, Slots};
use crate::task::body::{Body, CancelState, TaskSlot, Waiting};
use crate::task::ready::{Entered, Job, Ready, Step, TaskWaker};
use crate::watchdog::Heart;

mod awaited;
mod body;
pub(crate) mod ready;
pub(crate) mod rubbish;
mod turn;
mod unhandled;
#[cfg(test)]
pub(crate) mod world;

pub use unhandled::Unhandled;

/// What runs on one reactor's turn. Cheap to clone; stays on the reactor's thread.
///
/// Get it from a [`Handle`]; whatever is made for a reactor's turn takes `&impl AsRef<Tasks>`, which handles, reactors and this are.
#[derive(Clone)]
pub struct Tasks(Rc<Inner>);

struct Inner {
    ready: Rc<Ready>,
    table: RefCell<Slots<TaskSlot>>,
    current: Cell<Option<Key>>,
    mail: RefCell<Batch>,
    unhandled: RefCell<unhandled::Record>,
    rubbish: rubbish::Heap,
    closed: Cell<bool>,
    heart: Rc<Heart>,
}

/// A task that has not ended, for those who ask what is left over.
#[derive(Debug, Clone)]
pub struct TaskReport {
    /// The name it was given, if any.
    pub name: Option<Cow<'static, str>>,
    /// Where it was spawned.
    pub spawned: &'static Location<'static>,
    /// Where the Deferreds that it awaits were made.
    pub awaits: Vec<&'static Location<'static>>,
}

impl Tasks {
    pub(crate) fn new(mailbox: Arc<Mailbox>, heart: Rc<Heart>) -> Self {
        Self(Rc::new(Inner {
            ready: Ready::new(mailbox),
            table: RefCell::default(),
            current: Cell::new(None),
            mail: RefCell::default(),
            unhandled: RefCell::default(),
            rubbish: rubbish::Heap::default(),
            closed: Cell::new(false),
            heart,
        }))
    }

    /// Runs a future on the reactor's turn and gives its result as a [`Deferred`]. The future need not be `Send`.
    ///
    /// It is first polled on a turn, never in here. Dropping the Deferred lets it go on; cancelling it makes what the future awaits fail
    /// with [`Cancelled`], which it may handle. A future that awaits no Deferred when it is cancelled is dropped. A panic in it is logged
    /// and fails the Deferred with [`Panicked`](crate::failure::Panicked).
    #[doc(alias = "ensureDeferred")]
    #[doc(alias = "inlineCallbacks")]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Deferred<<F::Output as Answer>::Value>
    where
        F: Future<Output: Answer> + 'static,
    {
        self.spawn_at(None, Location::caller(), future).0
    }

    /// [`spawn`](Self::spawn), with a name for reports of what is left over.
    #[track_caller]
    pub fn spawn_named<F>(
        &self,
        name: impl Into<Cow<'static, str>>,
        future: F,
    ) -> Deferred<<F::Output as Answer>::Value>
    where
        F: Future<Output: Answer> + 'static,
    {
        self.spawn_at(Some(name.into()), Location::caller(), future)
            .0
    }

    /// Runs a function on the reactor's turn, after what is queued already.
    #[track_caller]
    pub fn call_soon(&self, call: impl FnOnce(&Handle) + 'static) {
        self.call_soon_at(Location::caller(), call);
    }

    /// The tasks that have not ended.
    #[must_use]
    pub fn live(&self) -> Vec<TaskReport> {
        let keys = self.0.table.borrow().keys();
        keys.into_iter()
            .filter_map(|key| self.report(key))
            .collect()
    }

    /// How many failures nobody looked at so far, panics in functions without a Deferred included.
    #[must_use]
    pub fn unhandled_failures(&self) -> u64 {
        self.0.unhandled.borrow().count()
    }

    /// Takes out the failures that nobody looked at, the newest hundred of them.
    #[doc(alias = "flushLoggedErrors")]
    #[must_use]
    pub fn take_unhandled(&self) -> Vec<Unhandled> {
        self.0.unhandled.borrow_mut().take()
    }

    /// What is known of a task that has not ended.
    pub(crate) fn report(&self, key: Key) -> Option<TaskReport> {
        let mut table = self.0.table.borrow_mut();
        let slot = table.get_mut(key)?;
        let awaits = slot.waiting.pending(key);
        Some(TaskReport {
            name: slot.name.clone(),
            spawned: slot.spawned,
            awaits: awaits.iter().map(|node| node.made()).collect(),
        })
    }

    /// Whether a task has not ended.
    pub(crate) fn is_live(&self, key: Key) -> bool {
        self.0.table.borrow().get(key).is_some()
    }

    /// Whether [`run`](Self::run) has something to do, the mailbox left aside.
    pub(crate) fn has_ready(&self) -> bool {
        !self.0.ready.is_empty()
    }

    /// Says that it is this reactor's turn, until the guard is dropped: tasks woken meanwhile need no lock.
    pub(crate) fn enter(&self) -> Entered {
        self.0.ready.enter()
    }

    pub(crate) fn call_soon_at(
        &self,
        location: &'static Location<'static>,
        call: impl FnOnce(&Handle) + 'static,
    ) {
        self.push(Job::Call(Box::new(call), location));
    }

    pub(crate) fn push(&self, job: Job) {
        if self.0.closed.get() {
            drop(job);
        } else {
            self.0.ready.push(job);
        }
    }

    pub(crate) fn push_step(&self, step: Option<Rc<dyn Step>>) {
        if let Some(step) = step {
            self.push(Job::Step(step));
        }
    }

    pub(crate) fn rubbish(&self) -> &rubbish::Heap {
        &self.0.rubbish
    }

    /// Logs and keeps a failure that nobody looked at.
    pub(crate) fn report_unhandled(&self, made: &'static Location<'static>, failure: Failure) {
        let arose = failure.location();
        tracing::error!(%made, %arose, "unhandled failure: {failure:#}");
        let oldest = self
            .0
            .unhandled
            .borrow_mut()
            .add(Unhandled { failure, made });
        drop(oldest);
    }

    /// Gives the task's name in the table too; a name of no task if this is closed.
    pub(crate) fn spawn_at<F>(
        &self,
        name: Option<Cow<'static, str>>,
        spawned: &'static Location<'static>,
        future: F,
    ) -> (Deferred<<F::Output as Answer>::Value>, Key)
    where
        F: Future<Output: Answer> + 'static,
    {
        let node = Node::new(self, spawned, Source::None);
        let deferred = Deferred::from_node(node.clone());
        if self.0.closed.get() {
            let _nobody_listens_yet = node.settle(Err(Failure::at(Cancelled, spawned)));
            return (deferred, Key::new(u32::MAX, u32::MAX));
        }
        let mut table = self.0.table.borrow_mut();
        let key = table.insert(TaskSlot {
            name,
            spawned,
            body: None,
            waiting: Waiting::default(),
            started: false,
            cancel: CancelState::None,
        });
        node.set_source(Source::Task(key));
        let flag = TaskWaker::new(key, self.0.ready.mailbox.clone());
        let waker = Waker::from(flag.clone());
        flag.schedule_in(&self.0.ready);
        let future = Box::pin(future);
        if let Some(slot) = table.get_mut(key) {
            slot.body = Some(Body {
                future,
                node,
                waker,
                flag,
            });
        }
        (deferred, key)
    }
}

impl AsRef<Self> for Tasks {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}

impl fmt::Display for TaskReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "task \"{name}\" spawned at {}", self.spawned)?,
            None => write!(f, "task spawned at {}", self.spawned)?,
        }
        for location in &self.awaits {
            write!(f, ", awaits the Deferred made at {location}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
