//! cargo run -p ropewalk --example welcome -- tcp:127.0.0.1:12345
//!
//! Says welcome and closes. A client that never reads keeps nobody waiting.

use std::process::ExitCode;

use ropewalk::endpoint::ServerString;
use ropewalk::{Protocol, Transport, program};

/// Says welcome and closes.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:12345")]
    endpoints: Vec<ServerString>,
}

struct Welcome;

impl Protocol for Welcome {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("欢迎访问!"); // UTF-8, as all text in Rust

        // "Lose", not "close": it ends once everything written is on its way, and what the client
        // sent meanwhile does not destroy our last words, as a plain close() of the socket would.
        transport.lose_connection();
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

fn main() -> ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, || Welcome))
}

#[cfg(test)]
mod tests {
    use ropewalk::testing::StringTransport;

    use super::*;

    #[test]
    fn it_says_welcome_and_closes() {
        let mut peer = StringTransport::new(Welcome);
        assert_eq!(peer.take_sent(), "欢迎访问!".as_bytes());
        assert!(peer.lost_reason().unwrap().is_clean());
    }
}
