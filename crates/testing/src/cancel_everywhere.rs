//! Gives up every await of a scenario, one after the other, and tries it again: nothing may get lost.
//!
//! ```text
//!   run 0:  await ─ await ─ await          what must come out
//!   run 1:  AWAIT, dropped when it waits, and again ─ await ─ await
//!   run 2:  AWAIT, dropped when it is woken, and again ─ await ─ await
//!   run 3:  await ─ AWAIT …
//! ```

use std::cell::Cell;
use std::fmt::Debug;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use ropewalk_core::Handle;
use ropewalk_sim::Seed;

use crate::run_test::run_future;

/// Runs a scenario in a simulated world, then again for each place where it awaits by [`Interrupt::at`]: there the future
/// is dropped once, when it waits or when it was just woken, made anew, and awaited. What comes out must be the same.
///
/// As after every test, nothing may be left behind in any of the worlds.
///
/// ```
/// use ropewalk_core::deferred::DeferredQueue;
/// use ropewalk_testing::cancel_everywhere;
///
/// cancel_everywhere(|reactor, interrupt| async move {
///     let queue = DeferredQueue::new(&reactor);
///     for number in 1..=3 {
///         let queue = queue.clone();
///         reactor.call_later(std::time::Duration::from_secs(number), move |_| queue.put(number).unwrap());
///     }
///     let mut seen = Vec::new();
///     while seen.len() < 3 {
///         seen.push(interrupt.at(|| queue.get()).await.unwrap());
///     }
///     assert_eq!(seen, [1, 2, 3]);
/// });
/// ```
///
/// # Panics
///
/// If something else comes out, or a scenario panics, fails to end, or leaves something behind.
pub fn cancel_everywhere<F, T>(scenario: impl Fn(Handle, Interrupt) -> F)
where
    F: Future<Output = T> + 'static,
    T: PartialEq + Debug + 'static,
{
    let run = |interrupt: &Interrupt| {
        run_future(
            Seed(0),
            |handle| scenario(handle, interrupt.clone()),
            |output| output,
        )
    };
    let undisturbed = Interrupt::new(usize::MAX, Moment::Waiting);
    let expected = run(&undisturbed);
    for place in 0..undisturbed.reached.get() {
        for moment in [Moment::Waiting, Moment::Woken] {
            let seen = run(&Interrupt::new(place, moment));
            assert_eq!(
                seen, expected,
                "after await number {place} was dropped while {moment:?}"
            );
        }
    }
}

/// What drops one of the awaits of a scenario; see [`cancel_everywhere`]. Clones are the same.
#[derive(Clone, Debug)]
pub struct Interrupt {
    place: usize,
    moment: Moment,
    reached: Rc<Cell<usize>>,
}

/// When a future is dropped.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// It was polled once, and waits.
    Waiting,
    /// It was woken, and would give its result if it were polled.
    Woken,
}

impl Interrupt {
    fn new(place: usize, moment: Moment) -> Self {
        Self {
            place,
            moment,
            reached: Rc::default(),
        }
    }

    /// Awaits what `make` makes; where it is the turn of this place, drops it and awaits a second one.
    pub async fn at<F: Future>(&self, mut make: impl FnMut() -> F) -> F::Output {
        let place = self.reached.replace(self.reached.get() + 1);
        if place == self.place
            && let Some(output) = self.give_up(make()).await
        {
            return output;
        }
        make().await
    }

    /// Polls a future, and drops it before it gives its result; unless it has that at once.
    async fn give_up<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let bell = Arc::new(Bell::default());
        let first = poll_with(future.as_mut(), &bell);
        if let (None, Moment::Woken) = (&first, self.moment) {
            poll_fn(|context| bell.has_rung(context)).await;
        }
        first
    }
}

fn poll_with<F: Future>(future: Pin<&mut F>, bell: &Arc<Bell>) -> Option<F::Output> {
    let waker = Waker::from(bell.clone());
    match future.poll(&mut Context::from_waker(&waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A waker that can be asked whether it was used.
#[derive(Default)]
struct Bell {
    rung: AtomicBool,
    listener: Mutex<Option<Waker>>,
}

impl Bell {
    fn has_rung(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        *listener = Some(context.waker().clone());
        if self.rung.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        let listener = self
            .listener
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(listener) = listener {
            listener.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::time::Duration;

    use ropewalk_core::deferred::{DeferredLock, DeferredQueue};
    use ropewalk_core::timer::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_await_is_dropped_at_both_moments() {
        let dropped = Rc::new(RefCell::new(Vec::new()));
        let log = dropped.clone();
        cancel_everywhere(move |reactor, interrupt| {
            let log = log.clone();
            async move {
                for place in 0..3 {
                    let made = Cell::new(0);
                    let once = || {
                        made.set(made.get() + 1);
                        sleep(&reactor, SECOND)
                    };
                    interrupt.at(once).await.unwrap();
                    if made.get() == 2 {
                        log.borrow_mut().push((place, reactor.now().as_secs()));
                    }
                }
            }
        });
        // One that is dropped when it waits costs nothing, one that was woken its second.
        assert_eq!(
            *dropped.borrow(),
            [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (2, 4)]
        );
    }

    #[test]
    fn queues_and_locks_lose_nothing() {
        cancel_everywhere(|reactor, interrupt| async move {
            let (queue, lock) = (DeferredQueue::new(&reactor), DeferredLock::new(&reactor));
            let (source, held) = (queue.clone(), lock.clone());
            let handle = reactor.clone();
            reactor
                .spawn(async move {
                    for number in 0..3 {
                        let token = held.acquire().await?;
                        sleep(&handle, SECOND).await?;
                        source.put(number)?;
                        drop(token);
                    }
                    Ok(())
                })
                .on_result(|result| result.unwrap());
            let mut seen = Vec::new();
            for _ in 0..3 {
                let token = interrupt.at(|| lock.acquire()).await.unwrap();
                drop(token);
                seen.push(interrupt.at(|| queue.get()).await.unwrap());
            }
            seen
        });
    }

    /// Takes its item at the first poll and gives it at the second: what this helper is there to find.
    struct Greedy {
        items: Rc<RefCell<VecDeque<u32>>>,
        taken: Option<u32>,
    }

    impl Future for Greedy {
        type Output = u32;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
            match self.taken.take() {
                Some(item) => Poll::Ready(item),
                None => {
                    let item = self.items.borrow_mut().pop_front();
                    self.taken = item;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "after await number 0 was dropped while Waiting")]
    fn a_future_that_loses_what_it_took_is_found() {
        cancel_everywhere(|_, interrupt| async move {
            let items = Rc::new(RefCell::new(VecDeque::from([1, 2, 3])));
            interrupt
                .at(|| Greedy {
                    items: items.clone(),
                    taken: None,
                })
                .await
        });
    }
}
