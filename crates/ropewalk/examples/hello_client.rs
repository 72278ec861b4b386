//! cargo run -p ropewalk --example hello_client -- tcp:127.0.0.1:8000
//!
//! Says hello, prints what the server says to that, and closes. Start the example `echo` first.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::endpoint::ClientString;
use ropewalk::{ConnectError, Connector, Deferred, Factory, Failure, Handle, Protocol, Reason};
use ropewalk::{Resolver, Transport, program};

/// Says hello to a server and prints its answer.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "tcp:127.0.0.1:8000")]
    endpoint: ClientString,
}

const HELLO: &str = "Hello, server!";

/// A client's factory is told of attempts that failed, and of connections that were lost.
struct HelloFactory {
    /// Passed to the protocol once there is a connection.
    said: Option<Resolver<Vec<u8>>>,
}

impl Factory for HelloFactory {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Hello {
            answer: Vec::new(),
            said: self.said.take()?,
        }))
    }

    fn connection_failed(&mut self, _connector: &Connector, error: ConnectError) {
        if let Some(said) = self.said.take() {
            let _ = said.fail(error);
        }
    }
}

struct Hello {
    answer: Vec<u8>,
    said: Resolver<Vec<u8>>,
}

impl Protocol for Hello {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(HELLO);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.answer.extend_from_slice(data);
        if self.answer.len() >= HELLO.len() {
            transport.lose_connection();
        } else {
            // There may be more: it is over when the server says nothing for a while.
            transport.set_timeout(Some(Duration::from_millis(300)));
        }
    }

    fn timed_out(&mut self, transport: &Transport) {
        transport.lose_connection();
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        let _ = if self.answer.is_empty() {
            self.said.fail(Failure::message(format_args!(
                "{} did not answer: {reason}",
                transport.peer()
            )))
        } else {
            self.said.resolve(std::mem::take(&mut self.answer))
        };
    }
}

async fn say_hello(reactor: Handle, endpoint: ClientString) -> Result<String, Failure> {
    let (answer, said) = Deferred::new(&reactor);
    reactor.connect(endpoint, HelloFactory { said: Some(said) })?;
    let answer = answer.await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        if let Some(answer) = reactor.run_main(|reactor| say_hello(reactor, options.endpoint))? {
            ropewalk::say(format_args!("Server says: {answer}"))?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/hello_client.rs"]
mod tests;
