//! cargo run -p ropewalk --example websocket_client -- ws://127.0.0.1:8080/ "Hello, server!"
//!
//! Sends its arguments as text messages, prints what comes back, and closes. Any WebSocket echo server will do.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use ropewalk::timer::DelayedCall;
use ropewalk::web::websocket::{CloseCode, Ending, WebSocket, WebSocketClient, WebSocketProtocol};
use ropewalk::{Deferred, Failure, Handle, Resolver, program};

/// Talks to a WebSocket server.
#[derive(clap::Parser)]
struct Options {
    /// Where to connect
    #[arg(default_value = "ws://127.0.0.1:8080/")]
    url: String,
    /// What to send, each as a message
    texts: Vec<String>,
}

/// Prints a line.
type Print = Box<dyn FnMut(&str) -> io::Result<()>>;

/// An answer takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// Once as much has come as was sent, the server is done when it says nothing for so long.
const QUIET: Duration = Duration::from_millis(300);

struct Client {
    texts: Vec<String>,
    /// So many answers are to come.
    awaited: usize,
    print: Print,
    timer: Option<DelayedCall>,
    done: Resolver<()>,
}

impl Client {
    fn heard(&mut self, socket: &WebSocket, line: &str) {
        self.print(socket, line);
        self.awaited = self.awaited.saturating_sub(1);
        self.wait(socket);
    }

    fn print(&mut self, socket: &WebSocket, line: &str) {
        if let Err(error) = (self.print)(line) {
            let _ = self.done.fail(error);
            socket.close(CloseCode::GOING_AWAY, "");
        }
    }

    fn wait(&mut self, socket: &WebSocket) {
        let delay = if self.awaited == 0 { QUIET } else { PATIENCE };
        let close = |_: &mut Self, socket: &WebSocket| socket.close(CloseCode::NORMAL, "");
        let timer = socket.call_later(delay, close);
        if let Some(earlier) = self.timer.replace(timer) {
            let _ = earlier.cancel();
        }
    }
}

impl WebSocketProtocol for Client {
    fn opened(&mut self, socket: &WebSocket) {
        self.print(socket, "open");
        self.texts.iter().for_each(|text| socket.send_text(text));
        self.wait(socket);
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.heard(socket, text);
    }

    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        self.heard(socket, &format!("binary, {} bytes", data.len()));
    }

    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        if let Some(timer) = self.timer.take() {
            let _ = timer.cancel();
        }
        let _ = match self.awaited {
            0 => self.done.resolve(()),
            left => self.done.fail(Failure::message(format_args!(
                "the connection ended with {ending} when {left} answers were to come"
            ))),
        };
    }
}

async fn talk(
    reactor: Handle,
    options: Options,
    print: impl FnMut(&str) -> io::Result<()> + 'static,
) -> Result<(), Failure> {
    let client = WebSocketClient::new(&options.url)?;
    let (finished, done) = Deferred::new(&reactor);
    let protocol = Client {
        awaited: options.texts.len(),
        texts: options.texts,
        print: Box::new(print),
        timer: None,
        done,
    };
    client.connect(&reactor, protocol).await?;
    finished.await
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let mut reactor = ropewalk::reactor()?;
        let print = |line: &str| ropewalk::say(line);
        reactor.run_main(move |reactor| talk(reactor, options, print))?;
        Ok(())
    })
}

#[cfg(test)]
#[path = "tests/websocket_client.rs"]
mod tests;
