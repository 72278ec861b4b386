//! What happened in a world, a line each: `time host event…`.
//!
//! Two runs of one seed must give the same lines, byte for byte; comparing the hash is enough. Not a log for people
//! who operate a server: that is `tracing`'s.

use std::fmt::{self, Write};
use std::time::Duration;

/// How much of the trace is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recording {
    /// Nothing; the fastest.
    Off,
    /// A hash of every line.
    #[default]
    Hashed,
    /// Every line, and the hash.
    Kept,
}

/// The record of a world.
#[derive(Clone, Debug)]
pub struct Trace {
    recording: Recording,
    hash: u64,
    lines: u64,
    text: String,
}

impl Trace {
    pub(crate) const fn new() -> Self {
        Self {
            recording: Recording::Hashed,
            hash: FNV_OFFSET,
            lines: 0,
            text: String::new(),
        }
    }

    pub(crate) fn record(&mut self, recording: Recording) {
        self.recording = recording;
    }

    pub(crate) fn note(&mut self, now: Duration, host: &str, event: fmt::Arguments<'_>) {
        if self.recording == Recording::Off {
            return;
        }
        self.lines += 1;
        let (secs, nanos) = (now.as_secs(), now.subsec_nanos());
        writeln!(self, "{secs}.{nanos:09} {host} {event}").expect("a trace takes every line");
    }

    /// One number for all lines so far: equal traces have equal hashes.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines there were.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// The lines themselves, if they were kept.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Write for Trace {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.hash = fnv(self.hash, piece.as_bytes());
        if self.recording == Recording::Kept {
            self.text.push_str(piece);
        }
        Ok(())
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same on every machine and for ever, which the standard library's hashers do not promise.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Shows bytes in a trace line: how many, and a hash, so that other bytes are another trace.
pub(crate) struct Digest<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Digest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes #{:08x}",
            self.0.len(),
            fnv(FNV_OFFSET, self.0) as u32
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traced(recording: Recording, events: &[&str]) -> Trace {
        let mut trace = Trace::new();
        trace.record(recording);
        let now = Duration::from_micros(1_500_000);
        events
            .iter()
            .for_each(|event| trace.note(now, "server", format_args!("{event}")));
        trace
    }

    #[test]
    fn lines_say_when_where_what() {
        let trace = traced(Recording::Kept, &["listens", "accepts"]);
        assert_eq!(
            trace.text(),
            "1.500000000 server listens\n1.500000000 server accepts\n"
        );
        assert_eq!(trace.lines(), 2);
    }

    #[test]
    fn the_hash_is_that_of_the_lines() {
        let kept = traced(Recording::Kept, &["a", "b"]);
        assert_eq!(kept.hash(), fnv(FNV_OFFSET, kept.text().as_bytes()));
        assert_eq!(traced(Recording::Hashed, &["a", "b"]).hash(), kept.hash());
        assert_ne!(traced(Recording::Hashed, &["b", "a"]).hash(), kept.hash());
        assert_eq!(traced(Recording::Hashed, &["a"]).text(), "");
        assert_eq!(traced(Recording::Off, &["a"]).lines(), 0);
    }

    #[test]
    fn a_digest_tells_bytes_apart() {
        assert_ne!(Digest(b"ab").to_string(), Digest(b"ba").to_string());
        assert!(Digest(b"abc").to_string().starts_with("3 bytes #"));
    }
}
