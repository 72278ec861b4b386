//! cargo run -p ropewalk --example one_shot -- tcp:127.0.0.1:8000
//!
//! One connection, without a factory: await it, say something, await the echo. Start the example `echo` first.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::ClientString;
use ropewalk::{Deferred, Failure, Handle, Protocol, Reason, Resolver, Transport, program};

/// Lets a server echo once.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:8000")]
    endpoint: ClientString,
}

const TEXT: &str = "once";

/// Waits for as many bytes as were sent.
struct OneShot {
    echo: Vec<u8>,
    done: Resolver<Vec<u8>>,
}

impl Protocol for OneShot {
    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.echo.extend_from_slice(data);
        if self.echo.len() >= TEXT.len() {
            let _ = self.done.resolve(std::mem::take(&mut self.echo));
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        // Does nothing if the echo is there already.
        let _ = self.done.fail(Failure::message(format_args!(
            "no echo from {}: {reason}",
            transport.peer()
        )));
    }
}

async fn echo_once(reactor: Handle, endpoint: ClientString) -> Result<String, Failure> {
    let (echo, done) = Deferred::new(&reactor);

    // Ready once `connection_made` has returned; a refused connection is an error at once.
    let transport = reactor
        .connect_protocol(
            endpoint,
            OneShot {
                echo: Vec::new(),
                done,
            },
        )
        .await?;
    transport.write(TEXT);

    let echo = echo.timeout(Duration::from_secs(5), &reactor).await;
    transport.lose_connection(); // also when there was no echo
    Ok(String::from_utf8_lossy(&echo?).into_owned())
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        if let Some(echo) = reactor.run_main(|reactor| echo_once(reactor, options.endpoint))? {
            ropewalk::say(echo)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/one_shot.rs"]
mod tests;
