//! What the plan of faults or a rule holds in store for a connection, and what becomes of it when a link changes.

use std::io;
use std::time::Duration;

use ropewalk_core::slots::Key;

use crate::network::Network;
use crate::schedule::Happening;
use crate::wire::{CLIENT, SERVER, Trouble, other};

/// What will befall a pipe when so many bytes were delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) reset_after: Option<u64>,
    pub(crate) vanish_after: Option<u64>,
    /// After having vanished: how long until a reset is the answer to everything.
    pub(crate) back_after: Option<Duration>,
}

impl Fate {
    /// How many bytes of a segment still come through, `delivered` having done so.
    pub(crate) fn limit(&self, delivered: u64) -> usize {
        let nearest = self.reset_after.into_iter().chain(self.vanish_after).min();
        let left = nearest.map_or(u64::MAX, |nearest| nearest.saturating_sub(delivered));
        usize::try_from(left).unwrap_or(usize::MAX)
    }
}

/// Drawn when a connection is made.
impl Network {
    /// Draws from the plan of faults what will befall a new connection, and in which direction.
    pub(crate) fn draw_fate(&mut self, fates: &mut [Fate; 2]) {
        const FAR: u64 = 64 * 1024;
        const BACK_WITHIN: Duration = Duration::from_secs(60);
        let (faults, random) = (self.faults, &mut self.random);
        if random.chance(faults.reset) {
            fates[random.index(2)].reset_after = Some(random.skewed(FAR));
        }
        if random.chance(faults.vanish) {
            fates[random.index(2)].vanish_after = Some(random.skewed(FAR));
        }
        if random.chance(faults.half_open) {
            let fate = &mut fates[random.index(2)];
            fate.vanish_after = Some(random.skewed(FAR));
            fate.back_after = Some(random.duration(BACK_WITHIN));
        }
    }

    /// Cuts the link of a new connection for a while, if the plan of faults says so.
    pub(crate) fn draw_partition(&mut self, key: Key) {
        const WITHIN: Duration = Duration::from_secs(10);
        if !self.random.chance(self.faults.partition) {
            return;
        }
        let ends = &self.wires.get(key).expect("just answered").ends;
        let (a, b) = (ends[CLIENT].host, ends[SERVER].host);
        let start = self.random.duration(WITHIN);
        let length = self.random.duration(self.faults.partition_for);
        self.plan(start, Happening::Cut { a, b, length });
    }
}

/// Struck while it lives.
impl Network {
    /// What the plan or a rule holds in store for this byte.
    pub(crate) fn strike(&mut self, key: Key, side: usize) {
        let wire = self.wires.get_mut(key).expect("its segment landed");
        let fate = std::mem::take(&mut wire.fates[side]);
        let delivered = wire.pipes[side].delivered();
        if fate.reset_after.is_some_and(|bytes| bytes <= delivered) {
            wire.pipes[side].cut_off();
            self.heard(key, side);
            self.break_up(key, side);
        } else {
            self.fall_silent(key, &[0, 1]);
            if let Some(back) = fate.back_after {
                self.plan(back, Happening::Back { wire: key });
            }
        }
    }

    /// A reset from between the ends: the receiver of `side`'s bytes reads what it has, then learns of it.
    fn break_up(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        let (serial, host) = (wire.serial, wire.ends[other(side)].host);
        self.note(host, format_args!("c{serial} is reset by the network"));
        self.send_reset(key, side);
        self.fail(
            key,
            other(side),
            Trouble::Kind(io::ErrorKind::ConnectionReset),
        );
    }

    /// From now on nothing that these sides send arrives.
    pub(crate) fn fall_silent(&mut self, key: Key, sides: &[usize]) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        sides.iter().for_each(|&side| wire.ends[side].silent = true);
        let (serial, host) = (wire.serial, wire.ends[sides[0]].host);
        self.note(host, format_args!("c{serial} vanishes into the void"));
        self.review(key, 0);
        self.review(key, 1);
    }

    /// What was silent is back and knows nothing of this connection: the next byte is answered with a reset.
    pub(crate) fn come_back(&mut self, key: Key) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        wire.forgotten = true;
        wire.ends.iter_mut().for_each(|end| end.silent = false);
        let (serial, host) = (wire.serial, wire.ends[0].host);
        self.note(host, format_args!("c{serial} is back, and forgotten"));
        self.review(key, 0);
        self.review(key, 1);
    }

    /// The state of a link changed: looks anew at what waits on it.
    pub(crate) fn review(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        let (there, back) = (self.passes(wire, side), self.passes(wire, other(side)));
        let dead_end = wire.is_dead_end(side);
        let now = self.now();
        let wire = self.wires.get_mut(key).expect("it was there");
        let end = &mut wire.ends[side];
        if there && back && !dead_end {
            if end.broken_since.take().is_some() {
                end.progress_at = now;
            }
        } else {
            end.broken_since.get_or_insert(now);
        }
        if back {
            wire.pipes[side].acknowledge();
        }
        if there {
            self.send_again(key, side);
        }
        self.feed(key, side);
        self.watch(key, side);
    }

    /// Segments that waited for the link are on their way again.
    fn send_again(&mut self, key: Key, side: usize) {
        let after = self.travel(key, side);
        let now = self.now();
        let wire = self.wires.get_mut(key).expect("it was there");
        let overdue = wire.pipes[side].next_due().is_some_and(|due| due <= now);
        if overdue && !wire.ends[side].arrival_scheduled {
            wire.pipes[side].delay_until(now.saturating_add(after));
            self.expect_arrival(key, side);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_fate_limits() {
        let fate = Fate {
            reset_after: Some(10),
            vanish_after: Some(7),
            back_after: None,
        };
        assert_eq!((fate.limit(0), fate.limit(7), fate.limit(9)), (7, 0, 0));
        assert_eq!(Fate::default().limit(5), usize::MAX);
    }
}
