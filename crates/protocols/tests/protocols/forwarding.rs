//! `PortForwarder`: bytes, back-pressure and ends, in both directions.

use std::time::Duration;

use proptest::prelude::*;
use ropewalk_core::{Limits, Protocol, Transport};
use ropewalk_protocols::PortForwarder;
use ropewalk_protocols::wire::{Echo, Qotd};
use ropewalk_sim::{Faults, Rule};

use crate::net::{Client, Net, Seen, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// A forwarder at port 7000 to port 7001.
fn forwarding(seed: u64) -> Net {
    let mut net = Net::new(seed);
    let limits = Limits {
        pause_reading_when_full: false,
        ..Limits::default()
    };
    net.listen_with(limits, PortForwarder::new("tcp:10.0.0.1:7001").unwrap());
    net
}

#[test]
fn bytes_go_both_ways_and_ends_too() {
    let mut net = forwarding(1);
    net.reactor.listen("tcp:7001", || Echo).unwrap();
    let client = net.dial("hello");
    net.run_for(SECOND);
    assert_eq!(client.borrow().bytes, b"hello");
    let transport = client.borrow().transport.clone().unwrap();
    transport.write(" and goodbye");
    transport.lose_write_connection();
    net.run_for(SECOND);
    assert_eq!(
        client.borrow().bytes,
        b"hello and goodbye",
        "what follows a half-close comes still"
    );
    assert_eq!(client.borrow().lost.as_deref(), Some("closed cleanly"));
}

#[test]
fn what_the_destination_says_before_it_closes_arrives() {
    let mut net = forwarding(2);
    net.reactor
        .listen("tcp:7001", || Qotd::new("x".repeat(1 << 20)))
        .unwrap();
    let client = net.dial("");
    net.run_for(10 * SECOND);
    assert_eq!(client.borrow().bytes.len(), 1 << 20);
    assert_eq!(client.borrow().lost.as_deref(), Some("closed cleanly"));
}

#[test]
fn a_destination_that_refuses_ends_the_connection() {
    let mut net = forwarding(3);
    let client = net.dial("hello");
    net.run_for(SECOND);
    assert!(client.borrow().lost.is_some());
}

#[test]
fn a_reset_of_one_end_resets_the_other() {
    let mut net = forwarding(4);
    struct Resetting;
    impl Protocol for Resetting {
        fn data_received(&mut self, transport: &Transport, _: &[u8]) {
            transport.abort_connection();
        }
    }
    net.reactor.listen("tcp:7001", || Resetting).unwrap();
    let client = net.dial("hello");
    net.run_for(SECOND);
    assert!(
        client.borrow().lost.as_deref().unwrap().contains("reset"),
        "{:?}",
        client.borrow().lost
    );
}

#[test]
fn a_peer_that_goes_before_the_destination_is_there_leaves_nothing() {
    let mut net = forwarding(5);
    net.reactor.listen("tcp:7001", || Echo).unwrap();
    let client = net.dial("");
    while client.borrow().transport.is_none() {
        net.reactor.turn(None).unwrap();
    }
    client
        .borrow()
        .transport
        .as_ref()
        .unwrap()
        .abort_connection();
    net.run_for(60 * SECOND);
    assert!(
        net.world
            .netstat()
            .iter()
            .all(|socket| socket.to_string().contains("listen")),
        "{:?}",
        net.world.netstat()
    );
}

#[test]
fn back_pressure_goes_from_end_to_end() {
    let mut net = forwarding(6);
    let heard = Shared::<Seen>::default();
    let copy = heard.clone();
    net.reactor
        .listen("tcp:7001", move || Client {
            says: Vec::new(),
            seen: copy.clone(),
        })
        .unwrap();
    let client = net.dial("");
    net.run_for(SECOND);
    heard.borrow().transport.as_ref().unwrap().pause_reading();
    client
        .borrow()
        .transport
        .as_ref()
        .unwrap()
        .write(vec![b'x'; 16 << 20]);
    net.run_for(10 * SECOND);
    let unsent = client.borrow().transport.as_ref().unwrap().unsent_bytes();
    assert!(
        unsent > 15 << 20,
        "{unsent} bytes wait where they come from"
    );
    heard.borrow().transport.as_ref().unwrap().resume_reading();
    net.run_for(10 * SECOND);
    assert_eq!(heard.borrow().bytes.len(), 16 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn forwarded_bytes_are_the_same_bytes(seed in any::<u64>(), length in 0..60_000usize) {
        let mut net = forwarding(seed).with_faults(Faults::gentle());
        net.world.install(Rule::everywhere().jitter(SECOND / 100));
        net.reactor.listen("tcp:7001", || Echo).unwrap();
        let says: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let client = net.dial(says.clone());
        net.run_for(600 * SECOND);
        prop_assert!(client.borrow().bytes == says);
    }
}

#[test]
fn an_endpoint_that_cannot_be_understood_is_an_error_at_once() {
    assert!(PortForwarder::new("tcp:").is_err());
}
