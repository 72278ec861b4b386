//! Topics.

use ropewalk_testing::StringTransport;
use ropewalk_web::websocket::{
    Deflate, Topic, WebSocket, WebSocketOptions, WebSocketProtocol, WebSocketServer,
};

use super::journal::{REQUEST, frame, request_with};

struct Member(Topic);

impl WebSocketProtocol for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.subscribe(socket);
        self.0.subscribe(socket);
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.0.send_to_others(socket, text);
    }
}

fn member(room: &Topic, request: &str) -> StringTransport {
    let room = room.clone();
    let options = WebSocketOptions {
        deflate: Some(Deflate::new()),
        ..WebSocketOptions::default()
    };
    let server = WebSocketServer::new(move |_| Member(room.clone())).with_options(options);
    let mut member = StringTransport::builder().factory(server);
    member.receive(request);
    assert!(member.take_sent().starts_with(b"HTTP/1.1 101 "));
    member
}

#[test]
fn a_message_reaches_all_others_each_as_it_agreed() {
    let room = Topic::new();
    let mut plain = member(&room, REQUEST);
    let mut small = member(
        &room,
        &request_with("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9\r\n"),
    );
    let mut deflated = member(
        &room,
        &request_with("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    );
    let mut sender = member(&room, REQUEST);
    assert_eq!(room.len(), 4);
    let text = "a".repeat(100);
    sender.receive(frame(0x81, text.as_bytes()));
    for member in [&mut plain, &mut small, &mut deflated, &mut sender] {
        member.settle();
    }
    let framed = [b"\x81\x64", text.as_bytes()].concat();
    assert_eq!(plain.take_sent(), framed);
    assert_eq!(
        small.take_sent(),
        framed,
        "its window is too small for what is shared"
    );
    let sent = deflated.take_sent();
    assert!(
        sent[0] == 0xc1 && sent.len() < 20,
        "{}",
        sent.escape_ascii()
    );
    assert_eq!(sender.take_sent(), b"");
}

#[test]
fn who_closes_leaves() {
    let room = Topic::new();
    let mut first = member(&room, REQUEST);
    let second = member(&room, REQUEST);
    first.receive(frame(0x88, b""));
    first.settle();
    assert_eq!(room.len(), 1);
    assert_eq!(room.send("still here"), 1);
    drop(second);
}
