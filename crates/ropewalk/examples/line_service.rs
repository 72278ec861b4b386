//! cargo run -p ropewalk --example line_service -- tcp:127.0.0.1:1234
//!
//! Answers lines, and after the line `raw 5` the next five bytes, whatever they are. Try it with `nc -C 127.0.0.1 1234`.

use std::process::ExitCode;

use ropewalk::endpoint::ServerString;
use ropewalk::program;
use ropewalk::protocols::{LineProtocol, LineReceiver, Lines};

/// Answers lines and raw bytes.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:1234")]
    endpoints: Vec<ServerString>,
}

/// Told of lines instead of bytes. A line ends with CRLF and has at most 16384 bytes; a longer one ends its connection.
#[derive(Default)]
struct LineService {
    /// How many raw bytes are still to come.
    raw: usize,
}

impl LineProtocol for LineService {
    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        lines.write_vectored([b"line: ", line, b"\r\n"]);
        if let Some(count) = raw_count(line) {
            lines.write("raw: ");
            self.raw = count;
            lines.set_raw_mode();
        }
    }

    /// Raw bytes go back as they come, so that a large N needs no memory.
    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        let (ours, unread) = data.split_at(self.raw.min(data.len()));
        lines.write(ours);
        self.raw -= ours.len();
        if self.raw == 0 {
            lines.write("\r\n");
            lines.set_line_mode(unread.len()); // what came behind them is lines again
        }
    }
}

/// The N of `raw N`.
fn raw_count(line: &[u8]) -> Option<usize> {
    let count = std::str::from_utf8(line)
        .ok()?
        .strip_prefix("raw ")?
        .parse()
        .ok()?;
    (count > 0).then_some(count)
}

/// What makes lines of bytes.
fn connection() -> LineReceiver<LineService> {
    LineReceiver::new(LineService::default())
}

fn main() -> ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, connection))
}

#[cfg(test)]
#[path = "tests/line_service.rs"]
mod tests;
