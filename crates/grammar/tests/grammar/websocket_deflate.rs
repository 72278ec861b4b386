//! permessage-deflate, rule by rule (RFC 7692).

use ropewalk_grammar::inflate::{ExpansionLimit, InflateError, Inflater};
use ropewalk_grammar::websocket::{Decoder, Deflate, Encoder, Event, Extension, Role, Rule};

use super::law::Plan;
use super::websocket_law::{Told, hear};
use super::websocket_laws::agreed;

fn agree(deflate: &Deflate, offers: &str) -> Option<String> {
    let offers = Extension::parse(offers.as_bytes()).map(|offer| offer.expect("it is a list"));
    deflate.agree(offers).map(|agreed| agreed.answer())
}

#[test]
fn offers_are_answered_as_rfc_7692_has_it() {
    let ours = Deflate::new().with_context_takeover(true);
    for (offer, answer) in [
        ("permessage-deflate", Some("permessage-deflate")),
        (
            "permessage-deflate; server_no_context_takeover",
            Some("permessage-deflate; server_no_context_takeover"),
        ),
        (
            "permessage-deflate; client_no_context_takeover",
            Some("permessage-deflate; client_no_context_takeover"),
        ),
        (
            "permessage-deflate; client_max_window_bits",
            Some("permessage-deflate"),
        ),
        (
            "permessage-deflate; client_max_window_bits=10",
            Some("permessage-deflate; client_max_window_bits=10"),
        ),
        (
            "permessage-deflate; server_max_window_bits=\"10\"",
            Some("permessage-deflate; server_max_window_bits=10"),
        ),
        (
            "permessage-deflate; server_max_window_bits=8, permessage-deflate",
            Some("permessage-deflate"),
        ),
        (
            "x-other; a=b, permessage-deflate",
            Some("permessage-deflate"),
        ),
        ("permessage-deflate; server_max_window_bits=16", None),
        ("permessage-deflate; server_max_window_bits=08", None),
        ("permessage-deflate; server_max_window_bits", None),
        ("permessage-deflate; server_no_context_takeover=1", None),
        (
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            None,
        ),
        ("permessage-deflate; unknown", None),
        ("x-webkit-deflate-frame", None),
    ] {
        assert_eq!(agree(&ours, offer).as_deref(), answer, "{offer}");
    }
    let small = Deflate::new().with_window_bits(11);
    let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                  server_max_window_bits=11; client_max_window_bits=11";
    assert_eq!(
        agree(&small, "permessage-deflate; client_max_window_bits").as_deref(),
        Some(answer)
    );
}

#[test]
fn a_client_refuses_an_answer_that_does_not_fit_its_offer() {
    let answered = |deflate: &Deflate, answer: &str| {
        let answer = Extension::parse(answer.as_bytes()).next().flatten();
        deflate
            .agreed(answer.expect("it is an extension"))
            .is_some()
    };
    let lean = Deflate::new().with_window_bits(10);
    let right = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
    assert!(answered(&lean, right));
    assert!(
        !answered(&lean, "permessage-deflate; server_max_window_bits=10"),
        "it keeps its context"
    );
    assert!(
        !answered(&lean, "permessage-deflate; server_no_context_takeover"),
        "its window is too large"
    );
    assert!(!answered(
        &lean,
        &format!("{right}; client_max_window_bits=11")
    ));
    assert!(
        !answered(&lean, &format!("{right}; client_max_window_bits")),
        "it leaves the size to us"
    );
    assert!(!answered(&lean, "permessage-foo"));
}

#[test]
fn the_examples_of_rfc_7692_are_understood() {
    let (_, agreed) = agreed(true, 15);
    let decoder = || Decoder::new(Role::Client).with_deflate(agreed);
    let hello = Told::Text("Hello".to_owned());
    let one: &[u8] = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00";
    let fragments: &[u8] = b"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00";
    let taken_over: &[u8] = b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00";
    let stored: &[u8] = b"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00";
    let is_final: &[u8] = b"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00";
    let blocks: &[u8] = b"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00";
    for (data, count) in [
        (one, 1),
        (fragments, 1),
        (taken_over, 2),
        (stored, 1),
        (is_final, 1),
        (blocks, 1),
    ] {
        for size in [1, 100] {
            let plan = Plan {
                sizes: vec![size],
                pause_after: 0,
            };
            assert_eq!(
                hear(decoder(), data, &plan),
                vec![hello.clone(); count],
                "{}",
                data.escape_ascii()
            );
        }
    }
}

#[test]
fn ws_04_h1_29_a_bomb_is_refused_at_the_limit() {
    let (deflate, agreed) = agreed(false, 15);
    let mut bomb = Vec::new();
    let mut encoder = Encoder::client([3; 16]).with_deflate(agreed, &deflate);
    encoder
        .send(Event::Binary(&vec![0; 20_000_000]), &mut bomb)
        .unwrap();
    assert!(bomb.len() < 200_000, "{}", bomb.len());
    for size in [1, 1000, usize::MAX] {
        let decoder = Decoder::new(Role::Server).with_deflate(agreed);
        let plan = Plan {
            sizes: vec![size],
            pause_after: 0,
        };
        let told = hear(decoder, &bomb, &plan);
        assert!(matches!(told[..], [Told::Broken(error)] if error.rule() == Rule::MessageTooBig));
    }
}

#[test]
fn ws_04_h1_29_one_limiter_holds_every_wrapping() {
    let zeros = [0; 10_000];
    let mut raw = Vec::with_capacity(200);
    let mut codec = flate2::Compress::new(flate2::Compression::new(6), false);
    codec
        .compress_vec(&zeros, &mut raw, flate2::FlushCompress::Finish)
        .unwrap();
    let mut zlib = Vec::with_capacity(200);
    let mut codec = flate2::Compress::new(flate2::Compression::new(6), true);
    codec
        .compress_vec(&zeros, &mut zlib, flate2::FlushCompress::Finish)
        .unwrap();
    let mut gzip = Vec::with_capacity(200);
    let mut codec = flate2::Compress::new_gzip(flate2::Compression::new(6), 15);
    codec
        .compress_vec(&zeros, &mut gzip, flate2::FlushCompress::Finish)
        .unwrap();
    for (make, data) in [
        (Inflater::raw as fn() -> Inflater, &raw),
        (Inflater::zlib, &zlib),
        (Inflater::gzip, &gzip),
    ] {
        let mut out = Vec::new();
        let inflated = make()
            .inflate(data, &mut out, &mut ExpansionLimit::new(10_000))
            .unwrap();
        assert_eq!(
            (inflated.used, inflated.is_end, out.len()),
            (data.len(), true, 10_000)
        );
        let mut out = Vec::new();
        let refused = make().inflate(data, &mut out, &mut ExpansionLimit::new(9_999));
        assert!(matches!(refused, Err(InflateError::TooLarge(_))));
        assert!(
            out.capacity() <= 2 * 9_999 + 16 * 1024,
            "{}",
            out.capacity()
        );
        assert_eq!(
            make().inflate(
                b"\xff\xff\xff",
                &mut Vec::new(),
                &mut ExpansionLimit::new(9)
            ),
            Err(InflateError::Corrupt)
        );
    }
}

#[test]
fn damaged_compression_is_told() {
    let (_, agreed) = agreed(false, 15);
    let decoder = Decoder::new(Role::Client).with_deflate(agreed);
    let told = hear(decoder, b"\xc2\x03\xff\xff\xff", &Plan::whole());
    assert!(matches!(told[..], [Told::Broken(error)] if error.rule() == Rule::Compression));
    let decoder = Decoder::new(Role::Client).with_deflate(agreed);
    let continued = hear(decoder, b"\x02\x00\xc0\x00", &Plan::whole());
    assert!(matches!(continued[..], [Told::Broken(error)] if error.rule() == Rule::ReservedBits));
}

#[test]
fn messages_that_are_alike_shrink_with_the_context_of_the_last() {
    let text = "It was a bright cold day in April, and the clocks were striking thirteen.";
    let second = |takes_over| {
        let (deflate, agreed) = agreed(takes_over, 15);
        let mut encoder = Encoder::server().with_deflate(agreed, &deflate);
        encoder.send(Event::Text(text), &mut Vec::new()).unwrap();
        let mut out = Vec::new();
        encoder.send(Event::Text(text), &mut out).unwrap();
        out.len()
    };
    assert!(second(true) < 20, "{}", second(true));
    assert!(second(false) > 50, "{}", second(false));
}
