//! The end of the log's way: takes every line, and says so when it cannot keep one.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ropewalk::log::Spool;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::file::LogFile;
use super::syslog::Syslog;

/// One place that the log goes to. A line that cannot be written is counted; the first is told on stderr; once a line can be
/// written again, the log itself says how many are missing.
#[derive(Clone)]
pub(super) struct Sink(Arc<Inner>);

struct Inner {
    place: Mutex<Place>,
    lost: AtomicU64,
    was_told: AtomicBool,
}

enum Place {
    Stderr(Spool),
    File(LogFile),
    Syslog(Syslog),
}

impl Sink {
    pub(super) fn stderr() -> Self {
        Self::new(Place::Stderr(Spool::stderr()))
    }

    pub(super) fn file(file: LogFile) -> Self {
        Self::new(Place::File(file))
    }

    pub(super) fn syslog(syslog: Syslog) -> Self {
        Self::new(Place::Syslog(syslog))
    }

    fn new(place: Place) -> Self {
        Self(Arc::new(Inner {
            place: Mutex::new(place),
            lost: AtomicU64::new(0),
            was_told: AtomicBool::new(false),
        }))
    }

    pub(super) fn is_stderr(&self) -> bool {
        matches!(*self.place(), Place::Stderr(_))
    }

    /// Whether whoever reads it sees time and level without our writing them.
    pub(super) fn adds_time_and_level(&self) -> bool {
        matches!(*self.place(), Place::Syslog(_))
    }

    pub(super) fn reopen(&self) {
        let outcome = match &mut *self.place() {
            Place::File(file) => file.reopen(),
            Place::Stderr(_) | Place::Syslog(_) => Ok(()),
        };
        if let Err(error) = outcome {
            tracing::error!(%error, "the log file cannot be opened anew; the old one is gone on with");
        }
    }

    pub(super) fn move_root(&self, root: &Path) {
        if let Place::File(file) = &mut *self.place() {
            file.move_root(root);
        }
    }

    /// Gives what waits for a reader a moment, before the end of the process.
    pub(super) fn flush(&self, longest: Duration) {
        let spool = match &*self.place() {
            Place::Stderr(spool) => spool.clone(),
            Place::File(_) | Place::Syslog(_) => return,
        };
        spool.flush(longest);
    }

    fn write_line(&self, level: Level, line: &[u8]) {
        let outcome = self.place().write_line(level, line);
        match outcome {
            Ok(None) => self.tell_what_was_lost(),
            Ok(Some(error)) => {
                tracing::error!(%error, "no new log file can be begun; the old one is gone on with");
            }
            Err(error) => {
                self.0.lost.fetch_add(1, Ordering::Relaxed);
                self.tell_once(&error);
            }
        }
    }

    /// The next line says it, on the same way as all: so not while the place is locked.
    fn tell_what_was_lost(&self) {
        if self.0.lost.load(Ordering::Relaxed) > 0 {
            let lines = self.0.lost.swap(0, Ordering::Relaxed);
            tracing::warn!(lines, "lines of the log could not be written");
        }
    }

    fn tell_once(&self, error: &io::Error) {
        // Where stderr itself takes nothing, nobody can be told.
        if !self.is_stderr() && !self.0.was_told.swap(true, Ordering::Relaxed) {
            let _nobody_to_tell = writeln!(
                io::stderr(),
                "{} cannot be written: {error}; what cannot be logged is counted, and the service goes on",
                self.place().name()
            );
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines {
            sink: self,
            level: Level::INFO,
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Lines<'a> {
        Lines {
            sink: self,
            level: *metadata.level(),
        }
    }
}

impl Place {
    /// Writes a line; what it may give is why a log file could not be rotated.
    fn write_line(&mut self, level: Level, line: &[u8]) -> io::Result<Option<io::Error>> {
        match self {
            Self::Stderr(spool) => spool.write_line(line).map(|()| None),
            Self::File(file) => file.write_line(line, SystemTime::now()),
            Self::Syslog(syslog) => syslog.write_line(level, line).map(|()| None),
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Stderr(_) => "the log on stderr".to_owned(),
            Self::File(file) => format!("the log file {:?}", file.path()),
            Self::Syslog(_) => "the system log".to_owned(),
        }
    }
}

/// Takes one line per write, as the formatter gives them.
pub(super) struct Lines<'a> {
    sink: &'a Sink,
    level: Level,
}

impl Write for Lines<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.sink.write_line(self.level, &escaped(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// JSON lets DEL and the controls from U+0080 to U+009F stand as they are; a terminal that shows the log would obey them. In
/// text they are escaped before.
fn escaped(line: &[u8]) -> Cow<'_, [u8]> {
    let is_control = |at: usize| match line[at..] {
        [0x7f, ..] => true,
        [0xc2, second, ..] => (0x80..=0x9f).contains(&second),
        _ => false,
    };
    if !(0..line.len()).any(is_control) {
        return Cow::Borrowed(line);
    }
    let escape = |c: char| match c {
        '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(c)),
        _ => c.to_string(),
    };
    let text = String::from_utf8_lossy(line);
    Cow::Owned(text.chars().map(escape).collect::<String>().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_that_json_allows_are_escaped() {
        let line = "{\"a\":\"\u{7f}b\u{85}é\u{9b}\u{a0}\"}\n";
        let escaped = escaped(line.as_bytes());
        assert_eq!(
            escaped,
            "{\"a\":\"\\u007fb\\u0085é\\u009b\u{a0}\"}\n".as_bytes()
        );
        assert!(matches!(super::escaped("é\n".as_bytes()), Cow::Borrowed(_)));
    }
}
