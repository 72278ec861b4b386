//! Listening.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use ropewalk_core::driver::{Demand, Driver, Listen};

use crate::world::{Heard, World, listen_options, read_to_end};

#[test]
fn r044_a_busy_address_fails_at_once() {
    let mut world = World::new();
    let (_, address) = world.listen();
    let error = world.listen_on(&address.to_string()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let error = world.listen_on("192.0.2.1:0").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn r045_a_stopped_listener_refuses_and_its_connections_live_on() {
    let mut world = World::new();
    let (listener, address) = world.listen();
    let mut peer = TcpStream::connect(address).unwrap();
    let conn = world.wait("peer", |log| log.heard.iter().find_map(Heard::conn));
    world.driver.stop_listening(listener);
    world.driver.stop_listening(listener);
    assert_eq!(
        TcpStream::connect(address).unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    peer.write_all(b"alive").unwrap();
    world.wait_bytes(conn, 5);

    let (_, again) = world.listen_on(&address.to_string()).unwrap();
    assert_eq!(again, address);
    let _second = TcpStream::connect(address).unwrap();
    world.wait("second", |log| (log.heard.len() == 3).then_some(()));
}

#[test]
fn one_port_serves_both_families_by_two_listeners() {
    let mut world = World::new();
    let (_, v6) = world.listen_on("[::]:0").unwrap();
    let (_, v4) = world.listen_on(&format!("0.0.0.0:{}", v6.port())).unwrap();
    assert_eq!(v4.port(), v6.port());
    for target in ["127.0.0.1", "[::1]"] {
        let peer = TcpStream::connect(format!("{target}:{}", v6.port())).unwrap();
        let (host, from) = world.wait("peer", |log| match log.heard.last()? {
            Heard::Accepted { host, peer, .. } => Some((*host, *peer)),
            _ => None,
        });
        assert_eq!(
            host,
            peer.peer_addr().unwrap(),
            "our end, and not the wildcard"
        );
        assert_eq!(from, peer.local_addr().unwrap());
        drop(peer);
        world.wait("end", |log| {
            matches!(log.heard.last()?, Heard::Eof(_)).then_some(())
        });
    }
}

#[test]
fn several_may_share_a_port_when_all_say_so() {
    let mut worlds = [World::new(), World::new()];
    let shared = |address: &str| Listen {
        reuse_port: true,
        ..listen_options(address)
    };
    let (_, address) = worlds[0].driver.listen(&shared("127.0.0.1:0")).unwrap();
    worlds[1]
        .driver
        .listen(&shared(&address.socket().unwrap().to_string()))
        .unwrap();
    let peers: Vec<_> = (0..64)
        .map(|_| TcpStream::connect(address.socket().unwrap()).unwrap())
        .collect();
    let mut heard = 0;
    while heard < peers.len() {
        worlds.iter_mut().for_each(World::settle);
        heard = worlds.iter().map(|world| world.log.heard.len()).sum();
    }
    assert!(worlds.iter().all(|world| !world.log.heard.is_empty()));
}

#[test]
fn r043_a_refused_connection_ends_and_is_named_no_more() {
    let mut world = World::new();
    world.on_event(|_, _, _| Demand::Close);
    let (_, address) = world.listen();
    let peer = TcpStream::connect(address).unwrap();
    world.wait("peer", |log| log.heard.first().map(drop));
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
    world.settle();
    assert_eq!(world.log.heard.len(), 1);
}

#[test]
fn a_greeting_leaves_with_the_event_of_the_connection() {
    let mut world = World::new();
    world.on_event(|heard, outgoing, pool| {
        outgoing
            .entry(heard.conn().unwrap())
            .or_default()
            .write(b"220 ready", pool);
        Demand::Continue
    });
    let (_, address) = world.listen();
    let peer = TcpStream::connect(address).unwrap();
    let conn = world.wait("peer", |log| log.heard.iter().find_map(Heard::conn));
    world.driver.close(conn);
    assert_eq!(read_to_end(&peer), (b"220 ready".to_vec(), None));
}

#[test]
fn a_crowd_is_accepted_to_the_last() {
    let mut world = World::new();
    let (_, address) = world.listen();
    let crowd: Vec<_> = (0..300)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    // More than one turn's worth waits, and there is one edge only.
    world.wait("crowd", |log| {
        (log.heard.len() == crowd.len()).then_some(())
    });
}
