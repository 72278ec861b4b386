//! The `ropewalk` command, as a library: a program of one's own gets all of it, with its services added.
//!
//! ```no_run
//! # use std::process::ExitCode;
//! # struct MyPlugin;
//! # impl ropewalk_cli::Plugin for MyPlugin {
//! #     fn command(&self) -> clap::Command { clap::Command::new("mine") }
//! #     fn start(&self, _: &clap::ArgMatches, _: &mut ropewalk_cli::Setup) -> Result<(), ropewalk::Failure> { Ok(()) }
//! # }
//! fn main() -> ExitCode {
//!     ropewalk_cli::command().plugin(MyPlugin).run()
//! }
//! ```
//!
//! [`Command`] is the whole, [`Plugin`] what one adds, [`Setup`] what a plugin works with. What they share is the life of a
//! process: log, pid file, background, user, and the service manager that wants to know.

mod about;
mod application;
mod chat;
mod command;
mod daemon;
mod last_port;
mod life;
mod log;
mod notify;
mod plugin;
#[cfg(test)]
mod scratch;
mod servers;
mod setup;
mod watchdog;
mod web;
mod websocket;

pub use clap;

pub use self::command::Command;
pub use self::daemon::{DaemonOptions, Umask};
pub use self::log::{LogFormat, LogOptions, Rotation};
pub use self::plugin::Plugin;
pub use self::setup::Setup;
pub use self::watchdog::{Times, WatchdogOptions};

/// The `ropewalk` command with all of its subcommands, to which others can be added.
#[must_use]
pub fn command() -> Command {
    Command::new("ropewalk")
        .changed(|clap| {
            clap.version(env!("CARGO_PKG_VERSION"))
                .about(ABOUT)
                .long_about(LONG_ABOUT)
                .after_help(EXAMPLES)
        })
        .serving(chat::start)
        .serving(servers::Echo::start)
        .serving(servers::Discard::start)
        .serving(servers::Chargen::start)
        .serving(servers::Daytime::start)
        .serving(servers::forward)
        .serving(servers::procmon)
        .serving(web::Web::start)
        .plugin(websocket::Tools)
}

const ABOUT: &str =
    "An event-driven networking engine, as a command: servers that are useful as they are";

const LONG_ABOUT: &str = "\
An event-driven networking engine, as a command: servers that are useful as they are.

Endpoints say where: tcp:127.0.0.1:8000 is port 8000 of this machine alone, tcp:0.0.0.0:8000 can be reached from elsewhere, \
tcp:[::1]:8000 is IPv6, and port 0 picks a free port. Each server prints `listening on …` once it can be reached, and runs \
until Ctrl-C. It then lets work in flight finish, for 8 s at most; a second Ctrl-C ends it at once.";

const EXAMPLES: &str = "\
Examples:
  ropewalk chat                       a chat at http://127.0.0.1:8080/
  nc 127.0.0.1 8001                   joins it from a terminal
  ropewalk chat --history chat.db     remembers what was said
  ropewalk echo tcp:127.0.0.1:8000    sends back what it gets
  ropewalk forward tcp:127.0.0.1:8080 tcp:intranet:80
                                      passes port 8080 on to another machine
  ropewalk procmon 'worker --fast'    keeps a program running
  ropewalk web                        serves this folder at http://127.0.0.1:8080/
  ropewalk run chat.toml              what a file says; `ropewalk run --help`
                                      shows one

As a daemon, with a log that begins anew every day, as somebody harmless:
  ropewalk --daemon --pidfile /run/chat.pid \\
           --log-file /var/log/chat.log --log-rotate daily \\
           --user nobody chat tcp:0.0.0.0:7000

`ropewalk COMMAND --help` says more of each. The log goes to stderr; --log-level debug shows more of it.";
