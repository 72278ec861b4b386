//! cargo run -p ropewalk --example static_files -- --path DIR tcp:127.0.0.1:8080
//!
//! Serves a directory: files with ranges and dates, folders as listings. Try it: `curl -i -r 0-9 http://127.0.0.1:8080/Cargo.toml`.

use std::path::PathBuf;
use std::process::ExitCode;

use ropewalk::endpoint::ServerString;
use ropewalk::web::{Site, StaticFiles};
use ropewalk::{Failure, program};

/// Serves a directory.
#[derive(clap::Parser)]
struct Options {
    /// What to serve
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8080")]
    endpoints: Vec<ServerString>,
}

impl Options {
    /// A wrong directory is an error here, before anybody is served.
    fn serve(self) -> Result<(), Failure> {
        let files = StaticFiles::of(&self.path)?;
        ropewalk::serve(self.endpoints, Site::new(files))
    }
}

fn main() -> ExitCode {
    program::run(Options::serve)
}

#[cfg(test)]
#[path = "tests/static_files.rs"]
mod tests;
