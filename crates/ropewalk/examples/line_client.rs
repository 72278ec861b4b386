//! cargo run -p ropewalk --example line_client -- tcp:127.0.0.1:1234
//!
//! Sends a line and prints the line that comes back. Start the example `line_service` first.

use std::process::ExitCode;

use ropewalk::grammar::{Framing, LineEvent, LineGrammar};
use ropewalk::{Deferred, Failure, Handle, Protocol, Reason, Resolver, Transport, program};

/// Sends a line to a server and prints its answer.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:1234")]
    endpoint: String,
}

/// The grammar cuts what comes into lines, and refuses those of more than 16384 bytes.
struct LineClient {
    lines: LineGrammar,
    answer: Resolver<String>,
}

impl Protocol for LineClient {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("Hello, server!\r\n");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        match self.lines.receive(data).next_event() {
            None => {} // not a whole line yet
            Some(Ok(LineEvent::Line(line) | LineEvent::Raw(line))) => {
                let _ = self
                    .answer
                    .resolve(String::from_utf8_lossy(line).into_owned());
                transport.lose_connection();
            }
            Some(Err(too_long)) => transport.reject(too_long),
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        // Does nothing if the line is there already.
        let peer = transport.peer();
        let _ = self.answer.fail(Failure::message(format_args!(
            "no line from {peer}: {reason}"
        )));
    }
}

async fn ask(reactor: Handle, endpoint: String) -> Result<String, Failure> {
    let (line, answer) = Deferred::new(&reactor);
    let client = LineClient {
        lines: LineGrammar::new(),
        answer,
    };
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
