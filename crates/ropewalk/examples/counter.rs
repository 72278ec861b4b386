//! cargo run -p ropewalk --example counter -- tcp:127.0.0.1:1234
//!
//! Counts the connections that are open now, and logs the number at each change.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use ropewalk::endpoint::ServerString;
use ropewalk::{Protocol, Reason, Transport, program};

/// Counts open connections.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:1234")]
    endpoints: Vec<ServerString>,
}

/// All protocols share one number. `Rc` and `Cell` are enough, because a reactor lives on one thread: no lock, no `Arc`.
struct Counter {
    open: Rc<Cell<usize>>,
}

impl Protocol for Counter {
    fn connection_made(&mut self, _transport: &Transport) {
        self.open.update(|open| open + 1);
        tracing::info!("Protocol {} connected", self.open.get());
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}

    // Whoever was told of `connection_made` is told of this, once: the count never drifts.
    fn connection_lost(&mut self, _transport: &Transport, _reason: &Reason) {
        self.open.update(|open| open - 1);
        tracing::info!("Protocol {} disconnected", self.open.get());
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let open = Rc::new(Cell::new(0));
        ropewalk::serve(options.endpoints, move || Counter { open: open.clone() })
    })
}

#[cfg(test)]
mod tests {
    use ropewalk::testing::StringTransport;

    use super::*;

    #[test]
    fn it_counts_who_is_there() {
        let open = Rc::new(Cell::new(0));
        let connect = || StringTransport::new(Counter { open: open.clone() });
        let mut peers = [connect(), connect(), connect()];
        assert_eq!(open.get(), 3);
        peers[1].eof();
        assert_eq!(open.get(), 2);
        peers[0].fail(std::io::ErrorKind::ConnectionReset);
        let _fourth = connect();
        assert_eq!(open.get(), 2);
    }
}
