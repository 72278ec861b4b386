//! The `ropewalk` command.

use std::process::ExitCode;

use ropewalk::{Failure, Protocol, Transport, program};

mod chat;

/// An event-driven networking engine, as a command: servers that are useful as they are
#[derive(clap::Parser)]
#[command(name = "ropewalk", version, long_about = ABOUT, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

const ABOUT: &str = "\
An event-driven networking engine, as a command: servers that are useful as they are.

Endpoints say where: tcp:127.0.0.1:8000 is port 8000 of this machine alone,
tcp:0.0.0.0:8000 can be reached from elsewhere, tcp:[::1]:8000 is IPv6, and
port 0 picks a free port. Each server prints `listening on …` once it can be
reached, and runs until Ctrl-C.";

const EXAMPLES: &str = "\
Examples:
  ropewalk chat                         a chat on port 8001; join it with: nc 127.0.0.1 8001
  ropewalk chat tcp:0.0.0.0:7000        the same on port 7000, for other machines too
  ropewalk echo tcp:127.0.0.1:8000      sends back what it gets; try: nc 127.0.0.1 8000

The log goes to stderr; RUST_LOG=debug shows more of it, RUST_LOG=warn less.";

#[derive(clap::Subcommand)]
enum Command {
    /// A room for everybody who can send lines: nc, telnet
    Chat(chat::Options),
    /// Sends back what it gets
    Echo {
        /// Where to listen
        #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8000")]
        endpoints: Vec<String>,
    },
    /// Lists the drivers that a reactor of this build can run on
    Reactors,
}

fn main() -> ExitCode {
    program::run(|options: Options| match options.command {
        Command::Chat(options) => chat::run(options),
        Command::Echo { endpoints } => ropewalk::serve(endpoints, || Echo),
        Command::Reactors => list_reactors(),
    })
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

fn list_reactors() -> Result<(), Failure> {
    let native = ropewalk::reactor()?.driver_name();
    ropewalk::say(format_args!(
        "{native:<12} the default: sockets, timers and signals of this system"
    ))?;
    ropewalk::say(
        "sim          a simulated network with virtual time, for tests: the same seed, the same run",
    )?;
    Ok(())
}
