//! Connecting.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use ropewalk_core::address::Address;
use ropewalk_core::driver::{Connect, Driver, Sent};

use crate::world::{Heard, World, connect_options};

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn r047_a_connection_knows_both_its_ends() {
    for any in ["127.0.0.1:0", "[::1]:0"] {
        let mut world = World::new();
        let (_, address) = world.listen_on(any).unwrap();
        let conn = world.connect(address);
        world.wait_connected(conn);
        let accepted = world.wait("peer", |log| {
            log.heard.iter().find_map(|heard| match heard {
                Heard::Accepted { host, peer, .. } => Some((*host, *peer)),
                _ => None,
            })
        });
        let connected = world.log.heard.iter().find_map(|heard| match heard {
            Heard::Connected { host, peer, .. } => Some((*peer, *host)),
            _ => None,
        });
        assert_eq!(Some(accepted), connected);
        assert_eq!(accepted.0, address);
    }
}

#[test]
fn bytes_go_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new();
    let conn = world.connect(listener.local_addr().unwrap());
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"welcome").unwrap();
    world.wait_bytes(conn, 7);
    assert_eq!(world.story(conn), ["connected", "received"]);
    assert!(matches!(world.send(conn, b"thanks"), Sent::Done));
    let mut bytes = [0; 6];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"thanks");
}

#[test]
fn r040_a_refusal_is_told_once() {
    let mut world = World::new();
    let conn = world.connect(free_port());
    assert_eq!(world.wait_failed(conn).kind(), ErrorKind::ConnectionRefused);
    world.settle();
    assert_eq!(world.story(conn), ["connect failed"]);
}

#[test]
fn what_fails_at_once_is_told_by_the_next_poll() {
    let mut world = World::new();
    // TEST-NET-1 (RFC 5737) is nobody's address.
    let bind = Some(Address::Tcp("192.0.2.1:0".parse().unwrap()));
    let conn = world.driver.connect(&Connect {
        bind,
        ..connect_options(free_port())
    });
    assert!(world.log.heard.is_empty());
    world.driver.poll(None, &mut world.log).unwrap();
    assert_eq!(world.story(conn), ["connect failed"]);
    assert_eq!(world.wait_failed(conn).kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn what_was_given_up_is_not_told() {
    let mut world = World::new();
    let (_, address) = world.listen();
    let bind = Some(Address::Tcp("192.0.2.1:0".parse().unwrap()));
    let failed = Connect {
        bind,
        ..connect_options(address)
    };
    let given_up = [
        world.connect(address),
        world.connect(address),
        world.connect(free_port()),
        world.driver.connect(&failed),
        world.driver.connect(&failed),
    ];
    for (number, conn) in given_up.into_iter().enumerate() {
        if number % 2 == 0 {
            world.driver.close(conn);
        } else {
            world.driver.abort(conn);
        }
    }
    world.settle();
    world.poll(Duration::from_millis(20));
    for conn in given_up {
        assert!(world.story(conn).is_empty());
    }
    let next = world.connect(address);
    world.wait_connected(next);
}

#[test]
fn our_own_address_can_be_chosen() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new();
    let bind = Some(Address::Tcp("127.0.0.2:0".parse().unwrap()));
    let connect = Connect {
        bind,
        ..connect_options(listener.local_addr().unwrap())
    };
    let conn = world.driver.connect(&connect);
    world.wait_connected(conn);
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.2");
}

#[test]
fn what_is_sent_too_early_waits_for_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut world = World::new();
    let conn = world.connect(listener.local_addr().unwrap());
    assert!(matches!(world.send(conn, b"hasty"), Sent::Blocked));
    world.wait_connected(conn);
    assert!(
        world.log.outgoing[&conn].is_empty(),
        "the flush of `Connected` has sent it"
    );
    let mut bytes = [0; 5];
    listener.accept().unwrap().0.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"hasty");
}
