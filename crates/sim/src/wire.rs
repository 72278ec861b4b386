//! One simulated connection: two ends and a pipe each way. Data only; what happens to it is the network's business.

use std::fmt;
use std::io;
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::buffer::Outgoing;
use ropewalk_core::driver::ConnId;

use crate::fate::Fate;
use crate::pipe::{Fin, Pipe};

/// The end that connected.
pub(crate) const CLIENT: usize = 0;
/// The end that accepted.
pub(crate) const SERVER: usize = 1;

/// Across the wire.
pub(crate) const fn other(side: usize) -> usize {
    1 - side
}

#[derive(Debug)]
pub(crate) struct Wire {
    /// Counts connections; its name in the trace.
    pub(crate) serial: u64,
    pub(crate) ends: [End; 2],
    /// `pipes[side]` carries what that side sends.
    pub(crate) pipes: [Pipe; 2],
    /// What will befall the bytes of each pipe.
    pub(crate) fates: [Fate; 2],
    /// Each end is there, and what is between knows of neither: bytes are answered with a reset.
    pub(crate) forgotten: bool,
}

#[derive(Debug)]
pub(crate) struct End {
    pub(crate) host: usize,
    pub(crate) address: Address,
    pub(crate) life: Life,
    /// The driver's name for it, as long as it has one.
    pub(crate) conn: Option<ConnId>,
    /// It counts against its host's limit.
    pub(crate) has_descriptor: bool,
    /// It is in its host's list of those with something to tell.
    pub(crate) listed: bool,
    pub(crate) paused: bool,
    /// Nothing was told yet; the first to be told is that it is connected.
    pub(crate) fresh: bool,
    pub(crate) eof_told: bool,
    /// A send was blocked or taken: the driver is owed an `Event::Writable`.
    pub(crate) wants_room: bool,
    pub(crate) has_room: bool,
    pub(crate) trouble: Option<Trouble>,
    /// Bytes that a completion-like send took and the send buffer had no room for.
    pub(crate) held: Outgoing,
    /// How many bytes came, and were thrown away, since the application closed it.
    pub(crate) discarded: u64,
    /// The application asked for the end of the stream, after `held`.
    pub(crate) finishing: bool,
    /// The pipe that this end sends into leads nowhere, for good.
    pub(crate) silent: bool,
    /// An arrival is in the schedule.
    pub(crate) arrival_scheduled: bool,
    /// The application reads nothing before this time.
    pub(crate) stalled_until: Duration,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) user_timeout: Option<Duration>,
    /// When the peer was last heard of.
    pub(crate) heard_at: Duration,
    /// Since when what was sent has made no progress.
    pub(crate) progress_at: Duration,
    /// Since when nothing passes.
    pub(crate) broken_since: Option<Duration>,
    /// When the time-outs are looked at next.
    pub(crate) watched_at: Option<Duration>,
}

impl End {
    pub(crate) fn new(host: usize, address: Address, life: Life, now: Duration) -> Self {
        Self {
            host,
            address,
            life,
            conn: None,
            has_descriptor: false,
            listed: false,
            paused: false,
            fresh: true,
            eof_told: false,
            wants_room: false,
            has_room: false,
            trouble: None,
            held: Outgoing::default(),
            discarded: 0,
            finishing: false,
            silent: false,
            arrival_scheduled: false,
            stalled_until: Duration::ZERO,
            keep_alive: None,
            user_timeout: None,
            heard_at: now,
            progress_at: now,
            broken_since: None,
            watched_at: None,
        }
    }
}

/// The states of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Asked for, no answer yet.
    Connecting,
    /// In a listener's backlog.
    Waiting,
    /// An application has it.
    Open,
    /// The application closed it; the driver still reads what comes, and throws it away.
    Lingering,
    /// The descriptor is closed; the kernel still sends what is left.
    Orphaned,
    /// There is nothing any more; what comes is answered with a reset.
    Gone,
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::Waiting => "in the backlog",
            Self::Open => "open",
            Self::Lingering => "lingering",
            Self::Orphaned => "orphaned",
            Self::Gone => "gone",
        })
    }
}

/// What went wrong, in a form that can be told more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Kind(io::ErrorKind),
    /// `EMFILE`, which has no kind.
    NoDescriptor,
}

impl From<Trouble> for io::Error {
    fn from(trouble: Trouble) -> Self {
        const EMFILE: i32 = 24;
        match trouble {
            Trouble::Kind(kind) => kind.into(),
            Trouble::NoDescriptor => Self::from_raw_os_error(EMFILE),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::NoDescriptor => f.write_str("no descriptor left"),
        }
    }
}

impl Wire {
    /// Whether it is a UNIX connection, within one host.
    pub(crate) fn is_unix(&self) -> bool {
        self.ends[SERVER].address.unix().is_some()
    }

    /// Whether what `side` sends would be answered by a reset, and it does not know.
    pub(crate) fn is_dead_end(&self, side: usize) -> bool {
        let gone = self.ends[other(side)].life == Life::Gone;
        let told = self.pipes[other(side)].fin() == Fin::Landed;
        self.forgotten || gone && !told && self.ends[side].life != Life::Connecting
    }
}
