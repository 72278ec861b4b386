//! `procmon`: keeps programs running.

use std::path::Path;
use std::time::Duration;

use clap::Parser;
use ropewalk::Failure;
use ropewalk::endpoint::Value;
use ropewalk::process::{MonitorOptions, ProcessMonitor, Spawn};

use crate::setup::Setup;

/// Keeps programs running, and logs what they write
#[derive(Parser)]
#[command(
    name = "procmon",
    after_help = "\
A program that lived longer than the threshold is started again at once; one that died sooner waits, twice as long each \
time. Each line that it writes to stdout is logged as info, to stderr as a warning, with its name. At a stop each gets SIGTERM, \
and after the kill time SIGKILL.

A COMMAND is cut into words as a shell would, quotes included, but no shell reads it: for pipes and variables say so.

Examples:
  ropewalk procmon 'worker --queue mail' 'worker --queue news'
  ropewalk procmon \"sh -c 'tail -F /var/log/mail.log | alert'\"
  ropewalk --daemon --pidfile /run/workers.pid procmon --kill-time 60 '/usr/local/bin/worker'"
)]
pub(crate) struct Procmon {
    /// A program and its arguments, as one word
    #[arg(value_name = "COMMAND", required = true, value_parser = command)]
    commands: Vec<Words>,
    /// How long a program must live to be started again at once, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    threshold: Duration,
    /// How long a program may take to end, before it is killed, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    kill_time: Duration,
    /// How long the first restart of one that died too soon waits, in seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    min_restart_delay: Duration,
    /// The longest such wait, in seconds
    #[arg(short = 'M', long, value_name = "SECONDS", default_value = "3600", value_parser = seconds)]
    max_restart_delay: Duration,
}

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Words {
    program: String,
    arguments: Vec<String>,
}

fn command(text: &str) -> Result<Words, String> {
    let words =
        shlex::split(text).ok_or("a quote is not closed, or a backslash stands at the end")?;
    let mut words = words.into_iter();
    match words.next() {
        Some(program) if !program.is_empty() => Ok(Words {
            program,
            arguments: words.collect(),
        }),
        _ => Err("it must name a program".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    Duration::from_text(text).ok_or_else(|| format!("it must be {}", Duration::MEANING))
}

pub(crate) fn procmon(options: Procmon, setup: &mut Setup) -> Result<(), Failure> {
    if options.max_restart_delay < options.min_restart_delay {
        return Err(Failure::message(
            "--max-restart-delay must not be shorter than --min-restart-delay",
        ));
    }
    let monitor = ProcessMonitor::new(MonitorOptions {
        threshold: options.threshold,
        kill_time: options.kill_time,
        min_restart_delay: options.min_restart_delay,
        max_restart_delay: options.max_restart_delay,
    });
    for words in options.commands {
        let name = free_name(&monitor, &words.program);
        let spawn = Spawn::new(words.program).args(words.arguments).null(0);
        monitor.add_process(name, spawn)?;
    }
    setup.say(format_args!("monitoring {}", monitor.names().join(", ")));
    setup.add("procmon", monitor)
}

/// The program's own, with a number from the second on.
fn free_name(monitor: &ProcessMonitor, program: &str) -> String {
    let base = Path::new(program).file_name();
    let base = base.map_or_else(|| program.into(), |name| name.to_string_lossy());
    let taken = monitor.names();
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.to_string())
        .chain(numbered)
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_cut_as_a_shell_would() {
        let words = command(r#"sh -c 'echo "a b"' \ x"#).unwrap();
        assert_eq!(words.program, "sh");
        assert_eq!(words.arguments, ["-c", "echo \"a b\"", " x"]);
        for wrong in ["", "  ", "''", "a 'b", "a \\"] {
            assert!(command(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn two_of_a_name_are_told_apart() {
        let monitor = ProcessMonitor::new(MonitorOptions::default());
        for name in ["true", "true-2", "true-3"] {
            let free = free_name(&monitor, "/bin/true");
            assert_eq!(free, name);
            monitor.add_process(free, Spawn::new("true")).unwrap();
        }
    }
}
