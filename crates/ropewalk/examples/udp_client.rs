//! cargo run -p ropewalk --example udp_client -- udp:127.0.0.1:1234
//!
//! Sends one datagram and prints the answer. Start the example `udp_echo` first.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::UdpClient;
use ropewalk::failure::TimedOut;
use ropewalk::{
    Address, DatagramProtocol, DatagramTransport, Deferred, Failure, Handle, Resolver, program,
};

/// Sends one datagram and prints the answer.
#[derive(clap::Parser)]
struct Options {
    /// Whom to ask: udp:HOST:PORT
    #[arg(value_name = "ENDPOINT", default_value = "udp:127.0.0.1:1234")]
    server: UdpClient,
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

/// Asks each address of the host until one of them does not refuse: a name may have some at which nobody listens.
async fn ask(reactor: Handle, server: UdpClient, text: String) -> Result<String, Failure> {
    let addresses = match server.literal() {
        Some(address) => vec![address],
        None => look_up(&reactor, &server).await?,
    };
    let mut last = Failure::message(format_args!("{server} has no address"));
    for address in addresses {
        match ask_at(&reactor, address, &text).await {
            Err(failure) if !failure.is::<TimedOut>() => last = failure,
            Err(_) => return Err(silence(address)),
            answer => return answer,
        }
    }
    Err(last)
}

async fn look_up(reactor: &Handle, server: &UdpClient) -> Result<Vec<SocketAddr>, Failure> {
    let found = reactor.resolve(&server.host).await;
    let ips = found.map_err(|failure| {
        Failure::message(format_args!(
            "cannot ask {server}: the host name was not found: {failure}"
        ))
    })?;
    let at_port = |ip: IpAddr| SocketAddr::new(ip, server.port);
    Ok(ips.into_iter().map(at_port).collect())
}

fn silence(server: SocketAddr) -> Failure {
    Failure::message(format_args!(
        "time-out: no answer from udp:{server} within {PATIENCE:?}"
    ))
}

async fn ask_at(reactor: &Handle, server: SocketAddr, text: &str) -> Result<String, Failure> {
    let own: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let (answer, resolver) = Deferred::new(reactor);
    let port = reactor
        .listen_datagram(SocketAddr::new(own, 0), Client { answer: resolver })
        .await?;
    port.connect(server).await?; // from now on only the server is heard
    port.write(text)?;
    let answer = answer.timeout(PATIENCE, reactor).await;
    port.stop_listening().await?;
    match answer {
        Ok(answer) => Ok(String::from_utf8_lossy(&answer).into_owned()),
        Err(failure) if failure.is::<TimedOut>() => Err(failure),
        Err(failure) => Err(Failure::message(format_args!(
            "no answer from udp:{server}: {failure}; is the server running on that port?"
        ))),
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        let main = |reactor| ask(reactor, options.server, options.text);
        if let Some(answer) = reactor.run_main(main)? {
            ropewalk::say(answer)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/udp_client.rs"]
mod tests;
