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

async fn compute(reactor: Handle, work: fn() -> Result<u64, Failure>) -> Result<u64, Failure> {
    let ticks = LoopingCall::new(&reactor, || tracing::info!("the reactor is free"));
    let _runs_until_the_end = ticks.start(Duration::from_millis(250))?;

    // When this goes on, it is on the reactor's thread again.
    let product = reactor.defer_to_thread(work).await;
    ticks.stop()?;
    product
}

fn main() -> ExitCode {
    // The reactor stops when the future has its result, and joins its threads.
    program::run(|_: Options| {
        let mut reactor = ropewalk::reactor()?;
        if let Some(product) = reactor.run_main(|reactor| compute(reactor, slow_work))? {
            ropewalk::say(format_args!("Result from the thread: {product}"))?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Simulated threads take simulated time, and run in an order that the seed decides.
    #[ropewalk::test(seeds = 10)]
    async fn the_result_comes_back(reactor: Handle) {
        assert_eq!(compute(reactor, || Ok(42)).await.unwrap(), 42);
    }

    #[ropewalk::test]
    async fn so_does_a_failure(reactor: Handle) {
        let failure = compute(reactor, || Err(Failure::message("no")))
            .await
            .unwrap_err();
        assert_eq!(failure.to_string(), "no");
    }
}
