//! The command as a whole: options that all subcommands share, the subcommands, and what can be said of them.

use std::process::ExitCode;

use clap::{ArgMatches, Args, FromArgMatches, Parser};
use ropewalk::service::Grace;
use ropewalk::{Exit, Failure, program};

use crate::about::{About, Completions, Manual};
use crate::application::{Check, Run};
use crate::daemon::DaemonOptions;
use crate::life::{Life, Plan};
use crate::log::LogOptions;
use crate::plugin::{Plugin, Serving};
use crate::setup::{Manner, Setup};
use crate::watchdog::WatchdogOptions;

/// A command with subcommands that serve, with options for log and process, completions and a manual page; in whose `main`
/// there is nothing else:
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use ropewalk::protocols::wire::Qotd;
///
/// /// Tells everybody the same
/// #[derive(clap::Parser)]
/// #[command(name = "quote")]
/// struct Quote {
///     /// Where to listen
///     #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8017")]
///     endpoints: Vec<String>,
/// }
///
/// fn main() -> ExitCode {
///     ropewalk_cli::command()
///         .serving(|quote: Quote, setup| {
///             setup.listen(quote.endpoints, || Qotd::new("Measure twice, cut once.\r\n"))?;
///             Ok(())
///         })
///         .run()
/// }
/// ```
pub struct Command {
    clap: clap::Command,
    plugins: Vec<Box<dyn Plugin>>,
}

/// The options of every subcommand.
#[derive(clap::Args)]
struct Shared {
    #[command(flatten)]
    log: LogOptions,
    #[command(flatten)]
    daemon: DaemonOptions,
    #[command(flatten)]
    watchdog: WatchdogOptions,
}

impl Command {
    /// A command without subcommands of ours that serve, for a program of another name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let clap = clap::Command::new(name)
            .subcommand_required(true)
            .arg_required_else_help(true);
        Self {
            clap: Shared::augment_args(clap),
            plugins: Vec::new(),
        }
        .changed(About::add_to)
    }

    /// Adds a subcommand. One of the same name that was there before is replaced.
    #[must_use]
    pub fn plugin(mut self, plugin: impl Plugin + 'static) -> Self {
        let command = plugin.command();
        let name = command.get_name().to_owned();
        self.plugins
            .retain(|plugin| plugin.command().get_name() != name);
        self.plugins.push(Box::new(plugin));
        match self.clap.find_subcommand(&name) {
            Some(_) => self.changed(|clap| clap.mut_subcommand(name, |_| command)),
            None => self.changed(|clap| clap.subcommand(command)),
        }
    }

    /// Adds a subcommand of the options' name, as a function that starts it.
    #[must_use]
    pub fn serving<O: Parser + 'static>(
        self,
        start: impl Fn(O, &mut Setup) -> Result<(), Failure> + 'static,
    ) -> Self {
        self.plugin(Serving::new(start))
    }

    /// What is said about the command itself: its version, its help, anything that [`clap::Command`] can say.
    #[must_use]
    pub fn changed(mut self, change: impl FnOnce(clap::Command) -> clap::Command) -> Self {
        self.clap = change(self.clap);
        self
    }

    /// Does what the process's arguments say, and gives its exit status: 0, or 1 after one line on stderr.
    #[must_use]
    pub fn run(self) -> ExitCode {
        match self.clap.clone().try_get_matches_from(std::env::args_os()) {
            Err(error) => program::explain(&error),
            Ok(matches) => match self.dispatch(&matches) {
                Ok(status) => status,
                Err(failure) => ropewalk::exit_code(Err(failure)),
            },
        }
    }

    fn dispatch(&self, matches: &ArgMatches) -> Result<ExitCode, Failure> {
        let Some((name, options)) = matches.subcommand() else {
            return Err(Failure::new(Exit(1)));
        };
        match name {
            "reactors" => crate::about::list_reactors()?,
            "completions" => Completions::from_arg_matches(options)?.print(&self.clap)?,
            "man" => Manual::from_arg_matches(options)?.print(&self.clap)?,
            "check" => Check::from_arg_matches(options)?.check(&self.plugins)?,
            "run" => return self.run_file(options),
            _ => return self.serve(name, options),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn run_file(&self, options: &ArgMatches) -> Result<ExitCode, Failure> {
        let shared = Shared::from_arg_matches(options)?;
        let file = Run::from_arg_matches(options)?.read()?;
        let name = self.clap.get_name().to_owned();
        let life = Life {
            name: name.clone(),
            log: shared.log.or(file.log()),
            daemon: shared.daemon.or(file.daemon()),
            watchdog: shared.watchdog.or(file.watchdog()),
        };
        life.live(|reactor| file.plan(name, &self.plugins, reactor))
    }

    fn serve(&self, name: &str, options: &ArgMatches) -> Result<ExitCode, Failure> {
        let mut plugins = self.plugins.iter();
        let plugin = plugins.find(|plugin| plugin.command().get_name() == name);
        let plugin = plugin.ok_or_else(|| Failure::message(format!("there is no {name:?}")))?;
        let shared = Shared::from_arg_matches(options)?;
        let log = match plugin.is_tool(options) {
            true => shared.log.or(LogOptions::of_tool()),
            false => shared.log,
        };
        let life = Life {
            name: self.clap.get_name().to_owned(),
            log,
            daemon: shared.daemon,
            watchdog: shared.watchdog,
        };
        let keeps_root = life.daemon.chroot.is_none();
        life.live(|reactor| {
            let mut plan = Plan::new(name.to_owned(), Grace::default());
            plan.keeps_root = keeps_root;
            plan.add(reactor, name, Manner::default(), |setup| {
                plugin.start(options, setup)
            })?;
            Ok(plan)
        })
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Command({})", self.clap.get_name())
    }
}
