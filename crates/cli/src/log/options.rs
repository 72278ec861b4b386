//! What can be said of the log, on the command line and in a file.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use ropewalk::Failure;
use ropewalk::log::Levels;

use super::file::LogFile;
use super::sink::Sink;
use super::syslog::Syslog;

/// Where the log goes and what is in it.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Log")]
pub struct LogOptions {
    /// Log to this file instead of stderr; SIGHUP opens it anew
    #[arg(long, visible_alias = "logfile", value_name = "PATH")]
    #[arg(global = true, hide_short_help = true)]
    pub log_file: Option<PathBuf>,
    /// Lines for people, or a JSON object per line for programs
    #[arg(long, value_name = "FORMAT", value_enum)]
    #[arg(global = true, hide_short_help = true)]
    pub log_format: Option<LogFormat>,
    /// From which level on: error, warn, info, debug, trace or off; with commas also per target, as in
    /// info,ropewalk_core=debug [default: RUST_LOG, else info]
    #[arg(long, value_name = "LEVELS")]
    #[arg(global = true, hide_short_help = true)]
    pub log_level: Option<Levels>,
    /// Begin a new log file by size (size=10M) or day (daily, in UTC); old ones become PATH.1, PATH.2 …
    #[arg(long, value_name = "WHEN")]
    #[arg(global = true, hide_short_help = true)]
    pub log_rotate: Option<Rotation>,
    /// How many old log files are kept [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    #[arg(global = true, hide_short_help = true)]
    pub log_keep: Option<u32>,
    /// Log to the system's log, through its socket [default: /dev/log]
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "/dev/log")]
    #[arg(global = true, hide_short_help = true)]
    pub syslog: Option<PathBuf>,
}

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, with `timestamp`, `level`, `target`, `fields` and, inside of connections, `span`.
    Json,
}

/// When a new log file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Before it would have more bytes than these.
    Size(u64),
    /// With the first line of a day, by UTC.
    Daily,
}

const KEPT: u32 = 10;

impl LogOptions {
    /// These options, and where they say nothing, those.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            log_file: self.log_file.or(other.log_file),
            log_format: self.log_format.or(other.log_format),
            log_level: self.log_level.or(other.log_level),
            log_rotate: self.log_rotate.or(other.log_rotate),
            log_keep: self.log_keep.or(other.log_keep),
            syslog: self.syslog.or(other.syslog),
        }
    }

    /// What a tool logs that is told nothing.
    pub(crate) fn of_tool() -> Self {
        let is_told = std::env::var_os("RUST_LOG").is_some();
        let warnings = || Levels::from_str("warn").expect("it is a level");
        Self {
            log_level: (!is_told).then(warnings),
            ..Self::default()
        }
    }

    pub(crate) fn format(&self) -> LogFormat {
        self.log_format.unwrap_or_default()
    }

    /// Whether the log goes anywhere but stderr.
    pub(crate) fn names_a_place(&self) -> bool {
        self.log_file.is_some() || self.syslog.is_some()
    }

    /// A daemon's log goes to this file unless it was told otherwise.
    pub(crate) fn for_daemon(self, file: &Path) -> Self {
        if self.names_a_place() {
            return self;
        }
        Self {
            log_file: Some(file.to_owned()),
            ..self
        }
    }

    /// Whether what is said goes together.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.log_file.is_none() && (self.log_rotate.is_some() || self.log_keep.is_some()) {
            return Err(Failure::message(
                "--log-rotate and --log-keep are about a log file: say which with --log-file PATH",
            ));
        }
        Ok(())
    }

    pub(super) fn sinks(&self) -> Result<Vec<Sink>, Failure> {
        self.check()?;
        let mut sinks = Vec::new();
        if let Some(path) = &self.log_file {
            let keep = self.log_keep.unwrap_or(KEPT);
            let file = LogFile::open(path, self.log_rotate, keep).map_err(|error| {
                Failure::message(format!("the log file {path:?} cannot be opened: {error}"))
            })?;
            sinks.push(Sink::file(file));
        }
        if let Some(socket) = &self.syslog {
            let syslog = Syslog::connect(socket).map_err(|error| {
                Failure::message(format!("there is no system log at {socket:?}: {error}"))
            })?;
            sinks.push(Sink::syslog(syslog));
        }
        if sinks.is_empty() {
            sinks.push(Sink::stderr());
        }
        Ok(sinks)
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        clap::ValueEnum::from_str(text, false).map_err(|_| "must be text or json".to_owned())
    }
}

impl FromStr for Rotation {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "daily" {
            return Ok(Self::Daily);
        }
        let size = text.strip_prefix("size=").and_then(bytes);
        size.map(Self::Size)
            .ok_or("must be daily, or a size from 1K on, such as size=10M")
    }
}

/// A number of bytes with K, M or G; fewer than 1 KiB would rename files all day.
fn bytes(text: &str) -> Option<u64> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        None => (text, 0),
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
    };
    let number: u64 = digits.parse().ok()?;
    let bytes = number.checked_mul(1 << shift)?;
    (bytes >= 1 << 10).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_a_size_or_daily() {
        for (text, rotation) in [
            ("daily", Rotation::Daily),
            ("size=1024", Rotation::Size(1024)),
            ("size=10M", Rotation::Size(10 << 20)),
            ("size=2G", Rotation::Size(2 << 30)),
        ] {
            assert_eq!(text.parse(), Ok(rotation));
        }
        for wrong in [
            "",
            "weekly",
            "size",
            "size=",
            "size=0",
            "size=-1",
            "size=10X",
            "size=9",
            "size=99999999999999999999",
            "size=99999999999G",
        ] {
            assert!(wrong.parse::<Rotation>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rotation_without_a_file_is_refused() {
        let options = LogOptions {
            log_rotate: Some(Rotation::Daily),
            ..LogOptions::default()
        };
        let error = options.sinks().err().unwrap().to_string();
        assert!(error.contains("--log-file"), "{error}");
    }
}
