//! Threads for work that blocks: the reactor's jobs and look-ups of names.
//!
//! Threads start on demand up to a limit and end when they were idle for a while; work waits in order. What makes
//! look-ups special: `getaddrinfo` cannot be interrupted and may take half a minute when no name server answers, so
//! nobody waits for one at the end; a job, which may be writing a file, is always waited for.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use ropewalk_core::driver::Job;

/// Twisted's pool has the same.
const DEFAULT_LIMIT: NonZeroUsize = NonZeroUsize::new(10).unwrap();

/// An idle thread ends after this time.
const LONGEST_IDLE: Duration = Duration::from_secs(10);

pub(crate) enum Work {
    Job(Job),
    /// Nobody waits for its end.
    Lookup(Job),
}

#[derive(Default)]
pub(crate) struct ThreadPool {
    shared: Arc<Shared>,
    handles: Vec<JoinHandle<()>>,
    started: usize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is work, or the pool stops.
    work: Condvar,
    /// A thread ended, or began a look-up.
    ended: Condvar,
}

struct State {
    queue: VecDeque<Work>,
    limit: usize,
    /// Threads that have not ended.
    running: usize,
    /// Threads that wait for work.
    idle: usize,
    /// Threads within a look-up.
    looking: Vec<ThreadId>,
    stopped: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            limit: DEFAULT_LIMIT.get(),
            running: 0,
            idle: 0,
            looking: Vec::new(),
            stopped: false,
        }
    }
}

impl ThreadPool {
    /// Does the work in a thread, as soon as one is free. After [`stop`](Self::stop) the work is dropped.
    pub(crate) fn run(&mut self, work: Work) {
        let mut state = self.shared.lock();
        if state.stopped {
            return;
        }
        state.queue.push_back(work);
        if state.idle >= state.queue.len() {
            self.shared.work.notify_one();
        } else if state.running < state.limit {
            state.running += 1;
            drop(state);
            self.start_thread();
        }
    }

    /// At least one thread is allowed, because work would else wait for ever.
    pub(crate) fn set_limit(&mut self, threads: usize) {
        let missing = {
            let mut state = self.shared.lock();
            state.limit = threads.max(1);
            let wanted =
                (state.running + state.queue.len().saturating_sub(state.idle)).min(state.limit);
            let missing = wanted.saturating_sub(state.running);
            state.running += missing;
            missing
        };
        // Threads beyond a lowered limit end after their work.
        self.shared.work.notify_all();
        for _ in 0..missing {
            self.start_thread();
        }
    }

    /// Drops the work not yet begun, waits for the jobs, and joins their threads.
    pub(crate) fn stop(&mut self) {
        let mut state = self.shared.stop();
        while state.running > state.looking.len() {
            state = self
                .shared
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let looking = std::mem::take(&mut state.looking);
        drop(state);
        for handle in self.handles.drain(..) {
            if !looking.contains(&handle.thread().id()) {
                let _ = handle.join();
            }
        }
    }

    /// Its place is counted already.
    fn start_thread(&mut self) {
        self.handles.retain(|handle| !handle.is_finished());
        self.started += 1;
        let shared = Arc::clone(&self.shared);
        let name = format!("ropewalk-pool-{}", self.started);
        match thread::Builder::new()
            .name(name)
            .spawn(move || shared.work_until_idle())
        {
            Ok(handle) => self.handles.push(handle),
            Err(error) => {
                tracing::error!(%error, "cannot start a thread of the pool");
                self.shared.not_started();
            }
        }
    }
}

impl Drop for ThreadPool {
    /// Lets the threads end without waiting for them: a job that hangs must not hang who drops the driver.
    fn drop(&mut self) {
        drop(self.shared.stop());
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.stopped = true;
        self.work.notify_all();
        drop_work(state);
        self.lock()
    }

    /// A thread that was counted never came; if there is no other, nobody will do the work.
    fn not_started(&self) {
        let mut state = self.lock();
        state.running -= 1;
        if state.running == 0 {
            drop_work(state);
        }
    }

    /// The life of a thread.
    fn work_until_idle(&self) {
        let mut state = self.lock();
        loop {
            if state.running > state.limit {
                break;
            }
            if let Some(work) = state.queue.pop_front() {
                state = self.work_on(work, state);
                continue;
            }
            if state.stopped {
                break;
            }
            let waited;
            state.idle += 1;
            (state, waited) = self
                .work
                .wait_timeout(state, LONGEST_IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.running -= 1;
        self.ended.notify_all();
    }

    fn work_on<'a>(
        &'a self,
        work: Work,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        let job = match work {
            Work::Job(job) => {
                drop(state);
                run_safely(job);
                return self.lock();
            }
            Work::Lookup(job) => job,
        };
        let this = thread::current().id();
        state.looking.push(this);
        self.ended.notify_all();
        drop(state);
        run_safely(job);
        state = self.lock();
        state.looking.retain(|&thread| thread != this);
        state
    }
}

/// Work runs its own code when it is dropped, which must not find the lock held.
fn drop_work(mut state: MutexGuard<'_, State>) {
    let work = std::mem::take(&mut state.queue);
    drop(state);
    drop(work);
}

/// A panic ends the job and not the thread.
fn run_safely(job: Job) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        tracing::error!("a job in the thread pool panicked");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn job(run: impl FnOnce() + Send + 'static) -> Work {
        Work::Job(Box::new(run))
    }

    #[test]
    fn r037_jobs_beyond_the_limit_wait_in_order() {
        let mut pool = ThreadPool::default();
        pool.set_limit(1);
        let (sender, receiver) = mpsc::channel();
        for number in 0..100 {
            let sender = sender.clone();
            pool.run(job(move || sender.send(number).unwrap()));
        }
        drop(sender);
        assert_eq!(
            receiver.iter().collect::<Vec<_>>(),
            (0..100).collect::<Vec<_>>()
        );
        assert_eq!(pool.started, 1);
    }

    #[test]
    fn threads_are_named_and_used_again() {
        let mut pool = ThreadPool::default();
        let (sender, receiver) = mpsc::channel();
        for _ in 0..20 {
            let sender = sender.clone();
            pool.run(job(move || {
                sender
                    .send(thread::current().name().unwrap().to_owned())
                    .unwrap();
            }));
            assert!(receiver.recv().unwrap().starts_with("ropewalk-pool-"));
        }
        assert!(pool.started <= 10);
    }

    #[test]
    fn as_many_run_at_once_as_the_limit_allows() {
        let mut pool = ThreadPool::default();
        let barrier = Arc::new(std::sync::Barrier::new(11));
        for _ in 0..10 {
            let barrier = Arc::clone(&barrier);
            pool.run(job(move || _ = barrier.wait()));
        }
        barrier.wait();
        pool.stop();
        assert_eq!(pool.started, 10);
    }

    #[test]
    fn a_raised_limit_starts_what_waits() {
        let mut pool = ThreadPool::default();
        pool.set_limit(1);
        let barrier = Arc::new(std::sync::Barrier::new(3));
        for _ in 0..2 {
            let barrier = Arc::clone(&barrier);
            pool.run(job(move || _ = barrier.wait()));
        }
        pool.set_limit(2);
        barrier.wait();
    }

    #[test]
    fn a_panic_ends_the_job_and_not_the_pool() {
        let mut pool = ThreadPool::default();
        pool.set_limit(1);
        let (sender, receiver) = mpsc::channel();
        pool.run(job(|| panic!("on purpose")));
        pool.run(job(move || sender.send(()).unwrap()));
        receiver.recv().unwrap();
        assert_eq!(pool.started, 1);
    }

    #[test]
    fn r037_stop_waits_for_what_runs_and_drops_what_waits() {
        let mut pool = ThreadPool::default();
        pool.set_limit(1);
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let ended = Arc::new(Mutex::new(Vec::new()));
        let first = Arc::clone(&ended);
        pool.run(job(move || {
            begun.send(()).unwrap();
            released.recv().unwrap();
            first.lock().unwrap().push("first");
        }));
        has_begun.recv().unwrap();
        let second = Arc::clone(&ended);
        pool.run(job(move || second.lock().unwrap().push("second")));
        release.send(()).unwrap();
        pool.stop();
        let ended = ended.lock().unwrap();
        assert!(ended.starts_with(&["first"]), "{ended:?}");
        assert!(pool.handles.is_empty());
        assert_eq!(pool.shared.lock().running, 0);
    }

    #[test]
    fn stop_does_not_wait_for_a_lookup() {
        let mut pool = ThreadPool::default();
        let (begun, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        pool.run(Work::Lookup(Box::new(move || {
            begun.send(()).unwrap();
            let _ = released.recv();
        })));
        has_begun.recv().unwrap();
        pool.stop();
        drop(release);
    }

    #[test]
    fn work_after_the_stop_is_dropped() {
        let mut pool = ThreadPool::default();
        pool.stop();
        let (sender, receiver) = mpsc::channel::<()>();
        pool.run(job(move || sender.send(()).unwrap()));
        assert!(receiver.recv().is_err());
    }
}
