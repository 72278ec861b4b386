//! cargo run -p ropewalk --example coroutine
//!
//! An `async fn` on the reactor: it reads from top to bottom, and waits without blocking anybody.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::timer::sleep;
use ropewalk::{Failure, Handle, program};

/// Says two lines, a second apart.
#[derive(clap::Parser)]
struct Options {}

async fn greet(reactor: Handle) -> Result<(), Failure> {
    ropewalk::say("Hello")?;
    sleep(&reactor, Duration::from_secs(1)).await?; // everything else goes on meanwhile
    ropewalk::say("World")?;
    Ok(())
}

fn main() -> ExitCode {
    program::run(|_: Options| ropewalk::reactor()?.run_main(greet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[ropewalk::test]
    async fn it_takes_a_second_of_the_simulated_world(reactor: Handle) {
        let began = reactor.now();
        greet(reactor.clone()).await.unwrap();
        assert_eq!(reactor.now() - began, Duration::from_secs(1));
    }
}
