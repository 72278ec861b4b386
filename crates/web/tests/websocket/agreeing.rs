//! What a server decides on before there is a WebSocket: who may have one, and what both agree on.

use ropewalk_core::{Deferred, Failure, Reactor};
use ropewalk_sim::SimDriver;
use ropewalk_testing::StringTransport;
use ropewalk_web::websocket::{
    Conversation, Deflate, ExtensionError, Opening, Refusal, WebSocketClient, WebSocketOptions,
    WebSocketServer,
};
use ropewalk_web::{Request, Response, Router, Site, StatusCode, StatusError};

use super::journal::{Echo, Journal, REQUEST, frame, request_with};

/// What a server says at first, of which nothing more is wanted.
fn greeter(text: String) -> Conversation {
    Conversation::new(|mut socket| async move {
        socket.send_text(text);
        socket.recv().await;
    })
}

/// The status, and what is behind the head.
fn ask(site: impl ropewalk_core::Factory, request: &str) -> (String, String) {
    let mut client = StringTransport::builder().factory(site);
    client.receive(request);
    client.settle();
    let answer = String::from_utf8_lossy(&client.take_sent()).into_owned();
    let (head, rest) = answer.split_once("\r\n\r\n").expect("a head came");
    (head.to_owned(), rest.to_owned())
}

fn request_for(path: &str) -> String {
    REQUEST.replace("/chat?room=1", path)
}

#[test]
fn r161_parameters_of_the_path_are_told() {
    let rooms = || {
        WebSocketServer::fallible(|opening| match opening.param("room")? {
            room @ 1..100_u32 => Ok(greeter(format!("room {room}"))),
            _ => Err(StatusError::new(StatusCode::GONE, "closed for good").into()),
        })
    };
    let site = || Site::new(Router::new().mount("/rooms/{room}", rooms()));
    let (head, greeting) = ask(site(), &request_for("/rooms/7"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert_eq!(greeting, "\u{fffd}\u{6}room 7");
    for (path, status) in [
        ("/rooms/100", "410 "),
        ("/rooms/x", "404 "),
        ("/rooms", "404 "),
    ] {
        let (head, _) = ask(site(), &request_for(path));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
    }
    let (head, _) = ask(rooms(), REQUEST);
    assert!(
        head.starts_with("HTTP/1.1 500 "),
        "no route, so no parameter: {head}"
    );
}

#[test]
fn r161_a_handler_may_find_out_first_who_asks() {
    async fn door(request: Request) -> Result<Response, Failure> {
        let room: String = request.param("room")?;
        let (looked_up, found) = Deferred::new(request.reactor());
        request.reactor().call_soon(move |_| {
            let _ = found.resolve(format!("the room of {room}"));
        });
        let title = looked_up.await?;
        let server = WebSocketServer::new(move |opening: &Opening<'_>| {
            assert!(opening.request().is_some());
            greeter(title.clone())
        });
        Ok(server.respond(&request))
    }
    let site = || Site::new(Router::new().get("/{room}", door));
    let (head, greeting) = ask(site(), &request_for("/ann"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(greeting.ends_with("the room of ann"), "{greeting}");
    let (head, _) = ask(site(), "GET /ann HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
}

#[cfg(feature = "cred")]
#[test]
fn r161_who_logged_in_is_told() {
    use ropewalk_core::Handle;
    use ropewalk_cred::{AvatarId, Portal, TokenChecker};
    use ropewalk_web::Guard;

    struct Reader(AvatarId);
    let site = || {
        let realm = |reactor: &Handle, id: AvatarId| Deferred::succeed(reactor, Reader(id));
        let portal =
            Portal::new(realm).with_checker(TokenChecker::new().with_token("s3cret", "ann"));
        let server = WebSocketServer::new(|opening| {
            let reader = opening.get::<Reader>().expect("a guard stands before it");
            greeter(reader.0.to_string())
        });
        Site::new(Guard::new(portal, server).with_bearer("the library"))
    };
    let (head, greeting) = ask(site(), &request_with("Authorization: Bearer s3cret\r\n"));
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(greeting.ends_with("ann"), "{greeting}");
    let (head, _) = ask(site(), REQUEST);
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(head.contains("\r\nWWW-Authenticate: Bearer "), "{head}");
}

#[test]
fn a_refusal_has_headers_of_its_own() {
    let refusing = || {
        WebSocketServer::<Echo>::fallible(|opening| {
            let refusal = match opening.query() {
                Some("room=1") => {
                    Refusal::new(401, "who?").with_header("WWW-Authenticate", "Bearer")
                }
                _ => Refusal::new(307, "").with_header("Location", "wss://b.example/"),
            };
            Err(refusal.expect("the headers are right"))
        })
    };
    for (request, status, field) in [
        (REQUEST, "401 ", "\r\nWWW-Authenticate: Bearer"),
        (&request_for("/x"), "307 ", "\r\nLocation: wss://b.example/"),
    ] {
        for (head, _) in [
            ask(refusing(), request),
            ask(Site::new(refusing()), request),
        ] {
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
            assert!(head.contains(field), "{head}");
        }
    }
    assert!(Refusal::new(400, "").with_header("X", "a\r\nY: b").is_err());
}

#[test]
fn the_application_chooses_the_subprotocol() {
    let server = |wanted: &'static str| {
        WebSocketServer::new(move |opening| {
            let is_offered = opening.choose_subprotocol(wanted);
            let offered: Vec<_> = opening.subprotocols().collect();
            greeter(format!("{is_offered} {offered:?}"))
        })
        .with_subprotocols(["a"])
    };
    let request = request_with("Sec-WebSocket-Protocol: a, b\r\n");
    for (wanted, chosen, heard) in [("b", "b", "true"), ("c", "a", "false")] {
        let (head, greeting) = ask(server(wanted), &request);
        let field = format!("\r\nSec-WebSocket-Protocol: {chosen}");
        assert!(head.contains(&field), "{head}");
        assert!(
            greeting.contains(&format!("{heard} [\"a\", \"b\"]")),
            "{greeting}"
        );
    }
}

/// A server that knows an extension of its own: it says messages that often.
fn repeating() -> WebSocketServer<Conversation> {
    let server = WebSocketServer::new(|opening| {
        let offered = opening.extensions().find(|offer| offer.name == "x-repeat");
        if let Some(times) = offered.and_then(|offer| offer.parameters().next()?.value) {
            let answer = format!("x-repeat; times={times}");
            opening.agree_to_extension(&answer).expect("it was offered");
            let twice = opening.agree_to_extension(&answer);
            assert_eq!(twice, Err(ExtensionError::Twice("x-repeat".into())));
        }
        let other = opening.agree_to_extension("x-other");
        assert_eq!(other, Err(ExtensionError::NotOffered("x-other".into())));
        let deflate = opening.agree_to_extension("permessage-deflate");
        assert_eq!(deflate, Err(ExtensionError::Compression));
        Conversation::new(|mut socket| async move {
            let times = socket.extensions().next().and_then(|agreed| {
                let times = agreed.parameters().next()?.value?;
                times.parse::<usize>().ok()
            });
            while let Some(message) = socket.recv().await {
                let text = message.as_text().unwrap_or_default();
                socket.send_text(text.repeat(times.unwrap_or(1)));
            }
        })
    });
    server.with_options(WebSocketOptions {
        deflate: Some(Deflate::new()),
        ..WebSocketOptions::default()
    })
}

#[test]
fn extensions_are_agreed_on_by_the_application_beside_compression() {
    let offer = "Sec-WebSocket-Extensions: x-none, x-repeat; times=3, permessage-deflate\r\n";
    let mut client = StringTransport::builder().factory(repeating());
    client.receive(request_with(offer));
    let answer = String::from_utf8(client.take_sent()).unwrap();
    let field = "\r\nSec-WebSocket-Extensions: x-repeat; times=3, permessage-deflate; server_no_context_takeover";
    assert!(answer.contains(field), "{answer}");
    client.receive(frame(0x81, b"ab"));
    client.settle();
    assert_eq!(client.take_sent(), b"\x81\x06ababab");
}

#[test]
fn a_client_offers_extensions_and_learns_what_was_agreed_to() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("tcp:10.0.0.1:80", repeating()).unwrap();
    let visit = async move |reactor: ropewalk_core::Handle| {
        let client = || WebSocketClient::new("ws://10.0.0.1/");
        for (offer, heard) in [("x-repeat; times=2", "abab"), ("x-unknown", "ab")] {
            let mut socket = client()?.with_extension(offer)?.talk(&reactor).await?;
            let agreed: Vec<String> = socket.extensions().map(|one| one.to_string()).collect();
            assert_eq!(
                agreed.first().is_some_and(|agreed| agreed == offer),
                heard == "abab"
            );
            socket.send_text("ab");
            let message = socket.recv().await.expect("it answers");
            assert_eq!(message.as_text(), Some(heard));
        }
        let plain = client()?.talk(&reactor).await?;
        assert_eq!(plain.extensions().count(), 0);
        Ok::<_, Failure>(())
    };
    reactor.run_main(visit).unwrap();
    let client = || WebSocketClient::new("ws://10.0.0.1/").unwrap();
    for wrong in ["", "a, b", "a\r\nX: y", "a; =1", "permessage-deflate"] {
        let error = client().with_extension(wrong).unwrap_err().to_string();
        assert!(
            error.contains("extension") || error.contains("deflate"),
            "{error}"
        );
    }
    let twice = client().with_extension("a").unwrap().with_extension("a; b");
    assert_eq!(twice.unwrap_err(), ExtensionError::Twice("a".into()));
}

#[test]
fn r161_who_asks_for_no_websocket_is_told_how() {
    let server = WebSocketServer::new(|_| Echo(Journal::default()));
    let (head, why) = ask(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(
        why.contains("Upgrade: websocket"),
        "it names the remedy: {why}"
    );
}

#[test]
fn r161_head_is_answered_without_a_body() {
    let server = || WebSocketServer::new(|_| Echo(Journal::default()));
    for (head, body) in [
        ask(server(), &REQUEST.replace("GET", "HEAD")),
        ask(Site::new(server()), &REQUEST.replace("GET", "HEAD")),
    ] {
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        assert_eq!(body, "");
    }
}
