//! The rules of netstrings (SEMANTICS R122).

use crate::law::{self, Plan, Told};
use ropewalk_grammar::{Framing, NetstringError, NetstringGrammar};

const LIMIT: usize = NetstringGrammar::DEFAULT_LIMIT_BYTES;

fn hear(grammar: &mut NetstringGrammar, data: &[u8], size: usize) -> Vec<Told> {
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
fn r122_strings_come_for_every_chunking() {
    let data = b"0:,1:,,5:he,lo,12:hello world!,3:ab";
    let expected = [&b""[..], b",", b"he,lo", b"hello world!"];
    let expected = expected.map(|string| Told::Message(string.to_vec()));
    for size in 1..=data.len() {
        let mut grammar = NetstringGrammar::new();
        assert_eq!(hear(&mut grammar, data, size), expected, "by {size}");
        assert_eq!(grammar.take_rest(), b"3:ab");
    }
}

/// The error of a wrong stream, in any split; every string before it was `a`.
fn assert_broken(data: &[u8], good: usize, error: NetstringError) {
    let mut expected = vec![Told::Message(b"a".to_vec()); good];
    expected.push(Told::Broken(format!("{error:?}")));
    for size in 1..=data.len() {
        let told = hear(&mut NetstringGrammar::new(), data, size);
        assert_eq!(told, expected, "{} by {size}", data.escape_ascii());
    }
}

#[test]
fn r122_a_netstring_begins_with_a_digit() {
    let table: [(&[u8], u64); 7] = [
        (b":a,", 0),
        (b"-1:a,", 0),
        (b"+1:a,", 0),
        (b" 1:a,", 0),
        (b"\xb2:ab,", 0),
        (b"1:a,b", 4),
        (b"1:a,,", 4),
    ];
    for (data, offset) in table {
        let found = data[offset as usize];
        let good = usize::from(offset > 0);
        assert_broken(data, good, NetstringError::MissingLength { offset, found });
    }
}

#[test]
fn r122_a_length_has_no_leading_zero() {
    assert_broken(b"01:a,", 0, NetstringError::LeadingZero { offset: 0 });
    assert_broken(b"1:a,00:,", 1, NetstringError::LeadingZero { offset: 4 });
}

#[test]
fn r122_colon_and_comma_stand_where_they_must() {
    let colons: [(&[u8], u64); 3] = [(b"1 :a,", 1), (b"1a,", 1), (b"0x1:a,", 1)];
    for (data, offset) in colons {
        let found = data[offset as usize];
        assert_broken(data, 0, NetstringError::MissingColon { offset, found });
    }
    let commas: [(&[u8], u64); 4] = [
        (b"2:abc,", 4),
        (b"0:a,", 2),
        (b"1:a\n1:b,", 3),
        (b"1:a,2:bc:", 8),
    ];
    for (data, offset) in commas {
        let found = data[offset as usize];
        let good = usize::from(offset == 8);
        assert_broken(data, good, NetstringError::MissingComma { offset, found });
    }
}

#[test]
fn r122_the_limit_itself_is_accepted_and_one_more_is_not() {
    let grammar = NetstringGrammar::new();
    let mut wire = Vec::new();
    grammar.send(&vec![b'x'; LIMIT], &mut wire).unwrap();
    assert_eq!(
        hear(&mut grammar.clone(), &wire, 4096),
        [Told::Message(vec![b'x'; LIMIT])]
    );

    let error = NetstringError::TooLong {
        offset: 0,
        declared: LIMIT + 1,
        limit: LIMIT,
    };
    assert_eq!(
        grammar.clone().receive(b"100000").next_event(),
        Some(Err(error))
    );
}

#[test]
fn r122_the_length_is_judged_digit_by_digit_before_colon_and_payload() {
    let longest = usize::MAX.to_string().len();
    let table = [(0, 1), (9, 2), (10, 2), (LIMIT, 6), (usize::MAX, longest)];
    for (limit, expected) in table {
        let mut grammar = NetstringGrammar::new().with_limit_bytes(limit);
        let mut told = 0;
        for digits in 1..=25 {
            if let Some(event) = grammar.receive(b"9").next_event() {
                let Err(NetstringError::TooLong {
                    offset: 0,
                    declared,
                    limit: said,
                }) = event
                else {
                    panic!("{event:?}");
                };
                assert_eq!((digits, said), (expected, limit));
                assert!(declared > limit || declared == usize::MAX);
                told += 1;
            }
        }
        assert_eq!(told, 1, "limit {limit}");
        assert_eq!(grammar.buffered(), 0);
    }
}

#[test]
fn r122_a_wrong_comma_is_told_without_waiting_for_more() {
    let mut grammar = NetstringGrammar::new();
    assert_eq!(grammar.receive(b"3:abc").next_event(), None);
    let mut input = grammar.receive(b";");
    let error = NetstringError::MissingComma {
        offset: 5,
        found: b';',
    };
    assert_eq!(input.next_event(), Some(Err(error)));
    assert_eq!(input.rest(), b"3:abc;");
    drop(input);
    assert_eq!(
        grammar.receive(b"1:a,").next_event(),
        None,
        "nothing more is read"
    );
}

#[test]
fn r122_a_whole_string_is_lent_from_the_chunk() {
    let wire = b"3:one,3:two,".to_vec();
    let mut grammar = NetstringGrammar::new();
    let mut input = grammar.receive(&wire);
    for start in [2, 8] {
        let string = input.next_event().unwrap().unwrap();
        assert_eq!(string.as_ptr_range(), wire[start..start + 3].as_ptr_range());
    }
}

#[test]
fn errors_name_place_and_rule() {
    let table = [
        (
            NetstringError::MissingLength {
                offset: 3,
                found: b'\n',
            },
            "a netstring must begin with a digit, but byte 3 is \\n",
        ),
        (
            NetstringError::LeadingZero { offset: 4 },
            "the length of the netstring at byte 4 begins with a zero",
        ),
        (
            NetstringError::TooLong {
                offset: 0,
                declared: 100_000,
                limit: 99_999,
            },
            "the netstring at byte 0 declares 100000 bytes or more where 99999 are accepted; if \
             such strings are right, raise the limit with set_limit_bytes",
        ),
        (
            NetstringError::MissingColon {
                offset: 1,
                found: b'a',
            },
            "a colon must follow the length of a netstring, but byte 1 is a",
        ),
        (
            NetstringError::MissingComma {
                offset: 9,
                found: 0xff,
            },
            "a comma must follow the string of a netstring, but byte 9 is \\xff",
        ),
    ];
    for (error, text) in table {
        assert_eq!(error.to_string(), text);
    }
}
