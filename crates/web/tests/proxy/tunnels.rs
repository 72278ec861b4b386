//! Connections that leave HTTP behind.

use std::time::Duration;

use crate::scene::{Peer, Scene, get, names, value};

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n";
const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n";

fn tunnel() -> (Scene, Peer, Peer) {
    let mut scene = Scene::of(|proxy| proxy.with_tunnel_idle(Duration::from_secs(100)));
    let client = scene.client();
    let passed = scene.ask(&client, &get(UPGRADE));
    assert_eq!(value(&passed, "Upgrade"), Some("websocket"), "{passed}");
    assert_eq!(
        value(&passed, "Connection")
            .map(str::to_lowercase)
            .as_deref(),
        Some("upgrade")
    );
    let heard = scene.answer(&client, AGREED);
    assert!(
        heard.starts_with("HTTP/1.1 101 ") && value(&heard, "Sec-WebSocket-Accept") == Some("y"),
        "{heard}"
    );
    let server = scene.server();
    (scene, client, server)
}

#[test]
fn bytes_pass_both_ways_and_the_end_of_each_side_too() {
    let (mut scene, client, server) = tunnel();
    scene.say(&client, "GET / HTTP/1.1\r\n\r\n");
    assert_eq!(
        server.take(),
        "GET / HTTP/1.1\r\n\r\n",
        "nobody reads them as HTTP"
    );
    scene.say(&server, "\0\x01");
    assert_eq!(client.take(), "\0\x01");
    client.transport().lose_write_connection();
    scene.settle();
    assert!(server.is_ended() && !client.is_ended());
    scene.say(&server, "still here");
    assert_eq!(client.take(), "still here");
    server.transport().lose_connection();
    scene.settle();
    assert!(client.is_ended());
}

#[test]
fn when_one_end_is_gone_so_is_the_other() {
    for which in [false, true] {
        let (mut scene, client, server) = tunnel();
        let (one, other) = if which {
            (&client, &server)
        } else {
            (&server, &client)
        };
        one.transport().abort_connection();
        scene.settle();
        assert!(other.is_ended());
    }
}

#[test]
fn a_silent_tunnel_ends_and_one_that_speaks_does_not() {
    let (mut scene, client, server) = tunnel();
    for _ in 0..5 {
        scene.run(60);
        scene.say(&server, "x");
        scene.run(60);
        scene.say(&client, "y");
    }
    assert!(!client.is_ended() && !server.is_ended());
    scene.run(90);
    assert!(!client.is_ended());
    scene.run(20);
    assert!(client.is_ended() && server.is_ended());
}

#[test]
fn a_tunnel_takes_no_more_than_the_other_end_does() {
    let (mut scene, client, server) = tunnel();
    for (from, to) in [(&client, &server), (&server, &client)] {
        to.transport().pause_reading();
        (0..16).for_each(|_| from.transport().write(vec![b'x'; 1_000_000]));
        scene.run(20);
        assert!(from.transport().unsent_bytes() > 14_000_000);
        to.transport().resume_reading();
        scene.run(50);
        assert_eq!(to.take().len(), 16_000_000);
    }
}

/// H1-14: what comes behind the request is no tunnel's before the server has agreed.
#[test]
fn h1_14_bytes_before_the_agreement_are_held_back() {
    let mut scene = Scene::new();
    let client = scene.client();
    let passed = scene.ask(&client, &(get(UPGRADE) + "early"));
    assert!(!passed.contains("early"));
    scene.answer(&client, AGREED);
    assert_eq!(scene.server().take(), "early");
    // Refused, they are the next request.
    let mut scene = Scene::new();
    let client = scene.client();
    scene.ask(
        &client,
        &(get(UPGRADE) + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    let heard = scene.answer(
        &client,
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",
    );
    assert!(
        heard.starts_with("HTTP/1.1 426 ") && heard.ends_with("no"),
        "{heard}"
    );
    assert!(scene.server().take().starts_with("GET /next HTTP/1.1\r\n"));
}

#[test]
fn no_tunnel_carries_requests_past_the_proxy() {
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Connection: Upgrade\r\nUpgrade: H2C\r\n",
        "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
        "Connection: Upgrade\r\nUpgrade: HTTP/2.0\r\n",
        "Upgrade: websocket\r\n",
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        let passed = scene.ask(&client, &get(fields));
        assert!(
            passed.starts_with("GET / HTTP/1.1\r\n"),
            "{fields:?} is answered as HTTP: {passed}"
        );
        let told = names(&passed);
        assert!(
            !told
                .iter()
                .any(|name| ["upgrade", "connection", "http2-settings"].contains(&&**name)),
            "{passed}"
        );
        let heard = scene.answer(&client, AGREED);
        assert!(heard.starts_with("HTTP/1.1 502 "), "{heard}");
    }
    let mut scene = Scene::new();
    let client = scene.client();
    let passed = scene.ask(
        &client,
        &get("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n"),
    );
    assert_eq!(value(&passed, "Upgrade"), Some("websocket"));
    // HTTP/1.0 cannot ask for one, nor can a request with a body.
    for request in [
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
    ] {
        let mut scene = Scene::new();
        let client = scene.client();
        let passed = scene.ask(&client, request);
        assert_eq!(value(&passed, "Upgrade"), None, "{passed}");
    }
}
