//! `websocket connect`: lines become messages, and messages lines.

use std::fmt;
use std::io::IsTerminal;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::failure::Cancelled;
use ropewalk::web::websocket::{Refused, WebSocketClient, WebSocketConnectError};
use ropewalk::web::{Agent, StatusCode};
use ropewalk::{Deferred, Exit, Failure, Handle, Transport, program};

use super::client_options::ClientOptions;
use super::console::Console;
use super::session::{Harmless, Outcome, Screen, Session, ShowBinary, Style, complain};
use crate::setup::Setup;

/// Talks to a server: each line of input becomes a text message, each message a line
#[derive(Clone, clap::Args)]
#[command(after_help = "\
At the end of the input it waits for answers, and closes with 1000. How it was closed goes to stderr, and so does a refusal, \
with the body of the answer.

Exit status: 0 when we close, or the server does with 1000, 1001 or without a code; 1 when there is no WebSocket: nobody is \
there, the server refuses, an option is wrong; 2 when the server closes with another code, or is lost.

Examples:
  ropewalk websocket connect ws://127.0.0.1:8080/
  echo '{\"subscribe\":\"tea\"}' | ropewalk websocket connect wss://prices.example/ --no-close
                                      sends one message, and prints all that comes
  ropewalk websocket connect wss://chat.example/ -H 'X-Room: 7' --bearer \"$TOKEN\" -s chat.v2
  ropewalk websocket connect ws://127.0.0.1:8080/ --binary --whole --raw <picture.png >answer.png
                                      sends a file as one message
  ropewalk websocket connect ws://app/ --endpoint unix:/run/app.sock --one </dev/null
                                      prints the first message")]
pub(super) struct Connect {
    /// Where: ws://HOST:PORT/PATH, or wss:// for TLS
    #[arg(value_name = "URL")]
    url: String,
    /// Send binary messages instead of texts
    #[arg(long, short)]
    binary: bool,
    /// Send all of the input as one message, ends of lines and all, instead of a message for each line
    #[arg(long, short)]
    whole: bool,
    /// Print binary messages in hexadecimal digits, not only how long they are
    #[arg(long, conflicts_with = "raw")]
    hex: bool,
    /// Print binary messages as they are, with nothing behind them
    #[arg(long)]
    raw: bool,
    /// Close after the first message
    #[arg(long, short = '1')]
    one: bool,
    /// Close when nothing has come for so long after the end of the input
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = program::seconds)]
    wait: Duration,
    /// Stay after the end of the input, until the server closes
    #[arg(long, conflicts_with = "wait")]
    no_close: bool,
    /// Read no input, and stay until the server closes
    #[arg(long, short)]
    no_input: bool,
    /// Connect again, after a while, whenever the server is not there, refuses, or is lost
    #[arg(long, short)]
    reconnect: bool,
    #[command(flatten)]
    client: ClientOptions,
}

/// A line of input, or all of it as one message, may have so many bytes.
const MOST_INPUT_BYTES: usize = 64 * 1024 * 1024;

impl Connect {
    pub(super) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        self.client.client(&self.url)?;
        setup.run(move |handle| async move {
            let is_terminal = std::io::stdout().is_terminal();
            let reactor = handle.clone();
            let open = move |console| reactor.standard_io(console);
            self.talk(handle, is_terminal, open).await?.into_result()
        })
    }

    /// Talks through the console that `open` opens, until there is no more to say.
    pub(super) async fn talk(
        self,
        handle: Handle,
        is_terminal: bool,
        open: impl FnOnce(Console) -> Deferred<Transport>,
    ) -> Result<Outcome, Failure> {
        let agent = self.client.agent(&handle)?;
        let client = self.client.client(&self.url)?;
        let (ended, done) = Deferred::new(&handle);
        let (console_gone, gone) = Deferred::new(&handle);
        let session = Session::new(&handle, self.style(is_terminal), done, gone);
        let console = open(Console::new(&session, MOST_INPUT_BYTES, self.whole)).await?;
        let stopped = Rc::clone(&session);
        handle.on_stopping(move |_| stopped.stop());
        let outcome = match self.reconnect {
            true => keep(&handle, &client, &agent, &session, ended).await,
            false => {
                let opened = client.connect(&agent, Screen(Rc::clone(&session)));
                let canceller = opened.canceller();
                handle.on_stopping(move |_| canceller.cancel());
                match opened.await {
                    Ok(_) => ended.await,
                    Err(failure) => Err(explain(failure)),
                }
            }
        };
        console.lose_connection();
        console_gone.await?;
        outcome
    }

    fn style(&self, is_terminal: bool) -> Style {
        Style {
            sends_binary: self.binary,
            binary: match (self.hex, self.raw) {
                (true, _) => ShowBinary::Hex,
                (_, true) => ShowBinary::Raw,
                _ => ShowBinary::Length,
            },
            escapes: is_terminal,
            one: self.one,
            no_input: self.no_input,
            wait: Some(self.wait).filter(|_| !self.no_close),
            comes_again: self.reconnect,
        }
    }
}

/// Asks again whenever the WebSocket is lost or refused, and says so.
async fn keep(
    handle: &Handle,
    client: &WebSocketClient,
    agent: &Agent,
    session: &Rc<Session>,
    ended: Deferred<Outcome>,
) -> Result<Outcome, Failure> {
    let screen = Rc::clone(session);
    let service = client.service(agent, move || Screen(Rc::clone(&screen)));
    service.start_service();
    let told = service.clone();
    let telling = handle.spawn(async move {
        while told.is_started() {
            match told.when_connected(Some(1)).await {
                Ok(socket) => socket.closed().await,
                Err(failure) if failure.find::<Cancelled>().is_some() => break,
                Err(failure) => complain(format_args!("{failure}; will try again")),
            }
        }
        Ok(())
    });
    let outcome = ended.await;
    drop(telling.cancel());
    service.stop_service().await?;
    outcome
}

/// A refusal is shown as it is; all else is one line.
fn explain(failure: Failure) -> Failure {
    let failure = match failure.downcast::<WebSocketConnectError>() {
        Err(failure) => return failure,
        Ok(error) => error,
    };
    match failure {
        WebSocketConnectError::Refused(refused) => {
            complain(Answer(&refused));
            Failure::new(Exit(1))
        }
        error => Failure::message(error),
    }
}

/// What a server said that refuses: its status, what tells how to do better, and the body.
struct Answer<'a>(&'a Refused);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = StatusCode::from_u16(self.0.status).map(|status| status.to_string());
        let status = status.unwrap_or_else(|_| self.0.status.to_string());
        write!(f, "the server refused with {status}")?;
        for name in ["Location", "WWW-Authenticate", "Retry-After"] {
            if let Some(value) = self.0.field(name) {
                let value = String::from_utf8_lossy(value);
                write!(f, "\n{name}: {}", Harmless(&value))?;
            }
        }
        if (300..400).contains(&self.0.status) {
            f.write_str("\n--follow goes there")?;
        }
        let body = String::from_utf8_lossy(&self.0.body);
        match body.trim() {
            "" => Ok(()),
            body => write!(f, "\n\n{}", Harmless(body)),
        }
    }
}
