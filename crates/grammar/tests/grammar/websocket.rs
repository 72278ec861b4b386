//! WebSocket, rule by rule.

use ropewalk_grammar::http1::{
    Event as Http, Limits, Method, Name, RequestDecoder, ResponseDecoder,
};
use ropewalk_grammar::websocket::{
    AnswerRule, ClientHandshake, Close, CloseCode, Decoder, Encoder, Event, ExtensionError,
    HandshakeRule, Kind, Role, Rule, SendError, ServerHandshake,
};

use super::law::Plan;
use super::websocket_law::{Told, hear};

fn server() -> Decoder {
    Decoder::new(Role::Server)
}

/// A masked frame, whose key is zero so that it can be read.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(payload);
    frame
}

fn told(decoder: Decoder, data: &[u8]) -> Vec<Told> {
    hear(decoder, data, &Plan::whole())
}

fn broken(data: &[u8]) -> (Rule, u16, u64) {
    match told(server(), data).last() {
        Some(Told::Broken(error)) => (error.rule(), error.close_code().number(), error.offset()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r162_messages_are_told_apart_whatever_the_fragments() {
    let data = [
        frame(0x01, b"Hel"),
        frame(0x89, b"are you there?"),
        frame(0x00, b""),
        frame(0x80, b"lo"),
        frame(0x82, b"\x00\xff"),
        frame(0x8a, b"yes"),
    ]
    .concat();
    let expected = [
        Told::Ping(b"are you there?".to_vec()),
        Told::Text("Hello".to_owned()),
        Told::Binary(b"\x00\xff".to_vec()),
        Told::Pong(b"yes".to_vec()),
    ];
    for size in [1, 2, 3, 5, 1000] {
        let plan = Plan {
            sizes: vec![size],
            pause_after: 0,
        };
        assert_eq!(hear(server(), &data, &plan), expected, "by {size}");
    }
}

#[test]
fn r165_ws_09_every_broken_rule_has_its_close_code() {
    let far = frame(0x81, b"before");
    let cases: &[(Vec<u8>, Rule, u16)] = &[
        (vec![0x81, 0x05], Rule::Unmasked, 1002),
        (frame(0xc1, b""), Rule::ReservedBits, 1002),
        (frame(0xa1, b""), Rule::ReservedBits, 1002),
        (frame(0x91, b""), Rule::ReservedBits, 1002),
        (frame(0x83, b""), Rule::Opcode, 1002),
        (frame(0x8f, b""), Rule::Opcode, 1002),
        (frame(0x09, b""), Rule::FragmentedControl, 1002),
        (frame(0x89, &[0; 126]), Rule::ControlTooLong, 1002),
        (frame(0x80, b""), Rule::StrayContinuation, 1002),
        (
            [frame(0x01, b""), frame(0x81, b"")].concat(),
            Rule::MessageInMessage,
            1002,
        ),
        (
            vec![0x82, 0xfe, 0, 125, 0, 0, 0, 0],
            Rule::LengthNotMinimal,
            1002,
        ),
        (
            vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            Rule::LengthNotMinimal,
            1002,
        ),
        (
            vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0],
            Rule::LengthTooLarge,
            1002,
        ),
        (
            vec![
                0x82, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0,
            ],
            Rule::MessageTooBig,
            1009,
        ),
        (frame(0x81, b"\xff"), Rule::Utf8, 1007),
        (frame(0x81, b"\xe6\xbc"), Rule::Utf8, 1007),
        (frame(0x88, b"\x03"), Rule::CloseLength, 1002),
        (frame(0x88, b"\x03\xed"), Rule::CloseCode, 1002),
        (frame(0x88, b"\x03\xe8\xff"), Rule::CloseReason, 1007),
    ];
    for (data, rule, code) in cases {
        assert_eq!(broken(data).0, *rule);
        let offset = if *rule == Rule::MessageInMessage {
            6
        } else {
            0
        };
        assert_eq!(broken(data), (*rule, *code, offset));
        let (found, _, at) = broken(&[&far[..], data].concat());
        assert_eq!((found, at), (*rule, far.len() as u64 + offset));
    }
    let masked = told(Decoder::new(Role::Client), &frame(0x81, b""));
    assert!(matches!(masked[..], [Told::Broken(error)] if error.rule() == Rule::Masked));
    let listed: Vec<Rule> = cases.iter().map(|case| case.1).collect();
    for rule in Rule::ALL {
        let elsewhere = [Rule::Masked, Rule::Compression];
        assert!(
            listed.contains(rule) || elsewhere.contains(rule),
            "{rule:?} has no case"
        );
        assert!(rule.message().len() <= CloseCode::REASON_BYTES);
    }
}

#[test]
fn ws_09_bad_utf8_is_told_at_its_first_bad_byte() {
    // U+110000 is refused at its second byte, in whichever fragment that is.
    let whole = frame(0x01, b"\xce\xba\xe1\xbd\xb9\xf4\x90");
    for cut in 0..=whole.len() {
        let mut decoder = server();
        let (first, rest) = whole.split_at(cut);
        let mut all = Vec::new();
        for part in [first, rest] {
            let mut part = part.to_vec();
            let mut input = decoder.receive(&mut part);
            all.extend(
                input
                    .next_event()
                    .map(|event| event.map(|_| ()).map_err(|error| error.rule())),
            );
        }
        assert_eq!(all, [Err(Rule::Utf8)], "cut at {cut}");
    }
    let unfinished = [
        frame(0x01, b"\xf4"),
        frame(0x89, b""),
        frame(0x80, b"\x90\x80\x80"),
    ]
    .concat();
    assert!(matches!(
        told(server(), &unfinished)[..],
        [Told::Ping(_), Told::Broken(_)]
    ));
}

#[test]
fn ws_09_codes_of_close_frames() {
    for number in 0..=u16::MAX {
        let may_be_sent = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::of(number).is_some(), may_be_sent, "{number}");
    }
    assert_eq!(
        told(server(), &frame(0x88, b"")),
        [Told::Close(None, String::new())]
    );
    assert_eq!(
        told(server(), &frame(0x88, b"\x0f\xa0enough")),
        [Told::Close(CloseCode::of(4000), "enough".to_owned())]
    );
}

#[test]
fn ws_08_one_error_then_nothing() {
    let mut decoder = server().with_limit_bytes(10);
    let mut data = [frame(0x82, &[0; 11]), frame(0x82, &[0; 1])].concat();
    let mut input = decoder.receive(&mut data);
    assert!(input.next_event().expect("it is too long").is_err());
    assert!(input.next_event().is_none());
    drop(input);
    assert!(
        decoder
            .receive(&mut frame(0x82, b""))
            .next_event()
            .is_none()
    );
}

#[test]
fn the_limit_counts_all_fragments() {
    let data = [frame(0x02, &[0; 6]), frame(0x00, &[0; 4]), frame(0x80, b"")].concat();
    assert_eq!(
        told(server().with_limit_bytes(10), &data),
        [Told::Binary(vec![0; 10])]
    );
    let error = told(server().with_limit_bytes(9), &data);
    assert!(matches!(error[..], [Told::Broken(error)] if error.rule() == Rule::MessageTooBig));
}

#[test]
fn an_assembled_message_can_be_taken_without_a_copy() {
    let mut decoder = server();
    let mut data = [frame(0x01, b"Hel"), frame(0x80, b"lo"), frame(0x81, b"x")].concat();
    let mut input = decoder.receive(&mut data);
    assert_eq!(input.next_event(), Some(Ok(Event::Text("Hello"))));
    let taken = input.take_assembled();
    assert_eq!(
        taken,
        Some(ropewalk_grammar::websocket::Assembled::Text(
            "Hello".to_owned()
        ))
    );
    assert_eq!(input.next_event(), Some(Ok(Event::Text("x"))));
    assert_eq!(
        input.take_assembled(),
        None,
        "this one is lent from the data"
    );
}

#[test]
fn what_is_sent_keeps_to_the_rules() {
    let (mut encoder, mut out) = (Encoder::server(), Vec::new());
    assert_eq!(
        encoder.send_fragment(b"", true, &mut out),
        Err(SendError::NoMessage)
    );
    assert_eq!(
        encoder.send(Event::Ping(&[0; 126]), &mut out),
        Err(SendError::ControlTooLong)
    );
    let code = Some(CloseCode::NORMAL);
    let long = "x".repeat(124);
    let close = Event::Close(Close {
        code,
        reason: &long,
    });
    assert_eq!(
        encoder.send(close, &mut out),
        Err(SendError::ControlTooLong)
    );
    let close = Event::Close(Close {
        code: None,
        reason: "why",
    });
    assert_eq!(
        encoder.send(close, &mut out),
        Err(SendError::ReasonWithoutCode)
    );
    encoder.begin(Kind::Text, b"", &mut out).unwrap();
    assert_eq!(
        encoder.send(Event::Text(""), &mut out),
        Err(SendError::InMessage)
    );
    let close = Event::Close(Close {
        code,
        reason: "done",
    });
    encoder.send(close, &mut out).unwrap();
    assert!(encoder.is_closed());
    assert_eq!(encoder.send(close, &mut out), Err(SendError::Closed));
    assert_eq!(
        encoder.send_fragment(b"", true, &mut out),
        Err(SendError::Closed)
    );
    assert_eq!(out, b"\x01\x00\x88\x06\x03\xe8done");
}

#[test]
fn lengths_are_written_in_as_few_bytes_as_they_need() {
    for (length, head) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
        let mut out = Vec::new();
        Encoder::server()
            .send(Event::Binary(&vec![0; length]), &mut out)
            .unwrap();
        assert_eq!(out.len(), head + length);
        let decoder = Decoder::new(Role::Client);
        assert_eq!(told(decoder, &out), [Told::Binary(vec![0; length])]);
    }
}

// ── Handshakes ──────────────────────────────────────────────────────────────────────────────────────────────────────

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn with_request<R>(
    request: &str,
    look: impl FnOnce(Result<ServerHandshake<'_>, HandshakeRule>) -> R,
) -> R {
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(request.as_bytes());
    match input.next_event() {
        Some(Ok(Http::Head(head))) => look(ServerHandshake::read(&head)),
        other => panic!("{other:?}"),
    }
}

fn request(more: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

#[test]
fn r161_d8_a_right_request_is_accepted_and_a_bad_one_has_its_status() {
    with_request(&request(""), |handshake| {
        let fields = handshake.unwrap().accept(None);
        assert_eq!(fields[0], (Name::Upgrade, "websocket".to_owned()));
        assert_eq!(fields[1].1, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    });
    let right = request("");
    let without = |name: &str| {
        let lines = right.split_inclusive("\r\n");
        lines
            .filter(|line| !line.starts_with(name))
            .collect::<String>()
    };
    for (bad, rule, status) in [
        (right.replace("GET", "POST"), HandshakeRule::Method, 405),
        (
            right.replace("HTTP/1.1", "HTTP/1.0"),
            HandshakeRule::HttpVersion,
            400,
        ),
        (without("Upgrade"), HandshakeRule::Upgrade, 400),
        (without("Connection"), HandshakeRule::Upgrade, 400),
        (
            right.replace("WebSocket\r\n", "h2c\r\n"),
            HandshakeRule::Upgrade,
            400,
        ),
        (right.replace(": 13", ": 8"), HandshakeRule::Version, 400),
        (
            without("Sec-WebSocket-Version"),
            HandshakeRule::Version,
            400,
        ),
        (without("Sec-WebSocket-Key"), HandshakeRule::Key, 400),
        (right.replace(KEY, "c2hvcnQ="), HandshakeRule::Key, 400),
        (
            request(&format!("Sec-WebSocket-Key: {KEY}\r\n")),
            HandshakeRule::Key,
            400,
        ),
        (
            request("Sec-WebSocket-Protocol: a, b c\r\n"),
            HandshakeRule::Protocols,
            400,
        ),
        (
            request("Sec-WebSocket-Protocol: a, a\r\n"),
            HandshakeRule::Protocols,
            400,
        ),
        (
            request("Sec-WebSocket-Extensions: x; =1\r\n"),
            HandshakeRule::Extensions,
            400,
        ),
        (
            request("Content-Length: 1\r\n"),
            HandshakeRule::Content,
            400,
        ),
        (
            request("Origin: http://a\r\nOrigin: http://b\r\n"),
            HandshakeRule::Origin,
            400,
        ),
    ] {
        let found = with_request(&bad, |handshake| handshake.map(|_| ()).unwrap_err());
        assert_eq!((found, found.status()), (rule, status), "{bad}");
    }
}

#[test]
fn ws_01_a_long_head_in_steps_of_one_byte_is_refused_at_the_limit() {
    let mut decoder = RequestDecoder::new();
    let mut sent = 0;
    let head = format!("{}X: ", request("").trim_end());
    let mut bytes = head.bytes().chain(std::iter::repeat(b'x')).take(10_000_000);
    let status = loop {
        let byte = [bytes.next().expect("it is refused long before")];
        sent += 1;
        if let Some(event) = decoder.receive(&byte).next_event() {
            break event.unwrap_err().status();
        }
    };
    assert_eq!(status, 431);
    assert!(sent <= Limits::REQUEST.head_bytes + 1, "{sent}");
}

#[test]
fn ws_07_lists_of_protocols_are_bounded_and_read_once() {
    let many = (0..65)
        .map(|index| format!("p{index}"))
        .collect::<Vec<_>>()
        .join(",");
    let found = with_request(
        &request(&format!("Sec-WebSocket-Protocol: {many}\r\n")),
        |handshake| handshake.map(|_| ()).unwrap_err(),
    );
    assert_eq!(found, HandshakeRule::Protocols);
    let blank = format!("Sec-WebSocket-Protocol: a{}b\r\n", " ".repeat(5000));
    with_request(&request(&blank), |handshake| assert!(handshake.is_err()));
    let commas = format!("Sec-WebSocket-Protocol: a{}b\r\n", ",".repeat(5000));
    with_request(&request(&commas), |handshake| {
        assert!(handshake.unwrap().protocols().eq(["a", "b"]));
    });
}

#[test]
fn ws_09_the_origin_is_the_host_itself_or_foreign() {
    for (origin, is_same) in [
        ("http://example.com", true),
        ("https://EXAMPLE.com", true),
        ("http://example.com:80", true),
        ("https://example.com:8443", false),
        ("http://evil.example", false),
        ("http://example.com.evil.example", false),
        ("null", false),
        ("example.com", false),
    ] {
        with_request(&request(&format!("Origin: {origin}\r\n")), |handshake| {
            assert_eq!(handshake.unwrap().is_same_origin(), is_same, "{origin}");
        });
    }
    with_request(&request(""), |handshake| {
        assert!(handshake.unwrap().is_same_origin());
    });
}

fn answered(handshake: &ClientHandshake, response: &str) -> Result<Option<String>, AnswerRule> {
    let mut decoder = ResponseDecoder::new();
    decoder.expect(Method::Get, true);
    let mut input = decoder.receive(response.as_bytes());
    match input.next_event() {
        Some(Ok(Http::Head(head))) => handshake.agreed(&head).map(|agreed| agreed.protocol),
        other => panic!("{other:?}"),
    }
}

#[test]
fn r166_a_client_takes_only_what_it_asked_for() {
    let handshake = ClientHandshake::new(*b"the sample nonce");
    let handshake = handshake.with_protocol("chat").unwrap();
    assert_eq!(
        handshake.fields()[1],
        (Name::SecWebsocketKey, KEY.to_owned())
    );
    let right = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
    let answer = |more: &str| answered(&handshake, &format!("{right}{more}\r\n"));
    assert_eq!(answer(""), Ok(None));
    assert_eq!(
        answer("Sec-WebSocket-Protocol: chat\r\n"),
        Ok(Some("chat".to_owned()))
    );
    assert_eq!(
        answer("Sec-WebSocket-Protocol: other\r\n"),
        Err(AnswerRule::Protocol)
    );
    assert_eq!(
        answer("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
        Err(AnswerRule::Extension)
    );
    let other = right.replace("s3p", "S3p");
    assert_eq!(
        answered(&handshake, &format!("{other}\r\n")),
        Err(AnswerRule::Accept)
    );
    let other = right.replace("websocket", "h2c");
    assert_eq!(
        answered(&handshake, &format!("{other}\r\n")),
        Err(AnswerRule::Upgrade)
    );
}

#[test]
fn ws_05_a_subprotocol_cannot_carry_a_line_break() {
    for bad in ["a\r\nX: y", "", "a b", "a,b", "ü"] {
        assert!(
            ClientHandshake::new([0; 16]).with_protocol(bad).is_err(),
            "{bad:?}"
        );
    }
}

#[test]
fn ws_05_extensions_are_offered_and_agreed_to_by_name() {
    let new = || ClientHandshake::new(*b"the sample nonce");
    let handshake = new().with_extension("x-a; level=2").unwrap();
    let handshake = handshake.with_extension("x-b").unwrap();
    let offer = (Name::SecWebsocketExtensions, "x-a; level=2, x-b".to_owned());
    assert!(handshake.fields().contains(&offer));
    let answer = |value: &str| {
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: {value}\r\n\r\n"
        );
        let mut decoder = ResponseDecoder::new();
        decoder.expect(Method::Get, true);
        let mut input = decoder.receive(response.as_bytes());
        match input.next_event() {
            Some(Ok(Http::Head(head))) => handshake.agreed(&head).map(|agreed| agreed.extensions),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        answer("x-b, x-a;level=\"1\""),
        Ok(vec!["x-b".into(), "x-a; level=1".into()])
    );
    for wrong in ["x-c", "x-a, x-a", "x-a; =", "x-b, permessage-deflate"] {
        assert_eq!(answer(wrong), Err(AnswerRule::Extension), "{wrong}");
    }
    for bad in ["a\r\nX: y", "", "a, b", "a b", "a; b=c d", "ü"] {
        let refused = new().with_extension(bad);
        assert_eq!(refused.unwrap_err(), ExtensionError::Malformed(bad.into()));
    }
    let compression = new().with_extension("permessage-deflate; x");
    assert_eq!(compression.unwrap_err(), ExtensionError::Compression);
}
