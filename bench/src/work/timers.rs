//! One million pending timers: what it costs to schedule, to put off and to cancel one.
//!
//! In-process, CPU time of the one thread. tokio's side is its `sleep`: boxed, as every sleep that is
//! kept somewhere is, polled once (which registers it), reset, dropped. Deadlines are pseudo-random
//! between 10 and 70 s, and cancelling goes in another order than scheduling.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::Outcome;
use crate::bench::Bench;
use crate::cpu;
use crate::process;
use crate::record::Record;
use crate::server::Peer;
use crate::table::{Table, cell};

const PENDING: usize = 1_000_000;
/// Coprime to [`PENDING`]: steps of this length visit every timer once, in no order of time or memory.
const STRIDE: usize = 611_953;

/// Compares the engines, each in processes of its own.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let results = bench.alternate(&bench.engines(), |peer| process::compute("timers", peer))?;
    let columns = [
        "engine",
        "schedule ÷ tokio",
        "reset ÷ tokio",
        "cancel ÷ tokio",
        "(schedule ns)",
        "(reset ns)",
        "(cancel ns)",
        "runs",
    ];
    let title = "timers: 1 000 000 pending; divided by tokio's sleep registered and dropped";
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for peer in results.peers() {
        let ratio = |name: &'static str| {
            cell(
                results.ratio(
                    peer,
                    move |record| record.get(name),
                    &Peer::Tokio,
                    registered_and_dropped,
                ),
                3,
            )
        };
        let nanoseconds = |name| cell(results.median(peer, |record| record.get(name)), 0);
        table.row(vec![
            peer.name().to_owned(),
            ratio("schedule"),
            ratio("reset"),
            ratio("cancel"),
            nanoseconds("schedule"),
            nanoseconds("reset"),
            nanoseconds("cancel"),
            results.remarks(peer, registered_and_dropped),
        ]);
    }
    print!("{table}");
    Ok(())
}

/// Measures one engine in this process.
pub(crate) fn compute(peer: &Peer) -> Outcome<Record> {
    match peer {
        Peer::Tokio => tokio_timers(),
        other => Err(format!("{} has no timers to measure", other.name()).into()),
    }
}

fn registered_and_dropped(record: &Record) -> Option<f64> {
    Some(record.get("schedule")? + record.get("cancel")?)
}

/// The delay of the timer with that number.
fn delay(index: usize) -> Duration {
    let scattered = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    Duration::from_millis(10_000 + scattered % 60_000)
}

/// Every index once, in a scattered order.
fn scattered() -> impl Iterator<Item = usize> {
    (0..PENDING).map(|index| index * STRIDE % PENDING)
}

fn tokio_timers() -> Outcome<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    // Unconstrained: else every 128th poll yields instead of registering.
    Ok(runtime.block_on(tokio::task::unconstrained(async {
        let mut sleeps: Vec<Option<Pin<Box<tokio::time::Sleep>>>> = Vec::with_capacity(PENDING);
        let mut record = Record::default();
        let mut watch = cpu::ThreadWatch::start();
        for index in 0..PENDING {
            let mut sleep = Box::pin(tokio::time::sleep(delay(index)));
            poll_fn(|context| {
                assert!(sleep.as_mut().poll(context).is_pending());
                Poll::Ready(())
            })
            .await;
            sleeps.push(Some(sleep));
        }
        record.set("schedule", watch.lap_ns() / PENDING as f64);
        for index in scattered() {
            if let Some(sleep) = &mut sleeps[index] {
                sleep
                    .as_mut()
                    .reset(tokio::time::Instant::now() + delay(index + 1));
            }
        }
        record.set("reset", watch.lap_ns() / PENDING as f64);
        for index in scattered() {
            sleeps[index] = None;
        }
        record.set("cancel", watch.lap_ns() / PENDING as f64);
        record
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scattered_order_visits_every_timer_once() {
        let mut seen = vec![false; PENDING];
        for index in scattered() {
            assert!(!std::mem::replace(&mut seen[index], true));
        }
        assert!(seen.into_iter().all(|seen| seen));
    }
}
