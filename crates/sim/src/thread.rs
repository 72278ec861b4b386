//! The simulated thread pool: when each job runs, and in what order.
//!
//! A job occupies a thread for a drawn time and does all its work at the end of it, in one moment. What it runs on is
//! the business of [`strand`](crate::strand).

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use ropewalk_core::driver::Job;

use crate::network::Network;
use crate::schedule::Happening;

/// The pool of a host.
pub(crate) struct Threads {
    limit: usize,
    busy: usize,
    waiting: VecDeque<(u64, Job)>,
    running: BTreeMap<u64, Job>,
    due: VecDeque<(u64, Job)>,
    /// How many wait for an answer of the reactor.
    pub(crate) blocked: usize,
    stopped: bool,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            limit: 10,
            busy: 0,
            waiting: VecDeque::new(),
            running: BTreeMap::new(),
            due: VecDeque::new(),
            blocked: 0,
            stopped: false,
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("limit", &self.limit)
            .field("busy", &self.busy)
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl Threads {
    /// Who waits for what, for a deadlock's report.
    pub(crate) fn waiting(&self) -> Vec<String> {
        let counts = [
            (self.waiting.len(), "wait for a thread"),
            (self.blocked, "wait for an answer of the reactor"),
        ];
        let some = counts.into_iter().filter(|&(count, _)| count > 0);
        some.map(|(count, what)| format!("jobs {what}: {count}"))
            .collect()
    }
}

impl Network {
    /// The least that a job takes.
    const JOB_TIME: Duration = Duration::from_micros(100);

    /// Gives a job to the pool; one that was stopped drops it.
    pub(crate) fn run_in_thread(&mut self, host: usize, job: Job) {
        if self.hosts[host].threads.stopped {
            return;
        }
        self.serial += 1;
        let number = self.serial;
        self.note(host, format_args!("has job {number} for a thread"));
        self.hosts[host].threads.waiting.push_back((number, job));
        self.start_jobs(host);
    }

    /// At least 1.
    pub(crate) fn set_thread_limit(&mut self, host: usize, limit: usize) {
        self.hosts[host].threads.limit = limit.max(1);
        self.start_jobs(host);
    }

    fn start_jobs(&mut self, host: usize) {
        loop {
            let threads = &mut self.hosts[host].threads;
            if threads.busy >= threads.limit {
                return;
            }
            let Some((number, job)) = threads.waiting.pop_front() else {
                return;
            };
            threads.busy += 1;
            threads.running.insert(number, job);
            let late = self.random.duration(self.faults.thread_delay);
            self.plan(Self::JOB_TIME + late, Happening::Job { host, job: number });
        }
    }

    pub(crate) fn job_is_due(&mut self, host: usize, number: u64) {
        let threads = &mut self.hosts[host].threads;
        if let Some(job) = threads.running.remove(&number) {
            threads.due.push_back((number, job));
        }
    }

    /// A job that the driver runs now.
    pub(crate) fn take_job(&mut self, host: usize) -> Option<(u64, Job)> {
        let (number, job) = self.hosts[host].threads.due.pop_front()?;
        self.note(host, format_args!("runs job {number}"));
        Some((number, job))
    }

    /// Its thread is free.
    pub(crate) fn job_ended(&mut self, host: usize, number: u64) {
        self.note(host, format_args!("ended job {number}"));
        let threads = &mut self.hosts[host].threads;
        threads.busy = threads.busy.saturating_sub(1);
        self.start_jobs(host);
    }

    /// No job begins any more; those that have a thread are due at once.
    pub(crate) fn hurry_jobs(&mut self, host: usize) {
        self.note(host, format_args!("stops its threads"));
        let threads = &mut self.hosts[host].threads;
        threads.stopped = true;
        threads.waiting.clear();
        let running = std::mem::take(&mut threads.running);
        threads.due.extend(running);
    }
}
