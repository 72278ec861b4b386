//! The small services: back-pressure and ends. What they say is shown in their documentation.

use std::time::Duration;

use ropewalk_core::Limits;
use ropewalk_protocols::wire::{Chargen, Echo};
use ropewalk_sim::Rule;

use crate::net::Net;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn chargen_writes_as_fast_as_the_peer_reads_and_no_faster() {
    let mut net = Net::new(864);
    let limits = Limits {
        outgoing_bytes: 32 * 1024,
        ..Limits::default()
    };
    net.world.install(Rule::everywhere().slow_reader(10_000));
    net.listen_with(limits, Chargen::default);
    let client = net.dial("ignored");
    net.run_for(20 * SECOND);
    let bytes = client.borrow().bytes.clone();
    assert!(
        (150_000..=300_000).contains(&bytes.len()),
        "{} bytes",
        bytes.len()
    );
    assert!(
        client.borrow().is_connected(),
        "nothing gathers behind a slow reader"
    );
}

#[test]
fn chargen_rotates_its_ring() {
    let mut net = Net::new(864);
    net.world.install(Rule::everywhere().slow_reader(10_000));
    net.listen(Chargen::default);
    let client = net.dial("");
    net.run_for(3 * SECOND);
    let bytes = client.borrow().bytes.clone();
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
    assert!(lines.len() > 100);
    for (number, line) in lines[..100].iter().enumerate() {
        assert_eq!(line.len(), 73);
        assert_eq!(line[0], b' ' + (number % 95) as u8);
        assert_eq!(line[71], b' ' + ((number + 71) % 95) as u8);
    }
}

#[test]
fn chargen_ends_with_its_peer() {
    let mut net = Net::new(864);
    net.world.install(Rule::everywhere().slow_reader(1_000_000));
    net.listen(Chargen::default);
    let client = net.dial("");
    net.run_for(SECOND);
    client
        .borrow()
        .transport
        .as_ref()
        .unwrap()
        .lose_connection();
    net.run_for(60 * SECOND);
    assert!(client.borrow().lost.is_some());
    assert_eq!(net.reactor.delayed_calls(), 0);
}

#[test]
fn echo_says_the_last_words_too() {
    let mut net = Net::new(862);
    net.listen(|| Echo);
    let client = net.dial("last words");
    client.borrow_mut().bytes.clear();
    net.run_for(SECOND);
    client
        .borrow()
        .transport
        .as_ref()
        .unwrap()
        .lose_write_connection();
    net.run_for(SECOND);
    assert_eq!(client.borrow().bytes, b"last words");
    assert_eq!(client.borrow().lost.as_deref(), Some("closed cleanly"));
}
