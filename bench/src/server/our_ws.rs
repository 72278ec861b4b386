//! Ropewalk's WebSockets, written as its users write them.

use ropewalk::Reactor;
use ropewalk::web::websocket::{
    Deflate, Topic, WebSocket, WebSocketOptions, WebSocketProtocol, WebSocketServer,
};

use super::{Mode, announce};
use crate::Outcome;

/// The longest message of `ws-idle`.
const LONGEST: usize = 16 << 20;

/// Serves until killed.
pub(crate) fn serve(mut reactor: Reactor, endpoint: &str, mode: Mode) -> Outcome<()> {
    let port = if mode == Mode::WsBroadcast {
        let topic = Topic::new();
        reactor.listen(
            endpoint,
            WebSocketServer::new(move |_| Member(topic.clone())),
        )?
    } else {
        let server = WebSocketServer::new(|_| EchoMessages);
        reactor.listen(endpoint, server.with_options(options(mode)))?
    };
    announce(port.host().port().unwrap_or_default())?;
    Ok(reactor.run()?)
}

fn options(mode: Mode) -> WebSocketOptions {
    let defaults = WebSocketOptions::default();
    WebSocketOptions {
        deflate: match mode {
            Mode::WsDeflate | Mode::WsIdleDeflate => Some(Deflate::new()),
            Mode::WsDeflateTakeover => Some(Deflate::new().with_context_takeover(true)),
            _ => None,
        },
        limit_bytes: match mode {
            Mode::WsIdle | Mode::WsIdleDeflate => LONGEST,
            _ => defaults.limit_bytes,
        },
        ..defaults
    }
}

struct EchoMessages;

impl WebSocketProtocol for EchoMessages {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        socket.send_text(text);
    }
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        socket.send_binary(data);
    }
}

struct Member(Topic);

impl WebSocketProtocol for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.subscribe(socket);
    }
    fn binary_received(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.send(data.to_vec());
    }
}
