//! Keeps programs running: a service.
//!
//! ```text
//!   ProcessMonitor, a Service ── Keeper: which run, and when one is started again ── spawn_process
//!                                   ▲                                                    │
//!                                   └── started, exited ── Logged ◄── what it writes ────┘
//! ```

mod keeper;
mod logged;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use self::keeper::Keeper;
use super::Spawn;
use crate::deferred::{Deferred, Settled, gather_results};
use crate::handle::Handle;
use crate::service::{Grace, NameTaken, Service};

/// A service that runs programs, starts each again when it exits, and logs what they write line by line.
///
/// One that lived longer than the [threshold](MonitorOptions::threshold) is started again at once; one that died sooner
/// waits, twice as long each time. Unlike Twisted's, which waits until all pipes have ended, it goes by the exit: a
/// grandchild that was left behind with a pipe does not keep the program from being started again.
///
/// A stop asks each to end (SIGTERM), kills what is left after a while, and waits for all. Cheap to clone; every clone is the
/// same monitor.
///
/// ```
/// use ropewalk_core::process::{MonitorOptions, ProcessMonitor, Spawn};
///
/// let monitor = ProcessMonitor::new(MonitorOptions::default());
/// monitor.add_process("worker", Spawn::new("worker").arg("--queue=mail").null(0))?;
/// assert!(monitor.add_process("worker", Spawn::new("other")).is_err());
/// # Ok::<(), ropewalk_core::service::NameTaken>(())
/// ```
#[derive(Clone)]
pub struct ProcessMonitor(Rc<Keeper>);

/// The times of a [`ProcessMonitor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonitorOptions {
    /// Who lives longer is started again at once: 1 s.
    pub threshold: Duration,
    /// How long one may take to end before it is killed: 5 s.
    pub kill_time: Duration,
    /// How long the first restart of one that died too soon waits: 1 s.
    pub min_restart_delay: Duration,
    /// The longest such wait: 1 h. Stops a program that cannot run from using up the machine, and its log.
    pub max_restart_delay: Duration,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        Self {
            threshold: Duration::from_secs(1),
            kill_time: Duration::from_secs(5),
            min_restart_delay: Duration::from_secs(1),
            max_restart_delay: Duration::from_secs(3600),
        }
    }
}

impl ProcessMonitor {
    /// A monitor of nothing yet.
    #[must_use]
    pub fn new(options: MonitorOptions) -> Self {
        Self(Rc::new(Keeper::new(options)))
    }

    /// Adds a program under a name that is used in the log. It is started soon, if the monitor is.
    ///
    /// # Errors
    ///
    /// There is one of that name.
    #[doc(alias = "addProcess")]
    pub fn add_process(&self, name: impl Into<String>, spawn: Spawn) -> Result<(), NameTaken> {
        self.0.add(name.into(), spawn.kill_at_stop())
    }

    /// Stops a program and forgets it; `false` if there is none of that name.
    #[doc(alias = "removeProcess")]
    pub fn remove_process(&self, name: &str) -> bool {
        self.0.end(name);
        self.0.forget(name)
    }

    /// Asks a program to end, and kills it if it does not in time. As it is watched, it is then started again.
    #[doc(alias = "stopProcess")]
    pub fn stop_process(&self, name: &str) {
        self.0.end(name);
    }

    /// Ends every program, to be started again: for new versions of them.
    #[doc(alias = "restartAll")]
    pub fn restart_all(&self) {
        for name in self.names() {
            self.0.end(&name);
        }
    }

    /// The names of what is watched.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.names()
    }

    /// The number of a program's process, while it runs.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.0.pid(name)
    }
}

impl Service for ProcessMonitor {
    /// Fails if one of the programs cannot be started; the others are then ended.
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        self.0.begin(handle);
        let names = self.names();
        let launched: Vec<_> = names
            .iter()
            .filter_map(|name| self.0.launch(name, handle))
            .collect();
        let (keeper, own) = (Rc::clone(&self.0), handle.clone());
        gather_results(handle, launched).add_both(move |result| match result {
            Ok(_) => Settled::Now(Ok(())),
            Err(failure) => Settled::Later(keeper.stop(&own).add_both(|_| Err(failure))),
        })
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        self.0.stop(handle)
    }

    /// A little more than it takes to kill one.
    fn grace(&self) -> Option<Grace> {
        let soft = self.0.options().kill_time + Duration::from_secs(1);
        Some(Grace::new(soft))
    }
}

impl fmt::Debug for ProcessMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProcessMonitor({:?})", self.names())
    }
}
