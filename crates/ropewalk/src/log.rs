//! Logging: which events, as lines in which nothing obeys a stranger.
//!
//! For: programs that log to stderr in one line of code ([`log_to_stderr`]), and those that set up `tracing` themselves and
//! want the same levels and the same safe text. Not for: log files, their rotation and syslog, which are the command's
//! (`ropewalk-cli`).

#![cfg(feature = "log")]

mod levels;
mod spool;
mod text;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use levels::{Levels, LevelsError};
pub use spool::Spool;
pub use text::EscapedFields;

/// Logs to stderr from now on: what `RUST_LOG` asks for (see [`Levels`]), or everything from level `info` on. Does nothing
/// if a subscriber is installed already.
///
/// Control bytes in what is logged are escaped, so that no peer writes lines of its own or moves the cursor of who reads
/// them. A line that cannot be written is dropped: a full disk, a closed terminal or a pipe that nobody reads
/// stops no service, and what is missing is said once lines can be written again.
pub fn log_to_stderr() {
    let lines = tracing_subscriber::fmt::layer()
        .fmt_fields(EscapedFields)
        .with_writer(Stderr::new())
        .with_ansi(io::stderr().is_terminal());
    let subscriber = tracing_subscriber::registry()
        .with(Levels::from_env().into_filter())
        .with(lines);
    let _another_is_installed = subscriber.try_init();
}

/// Stderr, as somewhere that always takes what is written, and counts what it could not keep.
#[derive(Clone)]
struct Stderr {
    spool: Spool,
    lost: Arc<AtomicU64>,
}

impl Stderr {
    fn new() -> Self {
        Self {
            spool: Spool::stderr(),
            lost: Arc::default(),
        }
    }
}

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.spool.write_line(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else if self.lost.load(Ordering::Relaxed) > 0 {
            let lines = self.lost.swap(0, Ordering::Relaxed);
            tracing::warn!(lines, "lines of the log could not be written");
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ropewalk_core::{Protocol, Reactor, Reason, Transport};
    use ropewalk_sim::SimDriver;

    use super::*;

    struct Talker;

    impl Protocol for Talker {
        fn connection_made(&mut self, transport: &Transport) {
            tracing::info!("made");
            transport.write("hello");
        }

        fn data_received(&mut self, transport: &Transport, _data: &[u8]) {
            tracing::info!("received");
            transport.lose_connection();
        }

        fn connection_lost(&mut self, transport: &Transport, _reason: &Reason) {
            tracing::info!("lost");
            let _by_the_first = transport.reactor().stop();
        }
    }

    #[test]
    fn what_is_logged_in_a_callback_is_in_a_span_with_peer_and_protocol() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&log);
        let lines = tracing_subscriber::fmt::layer()
            .fmt_fields(EscapedFields)
            .with_ansi(false)
            .with_writer(move || Shared(Arc::clone(&writer)));
        let subscriber = tracing_subscriber::registry()
            .with(Levels::default().into_filter())
            .with(lines);
        tracing::subscriber::with_default(subscriber, || {
            let mut reactor = Reactor::new(SimDriver::alone(1));
            reactor.listen("tcp:7", || Talker).unwrap();
            reactor.connect("tcp:10.0.0.1:7", || Talker).unwrap();
            reactor.run().unwrap();
        });
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        for word in ["made", "received", "lost"] {
            let mut told = log.lines().filter(|line| line.ends_with(word)).peekable();
            assert!(told.peek().is_some(), "{word} is not in {log}");
            let span = "connection{peer=tcp:10.0.0.1:";
            assert!(
                told.all(|line| line.contains(span) && line.contains("protocol=\"Talker\"")),
                "{log}"
            );
        }
    }

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(data)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
