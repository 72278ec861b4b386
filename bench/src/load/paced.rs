//! The open loop: messages leave on a schedule fixed beforehand, and a message's latency counts from
//! the moment it was due, not from when the generator got round to sending it. So a server that stalls
//! is charged for everything that was due meanwhile (no coordinated omission).
//!
//! The gaps are exponential (arrivals as of many independent users) and the same for every server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Target;
use super::swarm::Swarm;
use crate::Outcome;
use crate::cpu::Snapshot;
use crate::record::Record;
use crate::stats::quantile;

/// So many messages under way mean that the server cannot keep up: the run ends as overloaded.
const MOST_UNDER_WAY: usize = 200_000;
/// How long the last answers are waited for.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// How many due messages are sent before the answers are looked at again.
const SENDS_PER_TURN: usize = 16;

/// Sends `rate` messages of `size` bytes per second over all connections in turn.
pub(crate) fn run(target: &Target, size: usize, rate: f64) -> Outcome<Record> {
    let swarm = Swarm::connect(target.port, target.connections)?;
    let waiting = vec![VecDeque::new(); swarm.len()];
    let schedule = Schedule {
        state: 0x9E37_79B9_7F4A_7C15,
        due_ns: 0.0,
        mean_gap_ns: 1e9 / rate,
    };
    let size = size.max(1) as u64;
    let mut paced = Paced {
        swarm,
        size,
        began: Instant::now(),
        schedule,
        sent: 0,
        waiting,
        under_way: 0,
        latencies: None,
    };
    paced.run_until(target.warm_up())?;
    let start = Snapshot::take(&target.subject())?;
    let before = paced.sent;
    paced.latencies = Some(Vec::with_capacity(
        (rate * target.window().as_secs_f64() * 1.2) as usize,
    ));
    paced.run_until(target.warm_up() + target.window())?;
    let end = Snapshot::take(&target.subject())?;
    let mut record = start.until(&end, (paced.sent - before) as u64);
    paced.drain()?;
    paced.tell(&mut record);
    Ok(record)
}

struct Paced {
    swarm: Swarm,
    size: u64,
    began: Instant,
    schedule: Schedule,
    sent: usize,
    /// When the messages under way were due, by connection, oldest first.
    waiting: Vec<VecDeque<u64>>,
    under_way: usize,
    /// Nanoseconds, once the warm-up is over.
    latencies: Option<Vec<u32>>,
}

impl Paced {
    fn run_until(&mut self, end: Duration) -> Outcome<()> {
        let end_ns = end.as_nanos() as u64;
        while self.now_ns() < end_ns && self.under_way < MOST_UNDER_WAY {
            self.send_due(end_ns)?;
            self.receive()?;
        }
        Ok(())
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
            latencies,
            ..
        } = self;
        swarm.turn(0, |swarm, index, bytes| {
            let received = swarm.received(index);
            let now = began.elapsed().as_nanos() as u64;
            for _ in (received - bytes) / *size..received / *size {
                let due = waiting[index].pop_front().ok_or("an answer to nothing")?;
                *under_way -= 1;
                if let Some(latencies) = latencies {
                    latencies.push(u32::try_from(now - due).unwrap_or(u32::MAX));
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    fn drain(&mut self) -> Outcome<()> {
        let end = Instant::now() + LAST_ANSWERS;
        while self.under_way > 0 && Instant::now() < end {
            self.receive()?;
        }
        Ok(())
    }

    fn tell(&mut self, record: &mut Record) {
        record.set("overloaded", f64::from(u8::from(self.under_way > 0)));
        let latencies = self.latencies.get_or_insert_default();
        latencies.sort_unstable();
        for (name, share) in [("p50_us", 0.5), ("p99_us", 0.99), ("p999_us", 0.999)] {
            if let Some(latency) = quantile(latencies, share) {
                record.set(name, f64::from(latency) / 1e3);
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }
}

/// When the next message is due; the same sequence in every run.
struct Schedule {
    state: u64,
    due_ns: f64,
    mean_gap_ns: f64,
}

impl Schedule {
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
        let schedule = || Schedule {
            state: 7,
            due_ns: 0.0,
            mean_gap_ns: 1000.0,
        };
        let (mut first, mut second) = (schedule(), schedule());
        for _ in 0..100_000 {
            first.advance();
            second.advance();
        }
        assert_eq!(first.due_ns, second.due_ns);
        let mean = first.due_ns / 100_000.0;
        assert!((950.0..1050.0).contains(&mean), "{mean}");
    }
}
