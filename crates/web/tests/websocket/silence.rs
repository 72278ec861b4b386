//! Peers that are silent, and whether they are dead: heartbeats, and what a close waits for.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::Reason;
use ropewalk_testing::StringTransport;
use ropewalk_web::websocket::{
    Conversation, Kind, Message, SlowPeer, Topic, WebSocket, WebSocketOptions, WebSocketProtocol,
    WebSocketServer,
};

use super::journal::{Journal, REQUEST, frame, open_echo};

const SECOND: Duration = Duration::from_secs(1);

/// A client of this server, after the handshake.
fn open<P: WebSocketProtocol>(server: WebSocketServer<P>) -> StringTransport {
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    assert!(client.take_sent().starts_with(b"HTTP/1.1 101 "));
    client
}

/// Hands out the socket.
struct Lent(Rc<RefCell<Option<WebSocket>>>);

impl WebSocketProtocol for Lent {
    fn opened(&mut self, socket: &WebSocket) {
        *self.0.borrow_mut() = Some(socket.clone());
    }
    fn text_received(&mut self, _: &WebSocket, _: &str) {}
}

fn open_lent() -> (StringTransport, WebSocket) {
    let lent = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&lent);
    let client = open(WebSocketServer::new(move |_| Lent(Rc::clone(&kept))));
    let socket = lent.borrow().clone().unwrap();
    (client, socket)
}

/// What the server says proves nothing about the client.
#[test]
fn a_peer_that_is_only_spoken_to_is_asked_too() {
    let (mut client, socket) = open_lent();
    let mut pings = 0;
    for second in 0..81 {
        socket.send_text("tick");
        client.advance(SECOND);
        let sent = client.take_sent();
        pings += usize::from(sent.ends_with(b"\x89\x00") || sent.starts_with(b"\x89\x00"));
        if second < 75 {
            assert!(!client.is_disconnected(), "after {second} s");
        }
    }
    assert_eq!(pings, 1);
    assert!(matches!(client.lost_reason(), Some(Reason::TimedOut(_))));
}

/// A peer on a thin line that reads all the time is not dead, however much waits for it.
#[test]
fn a_peer_that_reads_slowly_is_not_given_up() {
    let (mut client, socket) = open_lent();
    client.block_sending();
    socket.send(vec![7; 2_000_000]);
    let mut got = 0;
    for second in 0..200 {
        client.allow_sending(10_000);
        client.advance(SECOND);
        got += client.take_sent().len();
        assert!(
            !client.is_disconnected(),
            "after {second} s and {got} bytes"
        );
    }
    assert_eq!(got, 2_000_000);
}

/// A peer that reads nothing is given up, though much waits for it and a ping would not arrive.
#[test]
fn a_peer_that_takes_nothing_is_given_up() {
    let (mut client, socket) = open_lent();
    client.block_sending();
    socket.send_text("hi");
    client.advance(31 * SECOND);
    assert!(matches!(client.lost_reason(), Some(Reason::TimedOut(_))));
    assert!(!socket.is_open());
}

/// Who does not listen cannot say that the peer is silent.
#[test]
fn nobody_is_given_up_whose_answers_are_not_read() {
    let (mut client, socket) = open_lent();
    socket.transport().pause_reading();
    client.receive(frame(0x81, b"hi"));
    for second in 0..300 {
        client.advance(SECOND);
        client.take_sent();
        assert!(!client.is_disconnected(), "after {second} s");
    }
    socket.transport().resume_reading();
    client.advance(31 * SECOND);
    assert_eq!(client.take_sent(), b"\x89\x00");
    client.advance(21 * SECOND);
    assert!(client.is_disconnected());
}

/// A conversation that works long while messages wait.
#[test]
fn a_peer_is_not_given_up_because_a_conversation_is_slow() {
    let journal = Journal::default();
    let kept = journal.clone();
    let server = WebSocketServer::new(move |_| {
        let journal = kept.clone();
        Conversation::new(|mut socket| async move {
            let reactor = socket.reactor().clone();
            while let Some(message) = socket.recv().await {
                let long = Duration::from_secs(120);
                ropewalk_core::timer::sleep(&reactor, long).await.unwrap();
                journal.note(message.as_text().unwrap());
            }
        })
    });
    let mut client = open(server);
    client.receive(frame(0x81, b"hi").repeat(20));
    for _ in 0..21 * 120 {
        client.advance(SECOND);
        if client.take_sent() == b"\x89\x00" {
            client.receive(frame(0x8a, b""));
        }
    }
    assert_eq!(journal.take().len(), 20);
    assert!(!client.is_disconnected());
}

/// Whoever closes wants to hear the answer, though messages wait that nobody takes any more.
#[test]
fn a_close_is_answered_though_reading_was_paused() {
    let server = WebSocketServer::new(|_| {
        Conversation::new(|mut socket| async move {
            socket.recv().await;
        })
    });
    let mut client = open(server);
    client.receive([frame(0x81, b"hi").repeat(40), frame(0x88, b"\x03\xe8")].concat());
    client.settle();
    assert_eq!(client.take_sent(), b"\x88\x02\x03\xe8");
    assert!(client.is_disconnected(), "the answer was not read");
    let (mut client, socket) = open_lent();
    socket.transport().pause_reading();
    socket.close(ropewalk_web::websocket::CloseCode::NORMAL, "");
    client.receive(frame(0x88, b"\x03\xe8"));
    client.settle();
    assert!(client.is_disconnected(), "the answer was not read");
}

#[test]
fn a_conversation_that_panics_ends_its_connection() {
    let server = WebSocketServer::new(|_| {
        Conversation::new(|mut socket| async move {
            let first = socket.recv().await;
            panic!("on {first:?}, as the test wants");
        })
    });
    let mut client = open(server);
    client.receive(frame(0x81, b"hi"));
    client.settle();
    let sent = client.take_sent();
    assert_eq!(
        sent[2..4],
        1011_u16.to_be_bytes(),
        "{}",
        sent.escape_ascii()
    );
    client.receive(frame(0x88, b"\x03\xf3"));
    client.settle();
    assert!(client.is_disconnected());
}

/// Subscribes, and begins a message that it does not end.
struct Unfinished(Topic, Option<ropewalk_web::websocket::OutgoingMessage>);

impl WebSocketProtocol for Unfinished {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.subscribe(socket);
        self.1 = socket.begin(Kind::Binary).ok();
    }
}

/// While one message goes in fragments, what is sent to many waits, and not without a bound.
#[test]
fn ws_03_what_waits_behind_a_message_in_fragments_is_bounded() {
    for policy in [SlowPeer::Wait, SlowPeer::Disconnect] {
        let topic = Topic::new();
        let room = topic.clone();
        let server = WebSocketServer::new(move |_| Unfinished(room.clone(), None));
        let options = WebSocketOptions {
            slow_peer: policy,
            ..WebSocketOptions::default()
        };
        let mut client = open(server.with_options(options));
        let mut sent = 0;
        while topic.send(Message::from(vec![7; 1000])) == 1 {
            sent += 1;
            assert!(sent < 2000, "{policy:?}: it waits for ever");
        }
        client.settle();
    }
}

#[test]
fn an_answered_ping_starts_the_silence_anew() {
    let (mut client, _) = open_echo();
    for _ in 0..5 {
        client.advance(30 * SECOND);
        assert_eq!(client.take_sent(), b"\x89\x00");
        client.advance(10 * SECOND);
        client.receive(frame(0x8a, b""));
        client.advance(29 * SECOND);
        assert_eq!(client.take_sent(), b"");
        client.advance(SECOND);
        assert_eq!(client.take_sent(), b"\x89\x00");
        client.receive(frame(0x81, b"here"));
        assert_eq!(client.take_sent(), b"\x81\x04here");
    }
}
