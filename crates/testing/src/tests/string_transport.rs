//! A protocol of which the test is the peer.

use std::io;
use std::time::Duration;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Factory, Layer, Limits, Protocol, Reason, Transport};

use super::{Diary, Echo};
use crate::{Chunks, StringTransport};

fn lines(peer: &mut StringTransport) -> Vec<String> {
    peer.protocol(|diary: &mut Diary| diary.lines.clone())
}

#[test]
fn bytes_come_and_go() {
    let mut peer = StringTransport::new(Echo);
    peer.receive(b"one");
    peer.receive(b"two");
    assert_eq!(peer.sent(), b"onetwo");
    assert_eq!(peer.take_sent(), b"onetwo");
    assert_eq!(peer.take_sent(), b"");
}

#[test]
fn pieces_come_one_by_one() {
    let mut peer = StringTransport::new(Diary::default());
    peer.receive_in_pieces("abc", Chunks::of(2));
    assert_eq!(lines(&mut peer), ["made", "ab", "c"]);
}

#[test]
fn the_end_of_the_peer_ends_the_connection_and_the_protocol_can_be_looked_at_afterwards() {
    let mut peer = StringTransport::new(Diary::default());
    assert!(!peer.is_disconnecting() && peer.lost_reason().is_none());
    peer.eof();
    assert!(peer.is_disconnected() && peer.is_disconnecting() && !peer.is_aborted());
    assert!(matches!(peer.lost_reason(), Some(Reason::Done)));
    assert_eq!(lines(&mut peer), ["made", "closed cleanly"]);
}

#[test]
fn a_failure_is_told_at_once_also_while_reading_is_paused() {
    let mut peer = StringTransport::new(Diary::default());
    peer.transport().pause_reading();
    peer.settle();
    peer.receive("never delivered");
    assert!(peer.is_reading_paused() && peer.is_reading_held_up());
    peer.fail(io::ErrorKind::ConnectionReset);
    let Some(Reason::Lost(error)) = peer.lost_reason() else {
        panic!("{peer:?}")
    };
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(lines(&mut peer).len(), 2);
}

#[test]
fn paused_bytes_wait() {
    let mut peer = StringTransport::new(Diary::default());
    peer.transport().pause_reading();
    peer.settle();
    peer.receive("late");
    assert_eq!(lines(&mut peer), ["made"]);
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(lines(&mut peer), ["made", "late"]);
}

#[test]
fn a_peer_that_does_not_read_fills_the_queue() {
    let mut peer = StringTransport::new(Diary::default());
    peer.block_sending();
    peer.transport().write(vec![7; 100_000]);
    peer.settle();
    assert_eq!(
        (peer.take_sent().len(), peer.transport().unsent_bytes()),
        (0, 100_000)
    );
    assert_eq!(lines(&mut peer), ["made", "paused"]);
    peer.allow_sending(60_000);
    assert_eq!(
        (peer.take_sent().len(), peer.transport().unsent_bytes()),
        (60_000, 40_000)
    );
    peer.unblock_sending();
    assert_eq!(peer.take_sent().len(), 40_000);
    assert_eq!(lines(&mut peer), ["made", "paused", "resumed"]);
}

#[test]
fn closing_waits_for_the_peer_and_aborting_does_not() {
    let mut peer = StringTransport::new(Echo);
    peer.block_sending();
    peer.receive("unread");
    peer.transport().lose_connection();
    peer.settle();
    assert!(peer.is_disconnecting() && !peer.is_disconnected());
    peer.unblock_sending();
    assert!(peer.is_disconnected() && peer.take_sent() == b"unread");

    let mut peer = StringTransport::new(Echo);
    peer.block_sending();
    peer.receive("unread");
    peer.transport().abort_connection();
    peer.settle();
    assert!(peer.is_aborted() && peer.take_sent().is_empty());
    assert!(matches!(peer.lost_reason(), Some(Reason::Aborted)));
}

#[test]
fn half_closing_is_seen() {
    let mut peer = StringTransport::new(Echo);
    peer.transport().lose_write_connection();
    peer.settle();
    assert!(peer.is_write_closed() && !peer.is_disconnected());
}

#[test]
fn time_is_the_tests() {
    let mut peer = StringTransport::new(Diary::default());
    peer.transport().set_timeout(Some(Duration::from_secs(60)));
    peer.settle();
    peer.advance(Duration::from_secs(59));
    peer.receive("still here");
    peer.advance(Duration::from_secs(59));
    assert!(!peer.is_disconnected());
    peer.advance(Duration::from_secs(1));
    assert!(
        matches!(peer.lost_reason(), Some(Reason::TimedOut(_))),
        "{peer:?}"
    );
}

#[test]
fn addresses_and_limits_are_the_tests() {
    let peer = StringTransport::builder()
        .host("[::1]:25".parse().unwrap())
        .peer("[::1]:4444".parse().unwrap())
        .limits(Limits {
            outgoing_bytes: 10,
            ..Limits::default()
        });
    let mut peer = peer.protocol(Diary::default());
    let transport = peer.transport();
    assert_eq!(transport.host().to_string(), "tcp:[::1]:25");
    assert_eq!(transport.peer().to_string(), "tcp:[::1]:4444");
    peer.block_sending();
    transport.write("more than that");
    transport.write("too much");
    peer.settle();
    assert!(matches!(peer.lost_reason(), Some(Reason::Misbehaved(_))));
}

#[test]
fn a_factory_may_refuse() {
    struct Nobody;
    impl Factory for Nobody {
        fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
            None
        }
    }
    let peer = StringTransport::builder().factory(Nobody);
    assert!(!peer.is_made() && peer.is_disconnected());
    assert!(
        peer.connect_error()
            .unwrap()
            .contains("the factory built no protocol")
    );
}

/// Opens when it is told the password, then turns letters.
#[derive(Default)]
struct Rot13 {
    open: bool,
}

fn turn(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        other => other,
    }
}

impl Layer for Rot13 {
    fn name(&self) -> &'static str {
        "rot13"
    }
    fn is_open(&self) -> bool {
        self.open
    }
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        data.iter_mut().for_each(|byte| *byte = turn(*byte));
        let begins = usize::from(!std::mem::replace(&mut self.open, true));
        up(&mut data[begins..]);
        Ok(())
    }
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend(data.iter().map(|&byte| turn(byte)));
    }
}

#[test]
fn layers_stand_between() {
    let layered = StringTransport::builder().layer(Rot13::default());
    let mut peer = layered.protocol(Echo);
    assert!(!peer.is_made());
    peer.receive("!uryyb");
    assert!(peer.is_made());
    assert_eq!(peer.take_sent(), b"uryyb");
}

#[test]
#[should_panic(expected = "the test looks for ropewalk_testing::tests::Diary")]
fn the_wrong_protocol_is_named() {
    StringTransport::new(Echo).protocol(|_: &mut Diary| ());
}
