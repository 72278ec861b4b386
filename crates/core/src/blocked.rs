//! The threads that wait for an answer of the reactor.
//!
//! Kept so that they can be told that none will come: a stop waits for its threads, and one that waits for the reactor
//! meanwhile would never end, nor would the stop (rules 36, 37).

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::ReactorGone;
use crate::slots::{Key, Slots};

/// Tells a thread that it gets no answer.
pub(crate) type Release = Box<dyn Fn() + Send>;

/// Who waits, until nobody may any more.
#[derive(Default)]
pub(crate) struct Blocked(Mutex<Threads>);

#[derive(Default)]
struct Threads {
    waiting: Slots<Release>,
    released: bool,
}

impl Blocked {
    /// Notes a thread that is about to ask something.
    ///
    /// # Errors
    ///
    /// [`ReactorGone`]: nobody gets an answer any more.
    pub(crate) fn enter(&self, release: Release) -> Result<Key, ReactorGone> {
        let mut threads = self.lock();
        if threads.released {
            return Err(ReactorGone);
        }
        Ok(threads.waiting.insert(release))
    }

    /// Forgets a thread that has its answer, or will have none.
    pub(crate) fn leave(&self, thread: Key) {
        self.lock().waiting.remove(thread);
    }

    /// Tells all who wait that no answer will come, and lets nobody wait from now on.
    pub(crate) fn release(&self) {
        let mut threads = self.lock();
        threads.released = true;
        threads.waiting.iter().for_each(|(_, release)| release());
    }

    /// Nothing of the user's runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn who_waits_is_told_once_and_nobody_waits_after() {
        let (blocked, (sender, told)) = (Blocked::default(), channel());
        let enter = |name| {
            let sender = sender.clone();
            blocked.enter(Box::new(move || sender.send(name).unwrap()))
        };
        let answered = enter("answered").unwrap();
        let waiting = enter("waiting").unwrap();
        blocked.leave(answered);
        blocked.release();
        assert_eq!(told.try_iter().collect::<Vec<_>>(), ["waiting"]);
        blocked.leave(waiting);
        assert_eq!(enter("late"), Err(ReactorGone));
    }
}
