//! `ropewalk chat`: a room for everybody who can send lines.

use std::io::{self, Write};

use ropewalk::{Failure, Limits, ListeningPort, Phase};

mod budget;
mod protocol;
mod room;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
mod world;

use protocol::{LineGuest, SLOW_BYTES};
use room::Room;

/// What can be said to `ropewalk chat`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where line clients such as nc connect [default: tcp:127.0.0.1:8001]
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// The same, as an option
    #[arg(long, value_name = "ENDPOINT", num_args = 1..)]
    lines: Vec<String>,
}

/// Runs the room until SIGINT or SIGTERM.
pub(crate) fn run(options: Options) -> Result<(), Failure> {
    let mut endpoints = options.endpoints;
    endpoints.extend(options.lines);
    if endpoints.is_empty() {
        endpoints.push("tcp:127.0.0.1:8001".to_owned());
    }

    let mut reactor = ropewalk::reactor()?;
    let room = Room::default();
    let guests = room.clone();
    let ports = ropewalk::listen_with(&mut reactor, endpoints, limits(), move || {
        LineGuest::new(guests.clone())
    })?;
    hint(&ports);
    reactor.add_trigger(Phase::BeforeShutdown, move |_| {
        room.close("The chat is over. Goodbye.");
    });
    Ok(reactor.run()?)
}

/// A guest for which more than this waits is dropped.
fn limits() -> Limits {
    Limits {
        high_water_bytes: SLOW_BYTES,
        ..Limits::default()
    }
}

/// Tells a person what to do next; programs read stdout.
fn hint(ports: &[ListeningPort]) {
    let Some(address) = ports.first().and_then(|port| port.host().socket()) else {
        return;
    };
    let (ip, port) = (address.ip().to_canonical(), address.port());
    let ip = match (ip.is_unspecified(), ip.is_ipv4()) {
        (false, _) => ip.to_string(),
        (true, true) => "127.0.0.1".to_owned(),
        (true, false) => "::1".to_owned(),
    };
    // If nobody sees stderr, nobody needs the hint.
    let _ = writeln!(
        io::stderr(),
        "join in another terminal with: nc {ip} {port}    (stop the chat with Ctrl-C)"
    );
}
