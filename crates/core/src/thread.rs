//! Work that blocks: in the driver's thread pool, with its result on the reactor's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

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
    /// # Errors
    ///
    /// The Deferred failed, or the reactor is gone.
    #[doc(alias = "blockingCallFromThread")]
    pub fn blocking_call<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Handle) -> Deferred<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let (sender, receiver) = mpsc::channel();
        self.call(move |handle| {
            call(handle).on_result(move |result| {
                let _the_thread_may_be_gone = sender.send(result);
            });
        })?;
        let mut result = None;
        self.mailbox().block(&mut |wait| {
            let answer = if wait {
                receiver.recv().ok()
            } else {
                receiver.try_recv().ok()
            };
            result = result.take().or(answer);
            result.is_some()
        });
        result.unwrap_or_else(|| Err(ReactorGone.into()))
    }
}

fn run_guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        Err(Panicked::new(&*payload, std::panic::Location::caller()).into())
    })
}
