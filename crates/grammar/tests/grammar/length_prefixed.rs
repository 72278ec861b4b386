//! The rules of length-prefixed strings (SEMANTICS R123).

use crate::law::{self, Plan, Told};
use ropewalk_grammar::{Framing, LengthPrefixedError, LengthPrefixedGrammar, Width};

const WIDTHS: [Width; 3] = [Width::Bits8, Width::Bits16, Width::Bits32];

fn hear(grammar: &mut LengthPrefixedGrammar, data: &[u8], size: usize) -> Vec<Told> {
    law::hear(
        grammar,
        data,
        &Plan {
            sizes: vec![size],
            pause_after: 0,
        },
        law::pull_string,
    )
}

#[test]
fn r123_strings_follow_a_length_in_network_order() {
    let table: [(Width, &[u8]); 3] = [
        (Width::Bits8, b"\x03abc\x00\x01d\x02e"),
        (Width::Bits16, b"\x00\x03abc\x00\x00\x00\x01d\x00\x02e"),
        (
            Width::Bits32,
            b"\0\0\0\x03abc\0\0\0\0\0\0\0\x01d\0\0\0\x02e",
        ),
    ];
    for (width, data) in table {
        for size in 1..=data.len() {
            let mut grammar = LengthPrefixedGrammar::new(width);
            let expected = [&b"abc"[..], b"", b"d"].map(|string| Told::Message(string.to_vec()));
            assert_eq!(
                hear(&mut grammar, data, size),
                expected,
                "{width:?} by {size}"
            );
            assert_eq!(
                grammar.buffered(),
                width.prefix_bytes() + 1,
                "the unfinished one waits"
            );
        }
    }
}

#[test]
fn r123_every_byte_of_the_prefix_counts() {
    let grammar = LengthPrefixedGrammar::new(Width::Bits32).with_limit_bytes(usize::MAX);
    let body = vec![7; 0x01_02_03];
    let mut wire = Vec::new();
    grammar.send(&body, &mut wire).unwrap();
    assert_eq!(wire[..4], [0x00, 0x01, 0x02, 0x03]);
    assert_eq!(
        hear(&mut grammar.clone(), &wire, 1000),
        [Told::Message(body)]
    );
}

#[test]
fn r123_the_limit_itself_is_accepted_and_one_more_is_not() {
    for (declared, whole) in [(4u32, true), (5, false)] {
        let mut grammar = LengthPrefixedGrammar::new(Width::Bits32).with_limit_bytes(4);
        let wire = [&declared.to_be_bytes()[..], b"abcde"].concat();
        let mut input = grammar.receive(&wire);
        let expected = LengthPrefixedError::TooLong {
            offset: 0,
            declared: 5,
            limit: 4,
        };
        let expected = if whole {
            Ok(&b"abcd"[..])
        } else {
            Err(expected)
        };
        assert_eq!(input.next_event(), Some(expected));
    }
    assert_eq!(
        LengthPrefixedGrammar::new(Width::Bits16).limit_bytes(),
        99_999
    );
}

#[test]
fn r123_a_prefix_above_the_limit_is_told_at_once_and_nothing_after_it() {
    let mut grammar = LengthPrefixedGrammar::new(Width::Bits16).with_limit_bytes(300);
    let error = LengthPrefixedError::TooLong {
        offset: 3,
        declared: 301,
        limit: 300,
    };
    let mut input = grammar.receive(b"\x00\x01a\x01\x2d");
    assert_eq!(input.next_event(), Some(Ok(&b"a"[..])));
    assert_eq!(
        input.next_event(),
        Some(Err(error)),
        "before any byte of the string"
    );
    assert_eq!(input.rest(), b"\x01\x2d");
    assert_eq!(input.next_event(), None);
    drop(input);
    assert_eq!(grammar.receive(b"\x00\x01b").next_event(), None);
    assert_eq!(grammar.buffered(), 0);
}

#[test]
fn r123_sending_too_long_a_string_is_an_error_before_any_byte() {
    for (width, longest) in [(Width::Bits8, 255), (Width::Bits16, 65_535)] {
        let grammar = LengthPrefixedGrammar::new(width).with_limit_bytes(1);
        let mut out = b"before".to_vec();
        let long = vec![b'x'; longest + 1];
        let error = LengthPrefixedError::TooLongToSend {
            length: longest + 1,
            width,
        };
        assert_eq!(grammar.send(&long, &mut out), Err(error));
        assert_eq!(out, b"before");
        grammar.send(&long[1..], &mut out).unwrap();
        assert_eq!(
            out.len(),
            6 + width.prefix_bytes() + longest,
            "our limit is not the peer's"
        );
    }
}

#[test]
fn r123_a_whole_string_is_lent_from_the_chunk() {
    for width in WIDTHS {
        let mut grammar = LengthPrefixedGrammar::new(width);
        let mut wire = Vec::new();
        grammar.send(b"one", &mut wire).unwrap();
        grammar.send(b"two", &mut wire).unwrap();
        let mut input = grammar.receive(&wire);
        for start in [width.prefix_bytes(), 2 * width.prefix_bytes() + 3] {
            let string = input.next_event().unwrap().unwrap();
            assert_eq!(string.as_ptr_range(), wire[start..start + 3].as_ptr_range());
        }
    }
}

#[test]
fn errors_name_lengths_limit_and_remedy() {
    let texts = [
        LengthPrefixedError::TooLong {
            offset: 9,
            declared: 100_000,
            limit: 99_999,
        }
        .to_string(),
        LengthPrefixedError::TooLongToSend {
            length: 256,
            width: Width::Bits8,
        }
        .to_string(),
    ];
    assert_eq!(
        texts,
        [
            "the string at byte 9 declares 100000 bytes where 99999 are accepted; if such strings \
             are right, raise the limit with set_limit_bytes",
            "a string of 256 bytes does not fit a prefix of 8 bits, which says 255 at most; use a \
             wider prefix or send it in parts",
        ],
    );
}
