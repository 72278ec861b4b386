//! The rules of requests, as tables named after the rows of SECURITY and the rules of SEMANTICS.

use ropewalk_grammar::http1::{
    BodyLength, Event, Expect, Http1Error, Limits, Method, Name, RequestDecoder, Rule, Target,
    Version,
};

use crate::http1_law::{Told, hear_requests};
use crate::law::Plan;

const HOST: &str = "Host: a\r\n";

/// All that is told of `data`, whole and byte by byte.
fn told(data: &[u8]) -> Vec<Told> {
    told_within(Limits::REQUEST, data)
}

fn told_within(limits: Limits, data: &[u8]) -> Vec<Told> {
    let decoder = RequestDecoder::new().with_limits(limits);
    let whole = hear_requests(&decoder, data, &Plan::whole());
    let bytes = Plan {
        sizes: vec![1],
        pause_after: 0,
    };
    assert_eq!(
        hear_requests(&decoder, data, &bytes),
        whole,
        "{}",
        data.escape_ascii()
    );
    whole
}

/// The first rule that `data` breaks.
fn broken(data: &[u8]) -> Option<Http1Error> {
    told(data).into_iter().find_map(|told| match told {
        Told::Broken(error) => Some(error),
        _ => None,
    })
}

/// Each breaks the rule at the byte, is answered with the status, and no later bytes are a request.
#[track_caller]
fn refused(cases: &[(&str, Rule, u64)]) {
    for (data, rule, offset) in cases {
        let smuggled = format!("{data}\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        let error = broken(smuggled.as_bytes()).unwrap_or_else(|| panic!("{data:?} passed"));
        assert_eq!((error.rule(), error.offset()), (*rule, *offset), "{data:?}");
        assert_eq!(error.status(), rule.status());
        for told in told(smuggled.as_bytes()) {
            assert!(
                !format!("{told:?}").contains("smuggled"),
                "{data:?}: {told:?}"
            );
        }
    }
}

/// Each is so many whole requests.
#[track_caller]
fn accepted(cases: &[(&str, usize)]) {
    for (data, count) in cases {
        let told = told(data.as_bytes());
        assert!(
            !matches!(told.last(), Some(Told::Broken(_))),
            "{data:?}: {told:?}"
        );
        let ends = told.iter().filter(|told| **told == Told::End).count();
        assert_eq!(ends, *count, "{data:?}: {told:?}");
    }
}

/// A POST with these fields besides `Host`, up to the end of the last of them.
fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}")
}

/// Where the fields of [`post`] begin.
const FIELDS: u64 = 26;

/// A chunked POST with this body.
fn chunked(body: &str) -> String {
    format!("{}{body}", post("Transfer-Encoding: chunked\r\n\r\n"))
}

/// Where the body of [`chunked`] begins.
const BODY: u64 = FIELDS + 30;

#[track_caller]
fn refused_fields(cases: &[(&str, Rule, u64)]) {
    for (fields, rule, offset) in cases {
        let offset = if *offset == u64::MAX {
            0
        } else {
            FIELDS + offset
        };
        refused(&[(&post(fields), *rule, offset)]);
    }
}

#[track_caller]
fn refused_chunks(cases: &[(&str, Rule, u64)]) {
    for (body, rule, offset) in cases {
        refused(&[(&chunked(body), *rule, BODY + offset)]);
    }
}

/// The offset of what is wrong with a head as a whole.
const HEAD: u64 = u64::MAX;

#[test]
fn h1_01_a_second_content_length_is_refused() {
    refused_fields(&[
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            Rule::ContentLengthRepeated,
            19,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            Rule::ContentLengthRepeated,
            19,
        ),
        (
            "Content-Length: 5\r\nX: y\r\ncontent-length: 5\r\n",
            Rule::ContentLengthRepeated,
            25,
        ),
        ("Content-Length: 5, 5\r\n", Rule::ContentLength, 0),
        ("Content-Length: 5,6\r\n", Rule::ContentLength, 0),
    ]);
}

#[test]
fn h1_02_a_length_and_chunks_are_refused() {
    refused_fields(&[
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Rule::LengthAndChunked,
            HEAD,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            Rule::LengthAndChunked,
            HEAD,
        ),
    ]);
}

#[test]
fn h1_03_an_encoding_is_chunked_and_nothing_else() {
    let values = [
        "chunked, chunked",
        "gzip, chunked",
        "chunked, gzip",
        "gzip",
        "identity",
        "xchunked",
        "chunkedx",
        "\"chunked\"",
        "chunked;q=1",
        ",chunked",
        "chunked,",
        " chunked",
        "\tchunked",
        "chunked ",
        "chunked\t",
        "",
        "chu nked",
        "chunke",
        "c\u{212a}unked",
    ];
    for value in values {
        let field = format!("Transfer-Encoding: {value}\r\n");
        refused_fields(&[(&field, Rule::TransferEncoding, 0)]);
    }
    refused_fields(&[
        ("Transfer-Encoding:\tchunked\r\n", Rule::TransferEncoding, 0),
        ("Transfer-Encoding: \x0bchunked\r\n", Rule::FieldValue, 19),
        ("Transfer-Encoding: chunked\x0c\r\n", Rule::FieldValue, 26),
        (
            "Transfer-Encoding : chunked\r\n",
            Rule::SpaceBeforeColon,
            17,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            Rule::TransferEncodingRepeated,
            28,
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            Rule::TransferEncodingRepeated,
            28,
        ),
        (
            "Transfer-Encoding:\r\n chunked\r\n",
            Rule::TransferEncoding,
            0,
        ),
    ]);
    accepted(&[
        (&chunked("0\r\n\r\n"), 1),
        (&post("TRANSFER-ENCODING:CHUNKED\r\n\r\n0\r\n\r\n"), 1),
    ]);
}

#[test]
fn h1_04_http_1_0_has_no_chunks_and_no_body_until_close() {
    refused(&[
        (
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
            Rule::ChunkedInHttp10,
            0,
        ),
        (
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n",
            Rule::ChunkedInHttp10,
            0,
        ),
        ("POST / HTTP/1.0\r\n", Rule::LengthMissing, 0),
        ("PUT / HTTP/1.0\r\n", Rule::LengthMissing, 0),
    ]);
    accepted(&[
        ("POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", 1),
        ("GET / HTTP/1.0\r\n\r\nthese are no request", 1),
    ]);
}

#[test]
fn h1_05_a_length_is_digits() {
    let values = [
        "+10", "-1", "0x0a", "1_0", " 5", "\t5", "5 ", "", "5.0", "1e1", "\u{663}", "five", "5;",
        "'5'", "5 5",
    ];
    for value in values {
        let field = format!("Content-Length: {value}\r\n");
        refused_fields(&[(&field, Rule::ContentLength, 0)]);
    }
    accepted(&[
        (&post("Content-Length:2\r\n\r\nok"), 1),
        (
            &post("Content-Length: 0000000000000000000000002\r\n\r\nok"),
            1,
        ),
    ]);
}

#[test]
fn h1_06_no_number_overflows() {
    refused_fields(&[
        (
            "Content-Length: 9223372036854775808\r\n",
            Rule::ContentLength,
            0,
        ),
        (
            "Content-Length: 18446744073709551615\r\n",
            Rule::ContentLength,
            0,
        ),
        (
            "Content-Length: 18446744073709551621\r\n",
            Rule::ContentLength,
            0,
        ),
        (
            "Content-Length: 99999999999999999999999999999999\r\n",
            Rule::ContentLength,
            0,
        ),
    ]);
    refused_chunks(&[
        ("8000000000000000\r\n", Rule::ChunkSizeTooLarge, 15),
        ("ffffffffffffffff\r\n", Rule::ChunkSizeTooLarge, 15),
        ("10000000000000005\r\n", Rule::ChunkSizeTooLarge, 16),
        ("00000000000000005\r\n", Rule::ChunkSizeTooLarge, 16),
        ("0x5\r\nhello\r\n", Rule::ChunkSize, 1),
        ("+5\r\nhello\r\n", Rule::ChunkSize, 0),
        ("-5\r\nhello\r\n", Rule::ChunkSize, 0),
        (" 5\r\nhello\r\n", Rule::ChunkSize, 0),
        ("5 \r\nhello\r\n", Rule::ChunkSize, 1),
        ("5\t\r\nhello\r\n", Rule::ChunkSize, 1),
        ("5_0\r\nhello\r\n", Rule::ChunkSize, 1),
        ("\r\nhello\r\n", Rule::ChunkSize, 0),
        (";a=b\r\n", Rule::ChunkSize, 0),
        ("g\r\n", Rule::ChunkSize, 0),
    ]);
    let longest = post("Content-Length: 9223372036854775807\r\n\r\n");
    let heard = told(longest.as_bytes());
    assert!(
        matches!(heard[..], [Told::Head(_), Told::Broken(_)]),
        "{heard:?}"
    );
    accepted(&[(&chunked("0000000000000005\r\nhello\r\n0\r\n\r\n"), 1)]);
}

#[test]
fn h1_07_extensions_are_checked_and_bounded() {
    refused_chunks(&[
        ("5;a\nhello\r\n", Rule::BareLf, 3),
        ("5;a=\"\n\"\r\nhello", Rule::BareLf, 5),
        ("5;a=\"\r\n\"\r\nhello", Rule::ChunkExtension, 5),
        ("5;a=\"\\\r\n\"\r\nhello", Rule::ChunkExtension, 6),
        ("5;a\rX", Rule::BareCr, 4),
        ("5;\r\nhello", Rule::ChunkExtension, 2),
        ("5;=b\r\nhello", Rule::ChunkExtension, 2),
        ("5;a=\r\nhello", Rule::ChunkExtension, 4),
        ("5;a=b c\r\nhello", Rule::ChunkExtension, 5),
        ("5; a=b\r\nhello", Rule::ChunkExtension, 2),
        ("5 ;a=b\r\nhello", Rule::ChunkSize, 1),
        ("5;a=\"b\"c\r\nhello", Rule::ChunkExtension, 7),
        ("5;a\0\r\nhello", Rule::ChunkExtension, 3),
        ("5;a=\"\x7f\"\r\nhello", Rule::ChunkExtension, 5),
        ("5;;\r\nhello", Rule::ChunkExtension, 2),
    ]);
    accepted(&[(
        &chunked("5;a;b=c;d=\"e f\\\"\t\u{e9}\"\r\nhello\r\n0;z\r\n\r\n"),
        1,
    )]);

    let long = |length: usize| {
        chunked(&format!(
            "5;{}\r\nhello\r\n0\r\n\r\n",
            "x".repeat(length - 2)
        ))
    };
    accepted(&[(&long(1024), 1)]);
    refused(&[(&long(1025), Rule::ChunkLineTooLong, BODY + 1024)]);

    // Content pays for its framing; long extensions on short chunks do not get far.
    let mut signed = String::new();
    for _ in 0..1000 {
        signed += &format!("40;s={}\r\n{}\r\n", "x".repeat(64), "y".repeat(64));
    }
    accepted(&[(&chunked(&(signed + "0\r\n\r\n")), 1)]);
    let wasteful = format!("1;{}\r\ny\r\n", "x".repeat(1000)).repeat(20);
    let error = broken(chunked(&wasteful).as_bytes()).unwrap();
    assert_eq!(error.rule(), Rule::ChunkOverhead);
    let tiny = "1\r\ny\r\n".repeat(100_000) + "0\r\n\r\n";
    assert!(
        broken(chunked(&tiny).as_bytes()).is_none(),
        "short chunks alone are no offence"
    );
}

#[test]
fn h1_07_crlf_follows_the_content_of_a_chunk() {
    refused_chunks(&[
        ("5\r\nhelloX\r\n", Rule::ChunkEnd, 8),
        ("5\r\nhello\n", Rule::ChunkEnd, 8),
        ("5\r\nhello\rX", Rule::ChunkEnd, 9),
        ("5\r\nhello0\r\n\r\n", Rule::ChunkEnd, 8),
        ("5\nhello\r\n", Rule::BareLf, 1),
        ("0\n\n", Rule::BareLf, 1),
        ("0\r\n\n", Rule::BareLf, 3),
    ]);
}

#[test]
fn h1_08_lines_end_with_cr_and_lf() {
    refused(&[
        ("GET / HTTP/1.1\nHost: a\n\n", Rule::BareLf, 14),
        ("GET /\n", Rule::VersionText, 5),
        ("GET / HTTP/1.1\r\nHost: a\n", Rule::BareLf, 23),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", Rule::BareLf, 25),
        ("GET / HTTP/1.1\rHost: a\r\n", Rule::BareCr, 15),
        ("GET / HTTP/1.1\r\r\nHost: a\r\n", Rule::BareCr, 15),
        ("GET / HTTP/1.1\r\nHost: a\rX: y\r\n", Rule::BareCr, 24),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n", Rule::BareCr, 24),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX", Rule::BareCr, 26),
        ("GET /\r HTTP/1.1\r\nHost: a\r\n", Rule::VersionText, 5),
    ]);
}

#[test]
fn h1_08_d13_a_bare_lf_is_refused_at_once() {
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(b"GET / HTTP/1.1\n");
    let Some(Err(error)) = input.next_event() else {
        panic!("it waits")
    };
    assert_eq!((error.rule(), error.status()), (Rule::BareLf, 400));
    assert_eq!(
        error.to_string(),
        "a line ends with CR and LF, not with LF alone (byte 14 of the stream)"
    );
}

#[test]
fn h1_09_r134_one_empty_line_stands_before_a_request() {
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    accepted(&[
        (&format!("\r\n{request}"), 1),
        (&format!("{request}\r\n{request}"), 2),
        (
            &format!("{}\r\n\r\nok\r\n{request}", post("Content-Length: 2")),
            2,
        ),
        ("\r\n", 0),
    ]);
    refused(&[
        ("\r\n\r\nGET / HTTP/1.1\r\n", Rule::EmptyLines, 2),
        ("\nGET / HTTP/1.1\r\n", Rule::Method, 0),
        ("\0GET / HTTP/1.1\r\n", Rule::Method, 0),
        (" GET / HTTP/1.1\r\n", Rule::Method, 0),
        ("\r\n GET / HTTP/1.1\r\n", Rule::Method, 2),
        ("\r\n\0GET / HTTP/1.1\r\n", Rule::Method, 2),
        ("\rGET / HTTP/1.1\r\n", Rule::BareCr, 1),
        ("\u{feff}GET / HTTP/1.1\r\n", Rule::Method, 0),
        ("\x16\x03\x01\x02\0\x01", Rule::Method, 0),
    ]);
}

#[test]
fn h1_10_request_lines_have_two_spaces_and_visible_targets() {
    refused(&[
        ("GET /a b HTTP/1.1\r\n", Rule::VersionText, 7),
        ("GET  / HTTP/1.1\r\n", Rule::Target, 4),
        ("GET\t/ HTTP/1.1\r\n", Rule::Method, 3),
        ("GET /\tHTTP/1.1\r\n", Rule::Target, 5),
        ("GET /  HTTP/1.1\r\n", Rule::VersionText, 6),
        ("GET / HTTP/1.1 \r\n", Rule::VersionText, 14),
        ("GET / HTTP/1.1\t\r\n", Rule::VersionText, 14),
        ("GET /\r\n", Rule::VersionText, 5),
        ("GET\r\n", Rule::Method, 3),
        ("GET \r\n", Rule::Target, 4),
        ("GET HTTP/1.1\r\n", Rule::VersionText, 12),
        ("GET / http/1.1\r\n", Rule::VersionText, 6),
        ("GET / HTTP/1.\r\n", Rule::VersionText, 13),
        ("GET / HTTP/11\r\n", Rule::VersionText, 12),
        ("GET / HTTP/01.1\r\n", Rule::VersionText, 12),
        ("GET / HTTP/1.10\r\n", Rule::VersionText, 14),
        ("GET / HTTPS/1.1\r\n", Rule::VersionText, 10),
        ("GET /\0 HTTP/1.1\r\n", Rule::Target, 5),
        ("GET /\x7f HTTP/1.1\r\n", Rule::Target, 5),
        ("GET /\u{e9} HTTP/1.1\r\n", Rule::Target, 5),
        ("GET /a#b HTTP/1.1\r\n", Rule::Target, 6),
        ("G(T / HTTP/1.1\r\n", Rule::Method, 1),
        ("G\u{e9}T / HTTP/1.1\r\n", Rule::Method, 1),
    ]);
}

#[test]
fn h1_10_fields_have_a_name_a_colon_and_one_line() {
    refused_fields(&[
        ("Space : x\r\n", Rule::SpaceBeforeColon, 5),
        ("Tab\t: x\r\n", Rule::SpaceBeforeColon, 3),
        ("No-Colon\r\n", Rule::FieldColon, 8),
        ("No-Colon\n", Rule::FieldColon, 8),
        (": no name\r\n", Rule::FieldName, 0),
        ("A: b\r\n folded\r\n", Rule::Folding, 6),
        ("A: b\r\n\tfolded\r\n", Rule::Folding, 6),
        ("A: b\r\n \r\n", Rule::Folding, 6),
        ("A:\r\n b\r\n", Rule::Folding, 4),
    ]);
    refused(&[("GET / HTTP/1.1\r\n Host: a\r\n", Rule::Folding, 16)]);
}

#[test]
fn h1_11_no_control_characters_in_names_and_values() {
    for byte in (0..=255u8).filter(|byte| !b"\t\r\n".contains(byte)) {
        let data = [
            b"GET / HTTP/1.1\r\nHost: a\r\nA: b",
            &[byte][..],
            b"c\r\n\r\n",
        ]
        .concat();
        let is_control = byte < 0x20 || byte == 0x7f;
        let expected = is_control.then_some((Rule::FieldValue, 29));
        assert_eq!(
            broken(&data).map(|e| (e.rule(), e.offset())),
            expected,
            "{byte:#x}"
        );
    }
    let tokens = b"!#$%&'*+-.^_`|~:";
    for byte in (0..=255u8).filter(|byte| !b" \t\r\n".contains(byte)) {
        let data = [
            b"GET / HTTP/1.1\r\nHost: a\r\nA",
            &[byte][..],
            b"b: c\r\n\r\n",
        ]
        .concat();
        let is_right = byte.is_ascii_alphanumeric() || tokens.contains(&byte);
        let expected = (!is_right).then_some((Rule::FieldName, 26));
        assert_eq!(
            broken(&data).map(|e| (e.rule(), e.offset())),
            expected,
            "{byte:#x}"
        );
    }
}

#[test]
fn h1_13_a_body_is_never_a_request() {
    let request = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let data = format!(
        "{}{request}",
        post(&format!("Content-Length: {}\r\n\r\n", request.len()))
    );
    let heard = told(data.as_bytes());
    assert_eq!(heard[1..], [Told::Body(request.into()), Told::End]);
    let data = chunked(&format!("{:X}\r\n{request}\r\n0\r\n\r\n", request.len()));
    assert_eq!(
        told(data.as_bytes())[1..],
        [Told::Body(request.into()), Told::End]
    );
}

#[test]
fn h1_14_bytes_behind_an_upgrade_wait_until_it_is_refused() {
    let upgrade =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, upgrade\r\nUpgrade: websocket\r\n\r\n";
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request, next) in [
        (upgrade, next),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", next),
    ] {
        let data = format!("{request}{next}");
        for size in [1, 7, data.len()] {
            let mut decoder = RequestDecoder::new();
            let mut events = 0;
            for chunk in data.as_bytes().chunks(size) {
                let mut input = decoder.receive(chunk);
                while let Some(event) = input.next_event() {
                    event.unwrap();
                    events += 1;
                }
            }
            assert_eq!((events, decoder.is_switched()), (2, true));
            let mut taker = decoder.clone();
            assert_eq!(taker.take_rest(), next.as_bytes(), "D7");
            decoder.resume();
            let mut input = decoder.receive(&[]);
            let Some(Ok(Event::Head(head))) = input.next_event() else {
                panic!("it is HTTP")
            };
            assert_eq!(head.target_text(), "/next");
        }
    }
    // A version or option that cannot switch does not wait.
    let without = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(told(format!("{without}{next}").as_bytes()).len(), 4);
}

#[test]
fn h1_17_r133_lines_heads_and_fields_are_bounded() {
    let line = |length: usize| {
        format!(
            "GET /{} HTTP/1.1\r\nHost: a\r\n\r\n",
            "x".repeat(length - 16)
        )
    };
    accepted(&[(&line(8192), 1)]);
    for length in [8193, 8194, 9000, 60_000] {
        let error = broken(line(length).as_bytes()).unwrap();
        assert_eq!(
            (error.rule(), error.offset(), error.status()),
            (Rule::LineTooLong, 8192, 414)
        );
    }
    let endless = broken(&b"x".repeat(9000)).unwrap();
    assert_eq!((endless.rule(), endless.status()), (Rule::LineTooLong, 414));

    let head = |length: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX:{}\r\n\r\n",
            "x".repeat(length - 31)
        )
    };
    accepted(&[(&head(16_384), 1)]);
    let error = broken(head(16_385).as_bytes()).unwrap();
    assert_eq!(
        (error.rule(), error.offset(), error.status()),
        (Rule::HeadTooLarge, 16_384, 431)
    );

    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: a\r\n{}\r\n",
            "X:\r\n".repeat(count - 1)
        )
    };
    accepted(&[(&fields(500), 1)]);
    let error = broken(fields(501).as_bytes()).unwrap();
    assert_eq!((error.rule(), error.status()), (Rule::TooManyFields, 431));

    // The count is each request's own.
    accepted(&[(&fields(400).repeat(3), 3), (&head(16_000).repeat(3), 3)]);
}

#[test]
fn h1_17_limits_can_be_set() {
    let mut limits = Limits::REQUEST;
    (limits.line_bytes, limits.head_bytes, limits.fields) = (usize::MAX, usize::MAX, 1000);
    let longest = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX:{}\r\n\r\n",
        "x".repeat(65_535 - 31)
    );
    assert_eq!(told_within(limits, longest.as_bytes()).len(), 2);
    let longer = longest.replace("X:", "X:x");
    let [Told::Broken(error)] = told_within(limits, longer.as_bytes())[..] else {
        panic!("it is too long")
    };
    assert_eq!(error.rule(), Rule::HeadTooLarge);
}

#[test]
fn r135_trailers_are_restricted_and_bounded() {
    let heard = told(chunked("0\r\nETag: \"x\"\r\nX-Sum: 5\r\n\r\n").as_bytes());
    assert_eq!(
        heard[1..],
        [
            Told::Trailers("[ETag: \\\"x\\\", X-Sum: 5]".into()),
            Told::End
        ]
    );
    for name in Name::ALL {
        let data = chunked(&format!("0\r\n{name}: x\r\n\r\n"));
        let expected = (!name.may_trail()).then_some((Rule::TrailerField, BODY + 3, 400));
        let error = broken(data.as_bytes()).map(|e| (e.rule(), e.offset(), e.status()));
        assert_eq!(error, expected, "{name}");
    }
    refused_chunks(&[
        ("0\r\nA : b\r\n", Rule::SpaceBeforeColon, 4),
        ("0\r\nA: b\r\n c\r\n", Rule::Folding, 9),
        ("0\r\nA: b\0\r\n", Rule::FieldValue, 7),
        ("0\r\nA: b\n", Rule::BareLf, 7),
    ]);
    let trailer = |length: usize| chunked(&format!("0\r\nX:{}\r\n\r\n", "x".repeat(length - 6)));
    accepted(&[(&trailer(16_384), 1)]);
    refused(&[(&trailer(16_385), Rule::TrailersTooLarge, BODY + 3 + 16_384)]);
    let many = chunked(&format!("0\r\n{}\r\n", "X:\r\n".repeat(501)));
    assert_eq!(
        broken(many.as_bytes()).unwrap().rule(),
        Rule::TrailersTooLarge
    );
}

#[test]
fn r131_versions() {
    for (version, rule, status) in [
        ("HTTP/2.0", Rule::Version, 400),
        ("HTTP/1.2", Rule::Version, 400),
        ("HTTP/0.9", Rule::Version, 400),
        ("HTTP/3.0", Rule::Version, 400),
        ("HTTP/1.x", Rule::VersionText, 400),
    ] {
        let error = broken(format!("GET / {version}\r\n\r\n").as_bytes()).unwrap();
        assert_eq!((error.rule(), error.status()), (rule, status), "{version}");
    }
    refused(&[("PRI * HTTP/2.0\r\n\r\nSM", Rule::Version, 6)]);
}

#[test]
fn r131_d3_what_keeps_a_connection() {
    let next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    for (head, count) in [
        (format!("GET / HTTP/1.1\r\n{HOST}\r\n"), 2),
        (
            format!("GET / HTTP/1.1\r\n{HOST}Connection: keep-alive\r\n\r\n"),
            2,
        ),
        (
            format!("GET / HTTP/1.1\r\n{HOST}Connection: closed\r\n\r\n"),
            2,
        ),
        (
            format!("GET / HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n"),
            1,
        ),
        (
            format!("GET / HTTP/1.1\r\n{HOST}Connection: x,\tCLOSE , y\r\n\r\n"),
            1,
        ),
        (
            format!("GET / HTTP/1.1\r\n{HOST}Connection: x\r\nConnection: close\r\n\r\n"),
            1,
        ),
        (format!("GET / HTTP/1.0\r\n{HOST}\r\n"), 1),
        (
            format!("GET / HTTP/1.0\r\n{HOST}Connection: keep-alive\r\n\r\n"),
            1,
        ),
    ] {
        accepted(&[(&format!("{head}{next}"), count)]);
    }
}

#[test]
fn r132_host_is_there_once_and_is_one() {
    refused(&[
        ("GET / HTTP/1.1\r\n", Rule::HostMissing, 0),
        ("GET http://a/ HTTP/1.1\r\n", Rule::HostMissing, 0),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n",
            Rule::HostRepeated,
            25,
        ),
        (
            "GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n",
            Rule::HostRepeated,
            25,
        ),
    ]);
    for host in [
        "a b",
        "a,b",
        "a;b",
        "a!b",
        "http://a",
        "a/",
        "a?",
        "a#",
        "u@a",
        "a:b",
        "a:65536",
        "a:-1",
        "a:+1",
        ":80",
        "[::1",
        "::1",
        "[::1]x",
        "[::g]",
        "[fe80::1%25eth0]",
        "[1.2.3.4]",
        "a%",
        "a%4",
        "a%zz",
        "a\\b",
        "a\"",
        "a<",
        "\u{e9}",
        "a:80:80",
        "[]",
    ] {
        let data = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let rule = broken(data.as_bytes()).map(|error| error.rule());
        assert_eq!(rule, Some(Rule::Host), "{host}");
    }
    for (host, said) in [
        ("", None),
        ("a", Some(("a", None))),
        ("a:", Some(("a", None))),
        ("A.b-c_d~:65535", Some(("A.b-c_d~", Some(65535)))),
        ("127.0.0.1:0", Some(("127.0.0.1", Some(0)))),
        ("[2001:DB8::1]:443", Some(("[2001:DB8::1]", Some(443)))),
        ("a%20b", Some(("a%20b", None))),
    ] {
        let data = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let mut decoder = RequestDecoder::new();
        let mut input = decoder.receive(data.as_bytes());
        let Some(Ok(Event::Head(head))) = input.next_event() else {
            panic!("{host}")
        };
        assert_eq!(
            head.authority().map(|it| (it.host(), it.port())),
            said,
            "{host}"
        );
    }
}

#[test]
fn d12_the_four_forms_of_a_target() {
    let form = |line: &str| {
        let data = format!("{line} HTTP/1.1\r\nHost: host\r\n\r\n");
        let mut decoder = RequestDecoder::new();
        match decoder.receive(data.as_bytes()).next_event() {
            Some(Ok(Event::Head(head))) => {
                let target = head.target();
                let authority = head.authority().map(|it| it.as_str().to_owned());
                Ok((
                    target.path().to_owned(),
                    target.query().map(str::to_owned),
                    authority.unwrap(),
                ))
            }
            Some(Err(error)) => Err((error.rule(), error.offset(), error.status())),
            other => panic!("{other:?}"),
        }
    };
    let is = |path: &str, query: Option<&str>, host: &str| {
        Ok((path.to_owned(), query.map(str::to_owned), host.to_owned()))
    };
    for (line, expected) in [
        ("GET /", is("/", None, "host")),
        ("GET //evil/..", is("//evil/..", None, "host")),
        ("GET /a?b?c", is("/a", Some("b?c"), "host")),
        ("GET /?", is("/", Some(""), "host")),
        (
            "GET /a%2Fb%00\"<>\\^`{|}",
            is("/a%2Fb%00\"<>\\^`{|}", None, "host"),
        ),
        ("GET http://x", is("/", None, "x")),
        ("GET http://x?q", is("/", Some("q"), "x")),
        ("GET HTTPS://x:1/a?q", is("/a", Some("q"), "x:1")),
        ("GET a+b-c.9://[::1]/", is("/", None, "[::1]")),
        ("CONNECT x:443", is("", None, "x:443")),
        ("CONNECT [::1]:443", is("", None, "[::1]:443")),
        ("OPTIONS *", is("", None, "host")),
        ("GET *", Err((Rule::AsteriskTarget, 4, 405))),
        ("OPTIONS **", Err((Rule::TargetForm, 8, 400))),
        ("OPTIONS *?", Err((Rule::TargetForm, 8, 400))),
        ("GET x", Err((Rule::TargetForm, 4, 400))),
        ("GET x/y", Err((Rule::TargetForm, 4, 400))),
        ("GET ?q", Err((Rule::TargetForm, 4, 400))),
        ("GET x:80", Err((Rule::TargetForm, 4, 400))),
        ("GET http:/x", Err((Rule::TargetForm, 4, 400))),
        ("GET 1http://x", Err((Rule::TargetForm, 4, 400))),
        ("GET ://x", Err((Rule::TargetForm, 4, 400))),
        ("GET http://", Err((Rule::Authority, 11, 400))),
        ("GET http:///x", Err((Rule::Authority, 11, 400))),
        ("GET http://u@x/", Err((Rule::Authority, 11, 400))),
        ("GET http://u:p@x/", Err((Rule::Authority, 11, 400))),
        ("GET http://x:y/", Err((Rule::Authority, 11, 400))),
        ("GET http://[::1/", Err((Rule::Authority, 11, 400))),
        ("CONNECT x", Err((Rule::ConnectTarget, 8, 400))),
        ("CONNECT x:", Err((Rule::ConnectTarget, 8, 400))),
        ("CONNECT x:0", Err((Rule::ConnectTarget, 8, 400))),
        ("CONNECT x:99999", Err((Rule::ConnectTarget, 8, 400))),
        ("CONNECT /", Err((Rule::ConnectTarget, 8, 400))),
        ("CONNECT http://x:1/", Err((Rule::ConnectTarget, 8, 400))),
    ] {
        assert_eq!(form(line), expected, "{line}");
    }
}

#[test]
fn connect_has_no_body() {
    let head = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n";
    refused(&[
        (
            &format!("{head}Content-Length: 5\r\n"),
            Rule::ConnectBody,
            0,
        ),
        (
            &format!("{head}Transfer-Encoding: chunked\r\n"),
            Rule::ConnectBody,
            0,
        ),
    ]);
    accepted(&[(&format!("{head}Content-Length: 0\r\n\r\n"), 1)]);
}

#[test]
fn r147_unknown_methods_pass_with_their_case() {
    for (token, method) in [
        ("GET", Method::Get),
        ("get", Method::Other("get")),
        ("BREW", Method::Other("BREW")),
        ("M-SEARCH", Method::Other("M-SEARCH")),
        ("!#$%&'*+-.^_`|~1", Method::Other("!#$%&'*+-.^_`|~1")),
        ("PATCH", Method::Patch),
    ] {
        let data = format!("{token} / HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut decoder = RequestDecoder::new();
        let mut input = decoder.receive(data.as_bytes());
        let Some(Ok(Event::Head(head))) = input.next_event() else {
            panic!("{token}")
        };
        assert_eq!((head.method(), head.method().as_str()), (method, token));
    }
}

#[test]
fn r139_names_compare_without_case_and_the_last_value_counts() {
    let data =
        b"GET / HTTP/1.1\r\nHost: a\r\nACCEPT: 1\r\nx-own: 2\r\naccept:\t 3 4 \t\r\nX-OWN:\r\n\r\n";
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(&data[..]);
    let Some(Ok(Event::Head(head))) = input.next_event() else {
        panic!("a head is there")
    };
    assert_eq!((head.version(), head.fields().len()), (Version::Http11, 5));
    assert_eq!(head.value(Name::Accept), Some(&b"3 4"[..]));
    assert_eq!(head.value("Accept"), Some(&b"3 4"[..]));
    assert_eq!(head.value("X-Own"), Some(&b""[..]));
    assert_eq!(head.value("X-Other"), None);
    assert_eq!(head.value(Name::Cookie), None);
    assert_eq!(
        head.fields().values(Name::Accept).collect::<Vec<_>>(),
        [&b"1"[..], b"3 4"]
    );
    assert_eq!(
        head.fields().values("X-OWN").collect::<Vec<_>>(),
        [&b"2"[..], b""]
    );
    let names: Vec<_> = head.fields().iter().map(|field| field.name).collect();
    assert_eq!(names, ["Host", "ACCEPT", "x-own", "accept", "X-OWN"]);
    assert_eq!(head.as_bytes(), data);
}

#[test]
fn r136_expectations() {
    for (version, value, expected) in [
        ("1.1", "100-continue", Expect::Continue),
        ("1.1", "100-Continue", Expect::Continue),
        ("1.1", "100-continue, x", Expect::Other),
        ("1.1", "something", Expect::Other),
        ("1.1", "100-continue\r\nExpect: 100-continue", Expect::Other),
        ("1.0", "100-continue", Expect::Nothing),
    ] {
        let data = format!("GET / HTTP/{version}\r\nHost: a\r\nExpect: {value}\r\n\r\n");
        let mut decoder = RequestDecoder::new();
        let mut input = decoder.receive(data.as_bytes());
        let Some(Ok(Event::Head(head))) = input.next_event() else {
            panic!("{value}")
        };
        assert_eq!(head.expect(), expected, "{value}");
    }
}

#[test]
fn a_stream_ends_between_requests() {
    for cut in ["G", "GET / HTTP/1.1\r\nHost: a\r\n\r", "\r"] {
        let error = broken(cut.as_bytes()).unwrap();
        assert_eq!(
            (error.rule(), error.offset()),
            (Rule::Truncated, cut.len() as u64),
            "{cut:?}"
        );
    }
    let cut = chunked("5\r\nhel");
    let heard = told(cut.as_bytes());
    assert!(
        matches!(heard[1..], [Told::Body(_), Told::Broken(_)]),
        "{heard:?}"
    );
    assert_eq!(told(b""), []);
}

#[test]
fn r129_what_was_not_pulled_waits() {
    let mut decoder = RequestDecoder::new();
    let data = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3);
    let mut input = decoder.receive(data.as_bytes());
    assert!(matches!(input.next_event(), Some(Ok(Event::Head(_)))));
    assert!(matches!(input.next_event(), Some(Ok(Event::End))));
    drop(input);
    assert_eq!(
        (decoder.buffered(), decoder.is_idle()),
        (data.len() / 3 * 2, false)
    );
    let mut input = decoder.receive(b"GET /2");
    let mut heads = 0;
    while let Some(event) = input.next_event() {
        heads += usize::from(matches!(event.unwrap(), Event::Head(_)));
    }
    drop(input);
    assert_eq!((heads, decoder.buffered()), (2, b"GET /2".len()));
    assert_eq!(decoder.take_rest(), b"GET /2");
}

/// A head and a body that lie whole in the received bytes are lent from there.
#[test]
fn law_nothing_is_copied() {
    let data = post("Content-Length: 5\r\n\r\nhello").repeat(2) + &post("Conten");
    let range = data.as_bytes().as_ptr_range();
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(data.as_bytes());
    let mut lent = 0;
    while let Some(event) = input.next_event() {
        let bytes = match event.unwrap() {
            Event::Head(head) => {
                assert_eq!(head.body(), BodyLength::Known(5));
                assert_eq!(
                    head.target(),
                    Target::Origin {
                        path: "/",
                        query: None
                    }
                );
                head.as_bytes()
            }
            Event::Body(body) => body,
            Event::Trailers(_) => panic!("there are none"),
            Event::End => continue,
        };
        assert!(range.contains(&bytes.as_ptr()));
        lent += 1;
    }
    assert_eq!(lent, 4);
    // What joins an unfinished head is no more than needed: the body behind it is lent again.
    drop(input);
    let rest = [b"t-Length: 100000\r\n\r\n", &[b'x'; 100_000][..]].concat();
    let range = rest.as_ptr_range();
    let mut input = decoder.receive(&rest);
    assert!(matches!(input.next_event(), Some(Ok(Event::Head(_)))));
    let Some(Ok(Event::Body(body))) = input.next_event() else {
        panic!("a body is there")
    };
    assert_eq!(body.len(), 100_000);
    assert!(range.contains(&body.as_ptr()));
}
