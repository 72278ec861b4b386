//! Load generators: tight epoll loops that check every byte, bounded in time and in count.

pub(crate) mod broadcast;
pub(crate) mod connect;
pub(crate) mod echo;
pub(crate) mod http;
mod http_idle;
pub(crate) mod idle;
pub(crate) mod paced;
mod slice;
pub(crate) mod swarm;
pub(crate) mod udp;
pub(crate) mod wire;
pub(crate) mod ws;
mod ws_answers;
mod ws_broadcast;
mod ws_idle;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use self::wire::Over;
use crate::Outcome;
use crate::cpu::Subject;

/// A generator that has seen no byte for so long gives up: the server is stuck or lost something.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Connections one process may have: below the 20 000 descriptors a process usually gets.
const MOST_CONNECTIONS: usize = 15_000;
/// Longest time one generator measures, in seconds.
const MOST_SECONDS: f64 = 600.0;

/// What every generator is told.
#[derive(Args, Clone)]
pub(crate) struct Target {
    /// Where the server listens on 127.0.0.1.
    #[arg(long)]
    pub(crate) port: u16,
    /// The server's process.
    #[arg(long)]
    pub(crate) pid: u32,
    /// Where the server counts its allocations.
    #[arg(long)]
    counter: Option<PathBuf>,
    /// A process beside the server that belongs to the load.
    #[arg(long)]
    helper: Option<u32>,
    /// The server says on which of its cores each connection is, as the first byte.
    #[arg(long)]
    pub(crate) told_core: bool,
    /// What the connections are.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) over: Over,
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
    /// Works once for so many seconds; else as often and as long as lines on standard input say.
    #[arg(long)]
    once: Option<f64>,
}

impl Target {
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            pid: self.pid,
            helper: self.helper,
            counter: self.counter.clone(),
        }
    }

    fn check(&self) -> Outcome<()> {
        match self.connections {
            1..=MOST_CONNECTIONS => Ok(()),
            other => {
                Err(format!("{other} connections: 1 to {MOST_CONNECTIONS} are possible").into())
            }
        }
    }
}

/// Which load.
#[derive(Subcommand, Clone)]
pub(crate) enum Load {
    /// Closed loop: `depth` messages of `size` bytes are always under way on each connection.
    Echo {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
    /// Open loop: messages leave on a fixed schedule, whatever the server does.
    Paced {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 64)]
        size: usize,
        /// Messages per second.
        #[arg(long)]
        rate: f64,
    },
    /// Idle connections, then a burst on some of them; watches the server's memory.
    Idle {
        #[command(flatten)]
        target: Target,
        /// How many get the burst.
        #[arg(long, default_value_t = 100)]
        bursting: usize,
        /// Bytes of the burst, on each of them.
        #[arg(long, default_value_t = 16 << 20)]
        burst: u64,
    },
    /// Connects, ends its half, waits for the server's end, closes; over and over.
    Connect {
        #[command(flatten)]
        target: Target,
    },
    /// Sends on one connection, waits until all have it, sends again.
    Broadcast {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
    /// Closed loop over WebSockets: `depth` messages of `size` bytes are always under way on each connection.
    Ws {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, default_value_t = 64)]
        size: usize,
        #[arg(long, value_enum, default_value_t)]
        deflate: ws::Deflate,
    },
    /// Sends on one WebSocket, waits until all have it, sends again.
    WsBroadcast {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 100)]
        size: usize,
    },
    /// Idle WebSockets, then a large message on some of them; watches the server's memory.
    WsIdle {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 100)]
        bursting: usize,
        /// Bytes of the large message.
        #[arg(long, default_value_t = 16 << 20)]
        burst: usize,
        #[arg(long, value_enum, default_value_t)]
        deflate: ws::Deflate,
    },
    /// Closed loop over HTTP: `depth` requests are always under way on each connection.
    Http {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, default_value = "/")]
        path: String,
        /// With the headers that a browser sends.
        #[arg(long)]
        browser: bool,
    },
    /// Kept connections that ask once; watches the server's memory.
    HttpIdle {
        #[command(flatten)]
        target: Target,
    },
    /// Closed loop over datagrams: `depth` of `size` bytes are always under way for each client.
    Udp {
        #[command(flatten)]
        target: Target,
        #[arg(long, default_value_t = 1)]
        depth: usize,
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
}

impl Load {
    /// Runs to its end and prints its numbers.
    pub(crate) fn run(&self) -> Outcome<()> {
        let target = self.target();
        target.check()?;
        match self {
            Self::Echo { depth, size, .. } => {
                slice::serve(target, echo::ClosedLoop::new(target, *depth, *size)?)
            }
            Self::Paced { size, rate, .. } => {
                slice::serve(target, paced::Paced::new(target, *size, *rate)?)
            }
            Self::Idle {
                bursting, burst, ..
            } => {
                println!("{}", idle::run(target, *bursting, *burst)?);
                Ok(())
            }
            Self::Connect { .. } => slice::serve(target, connect::Churn::new(target)?),
            Self::Broadcast { size, .. } => {
                slice::serve(target, broadcast::Broadcast::new(target, *size)?)
            }
            Self::Http {
                depth,
                path,
                browser,
                ..
            } => slice::serve(target, http::Requests::new(target, *depth, path, *browser)?),
            Self::HttpIdle { .. } => {
                println!("{}", http_idle::run(target)?);
                Ok(())
            }
            Self::Ws {
                depth,
                size,
                deflate,
                ..
            } => slice::serve(target, ws::Messages::new(target, *depth, *size, *deflate)?),
            Self::WsBroadcast { size, .. } => {
                slice::serve(target, ws_broadcast::Topic::new(target, *size)?)
            }
            Self::WsIdle {
                bursting,
                burst,
                deflate,
                ..
            } => {
                println!("{}", ws_idle::run(target, *bursting, *burst, *deflate)?);
                Ok(())
            }
            Self::Udp { depth, size, .. } => {
                slice::serve(target, udp::Datagrams::new(target, *depth, *size)?)
            }
        }
    }

    fn target(&self) -> &Target {
        match self {
            Self::Echo { target, .. }
            | Self::Paced { target, .. }
            | Self::Idle { target, .. }
            | Self::Connect { target }
            | Self::Broadcast { target, .. }
            | Self::Http { target, .. }
            | Self::HttpIdle { target }
            | Self::Ws { target, .. }
            | Self::WsBroadcast { target, .. }
            | Self::WsIdle { target, .. }
            | Self::Udp { target, .. } => target,
        }
    }
}
