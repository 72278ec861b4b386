//! `websocket`: what one reaches for when a WebSocket is to be tried out, watched, or measured.
//!
//! ```text
//!   echo, chat      servers, of ServerOptions
//!   connect, bench  clients, of ClientOptions: they run until they are done
//! ```

mod bench;
mod chat;
mod client_options;
mod compression;
mod connect;
mod console;
mod echo;
mod latencies;
mod load;
mod server_options;
mod session;
#[cfg(test)]
mod tests;

use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};
use ropewalk::Failure;

use self::bench::Bench;
use self::chat::Chat;
use self::connect::Connect;
use self::echo::Echo;
use crate::plugin::Plugin;
use crate::setup::Setup;

/// Tries out, watches and measures WebSockets
#[derive(Parser)]
#[command(
    name = "websocket",
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  ropewalk websocket echo                  an echo server on port 8080
  ropewalk websocket connect ws://127.0.0.1:8080/
                                           lines become messages, and messages lines
  ropewalk websocket bench ws://127.0.0.1:8080/
                                           how fast an echo server is
  ropewalk websocket chat                  passes on what each says to all others"
)]
struct WebSocket {
    #[command(subcommand)]
    tool: Tool,
}

#[derive(Subcommand)]
enum Tool {
    Echo(Echo),
    Chat(Chat),
    Connect(Box<Connect>),
    Bench(Bench),
}

/// The subcommand.
pub(crate) struct Tools;

impl Plugin for Tools {
    fn command(&self) -> clap::Command {
        <WebSocket as clap::CommandFactory>::command()
    }

    fn is_tool(&self, options: &ArgMatches) -> bool {
        matches!(options.subcommand_name(), Some("connect" | "bench"))
    }

    fn start(&self, options: &ArgMatches, setup: &mut Setup) -> Result<(), Failure> {
        match WebSocket::from_arg_matches(options)?.tool {
            Tool::Echo(echo) => echo.start(setup),
            Tool::Chat(chat) => chat.start(setup),
            Tool::Connect(connect) => connect.start(setup),
            Tool::Bench(bench) => bench.start(setup),
        }
    }
}
