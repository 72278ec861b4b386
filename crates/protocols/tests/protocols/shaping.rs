//! `ThrottlingFactory` by R128 as we mean it: it shapes, smoothly, in both directions (D15).

use std::time::Duration;

use proptest::prelude::*;
use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Layer, Limits, Protocol, Reason, Transport};
use ropewalk_protocols::ThrottlingFactory;
use ropewalk_protocols::wire::{Chargen, Echo};
use ropewalk_sim::Faults;

use crate::net::{Net, Seen, Shared};

const SECOND: Duration = Duration::from_secs(1);

/// Says so much.
struct Talker(usize);

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(vec![b'x'; self.0]);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Says so much and closes.
struct Speaker(usize);

impl Protocol for Speaker {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(vec![b'x'; self.0]);
        transport.lose_connection();
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Writes down what it hears.
struct Listener(Shared<Seen>);

impl Protocol for Listener {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0
            .borrow_mut()
            .pieces
            .push((transport.reactor().now(), data.len()));
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.borrow_mut().lost = Some(reason.to_string());
    }
}

/// How many bytes came within each tenth of a second from the first second on.
fn tenths(pieces: &[(Duration, usize)], seconds: usize) -> Vec<usize> {
    let mut tenths = vec![0; seconds * 10];
    for &(time, count) in pieces {
        let tenth = (time.as_millis() / 100) as usize;
        if let Some(slot) = tenth
            .checked_sub(10)
            .and_then(|tenth| tenths.get_mut(tenth))
        {
            *slot += count;
        }
    }
    tenths
}

/// Every tenth of a second brings a tenth of the rate, give or take one slot.
fn assert_smooth(pieces: &[(Duration, usize)], rate: usize, seconds: usize) {
    let tenths = tenths(pieces, seconds);
    let (least, most) = (rate / 10 - rate / 40, rate / 10 + rate / 40);
    assert!(
        tenths.iter().all(|tenth| (least..=most).contains(tenth)),
        "{tenths:?}"
    );
    let total: usize = tenths.iter().sum();
    assert!(
        total.abs_diff(rate * seconds) <= rate / 50,
        "{total} bytes in {seconds} s"
    );
}

#[test]
fn d15_r128_writing_flows_at_the_rate_without_bursts_and_without_a_producer() {
    for rate in [1000, 10_000, 1_000_000] {
        let mut net = Net::new(128);
        let factory = move || Speaker(rate * 4);
        net.listen(ThrottlingFactory::new(factory).with_write_rate_of_each(rate as u64));
        let client = net.dial("");
        net.run_for(3 * SECOND + SECOND / 2);
        assert_smooth(&client.borrow().pieces, rate, 2);
        assert!(client.borrow().lost.is_none());
        net.run_for(SECOND);
        assert_eq!(
            client.borrow().bytes.len(),
            rate * 4,
            "everything is sent before the end"
        );
        assert_eq!(client.borrow().lost.as_deref(), Some("closed cleanly"));
    }
}

#[test]
fn r128_reading_flows_at_the_rate_and_back_pressure_reaches_the_peer() {
    for rate in [1000, 10_000, 100_000] {
        let mut net = Net::new(128);
        let heard = Shared::<Seen>::default();
        let copy = heard.clone();
        let factory = move || Listener(copy.clone());
        net.listen(ThrottlingFactory::new(factory).with_read_rate_of_each(rate as u64));
        let client = net.dial(vec![b'x'; 10 << 20]);
        net.run_for(4 * SECOND);
        assert_smooth(&heard.borrow().pieces, rate, 3);
        let unsent = client.borrow().transport.as_ref().unwrap().unsent_bytes();
        assert!(unsent > 9 << 20, "{unsent} bytes wait where they come from");
    }
}

#[test]
fn r128_all_connections_share_a_rate_fairly() {
    let mut net = Net::new(128);
    net.listen(ThrottlingFactory::new(|| Speaker(1 << 20)).with_write_rate(100_000));
    let clients: Vec<_> = (0..10).map(|_| net.dial("")).collect();
    net.run_for(5 * SECOND);
    let mut all: Vec<_> = clients
        .iter()
        .flat_map(|client| client.borrow().pieces.clone())
        .collect();
    all.sort_unstable();
    assert_smooth(&all, 100_000, 4);
    for client in clients {
        let bytes = client.borrow().bytes.len();
        assert!(
            (40_000..=60_000).contains(&bytes),
            "one of ten had {bytes} of 500 000"
        );
    }
}

#[test]
fn r128_a_rate_of_each_and_one_of_all_hold_together() {
    let mut net = Net::new(128);
    let factory = ThrottlingFactory::new(|| Speaker(1 << 20));
    net.listen(
        factory
            .with_write_rate(100_000)
            .with_write_rate_of_each(30_000),
    );
    let first = net.dial("");
    net.run_for(5 * SECOND);
    assert_smooth(&first.borrow().pieces, 30_000, 4);
    let others: Vec<_> = (0..9).map(|_| net.dial("")).collect();
    let before = first.borrow().bytes.len();
    net.run_for(5 * SECOND);
    let each = (first.borrow().bytes.len() - before) / 5;
    assert!((8_000..=12_000).contains(&each), "{each} bytes per second");
    drop(others);
}

#[test]
fn r128_peers_that_come_and_go_do_not_use_up_the_rate() {
    let mut net = Net::new(128);
    // It hears of resets at once.
    let limits = Limits {
        pause_reading_when_full: false,
        ..Limits::default()
    };
    net.listen_with(
        limits,
        ThrottlingFactory::new(|| Talker(1 << 20)).with_write_rate(10_000),
    );
    let patient = net.dial("");
    for _ in 0..200 {
        let hasty = net.dial("");
        net.run_for(SECOND / 100);
        hasty
            .borrow()
            .transport
            .as_ref()
            .unwrap()
            .abort_connection();
    }
    net.run_for(SECOND);
    let before = patient.borrow().bytes.len();
    net.run_for(5 * SECOND);
    let each = (patient.borrow().bytes.len() - before) / 5;
    assert!((9_500..=10_500).contains(&each), "{each} bytes per second");
}

#[test]
fn r128_producers_and_protocols_are_paused_at_the_mark() {
    let mut net = Net::new(128);
    let limits = Limits {
        high_water_bytes: 20_000,
        outgoing_bytes: 50_000,
        ..Limits::default()
    };
    net.listen_with(
        limits,
        ThrottlingFactory::new(|| Chargen).with_write_rate_of_each(50_000),
    );
    let client = net.dial("");
    net.run_for(5 * SECOND);
    assert_smooth(&client.borrow().pieces, 50_000, 4);
    assert!(client.borrow().is_connected());
}

#[test]
fn r128_an_echo_is_as_slow_as_its_slower_side_and_loses_nothing() {
    let mut net = Net::new(128);
    let limits = Limits {
        high_water_bytes: 4096,
        ..Limits::default()
    };
    net.listen_with(
        limits,
        ThrottlingFactory::new(|| Echo).with_write_rate_of_each(10_000),
    );
    let says: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let client = net.dial(says.clone());
    net.run_for(5 * SECOND);
    assert_smooth(&client.borrow().pieces, 10_000, 4);
    net.run_for(30 * SECOND);
    assert_eq!(client.borrow().bytes, says);
}

/// Opens when it has heard the word, and says it itself.
#[derive(Default)]
struct Password(Vec<u8>);

const WORD: &[u8] = b"open sesame";

impl Layer for Password {
    fn name(&self) -> &'static str {
        "password"
    }
    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        down.extend_from_slice(WORD);
        Ok(())
    }
    fn is_open(&self) -> bool {
        self.0 == WORD
    }
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        let missing = (WORD.len() - self.0.len()).min(data.len());
        let (word, rest) = data.split_at_mut(missing);
        self.0.extend_from_slice(word);
        up(rest);
        Ok(())
    }
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }
}

struct WithPassword;

impl Factory for WithPassword {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Echo))
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        vec![Box::<Password>::default()]
    }
}

#[test]
fn r128_a_handshake_above_is_shaped_too_and_what_follows_it_is_kept() {
    let mut net = Net::new(128);
    net.listen(ThrottlingFactory::new(WithPassword).with_read_rate_of_each(10));
    let client = net.dial([WORD, b"hello"].concat());
    net.run_for(SECOND);
    assert_eq!(client.borrow().bytes, WORD, "half of the word was read");
    net.run_for(SECOND);
    assert_eq!(client.borrow().bytes, [WORD, b"hello"].concat());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn r128_shaped_bytes_are_the_same_bytes(
        seed in any::<u64>(),
        length in 0..30_000usize,
        read in 1000..100_000u64,
        write in 1000..100_000u64,
        mark in 1..10_000usize,
    ) {
        let mut net = Net::new(seed).with_faults(Faults::gentle());
        let limits = Limits { high_water_bytes: mark, ..Limits::default() };
        let factory = ThrottlingFactory::new(|| Echo).with_read_rate(read).with_write_rate_of_each(write);
        net.listen_with(limits, factory);
        let says: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        let client = net.dial(says.clone());
        net.run_for(120 * SECOND);
        prop_assert_eq!(&client.borrow().bytes, &says);
    }
}
