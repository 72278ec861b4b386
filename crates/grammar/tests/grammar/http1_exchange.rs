//! What is sent, and how it fits what was received.

use ropewalk_grammar::http1::{
    AfterExchange, BodyLength, ClientExchange, Event, Method, Name, RequestDecoder,
    ResponseDecoder, SendError, ServerExchange, reason_phrase, send_chunk, send_last_chunk,
    send_request_head, send_response_head,
};

const NONE: [(Name, &str); 0] = [];

/// The exchange behind a request, of which everything in `data` has come.
fn asked(data: &str) -> ServerExchange {
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(data.as_bytes());
    let Some(Ok(Event::Head(head))) = input.next_event() else {
        panic!("{data:?}")
    };
    let mut exchange = ServerExchange::new(&head);
    while let Some(event) = input.next_event() {
        exchange.received(&event.unwrap());
    }
    exchange
}

/// What is answered to a request when the owner has two bytes, announced as `body`.
fn answered(request: &str, status: u16, body: BodyLength) -> (String, AfterExchange) {
    let mut exchange = asked(request);
    let mut out = Vec::new();
    exchange
        .send_head(status, "X", NONE, body, &mut out)
        .unwrap();
    if exchange.after() == AfterExchange::Busy && body != BodyLength::Empty {
        exchange.send_body(b"ok", &mut out).unwrap();
    }
    if exchange.after() == AfterExchange::Busy {
        exchange.send_end(&mut out).unwrap();
    }
    (String::from_utf8(out).unwrap(), exchange.after())
}

#[test]
fn r137_d14_a_response_fits_its_request() {
    use AfterExchange::{Close, Drain, Reuse, Switch};
    use BodyLength::{Chunked, Empty, Known, UntilClose};
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let head = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    let old = "GET / HTTP/1.0\r\n\r\n";
    let closing = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let connect = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let upload = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\npart";
    let waiting = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    for (request, status, body, expected, after) in [
        (
            get,
            200,
            Known(2),
            "200 X\r\nContent-Length: 2\r\n\r\nok",
            Reuse,
        ),
        (
            get,
            200,
            Chunked,
            "200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Reuse,
        ),
        (get, 200, Empty, "200 X\r\nContent-Length: 0\r\n\r\n", Reuse),
        (
            get,
            200,
            UntilClose,
            "200 X\r\nConnection: close\r\n\r\nok",
            Close,
        ),
        (get, 204, Known(2), "204 X\r\n\r\n", Reuse),
        (get, 304, Chunked, "304 X\r\n\r\n", Reuse),
        (
            head,
            200,
            Known(2),
            "200 X\r\nContent-Length: 2\r\n\r\n",
            Reuse,
        ),
        (head, 200, Chunked, "200 X\r\n\r\n", Reuse),
        (
            old,
            200,
            Known(2),
            "200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Close,
        ),
        (
            old,
            200,
            Chunked,
            "200 X\r\nConnection: close\r\n\r\nok",
            Close,
        ),
        (
            closing,
            200,
            Known(2),
            "200 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Close,
        ),
        (
            closing,
            200,
            Chunked,
            "200 X\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            Close,
        ),
        (connect, 200, Known(2), "200 X\r\n\r\n", Switch),
        (
            connect,
            403,
            Known(2),
            "403 X\r\nContent-Length: 2\r\n\r\nok",
            Reuse,
        ),
        (
            upload,
            200,
            Known(2),
            "200 X\r\nContent-Length: 2\r\n\r\nok",
            Drain,
        ),
        (
            waiting,
            413,
            Known(2),
            "413 X\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
            Close,
        ),
    ] {
        let expected = (format!("HTTP/1.1 {expected}"), after);
        assert_eq!(
            answered(request, status, body),
            expected,
            "{request:?} {status} {body:?}"
        );
    }
}

#[test]
fn r136_continue_is_sent_once_before_the_body() {
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let mut out = Vec::new();
    let mut exchange = asked(head);
    assert!(exchange.is_waiting());
    exchange.send_continue(&mut out);
    exchange.send_continue(&mut out);
    assert_eq!(out, b"HTTP/1.1 100 Continue\r\n\r\n");
    exchange
        .send_head(200, "OK", NONE, BodyLength::Empty, &mut out)
        .unwrap();
    assert!(exchange.is_persistent(), "it was told to send it");
    exchange.send_continue(&mut out);
    assert!(!out.ends_with(b"100 Continue\r\n\r\n"));

    for eager in [
        format!("{head}o"),
        format!("{head}ok"),
        head.replace("1.1", "1.0"),
    ] {
        let mut out = Vec::new();
        asked(&eager).send_continue(&mut out);
        assert_eq!(out, b"", "{eager:?}");
    }
}

#[test]
fn r169_a_body_is_as_long_as_its_head_says() {
    let mut out = Vec::new();
    let mut exchange = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(matches!(
        exchange.send_body(b"x", &mut out),
        Err(SendError::Order(_))
    ));
    assert!(matches!(
        exchange.send_end(&mut out),
        Err(SendError::Order(_))
    ));
    exchange
        .send_head(200, "OK", NONE, BodyLength::Known(5), &mut out)
        .unwrap();
    assert!(matches!(
        exchange.send_head(200, "OK", NONE, BodyLength::Known(5), &mut out),
        Err(SendError::Order(_))
    ));
    exchange.send_body(b"123", &mut out).unwrap();
    let before = out.clone();
    assert_eq!(exchange.send_end(&mut out), Err(SendError::Length));
    assert_eq!(exchange.send_body(b"456", &mut out), Err(SendError::Length));
    assert_eq!(out, before);
    assert_eq!(exchange.send_body_apart(2, &mut out), Ok(Some(&b""[..])));
    exchange.send_end(&mut out).unwrap();
    assert!(matches!(
        exchange.send_end(&mut out),
        Err(SendError::Order(_))
    ));
    assert!(matches!(
        exchange.send_body(b"x", &mut out),
        Err(SendError::Order(_))
    ));
    assert_eq!(out, before);
}

#[test]
fn pieces_sent_apart_are_framed() {
    let mut out = Vec::new();
    let mut exchange = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange
        .send_head(200, "", NONE, BodyLength::Chunked, &mut out)
        .unwrap();
    out.clear();
    assert_eq!(
        exchange.send_body_apart(0x1_0000_002a, &mut out),
        Ok(Some(&b"\r\n"[..]))
    );
    assert_eq!(out, b"10000002a\r\n");
    assert_eq!(exchange.send_body_apart(0, &mut out), Ok(Some(&b""[..])));
    exchange.send_trailers([("ETag", "x")], &mut out).unwrap();
    assert_eq!(out, b"10000002a\r\n0\r\nETag: x\r\n\r\n");
    let mut unseen = asked("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    unseen
        .send_head(200, "", NONE, BodyLength::Known(5), &mut out)
        .unwrap();
    assert_eq!(unseen.send_body_apart(5, &mut out), Ok(None));
}

#[test]
fn h1_14_ws_08_a_switch_is_agreed_to_once_the_request_is_whole() {
    let upgrade = "POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\n";
    let fields = [("Upgrade", "x")];
    let mut out = Vec::new();
    let early = asked(upgrade).send_switch(fields, &mut out);
    assert!(matches!(early, Err(SendError::Order(_))));
    let mut exchange = asked(&format!("{upgrade}ok"));
    assert!(matches!(
        exchange.send_switch(NONE, &mut out),
        Err(SendError::Order(_))
    ));
    assert_eq!(out, b"");
    exchange.send_switch(fields, &mut out).unwrap();
    assert_eq!(
        out,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    );
    assert_eq!(exchange.after(), AfterExchange::Switch);
    let unasked =
        asked("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n").send_switch(fields, &mut out);
    assert!(matches!(unasked, Err(SendError::Order(_))));
    assert_eq!(
        exchange.send_head(200, "OK", NONE, BodyLength::Empty, &mut out),
        Err(SendError::Order("a response has one head"))
    );
}

#[test]
fn interim_responses() {
    let mut out = Vec::new();
    let link = [("Link", "</style.css>; rel=preload")];
    let mut exchange = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange.send_interim(103, link, &mut out).unwrap();
    assert_eq!(
        out,
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    );
    for status in [100, 101, 200] {
        assert_eq!(
            exchange.send_interim(status, link, &mut out),
            Err(SendError::Status(status))
        );
    }
    assert_eq!(
        exchange.send_head(103, "", NONE, BodyLength::Empty, &mut out),
        Err(SendError::Status(103))
    );
    out.clear();
    asked("GET / HTTP/1.0\r\n\r\n")
        .send_interim(103, link, &mut out)
        .unwrap();
    assert_eq!(out, b"");
}

#[test]
fn h1_15_cl_02_r138_r171_nothing_is_injected() {
    let mut out = b"before".to_vec();
    let field_name = |name: &str| Err(SendError::FieldName(name.into()));
    let field_value = || Err(SendError::FieldValue("X".into()));
    for (name, value, expected) in [
        ("X", "a\r\nSet-Cookie: b", field_value()),
        ("X", "a\nb", field_value()),
        ("X", "a\rb", field_value()),
        ("X", "a\0b", field_value()),
        ("X", "a\x7f", field_value()),
        ("X", " a", field_value()),
        ("X", "a\t", field_value()),
        ("", "a", field_name("")),
        ("X:", "a", field_name("X:")),
        ("X ", "a", field_name("X ")),
        ("X\r\nY", "a", field_name("X\\r\\nY")),
        ("\u{e9}", "a", field_name("\\xc3\\xa9")),
        (
            "Content-Length",
            "5",
            Err(SendError::Reserved(Name::ContentLength)),
        ),
        (
            "transfer-encoding",
            "chunked",
            Err(SendError::Reserved(Name::TransferEncoding)),
        ),
    ] {
        let fields = [("Host", "a"), (name, value)];
        let body = BodyLength::Known(5);
        assert_eq!(
            send_response_head(200, "OK", fields, body, &mut out),
            expected,
            "{name:?}: {value:?}"
        );
        assert_eq!(
            send_request_head(Method::Get, "/", fields, body, &mut out),
            expected
        );
        let mut exchange = asked("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(
            exchange.send_head(200, "OK", fields, body, &mut out),
            expected
        );
        assert_eq!(exchange.after(), AfterExchange::Busy);
        exchange
            .send_head(500, "", NONE, BodyLength::Empty, &mut Vec::new())
            .expect("nothing has changed");
    }
    assert_eq!(
        send_last_chunk([("Host", "a")], &mut out),
        Err(SendError::Trailer(Name::Host))
    );
    assert_eq!(send_last_chunk([("X", "a\r\n")], &mut out), field_value());
    assert_eq!(out, b"before");
}

#[test]
fn h1_15_cl_02_r171_first_lines_are_one_line() {
    let mut out = b"before".to_vec();
    for reason in ["a\r\nb", "a\nb", "a\0"] {
        assert_eq!(
            send_response_head(200, reason, NONE, BodyLength::Empty, &mut out),
            Err(SendError::Reason)
        );
    }
    for status in [0, 99, 1000] {
        assert_eq!(
            send_response_head(status, "", NONE, BodyLength::Empty, &mut out),
            Err(SendError::Status(status))
        );
    }
    let host = [("Host", "a")];
    for method in ["", "GET ", "G T", "GET / HTTP/1.1\r\n", "G\u{e9}T"] {
        let sent = send_request_head(
            Method::Other(method),
            "/",
            host,
            BodyLength::Empty,
            &mut out,
        );
        assert_eq!(sent, Err(SendError::Method), "{method:?}");
    }
    for target in [
        "",
        "/a b",
        "/a\r\nX: y",
        "/\n",
        "/\0",
        "/\t",
        "/#a",
        "/\u{e9}",
        "a",
        "*",
        "http://u@a/",
    ] {
        let sent = send_request_head(Method::Get, target, host, BodyLength::Empty, &mut out);
        assert_eq!(sent, Err(SendError::Target), "{target:?}");
    }
    let sent = send_request_head(
        Method::Other("CONNECT"),
        "/",
        host,
        BodyLength::Empty,
        &mut out,
    );
    assert_eq!(sent, Err(SendError::Target), "a method is what it says");
    for hosts in [
        vec![],
        vec![("Host", "a"), ("host", "a")],
        vec![("Host", "a b")],
    ] {
        let sent = send_request_head(Method::Get, "/", hosts, BodyLength::Empty, &mut out);
        assert_eq!(sent, Err(SendError::Host));
    }
    assert_eq!(out, b"before");
}

#[test]
fn cl_03_every_body_is_framed() {
    let host = [("Host", "a")];
    let sent = |method, body| {
        let mut out = Vec::new();
        send_request_head(method, "/", host, body, &mut out)
            .map(|()| String::from_utf8(out).unwrap())
    };
    let head =
        |method: &str, rest: &str| Ok(format!("{method} / HTTP/1.1\r\nHost: a\r\n{rest}\r\n"));
    use BodyLength::{Chunked, Empty, Known, UntilClose};
    assert_eq!(sent(Method::Get, Empty), head("GET", ""));
    assert_eq!(
        sent(Method::Get, Known(3)),
        head("GET", "Content-Length: 3\r\n")
    );
    assert_eq!(
        sent(Method::Get, Chunked),
        head("GET", "Transfer-Encoding: chunked\r\n")
    );
    assert_eq!(
        sent(Method::Post, Empty),
        head("POST", "Content-Length: 0\r\n")
    );
    assert_eq!(
        sent(Method::Put, Known(u64::MAX)),
        head("PUT", "Content-Length: 18446744073709551615\r\n")
    );
    assert_eq!(sent(Method::Get, UntilClose), Err(SendError::Length));
    let mut out = Vec::new();
    send_chunk(b"", &mut out);
    assert_eq!(out, b"", "an empty chunk would end the body");
}

#[test]
fn a_client_knows_what_comes_after() {
    let run = |method, response: &str, eof: bool| {
        let (mut decoder, mut out) = (ResponseDecoder::new(), Vec::new());
        let mut exchange = ClientExchange::new(method);
        let target = if method == Method::Connect {
            "a:1"
        } else {
            "/"
        };
        let fields = [("Host", "a"), ("Upgrade", "x")];
        exchange
            .send_head(target, fields, BodyLength::Empty, &mut decoder, &mut out)
            .unwrap();
        exchange.send_end(&mut out).unwrap();
        let mut input = decoder.receive(response.as_bytes());
        while let Some(event) = input.next_event() {
            exchange.received(&event.unwrap());
        }
        drop(input);
        if eof && let Some(event) = decoder.receive_eof().next_event() {
            exchange.received(&event.unwrap());
        }
        (exchange.after(), decoder.take_rest())
    };
    use AfterExchange::{Busy, Close, Reuse, Switch};
    for (method, response, eof, after, rest) in [
        (Method::Get, "HTTP/1.1 204 X\r\n\r\n", false, Reuse, ""),
        (Method::Get, "HTTP/1.1 103 X\r\n\r\n", false, Busy, ""),
        (Method::Get, "HTTP/1.1 200 X\r\n\r\nbody", false, Busy, ""),
        (Method::Get, "HTTP/1.1 200 X\r\n\r\nbody", true, Close, ""),
        (Method::Get, "HTTP/1.0 204 X\r\n\r\n", false, Close, ""),
        (
            Method::Get,
            "HTTP/1.1 204 X\r\nConnection: close\r\n\r\nmore",
            false,
            Close,
            "",
        ),
        (
            Method::Get,
            "HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nmore",
            false,
            Switch,
            "more",
        ),
        (
            Method::Connect,
            "HTTP/1.1 200 X\r\n\r\nmore",
            false,
            Switch,
            "more",
        ),
        (
            Method::Connect,
            "HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n",
            false,
            Reuse,
            "",
        ),
    ] {
        assert_eq!(
            run(method, response, eof),
            (after, rest.into()),
            "{response:?}"
        );
    }
}

#[test]
fn a_client_that_expects_continue_waits_for_it() {
    let run = |response: &str| {
        let (mut decoder, mut out) = (ResponseDecoder::new(), Vec::new());
        let mut exchange = ClientExchange::new(Method::Put);
        let fields = [("Host", "a"), ("Expect", "100-continue")];
        exchange
            .send_head("/", fields, BodyLength::Known(2), &mut decoder, &mut out)
            .unwrap();
        assert!(exchange.is_waiting());
        let mut input = decoder.receive(response.as_bytes());
        while let Some(event) = input.next_event() {
            exchange.received(&event.unwrap());
        }
        (exchange.is_waiting(), exchange.after())
    };
    assert_eq!(run("HTTP/1.1 103 X\r\n\r\n"), (true, AfterExchange::Busy));
    assert_eq!(run("HTTP/1.1 100 X\r\n\r\n"), (false, AfterExchange::Busy));
    // Answered without its body: what the server makes of further bytes is not known.
    assert_eq!(run("HTTP/1.1 204 X\r\n\r\n"), (false, AfterExchange::Close));
}

#[test]
fn reasons() {
    assert_eq!(
        (reason_phrase(100), reason_phrase(200), reason_phrase(511)),
        ("Continue", "OK", "Network Authentication Required")
    );
    assert_eq!(
        (reason_phrase(99), reason_phrase(418), reason_phrase(999)),
        ("", "", "")
    );
}
