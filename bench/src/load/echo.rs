//! The closed loop: as soon as messages are back, as many leave again.

use std::time::{Duration, Instant};

use super::swarm::Swarm;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu::Snapshot;
use crate::record::Record;

/// Keeps `depth` messages of `size` bytes under way on each connection.
pub(crate) fn run(target: &Target, depth: usize, size: usize) -> Outcome<Record> {
    let mut swarm = Swarm::connect(target.port, target.connections)?;
    let size = size.max(1) as u64;
    for index in 0..swarm.len() {
        swarm.push(index, depth.max(1) as u64 * size)?;
    }
    let mut echo = ClosedLoop {
        swarm,
        size,
        done: 0,
    };
    echo.run_for(target.warm_up())?;
    let start = Snapshot::take(&target.subject())?;
    let before = echo.done;
    echo.run_for(target.window())?;
    let end = Snapshot::take(&target.subject())?;
    Ok(start.until(&end, echo.done - before))
}

struct ClosedLoop {
    swarm: Swarm,
    size: u64,
    done: u64,
}

impl ClosedLoop {
    fn run_for(&mut self, length: Duration) -> Outcome<()> {
        let end = Instant::now() + length;
        let mut heard = Instant::now();
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(());
            }
            if self.turn()? {
                heard = now;
            } else if now - heard > PATIENCE {
                return Err("no answer for 10 s".into());
            }
        }
    }

    fn turn(&mut self) -> Outcome<bool> {
        let (size, done) = (self.size, &mut self.done);
        self.swarm.turn(100, |swarm, index, bytes| {
            let received = swarm.received(index);
            let complete = received / size - (received - bytes) / size;
            *done += complete;
            if complete > 0 {
                swarm.push(index, complete * size)
            } else {
                Ok(())
            }
        })
    }
}
