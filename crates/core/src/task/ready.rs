//! The queue of what is ready to run, and the short way into it for whoever is on the reactor's thread already.
//!
//! A waker must be `Send`, so it cannot hold the queue, which is not. It holds the mailbox, and finds the queue through a thread-local
//! that names the reactor whose turn it is: no lock then, no wake-up. From anywhere else the way leads through the mailbox.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use crate::handle::Handle;
use crate::mailbox::Mailbox;
use crate::slots::Key;

thread_local! {
    /// The queue of the reactor that has its turn on this thread.
    static HERE: RefCell<Option<Rc<Ready>>> = const { RefCell::new(None) };
}

/// One thing to do on the reactor's turn.
pub(crate) enum Job {
    /// A function, and where it was queued.
    Call(Box<dyn FnOnce(&Handle)>, &'static Location<'static>),
    /// A Deferred with a result and a callback.
    Step(Rc<dyn Step>),
    /// A woken task.
    Poll(Key),
}

/// A Deferred that has a result and somebody to give it to.
pub(crate) trait Step {
    /// Runs one callback. What became ready by that is given back instead of being called, so that no chain is too long for the stack.
    fn step(self: Rc<Self>) -> Option<Rc<dyn Step>>;
}

/// Jobs in the order in which they became ready.
pub(crate) struct Ready {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) jobs: RefCell<VecDeque<Job>>,
}

impl Ready {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Rc<Self> {
        Rc::new(Self {
            mailbox,
            jobs: RefCell::default(),
        })
    }

    pub(crate) fn push(&self, job: Job) {
        self.jobs.borrow_mut().push_back(job);
    }

    pub(crate) fn push_front(&self, job: Job) {
        self.jobs.borrow_mut().push_front(job);
    }

    pub(crate) fn pop(&self) -> Option<Job> {
        self.jobs.borrow_mut().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.borrow().is_empty()
    }

    /// Makes this the queue of this thread's turn until the guard is dropped. Turns may nest: one reactor may be driven inside another.
    pub(crate) fn enter(self: &Rc<Self>) -> Entered {
        let outer = HERE.replace(Some(self.clone()));
        Entered { outer }
    }
}

/// While it lives, tasks of that reactor are woken the short way.
#[must_use]
pub(crate) struct Entered {
    outer: Option<Rc<Ready>>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        HERE.set(self.outer.take());
    }
}

/// Wakes one task, from any thread.
pub(crate) struct TaskWaker {
    task: Key,
    mailbox: Arc<Mailbox>,
    /// It is queued already, here or in the mailbox.
    scheduled: AtomicBool,
}

impl TaskWaker {
    pub(crate) fn new(task: Key, mailbox: Arc<Mailbox>) -> Arc<Self> {
        Arc::new(Self {
            task,
            mailbox,
            scheduled: AtomicBool::new(false),
        })
    }

    /// Says that the task is about to be polled: what wakes it from now on queues it again.
    ///
    /// Both sides swap, so that what the waking thread did before it woke the task is seen by the poll.
    pub(crate) fn begin_poll(&self) {
        self.scheduled.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn is_scheduled(&self) -> bool {
        self.scheduled.load(Ordering::Relaxed)
    }

    /// Queues the task in a queue that the caller has at hand.
    pub(crate) fn schedule_in(&self, ready: &Ready) {
        if !self.scheduled.swap(true, Ordering::AcqRel) {
            ready.push(Job::Poll(self.task));
        }
    }

    fn push_here(&self) -> bool {
        let push = |here: &RefCell<Option<Rc<Ready>>>| match &*here.borrow() {
            Some(ready) if Arc::ptr_eq(&ready.mailbox, &self.mailbox) => {
                ready.push(Job::Poll(self.task));
                true
            }
            _ => false,
        };
        HERE.try_with(push).unwrap_or(false)
    }
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.scheduled.swap(true, Ordering::AcqRel) && !self.push_here() {
            self.mailbox.wake_task(self.task);
        }
    }
}
