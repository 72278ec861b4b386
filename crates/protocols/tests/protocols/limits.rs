//! How many connections: `LimitTotalConnectionsFactory` by R127, `LimitConnectionsByPeer` as D11 was meant.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Layer, Protocol, SharedFactory, Transport};
use ropewalk_protocols::wire::Echo;
use ropewalk_protocols::{LimitConnectionsByPeer, LimitTotalConnectionsFactory};

use crate::net::{Net, Seen, Shared};

const SECOND: Duration = Duration::from_secs(1);

fn connected(clients: &[Shared<Seen>]) -> Vec<bool> {
    clients
        .iter()
        .map(|client| client.borrow().is_connected())
        .collect()
}

fn end(client: &Shared<Seen>) {
    let transport = client.borrow().transport.clone();
    transport.expect("it was connected").lose_connection();
}

#[test]
fn r127_above_the_limit_a_connection_is_refused_and_the_count_falls_when_one_ends() {
    let mut net = Net::new(127);
    let factory = SharedFactory::new(LimitTotalConnectionsFactory::new(2, || Echo));
    net.listen(factory.clone());
    let clients: Vec<_> = (0..3).map(|_| net.dial("hello")).collect();
    net.run_for(SECOND);
    assert_eq!(connected(&clients), [true, true, false]);
    assert_eq!(factory.with(|factory| factory.connections()), 2);
    assert!(clients[2].borrow().bytes.is_empty());

    end(&clients[0]);
    net.run_for(SECOND);
    assert_eq!(factory.with(|factory| factory.connections()), 1);
    let next = net.dial("hello");
    net.run_for(SECOND);
    assert_eq!(next.borrow().bytes, b"hello");
}

struct Busy;

impl Protocol for Busy {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("busy");
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn r127_the_overflow_factory_serves_what_is_above_the_limit() {
    let mut net = Net::new(127);
    net.listen(LimitTotalConnectionsFactory::new(2, || Echo).with_overflow(|| Busy));
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(net.dial("hello"));
        net.run_for(SECOND);
    }
    assert_eq!(
        connected(&clients),
        [true, true, true, true, false],
        "as many again, and no more"
    );
    let heard: Vec<_> = clients
        .iter()
        .map(|client| client.borrow().bytes.clone())
        .collect();
    assert_eq!(heard, [&b"hello"[..], b"hello", b"busy", b"busy", b""]);

    end(&clients[1]);
    net.run_for(SECOND);
    let next = net.dial("hello");
    net.run_for(SECOND);
    assert_eq!(
        next.borrow().bytes,
        b"hello",
        "a place is free, though two are told that there is none"
    );
}

/// Panics at the first byte.
struct Fragile;

impl Protocol for Fragile {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        panic!("as the test wants it");
    }
}

/// A layer that never opens, and refuses the handshake at the first byte.
struct Closed;

impl Layer for Closed {
    fn name(&self) -> &'static str {
        "closed"
    }
    fn is_open(&self) -> bool {
        false
    }
    fn receive(
        &mut self,
        _: &mut [u8],
        _: &mut dyn FnMut(&mut [u8]),
        _: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        Err(LayerError::Misbehaved("no such handshake".into()))
    }
    fn send(&mut self, _: &[u8], _: &mut Vec<u8>) {}
}

/// A factory that does something wrong.
#[derive(Clone, Copy)]
enum Wrong {
    Handshake,
    Layers,
    Build,
    Refuse,
    Callback,
}

impl Factory for Wrong {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        match self {
            Self::Refuse => None,
            Self::Build => panic!("as the test wants it"),
            _ => Some(Box::new(Fragile)),
        }
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        match self {
            Self::Handshake => vec![Box::new(Closed)],
            Self::Layers => panic!("as the test wants it"),
            _ => Vec::new(),
        }
    }
}

#[test]
fn r127_the_count_falls_however_a_connection_ends() {
    for wrong in [
        Wrong::Handshake,
        Wrong::Layers,
        Wrong::Build,
        Wrong::Refuse,
        Wrong::Callback,
    ] {
        let mut net = Net::new(127);
        let both =
            LimitConnectionsByPeer::new(LimitTotalConnectionsFactory::new(1, wrong)).with_limit(1);
        let factory = SharedFactory::new(both);
        net.listen(factory.clone());
        for _ in 0..3 {
            let client = net.dial("hello");
            net.run_for(SECOND);
            assert!(!client.borrow().is_connected());
        }
        let peer = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(factory.with(|factory| factory.connections(peer)), 0);
    }
}

#[test]
fn r127_a_connection_counts_while_its_handshake_goes_on() {
    let mut net = Net::new(127);
    let factory = SharedFactory::new(LimitTotalConnectionsFactory::new(2, Wrong::Handshake));
    net.listen(factory.clone());
    let _silent: Vec<_> = (0..3).map(|_| net.dial("")).collect();
    net.run_for(SECOND);
    assert_eq!(factory.with(|factory| factory.connections()), 2);
    net.run_for(10 * SECOND);
    assert_eq!(
        factory.with(|factory| factory.connections()),
        0,
        "the handshake timed out"
    );
}

#[test]
fn d11_the_sixth_connection_of_one_host_is_refused() {
    let mut net = Net::new(11);
    net.listen(LimitConnectionsByPeer::new(|| Echo));
    let clients: Vec<_> = (0..6).map(|_| net.dial("hello")).collect();
    net.run_for(SECOND);
    assert_eq!(connected(&clients), [true, true, true, true, true, false]);
    end(&clients[4]);
    net.run_for(SECOND);
    let next = net.dial("hello");
    net.run_for(SECOND);
    assert_eq!(next.borrow().bytes, b"hello");
}

fn accepts(factory: &mut impl Factory, peer: &str) -> bool {
    let ip: IpAddr = peer.parse().unwrap();
    factory.accepts(&SocketAddr::new(ip, 50_000).into())
}

#[test]
fn d11_a_peer_is_an_address_or_a_network() {
    let mut factory = LimitConnectionsByPeer::new(|| Echo).with_limit(1);
    assert!(accepts(&mut factory, "192.0.2.1"));
    assert!(
        !accepts(&mut factory, "::ffff:192.0.2.1"),
        "the same, seen through an IPv6 socket"
    );
    assert!(accepts(&mut factory, "192.0.2.2"));
    assert!(accepts(&mut factory, "2001:db8::1"));
    assert!(!accepts(&mut factory, "2001:db8::2"), "the same network");
    assert!(accepts(&mut factory, "2001:db8:0:1::1"));

    let mut factory = LimitConnectionsByPeer::new(|| Echo)
        .with_limit(1)
        .with_ipv6_bits(128);
    assert!(accepts(&mut factory, "2001:db8::1"));
    assert!(accepts(&mut factory, "2001:db8::2"));
    assert!(!accepts(&mut factory, "2001:db8::2"));

    let mut factory = LimitConnectionsByPeer::new(|| Echo)
        .with_limit(1)
        .with_ipv6_bits(0);
    assert!(accepts(&mut factory, "2001:db8::1"));
    assert!(!accepts(&mut factory, "2a00::1"));
}

#[test]
fn refused_by_one_policy_is_not_counted_by_another() {
    let total = LimitTotalConnectionsFactory::new(1, || Echo);
    let mut factory = LimitConnectionsByPeer::new(total).with_limit(1);
    assert!(accepts(&mut factory, "192.0.2.1"));
    for _ in 0..3 {
        assert!(!accepts(&mut factory, "192.0.2.2"));
    }
    assert_eq!(factory.connections(IpAddr::from([192, 0, 2, 2])), 0);
}
