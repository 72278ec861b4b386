//! The life of a process that serves, from its options to its exit status.
//!
//! ```text
//!   into the background ─ folder, umask ─ log ─ who to become ─ pid file ─ service manager
//!     ─ the subcommand opens its ports ─ chroot ─ user ─ "listening on …" ─ ready ─ the reactor runs ─ stopped
//! ```
//!
//! Whatever fails before "ready" undoes what was done, is one line on stderr, and status 1.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, chroot};
use ropewalk::{Failure, Phase, Reactor, timer::LoopingCall};

use crate::daemon::{DaemonOptions, Detached, Identity, PidFile, Starter, Umask, detach};
use crate::log::{Log, LogOptions};
use crate::notify::Manager;
use crate::setup::Setup;

/// How a process lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) name: String,
    pub(crate) log: LogOptions,
    pub(crate) daemon: DaemonOptions,
}

impl Life {
    /// Serves what the function sets up until the process is stopped.
    ///
    /// # Errors
    ///
    /// It cannot be served, or not as whom and where the options say.
    pub(crate) fn live(
        self,
        start: impl FnOnce(&mut Setup) -> Result<(), Failure>,
    ) -> Result<ExitCode, Failure> {
        let starter = match self.daemon.daemon.then(detach).transpose()? {
            Some(Detached::Parent(status)) => return Ok(status),
            Some(Detached::Child(starter)) => Some(starter),
            None => None,
        };
        self.settle_in()?;
        let log = Rc::new(Log::open(&self.log_options())?);
        let outcome = self.serve(&log, starter, start);
        if let (Err(failure), false) = (&outcome, log.is_on_stderr()) {
            tracing::error!(%failure, "the service ends");
        }
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn settle_in(&self) -> Result<(), Failure> {
        if let Some(folder) = &self.daemon.rundir {
            chdir(folder).map_err(|error| wrong("--rundir", folder, &error))?;
        }
        if let Some(Umask(mode)) = self.daemon.umask() {
            umask(Mode::from_bits_truncate(mode as nix::libc::mode_t));
        }
        Ok(())
    }

    fn log_options(&self) -> LogOptions {
        if !self.daemon.daemon {
            return self.log.clone();
        }
        let name = format!("{}.log", self.name);
        self.log.clone().for_daemon(Path::new(&name))
    }

    fn serve(
        &self,
        log: &Rc<Log>,
        starter: Option<Starter>,
        start: impl FnOnce(&mut Setup) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let daemon = &self.daemon;
        let identity = Identity::look_up(daemon.user.as_deref(), daemon.group.as_deref())?;
        let mut pid_file = daemon.pidfile.as_deref().map(PidFile::claim).transpose()?;
        let manager = Rc::new(Manager::from_env()?);
        let mut setup = Setup::new(ropewalk::reactor()?);
        start(&mut setup)?;
        if let Some(root) = &daemon.chroot {
            let root = enter(root)?;
            log.move_root(&root);
            pid_file.iter_mut().for_each(|file| file.move_root(&root));
        }
        if let Some(identity) = &identity {
            identity.assume()?;
        }
        attend(setup.reactor(), log, &manager);
        announce(&mut setup, starter)?;
        manager.ready();
        tracing::info!(pid = std::process::id(), "{} serves", self.name);
        setup.reactor().run()?;
        drop(setup);
        tracing::info!("{} has stopped", self.name);
        Ok(())
    }
}

/// What goes on beside the service.
fn attend(reactor: &Reactor, log: &Rc<Log>, manager: &Rc<Manager>) {
    let (log, told) = (Rc::clone(log), Rc::clone(manager));
    reactor.on_hangup(move |_| {
        told.reloading();
        log.reopen();
        tracing::info!("SIGHUP: the log is open anew");
        told.ready();
    });
    let told = Rc::clone(manager);
    reactor.add_trigger(Phase::BeforeShutdown, move |_| told.stopping());
    if let Some(interval) = manager.watch_interval() {
        // From the reactor itself: one that is stuck says nothing.
        let told = Rc::clone(manager);
        let _runs_to_the_end = LoopingCall::new(reactor, move || told.lives()).start(interval);
    }
}

/// Says that it serves, to those who read and to the one that waits.
fn announce(setup: &mut Setup, starter: Option<Starter>) -> Result<(), Failure> {
    let (lines, hints) = setup.take_words();
    lines.iter().try_for_each(ropewalk::say)?;
    for hint in hints {
        // If nobody sees stderr, nobody needs the hint.
        let _ = writeln!(io::stderr(), "{hint}");
    }
    starter.map_or(Ok(()), Starter::serves)
}

/// Gives the root's name as it was seen from outside.
fn enter(root: &Path) -> Result<std::path::PathBuf, Failure> {
    let outside = root
        .canonicalize()
        .map_err(|error| wrong("--chroot", root, &error))?;
    chroot(&outside)
        .and_then(|()| chdir("/"))
        .map_err(|error| wrong("--chroot", root, &error))?;
    Ok(outside)
}

fn wrong(option: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::message(format!(
        "cannot go to the folder {path:?} ({option}): {error}"
    ))
}
