//! One million pending timers: what it costs to schedule, to put off and to cancel one, and one more that is cancelled
//! at once, as most are.
//!
//! In-process, CPU time of the one thread. tokio's side is its `sleep`: boxed, as every sleep that is
//! kept somewhere is, polled once (which registers it), reset, dropped. Deadlines are pseudo-random
//! between 10 and 70 s. Timers are reset and cancelled once in the order of scheduling, once scattered: then most of the
//! cost, everybody's, is that of memory that no cache holds.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::Sleep;

use crate::Outcome;
use crate::bench::{Bench, words};
use crate::cpu::ThreadWatch;
use crate::process;
use crate::record::Record;
use crate::results::Results;
use crate::server::{Mode, Peer, ours};
use crate::table::{Table, cell};

const PENDING: usize = 1_000_000;
/// The orders in which timers are reset and cancelled: as they were scheduled; or in steps that are coprime to
/// [`PENDING`] and so visit each once, in no order of time or memory, as a million peers would.
const ORDERS: [(&str, usize); 2] = [("ordered", 1), ("scattered", 611_953)];

/// Compares the engines, each in processes of its own; then what a time-out per message adds to echo.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    if bench.wants("pending") {
        let results =
            bench.compare_runs(&bench.engines(), |peer| process::compute("timers", peer))?;
        print!("{}", pending_table(&results)?);
    }
    if bench.wants("timeout") {
        print!("{}", timeout_table(bench)?);
    }
    Ok(())
}

fn pending_table(results: &Results) -> Outcome<Table> {
    let columns = [
        "engine",
        "schedule ÷ tokio",
        "reset ÷ tokio",
        "cancel ÷ tokio",
        "schedule and cancel at once ÷ tokio's",
        "(schedule ns)",
        "(reset ns)",
        "(cancel ns)",
        "(at once ns)",
        "runs",
    ];
    let title = "timers: 1 000 000 pending; divided by tokio's sleep registered and dropped";
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    let tokio = results
        .place(&Peer::Tokio)
        .ok_or("nothing to divide by: tokio is left out")?;
    for (order, _) in ORDERS {
        for (index, peer) in results.peers().enumerate() {
            let name = format!("{}, {order}", peer.name());
            table.row(pending_row(results, (index, tokio), order, name));
        }
    }
    Ok(table)
}

fn pending_row(
    results: &Results,
    (index, tokio): (usize, usize),
    order: &str,
    title: String,
) -> Vec<String> {
    let number = |name: &str| {
        let name = format!("{name}_{order}");
        move |record: &Record| record.get(&name)
    };
    let base = |record: &Record| Some(number("schedule")(record)? + number("cancel")(record)?);
    let ratio = |name| cell(results.ratio(index, number(name), tokio, base), 3);
    let nanoseconds = |name| cell(results.median(index, number(name)), 0);
    vec![
        title,
        ratio("schedule"),
        ratio("reset"),
        ratio("cancel"),
        cell(
            results.ratio(index, number("both"), tokio, number("both")),
            3,
        ),
        nanoseconds("schedule"),
        nanoseconds("reset"),
        nanoseconds("cancel"),
        nanoseconds("both"),
        results.remarks(index, base),
    ]
}

/// Echo with an idle time-out that every message puts off, against echo without.
fn timeout_table(bench: &Bench) -> Outcome<Table> {
    let load = words(&["echo", "--connections", "100"]);
    let servers: Vec<(Peer, Mode)> = bench
        .engines()
        .into_iter()
        .flat_map(|peer| [(peer.clone(), Mode::Echo), (peer, Mode::EchoTimeout)])
        .collect();
    let results = bench.compare_servers(&servers, &load, bench.options.slice)?;
    let title =
        "timers: echo of 64 B × 100 connections, with an idle time-out that every message puts off";
    let columns = [
        "engine",
        "with ÷ without",
        "(with µs)",
        "(without µs)",
        "laps",
    ];
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for (without, (peer, _)) in servers.iter().enumerate().step_by(2) {
        let with = without + 1;
        table.row(vec![
            peer.name().to_owned(),
            cell(
                results.ratio(with, Record::total_us, without, Record::total_us),
                3,
            ),
            cell(results.median(with, Record::total_us), 2),
            cell(results.median(without, Record::total_us), 2),
            results.remarks(with, Record::total_us),
        ]);
    }
    Ok(table)
}

/// Measures one engine in this process.
pub(crate) fn compute(peer: &Peer) -> Outcome<Record> {
    match peer {
        Peer::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let _first = runtime.block_on(first_of_all());
            let _entered = runtime.enter();
            measure(&mut TokioTimers)
        }
        Peer::Ropewalk => ours::timers(),
        other => Err(format!("{} has no timers to measure", other.name()).into()),
    }
}

/// An engine's timers, as its users have them.
pub(crate) trait Timers {
    /// One pending timer.
    type Timer;

    fn schedule(&mut self, delay: Duration) -> Self::Timer;
    fn reset(&mut self, timer: &mut Self::Timer, delay: Duration) -> Outcome<()>;
    fn cancel(&mut self, timer: Self::Timer) -> Outcome<()>;
}

/// Nanoseconds of CPU per timer for each of the three, with a million pending, in both orders.
pub(crate) fn measure<T: Timers>(timers: &mut T) -> Outcome<Record> {
    let mut record = Record::default();
    for (order, stride) in ORDERS {
        let mut watch = ThreadWatch::start();
        let mut lap = |record: &mut Record, name: &str| {
            record.set(&format!("{name}_{order}"), watch.lap_ns() / PENDING as f64);
        };
        let mut pending = Vec::with_capacity(PENDING);
        lap(&mut record, "prepare");
        pending.extend((0..PENDING).map(|index| Some(timers.schedule(delay(index)))));
        lap(&mut record, "schedule");
        for index in 0..PENDING {
            let timer = timers.schedule(delay(index));
            timers.cancel(timer)?;
        }
        lap(&mut record, "both");
        for index in in_steps(stride) {
            if let Some(timer) = &mut pending[index] {
                timers.reset(timer, delay(index + 1))?;
            }
        }
        lap(&mut record, "reset");
        for index in in_steps(stride) {
            if let Some(timer) = pending[index].take() {
                timers.cancel(timer)?;
            }
        }
        lap(&mut record, "cancel");
    }
    Ok(record)
}

/// A runtime that has slept once and has an earlier timer than all that follow, as one in use has: else it would
/// wake its driver, by a system call, for every one of them.
async fn first_of_all() -> Pin<Box<Sleep>> {
    let mut first = Box::pin(tokio::time::sleep(Duration::from_secs(5)));
    let polled = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    tokio::time::sleep(Duration::from_millis(2)).await;
    first
}

struct TokioTimers;

impl Timers for TokioTimers {
    type Timer = Pin<Box<Sleep>>;

    fn schedule(&mut self, delay: Duration) -> Self::Timer {
        let mut sleep = Box::pin(tokio::time::sleep(delay));
        // The first poll registers it; the waker of a task costs no less than this one.
        let polled = sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        sleep
    }

    fn reset(&mut self, timer: &mut Self::Timer, delay: Duration) -> Outcome<()> {
        timer.as_mut().reset(tokio::time::Instant::now() + delay);
        Ok(())
    }

    fn cancel(&mut self, timer: Self::Timer) -> Outcome<()> {
        drop(timer);
        Ok(())
    }
}

/// The delay of the timer with that number.
fn delay(index: usize) -> Duration {
    let scattered = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Duration::from_millis(10_000 + scattered % 60_000)
}

/// Every index once.
fn in_steps(stride: usize) -> impl Iterator<Item = usize> {
    (0..PENDING).map(move |index| index * stride % PENDING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_visits_every_timer_once() {
        for (_, stride) in ORDERS {
            let mut seen = vec![false; PENDING];
            for index in in_steps(stride) {
                assert!(!std::mem::replace(&mut seen[index], true));
            }
            assert!(seen.into_iter().all(|seen| seen));
        }
    }
}
