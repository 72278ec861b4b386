//! Memory: what an idle connection costs the server, and what a burst leaves behind.
//!
//! The burst is sent without reading until nothing moves any more, so that a server that buffers
//! without bound shows it, and one that stops reading shows that too; only then is it read back.

use std::thread;
use std::time::{Duration, Instant};

use super::swarm::Swarm;
use super::{PATIENCE, Target};
use crate::Outcome;
use crate::cpu;
use crate::record::Record;

const MESSAGE_BYTES: u64 = 64;
/// Memory is read when it has not changed for so long…
const STABLE: Duration = Duration::from_millis(300);
/// …or after this.
const SETTLED: Duration = Duration::from_secs(5);

/// Connects everybody, sends one message on each, then `burst` bytes on the first `bursting` ones.
pub(crate) fn run(target: &Target, bursting: usize, burst: u64) -> Outcome<Record> {
    let mut record = Record::default();
    let count = target.connections as f64;
    // The first connection makes the server set up what it sets up once.
    let mut first = Swarm::connect(target, 1)?;
    exchange(&mut first, 1, MESSAGE_BYTES)?;
    let empty = settled_bytes(target.pid)?;

    let mut swarm = Swarm::connect(target, target.connections)?;
    let connected = settled_bytes(target.pid)?;
    record.set("connected_bytes", (connected - empty) / count);
    let all = swarm.len();
    exchange(&mut swarm, all, MESSAGE_BYTES)?;
    let used = settled_bytes(target.pid)?;
    record.set("used_bytes", (used - empty) / count);

    let peak = cpu::peak_resident_bytes(target.pid)? as f64;
    record.set("slope_bytes", (peak - empty) / count);

    let bursting = bursting.min(all);
    fill(&mut swarm, bursting, burst)?;
    let full = cpu::resident_bytes(target.pid)? as f64;
    record.set("full_bytes", (full - used) / bursting as f64);
    read_back(&mut swarm, bursting, MESSAGE_BYTES + burst)?;
    let after = settled_bytes(target.pid)?;
    record.set("retained_bytes", (after - used) / bursting as f64);
    record.set(
        "peak_bytes",
        cpu::peak_resident_bytes(target.pid)? as f64 - empty,
    );
    drop(swarm);
    record.set("left_bytes", settled_bytes(target.pid)? - empty);
    Ok(record)
}

fn exchange(swarm: &mut Swarm, count: usize, bytes: u64) -> Outcome<()> {
    for index in 0..count {
        swarm.push(index, bytes)?;
    }
    read_back(swarm, count, bytes)
}

/// Sends without reading, until no byte has moved for a while.
fn fill(swarm: &mut Swarm, count: usize, bytes: u64) -> Outcome<()> {
    let mut moved = Instant::now();
    let mut last = u64::MAX;
    for index in 0..count {
        swarm.push(index, bytes)?;
    }
    while moved.elapsed() < STABLE {
        for index in 0..count {
            swarm.flush(index)?;
        }
        let sent: u64 = (0..count).map(|index| swarm.sent(index)).sum();
        if sent != last {
            (last, moved) = (sent, Instant::now());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

fn read_back(swarm: &mut Swarm, count: usize, bytes: u64) -> Outcome<()> {
    let mut heard = Instant::now();
    while (0..count).any(|index| swarm.received(index) < bytes) {
        if swarm.turn(100, |_, _, _| Ok(()))? {
            heard = Instant::now();
        } else if heard.elapsed() > PATIENCE {
            return Err("some bytes never came back".into());
        }
    }
    Ok(())
}

/// Resident memory once it stands still.
pub(super) fn settled_bytes(pid: u32) -> Outcome<f64> {
    let began = Instant::now();
    let mut bytes = cpu::resident_bytes(pid)?;
    let mut changed = began;
    while changed.elapsed() < STABLE && began.elapsed() < SETTLED {
        thread::sleep(Duration::from_millis(20));
        let now = cpu::resident_bytes(pid)?;
        if now != bytes {
            (bytes, changed) = (now, Instant::now());
        }
    }
    Ok(bytes as f64)
}
