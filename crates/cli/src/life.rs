//! The life of a process that serves, from its options to its exit status.
//!
//! ```text
//!   into the background ─ folder, umask ─ log ─ who to become ─ pid file ─ service manager
//!     ─ the reactor starts: ports ─ chroot, user ─ the other services ─ "listening on …", ready ─ … ─ stopped
//! ```
//!
//! Whatever fails before "ready" undoes what was done, is one line on stderr, and status 1.

use std::cell::RefCell;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, chroot};
use ropewalk::deferred::FirstError;
use ropewalk::service::{Application, Grace, ServiceError};
use ropewalk::timer::LoopingCall;
use ropewalk::{Exit, Failure, Handle, Phase, Reactor};
use signal_hook::{consts::SIGXFSZ, flag};

use crate::daemon::{DaemonOptions, Detached, Identity, PidFile, Starter, Umask, detach};
use crate::log::{Log, LogFormat, LogOptions};
use crate::notify::Manager;
use crate::setup::{Manner, Setup, Words};
use crate::watchdog::WatchdogOptions;

/// The last service of all.
const READY: &str = "ready";

/// How a process lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    pub(crate) name: String,
    pub(crate) log: LogOptions,
    pub(crate) daemon: DaemonOptions,
    pub(crate) watchdog: WatchdogOptions,
}

/// What a process does.
pub(crate) struct Plan {
    pub(crate) application: Application,
    grace: Grace,
    pub(crate) words: Rc<Words>,
    /// Whether the names of services mean something to who started the process.
    pub(crate) names_services: bool,
    /// Whether it is only looked at: files that services read when they start are read when they are added.
    pub(crate) is_check: bool,
    /// Whether paths mean now what they will mean when services start: not if the root changes in between.
    pub(crate) keeps_root: bool,
}

impl Plan {
    pub(crate) fn new(name: String, grace: Grace) -> Self {
        Self {
            application: Application::new(name).with_grace(grace),
            grace,
            words: Rc::default(),
            names_services: false,
            is_check: false,
            keeps_root: false,
        }
    }

    /// Whether a name is in use, be it by ourselves.
    pub(crate) fn has(&self, name: &str) -> bool {
        name == READY || self.application.services().has(name)
    }

    /// Adds what a subcommand sets up, under a name that no other has.
    pub(crate) fn add(
        &mut self,
        reactor: &Handle,
        name: &str,
        manner: Manner,
        start: impl FnOnce(&mut Setup) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let setup = Setup::in_manner(reactor, manner, Rc::clone(&self.words));
        let mut setup = setup.checking(self.is_check).in_root(self.keeps_root);
        start(&mut setup)?;
        let services = setup.services().clone().with_grace(self.grace);
        let hard = self.grace.hard.max(setup.longest_stop());
        self.grace = self.grace.with_hard(hard);
        let application = self.application.clone().with_grace(self.grace);
        self.application = application.with(name.to_owned(), services);
        Ok(())
    }

    /// A failure as those see it who know the subcommand, or the names in their file, and nothing of what is within.
    fn explain(&self, failure: Failure) -> Failure {
        let mut error: &(dyn Error + 'static) = failure.error();
        let mut name = None;
        loop {
            if let Some(service) = error.downcast_ref::<ServiceError>() {
                name = name.or(Some(service.name()));
                error = service.source().unwrap_or(error);
            } else if let Some(first) = error.downcast_ref::<FirstError>() {
                error = first.failure.error();
            } else {
                break;
            }
        }
        match name {
            None => failure,
            Some(_) if failure.find::<Exit>().is_some() => failure,
            Some(name) if self.names_services => {
                Failure::message(format!("service {name:?}: {error}"))
            }
            Some(_) => Failure::message(error),
        }
    }
}

impl Life {
    /// Serves what the plan says until the process is stopped.
    ///
    /// # Errors
    ///
    /// It cannot be served, or not as whom and where the options say.
    pub(crate) fn live(
        self,
        plan: impl FnOnce(&Handle) -> Result<Plan, Failure>,
    ) -> Result<ExitCode, Failure> {
        let starter = match self.daemon.daemon.then(detach).transpose()? {
            Some(Detached::Parent(status)) => return Ok(status),
            Some(Detached::Child(starter)) => Some(starter),
            None => None,
        };
        outlive_full_files()?;
        self.settle_in()?;
        let log = Rc::new(Log::open(&self.log_options())?);
        let outcome = self.serve(&log, starter, plan);
        if let (Err(failure), false) = (&outcome, log.is_on_stderr()) {
            tracing::error!(%failure, "the service ends");
        }
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn settle_in(&self) -> Result<(), Failure> {
        if let Some(folder) = &self.daemon.rundir {
            chdir(folder).map_err(|error| wrong("--rundir", folder, error))?;
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
        plan: impl FnOnce(&Handle) -> Result<Plan, Failure>,
    ) -> Result<(), Failure> {
        let privileged = Privileged::new(&self.daemon, log)?;
        let manager = Rc::new(Manager::from_env()?);
        let mut reactor = ropewalk::reactor()?;
        reactor.set_watchdog(self.watchdog.watchdog(manager.watch_interval()));
        let plan = plan(&reactor.handle())?;
        attend(&reactor, log, &manager);
        let has_hints = self.log.format() == LogFormat::Text || !log.is_on_stderr();
        let ready = ready(&reactor, &plan, has_hints, starter, &manager);
        let application = plan.application.clone().with(READY, ready);
        let failed = application.attach(&reactor);
        privileged.hook_into(&reactor, &failed);
        reactor.run()?;
        drop(reactor);
        if let Some(failure) = failed.take().or_else(|| plan.words.failure()) {
            return Err(plan.explain(failure));
        }
        tracing::info!("{} has stopped", self.name);
        Ok(())
    }
}

/// A file that reaches the limit of its size (`ulimit -f`) is an error for who writes it, such as a log or a history, and not the
/// end of the process: that SIGXFSZ would be, unless somebody catches it.
fn outlive_full_files() -> Result<(), Failure> {
    flag::register(SIGXFSZ, Arc::default())?;
    Ok(())
}

/// What is done with privileges, or to be rid of them.
struct Privileged {
    root: Option<PathBuf>,
    identity: Option<Identity>,
    pid_file: Option<PidFile>,
    log: Rc<Log>,
}

impl Privileged {
    fn new(options: &DaemonOptions, log: &Rc<Log>) -> Result<Self, Failure> {
        Ok(Self {
            identity: Identity::look_up(options.user.as_deref(), options.group.as_deref())?,
            root: options.chroot.clone(),
            pid_file: options.pidfile.as_deref().map(PidFile::claim).transpose()?,
            log: Rc::clone(log),
        })
    }

    /// Between the opening of the ports and the start of everything else. Lives as long as the reactor, and so does the pid
    /// file.
    fn hook_into(mut self, reactor: &Reactor, failed: &Rc<RefCell<Option<Failure>>>) {
        let failed = Rc::clone(failed);
        let kept = Rc::new(RefCell::new(None));
        let keep = Rc::clone(&kept);
        reactor.add_trigger(Phase::DuringStartup, move |handle| {
            if failed.borrow().is_none()
                && let Err(failure) = self.drop_privileges()
            {
                failed.replace(Some(failure));
                let _stops = handle.stop();
            }
            keep.replace(Some(self));
        });
        reactor.add_trigger(Phase::AfterShutdown, move |_| drop(kept.take()));
    }

    fn drop_privileges(&mut self) -> Result<(), Failure> {
        if let Some(root) = &self.root {
            let root = enter(root)?;
            self.log.move_root(&root);
            self.pid_file
                .iter_mut()
                .for_each(|file| file.move_root(&root));
        }
        self.identity.as_ref().map_or(Ok(()), Identity::assume)
    }
}

/// The last service to be started: says that all were.
fn ready(
    reactor: &Reactor,
    plan: &Plan,
    has_hints: bool,
    starter: Option<Starter>,
    manager: &Rc<Manager>,
) -> impl FnMut(&Handle) -> Result<(), Failure> + 'static {
    let (words, manager) = (Rc::clone(&plan.words), Rc::clone(manager));
    let (reactor, mut starter) = (reactor.handle(), starter);
    let name = plan.application.name().to_owned();
    move |_| {
        words.say(has_hints)?;
        starter.take().map_or(Ok(()), Starter::serves)?;
        manager.ready();
        keep_telling(&reactor, &manager);
        tracing::info!(pid = std::process::id(), "{name} serves");
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
    reactor.on_stopping(move |_| told.stopping());
}

/// From the reactor itself: one that is stuck says nothing.
fn keep_telling(reactor: &Handle, manager: &Rc<Manager>) {
    if let Some(interval) = manager.watch_interval() {
        let told = Rc::clone(manager);
        let _runs_to_the_end = LoopingCall::new(reactor, move || told.lives()).start(interval);
    }
}

/// Gives the root's name as it was seen from outside.
fn enter(root: &Path) -> Result<PathBuf, Failure> {
    let outside = root
        .canonicalize()
        .map_err(|error| wrong("--chroot", root, error))?;
    chroot(&outside)
        .and_then(|()| chdir("/"))
        .map_err(|error| wrong("--chroot", root, error))?;
    Ok(outside)
}

fn wrong(option: &str, path: &Path, error: impl Into<std::io::Error>) -> Failure {
    let error = error.into();
    Failure::message(format!(
        "cannot go to the folder {path:?} ({option}): {error}"
    ))
}
