//! cargo run -p ropewalk --example line_client -- tcp:127.0.0.1:1234
//!
//! Sends a line and prints the line that comes back. Start the example `line_service` first.

use std::process::ExitCode;

use ropewalk::endpoint::ClientString;
use ropewalk::protocols::{LineProtocol, LineReceiver, Lines};
use ropewalk::{Deferred, Failure, Handle, Reason, Resolver, program};

/// Sends a line to a server and prints its answer.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:1234")]
    endpoint: ClientString,
}

/// Told of lines instead of bytes; one of more than 16384 bytes ends the connection.
struct LineClient {
    answer: Resolver<String>,
}

impl LineProtocol for LineClient {
    fn connection_made(&mut self, lines: &Lines) {
        lines
            .send_line("Hello, server!")
            .expect("there is no line break in it");
    }

    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        let _ = self
            .answer
            .resolve(String::from_utf8_lossy(line).into_owned());
        lines.lose_connection(); // so there is no second line
    }

    fn connection_lost(&mut self, lines: &Lines, reason: &Reason) {
        // Does nothing if the line is there already.
        let peer = lines.peer();
        let failure = Failure::message(format_args!("no line from {peer}: {reason}"));
        let _ = self.answer.fail(failure);
    }
}

async fn ask(reactor: Handle, endpoint: ClientString) -> Result<String, Failure> {
    let (line, answer) = Deferred::new(&reactor);
    let client = LineReceiver::new(LineClient { answer });
    reactor.connect_protocol(endpoint, client).await?;
    line.await
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        if let Some(line) = reactor.run_main(|reactor| ask(reactor, options.endpoint))? {
            ropewalk::say(line)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/line_client.rs"]
mod tests;
