//! Two protocols wired together.

use ropewalk_core::{Protocol, Reason, Transport};

use super::{Diary, Echo};
use crate::{Chunks, Pump, Side};

fn received(pump: &mut Pump, side: Side) -> Vec<u8> {
    pump.protocol(side, |diary: &mut Diary| diary.bytes.clone())
}

#[test]
fn bytes_go_there_and_back_in_any_pieces() {
    for chunks in [
        Chunks::whole(),
        Chunks::of(1),
        Chunks::of(7),
        Chunks::seeded(3),
    ] {
        let mut pump = Pump::new(Diary::default(), Echo).with_chunks(chunks);
        let message: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
        pump.transport(Side::Client).write(&message);
        pump.flush();
        assert_eq!(received(&mut pump, Side::Client), message);
        assert_eq!(
            (pump.in_flight(Side::Client), pump.in_flight(Side::Server)),
            (0, 0)
        );
    }
}

#[test]
fn a_step_moves_one_piece_from_each_side_in_turn() {
    let mut pump = Pump::new(Diary::default(), Diary::default()).with_chunks(Chunks::of(2));
    pump.transport(Side::Client).write("abcd");
    pump.transport(Side::Server).write("123");
    pump.settle();
    assert_eq!(
        (pump.in_flight(Side::Client), pump.in_flight(Side::Server)),
        (4, 3)
    );
    assert!(pump.step());
    assert_eq!(received(&mut pump, Side::Server), b"ab");
    assert!(pump.step());
    assert_eq!(received(&mut pump, Side::Client), b"12");
    assert!(pump.step() && pump.step());
    assert!(!pump.step());
    assert_eq!(received(&mut pump, Side::Server), b"abcd");
    assert_eq!(received(&mut pump, Side::Client), b"123");
}

#[test]
fn an_end_comes_after_the_bytes_and_ends_both() {
    let mut pump = Pump::new(Diary::default(), Diary::default()).with_chunks(Chunks::of(1));
    pump.transport(Side::Client).write("bye");
    pump.transport(Side::Client).lose_connection();
    pump.flush();
    assert_eq!(received(&mut pump, Side::Server), b"bye");
    assert!(matches!(pump.lost_reason(Side::Client), Some(Reason::Done)));
    assert!(matches!(pump.lost_reason(Side::Server), Some(Reason::Done)));
}

#[test]
fn an_abort_resets_the_other_side_and_loses_what_was_under_way() {
    let mut pump = Pump::new(Diary::default(), Diary::default());
    pump.transport(Side::Client).write("lost");
    pump.settle();
    pump.transport(Side::Client).abort_connection();
    pump.flush();
    assert_eq!(received(&mut pump, Side::Server), b"");
    assert!(matches!(
        pump.lost_reason(Side::Client),
        Some(Reason::Aborted)
    ));
    assert!(matches!(
        pump.lost_reason(Side::Server),
        Some(Reason::Lost(_))
    ));
}

#[test]
fn a_side_that_does_not_read_blocks_the_other() {
    let mut pump = Pump::new(Diary::default(), Diary::default());
    pump.transport(Side::Server).pause_reading();
    pump.settle();
    for _ in 0..20 {
        pump.transport(Side::Client).write(vec![7; 10_000]);
        pump.settle();
    }
    pump.flush();
    assert!(pump.transport(Side::Client).unsent_bytes() > 50_000);
    assert_eq!(received(&mut pump, Side::Server), b"");
    pump.transport(Side::Server).resume_reading();
    pump.flush();
    assert_eq!(received(&mut pump, Side::Server).len(), 200_000);
}

#[test]
#[should_panic(expected = "never stop talking")]
fn endless_talk_is_found() {
    struct Talker;
    impl Protocol for Talker {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write("x");
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
    }
    Pump::new(Talker, Echo).flush();
}
