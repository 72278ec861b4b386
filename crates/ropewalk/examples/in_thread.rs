//! cargo run -p ropewalk --example in_thread
//!
//! Work that blocks goes to a thread of the pool. Its result comes back on the reactor's thread, which was free all the
//! time: the log shows its ticks.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ropewalk::timer::LoopingCall;
use ropewalk::{Failure, Handle, program};

/// Lets a thread do work that blocks.
#[derive(clap::Parser)]
struct Options {}

/// Blocks its thread for a second, as a slow library would. It may use nothing of the reactor: it runs elsewhere.
fn slow_work() -> Result<u64, Failure> {
    thread::sleep(Duration::from_secs(1));
    Ok((1..=20).product())
}

async fn compute(reactor: Handle) -> Result<(), Failure> {
    let ticks = LoopingCall::new(&reactor, || tracing::info!("the reactor is free"));
    let _runs_until_the_end = ticks.start(Duration::from_millis(250))?;

    let product = reactor.defer_to_thread(slow_work).await?;

    // Here we are on the reactor's thread again.
    ropewalk::say(format_args!("Result from the thread: {product}"))?;
    Ok(ticks.stop()?)
}

fn main() -> ExitCode {
    // The reactor stops when the future has its result, and joins its threads.
    program::run(|_: Options| ropewalk::reactor()?.run_main(compute))
}
