//! `StringReceiver` by the rules R122 and R123, and what is ours: back-pressure, the end, the next protocol.

use ropewalk_core::{Limits, Reason};
use ropewalk_grammar::{LengthPrefixedError, LengthPrefixedGrammar, NetstringGrammar, Width};
use ropewalk_protocols::{StringProtocol, StringReceiver, Strings};
use ropewalk_testing::{Chunks, StringTransport};

/// Keeps what it is told; `close`, `pause` and `limit` do what they say.
#[derive(Default)]
struct Keeper {
    strings: Vec<Vec<u8>>,
    handle: Option<Strings>,
    ended: bool,
}

impl StringProtocol for Keeper {
    fn connection_made(&mut self, strings: &Strings) {
        self.handle = Some(strings.clone());
    }
    fn string_received(&mut self, strings: &Strings, string: &[u8]) {
        self.strings.push(string.to_vec());
        match string {
            b"close" => strings.lose_connection(),
            b"pause" => strings.pause_reading(),
            b"limit" => strings.set_limit_bytes(3),
            b"big" => strings.write([b'x'; 100_000]),
            _ => {}
        }
    }
    fn eof_received(&mut self, strings: &Strings) {
        self.ended = true;
        strings.lose_connection();
    }
}

fn told(peer: &mut StringTransport) -> Vec<Vec<u8>> {
    peer.protocol(|keeper: &mut Keeper| std::mem::take(&mut keeper.strings))
}

fn handle(peer: &mut StringTransport) -> Strings {
    peer.protocol(|keeper: &mut Keeper| keeper.handle.clone())
        .expect("it is connected")
}

fn int(width: Width) -> StringTransport {
    let framing = LengthPrefixedGrammar::new(width);
    StringTransport::new(StringReceiver::with_framing(framing, Keeper::default()))
}

fn netstring() -> StringTransport {
    StringTransport::new(StringReceiver::netstring(Keeper::default()))
}

fn misbehaved(peer: &StringTransport) -> String {
    match peer.lost_reason() {
        Some(Reason::Misbehaved(error)) => error.to_string(),
        reason => panic!("it ended otherwise: {reason:?}"),
    }
}

#[test]
fn r123_prefixes_of_every_width_in_any_pieces() {
    for (width, stream) in [
        (Width::Bits8, &b"\x03one\x00\x03two"[..]),
        (Width::Bits16, b"\x00\x03one\x00\x00\x00\x03two"),
        (Width::Bits32, b"\0\0\0\x03one\0\0\0\0\0\0\0\x03two"),
    ] {
        for bytes in 1..=stream.len() {
            let mut peer = int(width);
            peer.receive_in_pieces(stream, Chunks::of(bytes));
            assert_eq!(told(&mut peer), [&b"one"[..], b"", b"two"]);
        }
    }
}

#[test]
fn r123_a_mebibyte_of_strings_in_any_pieces() {
    let strings: Vec<Vec<u8>> = (0..1100).map(|n| vec![n as u8; 1000]).collect();
    let mut sender = int(Width::Bits16);
    let handle = handle(&mut sender);
    strings
        .iter()
        .for_each(|string| handle.send_string(string).unwrap());
    sender.settle();
    let stream = sender.take_sent();
    for bytes in [1, 7, 4096, 1 << 20, stream.len()] {
        let mut peer = int(Width::Bits16);
        peer.receive_in_pieces(&stream, Chunks::of(bytes));
        assert!(told(&mut peer) == strings, "in pieces of {bytes}");
    }
}

#[test]
fn r123_a_declared_length_above_the_limit_ends_the_connection_at_once() {
    let mut peer = int(Width::Bits32);
    peer.receive([&99_999_u32.to_be_bytes()[..], &vec![1; 99_999]].concat());
    assert_eq!(told(&mut peer), [vec![1; 99_999]]);
    peer.receive([&100_000_u32.to_be_bytes()[..], b"not one of these"].concat());
    assert!(told(&mut peer).is_empty());
    assert!(misbehaved(&peer).contains("100000 bytes where 99999"));
}

#[test]
fn r123_too_long_a_string_is_an_error_before_any_byte_is_written() {
    let mut peer = int(Width::Bits8);
    let handle = handle(&mut peer);
    let error = handle.send_string([0; 256]).unwrap_err();
    assert_eq!(
        error.get(),
        Some(&LengthPrefixedError::TooLongToSend {
            length: 256,
            width: Width::Bits8
        })
    );
    peer.settle();
    assert!(peer.take_sent().is_empty());
    handle.send_string([7; 255]).unwrap();
    peer.settle();
    assert_eq!(peer.take_sent(), [&[255][..], &[7; 255]].concat());
}

#[test]
fn r122_netstrings_in_any_pieces() {
    let stream = b"3:one,0:,12:with: , them,";
    for bytes in 1..=stream.len() {
        let mut peer = netstring();
        peer.receive_in_pieces(stream, Chunks::of(bytes));
        assert_eq!(told(&mut peer), [&b"one"[..], b"", b"with: , them"]);
    }
}

#[test]
fn r122_any_deviation_ends_the_connection_without_delivering_that_string() {
    for bad in [
        "03:abc,",
        "3:abcd",
        ":abc,",
        "x",
        "-1:",
        "3 :abc,",
        "1x:",
        "100000:",
        "99999999999999999999:",
        "+3:abc,",
    ] {
        for pieces in [Chunks::whole(), Chunks::of(1)] {
            let mut peer = netstring();
            peer.receive_in_pieces(format!("2:ok,{bad}2:no,"), pieces);
            assert_eq!(told(&mut peer), [b"ok"], "{bad}");
            assert!(!misbehaved(&peer).is_empty());
        }
    }
}

#[test]
fn r122_a_length_above_the_limit_is_refused_before_the_payload() {
    let mut peer = StringTransport::new(StringReceiver::with_framing(
        NetstringGrammar::new().with_limit_bytes(10),
        Keeper::default(),
    ));
    peer.receive("10:0123456789,11");
    assert_eq!(told(&mut peer), [b"0123456789"]);
    assert!(misbehaved(&peer).contains("11 bytes or more where 10"));
}

#[test]
fn a_protocol_may_look_at_the_rule_that_was_broken() {
    struct Judge;
    impl StringProtocol for Judge {
        fn string_received(&mut self, _: &Strings, _: &[u8]) {}
        fn string_rejected(&mut self, strings: &Strings, error: ropewalk_protocols::StringError) {
            if let Some(LengthPrefixedError::TooLong { declared, .. }) = error.get() {
                strings.send_string(format!("{declared}?")).unwrap();
            }
            strings.reject(error.into_inner());
        }
    }
    let mut peer = StringTransport::new(StringReceiver::int8(Judge).with_limit_bytes(5));
    peer.receive([6]);
    assert_eq!(peer.take_sent(), b"\x026?");
    assert!(misbehaved(&peer).contains("set_limit_bytes"));
}

#[test]
fn a_limit_changed_in_a_handler_holds_for_the_next_string() {
    let mut peer = int(Width::Bits8);
    peer.receive(b"\x05limit\x03abc\x04abcd");
    assert_eq!(told(&mut peer), [&b"limit"[..], b"abc"]);
    assert!(misbehaved(&peer).contains("4 bytes where 3"));
}

#[test]
fn a_limit_changed_elsewhere_holds_for_the_next_string() {
    let mut peer = int(Width::Bits8);
    peer.receive(b"\x05pause\x04");
    let handle = handle(&mut peer);
    handle.set_limit_bytes(3);
    handle.resume_reading();
    peer.settle();
    assert!(misbehaved(&peer).contains("4 bytes where 3"));
}

#[test]
fn after_lose_connection_the_rest_of_the_chunk_is_discarded() {
    let mut peer = int(Width::Bits8);
    peer.receive(b"\x05close\x05never");
    assert_eq!(told(&mut peer), [b"close"]);
    assert!(peer.lost_reason().unwrap().is_clean());
}

#[test]
fn a_pause_keeps_strings_and_the_end_back() {
    let mut peer = int(Width::Bits8);
    peer.receive(b"\x05pause\x05pause\x04last");
    peer.eof();
    assert_eq!(told(&mut peer), [b"pause"]);
    for expected in [b"pause".to_vec(), b"last".to_vec()] {
        assert!(!peer.protocol(|keeper: &mut Keeper| keeper.ended));
        peer.transport().resume_reading();
        peer.settle();
        assert_eq!(told(&mut peer), [expected]);
    }
    assert!(peer.protocol(|keeper: &mut Keeper| keeper.ended));
}

#[test]
fn strings_wait_while_the_peer_takes_no_answers() {
    let mut peer = StringTransport::builder()
        .limits(Limits {
            high_water_bytes: 150_000,
            ..Limits::default()
        })
        .protocol(StringReceiver::int8(Keeper::default()));
    peer.block_sending();
    peer.receive(b"\x03big");
    peer.receive(b"\x03big".repeat(99));
    assert_eq!(told(&mut peer).len(), 2);
    peer.unblock_sending();
    assert_eq!(told(&mut peer).len(), 98);
}

#[test]
fn the_next_protocol_gets_every_byte_that_nobody_read() {
    struct Upgrading;
    impl StringProtocol for Upgrading {
        fn string_received(&mut self, strings: &Strings, _: &[u8]) {
            strings.switch_protocol(StringReceiver::netstring(Keeper::default()));
        }
    }
    let stream = b"\x02up3:one,3:two,";
    for cut in 0..stream.len() {
        let mut peer = StringTransport::new(StringReceiver::int8(Upgrading));
        peer.receive_in_pieces(stream, Chunks::cut_at(cut));
        assert_eq!(told(&mut peer), [b"one", b"two"]);
    }
}
