//! A result after a time, and a pause in a future.

use std::cell::Cell;
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::deferred::{Answer, Deferred};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::service::Owned;
use crate::timer::DelayedCall;

/// Calls a function after a time and gives its result as a [`Deferred`]. Cancelling it removes the timer (rule 29).
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::{Deferred, Handle};
/// use ropewalk_core::timer::defer_later;
///
/// fn slow_answer(handle: &Handle) -> Deferred<u32> {
///     defer_later(handle, Duration::from_secs(5), || Ok(42))
/// }
/// ```
#[doc(alias = "deferLater")]
#[track_caller]
pub fn defer_later<R: Answer>(
    handle: &Handle,
    delay: Duration,
    call: impl FnOnce() -> R + 'static,
) -> Deferred<R::Value> {
    let timer = Rc::new(Cell::new(None::<DelayedCall>));
    let to_cancel = timer.clone();
    let (deferred, resolver) = Deferred::with_canceller(handle, move |_| {
        if let Some(timer) = to_cancel.take() {
            let _ran_already = timer.cancel();
        }
    });
    timer.set(Some(handle.call_later(delay, move |_| {
        let _cancelled_meanwhile = resolver.resolve(());
    })));
    let deferred = deferred.add_callback(move |()| call());
    handle.own(|| Owned::Result(deferred.canceller()));
    deferred
}

/// Waits in a future. Dropping it removes the timer.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::{Failure, Handle};
/// use ropewalk_core::timer::sleep;
///
/// async fn slowly(handle: Handle) -> Result<(), Failure> {
///     for _ in 0..3 {
///         sleep(&handle, Duration::from_secs(1)).await?;
///     }
///     Ok(())
/// }
/// ```
#[track_caller]
pub fn sleep(handle: &Handle, time: Duration) -> Sleep {
    let (deferred, resolver) = Deferred::new(handle);
    let timer = handle.call_later(time, move |_| {
        let _cancelled_meanwhile = resolver.resolve(());
    });
    Sleep { deferred, timer }
}

/// The future of [`sleep`].
///
/// It fails with [`Cancelled`](crate::failure::Cancelled) if its task is cancelled.
#[must_use = "a future waits only when awaited"]
pub struct Sleep {
    deferred: Deferred<()>,
    timer: DelayedCall,
}

impl Future for Sleep {
    type Output = Result<(), Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.deferred).poll(context)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ran_already = self.timer.cancel();
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("due", &self.timer.due())
            .finish()
    }
}
