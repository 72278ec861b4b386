//! The turn: what is ready runs, panics stay in, and in the end everything is dropped.

use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::failure::{Cancelled, Failure, Panicked};
use crate::handle::Handle;
use crate::slots::Key;
use crate::task::Tasks;
use crate::task::body::{Body, CancelState};
use crate::task::ready::{Job, Step};
use crate::watchdog::Of;

impl Tasks {
    /// Runs what is ready, in order, and what becomes ready by that; but at most `budget` callbacks, polls and calls, so that input and
    /// timers get their turn whatever happens here. Says whether something is left. The turn is [entered](Self::enter) already.
    pub(crate) fn run(&self, handle: &Handle, budget: usize) -> bool {
        self.collect_mail();
        for _ in 0..budget {
            let Some(job) = self.0.ready.pop() else {
                return false;
            };
            if let Some(next) = self.run_job(job, handle) {
                self.0.ready.push_front(Job::Step(next));
            }
        }
        self.has_ready()
    }

    /// Drops all tasks and everything that is ready; what comes later is dropped at once.
    pub(crate) fn close(&self) {
        self.0.closed.set(true);
        self.0.ready.mailbox.close();
        let here = Location::caller();
        loop {
            let tasks = self.0.table.borrow().keys();
            if tasks.is_empty() && !self.has_ready() {
                return;
            }
            for key in tasks {
                let task = self.0.table.borrow_mut().remove(key);
                let _logged = self.guard("a task dropped with its reactor", here, || drop(task));
            }
            while let Some(job) = self.0.ready.pop() {
                let _logged = self.guard("a call dropped with its reactor", here, || drop(job));
            }
        }
    }

    /// Calls a function of the user; a panic is logged and recorded, and nothing else happens.
    pub(crate) fn guard<R>(
        &self,
        what: &'static str,
        location: &'static Location<'static>,
        call: impl FnOnce() -> R,
    ) -> Result<R, Panicked> {
        let heart = &self.0.heart;
        heart.run(what, Of::Made(location), || {
            self.catch(what, location, call)
        })
    }

    fn catch<R>(
        &self,
        what: &'static str,
        location: &'static Location<'static>,
        call: impl FnOnce() -> R,
    ) -> Result<R, Panicked> {
        catch_unwind(AssertUnwindSafe(call))
            .map_err(|panic| self.log_panic(what, location, &*panic))
    }

    fn collect_mail(&self) {
        let mut mail = mem::take(&mut *self.0.mail.borrow_mut());
        if self.0.ready.mailbox.collect(&mut mail) {
            for task in mail.woken.drain(..) {
                self.0.ready.push(Job::Poll(task));
            }
            for call in mail.calls.drain(..) {
                self.0.ready.push(Job::Call(call, Location::caller()));
            }
        }
        *self.0.mail.borrow_mut() = mail;
    }

    fn run_job(&self, job: Job, handle: &Handle) -> Option<Rc<dyn Step>> {
        match job {
            Job::Step(step) => {
                let stepped = self.catch("a destructor", Location::caller(), || step.step());
                stepped.ok().flatten()
            }
            Job::Poll(key) => self.poll_task(key),
            Job::Call(call, location) => {
                let called = self.guard("a queued call", location, || call(handle));
                if let Err(panicked) = called {
                    self.report_unhandled(location, Failure::at(panicked, location));
                }
                None
            }
        }
    }

    fn poll_task(&self, key: Key) -> Option<Rc<dyn Step>> {
        let (mut body, spawned, abort) = {
            let mut table = self.0.table.borrow_mut();
            let slot = table.get_mut(key)?;
            slot.started = true;
            (
                slot.body.take()?,
                slot.spawned,
                slot.cancel == CancelState::Abort,
            )
        };
        if abort {
            return self.end_early(key, body, Failure::at(Cancelled, spawned));
        }
        body.flag.begin_poll();
        let outer = self.0.current.replace(Some(key));
        let mut context = Context::from_waker(&body.waker);
        let (future, node) = (body.future.as_mut(), &body.node);
        let polled = self.0.heart.run("a task", Of::Made(spawned), || {
            catch_unwind(AssertUnwindSafe(|| future.drive(&mut context, node)))
        });
        self.0.current.set(outer);
        match polled {
            Ok(Poll::Pending) => self.put_back(key, body),
            Ok(Poll::Ready(next)) => {
                self.retire(key, body);
                next
            }
            Err(panic) => {
                let panicked = self.log_panic("a task", spawned, &*panic);
                self.end_early(key, body, Failure::at(panicked, spawned))
            }
        }
    }

    /// After a poll without result: waits on, or ends if it was cancelled and awaits nothing that could have been told.
    fn put_back(&self, key: Key, body: Body) -> Option<Rc<dyn Step>> {
        let mut table = self.0.table.borrow_mut();
        let slot = table.get_mut(key)?;
        if slot.cancel == CancelState::Next && !body.flag.is_scheduled() {
            let failure = Failure::at(Cancelled, slot.spawned);
            drop(table);
            return self.end_early(key, body, failure);
        }
        slot.body = Some(body);
        None
    }

    /// Drops a task that was cancelled and goes on; its Deferred fails with [`Cancelled`].
    pub(crate) fn end_now(&self, key: Key) {
        let taken = self.0.table.borrow_mut().get_mut(key).and_then(|slot| {
            let body = slot.body.take()?;
            Some((body, Failure::at(Cancelled, slot.spawned)))
        });
        if let Some((body, failure)) = taken {
            self.push_step(self.end_early(key, body, failure));
        }
    }

    fn end_early(&self, key: Key, body: Body, failure: Failure) -> Option<Rc<dyn Step>> {
        let node = body.node.clone();
        self.retire(key, body);
        node.fail(failure)
    }

    /// Takes a task out of the table and drops it: with what it holds, so its destructors may do anything.
    fn retire(&self, key: Key, body: Body) {
        let slot = self.0.table.borrow_mut().remove(key);
        let spawned = slot
            .as_ref()
            .map_or(Location::caller(), |slot| slot.spawned);
        let _logged = self.guard("the destructor of a task", spawned, || drop((body, slot)));
    }

    fn log_panic(
        &self,
        what: &'static str,
        location: &'static Location<'static>,
        payload: &(dyn std::any::Any + Send),
    ) -> Panicked {
        let panicked = Panicked::new(payload, location);
        tracing::error!(%location, "{what} panicked: {}", panicked.message);
        panicked
    }
}
