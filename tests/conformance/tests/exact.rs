//! Rules to the byte and to the moment, on a transport without a network.

use std::io;
use std::time::Duration;

use ropewalk_core::{Limits, Producer, Reason, Timeout, Transport};
use ropewalk_testing::StringTransport;
use ropewalk_testing::conformance::{Diary, Log, Script, Told};

const SECOND: Duration = Duration::from_secs(1);
const MARK: usize = 64 * 1024;

/// A peer that reads nothing yet, and what the protocol was told.
fn blocked(script: Script) -> (StringTransport, Diary) {
    let diary = script.diary();
    let mut peer = StringTransport::new(script);
    peer.block_sending();
    (peer, diary)
}

fn write(peer: &mut StringTransport, bytes: usize) {
    peer.transport().write(vec![7; bytes]);
    peer.settle();
}

#[test]
fn r066_the_pause_comes_with_the_first_byte_above_64_kib_and_ends_with_the_last() {
    let (mut peer, diary) = blocked(Script::new());
    write(&mut peer, MARK);
    assert_eq!(diary.told(), [Told::Made]);
    write(&mut peer, 1);
    assert_eq!(diary.told(), [Told::Made, Told::Paused]);
    write(&mut peer, MARK);
    peer.allow_sending(2 * MARK);
    assert_eq!(peer.transport().unsent_bytes(), 1);
    assert_eq!(
        diary.told(),
        [Told::Made, Told::Paused],
        "told once, and not all is gone"
    );
    peer.allow_sending(1);
    assert_eq!(diary.told(), [Told::Made, Told::Paused, Told::Resumed]);
}

struct Recorder(Log);

impl Producer for Recorder {
    fn resume_producing(&mut self, transport: &Transport) {
        self.0.note("resume");
        if self.0.len() <= 4 {
            transport.write(vec![7; MARK + 1]);
        }
    }
    fn pause_producing(&mut self, _: &Transport) {
        self.0.note("pause");
    }
    fn stop_producing(&mut self, _: &Transport) {
        self.0.note("stop");
    }
}

#[test]
fn r066_a_push_producer_hears_each_need_once() {
    let (mut peer, log) = (blocked(Script::new()).0, Log::new());
    peer.transport()
        .register_producer(Recorder(log.clone()), true)
        .unwrap();
    write(&mut peer, MARK + 1);
    write(&mut peer, 100);
    assert_eq!(log, ["pause"]);
    peer.allow_sending(MARK + 101);
    assert_eq!(log, ["pause", "resume", "pause"]);
    peer.allow_sending(MARK + 1);
    assert_eq!(log, ["pause", "resume", "pause", "resume", "pause"]);
    peer.fail(io::ErrorKind::ConnectionReset);
    assert_eq!(log.lines().last().map(String::as_str), Some("stop"));
}

#[test]
fn r067_a_pull_producer_is_asked_once_for_each_time_that_nothing_waits() {
    let (mut peer, log) = (blocked(Script::new()).0, Log::new());
    peer.transport()
        .register_producer(Recorder(log.clone()), false)
        .unwrap();
    peer.settle();
    assert_eq!(log, ["resume"]);
    peer.allow_sending(MARK);
    assert_eq!(log, ["resume"], "a byte waits");
    peer.allow_sending(1);
    assert_eq!(log, ["resume", "resume"], "never paused");
}

#[test]
fn a_peer_that_takes_nothing_for_a_minute_is_cut_off() {
    let (mut peer, _) = blocked(Script::new());
    write(&mut peer, 10);
    peer.advance(SECOND * 59);
    peer.allow_sending(1);
    peer.advance(SECOND * 59);
    assert!(!peer.is_disconnected(), "it took a byte");
    peer.advance(SECOND);
    let stalled = Timeout::WriteStall(SECOND * 60);
    assert!(matches!(peer.lost_reason(), Some(Reason::TimedOut(timeout)) if timeout == stalled));
    assert!(peer.is_aborted());
}

/// A server that pauses while it is full reads nothing from a client that reads slowly, until that has read.
#[test]
fn where_reading_goes_on_while_full_bytes_that_come_are_progress() {
    let mut peer = StringTransport::builder()
        .limits(Limits::of_client())
        .protocol(Script::new());
    peer.block_sending();
    write(&mut peer, 10);
    for _ in 0..5 {
        peer.advance(SECOND * 59);
        peer.receive("slowly");
    }
    peer.advance(SECOND * 59);
    assert!(!peer.is_disconnected(), "bytes came");
    peer.advance(SECOND);
    assert!(matches!(
        peer.lost_reason(),
        Some(Reason::TimedOut(Timeout::WriteStall(_)))
    ));
}

#[test]
fn bytes_that_come_are_no_progress_where_reading_pauses_while_full() {
    let (mut peer, _) = blocked(Script::new());
    write(&mut peer, 10);
    peer.advance(SECOND * 59);
    peer.receive("a trickle");
    peer.advance(SECOND);
    assert!(peer.is_disconnected());
}

#[test]
fn a_peer_that_never_reads_is_cut_off_when_too_much_waits() {
    let limits = Limits {
        outgoing_bytes: 1000,
        ..Limits::default()
    };
    let mut peer = StringTransport::builder()
        .limits(limits)
        .protocol(Script::new());
    peer.block_sending();
    write(&mut peer, 5000);
    assert!(!peer.is_disconnected(), "one write of any size is taken");
    write(&mut peer, 1);
    assert!(
        matches!(peer.lost_reason(), Some(Reason::Misbehaved(_))),
        "{peer:?}"
    );
}

#[test]
fn r051_closing_takes_as_long_as_the_peer_needs() {
    let (mut peer, diary) = blocked(Script::new());
    peer.transport().write("to the last byte");
    peer.transport().lose_connection();
    peer.settle();
    for _ in 0..15 {
        peer.advance(SECOND * 30);
        peer.allow_sending(1);
        assert!(!diary.is_lost());
    }
    peer.allow_sending(1);
    assert!(diary.is_lost() && peer.take_sent() == b"to the last byte");
}

#[test]
fn r063_what_was_read_before_a_pause_comes_before_what_is_read_after_it() {
    let script = Script::new().on_data(|transport, _| transport.pause_reading());
    let diary = script.diary();
    let mut peer = StringTransport::new(script);
    peer.receive("one");
    peer.receive("two");
    assert_eq!(&*diary.bytes(), b"one");
    peer.transport().resume_reading();
    peer.settle();
    assert_eq!(&*diary.bytes(), b"onetwo");
}
