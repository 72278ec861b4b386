//! Logging: which events, as lines in which nothing obeys a stranger.
//!
//! For: programs that log to stderr in one line of code ([`log_to_stderr`]), and those that set up `tracing` themselves and
//! want the same levels and the same safe text. Not for: log files, their rotation and syslog, which are the command's
//! (`ropewalk-cli`).

#![cfg(feature = "log")]

mod levels;
mod text;

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use levels::{Levels, LevelsError};
pub use text::EscapedFields;

/// Logs to stderr from now on: what `RUST_LOG` asks for (see [`Levels`]), or everything from level `info` on. Does nothing
/// if a subscriber is installed already.
///
/// Control bytes in what is logged are escaped, so that no peer writes lines of its own or moves the cursor of who reads
/// them. A line that cannot be written is dropped: a full disk or a closed terminal stops no service.
pub fn log_to_stderr() {
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(EscapedFields)
        .with_writer(Stderr)
        .with_ansi(io::stderr().is_terminal());
    let subscriber = tracing_subscriber::registry()
        .with(Levels::from_env().into_filter())
        .with(lines);
    let _another_is_installed = subscriber.try_init();
}

/// Stderr, as somewhere that always takes what is written.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _nobody_to_tell = io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}
