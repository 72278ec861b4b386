//! cargo run -p ropewalk --example reconnect -- tcp:127.0.0.1:8000
//!
//! Keeps a connection: connects again when it is lost or refused, with growing delays that differ by chance, so that a
//! thousand such clients do not come back in the same moment. Start the example `echo`, stop it, and start it again.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::ClientString;
use ropewalk::{BackOff, ConnectError, Connector, Factory, Protocol, Reason, ReconnectingFactory};
use ropewalk::{Transport, program};

/// Keeps a connection to a server.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:8000")]
    endpoint: ClientString,
}

struct Client;

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        tracing::info!(peer = %transport.peer(), "connected");
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

/// Says what happens; [`ReconnectingFactory`] around it does the work.
struct ClientFactory;

impl Factory for ClientFactory {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Client))
    }

    fn connection_failed(&mut self, _connector: &Connector, error: ConnectError) {
        tracing::warn!("{error}");
    }

    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        tracing::warn!(%connector, %reason, "lost");
    }
}

fn client() -> ReconnectingFactory<ClientFactory> {
    ReconnectingFactory::new(ClientFactory).with_back_off(back_off())
}

/// 0.2 s, then 0.5, 1.5, 4, then always 5 s; each up to 12 % less or more.
fn back_off() -> BackOff {
    BackOff {
        initial: Duration::from_millis(200),
        maximum: Duration::from_secs(5),
        ..BackOff::default()
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        reactor.connect(options.endpoint, client())?;
        Ok(reactor.run()?) // until SIGINT or SIGTERM
    })
}

#[cfg(test)]
#[path = "tests/reconnect.rs"]
mod tests;
