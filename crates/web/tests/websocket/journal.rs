//! A protocol that writes down what it is told, and echoes.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_grammar::websocket::Close;
use ropewalk_testing::StringTransport;
use ropewalk_web::websocket::{
    Ending, WebSocket, WebSocketOptions, WebSocketProtocol, WebSocketServer,
};

/// What happened, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Rc<RefCell<Vec<String>>>);

impl Journal {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }

    pub(crate) fn take(&self) -> Vec<String> {
        self.0.take()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

/// Echoes messages, and notes all.
pub(crate) struct Echo(pub(crate) Journal);

impl WebSocketProtocol for Echo {
    fn opened(&mut self, _: &WebSocket) {
        self.0.note("opened");
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.0.note(format!("text {text}"));
        socket.send_text(text);
    }
    fn binary_received(&mut self, socket: &WebSocket, data: &[u8]) {
        self.0.note(format!("binary {}", data.len()));
        socket.send_binary(data);
    }
    fn ping_received(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.note(format!("ping {}", data.escape_ascii()));
    }
    fn pong_received(&mut self, _: &WebSocket, data: &[u8]) {
        self.0.note(format!("pong {}", data.escape_ascii()));
    }
    fn close_received(&mut self, _: &WebSocket, close: Close<'_>) {
        self.0
            .note(format!("close {:?}", close.code.map(|code| code.number())));
    }
    fn connection_lost(&mut self, _: &WebSocket, ending: &Ending<'_>) {
        self.0
            .note(format!("lost {} {}", ending.code(), ending.is_clean()));
    }
}

pub(crate) const REQUEST: &str = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The request with more fields.
pub(crate) fn request_with(fields: &str) -> String {
    REQUEST.replace("\r\n\r\n", &format!("\r\n{fields}\r\n"))
}

pub(crate) fn echo_with(options: WebSocketOptions) -> (StringTransport, Journal) {
    let journal = Journal::default();
    let kept = journal.clone();
    let server = WebSocketServer::new(move |_| Echo(kept.clone())).with_options(options);
    (StringTransport::builder().factory(server), journal)
}

/// A client of an echo server, after the handshake.
pub(crate) fn open_echo() -> (StringTransport, Journal) {
    open_echo_with(WebSocketOptions::default())
}

pub(crate) fn open_echo_with(options: WebSocketOptions) -> (StringTransport, Journal) {
    let (mut client, journal) = echo_with(options);
    client.receive(REQUEST);
    let answer = client.take_sent();
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        answer.escape_ascii()
    );
    assert_eq!(journal.take(), ["opened"]);
    (client, journal)
}

/// A frame of a client, with a key of zeros.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}
