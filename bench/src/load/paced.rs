//! The open loop: messages leave on a schedule fixed beforehand, and a message's latency counts from
//! the moment it was due, not from when the generator got round to sending it. So a server that stalls
//! is charged for everything that was due meanwhile (no coordinated omission).
//!
//! The gaps are exponential (arrivals as of many independent users) and the same for every server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Target;
use super::slice::Generator;
use super::swarm::Swarm;
use crate::Outcome;
use crate::record::Record;
use crate::stats::quantile;

/// So many messages under way mean that the server cannot keep up: the slice ends as overloaded.
const MOST_UNDER_WAY: usize = 200_000;
/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How many due messages are sent before the answers are looked at again.
const SENDS_PER_TURN: usize = 16;
/// The first part of a slice is not counted: caches are cold, and the server has just been woken.
const NOT_COUNTED: f64 = 0.1;

/// Sends messages over all connections in turn, each at its time.
pub(crate) struct Paced {
    swarm: Swarm,
    size: u64,
    mean_gap_ns: f64,
    began: Instant,
    schedule: Schedule,
    sent: usize,
    /// When the messages under way were due, by connection, oldest first.
    waiting: Vec<VecDeque<u64>>,
    under_way: usize,
    overloaded: bool,
    /// Messages due before this are not counted.
    counted_from_ns: u64,
    latencies: Vec<u32>,
}

impl Paced {
    /// `rate` messages of `size` bytes per second.
    pub(crate) fn new(target: &Target, size: usize, rate: f64) -> Outcome<Self> {
        let swarm = Swarm::connect(target, target.connections)?;
        let (waiting, mean_gap_ns) = (vec![VecDeque::new(); swarm.len()], 1e9 / rate);
        Ok(Self {
            swarm,
            size: size.max(1) as u64,
            mean_gap_ns,
            began: Instant::now(),
            schedule: Schedule::new(mean_gap_ns),
            sent: 0,
            waiting,
            under_way: 0,
            overloaded: false,
            counted_from_ns: 0,
            latencies: Vec::new(),
        })
    }

    fn send_due(&mut self, end_ns: u64) -> Outcome<()> {
        for _ in 0..SENDS_PER_TURN {
            let due = self.schedule.due_ns as u64;
            if due > self.now_ns() || due >= end_ns {
                break;
            }
            // Neighbours in time are not neighbours in the server's table.
            let index = self.sent.wrapping_mul(7919) % self.swarm.len();
            self.waiting[index].push_back(due);
            self.swarm.push(index, self.size)?;
            self.sent += 1;
            self.under_way += 1;
            self.schedule.advance();
        }
        Ok(())
    }

    fn receive(&mut self) -> Outcome<()> {
        let Self {
            swarm,
            size,
            began,
            waiting,
            under_way,
            counted_from_ns,
            latencies,
            ..
        } = self;
        swarm.turn(0, |swarm, index, bytes| {
            let received = swarm.received(index);
            let now = began.elapsed().as_nanos() as u64;
            for _ in (received - bytes) / *size..received / *size {
                let due = waiting[index].pop_front().ok_or("an answer to nothing")?;
                *under_way -= 1;
                if due >= *counted_from_ns {
                    latencies.push(u32::try_from(now - due).unwrap_or(u32::MAX));
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

impl Generator for Paced {
    fn work(&mut self, length: Duration) -> Outcome<u64> {
        if self.overloaded {
            return Ok(0);
        }
        (self.began, self.sent) = (Instant::now(), 0);
        self.schedule = Schedule::new(self.mean_gap_ns);
        self.counted_from_ns = (length.as_nanos() as f64 * NOT_COUNTED) as u64;
        self.latencies.clear();
        let end_ns = length.as_nanos() as u64;
        while self.now_ns() < end_ns && self.under_way < MOST_UNDER_WAY {
            self.send_due(end_ns)?;
            self.receive()?;
        }
        let last = Instant::now() + LAST_ANSWERS;
        self.overloaded = self.under_way >= MOST_UNDER_WAY;
        while self.under_way > 0 && Instant::now() < last {
            self.receive()?;
        }
        self.overloaded |= self.under_way > 0;
        Ok(self.sent as u64)
    }

    fn tell(&mut self, record: &mut Record) {
        record.set("overloaded", f64::from(u8::from(self.overloaded)));
        self.latencies.sort_unstable();
        for (name, share) in [("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)] {
            if let Some(latency) = quantile(&self.latencies, share) {
                record.set(name, f64::from(latency) / 1e3);
            }
        }
    }
}

/// When the next message is due; the same sequence in every run.
struct Schedule {
    state: u64,
    due_ns: f64,
    mean_gap_ns: f64,
}

impl Schedule {
    const fn new(mean_gap_ns: f64) -> Self {
        Self {
            state: 0x9E37_79B9_7F4A_7C15,
            due_ns: 0.0,
            mean_gap_ns,
        }
    }

    fn advance(&mut self) {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let uniform = ((self.state >> 11) as f64 + 1.0) / (1u64 << 53) as f64;
        self.due_ns += -uniform.ln() * self.mean_gap_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_keeps_its_rate_and_repeats() {
        let (mut first, mut second) = (Schedule::new(1000.0), Schedule::new(1000.0));
        for _ in 0..100_000 {
            first.advance();
            second.advance();
        }
        assert_eq!(first.due_ns, second.due_ns);
        let mean = first.due_ns / 100_000.0;
        assert!((950.0..1050.0).contains(&mean), "{mean}");
    }
}
