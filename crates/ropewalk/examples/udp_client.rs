//! cargo run -p ropewalk --example udp_client -- udp:127.0.0.1:1234
//!
//! Sends one datagram and prints the answer. Start the example `udp_echo` first.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::{DatagramEndpoint, DatagramString};
use ropewalk::failure::TimedOut;
use ropewalk::{
    Address, DatagramProtocol, DatagramTransport, Deferred, Failure, Handle, Resolver, program,
};

/// Sends one datagram and prints the answer.
#[derive(clap::Parser)]
struct Options {
    /// Whom to ask
    #[arg(default_value = "udp:127.0.0.1:1234")]
    endpoint: DatagramString,
    /// What to say
    #[arg(long, default_value = "hello")]
    text: String,
}

/// Nobody tells of a datagram that is lost, so there must be a limit to waiting.
const PATIENCE: Duration = Duration::from_secs(2);

struct Client {
    answer: Resolver<Vec<u8>>,
}

impl DatagramProtocol for Client {
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], _: &Address) {
        let _ = self.answer.resolve(data.to_vec()); // the first counts
    }

    /// Told because the port is connected, and only where the network says so.
    fn connection_refused(&mut self, _: &DatagramTransport, error: &io::Error) {
        let _ = self.answer.fail(Failure::message(error));
    }
}

async fn ask(reactor: Handle, endpoint: DatagramString, text: String) -> Result<String, Failure> {
    let server = endpoint.bind()?.address;
    let own = match server.socket() {
        Some(SocketAddr::V4(_)) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        Some(SocketAddr::V6(_)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        None => return Err(Failure::message(format_args!("{server} has no UDP port"))),
    };
    let (answer, resolver) = Deferred::new(&reactor);
    let port = reactor
        .listen_datagram(own, Client { answer: resolver })
        .await?;
    port.connect(&server).await?; // from now on only the server is heard
    port.write(text)?;
    let answer = answer.timeout(PATIENCE, &reactor).await;
    port.stop_listening().await?;
    match answer {
        Ok(answer) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Err(failure) if failure.is::<TimedOut>() => Err(Failure::message(format_args!(
            "time-out: no answer from {server} within {PATIENCE:?}"
        ))),
        Err(failure) => Err(Failure::message(format_args!(
            "no answer from {server}: {failure}; is the server running on that port?"
        ))),
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        let main = |reactor| ask(reactor, options.endpoint, options.text);
        if let Some(answer) = reactor.run_main(main)? {
            ropewalk::say(answer)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/udp_client.rs"]
mod tests;
