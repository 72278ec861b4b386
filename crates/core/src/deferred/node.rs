//! The state that a Deferred, its resolver and its neighbours in the chain share.
//!
//! ```text
//!   Resolver ──strong──► Node<T> ──Listener (the callback)──strong──► Node<U> ──► … ──► Node<Z> ◄── Deferred<Z>
//!                           ▲                                           │
//!                           └──────────── Source::Upstream, weak ───────┘        results flow right, cancelling left
//! ```
//!
//! Whoever will fire keeps the chain alive, so callbacks run although nobody keeps the last Deferred. A result is stored where it fires and
//! moves on only in [`Step::step`], on the reactor's turn, one node per step: no chain is too long for the stack.

use std::cell::{RefCell, RefMut};
use std::mem;
use std::panic::Location;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::deferred::deadline::Deadline;
use crate::deferred::source::{Desk, Source};
use crate::deferred::{Answer, Deferred, Settled};
use crate::failure::{AlreadyCalled, Cancelled, Failure, ResolverDropped};
use crate::slots::Key;
use crate::task::Tasks;
use crate::task::ready::{Job, Step};
use crate::task::rubbish::Rubbish;

/// One result: coming, here, or gone on.
pub(crate) struct Node<T: 'static> {
    tasks: Tasks,
    made: &'static Location<'static>,
    core: RefCell<Core<T>>,
}

/// The part that changes.
pub(super) struct Core<T: 'static> {
    pub(super) state: State<T>,
    pub(super) source: Source<T>,
    pub(super) deadline: Option<Box<Deadline>>,
    /// The Deferred was dropped before the result came, so nobody will ever look.
    abandoned: bool,
    /// Where the user cancelled it, so that being cancelled is no news.
    pub(super) cancelled: Option<&'static Location<'static>>,
    /// It was cancelled, and whoever was to fire does not know: one firing is ignored.
    pub(super) swallow: bool,
}

pub(super) enum State<T: 'static> {
    /// No result, and nobody waits.
    Pending,
    /// No result, and the next in the chain waits.
    Chained(Box<dyn Listener<T>>),
    /// No result, and a future waits; in which task, if in one of ours.
    Awaited(Waker, Option<Key>),
    /// A result, and nobody to take it.
    Fired(Result<T, Failure>),
    /// A result and the next in the chain; the step is queued.
    Ready(Result<T, Failure>, Box<dyn Listener<T>>),
    /// The result went on.
    Taken,
}

/// What takes a result on the reactor's turn.
pub(crate) trait Listener<T>: Rubbish {
    /// Takes it, and gives back what became ready by that.
    fn receive(self: Box<Self>, result: Result<T, Failure>) -> Option<Rc<dyn Step>>;
}

impl<T: 'static> Node<T> {
    pub(crate) fn new(
        tasks: &Tasks,
        made: &'static Location<'static>,
        source: Source<T>,
    ) -> Rc<Self> {
        let core = Core {
            state: State::Pending,
            source,
            deadline: None,
            abandoned: false,
            cancelled: None,
            swallow: false,
        };
        Rc::new(Self {
            tasks: tasks.clone(),
            made,
            core: RefCell::new(core),
        })
    }

    /// The next in the chain: same reactor, same place of birth, cancelled through this one.
    pub(crate) fn next<U: 'static>(self: &Rc<Self>) -> Rc<Node<U>> {
        Node::new(
            &self.tasks,
            self.made,
            Source::Upstream(Rc::<Self>::downgrade(self)),
        )
    }

    pub(crate) fn tasks(&self) -> &Tasks {
        &self.tasks
    }

    /// Where the first of the chain was made.
    pub(crate) fn birthplace(&self) -> &'static Location<'static> {
        self.made
    }

    pub(super) fn core(&self) -> RefMut<'_, Core<T>> {
        self.core.borrow_mut()
    }

    pub(crate) fn set_source(&self, source: Source<T>) {
        let old = mem::replace(&mut self.core.borrow_mut().source, source);
        drop(old);
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.core.borrow().is_settled()
    }

    /// Whether nobody waits and nobody can begin to.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.core.borrow().abandoned
    }

    /// A firing by the user.
    pub(crate) fn fire(self: &Rc<Self>, result: Result<T, Failure>) -> Result<(), AlreadyCalled> {
        let mut core = self.core.borrow_mut();
        if !core.is_settled() {
            drop(core);
            self.deliver(result);
            return Ok(());
        }
        let swallowed = mem::take(&mut core.swallow);
        drop(core);
        drop(result);
        if swallowed {
            Ok(())
        } else {
            Err(AlreadyCalled)
        }
    }

    /// The resolver is dropped. If that is because the work was cancelled, it is called so.
    pub(crate) fn give_up(self: &Rc<Self>) {
        let core = self.core.borrow();
        if core.is_settled() {
            return;
        }
        let failure = match core.cancelled {
            Some(location) => Failure::at(Cancelled, location),
            None => ResolverDropped.into(),
        };
        drop(core);
        self.deliver(Err(failure));
    }

    /// Stores the result if there is none, and queues what it makes ready.
    pub(crate) fn deliver(self: &Rc<Self>, result: Result<T, Failure>) {
        self.tasks.push_step(self.settle(result));
    }

    /// Stores the result if there is none, and gives back what it makes ready.
    pub(crate) fn settle(self: &Rc<Self>, result: Result<T, Failure>) -> Option<Rc<dyn Step>> {
        let mut core = self.core.borrow_mut();
        if core.is_settled() {
            drop(core);
            drop(result);
            return None;
        }
        let result = match core.deadline.take() {
            Some(deadline) => deadline.end(result),
            None => result,
        };
        if core.abandoned {
            core.state = State::Taken;
            let source = mem::replace(&mut core.source, Source::None);
            drop(core);
            self.discard(result, source);
            return None;
        }
        let source = core.take_spent_source();
        match mem::replace(&mut core.state, State::Taken) {
            State::Chained(listener) => {
                core.state = State::Ready(result, listener);
                drop(core);
                drop(source);
                Some(self.clone())
            }
            State::Awaited(waker, _) => {
                core.state = State::Fired(result);
                drop(core);
                drop(source);
                waker.wake();
                None
            }
            _ => {
                core.state = State::Fired(result);
                drop(core);
                drop(source);
                None
            }
        }
    }

    /// Settles with what a callback or task returned: at once, or when the Deferred that it returned does (rule 96).
    pub(crate) fn answer(self: &Rc<Self>, answer: impl Answer<Value = T>) -> Option<Rc<dyn Step>> {
        match answer.into_settled() {
            Settled::Now(result) => self.settle(result),
            Settled::Later(inner) => self.follow(&inner),
        }
    }

    pub(crate) fn follow(self: &Rc<Self>, inner: &Deferred<T>) -> Option<Rc<dyn Step>> {
        let inner = inner.node();
        if let Some(result) = inner.take_fired() {
            return self.settle(result);
        }
        self.set_source(Source::Upstream(Rc::<Self>::downgrade(inner)));
        inner.listen(Box::new(Follow(self.clone())));
        None
    }

    /// Says who takes the result.
    ///
    /// # Panics
    ///
    /// If the result was taken already by awaiting `&mut deferred`.
    pub(crate) fn listen(self: &Rc<Self>, listener: Box<dyn Listener<T>>) {
        let mut core = self.core.borrow_mut();
        match mem::replace(&mut core.state, State::Taken) {
            State::Pending | State::Awaited(..) => core.state = State::Chained(listener),
            State::Fired(result) => {
                core.state = State::Ready(result, listener);
                drop(core);
                self.tasks.push(Job::Step(self.clone()));
            }
            State::Chained(_) | State::Ready(..) | State::Taken => {
                panic!(
                    "this Deferred was awaited to its end: its result is gone, add callbacks before"
                )
            }
        }
    }

    pub(crate) fn poll(self: &Rc<Self>, context: &Context<'_>) -> Poll<Result<T, Failure>> {
        let mut core = self.core.borrow_mut();
        let task = self.tasks.current();
        match &mut core.state {
            State::Pending => {
                core.state = State::Awaited(context.waker().clone(), task);
                drop(core);
                self.tasks.note_awaited(self.clone());
                Poll::Pending
            }
            State::Awaited(waker, by) => {
                let is_new = mem::replace(by, task) != task;
                let is_same = waker.will_wake(context.waker());
                let old = (!is_same).then(|| mem::replace(waker, context.waker().clone()));
                drop(core);
                drop(old);
                if is_new {
                    self.tasks.note_awaited(self.clone());
                }
                Poll::Pending
            }
            _ => {
                drop(core);
                let result = self.take_fired();
                Poll::Ready(result.expect("this Deferred was polled after it gave its result"))
            }
        }
    }

    fn take_fired(&self) -> Option<Result<T, Failure>> {
        let mut core = self.core.borrow_mut();
        if !matches!(core.state, State::Fired(_)) {
            return None;
        }
        let State::Fired(result) = mem::replace(&mut core.state, State::Taken) else {
            return None;
        };
        let source = mem::replace(&mut core.source, Source::None);
        drop(core);
        drop(source);
        Some(result)
    }

    /// The Deferred is dropped.
    pub(crate) fn abandon(&self) {
        let mut core = self.core.borrow_mut();
        match &core.state {
            State::Pending | State::Awaited(..) => {
                let old = mem::replace(&mut core.state, State::Pending);
                core.abandoned = true;
                let desk = core.desk();
                drop(core);
                drop(old);
                if let Some((desk, number)) = desk {
                    desk.leave(number);
                }
            }
            State::Fired(_) => {
                let State::Fired(result) = mem::replace(&mut core.state, State::Taken) else {
                    return;
                };
                let source = mem::replace(&mut core.source, Source::None);
                drop(core);
                self.discard(result, source);
            }
            State::Chained(_) | State::Ready(..) | State::Taken => {}
        }
    }

    /// Nobody takes the result: a value goes back where it may be wanted, a failure to the log (rule 100).
    ///
    /// Not worth a line: being cancelled by the user, and that nothing will come where nobody waits.
    fn discard(&self, result: Result<T, Failure>, source: Source<T>) {
        match (result, source) {
            (Ok(value), Source::Desk(desk, number)) => match desk.upgrade() {
                Some(desk) => desk.take_back(number, value),
                None => drop(value),
            },
            (Ok(value), _) => drop(value),
            (Err(failure), _) => {
                let cancelled = self.core.borrow().cancelled.is_some();
                let is_no_news =
                    cancelled && failure.is::<Cancelled>() || failure.is::<ResolverDropped>();
                if !is_no_news {
                    self.tasks.report_unhandled(self.made, failure);
                }
            }
        }
    }
}

impl<T: 'static> Core<T> {
    pub(super) fn is_settled(&self) -> bool {
        matches!(
            self.state,
            State::Fired(_) | State::Ready(..) | State::Taken
        )
    }

    /// Once there is a result nobody needs to be told anything, except a desk, which may get the value back.
    fn take_spent_source(&mut self) -> Source<T> {
        match self.source {
            Source::Desk(..) => Source::None,
            _ => mem::replace(&mut self.source, Source::None),
        }
    }

    fn desk(&self) -> Option<(Rc<dyn Desk<T>>, u64)> {
        match &self.source {
            Source::Desk(desk, number) => Some((desk.upgrade()?, *number)),
            _ => None,
        }
    }
}

impl<T: 'static> Step for Node<T> {
    fn step(self: Rc<Self>) -> Option<Rc<dyn Step>> {
        let mut core = self.core.borrow_mut();
        let State::Ready(result, listener) = mem::replace(&mut core.state, State::Taken) else {
            return None;
        };
        drop(core);
        listener.receive(result)
    }
}

/// A chain that is dropped as a whole (its reactor is gone) goes down in a loop, not link by link from inside each other's destructors.
impl<T: 'static> Drop for Node<T> {
    fn drop(&mut self) {
        let core = self.core.get_mut();
        match mem::replace(&mut core.state, State::Taken) {
            State::Chained(listener) | State::Ready(_, listener) => {
                self.tasks.rubbish().drop_soon(listener);
            }
            State::Pending | State::Awaited(..) | State::Fired(_) | State::Taken => {}
        }
    }
}

/// Passes the result of a Deferred that a callback returned to the chain that waits for it.
struct Follow<T: 'static>(Rc<Node<T>>);

impl<T: 'static> Listener<T> for Follow<T> {
    fn receive(self: Box<Self>, result: Result<T, Failure>) -> Option<Rc<dyn Step>> {
        self.0.settle(result)
    }
}
