//! The laws of `law.rs`, for every grammar, on generated streams.
//!
//! That no bytes make a grammar panic is part of each: the streams are arbitrary.

use crate::law::{self, Plan};
use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::{
    Delimiter, Framing, LengthPrefixedGrammar, LineGrammar, NetstringGrammar, Width,
};

fn plans() -> impl Strategy<Value = Plan> {
    (vec(1..9usize, 1..8), 0..4usize).prop_map(|(sizes, pause_after)| Plan { sizes, pause_after })
}

/// Bytes in which delimiters, digits, colons, commas and mode switches are common.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        3 => Just(b"\r\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\n".to_vec()),
        2 => (b'0'..=b'9').prop_map(|digit| vec![b'!', digit, b'\r', b'\n']),
        2 => vec(any::<u8>(), 0..12)
            .prop_map(|body| [body.len().to_string().as_bytes(), b":", &body, b","].concat()),
        1 => vec(any::<u8>(), 0..12),
        1 => vec(b'0'..=b':', 0..4),
        1 => vec(b'a'..=b'c', 0..30),
        1 => vec(0..3u8, 0..8),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn line_grammars() -> impl Strategy<Value = LineGrammar> {
    let delimiter = prop_oneof![
        Just(Delimiter::CRLF),
        Just(Delimiter::LF),
        Just(Delimiter::NUL),
        vec(b'a'..=b'b', 1..6).prop_map(|bytes| Delimiter::new(&bytes).unwrap()),
    ];
    (delimiter, prop_oneof![0..20usize, Just(16_384)]).prop_map(|(delimiter, limit)| {
        LineGrammar::new()
            .with_delimiter(delimiter)
            .with_limit_bytes(limit)
    })
}

fn length_prefixed_grammars() -> impl Strategy<Value = LengthPrefixedGrammar> {
    let widths = prop_oneof![Just(Width::Bits8), Just(Width::Bits16), Just(Width::Bits32)];
    let limits = prop_oneof![0..20usize, 1000..70_000usize, Just(usize::MAX)];
    (widths, limits)
        .prop_map(|(width, limit)| LengthPrefixedGrammar::new(width).with_limit_bytes(limit))
}

fn netstring_grammars() -> impl Strategy<Value = NetstringGrammar> {
    prop_oneof![0..20usize, Just(99_999), Just(usize::MAX)]
        .prop_map(|limit| NetstringGrammar::new().with_limit_bytes(limit))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn law_any_split_line(grammar in line_grammars(), data in streams(), plan in plans()) {
        law::any_split_tells_the_same_lines(&grammar, &data, &plan);
    }

    #[test]
    fn law_any_split_length_prefixed(
        grammar in length_prefixed_grammars(), data in streams(), plan in plans(),
    ) {
        law::any_split_tells_the_same_strings(&grammar, &data, &plan);
    }

    #[test]
    fn law_any_split_netstring(
        grammar in netstring_grammars(), data in streams(), plan in plans(),
    ) {
        law::any_split_tells_the_same_strings(&grammar, &data, &plan);
    }

    #[test]
    fn law_round_trip_line(
        grammar in line_grammars(), lines in vec(vec(any::<u8>(), 0..40), 0..8), plan in plans(),
    ) {
        let grammar = grammar.with_limit_bytes(40);
        law::sent_lines_are_received(&grammar, &lines, &plan);
    }

    #[test]
    fn law_round_trip_line_of_delimiter_bytes(
        grammar in line_grammars(), lines in vec(vec(b'a'..=b'c', 0..9), 0..8), plan in plans(),
    ) {
        let grammar = grammar.with_limit_bytes(40);
        law::sent_lines_are_received(&grammar, &lines, &plan);
    }

    #[test]
    fn law_round_trip_length_prefixed(
        grammar in length_prefixed_grammars(),
        strings in vec(vec(any::<u8>(), 0..600), 0..6),
        plan in plans(),
    ) {
        let grammar = grammar.with_limit_bytes(600);
        law::sent_strings_are_received(&grammar, &strings, &plan);
    }

    #[test]
    fn law_round_trip_netstring(
        strings in vec(vec(any::<u8>(), 0..600), 0..6), plan in plans(),
    ) {
        let grammar = NetstringGrammar::new().with_limit_bytes(600);
        law::sent_strings_are_received(&grammar, &strings, &plan);
    }

    #[test]
    fn law_the_rest_is_what_no_event_delivered(
        data in streams(), cut in any::<prop::sample::Index>(), events in 0..5usize,
    ) {
        let cut = cut.index(data.len() + 1);
        let mut grammar = LineGrammar::new();
        let mut delivered = 0;
        let mut count = |input: &mut ropewalk_grammar::Input<'_, LineGrammar>| {
            for _ in 0..events {
                match input.next_event() {
                    Some(Ok(ropewalk_grammar::LineEvent::Line(line))) => delivered += line.len() + 2,
                    _ => break,
                }
            }
        };
        count(&mut grammar.receive(&data[..cut]));
        let mut input = grammar.receive(&data[cut..]);
        count(&mut input);
        prop_assert_eq!(input.rest(), &data[delivered..]);
        prop_assert_eq!(input.take_rest(), &data[delivered..]);
        prop_assert_eq!(grammar.buffered(), 0);
    }
}
