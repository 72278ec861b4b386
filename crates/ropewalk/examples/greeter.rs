//! cargo run -p ropewalk --example greeter -- tcp:127.0.0.1:8000
//!
//! Greets whoever connects, logs who it is, and keeps the connection open. Try it with `nc 127.0.0.1 8000`.

use std::process::ExitCode;

use ropewalk::endpoint::ServerString;
use ropewalk::{Protocol, Transport, program};

/// Greets whoever connects.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8000")]
    endpoints: Vec<ServerString>,
}

/// Our end of one connection. It is told what happens, and never waits for anything.
struct Greeter;

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport) {
        // The log goes to stderr, so it never mixes with a program's results.
        tracing::info!(peer = %transport.peer(), "greeted");

        // Nothing is sent here: the reactor sends it when we return.
        transport.write("Hello, World!\n");
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {
        // Whatever they say, we have said all.
    }
}

fn main() -> ExitCode {
    // `|| Greeter` is a factory: it makes a protocol for each connection.
    program::run(|options: Options| ropewalk::serve(options.endpoints, || Greeter))
}

#[cfg(test)]
mod tests {
    use ropewalk::testing::StringTransport;

    use super::*;

    #[test]
    fn it_greets_once_and_stays() {
        let mut peer = StringTransport::new(Greeter);
        assert_eq!(peer.take_sent(), b"Hello, World!\n");
        peer.receive("hello yourself");
        assert_eq!(peer.take_sent(), b"");
        assert!(!peer.is_disconnecting());
    }
}
