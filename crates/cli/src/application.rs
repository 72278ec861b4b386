//! Applications in a file: services, log, process and shutdown in TOML.
//!
//! ```toml
//! [[service]]
//! type = "chat"                       # a subcommand that serves, such as "websocket echo"
//! name = "lobby"                      # the type, unless several are of it
//! endpoint = "tcp:127.0.0.1:8001"     # or endpoints = ["…", "…"]; other keys are the subcommand's options
//! [service.limits]
//! connections = 1000
//!
//! [log]
//! file = "chat.log"
//! [daemon]
//! pidfile = "chat.pid"
//! [shutdown]
//! soft = 8                            # seconds
//! ```
//!
//! A file is either right as a whole, or all that is wrong with it is told, each with its line and column.
//!
//! ```text
//!   text ─ TOML ─► Document ─ tables, key by key ─► options, and ServiceEntries ─ arguments ─► plugins ─► services
//! ```

mod document;
mod entry;
mod keys;
mod sections;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::Parser;
use ropewalk::{Failure, Handle};

use self::document::Document;
use self::entry::ServiceEntry;
use self::sections::Sections;
use crate::daemon::{DaemonOptions, Identity};
use crate::life::Plan;
use crate::log::LogOptions;
use crate::plugin::Plugin;
use crate::watchdog::WatchdogOptions;

/// Serves what a file says
#[derive(Parser)]
#[command(after_help = RUN_HELP)]
pub(crate) struct Run {
    /// The file, in TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Says whether a file is right, and all that is wrong with it; reads its certificates, opens no port
#[derive(Parser)]
#[command(after_help = RUN_HELP)]
pub(crate) struct Check {
    /// The file, in TOML
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

const RUN_HELP: &str = "\
A file, all of it but the services optional:
  [[service]]
  type = \"chat\"                        a subcommand that serves, such as \"websocket echo\"
  name = \"lobby\"                       needed if several are of one type
  endpoint = \"tcp:127.0.0.1:8001\"      or endpoints = [\"…\", \"…\"]; the subcommand's options are keys too
  [service.limits]
  connections = 1000                   also connections_per_peer, high_water_bytes, outgoing_bytes,
  idle = 300                           and in seconds idle, write_stall, handshake

  [log]                                file, format, level, rotate, keep, syslog: as the options --log-…
  file = \"chat.log\"
  [daemon]                             daemon, pidfile, rundir, umask, user, group, chroot: as the options
  pidfile = \"chat.pid\"
  [shutdown]                           seconds until work in flight is cancelled, and cut off
  soft = 8
  hard = 9
  [watchdog]                           seconds, or false: as --watchdog
  slow = 0.1                           also stuck and abort

Options on the command line come before those of the file.

Examples:
  ropewalk check chat.toml && ropewalk run chat.toml
  ropewalk run chat.toml --log-level debug";

/// A file that was read.
pub(crate) struct ApplicationFile {
    sections: Sections,
    services: Vec<ServiceEntry>,
    document: Document,
}

impl Run {
    pub(crate) fn read(&self) -> Result<ApplicationFile, Failure> {
        ApplicationFile::read(&self.file)
    }
}

impl Check {
    /// Tells that the file is right.
    ///
    /// # Errors
    ///
    /// It is not: all that is wrong, a line each.
    pub(crate) fn check(&self, plugins: &[Box<dyn Plugin>]) -> Result<(), Failure> {
        let file = ApplicationFile::read(&self.file)?;
        let reactor = ropewalk::reactor()?;
        let daemon = file.sections.daemon.clone();
        if let Err(failure) = Identity::look_up(daemon.user.as_deref(), daemon.group.as_deref()) {
            file.document.complain(0..0, failure);
        }
        if let Some(folder) = &daemon.rundir {
            // Paths are meant from there.
            if let Err(error) = std::env::set_current_dir(folder) {
                let message = format_args!("the folder {folder:?} of \"rundir\": {error}");
                file.document.complain(0..0, message);
            }
        }
        let mut plan = Plan::new(String::new(), file.sections.grace);
        plan.is_check = true;
        let plan = file.fill(plan, plugins, &reactor.handle())?;
        let names = plan.application.services().names().join(", ");
        let path = self.file.display();
        Ok(ropewalk::say(format_args!(
            "{path} is right; services: {names}"
        ))?)
    }
}

impl ApplicationFile {
    /// Reads a file. What is wrong with it is told by [`plan`](Self::plan), all at once; but what is no TOML has no plan.
    fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::message(format!("the file {path:?} cannot be read: {error}"))
        })?;
        let document = Document::new(path.display().to_string(), text);
        let (sections, services) = document.read(|keys| {
            let sections = Sections::take(keys);
            (sections, ServiceEntry::take_all(keys))
        })?;
        Ok(Self {
            sections,
            services,
            document,
        })
    }

    pub(crate) fn log(&self) -> LogOptions {
        self.sections.log.clone()
    }

    pub(crate) fn watchdog(&self) -> WatchdogOptions {
        self.sections.watchdog
    }

    pub(crate) fn daemon(&self) -> DaemonOptions {
        self.sections.daemon.clone()
    }

    /// What to run.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file, a line each.
    pub(crate) fn plan(
        &self,
        name: String,
        plugins: &[Box<dyn Plugin>],
        reactor: &Handle,
    ) -> Result<Plan, Failure> {
        let mut plan = Plan::new(name, self.sections.grace);
        plan.names_services = true;
        self.fill(plan, plugins, reactor)
    }

    fn fill(
        &self,
        mut plan: Plan,
        plugins: &[Box<dyn Plugin>],
        reactor: &Handle,
    ) -> Result<Plan, Failure> {
        for service in &self.services {
            service.add_to(&mut plan, plugins, reactor, &self.document);
        }
        if self.services.is_empty() && self.document.is_right() {
            let message = "there is no [[service]], so there is nothing to run";
            self.document.complain(0..0, message);
        }
        self.document.outcome()?;
        Ok(plan)
    }
}

/// A way to say what is wrong, that can be kept beside what is right.
type Complaints = Rc<std::cell::RefCell<Vec<document::Complaint>>>;
