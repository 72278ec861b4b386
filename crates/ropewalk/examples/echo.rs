//! cargo run -p ropewalk --example echo -- tcp:127.0.0.1:8000 --buffer-size 4096
//!
//! Sends back what it gets. The tests below try the protocol without a socket: `cargo test -p ropewalk --example echo`.

use std::process::ExitCode;

use ropewalk::endpoint::ServerString;
use ropewalk::{Protocol, Reason, Transport, program};

/// Sends back what it gets.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8000")]
    endpoints: Vec<ServerString>,
    /// Write at most so many bytes at once
    #[arg(long, value_name = "BYTES", default_value = "65536")]
    #[arg(value_parser = program::bytes, allow_negative_numbers = true)]
    buffer_size: usize,
}

struct Echo {
    buffer_size: usize,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: &Transport) {
        tracing::info!(peer = %transport.peer(), "connected");
    }

    /// The bytes come in order, but cut anywhere: TCP knows no messages.
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        // A peer that sends much and reads nothing fills no memory: once much is unsent, the reactor stops reading.
        for piece in data.chunks(self.buffer_size) {
            transport.write(piece);
        }
    }

    /// Told once for each connection, whatever ended it.
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        tracing::info!(peer = %transport.peer(), %reason, "disconnected");
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        // The factory gives each protocol what it needs.
        let buffer_size = options.buffer_size;
        ropewalk::serve(options.endpoints, move || Echo { buffer_size })
    })
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use ropewalk::testing::{Chunks, StringTransport};

    use super::*;

    /// A protocol on a transport that is no socket: the test plays the peer.
    fn connected() -> StringTransport {
        StringTransport::new(Echo { buffer_size: 3 })
    }

    #[test]
    fn what_comes_goes_back_however_it_is_cut() {
        for size in 1..12 {
            let mut peer = connected();
            peer.receive_in_pieces("hello there", Chunks::of(size));
            assert_eq!(peer.take_sent(), b"hello there");
        }
    }

    #[test]
    fn it_closes_after_the_peer() {
        let mut peer = connected();
        peer.receive("bye");
        peer.eof();
        assert_eq!(peer.take_sent(), b"bye");
        assert!(peer.lost_reason().unwrap().is_clean());
    }

    #[test]
    fn a_reset_ends_it() {
        let mut peer = connected();
        peer.fail(ErrorKind::ConnectionReset);
        assert!(matches!(peer.lost_reason(), Some(Reason::Lost(_))));
    }
}
