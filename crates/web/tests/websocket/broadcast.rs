//! Topics.

use ropewalk_grammar::websocket::{Decoder, Deflate, Event, Extension, Role};
use ropewalk_testing::StringTransport;
use ropewalk_web::websocket::{
    CloseCode, SlowPeer, Topic, WebSocket, WebSocketOptions, WebSocketProtocol, WebSocketServer,
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
    member_with(room, request, Deflate::new(), SlowPeer::Wait)
}

fn member_with(
    room: &Topic,
    request: &str,
    deflate: Deflate,
    slow_peer: SlowPeer,
) -> StringTransport {
    let room = room.clone();
    let options = WebSocketOptions {
        deflate: Some(deflate),
        slow_peer,
        ..WebSocketOptions::default()
    };
    let server = WebSocketServer::new(move |_| Member(room.clone())).with_options(options);
    let mut member = StringTransport::builder().factory(server);
    member.receive(request);
    assert!(member.take_sent().starts_with(b"HTTP/1.1 101 "));
    member
}

fn deflated_member(room: &Topic, parameters: &str) -> StringTransport {
    let field = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n");
    member(room, &request_with(&field))
}

/// What a member was sent since the last look.
fn sent_to(member: &mut StringTransport) -> Vec<u8> {
    member.settle();
    member.take_sent()
}

#[test]
fn a_message_reaches_all_others_each_as_it_agreed() {
    let room = Topic::new();
    let mut plain = member(&room, REQUEST);
    let mut small = deflated_member(&room, "; server_max_window_bits=9");
    let mut deflated = deflated_member(&room, "");
    let mut sender = member(&room, REQUEST);
    assert_eq!(room.len(), 4);
    let text = "a".repeat(100);
    sender.receive(frame(0x81, text.as_bytes()));
    let framed = [b"\x81\x64", text.as_bytes()].concat();
    assert_eq!(sent_to(&mut plain), framed);
    let sent = sent_to(&mut deflated);
    assert!(
        sent[0] == 0xc1 && sent.len() < 20,
        "{}",
        sent.escape_ascii()
    );
    assert_eq!(sent_to(&mut small), sent, "it fits into any window");
    assert_eq!(sent_to(&mut sender), b"");
}

/// Bytes that repeat after 600, further than a window of 512 reaches, so that compressors with other windows differ.
fn repeats_far_apart() -> Vec<u8> {
    let noise = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8;
    (0..600).map(noise).collect::<Vec<_>>().repeat(3)
}

/// What a client reads that agreed to `answer`.
struct Reader(Decoder);

impl Reader {
    fn new(answer: &str) -> Self {
        let deflate = Deflate::new().with_context_takeover(true);
        let answer = format!("permessage-deflate{answer}");
        let extension = Extension::parse(answer.as_bytes()).flatten().next();
        let agreed = deflate.agreed(extension.unwrap()).unwrap();
        Self(Decoder::new(Role::Client).with_deflate(agreed))
    }

    fn read(&mut self, mut data: Vec<u8>) -> Vec<Vec<u8>> {
        let (mut input, mut messages) = (self.0.receive(&mut data), Vec::new());
        while let Some(event) = input.next_event() {
            match event.expect("it is well compressed") {
                Event::Text(text) => messages.push(text.as_bytes().to_vec()),
                Event::Binary(data) => messages.push(data.to_vec()),
                other => panic!("{other:?} came"),
            }
        }
        messages
    }
}

#[test]
fn a_window_is_never_left() {
    let room = Topic::new();
    let message = repeats_far_apart();
    let mut sizes = Vec::new();
    for bits in [9, 10, 12, 15] {
        let answer = format!("; server_no_context_takeover; server_max_window_bits={bits}");
        let mut member = deflated_member(&room, &format!("; server_max_window_bits={bits}"));
        room.send(message.clone());
        let sent = sent_to(&mut member);
        assert_eq!(sent[0], 0xc2);
        sizes.push(sent.len());
        assert_eq!(
            Reader::new(&answer).read(sent),
            std::slice::from_ref(&message)
        );
    }
    assert!(
        sizes[0] > message.len() - 100,
        "9 bits see no repetition: {sizes:?}"
    );
    assert!(sizes[3] < message.len() / 2, "{sizes:?}");
    assert_eq!(
        sizes[2], sizes[3],
        "all of it fits into 4 KiB: one frame serves both"
    );
}

/// Says back what it hears.
struct Parrot(Topic);

impl WebSocketProtocol for Parrot {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.subscribe(socket);
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        socket.send_text(text);
    }
}

/// A shared message enters the context of the receiver, but not that of the connection's own compressor.
#[test]
fn own_messages_and_shared_ones_may_alternate_with_context_takeover() {
    let room = Topic::new();
    let options = WebSocketOptions {
        deflate: Some(Deflate::new().with_context_takeover(true)),
        ..WebSocketOptions::default()
    };
    let kept = room.clone();
    let server = WebSocketServer::new(move |_| Parrot(kept.clone())).with_options(options);
    let mut member = StringTransport::builder().factory(server);
    member.receive(request_with(
        "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    ));
    member.take_sent();
    let (mut reader, mut lengths) = (Reader::new(""), Vec::new());
    for round in 0..40 {
        let text =
            format!("{round}: the quick brown fox jumps over the lazy dog, and over this one");
        match round % 4 {
            0 => drop(room.send(&*text)),
            1 => drop(room.send("too short to be compressed")),
            _ => member.receive(frame(0x81, text.as_bytes())),
        }
        let sent = sent_to(&mut member);
        lengths.push(sent.len());
        let expected = match round % 4 {
            1 => "too short to be compressed",
            _ => &text,
        };
        assert_eq!(reader.read(sent), [expected.as_bytes()], "round {round}");
    }
    assert!(
        lengths[3] < lengths[2] / 2,
        "own messages refer to each other: {lengths:?}"
    );
}

/// What a receiver gets of a hundred messages about three things, when it reads only afterwards.
fn read_late(topic: &Topic, own_policy: SlowPeer) -> (Vec<usize>, Vec<u8>) {
    let mut slow = member_with(topic, REQUEST, Deflate::new(), own_policy);
    let mut quick = member(topic, REQUEST);
    slow.block_sending();
    for number in 0..100 {
        topic.send_keyed(number % 3, format!("{number:0>9999}"));
        assert_eq!(numbers(&sent_to(&mut quick)), [number as usize]);
    }
    slow.settle();
    slow.unblock_sending();
    let sent = sent_to(&mut slow);
    (numbers(&sent), sent)
}

fn numbers(sent: &[u8]) -> Vec<usize> {
    let text = String::from_utf8_lossy(sent);
    let digits = text.split(|c: char| !c.is_ascii_digit());
    digits
        .filter(|number| number.len() == 9999)
        .map(|number| number.parse().unwrap())
        .collect()
}

#[test]
fn ws_03_a_slow_receiver_is_treated_as_its_policy_says_and_no_other_suffers() {
    let own = |policy| read_late(&Topic::new(), policy);
    assert_eq!(own(SlowPeer::Wait).0, (0..100).collect::<Vec<_>>());
    let (dropped, _) = own(SlowPeer::DropOldest(5));
    assert_eq!(dropped[7..], [95, 96, 97, 98, 99]);
    let (coalesced, _) = own(SlowPeer::Coalesce(10));
    assert_eq!(coalesced[7..], [97, 98, 99]);
    let (numbers, sent) = own(SlowPeer::Disconnect);
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(sent[sent.len() - 23..][..4], [0x88, 21, 0x03, 0xf5]);
}

#[test]
fn ws_03_the_policy_of_a_topic_comes_before_that_of_a_connection() {
    let topic = |policy| Topic::new().with_slow_peer(policy);
    let (dropped, _) = read_late(&topic(SlowPeer::DropOldest(2)), SlowPeer::Disconnect);
    assert_eq!(dropped[7..], [98, 99]);
    let (coalesced, _) = read_late(&topic(SlowPeer::Coalesce(2)), SlowPeer::Wait);
    assert_eq!(coalesced[7..], [98, 99]);
    let all = read_late(&topic(SlowPeer::Wait), SlowPeer::DropOldest(1)).0;
    assert_eq!(all.len(), 100);
    let (numbers, sent) = read_late(&topic(SlowPeer::Disconnect), SlowPeer::Wait);
    assert_eq!(numbers.len(), 7);
    assert_eq!(sent[sent.len() - 23..][..4], [0x88, 21, 0x03, 0xf5]);
}

#[test]
fn ws_03_who_never_reads_is_closed_even_if_messages_may_wait() {
    let topic = Topic::new();
    let mut slow = member(&topic, REQUEST);
    slow.block_sending();
    let mut sent = 0;
    while topic.send("x".repeat(999)) == 1 {
        sent += 1;
        assert!(sent < 2000, "it waits for ever");
    }
    assert!(sent > 1024, "{sent}");
    slow.unblock_sending();
    let end = sent_to(&mut slow);
    let code = CloseCode::TRY_AGAIN_LATER.number().to_be_bytes();
    assert_eq!(
        end[end.len() - 23..][..4],
        [&[0x88, 21], &code[..]].concat()
    );
}

#[test]
fn members_that_come_and_go_are_forgotten_though_nobody_sends() {
    let room = Topic::new();
    let stays = member(&room, REQUEST);
    for _ in 0..200 {
        let mut member = member(&room, REQUEST);
        member.receive(frame(0x88, b""));
        member.settle();
        drop(member);
        let shown = format!("{room:?}");
        let count: usize = shown.split(['(', ' ']).nth(1).unwrap().parse().unwrap();
        assert!(count <= 40, "{shown}");
    }
    assert_eq!(room.len(), 1);
    drop(stays);
}

#[test]
fn who_leaves_gets_no_more() {
    let room = Topic::new();
    struct Guest(Topic);
    impl WebSocketProtocol for Guest {
        fn opened(&mut self, socket: &WebSocket) {
            self.0.subscribe(socket);
        }
        fn text_received(&mut self, socket: &WebSocket, _: &str) {
            assert!(self.0.unsubscribe(socket));
            assert!(!self.0.unsubscribe(socket));
        }
    }
    let join = || {
        let room = room.clone();
        let server = WebSocketServer::new(move |_| Guest(room.clone()));
        let mut guest = StringTransport::builder().factory(server);
        guest.receive(REQUEST);
        guest.take_sent();
        guest
    };
    let mut guests: Vec<_> = (0..5).map(|_| join()).collect();
    for gone in [1, 4, 0] {
        guests[gone].receive(frame(0x81, b"bye"));
        room.send("hi");
    }
    assert_eq!(room.len(), 2);
    let heard = guests.iter_mut().map(|guest| sent_to(guest).len() / 4);
    assert_eq!(heard.collect::<Vec<_>>(), [2, 0, 3, 3, 1]);
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
