//! cargo run -p ropewalk --example poetry_server -- tcp:127.0.0.1:0 --delay 5
//!
//! Recites a poem slowly to whoever connects: in pieces, over some time. For the example `poetry`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::ServerString;
use ropewalk::{Bytes, Failure, Protocol, Transport, program};

/// Recites a poem slowly.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(default_value = "tcp:127.0.0.1:10000")]
    endpoint: ServerString,
    /// How long the recital takes
    #[arg(long, value_name = "SECONDS", default_value = "2")]
    #[arg(value_parser = program::seconds, allow_negative_numbers = true)]
    delay: Duration,
    /// The poem, if not ours
    file: Option<PathBuf>,
}

/// Christina Rossetti, 1872.
const POEM: &str = "\
Who has seen the wind?
Neither I nor you:
But when the leaves hang trembling,
The wind is passing through.

Who has seen the wind?
Neither you nor I:
But when the trees bow down their heads,
The wind is passing by.
";

/// In how many pieces a poem is sent.
const PIECES: usize = 10;

/// Recites to one listener. `rest` is a view of the poem: all share its memory.
struct Poet {
    rest: Bytes,
    piece_bytes: usize,
    pause: Duration,
}

impl Poet {
    fn new(poem: &Bytes, delay: Duration) -> Self {
        let piece_bytes = poem.len().div_ceil(PIECES).max(1);
        Self {
            rest: poem.clone(),
            piece_bytes,
            pause: delay / PIECES as u32,
        }
    }

    fn recite(&mut self, transport: &Transport) {
        if self.rest.is_empty() {
            return transport.lose_connection();
        }
        let piece = self.rest.split_to(self.piece_bytes.min(self.rest.len()));
        transport.write_owned(piece);

        // The reactor lends us this protocol again later. If the listener has left by then, nothing happens.
        transport.call_later(self.pause, |this: &mut Self, transport| {
            this.recite(transport);
        });
    }
}

impl Protocol for Poet {
    fn connection_made(&mut self, transport: &Transport) {
        self.recite(transport);
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

fn load(file: &Path) -> Result<Bytes, Failure> {
    match std::fs::read(file) {
        Ok(poem) => Ok(poem.into()),
        Err(error) => Err(Failure::message(format_args!(
            "cannot read the poem {file:?}: {error}; give a text file"
        ))),
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let ours = Bytes::from_static(POEM.as_bytes());
        let poem = options.file.map_or(Ok(ours), |file| load(&file))?;
        ropewalk::serve([options.endpoint], move || Poet::new(&poem, options.delay))
    })
}

#[cfg(test)]
#[path = "tests/poetry_server.rs"]
mod tests;
