//! Browsers without a browser: what goes over their WebSockets.

use std::io::ErrorKind;
use std::time::Duration;

use ropewalk::testing::StringTransport;
use serde_json::{Value, json};

use super::super::browser;
use super::super::hall::{Hall, LOBBY, TEXT_BYTES};
use super::super::limits;
use super::super::page;
use super::{heard, join};

const REQUEST: &str = "GET /ws HTTP/1.1\r\nHost: chat\r\nOrigin: http://chat\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// One page, open.
struct Tab(StringTransport);

impl Tab {
    fn open(hall: &Hall) -> Self {
        let server = browser::server(hall.clone());
        let mut wire = StringTransport::builder().limits(limits()).factory(server);
        wire.receive(REQUEST);
        assert!(wire.take_sent().starts_with(b"HTTP/1.1 101 "));
        Self(wire)
    }

    /// In the lobby, with what it was told on the way dropped.
    fn enter(hall: &Hall, name: &str) -> Self {
        let mut tab = Self::open(hall);
        tab.say(json!({"type": "hello", "name": name, "token": format!("token of {name}")}));
        tab.say(json!({"type": "join", "room": LOBBY}));
        let told = tab.told();
        assert_eq!(
            kinds(&told),
            ["welcome", "rooms", "room", "history"],
            "{told:?}"
        );
        tab
    }

    fn say(&mut self, asked: Value) {
        let text = asked.to_string();
        let mut frame = vec![0x81];
        match text.len() {
            length @ ..126 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(text.as_bytes());
        self.0.receive(frame);
    }

    fn post(&mut self, key: &str, text: &str) {
        self.say(json!({"type": "say", "room": LOBBY, "key": key, "text": text}));
    }

    /// What it was told since the last time; `close` with the code where that is all.
    fn told(&mut self) -> Vec<Value> {
        self.0.settle();
        let (sent, mut told) = (self.0.take_sent(), Vec::new());
        let mut rest = &*sent;
        while let [head, length, more @ ..] = rest {
            let (length, body) = match *length {
                126 => (
                    usize::from(u16::from_be_bytes([more[0], more[1]])),
                    &more[2..],
                ),
                127 => (
                    u64::from_be_bytes(more[..8].try_into().unwrap()) as usize,
                    &more[8..],
                ),
                length => (usize::from(length), more),
            };
            match head & 0x0f {
                8 => told
                    .push(json!({"type": "close", "code": u16::from_be_bytes([body[0], body[1]])})),
                1 => told.push(serde_json::from_slice(&body[..length]).unwrap()),
                _ => {}
            }
            rest = &body[length..];
        }
        told
    }

    /// Of what it was told, these.
    fn told_of(&mut self, kind: &str) -> Vec<Value> {
        let told = self.told();
        told.into_iter()
            .filter(|told| told["type"] == kind)
            .collect()
    }
}

fn kinds(told: &[Value]) -> Vec<&str> {
    told.iter()
        .filter_map(|told| told["type"].as_str())
        .collect()
}

fn texts(told: &[Value]) -> Vec<&str> {
    told.iter()
        .filter_map(|told| told["text"].as_str())
        .collect()
}

#[test]
fn browsers_and_lines_are_in_the_same_room() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob, mut nc) = (
        Tab::enter(&hall, "ann"),
        Tab::enter(&hall, "bob"),
        join(&hall, "netty"),
    );
    ann.told();
    bob.told();
    ann.post("k1", "hello \u{1b}[31mall");
    assert_eq!(heard(&mut nc), "ann: hello ␛[31mall\n");
    let told = ann.told();
    assert_eq!(kinds(&told), ["message", "ack"]);
    assert_eq!(
        (&told[0]["key"], &told[1]["seq"]),
        (&json!("k1"), &json!(1))
    );
    assert_eq!(texts(&bob.told()), ["hello ␛[31mall"]);
    nc.receive("hello, browsers\n");
    let told = bob.told();
    assert_eq!(
        (texts(&told), &told[0]["seq"]),
        (vec!["hello, browsers"], &json!(2))
    );
    nc.receive("/quit\n");
    assert_eq!(bob.told_of("left")[0]["name"], "netty");
    let mut late = Tab::open(&hall);
    late.say(json!({"type": "hello", "name": "late", "token": "t"}));
    late.say(json!({"type": "join", "room": LOBBY}));
    let told = late.told();
    assert_eq!(told[3]["messages"].as_array().unwrap().len(), 2);
    assert_eq!(told[2]["here"], json!(["ann", "bob", "late"]));
}

#[test]
fn what_was_said_twice_is_said_once_and_acknowledged_twice() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (Tab::enter(&hall, "ann"), Tab::enter(&hall, "bob"));
    ann.post("k", "once");
    ann.post("k", "once");
    assert_eq!(
        ann.told_of("ack"),
        vec![json!({"type": "ack", "room": "lobby", "key": "k", "seq": 1}); 2]
    );
    assert_eq!(bob.told_of("message").len(), 1);
}

#[test]
fn who_was_cut_off_gets_what_he_missed_and_keeps_his_name() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (Tab::enter(&hall, "ann"), Tab::enter(&hall, "bob"));
    let id = hall.look(LOBBY, |room| room.id.clone()).unwrap();
    bob.post("1", "before");
    ann.0.fail(ErrorKind::ConnectionReset);
    assert_eq!(kinds(&bob.told_of("left")), [""; 0], "he may come back");
    for number in 0..450 {
        bob.post(&format!("k{number}"), &number.to_string());
    }
    let mut thief = Tab::open(&hall);
    thief.say(json!({"type": "hello", "name": "Ann", "token": "another"}));
    assert_eq!(thief.told_of("refused")[0]["what"], "name");
    let mut ann = Tab::open(&hall);
    ann.say(json!({"type": "hello", "name": "ann", "token": "token of ann"}));
    ann.say(json!({"type": "join", "room": LOBBY, "id": id, "seen": 1}));
    let mut got = Vec::new();
    loop {
        let history = ann.told_of("history").pop().unwrap();
        let messages = history["messages"].as_array().unwrap();
        got.extend(
            messages
                .iter()
                .map(|message| message["seq"].as_u64().unwrap()),
        );
        assert_eq!(history["gap"], false);
        bob.post("late", "while it goes on");
        if history["more"] == false {
            break;
        }
        ann.say(json!({"type": "more", "seen": got.last()}));
    }
    assert!(got.iter().copied().eq(2..=got.last().copied().unwrap()) && got.len() >= 450);
    bob.post("new", "heard at once");
    assert_eq!(
        texts(&ann.told_of("message")).last(),
        Some(&"heard at once")
    );
}

#[test]
fn who_does_not_come_back_has_left_and_who_opens_another_tab_goes_on_there() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (Tab::enter(&hall, "ann"), Tab::enter(&hall, "bob"));
    let mut again = Tab::open(&hall);
    again.say(json!({"type": "hello", "name": "ann", "token": "token of ann"}));
    assert_eq!(kinds(&again.told()), ["welcome", "rooms"]);
    assert_eq!(
        ann.told_of("close"),
        [json!({"type": "close", "code": 4001})]
    );
    assert_eq!(hall.count(LOBBY), 2, "she is in the room still");
    again.0.fail(ErrorKind::ConnectionReset);
    again.0.advance(Duration::from_secs(19));
    assert_eq!(bob.told_of("left").len(), 0);
    again.0.advance(Duration::from_secs(2));
    assert_eq!(bob.told_of("left")[0]["name"], "ann");
}

#[test]
fn another_history_is_told_from_its_beginning() {
    let hall = Hall::in_memory();
    let mut ann = Tab::enter(&hall, "ann");
    ann.post("k", "hi");
    ann.told();
    ann.say(json!({"type": "join", "room": LOBBY, "id": "of another chat", "seen": 1}));
    let told = ann.told();
    assert_eq!(told[1]["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn what_will_not_do_is_refused_in_words_or_closed() {
    let hall = Hall::in_memory();
    let mut ann = Tab::enter(&hall, "ann");
    ann.post("long", &"x".repeat(TEXT_BYTES + 1));
    ann.post("empty", "  ");
    ann.say(json!({"type": "join", "room": "a/b"}));
    let refused = ann.told_of("refused");
    assert!(
        refused[0]["why"].as_str().unwrap().contains("16384 bytes"),
        "{refused:?}"
    );
    assert_eq!(
        (&refused[0]["key"], &refused[1]["key"]),
        (&json!("long"), &json!("empty"))
    );
    assert_eq!(refused[2]["what"], "room");
    for wrong in [
        json!({"type": "shout"}),
        json!({"type": "say", "room": LOBBY, "key": "", "text": "x"}),
        json!({"type": "say", "room": LOBBY, "key": "k".repeat(65), "text": "x"}),
        json!({"type": "hello", "name": "again", "token": "t"}),
    ] {
        let mut tab = Tab::enter(&hall, "bob");
        tab.say(wrong);
        assert_eq!(tab.told_of("close")[0]["code"], 1008);
        tab.0.fail(ErrorKind::ConnectionReset);
        tab.0.advance(Duration::from_secs(30));
    }
    let mut silent = Tab::open(&hall);
    silent.say(json!({"type": "typing"}));
    assert_eq!(silent.told_of("close")[0]["code"], 1008);
}

#[test]
fn typing_is_told_to_others_and_not_too_often() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (Tab::enter(&hall, "ann"), Tab::enter(&hall, "bob"));
    ann.told();
    for _ in 0..10 {
        ann.say(json!({"type": "typing"}));
    }
    ann.0.advance(Duration::from_secs(3));
    ann.say(json!({"type": "typing"}));
    assert_eq!(bob.told_of("typing").len(), 2);
    assert_eq!(ann.told_of("typing").len(), 0);
    ann.post("k", "said");
    ann.say(json!({"type": "typing"}));
    assert_eq!(bob.told_of("typing").len(), 1, "of another message");
}

#[test]
fn a_short_question_with_a_long_answer_is_paid_for() {
    let hall = Hall::in_memory();
    let mut ann = Tab::enter(&hall, "ann");
    (0..200).for_each(|number| ann.post(&number.to_string(), &"x".repeat(200)));
    ann.say(json!({"type": "ping"}));
    assert_eq!(ann.told_of("pong").len(), 1);
    let mut asked = 0;
    while !ann.0.is_reading_paused() {
        ann.say(json!({"type": "earlier", "before": 201}));
        ann.told();
        asked += 1;
        assert!(asked < 200, "it is answered for ever");
    }
    ann.0.advance(Duration::from_secs(2));
    assert!(!ann.0.is_reading_paused());
}

#[test]
fn who_does_not_read_is_cut_off_and_gets_it_all_later() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (Tab::enter(&hall, "ann"), Tab::enter(&hall, "bob"));
    let id = hall.look(LOBBY, |room| room.id.clone()).unwrap();
    ann.0.block_sending();
    let mut said = 0;
    while !ann.0.is_disconnecting() && said < 200 {
        bob.post(&format!("k{said}"), &"x".repeat(10_000));
        ann.0.settle();
        ann.0.advance(Duration::from_millis(100));
        said += 1;
    }
    assert!((26..200).contains(&said), "{said}");
    let mut ann = Tab::open(&hall);
    ann.say(json!({"type": "hello", "name": "ann", "token": "token of ann"}));
    ann.say(json!({"type": "join", "room": LOBBY, "id": id, "seen": 0}));
    let history = ann.told_of("history").pop().unwrap();
    assert!(history["more"] == true && history["messages"][0]["seq"] == 1);
}

#[test]
fn the_page_runs_nothing_of_others() {
    let mut browser = StringTransport::builder().factory(page::site(Hall::in_memory()));
    for (path, kind) in [
        ("/", "text/html"),
        ("/chat.css", "text/css"),
        ("/chat.js", "text/javascript"),
        ("/messages.js", "text/javascript"),
        ("/lists.js", "text/javascript"),
        ("/icon.svg", "image/svg"),
    ] {
        browser.receive(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let sent = String::from_utf8(browser.take_sent()).unwrap();
        assert!(
            sent.starts_with("HTTP/1.1 200 ") && sent.contains(kind),
            "{path}"
        );
        assert!(
            sent.contains("Content-Security-Policy: default-src 'none'; script-src 'self'"),
            "{path}"
        );
        let (_, body) = sent.split_once("\r\n\r\n").unwrap();
        assert!(
            !body.contains(" style=") && !body.contains(" onclick="),
            "{path}"
        );
        assert!(
            !body.contains("innerHTML") && !body.contains("<script>"),
            "{path}"
        );
    }
    let mut foreign = StringTransport::builder().factory(page::site(Hall::in_memory()));
    foreign.receive(REQUEST.replace("http://chat", "http://evil.example"));
    assert!(foreign.take_sent().starts_with(b"HTTP/1.1 403 "));
}
