//! How bytes get from one end to the other: accepted, sent on their way, landed.
//!
//! ```text
//!   send ──► held ──► pipe ── pump ──► flying ── arrival ──► landed ──► notice
//!            (completion only)   ▲                              │
//!                                └── room, window ◄─────────────┘
//! ```
//!
//! What is learned at the far end, that bytes landed or were read, is known here at once: a byte pipe, not a TCP stack.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{ConnId, Sent};
use ropewalk_core::slots::Key;

use crate::driver::Mood;
use crate::link::{Link, Passage};
use crate::network::Network;
use crate::schedule::Happening;
use crate::trace::Digest;
use crate::wire::{Life, Wire, other};

/// The longest segment; a slow link sends shorter ones, a hundred a second.
const SEGMENT: u64 = 64 * 1024;
/// The shortest that a slow link sends, if there is as much.
const SLOW_SEGMENT: u64 = 1460;

/// What a driver of the completion mood takes at a time, like a kernel that is given one buffer after the other.
const LARGEST_TAKE: usize = 4 * 1024;

impl Network {
    /// Takes bytes of an application, some now or all for later, as the mood is.
    pub(crate) fn send(
        &mut self,
        host: usize,
        conn: ConnId,
        outgoing: &mut Outgoing,
        pool: &mut Pool,
    ) -> Sent {
        let Some((key, side)) = self.find(host, conn) else {
            return Sent::Failed(io::ErrorKind::NotConnected.into());
        };
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        let end = &mut wire.ends[side];
        if let Some(trouble) = end.trouble {
            return Sent::Failed(trouble.into());
        }
        if end.finishing {
            return Sent::Failed(io::ErrorKind::BrokenPipe.into());
        }
        if outgoing.is_empty() {
            return Sent::Done;
        }
        if !wire.pipes[side].is_outstanding() {
            end.progress_at = self.now.get();
        }
        let mood = self.hosts[host].mood;
        let sent = match mood {
            Mood::Readiness => self.send_some(key, side, outgoing, pool),
            Mood::Completion => match outgoing.take_front(LARGEST_TAKE, pool) {
                Ok(taken) => self.hold(key, side, taken, pool),
                Err(error) => return Sent::Failed(error),
            },
        };
        self.watch(key, side);
        sent
    }

    fn send_some(
        &mut self,
        key: Key,
        side: usize,
        outgoing: &mut Outgoing,
        pool: &mut Pool,
    ) -> Sent {
        let short = self.random.chance(self.faults.short_send);
        let limit = if short {
            self.random.index(outgoing.len()).max(1)
        } else {
            usize::MAX
        };
        let wire = self.wires.get_mut(key).expect("found above");
        let (taken, read) = fill(wire, side, outgoing, pool, limit);
        let serial = wire.serial;
        let blocked = !outgoing.is_empty();
        wire.ends[side].wants_room |= blocked;
        self.note(
            self.host_of(key, side),
            format_args!("c{serial} sends {taken}, blocked: {blocked}"),
        );
        self.feed(key, side);
        match read {
            Err(error) => Sent::Failed(error),
            Ok(()) if blocked => Sent::Blocked,
            Ok(()) => Sent::Done,
        }
    }

    fn hold(&mut self, key: Key, side: usize, taken: Outgoing, pool: &mut Pool) -> Sent {
        let wire = self.wires.get_mut(key).expect("found above");
        let (serial, len) = (wire.serial, taken.len());
        wire.ends[side].held.append(taken, pool);
        wire.ends[side].wants_room = true;
        self.note(
            self.host_of(key, side),
            format_args!("c{serial} takes {len} to send"),
        );
        self.feed(key, side);
        Sent::Taken
    }

    pub(crate) fn host_of(&self, key: Key, side: usize) -> usize {
        self.wires.get(key).expect("a name has its wire").ends[side].host
    }

    /// There may be room: what is held goes into the pipe, the end behind it, and a blocked sender is told.
    pub(crate) fn feed(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if matches!(wire.ends[side].life, Life::Connecting | Life::Gone) {
            return;
        }
        let mut held = wire.ends[side].held.take();
        let (_, read) = fill(wire, side, &mut held, &mut Pool::default(), usize::MAX);
        read.expect("what is held lies in memory");
        let end = &mut wire.ends[side];
        end.held = held;
        if end.held.is_empty() {
            let gone = self.hosts[end.host].mood == Mood::Completion;
            if end.wants_room && (gone || wire.pipes[side].is_roomy()) {
                (end.wants_room, end.has_room) = (false, true);
            }
            if end.finishing {
                wire.pipes[side].finish();
            }
        }
        self.pump(key, side);
        self.mark(key, side);
    }

    /// Sends on their way as many bytes as the receiver's window allows.
    pub(crate) fn pump(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let direction = (wire.ends[side].host, wire.ends[other(side)].host);
        let link = self.links.between(direction.0, direction.1);
        let pipe = &mut wire.pipes[side];
        while pipe.departable() > 0 || pipe.fin_is_next() {
            let len = match pipe.departable() {
                0 => 0,
                len => link.segment(longest(len, &link), &self.faults, &mut self.random),
            };
            let gone = occupy(&mut self.busy_until, direction, self.now.get(), len, &link);
            let landed = gone + link.travel(&self.faults, &mut self.random);
            pipe.depart(len, landed);
        }
        self.expect_arrival(key, side);
    }

    /// Plans the landing of the first segment that `side` sent, unless that is done or it never lands.
    pub(crate) fn expect_arrival(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let end = &mut wire.ends[side];
        if end.silent || end.arrival_scheduled {
            return;
        }
        if let Some(due) = wire.pipes[side].next_due() {
            end.arrival_scheduled = true;
            self.schedule
                .plan(due, Happening::Arrival { wire: key, side });
        }
    }

    /// Segments of `side` are due at the far end.
    pub(crate) fn arrival(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        wire.ends[side].arrival_scheduled = false;
        let wire = self.wires.get(key).expect("it was there");
        if !self.passes(wire, side) {
            if self.link(wire, side).passage == Passage::Lost
                && wire.pipes[side].next_due().is_some()
            {
                self.fall_silent(key, &[side]);
            }
            return;
        }
        while self.is_due(key, side) {
            if !self.land(key, side) {
                return;
            }
        }
        self.heard(key, side);
        self.expect_arrival(key, side);
    }

    fn is_due(&self, key: Key, side: usize) -> bool {
        let due = self
            .wires
            .get(key)
            .and_then(|wire| wire.pipes[side].next_due());
        due.is_some_and(|due| due <= self.now.get())
    }

    /// The first segment comes down; false if that ended the traffic in this direction.
    fn land(&mut self, key: Key, side: usize) -> bool {
        let wire = self.wires.get_mut(key).expect("its segment is due");
        let (pipe, fate) = (&mut wire.pipes[side], wire.fates[side]);
        let data_comes = pipe.next_len().is_some_and(|len| len > 0);
        let receiver = wire.ends[other(side)].life;
        // A broken end takes nothing more: what its application has not read yet would have a gap behind it.
        let is_broken = wire.ends[other(side)].trouble.is_some();
        let is_nobody = receiver == Life::Gone || receiver == Life::Orphaned && data_comes;
        if wire.forgotten || is_broken || is_nobody {
            self.bounce(key, side);
            return false;
        }
        let limit = fate.limit(pipe.delivered());
        if limit > 0 {
            pipe.land(limit);
        }
        let delivered = pipe.delivered();
        if matches!(receiver, Life::Lingering | Life::Orphaned) {
            wire.ends[other(side)].discarded += pipe.unread() as u64;
            pipe.discard_unread();
            self.linger_no_longer(key, other(side));
        }
        if fate.limit(delivered) == 0 {
            self.strike(key, side);
            return false;
        }
        true
    }

    /// Both ends learn of what landed: the receiver that the peer lives, the sender that its bytes are there.
    pub(crate) fn heard(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        let answered = self.passes(wire, other(side));
        let now = self.now.get();
        let wire = self.wires.get_mut(key).expect("it was there");
        wire.ends[other(side)].heard_at = now;
        if answered {
            wire.ends[side].heard_at = now;
            if wire.pipes[side].acknowledge() {
                wire.ends[side].progress_at = now;
            }
        }
        self.mark(key, other(side));
        self.feed(key, side);
        self.end_if_over(key, side);
        self.end_if_over(key, other(side));
    }

    pub(crate) fn note_received(&mut self, key: Key, side: usize, data: &[u8]) {
        let serial = self.wires.get(key).expect("it gave the bytes").serial;
        self.note(
            self.host_of(key, side),
            format_args!("c{serial} receives {}", Digest(data)),
        );
    }
}

/// Moves bytes from `outgoing` into the pipe, `limit` at most; returns how many, and whether a file could not be read.
fn fill(
    wire: &mut Wire,
    side: usize,
    outgoing: &mut Outgoing,
    pool: &mut Pool,
    limit: usize,
) -> (usize, io::Result<()>) {
    let mut taken = 0;
    while !outgoing.is_empty() && taken < limit {
        let pipe = &mut wire.pipes[side];
        if pipe.room() == 0 {
            break;
        }
        if let Err(error) = outgoing.read_file(pool) {
            return (taken, Err(error));
        }
        if outgoing.has_descriptors() {
            pipe.pass(outgoing.take_descriptors());
        }
        let piece = outgoing.first();
        let length = piece.len().min(outgoing.until_descriptor());
        let accepted = pipe.accept(&piece[..length.min(limit - taken)]);
        outgoing.advance(accepted, pool);
        taken += accepted;
    }
    (taken, Ok(()))
}

/// A slow link sends short segments, so that the first bytes do not wait for the last.
fn longest(len: usize, link: &Link) -> usize {
    let most = link
        .bandwidth
        .map_or(SEGMENT, |rate| (rate / 100).clamp(SLOW_SEGMENT, SEGMENT));
    len.min(most as usize)
}

/// When the last of `len` bytes has left, the line being shared by all connections of that direction.
pub(crate) fn occupy(
    busy_until: &mut BTreeMap<(usize, usize), Duration>,
    direction: (usize, usize),
    now: Duration,
    len: usize,
    link: &Link,
) -> Duration {
    let Some(rate) = link.bandwidth else {
        return now;
    };
    let nanos = u128::from(len as u64) * 1_000_000_000 / u128::from(rate.max(1));
    let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    let free = busy_until.entry(direction).or_default();
    *free = now.max(*free).saturating_add(takes);
    *free
}
