//! Compression on the way.

use std::cell::RefCell;
use std::io::Read;
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use ropewalk_testing::StringTransport;
use ropewalk_web::{
    Body, BodySender, Bytes, Event, EventTopic, Gzip, Name, Request, Resource, Response, Router,
    StatusCode,
};

use crate::client;

fn ask(root: impl Resource, line: &str, accept: &str) -> (String, Vec<u8>) {
    let mut client = client(root);
    client.receive(format!(
        "{line} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {accept}\r\n\r\n"
    ));
    client.settle();
    split(&mut client)
}

/// Head and body, without chunks around it.
fn split(client: &mut StringTransport) -> (String, Vec<u8>) {
    let sent = client.take_sent();
    let end = sent
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let head = String::from_utf8(sent[..end].to_vec()).unwrap();
    let body = match head.contains("chunked") {
        true => dechunked(&sent[end..]),
        false => sent[end..].to_vec(),
    };
    (head, body)
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        all.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    all
}

/// What can be read of it; the end may be missing.
fn inflated(coded: &[u8]) -> String {
    let mut text = Vec::new();
    let _cut = MultiGzDecoder::new(coded).read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

fn text(length: usize) -> String {
    let lines = (0..).map(|line| format!("line {line}\n"));
    lines
        .scan(0, |sum, line| {
            *sum += line.len();
            (*sum <= length).then_some(line)
        })
        .collect()
}

fn router() -> impl Resource {
    let with = |name: Name, value: &'static str| {
        move |_: &Request| Response::text(text(5000)).with_header(name, value).unwrap()
    };
    let tagged = |_: &Request| {
        let response = Response::text(text(5000)).with_header(Name::Etag, "\"1\"");
        response.unwrap().with_header(Name::Vary, "Cookie").unwrap()
    };
    let unchanged = |_: &Request| {
        let response = Response::empty(StatusCode::NOT_MODIFIED).with_header(Name::Etag, "\"1\"");
        response.unwrap()
    };
    let kept = with(Name::CacheControl, "public, No-Transform");
    let coded = with(Name::ContentEncoding, "br");
    let part = with(Name::ContentRange, "bytes 0-4/9");
    let stream = |_: &Request| {
        let pieces = (0..10).map(|_| Ok::<_, std::io::Error>(Bytes::from(text(50_000))));
        Response::text(Body::stream(Pieces(pieces.collect::<Vec<_>>().into_iter())))
    };
    Gzip::new().wrap(
        Router::new()
            .get("/short", |_: &Request| text(1000))
            .get("/middle", |_: &Request| text(5000))
            .get("/long", |_: &Request| text(3_000_000))
            .get("/octets", |_: &Request| text(5000).into_bytes())
            .get("/tagged", tagged)
            .get("/unchanged", unchanged)
            .get("/kept", kept)
            .get("/coded", coded)
            .get("/part", part)
            .get("/stream", stream),
    )
}

struct Pieces(std::vec::IntoIter<Result<Bytes, std::io::Error>>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;
    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next())
    }
}

#[test]
fn r151_gzip_is_applied_if_it_is_offered_and_worth_it() {
    for (path, accept, is_coded) in [
        ("/middle", "gzip", true),
        ("/middle", "gzip;q=1.0, br", true),
        ("/middle", "br", false),
        ("/middle", "gzip;q=0", false),
        ("/short", "gzip", false),
        ("/octets", "gzip", false),
        ("/kept", "gzip", false),
        ("/part", "gzip", false),
        ("/stream", "gzip", true),
        ("/long", "gzip", true),
    ] {
        let (head, body) = ask(router(), &format!("GET {path}"), accept);
        assert_eq!(
            head.contains("Content-Encoding: gzip\r\n"),
            is_coded,
            "{path}: {head}"
        );
        let length = match path {
            "/short" => 1000,
            "/long" => 3_000_000,
            _ => 5000,
        };
        let wanted = if path == "/stream" {
            text(50_000).repeat(10)
        } else {
            text(length)
        };
        let got = if is_coded {
            inflated(&body)
        } else {
            String::from_utf8(body.clone()).unwrap()
        };
        assert!(got == wanted, "{path}: {} of {}", got.len(), wanted.len());
        assert!(!is_coded || body.len() < wanted.len() / 2);
    }
    let (head, _) = ask(router(), "GET /coded", "gzip");
    assert!(head.contains("Content-Encoding: br\r\n") && !head.contains("gzip"));
}

#[test]
fn caches_are_told_and_tags_become_weak() {
    let (head, _) = ask(router(), "GET /tagged", "gzip");
    assert!(
        head.contains("Vary: Cookie, Accept-Encoding\r\n") && head.contains("ETag: W/\"1\"\r\n"),
        "{head}"
    );
    let (head, _) = ask(router(), "GET /tagged", "br");
    assert!(
        head.contains("Vary: Cookie, Accept-Encoding\r\n") && !head.contains("W/"),
        "{head}"
    );
    for (asked, told) in [("W/\"1\"", "W/\"1\""), ("\"1\"", "\"1\"")] {
        let accept = format!("gzip\r\nIf-None-Match: {asked}");
        let (head, _) = ask(router(), "GET /unchanged", &accept);
        assert!(head.contains(&format!("ETag: {told}\r\n")), "{head}");
    }
    let (head, body) = ask(router(), "HEAD /tagged", "gzip");
    assert!(
        head.contains("Content-Encoding: gzip\r\n") && body.is_empty(),
        "{head}"
    );
}

#[test]
fn pieces_come_when_they_are_sent() {
    let kept = Rc::new(RefCell::new(None::<BodySender>));
    let place = Rc::clone(&kept);
    let router = Router::new().get("/", move |request: &Request| {
        request.respond_later(|responder| {
            *place.borrow_mut() = Some(responder.respond_in_pieces(Response::text(Body::empty())));
        })
    });
    let mut client = client(Gzip::new().wrap(router));
    client.receive("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    client.settle();
    let (head, mut body) = split(&mut client);
    assert!(head.contains("Content-Encoding: gzip\r\n"), "{head}");
    let mut wanted = String::new();
    for piece in ["one ", "two ", "three "] {
        kept.borrow_mut().as_mut().unwrap().push(piece).unwrap();
        client.settle();
        body.extend(dechunked(&client.take_sent()));
        wanted += piece;
        assert_eq!(inflated(&body), wanted);
    }
    kept.take().unwrap().finish();
    client.settle();
    let end = client.take_sent();
    assert!(end.ends_with(b"0\r\n\r\n"));
    body.extend(dechunked(&end[..end.len() - 5]));
    let mut text = String::new();
    MultiGzDecoder::new(&body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, wanted, "its end is there too");
}

#[test]
fn events_are_compressed_only_if_asked_for_and_come_at_once() {
    for (gzip, is_coded) in [
        (Gzip::new(), false),
        (Gzip::new().with_event_streams(), true),
    ] {
        let topic = EventTopic::new(&ropewalk_testing::Clock::new());
        let listen = topic.clone();
        let router = Router::new().get("/", move |request: &Request| listen.subscribe(request));
        let mut client = client(gzip.wrap(router));
        client.receive("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        client.settle();
        let (head, mut body) = split(&mut client);
        assert_eq!(
            head.contains("Content-Encoding: gzip\r\n"),
            is_coded,
            "{head}"
        );
        topic.publish(Event::new("tea").with_id("1").unwrap());
        client.settle();
        body.extend(dechunked(&client.take_sent()));
        let seen = if is_coded {
            inflated(&body)
        } else {
            String::from_utf8(body).unwrap()
        };
        assert_eq!(seen, "id: 1\ndata: tea\n\n");
    }
}
