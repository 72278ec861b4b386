//! What a watched program writes, as lines of the log.

use std::rc::Rc;

use super::keeper::Keeper;
use crate::process::{ExitStatus, ProcessProtocol, ProcessTransport};

/// Longer lines of a child are cut into pieces of this size, so that one without line ends does not fill our memory.
const LONGEST_LINE: usize = 16 * 1024;

/// Hears of a watched program, and logs what it writes.
pub(super) struct Logged {
    keeper: Rc<Keeper>,
    name: String,
    out: Lines,
    err: Lines,
}

impl Logged {
    pub(super) fn new(keeper: &Rc<Keeper>, name: &str) -> Self {
        Self {
            keeper: Rc::clone(keeper),
            name: name.to_owned(),
            out: Lines::default(),
            err: Lines::default(),
        }
    }
}

impl ProcessProtocol for Logged {
    fn process_started(&mut self, transport: &ProcessTransport) {
        self.keeper.started(&self.name, transport);
    }

    fn out_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let process = &self.name;
        self.out
            .feed(data, |line| tracing::info!(process, "{line}"));
        rest_until_next_turn(transport, 1);
    }

    fn err_received(&mut self, transport: &ProcessTransport, data: &[u8]) {
        let process = &self.name;
        self.err
            .feed(data, |line| tracing::warn!(process, "{line}"));
        rest_until_next_turn(transport, 2);
    }

    fn process_exited(&mut self, transport: &ProcessTransport, status: ExitStatus) {
        self.keeper.exited(&self.name, transport, status);
    }

    fn process_ended(&mut self, transport: &ProcessTransport, _status: ExitStatus) {
        for descriptor in [1, 2] {
            self.child_data_received(transport, descriptor, b"\n");
        }
    }
}

/// Reads no more in this turn: a piece may be thousands of lines to log, and a program that writes without end must not keep
/// signals and other programs waiting for several of them.
fn rest_until_next_turn(transport: &ProcessTransport, descriptor: u32) {
    if let Some(pipe) = transport.pipe(descriptor) {
        pipe.pause_reading();
        transport
            .reactor()
            .call_soon(move |_| pipe.resume_reading());
    }
}

/// Cuts into lines what comes in pieces.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    /// Gives each line that is complete; none that is empty.
    fn feed(&mut self, mut data: &[u8], mut give: impl FnMut(&str)) {
        while !data.is_empty() {
            let room = LONGEST_LINE - self.partial.len();
            let next = &data[..room.min(data.len())];
            let end = next.iter().position(|byte| *byte == b'\n');
            let (taken, rest) = data.split_at(end.map_or(next.len(), |end| end + 1));
            self.partial.extend_from_slice(taken);
            data = rest;
            if end.is_some() || self.partial.len() == LONGEST_LINE {
                let line = self.partial.trim_ascii_end();
                if !line.is_empty() {
                    give(&String::from_utf8_lossy(line));
                }
                self.partial.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let (mut lines, mut cut) = (Vec::new(), Lines::default());
        for piece in pieces {
            cut.feed(piece, |line| lines.push(line.to_owned()));
        }
        lines
    }

    #[test]
    fn lines_are_cut_at_their_ends_however_they_come() {
        assert_eq!(lines(&[b"one\r\ntw", b"o\n\nthr", b"ee"]), ["one", "two"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = vec![b'x'; LONGEST_LINE];
        let cut = lines(&[&long[1..], b"yz\n"]);
        assert_eq!(cut.len(), 2);
        assert!(cut[0].len() == LONGEST_LINE && cut[0].ends_with('y'));
        assert_eq!(cut[1], "z");
    }
}
