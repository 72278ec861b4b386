//! Work in slices: the bench says "go", the generator works for a while, finishes what is under way, and tells.
//!
//! Servers of all peers stay up and take turns slice by slice, so that whatever the machine does hits all alike.
//! At both edges of a slice the server sleeps, so the scheduler's books are balanced to the nanosecond, and
//! operations and CPU time belong together exactly.

use std::io::{self, BufRead, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::Target;
use crate::Outcome;
use crate::cpu::{self, Snapshot};
use crate::record::Record;

/// How long a server may take to fall asleep when there is nothing to do.
const FALL_ASLEEP: Duration = Duration::from_millis(200);

/// A load that can be worked on in slices.
pub(crate) trait Generator {
    /// Works for that long and then until nothing is under way; how many operations were done.
    fn work(&mut self, length: Duration) -> Outcome<u64>;

    /// Adds what only this generator knows of its last slice.
    fn tell(&mut self, _record: &mut Record) {}
}

/// Works on one slice, if its length was given, or on every one that standard input asks for.
pub(crate) fn serve(target: &Target, mut generator: impl Generator) -> Outcome<()> {
    if let Some(seconds) = target.once {
        return tell(&slice(target, &mut generator, seconds)?);
    }
    for line in io::stdin().lock().lines() {
        tell(&slice(target, &mut generator, line?.trim().parse()?)?)?;
    }
    Ok(())
}

fn slice(target: &Target, generator: &mut impl Generator, seconds: f64) -> Outcome<Record> {
    let length = Duration::from_secs_f64(seconds.clamp(0.001, super::MOST_SECONDS));
    let subject = target.subject();
    wait_until_asleep(target.pid)?;
    let start = Snapshot::take(&subject)?;
    let began = Instant::now();
    let ops = generator.work(length)?;
    let worked = began.elapsed();
    wait_until_asleep(target.pid)?;
    let mut record = start.until(&Snapshot::take(&subject)?, ops);
    record.set("work_s", worked.as_secs_f64());
    generator.tell(&mut record);
    Ok(record)
}

fn wait_until_asleep(pid: u32) -> Outcome<()> {
    let began = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(1));
        if cpu::is_asleep(pid)? || began.elapsed() > FALL_ASLEEP {
            return Ok(());
        }
    }
}

fn tell(record: &Record) -> Outcome<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{record}")?;
    Ok(output.flush()?)
}
