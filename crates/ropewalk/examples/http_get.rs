//! cargo run -p ropewalk --example http_get -- http://127.0.0.1:8080/hello
//!
//! Asks for a page after a second, and prints its status and its body. Nothing waits in a thread: the timer and the request are the reactor's.

use std::process::ExitCode;
use std::time::Duration;

use ropewalk::timer::sleep;
use ropewalk::web::{Agent, AgentError};
use ropewalk::{Failure, Handle, program};

/// Asks for a page after a second, and prints it.
#[derive(clap::Parser)]
struct Options {
    /// The page, by http or https
    url: String,
}

/// How long we wait before we ask.
const DELAY: Duration = Duration::from_secs(1);

/// The status and the body.
async fn fetch(agent: &Agent, url: &str) -> Result<(u16, String), AgentError> {
    let response = agent.get(url).await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// What is to be printed.
async fn get(reactor: Handle, url: String) -> Result<String, Failure> {
    sleep(&reactor, DELAY).await?;
    match fetch(&Agent::new(&reactor), &url).await {
        Ok((status, body)) => Ok(format!("Status Code: {status}\n{body}")),
        Err(error) => Err(Failure::message(format_args!("Request failed: {error}"))),
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        if let Some(text) = reactor.run_main(|reactor| get(reactor, options.url))? {
            ropewalk::say(text)?;
        }
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/http_get.rs"]
mod tests;
