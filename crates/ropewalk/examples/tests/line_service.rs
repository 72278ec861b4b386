//! The service, on a transport without a network.

use ropewalk::Reason;
use ropewalk::testing::{Chunks, StringTransport};

use super::*;

fn answers(said: &[u8], chunks: Chunks) -> Vec<u8> {
    let mut peer = StringTransport::new(connection());
    peer.receive_in_pieces(said, chunks);
    assert!(!peer.is_disconnecting());
    peer.take_sent()
}

#[test]
fn lines_and_raw_bytes_are_told_apart_however_they_are_cut() {
    let said = b"a\r\nraw 5\r\n12345b\r\nraw 2\r\n\r\nraw 1\r\nxc\r\n";
    let wanted = b"line: a\r\nline: raw 5\r\nraw: 12345\r\nline: b\r\nline: raw 2\r\nraw: \r\n\r\nline: raw 1\r\nraw: x\r\nline: c\r\n";
    for cut in 0..said.len() {
        assert_eq!(answers(said, Chunks::cut_at(cut)), wanted);
    }
    for size in 1..9 {
        assert_eq!(answers(said, Chunks::of(size)), wanted);
    }
}

#[test]
fn what_is_no_number_of_bytes_is_a_line() {
    for line in [
        "raw",
        "raw 0",
        "raw -1",
        "raw x",
        "raw 99999999999999999999",
        "raw 5 ",
    ] {
        let answer = answers(format!("{line}\r\nnext\r\n").as_bytes(), Chunks::whole());
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            format!("line: {line}\r\nline: next\r\n")
        );
    }
}

#[test]
fn a_line_of_16384_bytes_is_the_longest() {
    let longest = [vec![b'x'; 16_384], b"\r\n".to_vec()].concat();
    assert_eq!(
        answers(&longest, Chunks::of(1000)).len(),
        longest.len() + "line: ".len()
    );

    let mut peer = StringTransport::new(connection());
    peer.receive("a\r\n");
    peer.receive([b"x", &*longest].concat());
    assert_eq!(peer.take_sent(), b"line: a\r\n");
    assert!(matches!(peer.lost_reason(), Some(Reason::Misbehaved(_))));
}

#[test]
fn who_reads_nothing_is_not_read_from() {
    let mut peer = StringTransport::new(connection());
    peer.block_sending();
    for _ in 0..1000 {
        peer.receive("x".repeat(1000) + "\r\n");
    }
    assert!(peer.transport().unsent_bytes() < 200_000);
    peer.unblock_sending();
    assert_eq!(
        peer.take_sent().len(),
        1000 * "line: \r\n".len() + 1_000_000
    );
}
