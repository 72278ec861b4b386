//! Those who wait until something is there, some of them only for so many failures.
//!
//! For: services that keep one of something, as [`ClientService`](crate::ClientService) keeps a connection.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::mem::take;
use std::sync::Arc;

use crate::deferred::{Deferred, Resolver};
use crate::failure::{Cancelled, Failure};
use crate::handle::Handle;

/// Who waits for a value that comes, or comes again, in time. Whoever is told may wait anew at once.
///
/// ```
/// use ropewalk_core::{Failure, Reactor, Waiters};
/// use ropewalk_sim::SimDriver;
///
/// Reactor::new(SimDriver::alone(1)).run_main(|handle| async move {
///     let waiters = Waiters::default();
///     let (patient, brief) = (waiters.wait(&handle, None), waiters.wait(&handle, Some(1)));
///     waiters.failed(std::fmt::Error);
///     waiters.resolve(&7);
///     assert!(brief.await.is_err());
///     assert_eq!(patient.await?, 7);
///     Ok::<_, Failure>(())
/// })?;
/// # Ok::<(), Failure>(())
/// ```
pub struct Waiters<T: 'static>(RefCell<Vec<Waiter<T>>>);

struct Waiter<T: 'static> {
    failures_left: Option<u32>,
    resolver: Resolver<T>,
}

impl<T: Clone + 'static> Waiters<T> {
    /// One more waits; with `fail_after` it fails after so many failures from now on.
    #[must_use]
    pub fn wait(&self, handle: &Handle, fail_after: Option<u32>) -> Deferred<T> {
        let (deferred, resolver) = Deferred::new(handle);
        self.0.borrow_mut().push(Waiter {
            failures_left: fail_after,
            resolver,
        });
        deferred
    }

    /// It is there: all have it.
    pub fn resolve(&self, value: &T) {
        for waiter in self.0.take() {
            let _it_may_be_cancelled = waiter.resolver.resolve(value.clone());
        }
    }

    /// It failed once more: those who wait no longer get `error`, in an [`Arc`].
    pub fn failed<E: Error + Send + Sync + 'static>(&self, error: E) {
        let error = Arc::new(error);
        let mut waiters = take(&mut *self.0.borrow_mut());
        for waiter in &mut waiters {
            waiter.failures_left = waiter.failures_left.map(|left| left.saturating_sub(1));
        }
        let (over, waiting): (Vec<_>, Vec<_>) = waiters
            .into_iter()
            .partition(|waiter| waiter.failures_left == Some(0));
        self.0.replace(waiting);
        for waiter in over {
            let _it_may_be_cancelled = waiter.resolver.fail(Failure::new(Arc::clone(&error)));
        }
    }

    /// It will not come: all fail as [`Cancelled`].
    pub fn cancel(&self) {
        for waiter in self.0.take() {
            let _it_may_be_cancelled = waiter.resolver.fail(Cancelled);
        }
    }
}

impl<T: 'static> Default for Waiters<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: 'static> fmt::Debug for Waiters<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Waiters({})", self.0.borrow().len())
    }
}
