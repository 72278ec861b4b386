//! cargo run -p ropewalk --example udp_echo -- udp:127.0.0.1:1234
//!
//! Sends each datagram back to its sender. Try it with the example `udp_client`.

use std::process::ExitCode;

use ropewalk::endpoint::DatagramString;
use ropewalk::{Address, DatagramProtocol, DatagramTransport, program};

/// Sends each datagram back to its sender.
#[derive(clap::Parser)]
struct Options {
    /// Where to receive; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "udp:127.0.0.1:1234")]
    endpoints: Vec<DatagramString>,
}

struct Echo;

impl DatagramProtocol for Echo {
    /// One call for each datagram, which is whole; it came once, twice or after a later one, as the network likes.
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        // Only a full queue refuses it; then it is lost, as the network might have lost it.
        if let Err(error) = transport.write_to(data, peer) {
            tracing::debug!(%peer, %error, "not sent back");
        }
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        let open = |endpoint| reactor.listen_datagram(endpoint, Echo);
        let ports: Vec<_> = options
            .endpoints
            .into_iter()
            .map(open)
            .collect::<Result<_, _>>()?;
        for port in &ports {
            ropewalk::say(format_args!("listening on {}", port.host()))?;
        }
        Ok(reactor.run()?)
    })
}

#[cfg(test)]
mod tests {
    use ropewalk::testing::FakeDatagramTransport;

    use super::*;

    #[test]
    fn each_datagram_goes_back_to_its_sender() {
        let mut port = FakeDatagramTransport::new(Echo);
        for (len, peer) in [
            (0, "192.0.2.1:7"),
            (1, "192.0.2.2:7"),
            (1400, "192.0.2.1:7"),
            (8192, "192.0.2.1:8"),
        ] {
            let data = vec![b'x'; len];
            port.receive(&data, peer);
            assert_eq!(
                port.take_sent(),
                [(data, peer.parse().map(Address::Udp).unwrap())]
            );
        }
    }
}
