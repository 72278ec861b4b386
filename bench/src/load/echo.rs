//! The closed loop: as soon as messages are back, as many leave again.

use std::time::{Duration, Instant};

use super::slice::Generator;
use super::swarm::Swarm;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::record::Record;

/// Turns until the time is over and all that is under way is back; `turn` is told whether to send again, and tells how many
/// came back. Gives how many did in all, or `silence` as the error if none does for long.
pub(super) fn until_all_are_back(
    end: Instant,
    mut under_way: u64,
    silence: &'static str,
    mut turn: impl FnMut(bool) -> Outcome<u64>,
) -> Outcome<u64> {
    let (mut done, mut heard) = (0, Instant::now());
    while under_way > 0 {
        let now = Instant::now();
        let back = turn(now < end)?;
        done += back;
        if now >= end {
            under_way -= back;
        }
        if back > 0 {
            heard = now;
        } else if now - heard > PATIENCE {
            return Err(silence.into());
        }
    }
    Ok(done)
}

/// Keeps a number of messages under way on each connection.
pub(crate) struct ClosedLoop {
    swarm: Swarm,
    /// Bytes of a message, and of all that are under way on one connection.
    size: u64,
    window: u64,
}

impl ClosedLoop {
    pub(crate) fn new(target: &Target, depth: usize, size: usize) -> Outcome<Self> {
        let size = size.max(1) as u64;
        let swarm = Swarm::connect(target, target.connections)?;
        Ok(Self {
            swarm,
            size,
            window: depth.max(1) as u64 * size,
        })
    }

    /// Receives once; with `again`, sends as many messages as came back. How many did.
    fn turn(&mut self, again: bool) -> Outcome<u64> {
        let (size, mut done) = (self.size, 0);
        self.swarm.turn(100, |swarm, index, bytes| {
            let received = swarm.received(index);
            let complete = received / size - (received - bytes) / size;
            done += complete;
            if again && complete > 0 {
                swarm.push(index, complete * size)
            } else {
                Ok(())
            }
        })?;
        Ok(done)
    }
}

impl Generator for ClosedLoop {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        for index in 0..self.swarm.len() {
            self.swarm.push(index, self.window)?;
        }
        let under_way = self.swarm.len() as u64 * self.window / self.size;
        until_all_are_back(end, under_way, "no answer for 10 s", |again| {
            self.turn(again)
        })
    }

    fn tell(&mut self, record: &mut Record) {
        if let Some((most, fewest)) = self.swarm.most_and_fewest() {
            record.set("most", f64::from(most));
            record.set("fewest", f64::from(fewest));
        }
    }
}
