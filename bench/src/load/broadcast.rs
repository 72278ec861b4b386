//! One sender, many receivers: the next message leaves when all have the last one.

use std::thread;
use std::time::{Duration, Instant};

use super::swarm::Swarm;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu::{self, Snapshot};
use crate::record::Record;

/// The first connection sends, all receive; an operation is one message delivered to one of them.
pub(crate) fn run(target: &Target, size: usize) -> Outcome<Record> {
    let before_connecting = cpu::open_descriptors(target.pid)?;
    let swarm = Swarm::connect_alike(target.port, target.connections)?;
    wait_until_accepted(target, before_connecting + swarm.len())?;
    let mut broadcast = Broadcast {
        swarm,
        size: size.max(1) as u64,
        delivered: 0,
    };
    broadcast.run_for(target.warm_up())?;
    let start = Snapshot::take(&target.subject())?;
    let before = broadcast.delivered;
    broadcast.run_for(target.window())?;
    let end = Snapshot::take(&target.subject())?;
    Ok(start.until(&end, broadcast.delivered - before))
}

/// A message sent before the server has accepted everybody would not reach everybody.
fn wait_until_accepted(target: &Target, descriptors: usize) -> Outcome<()> {
    let began = Instant::now();
    while cpu::open_descriptors(target.pid)? < descriptors {
        if began.elapsed() > PATIENCE {
            return Err("the server has not accepted everybody after 10 s".into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(50));
    Ok(())
}

struct Broadcast {
    swarm: Swarm,
    size: u64,
    delivered: u64,
}

impl Broadcast {
    fn run_for(&mut self, length: Duration) -> Outcome<()> {
        let end = Instant::now() + length;
        while Instant::now() < end {
            self.send_one()?;
        }
        Ok(())
    }

    fn send_one(&mut self) -> Outcome<()> {
        let mut missing = self.size * self.swarm.len() as u64;
        self.swarm.push(0, self.size)?;
        let began = Instant::now();
        while missing > 0 {
            self.swarm.turn(100, |_, _, bytes| {
                missing = missing
                    .checked_sub(bytes)
                    .ok_or("more bytes than were sent")?;
                Ok(())
            })?;
            if began.elapsed() > PATIENCE {
                return Err("a message did not reach everybody in 10 s".into());
            }
        }
        self.delivered += self.swarm.len() as u64;
        Ok(())
    }
}
