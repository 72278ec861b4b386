//! The door through which other threads reach a reactor: woken tasks and calls, collected until its next turn.
//!
//! The only part of a reactor that is shared between threads and so the only one with a lock. What happens on the reactor's own thread
//! during its turn does not pass here (see [`task`](crate::task)).
//!
//! ```text
//!   other threads ── call, wake_task ──► batch (locked) ── collect ──► reactor, next turn
//!                            └─ Wake ──► driver, only if the reactor sleeps in poll, and once
//! ```

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::blocked::Blocked;
use crate::driver::Wake;
use crate::failure::ReactorGone;
use crate::handle::Handle;
use crate::slots::Key;

/// What other threads left for a reactor.
pub(crate) struct Mailbox {
    batch: Mutex<Batch>,
    /// The batch is not empty. Set after each push and read without the lock, once per turn.
    filled: AtomicBool,
    /// The reactor is in poll or about to be, and must be woken. Whoever sets it back to `false` wakes.
    sleeping: AtomicBool,
    waker: OnceLock<Arc<dyn Wake>>,
    /// The threads that wait for an answer.
    pub(crate) blocked: Blocked,
}

/// A function from another thread.
pub(crate) type Call = Box<dyn FnOnce(&Handle) + Send>;

/// Woken tasks and calls, each in order of arrival.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) woken: Vec<Key>,
    pub(crate) calls: Vec<Call>,
    closed: bool,
}

impl Mailbox {
    /// An empty mailbox of a reactor that is awake.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            batch: Mutex::new(Batch::default()),
            filled: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            waker: OnceLock::new(),
            blocked: Blocked::default(),
        })
    }

    /// Tells how to wake the driver. The first one stays.
    pub(crate) fn set_waker(&self, waker: Arc<dyn Wake>) {
        let _first_stays = self.waker.set(waker);
    }

    /// Hands over a call that will run on the reactor's turn, after those handed over before it (rule 32).
    ///
    /// # Errors
    ///
    /// [`ReactorGone`], and the call is dropped.
    pub(crate) fn call(&self, call: Call) -> Result<(), ReactorGone> {
        let mut batch = self.lock();
        if batch.closed {
            drop(batch);
            drop(call);
            return Err(ReactorGone);
        }
        batch.calls.push(call);
        self.deliver(batch);
        Ok(())
    }

    /// Notes that a task is to be polled. Nothing happens if the reactor is gone.
    pub(crate) fn wake_task(&self, task: Key) {
        let mut batch = self.lock();
        if !batch.closed {
            batch.woken.push(task);
            self.deliver(batch);
        }
    }

    /// Whether something has come.
    pub(crate) fn has_mail(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    /// Swaps what has come with `empty`, whose memory is used for what comes next; `false` if nothing has come.
    pub(crate) fn collect(&self, empty: &mut Batch) -> bool {
        if !self.has_mail() {
            return false;
        }
        let mut batch = self.lock();
        self.filled.store(false, Ordering::SeqCst);
        mem::swap(&mut batch.woken, &mut empty.woken);
        mem::swap(&mut batch.calls, &mut empty.calls);
        true
    }

    /// Says that the reactor goes to sleep; `false` if something has come meanwhile, so that it must not.
    ///
    /// Here the flag is set before the batch is looked at, in [`deliver`](Self::deliver) the other way round, both sequentially
    /// consistent: at least one side sees the other, so no wake-up is lost (rule 34).
    pub(crate) fn fall_asleep(&self) -> bool {
        self.sleeping.store(true, Ordering::SeqCst);
        let may_sleep = !self.filled.load(Ordering::SeqCst);
        if !may_sleep {
            self.sleeping.store(false, Ordering::Relaxed);
        }
        may_sleep
    }

    /// Says that poll has returned: nobody needs to wake the driver now.
    pub(crate) fn wake_up(&self) {
        self.sleeping.store(false, Ordering::Relaxed);
    }

    /// Refuses everything from now on, and drops what had come.
    pub(crate) fn close(&self) {
        let mut batch = self.lock();
        let dropped = mem::take(&mut *batch);
        batch.closed = true;
        self.filled.store(false, Ordering::SeqCst);
        drop(batch);
        drop(dropped);
    }

    /// Lets another thread block until it has its answer, with the driver's knowledge.
    pub(crate) fn block(&self, answered: &mut dyn FnMut(bool) -> bool) {
        if let Some(waker) = self.waker.get() {
            waker.block(answered);
        }
    }

    fn deliver(&self, batch: MutexGuard<'_, Batch>) {
        self.filled.store(true, Ordering::SeqCst);
        drop(batch);
        if self.sleeping.load(Ordering::SeqCst)
            && self.sleeping.swap(false, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }

    /// Nothing of the user's runs under the lock, so a poisoned one is as good as any.
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("filled", &self.filled)
            .field("sleeping", &self.sleeping)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn with_count() -> (Arc<Mailbox>, Arc<Count>) {
        let (mailbox, count) = (Mailbox::new(), Arc::new(Count::default()));
        mailbox.set_waker(count.clone());
        (mailbox, count)
    }

    fn wakes(count: &Count) -> usize {
        count.0.load(Ordering::Relaxed)
    }

    #[test]
    fn r034_a_sleeping_reactor_is_woken_once_however_much_comes() {
        let (mailbox, count) = with_count();
        mailbox.wake_task(Key::new(1, 0));
        assert_eq!(wakes(&count), 0, "it is awake");
        assert!(!mailbox.fall_asleep(), "something is there already");
        let mut batch = Batch::default();
        assert!(mailbox.collect(&mut batch));
        assert!(mailbox.fall_asleep());
        for _ in 0..100_000 {
            mailbox.call(Box::new(|_| ())).unwrap();
        }
        assert_eq!(wakes(&count), 1);
        mailbox.wake_up();
        assert!(mailbox.collect(&mut batch));
        assert_eq!(batch.calls.len(), 100_000, "and none is lost");
    }

    #[test]
    fn a_closed_mailbox_drops_calls_and_says_so() {
        let (mailbox, count) = with_count();
        let witness = Arc::new(());
        let held = witness.clone();
        mailbox.call(Box::new(move |_| drop(held))).unwrap();
        assert!(mailbox.fall_asleep() || Arc::strong_count(&witness) == 2);
        mailbox.close();
        assert_eq!(Arc::strong_count(&witness), 1, "what had come is dropped");
        assert_eq!(mailbox.call(Box::new(|_| ())), Err(ReactorGone));
        mailbox.wake_task(Key::new(1, 0));
        assert!(!mailbox.collect(&mut Batch::default()));
        assert_eq!(wakes(&count), 0);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "it is the door for other threads"
    )]
    fn r032_calls_of_many_threads_come_each_in_its_order() {
        let (mailbox, _) = with_count();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..1000 {
                        mailbox.wake_task(Key::new(n, 0));
                    }
                });
            }
        });
        let mut batch = Batch::default();
        mailbox.collect(&mut batch);
        let mut seen = vec![0; 1000];
        for key in &batch.woken {
            let n = key.index() as usize;
            seen[n] += 1;
            assert!(
                n == 0 || seen[n - 1] >= seen[n],
                "{n} came before its predecessor"
            );
        }
        assert!(seen.iter().all(|count| *count == 4));
    }
}
