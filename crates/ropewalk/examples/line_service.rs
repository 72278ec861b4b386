//! cargo run -p ropewalk --example line_service -- tcp:127.0.0.1:1234
//!
//! Answers lines, and after the line `raw 5` the next five bytes, whatever they are. Try it with `nc -C 127.0.0.1 1234`.

use std::process::ExitCode;

use ropewalk::grammar::{Framing, LineEvent, LineGrammar};
use ropewalk::{Protocol, Transport, program};

/// Answers lines and raw bytes.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:1234")]
    endpoints: Vec<String>,
}

/// The grammar knows what a line is: it ends with CRLF and has at most 16384 bytes. We say what it means.
#[derive(Default)]
struct LineService {
    lines: LineGrammar,
    /// How many raw bytes are still to come.
    raw: u64,
}

impl LineService {
    fn read(&mut self, transport: &Transport, data: &[u8]) {
        let mut input = self.lines.receive(data);
        // What is not taken now waits, so that one who sends much and reads nothing fills no memory.
        while transport.wants_data() {
            match input.next_event() {
                None => return,
                Some(Ok(LineEvent::Line(line))) => {
                    transport.write_vectored([b"line: ", line, b"\r\n"]);
                    if let Some(count) = raw_count(line) {
                        transport.write("raw: ");
                        self.raw = count;
                        input.set_raw();
                    }
                }
                // As many as have come: they go back at once, so a large N needs no memory.
                Some(Ok(LineEvent::Raw(bytes))) => {
                    let count = bytes
                        .len()
                        .min(usize::try_from(self.raw).unwrap_or(usize::MAX));
                    let unread = bytes.len() - count;
                    transport.write(&bytes[..count]);
                    self.raw -= count as u64;
                    if self.raw == 0 {
                        transport.write("\r\n");
                        input.set_line(unread); // these were a line's already
                    }
                }
                Some(Err(too_long)) => return transport.reject(too_long),
            }
        }
    }
}

/// The N of `raw N`.
fn raw_count(line: &[u8]) -> Option<u64> {
    let count = std::str::from_utf8(line)
        .ok()?
        .strip_prefix("raw ")?
        .parse()
        .ok()?;
    (count > 0).then_some(count)
}

impl Protocol for LineService {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.read(transport, data);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.read(transport, &[]);
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, LineService::default))
}

#[cfg(test)]
#[path = "tests/line_service.rs"]
mod tests;
