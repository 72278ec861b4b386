//! cargo run -p ropewalk --example delayed -- --after 5
//!
//! A result that comes later, told to callbacks; with `--fail`, a failure told to an errback. Nothing blocks meanwhile:
//! an echo on the same reactor shows it.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::ServerString;
use ropewalk::timer::defer_later;
use ropewalk::{Deferred, Failure, Handle, Protocol, Transport, program};

/// Waits for a result, and echoes meanwhile.
#[derive(clap::Parser)]
struct Options {
    /// Fail instead
    #[arg(long)]
    fail: bool,
    /// How long the task takes
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = program::seconds, allow_negative_numbers = true)]
    after: Duration,
    /// Where to echo meanwhile; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:0")]
    endpoints: Vec<ServerString>,
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// The task: a promise of a text, kept after a while.
fn task(reactor: &Handle, after: Duration, fail: bool) -> Deferred<&'static str> {
    defer_later(reactor, after, move || {
        if fail {
            Err(Failure::message("it was told to"))
        } else {
            Ok("Success")
        }
    })
}

/// Callbacks get the value, errbacks the failure. What one returns is what the next one gets.
fn report(result: Deferred<&'static str>) -> Deferred<String> {
    result
        .add_callback(|value| Ok(format!("Task result: {value}")))
        .add_errback(|failure| Err(Failure::message(format_args!("Task failed: {failure}"))))
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        ropewalk::listen(&mut reactor, options.endpoints, || Echo)?;

        // A Deferred is a future as well, so it may be what the reactor runs for.
        let run = move |reactor| report(task(&reactor, options.after, options.fail));
        if let Some(line) = reactor.run_main(run)? {
            ropewalk::say(line)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[ropewalk::test]
    async fn the_result_comes_after_its_time(reactor: Handle) {
        let began = reactor.now();
        let line = report(task(&reactor, Duration::from_secs(5), false)).await;
        assert_eq!(line.unwrap(), "Task result: Success");
        assert_eq!(reactor.now() - began, Duration::from_secs(5));
    }

    #[ropewalk::test]
    async fn so_does_the_failure(reactor: Handle) {
        let failure = report(task(&reactor, Duration::from_secs(5), true))
            .await
            .unwrap_err();
        assert_eq!(failure.to_string(), "Task failed: it was told to");
    }
}
