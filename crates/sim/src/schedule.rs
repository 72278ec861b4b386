//! What is going to happen, and when.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ropewalk_core::driver::{LookupId, PortId};
use ropewalk_core::slots::Key;

use crate::datagram_port::PortNotice;
use crate::world::World;

/// The user's change of a world, to be made when nothing is borrowed.
pub(crate) struct Change(Box<dyn FnOnce(&World)>);

impl Change {
    pub(crate) fn new(change: impl FnOnce(&World) + 'static) -> Self {
        Self(Box::new(change))
    }

    pub(crate) fn make(self, world: &World) {
        (self.0)(world);
    }
}

/// Something that happens at a time.
pub(crate) enum Happening {
    /// A request to connect reaches its host.
    Knock { wire: Key },
    /// Its answer reaches the client: there, or refused.
    Answer { wire: Key, accepted: bool },
    /// The first segment that `side` sent is due.
    Arrival { wire: Key, side: usize },
    /// A reset reaches `side`.
    Reset { wire: Key, side: usize },
    /// The time-outs of `side` are looked at.
    Watch { wire: Key, side: usize },
    /// A stopped reader goes on.
    ReadOn { wire: Key, side: usize },
    /// A closed socket was read long enough.
    Lingered { wire: Key, side: usize },
    /// What vanished is back, and remembers nothing.
    Back { wire: Key },
    /// The link between two hosts is cut, for so long.
    Cut {
        a: usize,
        b: usize,
        length: Duration,
    },
    /// A rule ends.
    Lift { rule: u64 },
    /// A datagram reaches the host, or hosts, that it is for.
    Datagram { packet: Key },
    /// A datagram port has something to tell.
    PortReady {
        host: usize,
        port: PortId,
        notice: PortNotice,
    },
    /// A look-up has its answer.
    LookedUp { host: usize, lookup: LookupId },
    /// A job in a thread runs.
    Job { host: usize, job: u64 },
    /// The user's change of the world, which the network hands back to it.
    Change(Change),
}

impl fmt::Debug for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Happening")
            .field("wire", &self.wire())
            .finish_non_exhaustive()
    }
}

impl Happening {
    /// The connection it is about, so that it is forgotten with it.
    pub(crate) const fn wire(&self) -> Option<Key> {
        match self {
            Self::Knock { wire }
            | Self::Answer { wire, .. }
            | Self::Arrival { wire, .. }
            | Self::Reset { wire, .. }
            | Self::Watch { wire, .. }
            | Self::ReadOn { wire, .. }
            | Self::Lingered { wire, .. }
            | Self::Back { wire } => Some(*wire),
            Self::Cut { .. }
            | Self::Lift { .. }
            | Self::Datagram { .. }
            | Self::PortReady { .. }
            | Self::LookedUp { .. }
            | Self::Job { .. }
            | Self::Change(_) => None,
        }
    }
}

/// The happenings to come; those of one time in the order in which they were planned.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    queue: BTreeMap<(Duration, u64), Happening>,
    planned: u64,
}

impl Schedule {
    pub(crate) fn plan(&mut self, at: Duration, happening: Happening) {
        self.planned += 1;
        self.queue.insert((at, self.planned), happening);
    }

    /// When the first is due.
    pub(crate) fn next(&self) -> Option<(Duration, &Happening)> {
        self.queue
            .first_key_value()
            .map(|(&(at, _), happening)| (at, happening))
    }

    /// Takes the first, if it is due by `now`.
    pub(crate) fn take_due(&mut self, now: Duration) -> Option<Happening> {
        let first = self.queue.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Takes the first, due or not.
    pub(crate) fn skip(&mut self) {
        self.queue.pop_first();
    }
}
