//! The server, rule by rule.

use std::time::Duration;

use ropewalk_core::Reason;
use ropewalk_testing::{Chunks, StringTransport};
use ropewalk_web::websocket::{
    CloseCode, Conversation, Deflate, Kind, Origins, Refusal, SlowPeer, WebSocket,
    WebSocketOptions, WebSocketProtocol, WebSocketServer,
};
use ropewalk_web::{Branch, Site};

use super::journal::{
    Echo, Journal, REQUEST, echo_with, frame, open_echo, open_echo_with, request_with,
};

#[test]
fn r161_a_right_request_is_answered_and_the_connection_leaves_http() {
    let (mut client, journal) = echo_with(WebSocketOptions::default());
    client.receive(REQUEST);
    assert_eq!(
        client.take_sent(),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: upgrade\r\n\r\n"
    );
    assert_eq!(journal.take(), ["opened"]);
    client.advance(Duration::from_secs(20));
    assert!(
        !client.is_disconnecting(),
        "the time-out of the request is over"
    );
}

#[test]
fn r161_a_bad_request_is_refused() {
    for (request, status) in [
        (REQUEST.replace("GET", "POST"), "405 "),
        (REQUEST.replace("Version: 13", "Version: 12"), "400 "),
        (REQUEST.replace("Upgrade: websocket\r\n", ""), "400 "),
        (REQUEST.replace("dGhl", "dGh"), "400 "),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), "400 "),
        (REQUEST.replace("Host", "Ho st"), "400 "),
        (request_with("Content-Length: 99999999\r\n"), "400 "),
    ] {
        let (mut client, journal) = echo_with(WebSocketOptions::default());
        client.receive(&request);
        let answer = String::from_utf8(client.take_sent()).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
        let says_version = answer.contains("\r\nSec-WebSocket-Version: 13\r\n");
        assert_eq!(says_version, request.contains("Version: 12"), "{answer}");
        assert!(client.is_disconnecting());
        assert_eq!(journal.take(), [""; 0]);
    }
}

#[test]
fn r161_in_a_site_as_a_resource() {
    let journal = Journal::default();
    let kept = journal.clone();
    let chat = WebSocketServer::new(move |opening| {
        kept.note(format!("{} {:?}", opening.path(), opening.query()));
        Echo(kept.clone())
    });
    let site = Site::new(Branch::new().with_child("chat", chat));
    let mut client = StringTransport::builder().factory(site);
    client.receive([REQUEST.as_bytes(), &frame(0x81, b"early")].concat());
    client.settle();
    let answer = client.take_sent();
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{}",
        answer.escape_ascii()
    );
    assert!(
        answer.ends_with(b"\x81\x05early"),
        "{}",
        answer.escape_ascii()
    );
    assert_eq!(
        journal.take(),
        ["/chat Some(\"room=1\")", "opened", "text early"]
    );
}

#[test]
fn r161_a_site_refuses_and_goes_on() {
    let chat = WebSocketServer::new(|_| Echo(Journal::default()));
    let site = Site::new(Branch::new().with_child("chat", chat));
    let mut client = StringTransport::builder().factory(site);
    client.receive("GET /chat HTTP/1.1\r\nHost: a\r\n\r\nPOST /chat HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    client.settle();
    let answers = String::from_utf8(client.take_sent()).unwrap();
    assert!(answers.starts_with("HTTP/1.1 400 "), "{answers}");
    assert!(answers.contains("HTTP/1.1 405 "), "{answers}");
}

#[test]
fn r161_d7_bytes_behind_the_request_are_not_lost() {
    let (mut client, journal) = echo_with(WebSocketOptions::default());
    client.receive([REQUEST.as_bytes(), &frame(0x81, b"a"), &frame(0x81, b"b")].concat());
    assert_eq!(journal.take(), ["opened", "text a", "text b"]);
    assert!(client.take_sent().ends_with(b"\x81\x01a\x81\x01b"));
}

#[test]
fn r161_d9_what_is_sent_when_it_opens_comes_behind_the_answer() {
    struct Greeter;
    impl WebSocketProtocol for Greeter {
        fn opened(&mut self, socket: &WebSocket) {
            socket.send_text("hi");
        }
    }
    let mut client = StringTransport::builder().factory(WebSocketServer::new(|_| Greeter));
    client.receive(REQUEST);
    assert!(client.take_sent().ends_with(b"\r\n\r\n\x81\x02hi"));
}

#[test]
fn r162_messages_come_whole_however_they_are_cut() {
    let wire = [
        REQUEST.as_bytes(),
        &frame(0x01, b"Hel"),
        &frame(0x89, b"?"),
        &frame(0x80, b"lo"),
        &frame(0x82, &[7; 300]),
    ]
    .concat();
    for size in [1, 2, 7, 1000] {
        let (mut client, journal) = echo_with(WebSocketOptions::default());
        client.receive_in_pieces(&wire, Chunks::of(size));
        assert_eq!(
            journal.take(),
            ["opened", "ping ?", "text Hello", "binary 300"],
            "by {size}"
        );
        let sent = client.take_sent();
        assert!(
            sent.ends_with(&[b"\x8a\x01?\x81\x05Hello\x82\x7e\x01\x2c", &[7; 300][..]].concat())
        );
    }
}

#[test]
fn r163_pings_are_answered_and_pongs_told() {
    let (mut client, journal) = open_echo();
    client.receive([frame(0x89, b"data"), frame(0x8a, b"beat")].concat());
    assert_eq!(client.take_sent(), b"\x8a\x04data");
    assert_eq!(journal.take(), ["ping data", "pong beat"]);
}

#[test]
fn r164_the_peers_code_is_echoed_and_the_connection_closed() {
    let (mut client, journal) = open_echo();
    client.receive([frame(0x88, b"\x0f\xa0bye"), frame(0x81, b"late")].concat());
    assert_eq!(client.take_sent(), b"\x88\x02\x0f\xa0");
    client.settle();
    assert!(client.is_disconnected());
    assert_eq!(journal.take(), ["close Some(4000)", "lost 4000 true"]);
    let (mut client, journal) = open_echo();
    client.receive(frame(0x88, b""));
    assert_eq!(client.take_sent(), b"\x88\x00");
    client.settle();
    assert_eq!(journal.take(), ["close None", "lost 1005 true"]);
}

/// Closes at the first message.
struct Closing(Journal);

impl WebSocketProtocol for Closing {
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.0.note(text);
        socket.close(CloseCode::NORMAL, "done");
        socket.send_text("dropped");
    }
    fn connection_lost(&mut self, _: &WebSocket, ending: &ropewalk_web::websocket::Ending<'_>) {
        self.0.note(format!("lost {ending}"));
    }
}

fn open_closing() -> (StringTransport, Journal) {
    let journal = Journal::default();
    let kept = journal.clone();
    let server = WebSocketServer::new(move |_| Closing(kept.clone()));
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.take_sent();
    client.receive([frame(0x81, b"one"), frame(0x81, b"two")].concat());
    assert_eq!(client.take_sent(), b"\x88\x06\x03\xe8done");
    assert_eq!(journal.take(), ["one"], "nothing is told behind our close");
    (client, journal)
}

#[test]
fn r164_a_local_close_waits_for_the_peers() {
    let (mut client, journal) = open_closing();
    assert!(!client.is_disconnecting());
    client.receive(frame(0x88, b"\x03\xe8"));
    client.settle();
    assert_eq!(client.take_sent(), b"");
    assert!(client.is_disconnected());
    assert_eq!(journal.take(), ["lost 1000"]);
}

#[test]
fn a_close_that_is_not_answered_ends_after_its_time() {
    let (mut client, journal) = open_closing();
    client.advance(Duration::from_secs(11));
    assert!(client.is_disconnected());
    assert_eq!(journal.take(), ["lost 1006 (closed cleanly)"]);
}

#[test]
fn r165_ws_08_ws_09_a_broken_rule_is_one_close_with_its_code() {
    for (data, code) in [
        (b"\x81\x01a".to_vec(), 1002),
        (frame(0xc1, b"a"), 1002),
        (frame(0x09, b"a"), 1002),
        (frame(0x89, &[0; 126]), 1002),
        (frame(0x80, b"a"), 1002),
        (frame(0x81, b"\xff"), 1007),
        (
            b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec(),
            1009,
        ),
    ] {
        let (mut client, journal) = open_echo();
        client.receive([&data[..], &frame(0x81, b"more"), &data[..]].concat());
        let sent = client.take_sent();
        assert_eq!(sent[0], 0x88);
        assert_eq!(u16::from_be_bytes([sent[2], sent[3]]), code);
        assert_eq!(sent.len(), 2 + usize::from(sent[1]), "one close");
        client.settle();
        assert!(matches!(client.lost_reason(), Some(Reason::Misbehaved(_))));
        assert_eq!(journal.take(), ["lost 1006 false"]);
    }
}

#[test]
fn a_kind_that_is_not_taken_is_closed_with_1003() {
    struct Nothing;
    impl WebSocketProtocol for Nothing {}
    for first in [0x81, 0x82] {
        let mut client = StringTransport::builder().factory(WebSocketServer::new(|_| Nothing));
        client.receive(REQUEST);
        client.take_sent();
        client.receive(frame(first, b"a"));
        assert_eq!(client.take_sent()[2..4], 1003_u16.to_be_bytes());
    }
}

#[test]
fn ws_01_a_request_that_does_not_end_is_refused() {
    let (mut client, _) = echo_with(WebSocketOptions::default());
    client.receive("GET / HTTP/1.1\r\n");
    client.advance(Duration::from_secs(9));
    assert!(!client.is_disconnecting());
    client.advance(Duration::from_secs(2));
    assert!(client.take_sent().starts_with(b"HTTP/1.1 408 "));
    let (mut client, _) = echo_with(WebSocketOptions::default());
    client.receive(request_with(&format!("X: {}\r\n", "x".repeat(100_000))));
    assert!(client.take_sent().starts_with(b"HTTP/1.1 431 "));
}

#[test]
fn ws_09_foreign_pages_are_refused_unless_allowed() {
    let server = |origins| {
        let server = WebSocketServer::new(|_| Echo(Journal::default()));
        StringTransport::builder().factory(server.with_origins(origins))
    };
    let listed = || Origins::SameAnd(vec!["https://friend.example".to_owned()]);
    for (origins, origin, status) in [
        (Origins::Same, "http://example.com", "101"),
        (Origins::Same, "http://evil.example", "403"),
        (Origins::Same, "null", "403"),
        (listed(), "https://friend.example", "101"),
        (listed(), "http://example.com", "101"),
        (listed(), "http://friend.example", "403"),
        (Origins::DangerousAny, "http://evil.example", "101"),
    ] {
        let mut client = server(origins);
        client.receive(request_with(&format!("Origin: {origin}\r\n")));
        let answer = String::from_utf8(client.take_sent()).unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{origin}: {answer}"
        );
    }
}

#[test]
fn what_could_never_match_is_refused_when_the_server_is_set_up() {
    let panics = |set_up: fn(WebSocketServer<Echo>) -> WebSocketServer<Echo>| {
        let server = WebSocketServer::new(|_| Echo(Journal::default()));
        let set_up = std::panic::AssertUnwindSafe(|| drop(set_up(server)));
        std::panic::catch_unwind(set_up).is_err()
    };
    assert!(panics(|server| server.with_subprotocols(["a b"])));
    assert!(!panics(|server| server.with_subprotocols(["a.b"])));
    assert!(panics(
        |server| server.with_origins(Origins::SameAnd(vec!["example.com".into()]))
    ));
    assert!(panics(
        |server| server.with_origins(Origins::SameAnd(vec!["https://a/".into()]))
    ));
    assert!(!panics(
        |server| server.with_origins(Origins::SameAnd(vec!["https://a".into()]))
    ));
}

#[test]
fn ws_05_d8_a_subprotocol_is_chosen_or_none() {
    let journal = Journal::default();
    let kept = journal.clone();
    let server = WebSocketServer::new(move |opening| {
        kept.note(format!("{:?}", opening.subprotocol()));
        Echo(kept.clone())
    });
    let server = server.with_subprotocols(["v2", "v1"]);
    for (offered, line, noted) in [
        ("v1, v2", "Sec-WebSocket-Protocol: v2\r\n", "Some(\"v2\")"),
        ("v3,v1", "Sec-WebSocket-Protocol: v1\r\n", "Some(\"v1\")"),
        ("v3", "", "None"),
    ] {
        let mut client = StringTransport::builder().factory(server.clone());
        client.receive(request_with(&format!(
            "Sec-WebSocket-Protocol: {offered}\r\n"
        )));
        let answer = String::from_utf8(client.take_sent()).unwrap();
        assert!(
            answer.contains(line)
                && answer.matches("Protocol:").count() == usize::from(!line.is_empty()),
            "{answer}"
        );
        assert!(journal.take().contains(&noted.to_owned()));
    }
}

#[test]
fn a_server_may_refuse_for_reasons_of_its_own() {
    let server = WebSocketServer::<Echo>::fallible(|_| Err(Refusal::new(401, "who are you?")));
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    let answer = String::from_utf8(client.take_sent()).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 401 ") && answer.ends_with("who are you?\n"),
        "{answer}"
    );
}

#[test]
fn a_silent_peer_is_asked_and_given_up() {
    let (mut client, journal) = open_echo();
    client.advance(Duration::from_secs(31));
    assert_eq!(client.take_sent(), b"\x89\x00");
    client.receive(frame(0x8a, b""));
    client.advance(Duration::from_secs(29));
    assert_eq!(client.take_sent(), b"", "it answered");
    client.advance(Duration::from_secs(2));
    assert_eq!(client.take_sent(), b"\x89\x00");
    client.advance(Duration::from_secs(18));
    assert!(!client.is_disconnected());
    client.advance(Duration::from_secs(3));
    assert!(matches!(client.lost_reason(), Some(Reason::TimedOut(_))));
    assert_eq!(journal.take(), ["pong ", "lost 1006 false"]);
}

#[test]
fn ws_03_a_peer_that_pings_and_does_not_read_gets_no_heap_of_pongs() {
    let server = WebSocketServer::new(|_| Echo(Journal::default()));
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.take_sent();
    client.block_sending();
    let pings = frame(0x89, &[b'x'; 125]).repeat(100);
    for _ in 0..100 {
        client.receive(&pings);
    }
    let waits = client.transport().unsent_bytes();
    assert!(waits < 80 * 1024, "{waits} bytes of 1.3 MB");
    assert!(client.is_reading_held_up());
    client.unblock_sending();
    client.settle();
    assert!(!client.is_disconnected());
}

/// Sends numbers whenever it gets a message.
struct Ticker(usize);

impl WebSocketProtocol for Ticker {
    fn text_received(&mut self, socket: &WebSocket, _: &str) {
        for index in 0..self.0 {
            socket.send_keyed(index as u64 % 3, format!("{index:0>9999}"));
        }
    }
}

fn ticker(slow_peer: SlowPeer) -> StringTransport {
    let options = WebSocketOptions {
        slow_peer,
        ..WebSocketOptions::default()
    };
    let server = WebSocketServer::new(|_| Ticker(100)).with_options(options);
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.take_sent();
    client.block_sending();
    client.receive(frame(0x81, b"go"));
    client.settle();
    client
}

/// The numbers that come once the peer reads.
fn numbers(mut client: StringTransport) -> Vec<usize> {
    client.unblock_sending();
    client.settle();
    let sent = client.take_sent();
    let text = String::from_utf8_lossy(&sent).into_owned();
    let digits = text.split(|c: char| !c.is_ascii_digit());
    digits
        .filter(|number| number.len() == 9999)
        .map(|number| number.parse().unwrap())
        .collect()
}

#[test]
fn ws_03_slow_peers_are_treated_as_their_policy_says() {
    assert_eq!(numbers(ticker(SlowPeer::Wait)).len(), 100);
    let dropped = numbers(ticker(SlowPeer::DropOldest(5)));
    assert_eq!(
        dropped.len(),
        12,
        "seven made it before the peer was slow, five waited"
    );
    assert_eq!(dropped[7..], [95, 96, 97, 98, 99]);
    let coalesced = numbers(ticker(SlowPeer::Coalesce(10)));
    assert_eq!(coalesced[7..], [97, 98, 99]);
    let mut closed = ticker(SlowPeer::Disconnect);
    closed.unblock_sending();
    closed.settle();
    let sent = closed.take_sent();
    let end = &sent[sent.len() - 23..];
    assert_eq!(end[..4], [0x88, 21, 0x03, 0xf5], "{}", end.escape_ascii());
}

#[test]
fn ws_03_a_peer_that_never_reads_is_ended() {
    let mut client = ticker(SlowPeer::Disconnect);
    client.advance(Duration::from_secs(11));
    client.settle();
    assert!(client.is_disconnected());
}

#[test]
fn a_large_message_goes_in_fragments_and_others_wait() {
    struct Large;
    impl WebSocketProtocol for Large {
        fn text_received(&mut self, socket: &WebSocket, text: &str) {
            let mut message = socket.begin(Kind::Binary).expect("none is under way");
            message.send("ab");
            socket.send_text("behind");
            socket.ping("between").expect("it is short");
            message.send("cd");
            assert!(socket.begin(Kind::Text).is_err());
            match text {
                "finish" => message.finish(),
                _ => drop(message),
            }
        }
    }
    let mut client = StringTransport::builder().factory(WebSocketServer::new(|_| Large));
    client.receive(REQUEST);
    client.take_sent();
    client.receive(frame(0x81, b"finish"));
    client.settle();
    assert_eq!(
        client.take_sent(),
        b"\x02\x00\x00\x02ab\x89\x07between\x00\x02cd\x80\x00\x81\x06behind"
    );
    client.receive(frame(0x81, b"drop"));
    client.settle();
    let sent = client.take_sent();
    let end = sent
        .windows(2)
        .position(|pair| pair == 1011_u16.to_be_bytes());
    assert!(end.is_some(), "{}", sent.escape_ascii());
}

#[test]
fn messages_can_be_awaited() {
    let journal = Journal::default();
    let kept = journal.clone();
    let server = WebSocketServer::new(move |_| {
        let journal = kept.clone();
        Conversation::new(|mut socket| async move {
            while let Some(message) = socket.recv().await {
                journal.note(message.as_text().unwrap_or("bytes"));
                socket.send(message);
            }
            journal.note("end");
        })
    });
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.take_sent();
    client.receive(frame(0x81, b"x").repeat(50));
    client.settle();
    assert_eq!(journal.take(), ["x"; 50]);
    assert_eq!(client.take_sent(), b"\x81\x01x".repeat(50));
    client.receive(frame(0x88, b""));
    client.settle();
    assert_eq!(journal.take(), ["end"]);
    assert!(client.is_disconnected());
}

#[test]
fn the_end_of_an_awaiting_function_closes() {
    let server = WebSocketServer::new(|_| {
        Conversation::new(|mut socket| async move {
            let first = socket.recv().await;
            assert_eq!(first.expect("one comes").as_text(), Some("only"));
        })
    });
    let mut client = StringTransport::builder().factory(server);
    client.receive(REQUEST);
    client.take_sent();
    client.receive(frame(0x81, b"only"));
    client.settle();
    assert_eq!(client.take_sent(), b"\x88\x02\x03\xe8");
}

#[test]
fn compression_is_agreed_on_and_used() {
    let options = WebSocketOptions {
        deflate: Some(Deflate::new()),
        ..WebSocketOptions::default()
    };
    let (mut client, journal) = echo_with(options);
    client.receive(request_with(
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
    ));
    let answer = String::from_utf8(client.take_sent()).unwrap();
    let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";
    assert!(answer.contains(agreed), "{answer}");
    client.receive(frame(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
    assert_eq!(journal.take(), ["opened", "text Hello"]);
    assert_eq!(
        client.take_sent(),
        b"\x81\x05Hello",
        "short messages go as they are"
    );
    client.receive(frame(0x82, &[b'a'; 1000]));
    let sent = client.take_sent();
    assert!(
        sent[0] == 0xc2 && sent.len() < 40,
        "{}",
        sent.escape_ascii()
    );
    let (mut client, _) = open_echo_with(WebSocketOptions::default());
    client.receive(frame(0xc1, b"\xf2\x48\xcd\xc9\xc9\x07\x00"));
    assert_eq!(client.take_sent()[2..4], 1002_u16.to_be_bytes());
}

#[test]
fn ws_04_a_bomb_closes_with_1009() {
    let options = WebSocketOptions {
        deflate: Some(Deflate::new()),
        limit_bytes: 999,
        ..WebSocketOptions::default()
    };
    let (mut client, _) = echo_with(options);
    client.receive(request_with(
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    ));
    client.take_sent();
    // A thousand times the letter x.
    client.receive(frame(0xc1, b"\xaa\xa8\x18\x05\xa3\x60\x14\x0c\x77\x00\x00"));
    assert_eq!(client.take_sent()[2..4], 1009_u16.to_be_bytes());
}
