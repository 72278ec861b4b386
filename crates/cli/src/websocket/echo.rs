//! `websocket echo`: sends back every message as it came.

use ropewalk::Failure;
use ropewalk::web::websocket::{WebSocket, WebSocketProtocol};

use super::server_options::ServerOptions;
use crate::setup::Setup;

/// Sends back every message, text as text and bytes as bytes
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  ropewalk websocket echo                        at ws://127.0.0.1:8080/
  ropewalk websocket echo tcp:0.0.0.0:9000 --path /echo --compress
                                                 for other machines too, at one path
  ropewalk websocket echo --tls my.pem --tls-key my.key tcp:127.0.0.1:8443
                                                 at wss://127.0.0.1:8443/")]
pub(super) struct Echo {
    #[command(flatten)]
    server: ServerOptions,
}

impl Echo {
    pub(super) fn start(self, setup: &mut Setup) -> Result<(), Failure> {
        self.server.serve(setup, |_| EchoProtocol)
    }
}

pub(super) struct EchoProtocol;

impl WebSocketProtocol for EchoProtocol {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        socket.send_text(text);
    }

    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }

    fn name(&self) -> &'static str {
        "WebSocketEcho"
    }
}
