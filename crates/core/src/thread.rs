//! Work that blocks: in the driver's thread pool, with its result on the reactor's thread.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};

use crate::blocked::Release;
use crate::deferred::Deferred;
use crate::failure::{Failure, Panicked, ReactorGone};
use crate::handle::Handle;
use crate::parcel::Parcel;
use crate::remote::Remote;

impl Handle {
    /// Runs a function in the thread pool; its result or failure comes on the reactor's turn (R35).
    ///
    /// Cancelling keeps a job that has not begun from beginning; one that runs runs on, and its result is dropped.
    #[doc(alias = "deferToThread")]
    pub fn defer_to_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Deferred<T> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let cancel = Arc::clone(&cancelled);
        let (deferred, resolver) =
            Deferred::with_canceller(self, move |_| cancel.store(true, Ordering::Relaxed));
        let (parcel, remote) = (Parcel::new(self, resolver), self.remote());
        self.run_in_thread(move || {
            if cancelled.load(Ordering::Relaxed) {
                return;
            }
            let result = run_guarded(work);
            let _gone = remote.call(move |handle| {
                if let Some(resolver) = parcel.open(handle) {
                    let _ = resolver.resolve_with(result);
                }
            });
        });
        deferred
    }

    /// Runs a function in the thread pool, and forgets it. A panic in it is logged.
    #[doc(alias = "callInThread")]
    pub fn run_in_thread(&self, work: impl FnOnce() + Send + 'static) {
        let job = Box::new(move || crate::panic::guard("a job", work));
        self.command(move |engine| engine.driver.run_in_thread(job));
    }

    /// How many threads the pool may have; 10 unless told.
    #[doc(alias = "suggestThreadPoolSize")]
    pub fn set_thread_limit(&self, threads: usize) {
        self.command(move |engine| engine.driver.set_thread_limit(threads));
    }
}

impl Remote {
    /// Runs a function on the reactor's thread, waits for the Deferred it returns, and gives its result in this thread
    /// (R36). On the reactor's own thread it would wait for ever: there, use the Deferred.
    ///
    /// A stop does not wait for the answer, which is then [`ReactorGone`]: what must be finished first belongs in a hook
    /// of [`Phase::BeforeShutdown`](crate::Phase::BeforeShutdown).
    ///
    /// # Errors
    ///
    /// The Deferred failed, the function panicked, or the reactor stops or is gone.
    #[doc(alias = "blockingCallFromThread")]
    pub fn blocking_call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Handle) -> Deferred<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = mpsc::channel();
        let sender = Arc::new(sender);
        let blocked = self.mailbox().blocked.enter(release(&sender))?;
        let asked = self.call(move |handle| ask(handle, call, sender));
        let answer = asked.map_err(Failure::from);
        let answer = answer.and_then(|()| self.wait_for(&receiver));
        self.mailbox().blocked.leave(blocked);
        answer
    }

    fn wait_for<T>(&self, answer: &Receiver<Result<T, Failure>>) -> Result<T, Failure> {
        let gone = || Err(ReactorGone.into());
        let mut result = None;
        self.mailbox().block(&mut |wait| {
            result = match (result.take(), wait) {
                (None, true) => Some(answer.recv().unwrap_or_else(|_| gone())),
                (None, false) => match answer.try_recv() {
                    Err(TryRecvError::Empty) => None,
                    told => Some(told.unwrap_or_else(|_| gone())),
                },
                (some, _) => some,
            };
            result.is_some()
        });
        result.unwrap_or_else(gone)
    }
}

type Sender<T> = mpsc::Sender<Result<T, Failure>>;

/// Says that no answer will come. It holds the sender weakly: a question that is dropped is a sender that is gone.
fn release<T: Send + 'static>(sender: &Arc<Sender<T>>) -> Release {
    let sender = Arc::downgrade(sender);
    Box::new(move || {
        if let Some(sender) = sender.upgrade() {
            let _has_its_answer = sender.send(Err(ReactorGone.into()));
        }
    })
}

/// Calls, on the reactor's thread, and sends what comes of it.
fn ask<T: Send + 'static>(
    handle: &Handle,
    call: impl FnOnce(&Handle) -> Deferred<T>,
    sender: Arc<Sender<T>>,
) {
    let send = move |result| drop(sender.send(result)); // an error: the thread has been released
    match catch_unwind(AssertUnwindSafe(|| call(handle))) {
        Ok(deferred) => deferred.on_result(send),
        Err(payload) => send(Err(panicked(&*payload))),
    }
}

fn run_guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

#[track_caller]
fn panicked(payload: &(dyn Any + Send)) -> Failure {
    Panicked::new(payload, Location::caller()).into()
}
