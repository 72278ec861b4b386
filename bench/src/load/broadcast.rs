//! One sender, many receivers: the next message leaves when all have the last one.

use std::thread;
use std::time::{Duration, Instant};

use super::slice::Generator;
use super::swarm::Swarm;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu;

/// The first connection sends, all receive; an operation is one message delivered to one of them.
pub(crate) struct Broadcast {
    swarm: Swarm,
    size: u64,
}

impl Broadcast {
    pub(crate) fn new(target: &Target, size: usize) -> Outcome<Self> {
        let before_connecting = cpu::open_descriptors(target.pid)?;
        let swarm = Swarm::connect_alike(target, target.connections)?;
        wait_until_accepted(target, before_connecting + swarm.len())?;
        Ok(Self {
            swarm,
            size: size.max(1) as u64,
        })
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
        Ok(())
    }
}

impl Generator for Broadcast {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        let end = Instant::now() + length;
        let mut delivered = 0;
        while Instant::now() < end {
            self.send_one()?;
            delivered += self.swarm.len() as u64;
        }
        Ok(delivered)
    }
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
