//! cargo run -p ropewalk --example welcome_client -- tcp:127.0.0.1:12345
//!
//! Reads what a server says until it closes, and prints it. Start the example `welcome` first.

use std::process::ExitCode;

use ropewalk::endpoint::ClientString;
use ropewalk::{Deferred, Failure, Handle, Protocol, Reason, Resolver, Transport, program};

/// Prints what a server says.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:12345")]
    endpoint: ClientString,
}

/// What we keep at most; a server that never ends its speech must not fill our memory.
const LIMIT_BYTES: usize = 1 << 20;

/// Gathers what comes, and gives it to whoever waits for the Deferred.
struct Reader {
    text: Vec<u8>,
    done: Resolver<Vec<u8>>,
}

impl Protocol for Reader {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.text.extend_from_slice(data);
        if self.text.len() > LIMIT_BYTES {
            transport.reject("it says more than 1 MiB");
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        // A reset is no end of file: half a welcome is an error, not a short welcome.
        let _ = if reason.is_clean() {
            self.done.resolve(std::mem::take(&mut self.text))
        } else {
            self.done.fail(Failure::message(format_args!(
                "{}: {reason}",
                transport.peer()
            )))
        };
    }
}

async fn read(reactor: Handle, endpoint: ClientString) -> Result<String, Failure> {
    // One end stays here, the protocol takes the other.
    let (text, done) = Deferred::new(&reactor);
    reactor
        .connect_protocol(
            endpoint,
            Reader {
                text: Vec::new(),
                done,
            },
        )
        .await?;
    let text = text.await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        // Runs until the future has its result: none if Ctrl-C came first.
        let mut reactor = ropewalk::reactor()?;
        if let Some(text) = reactor.run_main(|reactor| read(reactor, options.endpoint))? {
            ropewalk::say(text)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/welcome_client.rs"]
mod tests;
