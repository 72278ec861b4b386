//! The laws of `http1_law.rs`, on generated streams and messages.

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::http1::{Limits, Method, RequestDecoder, ResponseDecoder};

use crate::http1_law as law;
use crate::law::Plan;

fn plans() -> impl Strategy<Value = Plan> {
    (vec(1..40usize, 1..8), 0..4usize).prop_map(|(sizes, pause_after)| Plan { sizes, pause_after })
}

/// Pieces of messages, right and wrong, so that most streams get somewhere before they break.
fn pieces(first_lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let fields = prop::sample::select(vec![
        "Host: a\r\n",
        "Host: example.com:80\r\n",
        "Content-Length: 5\r\n",
        "content-length: 0\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "X-Long: some words that are longer than a word of eight bytes \r\n",
        "Empty:\r\n",
        "Tabs:\t\tx\ty\t\r\n",
        " folded\r\n",
        "No-Colon\r\n",
        "Space : x\r\n",
    ]);
    let bodies = prop::sample::select(vec![
        "hello",
        "5\r\nhello\r\n0\r\n\r\n",
        "1;a=b\r\nx\r\n00;c=\"d\\\"e\"\r\nETag: x\r\n\r\n",
        "5\r\nhel",
        "0\r\nHost: a\r\n\r\n",
        "ffffffffffffffff\r\n",
        "\r\n",
    ]);
    let head = (prop::sample::select(first_lines), vec(fields, 0..4))
        .prop_map(|(line, fields)| format!("{line}Host: b\r\n{}\r\n", fields.concat()));
    prop_oneof![
        6 => head.prop_map(String::into_bytes),
        3 => bodies.prop_map(|body| body.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..9),
    ]
}

const REQUEST_LINES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b=c HTTP/1.1\r\n",
    "GET http://u.example/x HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "POST / HTTP/1.0\r\n",
    "\r\nGET / HTTP/1.1\r\n",
    "get /{a|b} HTTP/1.1\r\n",
    "GET / HTTP/2.0\r\n",
];

const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 200\r\n",
    "HTTP/1.0 404 Not Found\r\n",
    "HTTP/1.1 204 \r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "HTTP/1.1 100 Continue\r\n",
    "HTTP/1.1 103 Early Hints\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 099 Less\r\n",
];

/// Requests that are often like the one before, and keep the connection.
fn repeating() -> impl Strategy<Value = String> {
    let lines = ["GET / HTTP/1.1", "GET /other?x HTTP/1.1", "POST / HTTP/1.1"];
    let sections = [
        "Host: a\r\n\r\n",
        "Host: a\r\nCookie: b\r\n\r\n",
        "Host: a\r\nContent-Length: 3\r\n\r\ntea",
        "Host: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntea\r\n0\r\nETag: c\r\n\r\n",
        "Host: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n",
    ];
    let long = format!("Host: a\r\nLong: {}\r\n\r\n", "x".repeat(600));
    let many = format!("Host: a\r\n{}\r\n", "X: y\r\n".repeat(40));
    let sections = sections.map(str::to_owned).into_iter().chain([long, many]);
    let sections = prop::sample::select(sections.collect::<Vec<_>>());
    (prop::sample::select(lines.to_vec()), sections)
        .prop_map(|(line, section)| format!("{line}\r\n{section}"))
}

/// Law: what is like the request before, whole or in its fields, is told as it is told alone.
fn what_comes_again_is_told_the_same(requests: &[impl AsRef<[u8]>], plan: &Plan) {
    let fresh = RequestDecoder::new();
    let alone = requests
        .iter()
        .flat_map(|one| law::hear_requests(&fresh, one.as_ref(), &Plan::whole()));
    let row: Vec<u8> = requests.iter().flat_map(AsRef::as_ref).copied().collect();
    assert_eq!(
        law::hear_requests(&fresh, &row, plan),
        alone.collect::<Vec<_>>()
    );
}

/// Without the `Host` that every generated head has, more requests would break early; a second one breaks late.
fn streams(first_lines: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    vec(pieces(first_lines), 0..8).prop_map(|pieces| pieces.concat())
}

fn limits() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        4 => Just((8192, 16_384, 500)),
        1 => (10..40usize, 20..100usize, 0..4usize),
    ]
}

fn set(mut base: Limits, (line, head, fields): (usize, usize, usize)) -> Limits {
    (base.line_bytes, base.head_bytes, base.fields) = (line, head, fields);
    base
}

fn methods() -> impl Strategy<Value = (Method<'static>, &'static str)> {
    prop::sample::select(vec![
        (Method::Get, "/"),
        (Method::Head, "/a?b"),
        (Method::Post, "http://example.com/x"),
        (Method::Put, "/{x}"),
        (Method::Connect, "example.com:443"),
        (Method::Options, "*"),
        (Method::Other("BREW"), "/pot"),
        (Method::Other("NOT A TOKEN"), "/"),
        (Method::Get, "/a b"),
        (Method::Get, "/a\r\nX: y"),
    ])
}

fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let names = prop_oneof![
        6 => "[A-Za-z-]{1,12}",
        1 => Just("Upgrade".to_owned()),
        1 => Just("Expect".to_owned()),
        1 => Just("Connection".to_owned()),
        1 => "\\PC{0,3}",
    ];
    let values = prop_oneof![
        6 => "[!-~]([ -~]{0,20}[!-~])?".prop_map(String::into_bytes),
        1 => Just(b"100-continue".to_vec()),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec((names, values), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn law_any_split_tells_the_same_requests(
        data in streams(REQUEST_LINES), plan in plans(), limits in limits()
    ) {
        let decoder = RequestDecoder::new().with_limits(set(Limits::REQUEST, limits));
        law::any_split_tells_the_same_requests(&decoder, &data, &plan);
    }

    #[test]
    fn law_what_comes_again_is_told_the_same(
        requests in vec(repeating(), 1..20), sizes in vec(1..200usize, 1..8), pause_after in 0..4usize
    ) {
        what_comes_again_is_told_the_same(&requests, &Plan { sizes, pause_after });
    }

    #[test]
    fn law_any_split_tells_the_same_responses(
        data in streams(STATUS_LINES), plan in plans(), limits in limits(), methods in vec(methods(), 1..4)
    ) {
        let decoder = ResponseDecoder::new().with_limits(set(Limits::RESPONSE, limits));
        let methods: Vec<_> = methods.into_iter().map(|(method, _)| method).collect();
        law::any_split_tells_the_same_responses(&decoder, &methods, &data, &plan);
    }

    #[test]
    fn law_any_bytes_tell_the_same_requests(data in vec(any::<u8>(), 0..200), plan in plans()) {
        law::any_split_tells_the_same_requests(&RequestDecoder::new(), &data, &plan);
    }

    #[test]
    fn law_what_is_understood_can_be_sent(data in streams(REQUEST_LINES)) {
        law::what_is_understood_can_be_sent(&data);
    }

    #[test]
    fn law_sent_messages_are_heard(
        (method, target) in methods(),
        fields in fields(),
        pieces in vec(vec(any::<u8>(), 0..300), 0..4),
        plan in plans(),
    ) {
        law::sent_messages_are_heard(method, target, &fields, &pieces, &plan);
    }

    #[test]
    fn h1_15_a_sent_response_is_one(
        status in 0..1200u16, reason in "[ -~]{0,9}|\\PC{0,5}|a\r\nb",
        name in "[a-zA-Z-]{0,9}|\\PC{0,5}", value in vec(any::<u8>(), 0..5)
    ) {
        law::a_sent_response_is_one(status, &reason, name.as_bytes(), &value);
    }
}
