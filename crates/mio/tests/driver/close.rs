//! The three ways to end: in order, lingering, with a reset.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use ropewalk_core::driver::{ConnId, Driver, Sent};

use crate::child::{Process, is_child, say};
use crate::world::{World, read_to_end};

/// Whether the place of a closed connection is free again, which is when its socket is closed.
fn is_free(world: &mut World, conn: ConnId) -> bool {
    let (next, _peer) = world.accepted();
    world.driver.abort(next);
    next.0.index() == conn.0.index()
}

#[test]
fn r051_a_close_lets_everything_sent_arrive() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    let big = vec![5; 8_000_000];
    if matches!(world.send(conn, &big), Sent::Blocked) {
        let reader = thread::spawn(move || read_to_end(&peer));
        world.wait("end of sending", |log| {
            log.outgoing[&conn].is_empty().then_some(())
        });
        world.driver.close(conn);
        world.settle();
        let (bytes, error) = reader.join().unwrap();
        assert_eq!((bytes.len(), error), (big.len(), None));
    } else {
        panic!("8 MB fit into a socket");
    }
}

#[test]
fn a_close_over_unread_bytes_is_no_reset() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    world.driver.pause(conn);
    peer.write_all(&[1; 100_000]).unwrap();
    world.settle();
    assert!(matches!(world.send(conn, b"413 too large"), Sent::Done));
    world.driver.close(conn);
    // The peer writes on before it reads: a kernel whose socket is closed would answer with a reset.
    peer.write_all(&[2; 100_000]).unwrap();
    world.settle();
    assert_eq!(read_to_end(&peer), (b"413 too large".to_vec(), None));
    assert_eq!(
        world.story(conn),
        ["accepted"],
        "nothing of what is discarded is told"
    );
}

#[test]
fn a_peer_that_has_much_to_say_before_it_reads_sees_no_reset() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    assert!(matches!(world.send(conn, b"413 too large"), Sent::Done));
    world.driver.close(conn);
    let upload = thread::spawn(move || {
        let written = peer.write_all(&[2; 8_000_000]);
        (written.is_ok(), read_to_end(&peer))
    });
    while !upload.is_finished() {
        world.poll(Duration::from_millis(10));
    }
    let answer = (b"413 too large".to_vec(), None);
    assert_eq!(upload.join().unwrap(), (true, answer));
}

#[test]
fn a_lingering_socket_is_closed_when_the_peer_ends() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    world.driver.close(conn);
    world.settle();
    assert!(!is_free(&mut world, conn), "it lingers");
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
    drop(peer);
    world.settle();
    assert!(is_free(&mut world, conn));
    assert_eq!(world.story(conn), ["accepted"]);
}

#[test]
fn a_close_finds_what_came_while_it_was_paused() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    // Linux reports readiness anew after a half-close, so that comes first.
    world.driver.shutdown_write(conn);
    world.driver.pause(conn);
    peer.write_all(&[1; 1000]).unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    world.settle();
    world.driver.close(conn);
    world.settle();
    assert!(
        is_free(&mut world, conn),
        "the bytes and the end were there, no edge will follow"
    );
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
}

#[test]
fn after_the_peers_end_a_close_does_not_linger() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    peer.shutdown(Shutdown::Write).unwrap();
    world.wait_eof(conn);
    world.driver.close(conn);
    assert!(is_free(&mut world, conn));
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
}

#[test]
fn after_a_half_close_a_close_waits_for_the_peers_end() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    world.driver.shutdown_write(conn);
    world.driver.close(conn);
    peer.write_all(b"late").unwrap();
    world.settle();
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
    drop(peer);
    world.settle();
    assert!(is_free(&mut world, conn));
}

#[test]
fn a_peer_that_never_ends_is_left_after_two_seconds() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    let clock = world.driver.clock();
    let closed_at = clock();
    world.driver.close(conn);
    let limit = closed_at + Duration::from_millis(1900);
    while clock() < limit {
        world.poll(limit - clock());
    }
    assert!(!is_free(&mut world, conn));
    // Nothing happens and nobody asks: the driver's own deadline ends the wait.
    world.driver.poll(None, &mut world.log).unwrap();
    assert!(clock() >= closed_at + Duration::from_secs(2));
    assert!(is_free(&mut world, conn));
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
    while peer.write(b"hello?").is_ok() {}
}

#[test]
fn a_peer_that_sends_for_ever_is_left_after_a_mebibyte() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    let clock = world.driver.clock();
    world.driver.close(conn);
    let closed_at = clock();
    let writer = thread::spawn(move || {
        let mut sent = 0_u64;
        while let Ok(count) = peer.write(&[0; 65536]) {
            sent += count as u64;
        }
        sent
    });
    while !writer.is_finished() && clock() < closed_at + Duration::from_millis(1500) {
        world.poll(Duration::from_millis(1));
    }
    assert!(writer.is_finished(), "only the time-out would end it");
    assert!(writer.join().unwrap() > 1 << 20);
}

#[test]
fn too_many_that_linger_cost_the_oldest_its_patience() {
    if !is_child() {
        let test = "close::too_many_that_linger_cost_the_oldest_its_patience";
        return Process::start(test, "ulimit -n 4096").succeed();
    }
    let mut world = World::new();
    let mut all: Vec<(ConnId, TcpStream)> = (0..1025).map(|_| world.accepted()).collect();
    for (conn, _) in &all {
        world.driver.close(*conn);
    }
    // The first is closed, so its kernel resets; the second lingers.
    for (position, ends) in [(0, true), (1, false)] {
        let peer = &mut all[position].1;
        let _ = peer.write(b"one");
        world.settle();
        let peer = &mut all[position].1;
        assert_eq!(peer.write(b"two").is_err(), ends, "{position}");
    }
    say("done");
}

#[test]
fn r056_an_abort_is_a_reset() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    world.send(conn, &[0; 1000]);
    world.driver.abort(conn);
    let (_, error) = read_to_end(&peer);
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    world.settle();
    assert_eq!(world.story(conn), ["accepted"]);
}

#[test]
fn a_close_of_a_broken_connection_is_quiet() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    world.driver.pause(conn);
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
    world.driver.close(conn);
    world.settle();
    assert!(is_free(&mut world, conn));
    assert_eq!(world.story(conn), ["accepted"]);
}

#[test]
fn a_dropped_driver_ends_its_connections() {
    let mut world = World::new();
    let (_, mut peer) = world.accepted();
    drop(world);
    assert_eq!(peer.read(&mut [0; 10]).unwrap(), 0);
}
