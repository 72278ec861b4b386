//! Where the log goes: stderr, a file that rotates, syslog; as text or as JSON.
//!
//! ```text
//!   tracing ── levels ── text or JSON ── Sink ─► stderr, LogFile or Syslog
//!                                          └─ what cannot be written is counted, told once, and stops nothing
//! ```

mod file;
mod options;
mod sink;
mod syslog;

use std::io::{self, IsTerminal};
use std::time::Duration;

use ropewalk::Failure;
use ropewalk::log::{EscapedFields, Levels};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

pub(crate) use self::file::LogFile;
pub use self::options::{LogFormat, LogOptions, Rotation};
use self::sink::Sink;

/// How long the end of a process waits for who reads its stderr.
const LAST_LINES: Duration = Duration::from_millis(500);

/// The log of this process, once it is open.
pub(crate) struct Log {
    sinks: Vec<Sink>,
    to_stderr: bool,
}

impl Log {
    /// Opens everything that the options name, and logs there from now on.
    pub(crate) fn open(options: &LogOptions) -> Result<Self, Failure> {
        let sinks = options.sinks()?;
        let format = options.format();
        let layers: Vec<_> = sinks
            .iter()
            .map(|sink| layer(sink.clone(), format))
            .collect();
        let levels = options.log_level.clone().unwrap_or_else(Levels::from_env);
        let subscriber = tracing_subscriber::registry()
            .with(layers)
            .with(levels.into_filter());
        let _another_is_installed = subscriber.try_init();
        Ok(Self {
            to_stderr: !options.names_a_place(),
            sinks,
        })
    }

    /// Whether a person who looks at stderr sees the log.
    pub(crate) fn is_on_stderr(&self) -> bool {
        self.to_stderr
    }

    /// Opens files anew, by their names: whoever rotates them from outside has moved the old ones away.
    pub(crate) fn reopen(&self) {
        self.sinks.iter().for_each(Sink::reopen);
    }

    /// What the log is called by those who see another root from now on.
    pub(crate) fn move_root(&self, root: &std::path::Path) {
        self.sinks.iter().for_each(|sink| sink.move_root(root));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.sinks.iter().for_each(|sink| sink.flush(LAST_LINES));
    }
}

fn layer<S>(sink: Sink, format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is_bare = sink.adds_time_and_level();
    let is_colourful = sink.is_stderr() && io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(is_colourful)
        .with_level(!is_bare)
        .log_internal_errors(false)
        .with_writer(sink);
    match (format, is_bare) {
        (LogFormat::Json, _) => lines.json().with_level(true).boxed(),
        (LogFormat::Text, true) => lines.fmt_fields(EscapedFields).without_time().boxed(),
        (LogFormat::Text, false) => lines.fmt_fields(EscapedFields).boxed(),
    }
}
