//! Load generators: tight epoll loops that check every byte, bounded in time and in count.

pub(crate) mod broadcast;
pub(crate) mod connect;
pub(crate) mod echo;
pub(crate) mod idle;
pub(crate) mod paced;
pub(crate) mod swarm;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::Outcome;
use crate::cpu::Subject;
use crate::record::Record;

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
    #[arg(long, default_value_t = 1)]
    pub(crate) connections: usize,
    /// Seconds before the window.
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    /// Seconds of the window.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
}

impl Target {
    pub(crate) fn subject(&self) -> Subject {
        Subject {
            pid: self.pid,
            counter: self.counter.clone(),
        }
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up.clamp(0.0, MOST_SECONDS))
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.01, MOST_SECONDS))
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
}

impl Load {
    /// Runs to its end and tells the numbers.
    pub(crate) fn run(&self) -> Outcome<Record> {
        self.target().check()?;
        match self {
            Self::Echo {
                target,
                depth,
                size,
            } => echo::run(target, *depth, *size),
            Self::Paced { target, size, rate } => paced::run(target, *size, *rate),
            Self::Idle {
                target,
                bursting,
                burst,
            } => idle::run(target, *bursting, *burst),
            Self::Connect { target } => connect::run(target),
            Self::Broadcast { target, size } => broadcast::run(target, *size),
        }
    }

    fn target(&self) -> &Target {
        match self {
            Self::Echo { target, .. }
            | Self::Paced { target, .. }
            | Self::Idle { target, .. }
            | Self::Connect { target }
            | Self::Broadcast { target, .. } => target,
        }
    }
}
