//! Ropewalk and its peers, side by side, as ratios of server CPU per operation in one run.
//!
//! Not a test: it passes or fails nothing, and an absolute time here means nothing on another machine.
//! See README.md beside this for what is measured and how.

mod alloc;
mod bench;
mod cpu;
mod load;
mod process;
mod record;
mod results;
mod server;
mod socket;
mod stats;
mod syscalls;
mod table;
mod tls;
mod work;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::{Bench, Options};
use crate::load::Load;
use crate::server::{Mode, Peer};
use crate::work::Work;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// What a step of the bench comes to: a number of some kind, or a sentence why not.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Measures Ropewalk beside a bare epoll loop, tokio and, where a Python has them, Twisted and uvloop.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Command {
    /// Every message is sent back: CPU per message, allocations, system calls.
    Echo,
    /// Latency on a fixed schedule at half of the bare loop's peak, 1000 connections.
    Latency,
    /// Memory of 10 000 idle connections, and after a burst on 100 of them.
    Idle,
    /// One million timers: schedule, reset, cancel; and an idle time-out per message.
    Timers,
    /// Connect, accept, close.
    Connect,
    /// Tasks spawned and woken; a chain of Deferreds.
    Tasks,
    /// One message to 1000 connections.
    Broadcast,
    /// Datagrams sent back, one by one or many in a system call.
    Udp,
    /// WebSocket messages sent back.
    Ws,
    /// WebSocket messages of 1 KiB of JSON sent back, compressed.
    WsDeflate,
    /// Memory of 10 000 idle WebSockets, and after a large message on 100 of them.
    WsIdle,
    /// One WebSocket message to 10 000.
    WsBroadcast,
    /// Masking of WebSocket payloads, against the byte loop.
    WsMask,
    /// What a TLS connection takes of the heap, and how often a message goes there.
    TlsMemory,
    /// Full TLS 1.3 handshakes.
    TlsHandshake,
    /// Echo over TLS: 64 B and 16 KiB.
    TlsEcho,
    /// Memory of 10 000 idle TLS connections.
    TlsIdle,
    /// Echo over UNIX sockets.
    Unix,
    /// TCP to TCP, 16 KiB messages.
    Forward,
    /// Two cores against one, and how evenly connections are shared out.
    Cores,
    /// HTTP: a greeting, and JSON from one of a hundred routes.
    Http,
    /// Memory of 10 000 HTTP connections that are kept.
    HttpIdle,
    /// GETs of a client over connections that are kept.
    HttpClient,
    /// Static files of 1 KiB and 1 MiB.
    Static,
    /// All of the above, one after the other.
    All,
    /// Becomes a server (used by the bench itself).
    #[command(hide = true)]
    Serve {
        peer: String,
        mode: Mode,
        /// The port to forward to.
        #[arg(long, default_value_t = 0)]
        backend: u16,
        #[arg(long)]
        counter: Option<PathBuf>,
    },
    /// Becomes a load generator (used by the bench itself).
    #[command(hide = true, subcommand)]
    Load(Load),
    /// Measures inside this process (used by the bench itself).
    #[command(hide = true)]
    Compute { work: String, peer: String },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ropewalk-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Outcome<()> {
    let works: &[Work] = match arguments.command {
        Command::Echo => &[Work::Echo],
        Command::Latency => &[Work::Latency],
        Command::Idle => &[Work::Idle],
        Command::Timers => &[Work::Timers],
        Command::Connect => &[Work::Connect],
        Command::Tasks => &[Work::Tasks],
        Command::Broadcast => &[Work::Broadcast],
        Command::Udp => &[Work::Udp],
        Command::Ws => &[Work::Ws],
        Command::WsDeflate => &[Work::WsDeflate],
        Command::WsIdle => &[Work::WsIdle],
        Command::WsBroadcast => &[Work::WsBroadcast],
        Command::WsMask => &[Work::WsMask],
        Command::TlsMemory => &[Work::TlsMemory],
        Command::TlsHandshake => &[Work::TlsHandshake],
        Command::TlsEcho => &[Work::TlsEcho],
        Command::TlsIdle => &[Work::TlsIdle],
        Command::Unix => &[Work::Unix],
        Command::Forward => &[Work::Forward],
        Command::Cores => &[Work::Cores],
        Command::Http => &[Work::Http],
        Command::HttpIdle => &[Work::HttpIdle],
        Command::HttpClient => &[Work::HttpClient],
        Command::Static => &[Work::Static],
        Command::All => &Work::ALL,
        Command::Serve {
            peer,
            mode,
            backend,
            counter,
        } => return serve(&peer, mode, backend, counter),
        Command::Load(load) => return load.run(),
        Command::Compute { work, peer } => return tell(&work::compute(&work, &built_in(&peer)?)?),
    };
    let bench = Bench::new(arguments.options)?;
    works.iter().try_for_each(|work| work.run(&bench))
}

fn serve(peer: &str, mode: Mode, backend: u16, counter: Option<PathBuf>) -> Outcome<()> {
    if let Some(counter) = counter {
        alloc::count_into(&counter)?;
    }
    built_in(peer)?.serve(mode, backend)
}

fn built_in(name: &str) -> Outcome<Peer> {
    Peer::named(name).ok_or_else(|| format!("no server named {name:?} in this binary").into())
}

fn tell(record: &record::Record) -> Outcome<()> {
    println!("{record}");
    Ok(())
}
