//! Tasks that wait for something of a WebSocket.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// What somebody waits for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Awaited {
    /// Room for a message, or for a fragment of one.
    Room,
    /// That the connection is gone.
    End,
}

/// Who waits, and for what.
#[derive(Default)]
pub(super) struct Awaiters {
    all: RefCell<Vec<Awaiter>>,
    last_number: Cell<u32>,
}

struct Awaiter {
    number: u32,
    awaited: Awaited,
    waker: Waker,
}

/// Waits no longer when it is dropped, as the loser of a race is.
struct Wait<'a> {
    awaiters: &'a Awaiters,
    number: u32,
}

impl Awaiters {
    /// Waits until it is found, which is asked now and whenever it is woken.
    pub(super) async fn until<T>(&self, awaited: Awaited, found: impl Fn() -> Option<T>) -> T {
        let wait = self.wait();
        poll_fn(|context| match found() {
            Some(found) => Poll::Ready(found),
            None => {
                wait.register(awaited, context.waker());
                Poll::Pending
            }
        })
        .await
    }

    /// Wakes those who wait for that.
    pub(super) fn wake(&self, found: Awaited) {
        let mut all = self.all.borrow_mut();
        let is_found = |awaiter: &mut Awaiter| awaiter.awaited == found;
        let woken: Vec<_> = all.extract_if(.., is_found).collect();
        drop(all);
        woken.into_iter().for_each(|awaiter| awaiter.waker.wake());
    }

    fn wait(&self) -> Wait<'_> {
        let number = self.last_number.get().wrapping_add(1);
        self.last_number.set(number);
        Wait {
            awaiters: self,
            number,
        }
    }
}

impl Wait<'_> {
    fn register(&self, awaited: Awaited, waker: &Waker) {
        let mut all = self.awaiters.all.borrow_mut();
        let (number, waker) = (self.number, waker.clone());
        match all.iter_mut().find(|awaiter| awaiter.number == number) {
            Some(awaiter) => awaiter.waker = waker,
            None => all.push(Awaiter {
                number,
                awaited,
                waker,
            }),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut all = self.awaiters.all.borrow_mut();
        all.retain(|awaiter| awaiter.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[test]
    fn who_waits_no_longer_is_forgotten() {
        let awaiters = Awaiters::default();
        let mut context = Context::from_waker(Waker::noop());
        let mut other = pin!(awaiters.until(Awaited::Room, || None::<()>));
        assert!(other.as_mut().poll(&mut context).is_pending());
        for _ in 0..100 {
            let mut end = pin!(awaiters.until(Awaited::End, || None::<()>));
            for _ in 0..100 {
                assert!(end.as_mut().poll(&mut context).is_pending());
            }
            assert_eq!(awaiters.all.borrow().len(), 2);
        }
        awaiters.wake(Awaited::End);
        assert_eq!(awaiters.all.borrow().len(), 1);
        awaiters.wake(Awaited::Room);
        assert_eq!(awaiters.all.borrow().len(), 0);
    }
}
