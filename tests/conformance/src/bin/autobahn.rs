//! What the Autobahn Testsuite talks to (CONTRIBUTING.md says how):
//!
//! - `autobahn serve tcp:127.0.0.1:9101 [takeover]`: the echo server for its fuzzing client;
//! - `autobahn ask ws://127.0.0.1:9001 [takeover]`: the echo client for its fuzzing server.

use std::cell::Cell;
use std::rc::Rc;

use ropewalk_core::{Deferred, Failure, Handle, Reactor, Resolver};
use ropewalk_mio::MioDriver;
use ropewalk_web::websocket::{
    Deflate, Ending, WebSocket, WebSocketClient, WebSocketOptions, WebSocketProtocol,
    WebSocketServer,
};

/// Echoes, and tells how it ends.
struct Echo {
    cases: Rc<Cell<usize>>,
    ended: Option<Resolver<()>>,
}

impl WebSocketProtocol for Echo {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        if let Ok(cases) = text.parse() {
            self.cases.set(cases);
        }
        socket.send_text(text);
    }
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
    fn connection_lost(&mut self, _: &WebSocket, _: &Ending<'_>) {
        if let Some(ended) = self.ended.take() {
            let _nobody_waits = ended.resolve(());
        }
    }
}

fn options(takes_over: bool) -> WebSocketOptions {
    WebSocketOptions {
        limit_bytes: 32 * 1024 * 1024,
        deflate: Some(Deflate::new().with_context_takeover(takes_over)),
        ..WebSocketOptions::default()
    }
}

/// Runs all cases of a fuzzing server, one connection each.
async fn ask(reactor: Handle, url: String, takes_over: bool) -> Result<(), Failure> {
    let cases = Rc::new(Cell::new(0));
    let name = if takes_over {
        "ropewalk-takeover"
    } else {
        "ropewalk"
    };
    let visit = |path: String| {
        let (ended, resolver) = Deferred::new(&reactor);
        let echo = Echo {
            cases: Rc::clone(&cases),
            ended: Some(resolver),
        };
        let client = WebSocketClient::new(format!("{url}{path}"));
        let client = client.map(|client| client.with_options(options(takes_over)));
        let opened = client.map(|client| client.connect(&reactor, echo));
        async move {
            opened?.await?;
            ended.await
        }
    };
    visit("/getCaseCount".to_owned()).await?;
    for case in 1..=cases.get() {
        visit(format!("/runCase?case={case}&agent={name}")).await?;
    }
    visit(format!("/updateReports?agent={name}")).await
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(role), Some(place)) = (arguments.next(), arguments.next()) else {
        return Err(Failure::message(
            "give `serve ENDPOINT` or `ask URL`, and maybe `takeover`",
        ));
    };
    let takes_over = arguments.next().is_some();
    let mut reactor = Reactor::new(MioDriver::new()?);
    if role == "ask" {
        reactor.run_main(move |reactor| ask(reactor, place, takes_over))?;
        return Ok(());
    }
    let server = WebSocketServer::new(|_| Echo {
        cases: Rc::default(),
        ended: None,
    });
    reactor.listen(place.as_str(), server.with_options(options(takes_over)))?;
    Ok(reactor.run()?)
}
