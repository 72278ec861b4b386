//! `LineReceiver` by the rules R117 to R121, and what is ours: back-pressure and the end.

use ropewalk_core::{Limits, Reason};
use ropewalk_protocols::{Delimiter, LineError, LineProtocol, LineReceiver, Lines};
use ropewalk_testing::{Chunks, StringTransport};

/// What a [`Scripted`] protocol was told; raw bytes that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Line(Vec<u8>),
    Raw(Vec<u8>),
    TooLong(Vec<u8>),
    End,
}

pub(crate) fn line(line: impl AsRef<[u8]>) -> Told {
    Told::Line(line.as_ref().to_vec())
}

pub(crate) fn raw(data: impl AsRef<[u8]>) -> Told {
    Told::Raw(data.as_ref().to_vec())
}

/// Does what its lines say: `raw N` takes N raw bytes, `pause`, `close`, `abort`, `nap` (pause and resume).
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) told: Vec<Told>,
    raw_left: usize,
    goes_on: bool,
}

impl LineProtocol for Scripted {
    fn line_received(&mut self, lines: &Lines, data: &[u8]) {
        self.told.push(line(data));
        match data {
            b"pause" => lines.pause_reading(),
            b"nap" => {
                lines.pause_reading();
                lines.resume_reading();
            }
            b"close" => lines.lose_connection(),
            b"abort" => lines.abort_connection(),
            _ => {}
        }
        if let Some(count) = data.strip_prefix(b"raw ") {
            self.raw_left = String::from_utf8_lossy(count).parse().unwrap();
            self.told.push(raw(""));
            if self.raw_left > 0 {
                lines.set_raw_mode();
            }
        }
    }

    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        let taken = data.len().min(self.raw_left);
        if let Some(Told::Raw(raw)) = self.told.last_mut() {
            raw.extend_from_slice(&data[..taken]);
        }
        self.raw_left -= taken;
        if self.raw_left == 0 {
            lines.set_line_mode(data.len() - taken);
        }
    }

    fn line_length_exceeded(&mut self, lines: &Lines, error: LineError, rest: &[u8]) {
        self.told.push(Told::TooLong(rest.to_vec()));
        if !self.goes_on {
            lines.reject(error);
        }
    }

    fn eof_received(&mut self, lines: &Lines) {
        self.told.push(Told::End);
        lines.lose_connection();
    }
}

pub(crate) fn peer() -> StringTransport {
    StringTransport::new(LineReceiver::new(Scripted::default()))
}

pub(crate) fn told(peer: &mut StringTransport) -> Vec<Told> {
    peer.protocol(|scripted: &mut Scripted| std::mem::take(&mut scripted.told))
}

#[test]
fn r117_lines_come_without_delimiter_for_every_cut() {
    let stream = b"one\r\n\r\ntwo\rthree\nfour\r\r\nfive\r\n\r\r\n";
    let expected = [
        line("one"),
        line(""),
        line("two\rthree\nfour\r"),
        line("five"),
        line("\r"),
    ];
    for bytes in 1..=stream.len() {
        let mut peer = peer();
        peer.receive_in_pieces(stream, Chunks::of(bytes));
        assert_eq!(told(&mut peer), expected, "in pieces of {bytes}");
    }
    for place in 0..stream.len() {
        let mut peer = peer();
        peer.receive_in_pieces(stream, Chunks::cut_at(place));
        assert_eq!(told(&mut peer), expected, "cut at {place}");
    }
}

#[test]
fn r117_a_mebibyte_of_lines_in_any_pieces() {
    let lines: Vec<Vec<u8>> = (0..1 << 14)
        .map(|n: usize| vec![b'a' + (n % 26) as u8; n % 127])
        .collect();
    let stream = [lines.join(&b"\r\n"[..]), b"\r\n".to_vec()].concat();
    assert!(stream.len() > 1 << 20);
    let expected: Vec<Told> = lines.into_iter().map(Told::Line).collect();
    for bytes in [1, 100, 65_536, 1 << 20, stream.len()] {
        let mut peer = peer();
        peer.receive_in_pieces(&stream, Chunks::of(bytes));
        assert!(told(&mut peer) == expected, "in pieces of {bytes}");
    }
}

#[test]
fn r117_any_delimiter() {
    for (delimiter, stream) in [
        (Delimiter::LF, "a\nb\n"),
        (Delimiter::NUL, "a\0b\0"),
        (Delimiter::new(b"<end>").unwrap(), "a<end>b<end>"),
    ] {
        let receiver = LineReceiver::new(Scripted::default()).with_delimiter(delimiter);
        let mut peer = StringTransport::new(receiver);
        peer.receive_in_pieces(stream, Chunks::of(1));
        assert_eq!(told(&mut peer), [line("a"), line("b")]);
    }
}

#[test]
fn r118_the_longest_line_is_delivered_and_a_longer_one_ends_the_connection() {
    for pieces in [Chunks::whole(), Chunks::of(1), Chunks::of(1000)] {
        let mut peer = peer();
        peer.receive_in_pieces([&[b'x'; 16_384][..], b"\r\n"].concat(), pieces.clone());
        assert_eq!(told(&mut peer), [line([b'x'; 16_384])]);
        assert!(!peer.is_disconnecting());

        peer.receive_in_pieces(
            [&[b'x'; 16_385][..], b"\r\nnever seen\r\n"].concat(),
            pieces,
        );
        assert!(matches!(&told(&mut peer)[..], [Told::TooLong(rest)] if rest.len() >= 16_385));
        let reason = peer.lost_reason();
        assert!(
            matches!(&reason, Some(Reason::Misbehaved(error)) if error.to_string().contains("16384"))
        );
    }
}

#[test]
fn r118_a_long_line_needs_no_end_to_be_too_long() {
    let mut peer =
        StringTransport::new(LineReceiver::new(Scripted::default()).with_limit_bytes(10));
    peer.receive("0123456789\r");
    assert!(told(&mut peer).is_empty(), "a delimiter may follow");
    peer.receive("x");
    assert_eq!(told(&mut peer), [Told::TooLong(b"0123456789\rx".to_vec())]);
    assert!(peer.is_disconnected());
}

#[test]
fn r118_a_protocol_may_go_on_with_what_comes_next() {
    let scripted = Scripted {
        goes_on: true,
        ..Scripted::default()
    };
    let mut peer = StringTransport::new(LineReceiver::new(scripted).with_limit_bytes(3));
    peer.receive("ok\r\nlong\r\nbehind\r\n");
    assert_eq!(
        told(&mut peer),
        [line("ok"), Told::TooLong(b"long\r\nbehind\r\n".to_vec())]
    );
    peer.receive("on\r\n");
    assert_eq!(told(&mut peer), [line("on")]);
}

#[test]
fn r118_a_limit_raised_in_a_handler_holds_for_the_next_line() {
    struct LogIn;
    impl LineProtocol for LogIn {
        fn line_received(&mut self, lines: &Lines, line: &[u8]) {
            match line {
                b"login" => lines.set_limit_bytes(20),
                _ => lines.send_line(line).unwrap(),
            }
        }
    }
    for cut in 0..10 {
        let mut peer = StringTransport::new(LineReceiver::new(LogIn).with_limit_bytes(5));
        peer.receive_in_pieces("login\r\nlonger than five\r\n", Chunks::cut_at(cut));
        assert_eq!(peer.take_sent(), b"longer than five\r\n");
    }
}

#[test]
fn r119_after_lose_connection_the_rest_of_the_chunk_is_discarded() {
    for ending in ["close", "abort"] {
        let mut peer = peer();
        peer.receive(format!("one\r\n{ending}\r\nnever\r\nraw 3\r\nabc"));
        assert_eq!(told(&mut peer), [line("one"), line(ending)]);
        assert!(peer.is_disconnected());
    }
}

#[test]
fn r119_nothing_is_delivered_while_a_closing_connection_still_sends() {
    let mut peer = peer();
    peer.block_sending();
    peer.transport().write("last words");
    peer.receive("close\r\nnever\r\n");
    peer.receive("nor this\r\n");
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(told(&mut peer), [line("close")]);
    peer.unblock_sending();
    assert_eq!(peer.take_sent(), b"last words");
    assert!(peer.lost_reason().unwrap().is_clean());
}

#[test]
fn r120_a_pause_stops_lines_already_received_and_resuming_delivers_them_first() {
    let mut peer = peer();
    peer.receive("one\r\npause\r\ntwo\r\npause\r\nthree\r\nfou");
    assert_eq!(told(&mut peer), [line("one"), line("pause")]);
    peer.receive("r\r\nfive\r\n");
    assert!(told(&mut peer).is_empty());

    for expected in [
        &[line("two"), line("pause")][..],
        &[line("three"), line("four"), line("five")],
    ] {
        peer.transport().resume_reading();
        peer.settle();
        assert_eq!(told(&mut peer), expected);
    }
}

#[test]
fn r120_pauses_and_resumes_at_any_nesting_keep_the_order() {
    let mut peer = peer();
    let stream = "nap\r\nnap\r\nraw 4\r\nnap\nnap\r\npause\r\nlast\r\n";
    peer.receive(stream);
    assert_eq!(
        told(&mut peer),
        [
            line("nap"),
            line("nap"),
            line("raw 4"),
            raw("nap\n"),
            line("nap"),
            line("pause")
        ]
    );
    peer.transport().resume_reading();
    peer.transport().pause_reading();
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(told(&mut peer), [line("last")]);
}

#[test]
fn r120_raw_bytes_wait_while_paused_too() {
    struct Sipper(Vec<u8>);
    impl LineProtocol for Sipper {
        fn connection_made(&mut self, lines: &Lines) {
            lines.set_raw_mode();
        }
        fn line_received(&mut self, _: &Lines, _: &[u8]) {
            unreachable!("it is in raw mode from the first byte on");
        }
        fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
            self.0.extend_from_slice(data);
            lines.pause_reading();
        }
    }
    let mut peer = StringTransport::new(LineReceiver::new(Sipper(Vec::new())));
    peer.receive("a\r\nb");
    peer.receive("c");
    assert_eq!(
        peer.protocol(|sipper: &mut Sipper| sipper.0.clone()),
        b"a\r\nb"
    );
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(
        peer.protocol(|sipper: &mut Sipper| sipper.0.clone()),
        b"a\r\nbc"
    );
}

#[test]
fn r121_the_mode_changes_with_the_next_byte() {
    for bytes in 1..40 {
        let mut peer = peer();
        peer.receive_in_pieces(
            "a\r\nraw 5\r\n12\r\n5b\r\nraw 0\r\nc\r\n",
            Chunks::of(bytes),
        );
        let expected = [
            line("a"),
            line("raw 5"),
            raw("12\r\n5"),
            line("b"),
            line("raw 0"),
            raw(""),
            line("c"),
        ];
        assert_eq!(told(&mut peer), expected, "in pieces of {bytes}");
    }
}

#[test]
fn r121_thousands_of_switches_in_one_chunk() {
    let stream = "raw 7\r\n1234\r\n7after\r\n".repeat(20_000);
    let once = [line("raw 7"), raw("1234\r\n7"), line("after")];
    let mut peer = peer();
    peer.receive(&stream);
    assert!(told(&mut peer).chunks(3).all(|told| told == once));
    peer.receive_in_pieces(&stream[..21 * 2000], Chunks::of(1));
    assert!(told(&mut peer).chunks(3).all(|told| told == once));
}

#[test]
fn r121_a_switch_asked_for_later_holds_for_what_waits() {
    let mut peer = peer();
    peer.receive("pause\r\n12345\r\nraw bytes");
    let later = |scripted: &mut Scripted, lines: &Lines| {
        scripted.raw_left = 3;
        scripted.told.push(raw(""));
        lines.set_raw_mode();
        lines.resume_reading();
    };
    lend(&mut peer, later);
    assert_eq!(told(&mut peer), [line("pause"), raw("123"), line("45")]);
}

/// Gives the test a moment with the protocol and its `Lines`, as a lent closure has it.
fn lend(peer: &mut StringTransport, call: impl FnOnce(&mut Scripted, &Lines) + 'static) {
    let lines = peer.protocol(|receiver: &mut LineReceiver<Scripted>| receiver.lines().cloned());
    lines.expect("it is connected").call_soon(call);
    peer.settle();
}

#[test]
#[should_panic(expected = "only the 0 raw bytes at hand can be handed back")]
fn r121_only_raw_bytes_at_hand_can_be_handed_back() {
    let mut peer = peer();
    let lines = peer.protocol(|receiver: &mut LineReceiver<Scripted>| receiver.lines().cloned());
    lines.unwrap().set_line_mode(1);
}

#[test]
fn raw_mode_without_a_handler_ends_the_connection_and_names_the_remedy() {
    struct Careless;
    impl LineProtocol for Careless {
        fn line_received(&mut self, lines: &Lines, _: &[u8]) {
            lines.set_raw_mode();
        }
    }
    let mut peer = StringTransport::new(LineReceiver::new(Careless));
    peer.receive("raw\r\nbytes");
    let reason = peer.lost_reason().unwrap().to_string();
    assert!(
        reason.contains("Careless") && reason.contains("raw_data_received"),
        "{reason}"
    );
}

#[test]
fn a_line_that_would_be_read_as_two_is_not_sent() {
    let mut peer = peer();
    lend(&mut peer, |_, lines| {
        let error = lines.send_line("name\r\nQUIT").unwrap_err();
        assert_eq!(error, LineError::ContainsDelimiter { position: 4 });
        lines.set_delimiter(Delimiter::LF);
        lines.send_line("name\r").unwrap();
        lines.send_line("").unwrap();
    });
    assert_eq!(peer.take_sent(), b"name\r\n\n");
}

#[test]
fn a_delimiter_changed_in_a_handler_holds_from_the_next_byte_on() {
    struct Json;
    impl LineProtocol for Json {
        fn line_received(&mut self, lines: &Lines, line: &[u8]) {
            match line {
                b"LF" => lines.set_delimiter(Delimiter::LF),
                _ => lines.send_line(line).unwrap(),
            }
        }
    }
    for cut in 0..8 {
        let mut peer = StringTransport::new(LineReceiver::new(Json));
        peer.receive_in_pieces("LF\r\na\nb\n", Chunks::cut_at(cut));
        assert_eq!(peer.take_sent(), b"a\nb\n");
    }
}

/// Answers each line with 10 000 bytes, and counts.
struct Generous(usize);

impl LineProtocol for Generous {
    fn line_received(&mut self, lines: &Lines, _: &[u8]) {
        self.0 += 1;
        lines.write([b'x'; 10_000]);
    }
}

/// Takes nothing, and is full with more than two answers.
fn taking_nothing() -> StringTransport {
    let mut peer = StringTransport::builder()
        .limits(Limits {
            high_water_bytes: 20_000,
            ..Limits::default()
        })
        .protocol(LineReceiver::new(Generous(0)));
    peer.block_sending();
    peer
}

#[test]
fn a_burst_is_answered_up_to_four_times_the_mark_before_anything_is_sent() {
    let mut peer = taking_nothing();
    peer.receive("more\r\n".repeat(1000));
    assert_eq!(
        peer.protocol(|generous: &mut Generous| generous.0),
        9,
        "90 000 bytes are above four times the mark"
    );
}

#[test]
fn lines_wait_while_the_peer_takes_no_answers() {
    let mut peer = taking_nothing();
    peer.receive("more\r\n");
    peer.receive("more\r\n".repeat(999));
    assert_eq!(
        peer.protocol(|generous: &mut Generous| generous.0),
        3,
        "30 000 bytes are above the mark"
    );
    peer.unblock_sending();
    assert_eq!(peer.protocol(|generous: &mut Generous| generous.0), 1000);
    assert_eq!(peer.take_sent().len(), 10_000_000);
}

#[test]
fn the_end_comes_after_the_last_line_also_when_lines_wait() {
    let mut peer = peer();
    peer.receive("pause\r\none\r\ntwo\r\nunfinished");
    peer.eof();
    assert_eq!(told(&mut peer), [line("pause")]);
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(told(&mut peer), [line("one"), line("two"), Told::End]);
    assert!(peer.lost_reason().unwrap().is_clean());
}
