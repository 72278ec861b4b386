//! System calls per operation of a server under load, counted from outside: perf's tracepoints where
//! they work (they hardly disturb), else strace (which slows the server so much that batches grow).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::process::Session;
use crate::record::Record;
use crate::server::{Mode, Peer};

const RECEIVE: &[&str] = &["recvfrom", "read", "readv", "recvmsg", "recvmmsg"];
const SEND: &[&str] = &["sendto", "write", "writev", "sendmsg", "sendmmsg"];
const WAIT: &[&str] = &["epoll_wait", "epoll_pwait", "epoll_pwait2"];
const OTHER: &[&str] = &[
    "epoll_ctl",
    "futex",
    "timerfd_settime",
    "setsockopt",
    "accept4",
    "close",
];

/// Time a tracer gets to attach before the load begins.
const ATTACH: Duration = Duration::from_millis(700);

/// Calls per operation: in `receive`, `send`, `wait`, and `rest`.
pub(crate) fn per_operation(peer: &Peer, mode: Mode, load: &[String]) -> Outcome<Record> {
    let mut session = Session::start(peer, mode, load, 0.3, false)?;
    let pid = session.server_pid();
    let report = std::env::temp_dir().join(format!("ropewalk-bench-calls-{pid}"));
    let mut tracer = Tracer::attach(pid, report)?;
    thread::sleep(ATTACH);
    let record = session.slice(1.0);
    drop(session);
    let counts = tracer.finish()?;
    let ops = record?
        .get("ops")
        .filter(|ops| *ops > 0.0)
        .ok_or("nothing was done")?;
    let sum = |names: &[&str]| {
        names
            .iter()
            .filter_map(|name| counts.get(*name))
            .sum::<f64>()
            / ops
    };
    let mut calls = Record::default();
    calls.set("receive", sum(RECEIVE));
    calls.set("send", sum(SEND));
    calls.set("wait", sum(WAIT));
    calls.set("rest", sum(OTHER));
    Ok(calls)
}

struct Tracer {
    child: Child,
    report: PathBuf,
    parse: fn(&str) -> BTreeMap<String, f64>,
}

impl Tracer {
    fn attach(pid: u32, report: PathBuf) -> Outcome<Self> {
        let perf = perf_works();
        let mut command = if perf {
            perf_command(pid, &report)
        } else {
            strace_command(pid, &report)
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.map_err(|error| format!("neither perf nor strace can count: {error}"))?;
        Ok(Self {
            child,
            report,
            parse: if perf { parse_perf } else { parse_strace },
        })
    }

    /// Waits for the tracer, which ends with the server, and reads what it counted.
    fn finish(&mut self) -> Outcome<BTreeMap<String, f64>> {
        self.child.wait()?;
        let text = fs::read_to_string(&self.report)?;
        let _ = fs::remove_file(&self.report);
        Ok((self.parse)(&text))
    }
}

fn events() -> String {
    let names = [RECEIVE, SEND, WAIT, OTHER].concat();
    names
        .iter()
        .map(|name| format!("syscalls:sys_enter_{name}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn perf_works() -> bool {
    let mut command = Command::new("perf");
    command.args(["stat", "-e", &events(), "true"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn perf_command(pid: u32, report: &Path) -> Command {
    let mut command = Command::new("perf");
    command
        .args([
            "stat",
            "-x",
            ",",
            "-e",
            &events(),
            "-p",
            &pid.to_string(),
            "-o",
        ])
        .arg(report);
    command
}

fn strace_command(pid: u32, report: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["-c", "-f", "-p", &pid.to_string(), "-o"])
        .arg(report);
    command
}

/// Lines such as `4711,,syscalls:sys_enter_sendto,…`.
fn parse_perf(text: &str) -> BTreeMap<String, f64> {
    let entry = |line: &str| {
        let mut fields = line.split(',');
        let count = fields.next()?.parse().ok()?;
        let name = fields.nth(1)?.strip_prefix("syscalls:sys_enter_")?;
        Some((name.to_owned(), count))
    };
    text.lines().filter_map(entry).collect()
}

/// Lines such as `51.20 0.1 3 4711 12 sendto`; the errors' column may be empty.
fn parse_strace(text: &str) -> BTreeMap<String, f64> {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let count = fields.get(3)?.parse().ok()?;
        Some(((*fields.last()?).to_owned(), count))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tracers_reports_are_understood() {
        let perf = "# started\n\n4711,,syscalls:sys_enter_sendto,900,100.00,,\n";
        assert_eq!(parse_perf(perf).get("sendto"), Some(&4711.0));
        let strace = "% time seconds usecs/call calls errors syscall\n\
                      ------ ----------- ----------- --------- --------- ------\n\
                      51.20 0.1 3 4711 12 sendto\n 48.80 0.1 3 99 recvfrom\n";
        let counts = parse_strace(strace);
        assert_eq!(counts.get("sendto"), Some(&4711.0));
        assert_eq!(counts.get("recvfrom"), Some(&99.0));
    }
}
