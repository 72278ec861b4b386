//! The rules of lines, one table or case each (SEMANTICS R117 to R121).

use ropewalk_grammar::{Delimiter, Framing, Input, LineError, LineEvent, LineGrammar};

const LIMIT: usize = LineGrammar::DEFAULT_LIMIT_BYTES;

fn pull_lines(input: &mut Input<'_, LineGrammar>) -> Result<Vec<Vec<u8>>, LineError> {
    let mut lines = Vec::new();
    while let Some(event) = input.next_event() {
        match event? {
            LineEvent::Line(line) => lines.push(line.to_vec()),
            LineEvent::Raw(data) => panic!("raw bytes {data:?} in line mode"),
        }
    }
    Ok(lines)
}

fn lines(grammar: &mut LineGrammar, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, LineError> {
    let mut all = Vec::new();
    for chunk in chunks {
        all.extend(pull_lines(&mut grammar.receive(chunk))?);
    }
    Ok(all)
}

#[test]
fn r117_lines_come_without_delimiter_for_every_split_in_three() {
    let data = b"one\r\n\r\nth\rr\nee\r\r\nrest\r";
    for first in 0..=data.len() {
        for second in first..=data.len() {
            let mut grammar = LineGrammar::new();
            let chunks = [&data[..first], &data[first..second], &data[second..]];
            let expected = [&b"one"[..], b"", b"th\rr\nee\r"];
            assert_eq!(
                lines(&mut grammar, &chunks).unwrap(),
                expected,
                "{first} {second}"
            );
            assert_eq!(grammar.take_rest(), b"rest\r");
        }
    }
}

#[test]
fn r117_any_bytes_may_be_the_delimiter() {
    let table: [(&[u8], &[u8], &str); 6] = [
        (b"\n", b"a\r\nb\n", "a\r|b"),
        (b"\0", b"a\0\0", "a|"),
        (b"\r\n", b"a\n\r\r\n", "a\n\r"),
        (b"aa", b"xaaaaya", "x|"),
        (b"aab", b"aaaabaab", "aa|"),
        (b"\r\n.\r\n", b"one\r\n.\r\r\n.\r\n..", "one\r\n.\r"),
    ];
    for (delimiter, data, expected) in table {
        let expected: Vec<&[u8]> = expected.split('|').map(str::as_bytes).collect();
        let fresh = LineGrammar::new().with_delimiter(Delimiter::new(delimiter).unwrap());
        assert_eq!(lines(&mut fresh.clone(), &[data]).unwrap(), expected);
        let bytes: Vec<&[u8]> = data.chunks(1).collect();
        assert_eq!(
            lines(&mut fresh.clone(), &bytes).unwrap(),
            expected,
            "byte by byte"
        );
    }
    assert_eq!(Delimiter::new(b""), Err(LineError::EmptyDelimiter));
    assert_eq!(Delimiter::new(b"\r\n").unwrap(), Delimiter::CRLF);
}

#[test]
fn r117_the_delimiter_may_change_between_two_lines() {
    let mut grammar = LineGrammar::new();
    let mut input = grammar.receive(b"a\r\nb\nc\r\nd\n");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"a"))));
    input.set_delimiter(Delimiter::LF);
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"b"))));
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"c\r"))));
    input.set_delimiter(Delimiter::CRLF);
    assert_eq!(input.next_event(), None);
    drop(input);
    grammar.set_delimiter(Delimiter::LF);
    assert_eq!(
        lines(&mut grammar, &[b""]).unwrap(),
        [b"d"],
        "the bytes are looked at again"
    );
}

#[test]
fn r117_a_whole_line_is_lent_from_the_chunk_and_only_the_rest_is_kept() {
    let mut grammar = LineGrammar::new();
    let chunk = b"first\r\nsecond\r\nthi".to_vec();
    let mut input = grammar.receive(&chunk);
    for expected in [0..5, 7..13] {
        let Some(Ok(LineEvent::Line(line))) = input.next_event() else {
            panic!("no line")
        };
        assert_eq!(line.as_ptr_range(), chunk[expected].as_ptr_range());
    }
    assert_eq!(input.next_event(), None);
    drop(input);
    assert_eq!(grammar.buffered(), 3);

    let chunk = b"rd\r\nfourth\r\n".to_vec();
    let mut input = grammar.receive(&chunk);
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"third"))));
    let Some(Ok(LineEvent::Line(line))) = input.next_event() else {
        panic!("no line")
    };
    assert_eq!(
        line.as_ptr_range(),
        chunk[4..10].as_ptr_range(),
        "lending goes on after a join"
    );
    drop(input);
    assert_eq!(grammar.buffered(), 0);
}

#[test]
fn r118_a_line_of_exactly_the_limit_is_delivered() {
    let line = vec![b'x'; LIMIT];
    let ended = [&line[..], b"\r\n"].concat();
    for size in [1, 7, LIMIT, LIMIT + 1, LIMIT + 2] {
        let chunks: Vec<&[u8]> = ended.chunks(size).collect();
        assert_eq!(
            lines(&mut LineGrammar::new(), &chunks).unwrap(),
            [&line[..]],
            "by {size}"
        );
    }
}

#[test]
fn r118_the_first_bytes_of_a_delimiter_do_not_count_as_line() {
    let mut grammar = LineGrammar::new().with_limit_bytes(3);
    assert_eq!(lines(&mut grammar, &[b"abc", b"\r"]), Ok(vec![]));
    assert_eq!(lines(&mut grammar.clone(), &[b"\n"]).unwrap(), [b"abc"]);
    let too_long = Err(LineError::TooLong {
        offset: 0,
        limit: 3,
    });
    assert_eq!(
        lines(&mut grammar, &[b"x"]),
        too_long,
        "it was no delimiter"
    );
}

#[test]
fn r118_a_longer_line_goes_with_everything_behind_it_ended_or_not() {
    let table: [(&[&[u8]], &[u8]); 5] = [
        (&[b"ok\r\nabcd"], b"abcd"),
        (&[b"ok\r\nabcd\r\nmore\r\n"], b"abcd\r\nmore\r\n"),
        (&[b"ok\r\nab", b"cd\r\nmore"], b"abcd\r\nmore"),
        (&[b"ok\r\nabc", b"\r", b"x\r\nmore"], b"abc\rx\r\nmore"),
        (&[b"o", b"k\r", b"\nabc", b"d"], b"abcd"),
    ];
    for (chunks, rest) in table {
        let mut grammar = LineGrammar::new().with_limit_bytes(3);
        let (last, before) = chunks.split_last().unwrap();
        lines(&mut grammar, before).unwrap();
        let mut input = grammar.receive(last);
        let error = pull_lines(&mut input);
        assert_eq!(
            error,
            Err(LineError::TooLong {
                offset: 4,
                limit: 3
            }),
            "{chunks:?}"
        );
        assert_eq!(input.rest(), rest);
        assert_eq!(input.next_event(), None, "told once");
        drop(input);
        assert_eq!(
            grammar.buffered(),
            0,
            "nothing is kept of a stream that broke the rule"
        );
        assert_eq!(
            lines(&mut grammar, &[b"ok\r\n"]),
            Ok(vec![]),
            "and nothing more is read"
        );
    }
}

#[test]
fn r118_the_rejected_line_can_be_taken_raw_and_the_stream_resumed() {
    let mut grammar = LineGrammar::new().with_limit_bytes(4);
    let mut input = grammar.receive(b"much too long\r\nfine\r\n");
    assert!(matches!(
        input.next_event(),
        Some(Err(LineError::TooLong { .. }))
    ));
    input.set_raw();
    let Some(Ok(LineEvent::Raw(data))) = input.next_event() else {
        panic!("no raw bytes")
    };
    assert_eq!(data, b"much too long\r\nfine\r\n");
    input.set_line(b"fine\r\n".len());
    assert_eq!(pull_lines(&mut input).unwrap(), [b"fine"]);
}

#[test]
fn r119_what_is_behind_the_last_wanted_line_can_be_thrown_away() {
    let mut grammar = LineGrammar::new();
    assert_eq!(lines(&mut grammar, &[b"qu"]), Ok(vec![]));
    let mut input = grammar.receive(b"it\r\nnever\r\nsee");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"quit"))));
    input.discard();
    assert_eq!(grammar.buffered(), 0);
    assert_eq!(lines(&mut grammar, &[b"n\r\n"]).unwrap(), [b"n"]);
}

#[test]
fn r119_thrown_away_bytes_count_in_the_stream_and_leave_no_trace() {
    let discard = |grammar: &mut LineGrammar| grammar.receive(b"12\r").discard();
    let take =
        |grammar: &mut LineGrammar| assert_eq!(grammar.receive(b"12\r").take_rest(), b"part12\r");
    let fail = |grammar: &mut LineGrammar| {
        grammar.set_limit_bytes(1);
        assert!(grammar.receive(b"12\r").next_event().unwrap().is_err());
        grammar.set_limit_bytes(4);
        grammar.set_line();
    };
    let ways: [fn(&mut LineGrammar); 3] = [discard, take, fail];
    for (index, way) in ways.into_iter().enumerate() {
        let mut grammar = LineGrammar::new().with_limit_bytes(4);
        assert_eq!(lines(&mut grammar, &[b"part"]), Ok(vec![]));
        way(&mut grammar);
        assert_eq!(grammar.buffered(), 0, "way {index}");
        assert_eq!(
            lines(&mut grammar, &[b"\n", b"\r\n"]).unwrap(),
            [b"\n"],
            "way {index}"
        );
        let too_long = Err(LineError::TooLong {
            offset: 10,
            limit: 4,
        });
        assert_eq!(lines(&mut grammar, &[b"12345"]), too_long, "way {index}");
    }
}

#[test]
fn r120_lines_behind_a_pause_come_before_new_data_at_any_nesting() {
    let mut grammar = LineGrammar::new();
    let one = |grammar: &mut LineGrammar, data: &[u8]| match grammar.receive(data).next_event() {
        Some(Ok(LineEvent::Line(line))) => Some(line.to_vec()),
        None => None,
        other => panic!("{other:?}"),
    };
    assert_eq!(one(&mut grammar, b"1\r\n2\r\n3").unwrap(), b"1");
    assert_eq!(one(&mut grammar, b"x\r\n4\r\n").unwrap(), b"2");
    assert_eq!(one(&mut grammar, b"5\r").unwrap(), b"3x");
    assert_eq!(one(&mut grammar, b"").unwrap(), b"4");
    assert_eq!(one(&mut grammar, b""), None);
    assert_eq!(one(&mut grammar, b"\n").unwrap(), b"5");
    assert_eq!(grammar.buffered(), 0);
}

#[test]
fn r120_data_that_comes_while_paused_is_only_kept() {
    let mut grammar = LineGrammar::new();
    drop(grammar.receive(b"1\r\n"));
    drop(grammar.receive(b"2\r\n3"));
    assert_eq!(grammar.buffered(), 7);
    assert_eq!(lines(&mut grammar, &[b"\r\n"]).unwrap(), [b"1", b"2", b"3"]);
}

#[test]
fn r121_raw_mode_takes_effect_with_the_next_byte() {
    let mut grammar = LineGrammar::new();
    let mut input = grammar.receive(b"go\r\n\r\nraw\r\n");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"go"))));
    input.set_raw();
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Raw(b"\r\nraw\r\n"))));
    assert_eq!(input.next_event(), None);
    drop(input);
    assert_eq!(
        grammar.receive(b"\r\n").next_event(),
        Some(Ok(LineEvent::Raw(b"\r\n")))
    );
    grammar.set_line();
    assert_eq!(lines(&mut grammar, &[b"back\r\n"]).unwrap(), [b"back"]);
}

#[test]
fn r121_bytes_that_waited_come_first_in_raw_mode() {
    let mut grammar = LineGrammar::new();
    assert_eq!(lines(&mut grammar, &[b"unfinished"]), Ok(vec![]));
    grammar.set_raw();
    let mut input = grammar.receive(b" line\r\n");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Raw(b"unfinished"))));
    input.set_line(4);
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"shed line"))));
}

#[test]
fn r121_looking_at_the_rest_does_not_hinder_handing_back() {
    let mut grammar = LineGrammar::new();
    drop(grammar.receive(b"raw, line\r"));
    grammar.set_raw();
    let mut input = grammar.receive(b"\nnext\r\n");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Raw(b"raw, line\r"))));
    assert_eq!(input.rest(), b"\nnext\r\n");
    input.set_line(6);
    assert_eq!(input.rest(), b" line\r\nnext\r\n");
    assert_eq!(pull_lines(&mut input).unwrap(), [&b" line"[..], b"next"]);
}

#[test]
fn r121_left_over_bytes_are_handed_back_for_every_number_and_split() {
    let data = b"3\r\nabcdef\r\ng\r\n";
    for unread in 0..=3 {
        for cut in 0..=data.len() {
            let mut grammar = LineGrammar::new();
            let (mut told, mut raw_left) = (Vec::new(), 0);
            for chunk in [&data[..cut], &data[cut..]] {
                let mut input = grammar.receive(chunk);
                while let Some(event) = input.next_event() {
                    match event.unwrap() {
                        LineEvent::Line(line) => {
                            told.push(line.to_vec());
                            if line == b"3" {
                                raw_left = 3 - unread;
                                input.set_raw();
                            }
                        }
                        LineEvent::Raw(data) => {
                            let (mine, length) = (data.len().min(raw_left), data.len());
                            raw_left -= mine;
                            if raw_left == 0 {
                                input.set_line(length - mine);
                            }
                        }
                    }
                }
            }
            let line = &b"abcdef"[3 - unread..];
            assert_eq!(
                told,
                [b"3", line, b"g"],
                "{unread} handed back, cut at {cut}"
            );
        }
    }
}

#[test]
fn r121_thousands_of_switches_in_one_chunk() {
    const SWITCHES: usize = 20_000;
    let data = b"raw\r\nbody".repeat(SWITCHES);
    let mut grammar = LineGrammar::new();
    let (mut bodies, mut modes) = (0, 0);
    let mut input = grammar.receive(&data);
    while let Some(event) = input.next_event() {
        modes += 1;
        match event.unwrap() {
            LineEvent::Line(line) => {
                assert_eq!(line, b"raw");
                input.set_raw();
            }
            LineEvent::Raw(data) => {
                assert!(data.starts_with(b"body"));
                let unread = data.len() - 4;
                bodies += 1;
                input.set_line(unread);
            }
        }
    }
    assert_eq!((bodies, modes), (SWITCHES, 2 * SWITCHES));
}

#[test]
#[should_panic(expected = "the raw event just received has 3 bytes to hand back")]
fn r121_handing_back_more_than_was_given_is_your_mistake() {
    let mut grammar = LineGrammar::new();
    grammar.set_raw();
    let mut input = grammar.receive(b"abc");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Raw(b"abc"))));
    input.set_line(4);
}

#[test]
#[should_panic(expected = "the raw event just received has 0 bytes to hand back")]
fn r121_a_line_cannot_be_handed_back() {
    let mut grammar = LineGrammar::new();
    let mut input = grammar.receive(b"abc\r\n");
    assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"abc"))));
    input.set_raw();
    input.set_line(1);
}

#[test]
fn a_line_with_the_delimiter_inside_is_refused_before_any_byte() {
    let table: [(&[u8], &[u8], Option<usize>); 6] = [
        (b"\r\n", b"NICK x\r\nQUIT", Some(6)),
        (b"\r\n", b"x\r", None),
        (b"\r\n", b"\nx\r \n", None),
        (b"\n", b"x\n", Some(1)),
        (b"aa", b"xa", Some(1)),
        (b"aab", b"xa", None),
    ];
    for (delimiter, line, position) in table {
        let grammar = LineGrammar::new().with_delimiter(Delimiter::new(delimiter).unwrap());
        let mut out = b"before".to_vec();
        let sent = grammar.send(LineEvent::Line(line), &mut out);
        match position {
            Some(position) => {
                assert_eq!(
                    sent,
                    Err(LineError::ContainsDelimiter { position }),
                    "{line:?}"
                );
                assert_eq!(out, b"before");
            }
            None => assert_eq!((sent, out), (Ok(()), [b"before", line, delimiter].concat())),
        }
    }
}

#[test]
fn raw_bytes_are_sent_as_they_are() {
    let mut out = Vec::new();
    LineGrammar::new()
        .send(LineEvent::Raw(b"a\r\nb"), &mut out)
        .unwrap();
    assert_eq!(out, b"a\r\nb");
}

#[test]
fn errors_name_place_limit_and_remedy() {
    let texts = [
        LineError::TooLong {
            offset: 40,
            limit: 16_384,
        }
        .to_string(),
        LineError::ContainsDelimiter { position: 7 }.to_string(),
        LineError::EmptyDelimiter.to_string(),
    ];
    assert_eq!(
        texts,
        [
            "the line at byte 40 is longer than 16384 bytes; if such lines are right, raise the \
             limit with set_limit_bytes",
            "the line to send contains the delimiter at byte 7; send each part as a line of its own",
            "a delimiter needs at least one byte",
        ],
    );
}
