//! Tasks: spawned and run to their end, and woken again and again; and ours, a chain of 1 000 000 Deferreds.
//! In-process, CPU time of the thread.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use crate::Outcome;
use crate::bench::Bench;
use crate::cpu::ThreadWatch;
use crate::process;
use crate::record::Record;
use crate::server::{Peer, ours};
use crate::table::{Table, cell};

/// Tasks alive at the same time.
const AT_ONCE: usize = 1000;
/// How often that many are spawned.
const BATCHES: usize = 1000;
/// Deferreds in the chain; were firing it recursive, the stack would end long before.
pub(crate) const CHAINED: u32 = 1_000_000;
/// How often each of them is woken.
const WAKES: u32 = 1000;

/// Compares the engines, each in processes of its own.
pub(crate) fn run(bench: &Bench) -> Outcome<()> {
    let results = bench.compare_runs(&bench.engines(), |peer| process::compute("tasks", peer))?;
    let columns = [
        "engine",
        "spawn ÷ tokio",
        "wake ÷ tokio",
        "(spawn ns)",
        "(wake ns)",
        "(ns per Deferred of a chain)",
        "runs",
    ];
    let title = "tasks: 1 000 000 spawned and ended, 1000 at a time; 1000 woken 1000 times each";
    let mut table = Table::new(format!("{title}; {}", results.probe_line()), &columns);
    let tokio = results
        .place(&Peer::Tokio)
        .ok_or("nothing to divide by: tokio is left out")?;
    for (index, peer) in results.peers().enumerate() {
        let ratio = |name: &'static str| {
            let number = move |record: &Record| record.get(name);
            cell(results.ratio(index, number, tokio, number), 3)
        };
        let nanoseconds = |name| cell(results.median(index, |record| record.get(name)), 1);
        table.row(vec![
            peer.name().to_owned(),
            ratio("spawn"),
            ratio("wake"),
            nanoseconds("spawn"),
            nanoseconds("wake"),
            nanoseconds("chain"),
            results.remarks(index, |record| record.get("spawn")),
        ]);
    }
    print!("{table}");
    Ok(())
}

/// Measures one engine in this process.
pub(crate) fn compute(peer: &Peer) -> Outcome<Record> {
    match peer {
        Peer::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            measure(&mut TokioTasks {
                runtime,
                local: LocalSet::new(),
            })
        }
        Peer::Ropewalk => ours::tasks(),
        other => Err(format!("{} has no tasks to measure", other.name()).into()),
    }
}

/// An engine that runs futures which are not `Send`, as its users have it.
pub(crate) trait Executor {
    /// Makes it run this future; nobody waits for its result.
    fn spawn(&mut self, future: impl Future<Output = ()> + 'static);

    /// Runs tasks until `done` says so.
    fn run_until(&mut self, done: impl Fn() -> bool) -> Outcome<()>;
}

/// Nanoseconds of CPU per task spawned and ended, and per wake of a task.
pub(crate) fn measure(executor: &mut impl Executor) -> Outcome<Record> {
    let ended = Rc::new(Cell::new(0));
    let mut record = Record::default();
    let mut watch = ThreadWatch::start();
    for batch in 1..=BATCHES {
        spawn_some(executor, &ended, 0);
        executor.run_until(|| ended.get() == batch * AT_ONCE)?;
    }
    record.set("spawn", watch.lap_ns() / (BATCHES * AT_ONCE) as f64);
    spawn_some(executor, &ended, WAKES);
    executor.run_until(|| ended.get() == (BATCHES + 1) * AT_ONCE)?;
    record.set("wake", watch.lap_ns() / (AT_ONCE as f64 * f64::from(WAKES)));
    Ok(record)
}

fn spawn_some(executor: &mut impl Executor, ended: &Rc<Cell<usize>>, wakes: u32) {
    for _ in 0..AT_ONCE {
        let ended = Rc::clone(ended);
        executor.spawn(async move {
            WakeItself(wakes).await;
            ended.set(ended.get() + 1);
        });
    }
}

struct TokioTasks {
    runtime: Runtime,
    local: LocalSet,
}

impl Executor for TokioTasks {
    fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        self.local.spawn_local(future);
    }

    fn run_until(&mut self, done: impl Fn() -> bool) -> Outcome<()> {
        self.local.block_on(&self.runtime, async {
            while !done() {
                tokio::task::yield_now().await;
            }
        });
        Ok(())
    }
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
