//! `TimeoutFactory` by R125 and R126.

use std::time::Duration;

use ropewalk_core::{Protocol, Transport};
use ropewalk_protocols::TimeoutFactory;
use ropewalk_protocols::wire::{Discard, Echo};
use ropewalk_testing::StringTransport;

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn r125_half_an_hour_without_a_byte_ends_a_connection() {
    let mut peer = StringTransport::builder().factory(TimeoutFactory::new(|| Echo));
    peer.advance(30 * MINUTE - SECOND);
    assert!(!peer.is_disconnecting());
    peer.advance(SECOND);
    assert_eq!(
        peer.lost_reason().unwrap().to_string(),
        "timed out: idle for 1800s"
    );
}

#[test]
fn r125_each_read_and_each_write_starts_it_anew() {
    let factory = TimeoutFactory::new(|| Discard).with_period(MINUTE);
    let mut peer = StringTransport::builder().factory(factory);
    peer.advance(50 * SECOND);
    peer.receive("read");
    peer.advance(50 * SECOND);
    peer.transport().write("written");
    peer.settle();
    peer.advance(59 * SECOND);
    assert!(!peer.is_disconnecting());
    peer.advance(SECOND);
    assert!(peer.is_disconnected());
}

#[test]
fn r125_a_lost_connection_leaves_no_timer() {
    let mut peer = StringTransport::builder().factory(TimeoutFactory::new(|| Echo));
    assert_eq!(peer.reactor().delayed_calls(), 1);
    peer.eof();
    assert_eq!(peer.reactor().delayed_calls(), 0);
}

#[test]
fn r126_a_protocol_may_set_another_or_none_and_hears_of_the_old() {
    struct Patient;
    impl Protocol for Patient {
        fn connection_made(&mut self, transport: &Transport) {
            assert_eq!(transport.set_timeout(None), Some(MINUTE));
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let factory = TimeoutFactory::new(|| Patient).with_period(MINUTE);
    let mut peer = StringTransport::builder().factory(factory);
    peer.advance(1000 * MINUTE);
    assert!(!peer.is_disconnecting());
    assert!(peer.is_made());
}
