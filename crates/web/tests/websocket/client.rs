//! The client, rule by rule.

use std::time::Duration;

use ropewalk_core::{Protocol, Transport};
use ropewalk_testing::{TestCase, World, run_test};
use ropewalk_web::AgentProblem;
use ropewalk_web::websocket::{
    CloseCode, Deflate, WebSocketClient, WebSocketConnectError, WebSocketOptions, WebSocketServer,
    connect,
};

use super::journal::{Echo, Journal};

/// Answers any request with these bytes.
struct Answers(&'static str);

impl Protocol for Answers {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if data.ends_with(b"\r\n\r\n") {
            transport.write(self.0);
        }
    }
}

fn refused_with(answer: &'static str) -> WebSocketConnectError {
    let mut result = None;
    run_world(|world| {
        let port = world
            .reactor("server")
            .listen("tcp:10.0.0.1:80", move || Answers(answer))
            .unwrap();
        let opened = connect(
            world.reactor("client"),
            "ws://10.0.0.1/",
            Echo(Journal::default()),
        );
        let failure = world.wait_for(opened).expect_err("it is refused");
        result = Some(failure.downcast().expect("it is our error"));
        port.stop_listening();
    });
    result.expect("the world ran")
}

fn run_world(test: impl FnMut(&mut World)) {
    let test = std::cell::RefCell::new(test);
    run_test(TestCase::new("client"), |world: &mut World| {
        (test.borrow_mut())(world);
    });
}

#[test]
fn r166_a_refusal_has_its_status_headers_and_body() {
    let answer =
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 7\r\n\r\nno way\n";
    match refused_with(answer) {
        WebSocketConnectError::Refused(refused) => {
            assert_eq!(refused.status, 401);
            assert_eq!(refused.field("www-authenticate"), Some(&b"Basic"[..]));
            assert_eq!(refused.body, b"no way\n");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn r166_a_wrong_answer_is_an_error_that_says_what() {
    let no_key = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: AAAA\r\n\r\n";
    assert!(matches!(
        refused_with(no_key),
        WebSocketConnectError::Answer(_)
    ));
    let problem = |answer| match refused_with(answer) {
        WebSocketConnectError::Request(error) => error,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        problem("SSH-2.0-x\r\n").problem(),
        AgentProblem::Malformed(_)
    ));
    assert!(problem("").is_timeout());
}

#[test]
fn r166_connecting_gives_the_handle_after_the_101() {
    run_world(|world| {
        let (theirs, ours) = (Journal::default(), Journal::default());
        let kept = theirs.clone();
        let server = WebSocketServer::new(move |opening| {
            kept.note(format!(
                "{} {:?}",
                opening.path(),
                opening.head().value("x-who").map(<[u8]>::to_vec)
            ));
            Echo(kept.clone())
        });
        let options = WebSocketOptions {
            deflate: Some(Deflate::new()),
            ..WebSocketOptions::default()
        };
        let server = server
            .with_options(options.clone())
            .with_subprotocols(["b"]);
        let port = world
            .reactor("server")
            .listen("tcp:10.0.0.1:80", server)
            .unwrap();
        let client = WebSocketClient::new("ws://10.0.0.1/chat").unwrap();
        let client = client
            .with_options(options)
            .with_header("X-Who", "me")
            .unwrap();
        let client = client
            .with_subprotocol("a")
            .unwrap()
            .with_subprotocol("b")
            .unwrap();
        let opened = client.connect(world.reactor("client"), Echo(ours.clone()));
        let socket = world.wait_for(opened).unwrap();
        assert_eq!(
            (socket.subprotocol(), socket.is_compressed()),
            (Some("b"), true)
        );
        assert_eq!(theirs.take(), ["/chat Some([109, 101])", "opened"]);
        assert_eq!(ours.take(), ["opened"]);
        socket.close(CloseCode::of(4001).unwrap(), "enough");
        world.wait_until(|| ours.lines().len() == 2 && theirs.lines().len() == 2);
        assert_eq!(theirs.take(), ["close Some(4001)", "lost 4001 true"]);
        assert_eq!(ours.take(), ["close Some(4001)", "lost 4001 true"]);
        port.stop_listening();
    });
}

#[test]
fn ws_05_headers_cannot_carry_line_breaks() {
    let client = || WebSocketClient::new("ws://a/").unwrap();
    assert!(client().with_header("X", "a\r\nY: b").is_err());
    assert!(client().with_header("X: y", "a").is_err());
    assert!(client().with_bearer_auth("a\r\nY: b").is_err());
    assert!(client().with_subprotocol("a\r\nb").is_err());
    for url in [
        "ws://a/\r\nX: y",
        "ws://a/#b",
        "ftp://a/",
        "localhost:80",
        "",
    ] {
        assert!(WebSocketClient::new(url).is_err(), "{url}");
    }
    for name in ["upgrade", "Sec-WebSocket-Key", "sec-websocket-protocol"] {
        let error = client().with_header(name, "a").unwrap_err().to_string();
        assert!(error.contains("made by the handshake"), "{error}");
    }
}

#[test]
fn no_password_is_shown() {
    let client = WebSocketClient::new("ws://ann:tea@a/").unwrap();
    let client = client.with_header("Cookie", "secret").unwrap();
    let fragment = WebSocketClient::new("ws://ann:tea@a/#b").unwrap_err();
    for shown in [format!("{client:?}"), fragment.to_string()] {
        assert!(shown.contains("//ann:***@a/"), "{shown}");
        assert!(
            !shown.contains("tea") && !shown.contains("secret"),
            "{shown}"
        );
    }
}

#[test]
fn a_service_reconnects() {
    run_world(|world| {
        let ours = Journal::default();
        let server = WebSocketServer::new(|_| Echo(Journal::default()));
        let port = world
            .reactor("server")
            .listen("tcp:10.0.0.1:80", server)
            .unwrap();
        let client = WebSocketClient::new("ws://10.0.0.1/").unwrap();
        let kept = ours.clone();
        let service = client.service(world.reactor("client"), move || Echo(kept.clone()));
        service.start_service();
        world.wait_until(|| ours.lines() == ["opened"]);
        world.reset("server", "client");
        world.wait_until(|| ours.lines() == ["opened", "lost 1006 false", "opened"]);
        let stopped = service.stop_service();
        world.wait_for(stopped).unwrap();
        world.run_for(Duration::from_secs(15));
        port.stop_listening();
    });
}
