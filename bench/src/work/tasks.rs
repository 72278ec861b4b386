//! Tasks: spawned and run to their end, and woken again and again. In-process, CPU time of the thread.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::Outcome;
use crate::bench::Bench;
use crate::cpu;
use crate::process;
use crate::record::Record;
use crate::server::Peer;
use crate::table::{Table, cell};

/// Tasks alive at the same time.
const AT_ONCE: usize = 1000;
/// How often that many are spawned.
const BATCHES: usize = 1000;
/// How often each of them is woken.
const WAKES: u32 = 1000;

/// Compares the engines, each in processes of its own.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let results = bench.alternate(&bench.engines(), |peer| process::compute("tasks", peer))?;
    let columns = [
        "engine",
        "spawn ÷ tokio",
        "wake ÷ tokio",
        "(spawn ns)",
        "(wake ns)",
        "runs",
    ];
    let title = "tasks: 1 000 000 spawned and ended, 1000 at a time; 1000 woken 1000 times each";
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    for peer in results.peers() {
        let ratio = |name: &'static str| {
            let number = move |record: &Record| record.get(name);
            cell(results.ratio(peer, number, &Peer::Tokio, number), 3)
        };
        let nanoseconds = |name| cell(results.median(peer, |record| record.get(name)), 1);
        table.row(vec![
            peer.name().to_owned(),
            ratio("spawn"),
            ratio("wake"),
            nanoseconds("spawn"),
            nanoseconds("wake"),
            results.remarks(peer, |record| record.get("spawn")),
        ]);
    }
    print!("{table}");
    Ok(())
}

/// Measures one engine in this process.
pub(crate) fn compute(peer: &Peer) -> Outcome<Record> {
    match peer {
        Peer::Tokio => tokio_tasks(),
        other => Err(format!("{} has no tasks to measure", other.name()).into()),
    }
}

fn tokio_tasks() -> Outcome<Record> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut record = Record::default();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let ended = Rc::new(Cell::new(0));
        let mut watch = cpu::ThreadWatch::start();
        for batch in 1..=BATCHES {
            for _ in 0..AT_ONCE {
                let ended = Rc::clone(&ended);
                tokio::task::spawn_local(async move { ended.set(ended.get() + 1) });
            }
            while ended.get() < batch * AT_ONCE {
                tokio::task::yield_now().await;
            }
        }
        record.set("spawn", watch.lap_ns() / (BATCHES * AT_ONCE) as f64);
        let tasks: Vec<_> = (0..AT_ONCE)
            .map(|_| tokio::task::spawn_local(WakeItself(WAKES)))
            .collect();
        for task in tasks {
            task.await?;
        }
        record.set("wake", watch.lap_ns() / (AT_ONCE as f64 * f64::from(WAKES)));
        Ok::<(), tokio::task::JoinError>(())
    })?;
    Ok(record)
}

/// A future that is ready when it has been woken so many times.
struct WakeItself(u32);

impl Future for WakeItself {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
