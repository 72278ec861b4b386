//! cargo run -p ropewalk --example websocket_chat -- tcp:127.0.0.1:8080
//!
//! A room for browsers: a page at `/`, and at `/ws` the WebSocket behind it. Open http://127.0.0.1:8080/ in two windows.
//!
//! What one says the others get as `guest 7: …`. Lines that begin with `*` are the room's own: how many are here.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;

use ropewalk::endpoint::ServerString;
use ropewalk::program;
use ropewalk::web::websocket::{Ending, Topic, WebSocket, WebSocketOptions};
use ropewalk::web::websocket::{WebSocketProtocol, WebSocketServer};
use ropewalk::web::{Request, Response, Router, Site};

/// Serves a page with a room to talk in.
#[derive(clap::Parser)]
struct Options {
    /// Where to listen; port 0 picks a free one
    #[arg(value_name = "ENDPOINT", default_value = "tcp:127.0.0.1:8080")]
    endpoints: Vec<ServerString>,
}

/// Longer messages are refused; the page lets nobody write them.
const MOST_BYTES: usize = 4096;

/// All who are here. A message to them is framed once, and who does not read is closed.
#[derive(Clone, Default)]
struct Room {
    guests: Topic,
    last_number: Rc<Cell<u64>>,
}

struct Guest {
    number: u64,
    room: Room,
}

impl Room {
    fn guest(&self) -> Guest {
        self.last_number.set(self.last_number.get() + 1);
        Guest {
            number: self.last_number.get(),
            room: self.clone(),
        }
    }

    fn count(&self) {
        self.guests.send(format!("* {} here", self.guests.len()));
    }
}

impl WebSocketProtocol for Guest {
    fn opened(&mut self, socket: &WebSocket) {
        self.room.guests.subscribe(socket);
        self.room.count();
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        let said = format!("guest {}: {text}", self.number);
        self.room.guests.send_to_others(socket, said);
    }

    fn connection_lost(&mut self, socket: &WebSocket, _: &Ending<'_>) {
        self.room.guests.unsubscribe(socket);
        self.room.count();
    }
}

fn site() -> Site {
    let room = Room::default();
    let options = WebSocketOptions {
        limit_bytes: MOST_BYTES,
        ..WebSocketOptions::default()
    };
    let door = WebSocketServer::new(move |_| room.guest()).with_options(options);
    let page = |_: &Request| Response::html(include_str!("websocket_chat.html"));
    Site::new(Router::new().get("/", page).mount("/ws", door))
}

fn main() -> ExitCode {
    program::run(|options: Options| ropewalk::serve(options.endpoints, site()))
}

#[cfg(test)]
#[path = "tests/websocket_chat.rs"]
mod tests;
