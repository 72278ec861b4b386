//! cargo run -p ropewalk --example timer -- --after 5
//!
//! Prints `Task completed.` after a while, without a thread that sleeps, and stops the reactor.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::{Failure, Handle, program};

/// Prints a line after a while, and ends.
#[derive(clap::Parser)]
struct Options {
    /// How long to wait
    #[arg(long, value_name = "SECONDS", default_value = "5")]
    #[arg(value_parser = program::seconds, allow_negative_numbers = true)]
    after: Duration,
}

/// What the timer calls. A `Handle` is how code that runs on the reactor talks to it.
fn complete(reactor: &Handle) -> Result<(), Failure> {
    // Without this the reactor would run on, waiting for something to happen.
    reactor.stop()?;
    Ok(ropewalk::say("Task completed.")?)
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        reactor.call_later(options.after, complete);
        Ok(reactor.run()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_five_seconds_which_take_no_time_in_a_simulated_world() {
        let after = Duration::from_secs(5);
        let world = ropewalk::sim::run(1, |reactor| drop(reactor.call_later(after, complete)));
        assert_eq!(world.unwrap().now(), after);
    }
}
