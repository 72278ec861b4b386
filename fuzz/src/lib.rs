//! What the fuzz targets check: the laws of the grammars, on the fuzzer's bytes.
//!
//! For: the targets in `fuzz_targets`, one per grammar. Not for: laws of its own; they are those
//! of the property tests (`crates/grammar/tests/grammar/law.rs`).
//!
//! The first four bytes of an input choose the settings and how the stream is split; the rest is
//! the stream, and, cut into pieces, the messages to send.

#[path = "../../crates/core/tests/endpoints/law.rs"]
mod endpoint_law;
#[path = "../../crates/grammar/tests/grammar/http1_law.rs"]
mod http1_law;
#[path = "../../crates/grammar/tests/grammar/law.rs"]
mod law;
#[path = "../../crates/grammar/tests/grammar/multipart_law.rs"]
mod multipart_law;
#[path = "../../crates/grammar/tests/grammar/proxy_law.rs"]
mod proxy_law;
#[path = "../../crates/grammar/tests/grammar/pubsub_law.rs"]
mod pubsub_law;
#[path = "../../crates/tls/tests/tls/law.rs"]
mod tls_law;
#[path = "../../crates/web/tests/client/law.rs"]
mod web_client_law;
#[path = "../../crates/web/tests/fields/law.rs"]
mod web_law;
#[path = "../../crates/grammar/tests/grammar/websocket_law.rs"]
mod websocket_law;

use std::sync::Once;

use law::Plan;
use ropewalk_core::endpoint::register;
use ropewalk_grammar::http1::{Limits, Method, RequestDecoder, ResponseDecoder};
use ropewalk_grammar::multipart::{self, MultipartDecoder};
use ropewalk_grammar::proxy::ProxyDecoder;
use ropewalk_grammar::websocket::{Decoder, Deflate, Encoder, Extension, Role};
use ropewalk_grammar::{Delimiter, LengthPrefixedGrammar, LineGrammar, NetstringGrammar, Width};
use ropewalk_tls::{Certificates, ClientOptions, Roots, ServerOptions, TlsClient, TlsServer};

/// Limits from tight to none.
const LIMITS: [usize; 4] = [3, 40, 16_384, usize::MAX];

/// Any split tells the same lines and raw bytes; sent lines are received.
pub fn line(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let delimiters: [&[u8]; 4] = [b"\r\n", b"\n", b"aba", b"\r\n.\r\n"];
    let delimiter = Delimiter::new(delimiters[settings % 4]).expect("none is empty");
    let grammar = LineGrammar::new().with_delimiter(delimiter);
    let limited = grammar.clone().with_limit_bytes(LIMITS[settings / 4 % 4]);
    law::any_split_tells_the_same_lines(&limited, data, &plan);
    law::sent_lines_are_received(
        &grammar.with_limit_bytes(usize::MAX),
        &messages(data),
        &plan,
    );
}

/// Any split tells the same strings; sent strings are received.
pub fn length_prefixed(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let width = [Width::Bits8, Width::Bits16, Width::Bits32][settings % 3];
    let grammar = LengthPrefixedGrammar::new(width);
    let limited = grammar.clone().with_limit_bytes(LIMITS[settings / 4 % 4]);
    law::any_split_tells_the_same_strings(&limited, data, &plan);
    law::sent_strings_are_received(
        &grammar.with_limit_bytes(usize::MAX),
        &messages(data),
        &plan,
    );
}

/// Any split tells the same; what is said again is understood as the same.
pub fn nats(input: &[u8]) {
    if let Some((settings, plan, data)) = settings(input) {
        pubsub_law::nats(data, LIMITS[settings % 4], &plan);
    }
}

/// Any split tells the same; what is said again is understood as the same.
pub fn resp(input: &[u8]) {
    if let Some((settings, plan, data)) = settings(input) {
        pubsub_law::resp(data, LIMITS[settings % 4], &plan);
    }
}

/// Any split tells the same strings; sent strings are received.
pub fn netstring(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let grammar = NetstringGrammar::new();
    let limited = grammar.clone().with_limit_bytes(LIMITS[settings / 4 % 4]);
    law::any_split_tells_the_same_strings(&limited, data, &plan);
    law::sent_strings_are_received(
        &grammar.with_limit_bytes(usize::MAX),
        &messages(data),
        &plan,
    );
}

/// Any split tells the same header; a header that came can be sent again.
pub fn proxy(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let decoder = ProxyDecoder::new().with_limit_bytes(LIMITS[settings % 4]);
    proxy_law::any_split_tells_the_same_header(&decoder, data, &plan.sizes);
    proxy_law::a_header_ends_where_it_says(&decoder, data);
}

/// Any split tells the same requests; what is understood can be sent, and is then understood as the same;
/// what is sent is heard, and answered.
pub fn http1_request(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let decoder = RequestDecoder::new().with_limits(http1_limits(Limits::REQUEST, settings));
    http1_law::any_split_tells_the_same_requests(&decoder, data, &plan);
    http1_law::what_is_understood_can_be_sent(data);
    http1_law::sent_messages_are_heard(Method::Post, "/", &[], &messages(data), &plan);
}

/// Any split tells the same responses, whatever was asked; and whatever is sent as a response is one.
pub fn http1_response(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let decoder = ResponseDecoder::new().with_limits(http1_limits(Limits::RESPONSE, settings));
    let methods = [Method::Get, Method::Head, Method::Connect, Method::Post];
    let methods = &methods[settings / 4 % 4..];
    http1_law::any_split_tells_the_same_responses(&decoder, methods, data, &plan);
    let status = u16::try_from(settings).expect("it is one byte") * 4;
    let (name, value) = data.split_at(data.len() / 2);
    let reason = String::from_utf8_lossy(name);
    http1_law::a_sent_response_is_one(status, &reason, name, value);
}

/// Any split tells the same parts; what is understood can be sent; what is sent is heard.
pub fn multipart(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let decoder = match settings % 2 {
        0 => MultipartDecoder::form(multipart_law::boundary()),
        _ => MultipartDecoder::mixed(multipart_law::boundary()),
    };
    let mut limits = multipart::Limits::default();
    if settings.is_multiple_of(8) {
        (limits.parts, limits.name_bytes, limits.part_bytes) = (2, 4, 9);
        (limits.head_bytes, limits.total_bytes) = (60, 200);
    }
    let decoder = decoder.with_limits(limits);
    multipart_law::any_split_tells_the_same_parts(&decoder, data, &plan);
    multipart_law::what_is_understood_can_be_sent(&decoder, data);
    let mut contents = messages(data);
    contents.truncate(60);
    let names = contents
        .iter()
        .map(|name| String::from_utf8_lossy(name).chars().take(99).collect());
    multipart_law::sent_parts_are_received(&names.collect::<Vec<_>>(), &contents, &plan);
}

/// Any split tells the same messages, compressed or not; what is heard can be said; what is sent is heard.
pub fn websocket(input: &[u8]) {
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    let role = [Role::Server, Role::Client][settings % 2];
    let limit = LIMITS[settings / 2 % 4];
    let deflate = Deflate::new()
        .with_compress_from_bytes(0)
        .with_context_takeover(settings / 8 % 2 == 0)
        .with_window_bits(9 + (settings / 16 % 7) as u8);
    let offer = Extension::parse(b"permessage-deflate; client_max_window_bits");
    let agreed = deflate.agree(offer.flatten()).expect("it is a right offer");
    let plain = || Decoder::new(role).with_limit_bytes(limit.min(1 << 20));
    websocket_law::any_split_tells_the_same(&plain, data, &plan);
    websocket_law::any_split_tells_the_same(&|| plain().with_deflate(agreed), data, &plan);
    websocket_law::what_is_heard_can_be_said(&plain, data, &plan);
    let encoder = Encoder::client([7; 16]).with_deflate(agreed, &deflate);
    let decoder = Decoder::new(Role::Server).with_deflate(agreed);
    websocket_law::sent_messages_are_heard(encoder, decoder, &messages(data), &plan);
}

/// Whatever a peer writes into a target or a field, what is made of it is safe; the first byte says how large a resource is.
pub fn web_fields(input: &[u8]) {
    let Some((size, text)) = input.split_first() else {
        return;
    };
    let size = match size {
        255 => u64::MAX,
        size => u64::from(*size),
    };
    web_law::log_lines_are_lines(text);
    web_law::all(&String::from_utf8_lossy(text), size);
}

/// A URL or a cookie in the first line, and behind it where a server redirects to: what comes of them is asked for as it was said, and
/// goes where it belongs.
pub fn web_client(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n');
    let (one, other) = input.split_at(end.unwrap_or(input.len()));
    let other = other.get(1..).unwrap_or_default();
    web_client_law::all(&String::from_utf8_lossy(one), other);
}

/// From tight to usual.
fn http1_limits(mut limits: Limits, settings: usize) -> Limits {
    if settings.is_multiple_of(4) {
        (limits.line_bytes, limits.head_bytes, limits.fields) = (24, 60, 2);
    }
    limits
}

/// Every text is an endpoint, or an error that points into it.
pub fn endpoint(text: &str) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| register(ropewalk_protocols::PROXY_KIND));
    endpoint_law::every_text_is_understood_or_its_fault_is_shown(text);
    endpoint_law::a_quoted_text_is_one_field(text);
}

/// A hello, records after the handshake, and records that were changed: any split makes the same of them, and only what the peer
/// said comes up.
pub fn tls(input: &[u8]) {
    thread_local! {
        // Made once: they sign. The key protects nothing, everybody has it.
        static ENDS: (TlsServer, TlsClient) = {
            let (cert, key) = (include_str!("tls.pem"), include_str!("tls.key.pem"));
            let certificates = Certificates::from_pem(cert, key).expect("a pair");
            let server = TlsServer::new(ServerOptions::new(certificates).alpn(["h2"]));
            let roots = Roots::from_pem(cert).expect("a root");
            let client = TlsClient::new(ClientOptions::new(roots).without_resumption());
            (server.expect("a server"), client.expect("a client"))
        };
    }
    let Some((settings, plan, data)) = settings(input) else {
        return;
    };
    ENDS.with(|(server, client)| match settings % 8 {
        0 => tls_law::changed_records_bring_nothing_up(server, client, data, &plan.sizes),
        1 => tls_law::raw_bytes_bring_nothing_up(server, client, data, &plan.sizes),
        2 => tls_law::any_answer_to_a_hello_is_survived(client, data, &plan.sizes),
        3 => tls_law::changed_hellos_end_the_same(server, client, data, &plan.sizes),
        _ => tls_law::any_split_of_a_hello_is_the_same(server, data, &plan.sizes),
    });
}

fn settings(input: &[u8]) -> Option<(usize, Plan, &[u8])> {
    let ([settings, first, second, pause], data) = input.split_first_chunk()?;
    let sizes = vec![usize::from(first % 32), usize::from(*second)];
    let plan = Plan {
        sizes,
        pause_after: usize::from(pause % 4),
    };
    Some((usize::from(*settings), plan, data))
}

fn messages(data: &[u8]) -> Vec<Vec<u8>> {
    data.split(|&byte| byte == b',')
        .map(<[u8]>::to_vec)
        .collect()
}
