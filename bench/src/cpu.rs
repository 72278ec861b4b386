//! What a process and the whole machine used, read from /proc at the two edges of a window.
//!
//! The total is exact (nanoseconds the scheduler gave the process's threads); the split in user and
//! system time is the kernel's sampling, scaled to that total.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use crate::alloc;
use crate::record::Record;

/// Length of a tick in /proc/stat. It is 1/100 s on every Linux there is; the kernel's own HZ differs.
const TICK_NS: f64 = 1e7;

/// Who is measured: a server's process and, if its allocations are counted, where.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) pid: u32,
    /// A process beside it that belongs to the load, not to the noise.
    pub(crate) helper: Option<u32>,
    pub(crate) counter: Option<PathBuf>,
}

/// Everything read at one edge of a window.
pub(crate) struct Snapshot {
    at: Instant,
    server_ns: u64,
    user_ticks: u64,
    system_ticks: u64,
    own_ns: u64,
    busy_ticks: u64,
    stolen_ticks: u64,
    allocations: Option<u64>,
}

impl Snapshot {
    pub(crate) fn take(subject: &Subject) -> io::Result<Self> {
        let (user_ticks, system_ticks) = process_ticks(subject.pid)?;
        let (busy_ticks, stolen_ticks) = machine_ticks()?;
        let counter = subject.counter.as_deref();
        let helper_ns = subject.helper.map_or(Ok(0), process_ns)?;
        Ok(Self {
            at: Instant::now(),
            server_ns: process_ns(subject.pid)?,
            user_ticks,
            system_ticks,
            own_ns: process_ns(std::process::id())? + helper_ns,
            busy_ticks,
            stolen_ticks,
            allocations: counter.map(alloc::read_count).transpose()?,
        })
    }

    /// What was used between `self` and `end`, in which `ops` operations were done.
    pub(crate) fn until(&self, end: &Self, ops: u64) -> Record {
        let wall = (end.at - self.at).as_nanos() as f64;
        let server = (end.server_ns - self.server_ns) as f64;
        let own = (end.own_ns - self.own_ns) as f64;
        let user = (end.user_ticks - self.user_ticks) as f64;
        let system = (end.system_ticks - self.system_ticks) as f64;
        let busy = (end.busy_ticks - self.busy_ticks) as f64 * TICK_NS;
        let stolen = (end.stolen_ticks - self.stolen_ticks) as f64 * TICK_NS;
        let user_share = if user + system > 0.0 {
            user / (user + system)
        } else {
            0.0
        };
        let mut record = Record::default();
        record.set("ops", ops as f64);
        record.set("wall_s", wall / 1e9);
        record.set("server_us", server / 1e3);
        record.set("own_us", own / 1e3);
        record.set("user_us", server / 1e3 * user_share);
        record.set("others", ((busy - server - own) / wall).max(0.0));
        record.set("stolen", stolen / wall);
        if let (Some(start), Some(end)) = (self.allocations, end.allocations) {
            record.set("allocations", (end - start) as f64);
        }
        record
    }
}

/// Memory the process really holds, in bytes.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(number(kib)? * 1024)
}

/// The most memory the process ever held, in bytes.
pub(crate) fn peak_resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(number(kib)? * 1024)
}

/// Whether all threads of the process wait for something: then its CPU time stands still.
pub(crate) fn is_asleep(pid: u32) -> io::Result<bool> {
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("stat"))?;
        let state = text.rsplit_once(") ").map(|(_, rest)| rest);
        if !state.is_some_and(|state| state.starts_with('S')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How many descriptors the process has open.
pub(crate) fn open_descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Nanoseconds of CPU used by the whole machine and by nobody, in ticks: (busy, stolen by the host).
fn machine_ticks() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let mut fields = text.lines().next().unwrap_or("").split_whitespace().skip(1);
    let mut next = || number(fields.next());
    let (user, nice, system) = (next()?, next()?, next()?);
    let (_idle, _iowait) = (next()?, next()?);
    let (irq, softirq, stolen) = (next()?, next()?, next()?);
    Ok((user + nice + system + irq + softirq, stolen))
}

/// Watches how much of its own core a computing process does not get.
pub(crate) struct CoreWatch {
    at: Instant,
    own_ns: u64,
}

impl CoreWatch {
    pub(crate) fn start() -> io::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            own_ns: process_ns(std::process::id())?,
        })
    }

    /// The share of the time since the start in which others had the core; it computed all the time itself.
    pub(crate) fn stop(self) -> io::Result<f64> {
        let own = (process_ns(std::process::id())? - self.own_ns) as f64;
        Ok((1.0 - own / self.at.elapsed().as_nanos() as f64).max(0.0))
    }
}

/// The CPU time of the calling thread, lap by lap.
pub(crate) struct ThreadWatch(f64);

impl ThreadWatch {
    pub(crate) fn start() -> Self {
        Self(thread_ns())
    }

    /// Nanoseconds of CPU since the start or the last lap.
    pub(crate) fn lap_ns(&mut self) -> f64 {
        let now = thread_ns();
        let lap = now - self.0;
        self.0 = now;
        lap
    }
}

#[allow(unsafe_code, reason = "std has no clock of CPU time")]
fn thread_ns() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for the call, which only writes it.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// CPU time of all threads; a thread that has ended meanwhile is not in it (servers start theirs once).
fn process_ns(pid: u32) -> io::Result<u64> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        total += number(text.split_whitespace().next())?;
    }
    Ok(total)
}

fn process_ticks(pid: u32) -> io::Result<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command's name may hold spaces and parentheses: count from behind the last one.
    let after_name = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_whitespace().skip(11);
    Ok((number(fields.next())?, number(fields.next())?))
}

fn number(field: Option<&str>) -> io::Result<u64> {
    let number = field.and_then(|field| field.parse().ok());
    number.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unexpected text in /proc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_the_work_done_in_it() {
        let subject = Subject {
            pid: std::process::id(),
            helper: None,
            counter: None,
        };
        let start = Snapshot::take(&subject).unwrap();
        let (mut watch, mut used, mut spins) = (ThreadWatch::start(), 0.0, 0);
        while used < 5e7 {
            used += watch.lap_ns();
            spins += 1;
        }
        let record = start.until(&Snapshot::take(&subject).unwrap(), spins);
        assert!(record.get("wall_s").unwrap() > 0.0);
        assert!(
            record.get("server_us").unwrap() > 1_000.0,
            "50 ms of spinning left no trace"
        );
        assert!(resident_bytes(subject.pid).unwrap() > 0);
    }
}
