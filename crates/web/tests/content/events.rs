//! Server-sent events.

use std::time::Duration;

use ropewalk_testing::{Clock, StringTransport, TestCase, run_test};
use ropewalk_web::{Event, EventLimits, EventTopic, Request, Router};

use crate::{client, sent};

fn listening(topic: &EventTopic, head: &str) -> StringTransport {
    let topic = topic.clone();
    let mut client =
        client(Router::new().get("/", move |request: &Request| topic.subscribe(request)));
    client.receive(format!("GET / HTTP/1.0\r\n{head}\r\n"));
    client.settle();
    client
}

fn body(client: &mut StringTransport) -> String {
    let sent = sent(client);
    match sent.split_once("\r\n\r\n") {
        Some((_, body)) => body.to_owned(),
        None => sent,
    }
}

fn event(number: u32) -> Event {
    Event::new(format!("e{number}"))
        .with_id(&number.to_string())
        .unwrap()
}

fn topic() -> EventTopic {
    EventTopic::new(&Clock::new())
}

#[test]
fn events_come_to_all_who_listen() {
    let topic = topic();
    let mut clients = [listening(&topic, ""), listening(&topic, "")];
    assert_eq!(topic.subscribers(), 2);
    let head = String::from_utf8(clients[0].sent()).unwrap();
    assert!(
        head.contains("Content-Type: text/event-stream\r\n")
            && head.contains("Cache-Control: no-store\r\n")
    );
    topic.publish(event(1));
    for client in &mut clients {
        assert_eq!(body(client), "id: 1\ndata: e1\n\n");
    }
    clients[0].fail(std::io::ErrorKind::ConnectionReset);
    clients[0].settle();
    assert_eq!(topic.subscribers(), 1);
    topic.publish(Event::new("x"));
    let sent = body(&mut clients[1]);
    assert!(
        sent.starts_with("id: ") && sent.ends_with("-2\ndata: x\n\n"),
        "{sent}"
    );
    topic.close();
    clients[1].settle();
    assert!(clients[1].is_disconnecting() || clients[1].is_disconnected());
}

#[test]
fn who_comes_back_gets_what_it_missed() {
    let topic = topic().with_history(3, 1000);
    for number in 1..=5 {
        topic.publish(event(number));
    }
    for (last, missed) in [
        ("", ""),
        ("Last-Event-ID: 4\r\n", "id: 5\ndata: e5\n\n"),
        ("Last-Event-ID: 5\r\n", ""),
        (
            "Last-Event-ID: 1\r\n",
            "id: 3\ndata: e3\n\nid: 4\ndata: e4\n\nid: 5\ndata: e5\n\n",
        ),
    ] {
        assert_eq!(body(&mut listening(&topic, last)), missed, "{last}");
    }
    let small = topic.with_history(100, 20);
    let all = body(&mut listening(&small, "Last-Event-ID: 1\r\n"));
    assert_eq!(all, "id: 5\ndata: e5\n\n", "20 bytes hold one");
}

#[test]
fn silence_is_broken_by_a_comment() {
    let topic = topic();
    let mut client = listening(&topic, "");
    assert_eq!(body(&mut client), "");
    client.advance(Duration::from_secs(14));
    topic.publish(event(1));
    assert_eq!(body(&mut client), "id: 1\ndata: e1\n\n");
    client.advance(Duration::from_secs(14));
    assert_eq!(body(&mut client), "");
    client.advance(Duration::from_secs(1));
    assert_eq!(body(&mut client), ":\n\n");
    client.advance(Duration::from_secs(15));
    assert_eq!(body(&mut client), ":\n\n");
}

#[test]
fn who_does_not_read_is_dropped_and_that_is_no_error() {
    // It fails by errors in the log: each slow client would be one.
    run_test(TestCase::new("slow reader"), |_| {
        let mut limits = EventLimits::default();
        limits.unsent_bytes = 10_000;
        let topic = topic().with_limits(limits);
        let (mut slow, mut fast) = (listening(&topic, ""), listening(&topic, ""));
        slow.block_sending();
        let large = "x".repeat(1_000);
        for _ in 0..30 {
            topic.publish(Event::new(&*large));
            fast.settle();
            slow.settle();
        }
        assert_eq!(topic.subscribers(), 1);
        assert!(slow.is_aborted() || slow.is_disconnected());
        assert!(body(&mut fast).len() > 30_000);
    });
}

#[test]
fn head_has_no_events() {
    let topic = topic();
    let root = {
        let topic = topic.clone();
        Router::new().get("/", move |request: &Request| topic.subscribe(request))
    };
    let mut client = client(root);
    client.receive("HEAD / HTTP/1.1\r\nHost: a\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(sent(&mut client).matches("text/event-stream").count(), 2);
    assert_eq!(topic.subscribers(), 0);
}
