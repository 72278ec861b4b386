//! cargo run -p ropewalk --example poetry -- tcp:127.0.0.1:10001 tcp:127.0.0.1:10002
//!
//! Fetches poems from several slow servers at once, and prints them. It takes as long as the slowest server, not as long as
//! all of them. Start some `poetry_server` first.

use std::process::ExitCode;

use ropewalk::deferred::DeferredList;
use ropewalk::endpoint::ClientString;
use ropewalk::{Deferred, Failure, Handle, Protocol, Reason, Resolver, Transport, program};

/// Fetches poems in parallel.
#[derive(clap::Parser)]
struct Options {
    /// The servers
    #[arg(value_name = "ENDPOINT", required = true)]
    endpoints: Vec<ClientString>,
}

/// The longest poem that we listen to.
const LIMIT_BYTES: usize = 1 << 20;

/// Gathers a poem until its server closes.
struct Listener {
    poem: Vec<u8>,
    done: Resolver<Vec<u8>>,
}

impl Protocol for Listener {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.poem.extend_from_slice(data);
        if self.poem.len() > LIMIT_BYTES {
            transport.reject("that is no poem, it is longer than 1 MiB");
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        let _ = if reason.is_clean() {
            self.done.resolve(std::mem::take(&mut self.poem))
        } else {
            self.done.fail(Failure::message(format_args!(
                "{}: {reason}",
                transport.peer()
            )))
        };
    }
}

async fn fetch(reactor: Handle, endpoint: ClientString) -> Result<String, Failure> {
    let (poem, done) = Deferred::new(&reactor);
    reactor
        .connect_protocol(
            endpoint,
            Listener {
                poem: Vec::new(),
                done,
            },
        )
        .await?;
    Ok(String::from_utf8_lossy(&poem.await?).into_owned())
}

/// All outcomes, good and bad, in the order of the endpoints.
fn fetch_all(
    reactor: &Handle,
    endpoints: &[ClientString],
) -> Deferred<Vec<Result<String, Failure>>> {
    // Each `spawn` begins at once, and none waits for another.
    let fetch = |endpoint: &ClientString| reactor.spawn(fetch(reactor.clone(), endpoint.clone()));
    DeferredList::new(endpoints.iter().map(fetch)).results(reactor)
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let endpoints = options.endpoints.clone();
        let mut reactor = ropewalk::reactor()?;
        let poems = reactor.run_main(async move |reactor| fetch_all(&reactor, &endpoints).await)?;

        // What came is printed; the first failure, if any, is what we end with.
        let mut outcome = Ok(());
        for (endpoint, poem) in options.endpoints.iter().zip(poems.unwrap_or_default()) {
            match poem {
                Ok(poem) => ropewalk::say(format_args!("{endpoint}:\n{poem}"))?,
                Err(failure) => outcome = outcome.and(Err(failure)),
            }
        }
        outcome
    })
}

#[cfg(test)]
#[path = "tests/poetry.rs"]
mod tests;
