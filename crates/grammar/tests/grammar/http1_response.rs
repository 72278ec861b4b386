//! The rules of responses, as tables (CL-04: the rules of requests hold for them too).

use ropewalk_grammar::http1::{BodyLength, Event, Limits, Method, ResponseDecoder, Rule};

use crate::http1_law::{Told, hear_responses};
use crate::law::Plan;

/// All that is told of `data` in answer to requests of `method`, the first of which asks for another protocol.
fn told(method: Method<'_>, data: &[u8]) -> Vec<Told> {
    let decoder = ResponseDecoder::new();
    let whole = hear_responses(&decoder, &[method], data, &Plan::whole());
    let bytes = Plan {
        sizes: vec![1],
        pause_after: 0,
    };
    let split = hear_responses(&decoder, &[method], data, &bytes);
    assert_eq!(split, whole, "{}", data.escape_ascii());
    whole
}

#[track_caller]
fn refused(cases: &[(&str, Rule, u64)]) {
    for (data, rule, offset) in cases {
        let heard = told(Method::Get, data.as_bytes());
        let Some(Told::Broken(error)) = heard.last() else {
            panic!("{data:?} passed: {heard:?}")
        };
        assert_eq!((error.rule(), error.offset()), (*rule, *offset), "{data:?}");
    }
}

/// What is heard of the first response: its body's announcement, its body, whether the connection may be used again.
fn first(method: Method<'_>, data: &str) -> (BodyLength, String, bool) {
    let mut decoder = ResponseDecoder::new();
    decoder.expect(method, false);
    let mut input = decoder.receive(data.as_bytes());
    let (announced, persistent) = loop {
        match input.next_event() {
            Some(Ok(Event::Head(head))) if !head.is_interim() => {
                break (head.body(), head.is_persistent());
            }
            Some(Ok(Event::Head(_))) => {}
            other => panic!("{data:?}: {other:?}"),
        }
    };
    let mut body = Vec::new();
    let mut whole = false;
    while let Some(event) = input.next_event() {
        match event.unwrap_or_else(|error| panic!("{data:?}: {error}")) {
            Event::Body(more) => body.extend_from_slice(more),
            Event::End => {
                whole = true;
                break;
            }
            other => panic!("{data:?}: {other:?}"),
        }
    }
    drop(input);
    if !whole {
        assert_eq!(announced, BodyLength::UntilClose, "{data:?}");
        assert!(
            matches!(decoder.receive_eof().next_event(), Some(Ok(Event::End))),
            "R167"
        );
    }
    assert!(decoder.receive_eof().next_event().is_none());
    (announced, String::from_utf8(body).unwrap(), persistent)
}

/// A method, what is answered to it, the announced body, the body, and whether the connection may be used again.
type Row = (
    Method<'static>,
    &'static str,
    BodyLength,
    &'static str,
    bool,
);

const BODIES: &[Row] = &[
    (
        Method::Get,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        BodyLength::Known(0),
        "",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        BodyLength::Chunked,
        "ok",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 200 OK\r\n\r\nall of it",
        BodyLength::UntilClose,
        "all of it",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.0 200 OK\r\n\r\n",
        BodyLength::UntilClose,
        "",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        false,
    ),
    (
        Method::Head,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Head,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Head,
        "HTTP/1.1 200 OK\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 204 No Content\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Get,
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n",
        BodyLength::Empty,
        "",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        BodyLength::Empty,
        "",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
        BodyLength::Empty,
        "",
        true,
    ),
    (
        Method::Connect,
        "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        true,
    ),
    (
        Method::Connect,
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        BodyLength::Empty,
        "",
        false,
    ),
    (
        Method::Get,
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        BodyLength::Known(2),
        "ok",
        true,
    ),
];

#[test]
fn r167_where_bodies_end() {
    for &(method, data, announced, body, persistent) in BODIES {
        assert_eq!(
            first(method, data),
            (announced, body.to_owned(), persistent),
            "{data:?}"
        );
    }
}

#[test]
fn status_lines() {
    for (line, status, reason) in [
        ("HTTP/1.1 200 OK", 200, "OK"),
        ("HTTP/1.1 200 ", 200, ""),
        ("HTTP/1.1 200", 200, ""),
        ("HTTP/1.1 999  two\twords ", 999, " two\twords "),
        (
            "HTTP/1.0 404 Nicht gefunden \u{fc}",
            404,
            "Nicht gefunden \u{fc}",
        ),
    ] {
        let data = format!("{line}\r\nContent-Length: 0\r\n\r\n");
        let mut decoder = ResponseDecoder::new();
        decoder.expect(Method::Get, false);
        let mut input = decoder.receive(data.as_bytes());
        let Some(Ok(Event::Head(head))) = input.next_event() else {
            panic!("{line}")
        };
        assert_eq!(
            (head.status(), head.reason()),
            (status, reason.as_bytes()),
            "{line}"
        );
        assert_eq!(head.content_length(), Some(0));
    }
    refused(&[
        ("HTTP/1.1 099 OK\r\n", Rule::Status, 9),
        ("HTTP/1.1 20 OK\r\n", Rule::Status, 11),
        ("HTTP/1.1 2000 OK\r\n", Rule::Status, 12),
        ("HTTP/1.1 +20 OK\r\n", Rule::Status, 9),
        ("HTTP/1.1  200 OK\r\n", Rule::Status, 9),
        ("HTTP/1.1\t200 OK\r\n", Rule::Status, 8),
        ("HTTP/1.1 200\tOK\r\n", Rule::Status, 12),
        ("HTTP/1.1\r\n", Rule::Status, 8),
        ("HTTP/2 200\r\n", Rule::VersionText, 6),
        ("HTTP/1.2 200 OK\r\n", Rule::Version, 0),
        ("http/1.1 200 OK\r\n", Rule::VersionText, 0),
        ("ICY 200 OK\r\n", Rule::VersionText, 0),
        (" HTTP/1.1 200 OK\r\n", Rule::VersionText, 0),
        ("\r\nHTTP/1.1 200 OK\r\n", Rule::VersionText, 0),
        ("HTTP/1.1 200 O\0K\r\n", Rule::Reason, 14),
        ("HTTP/1.1 200 OK\n", Rule::BareLf, 15),
        ("HTTP/1.1 200\n", Rule::BareLf, 12),
        ("HTTP/1.1 200 OK\rX", Rule::BareCr, 16),
    ]);
}

#[test]
fn cl_04_the_rules_of_requests_hold() {
    let ok = "HTTP/1.1 200 OK\r\n";
    for (fields, rule, offset) in [
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            Rule::ContentLengthRepeated,
            36,
        ),
        ("Content-Length: 5, 5\r\n\r\n", Rule::ContentLength, 17),
        ("Content-Length: +5\r\n\r\n", Rule::ContentLength, 17),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            Rule::LengthAndChunked,
            0,
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n\r\n",
            Rule::TransferEncoding,
            17,
        ),
        (
            "Transfer-Encoding: identity\r\n\r\n",
            Rule::TransferEncoding,
            17,
        ),
        ("A : b\r\n\r\n", Rule::SpaceBeforeColon, 18),
        ("A: b\r\n c\r\n\r\n", Rule::Folding, 23),
        ("A: b\n\r\n", Rule::BareLf, 21),
        ("A: \0\r\n\r\n", Rule::FieldValue, 20),
        (
            "Transfer-Encoding: chunked\r\n\r\n-5\r\n",
            Rule::ChunkSize,
            47,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
            Rule::ChunkEnd,
            55,
        ),
        (
            "Transfer-Encoding: chunked\r\n\r\n0\r\nSet-Cookie: a\r\n\r\n",
            Rule::TrailerField,
            50,
        ),
    ] {
        refused(&[(&format!("{ok}{fields}"), rule, offset)]);
    }
    refused(&[
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Rule::ChunkedInHttp10,
            0,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            Rule::Truncated,
            41,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            Rule::Truncated,
            57,
        ),
        ("HTTP/1.1 2", Rule::Truncated, 10),
        ("", Rule::Truncated, 0),
    ]);
}

#[test]
fn cl_04_limits() {
    let head = |length: usize| {
        format!(
            "HTTP/1.1 204 No Content\r\nX:{}\r\n\r\n",
            "x".repeat(length - 31)
        )
    };
    assert!(first(Method::Get, &head(32 * 1024)).2);
    refused(&[(&head(32 * 1024 + 1), Rule::HeadTooLarge, 32 * 1024)]);
    let line = format!("HTTP/1.1 200 {}", "x".repeat(9000));
    refused(&[(&line, Rule::LineTooLong, 8192)]);
    let fields =
        |count: usize| format!("HTTP/1.1 204 No Content\r\n{}\r\n", "X:\r\n".repeat(count));
    assert!(first(Method::Get, &fields(Limits::RESPONSE.fields)).2);
    refused(&[(&fields(501), Rule::TooManyFields, 25 + 2000)]);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    first(Method::Get, &format!("{}{}", interim.repeat(32), head(100)));
    refused(&[(&interim.repeat(33), Rule::TooManyInterim, 28 * 32)]);
}

#[test]
fn nothing_comes_unasked() {
    let response = b"HTTP/1.1 204 No Content\r\n\r\n";
    let mut decoder = ResponseDecoder::new();
    decoder.expect(Method::Get, false);
    let mut input = decoder.receive(&response[..]);
    while let Some(event) = input.next_event() {
        event.unwrap();
    }
    drop(input);
    assert!(decoder.is_idle());
    let error = decoder.receive(b"H").next_event().unwrap().unwrap_err();
    assert_eq!(
        (error.rule(), error.offset()),
        (Rule::Unsolicited, response.len() as u64)
    );

    // A connection that ends while idle is no error.
    let mut decoder = ResponseDecoder::new();
    assert!(decoder.receive_eof().next_event().is_none());
}

#[test]
fn ws_05_a_protocol_is_switched_only_if_asked_for() {
    let switch =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    let mut decoder = ResponseDecoder::new();
    decoder.expect(Method::Get, true);
    let data = [switch.as_bytes(), b"\x81\x00"].concat();
    let mut input = decoder.receive(&data);
    let Some(Ok(Event::Head(head))) = input.next_event() else {
        panic!("a head is there")
    };
    assert!(head.is_switch() && !head.is_interim());
    assert!(matches!(input.next_event(), Some(Ok(Event::End))));
    assert!(input.next_event().is_none());
    assert_eq!(input.take_rest(), b"\x81\x00");

    let mut decoder = ResponseDecoder::new();
    decoder.expect(Method::Get, false);
    let error = decoder
        .receive(switch.as_bytes())
        .next_event()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.rule(), Rule::UnaskedSwitch);
    refused(&[(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        Rule::UnaskedSwitch,
        0,
    )]);
}

#[test]
#[should_panic(expected = "a response is awaited already")]
fn two_requests_at_once_are_a_mistake() {
    let mut decoder = ResponseDecoder::new();
    decoder.expect(Method::Get, false);
    decoder.expect(Method::Get, false);
}
