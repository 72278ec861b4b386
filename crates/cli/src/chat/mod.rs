//! `ropewalk chat`: a room for everybody who can send lines.

use ropewalk::{Failure, Limits, ListeningPort, Phase};

use crate::setup::Setup;

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

/// A room for everybody who can send lines: nc, telnet
#[derive(clap::Parser)]
#[command(
    name = "chat",
    after_help = "\
Examples:
  ropewalk chat                      on port 8001; join it with: nc 127.0.0.1 8001
  ropewalk chat tcp:0.0.0.0:7000     for other machines too

The first line that a guest sends is its name. /who lists who is there, /quit leaves."
)]
pub(crate) struct Options {
    /// Where line clients such as nc connect [default: tcp:127.0.0.1:8001]
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// The same, as an option
    #[arg(long, value_name = "ENDPOINT", num_args = 1..)]
    lines: Vec<String>,
}

/// Opens the room.
pub(crate) fn start(options: Options, setup: &mut Setup) -> Result<(), Failure> {
    let mut endpoints = options.endpoints;
    endpoints.extend(options.lines);
    if endpoints.is_empty() {
        endpoints.push("tcp:127.0.0.1:8001".to_owned());
    }
    let room = Room::default();
    let guests = room.clone();
    let factory = move || LineGuest::new(guests.clone());
    setup.listen_with(endpoints, limits(), factory)?;
    setup.hint(hint);
    setup
        .reactor()
        .add_trigger(Phase::BeforeShutdown, move |_| {
            room.close("The chat is over. Goodbye.");
        });
    Ok(())
}

/// A guest for which more than this waits is dropped.
fn limits() -> Limits {
    Limits {
        high_water_bytes: SLOW_BYTES,
        ..Limits::default()
    }
}

/// Tells a person what to do next; programs read stdout.
fn hint(ports: &[ListeningPort]) -> Option<String> {
    let address = ports.first()?.host().socket()?;
    let (ip, port) = (address.ip().to_canonical(), address.port());
    let ip = match (ip.is_unspecified(), ip.is_ipv4()) {
        (false, _) => ip.to_string(),
        (true, true) => "127.0.0.1".to_owned(),
        (true, false) => "::1".to_owned(),
    };
    Some(format!(
        "join in another terminal with: nc {ip} {port}    (stop the chat with Ctrl-C)"
    ))
}
