//! Bytes in both directions.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use ropewalk_core::driver::{ConnId, Demand, Driver, Sent, SocketOption};
use ropewalk_core::slots::Key;

use crate::world::{Heard, World, read_to_end};

#[test]
fn bytes_are_echoed_right_after_their_event() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    world.log.echoes = true;
    peer.write_all(b"hello").unwrap();
    world.wait_bytes(conn, 5);
    assert!(matches!(world.log.sent[..], [(c, Sent::Done)] if c == conn));
    let mut answer = [0; 5];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
}

#[test]
fn a_big_message_comes_in_full_buffers() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n * 7 / 5) as u8).collect();
    let copy = sent.clone();
    let writer = thread::spawn(move || peer.write_all(&copy).map(|()| peer).unwrap());
    world.wait_bytes(conn, sent.len());
    assert!(world.log.bytes[&conn] == sent);
    drop(writer.join());
}

#[test]
fn data_and_end_at_once_are_both_told() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    peer.write_all(b"last words").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    world.wait_eof(conn);
    assert_eq!(world.story(conn), ["accepted", "received", "eof"]);
    assert_eq!(world.log.bytes[&conn], b"last words");
}

#[test]
fn r060_after_the_peers_half_close_we_may_go_on_writing() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    peer.shutdown(Shutdown::Write).unwrap();
    world.wait_eof(conn);
    assert!(matches!(world.send(conn, b"still here"), Sent::Done));
    world.driver.close(conn);
    assert_eq!(read_to_end(&peer), (b"still here".to_vec(), None));
}

#[test]
fn r059_after_our_half_close_we_go_on_reading() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    assert!(matches!(world.send(conn, b"bye"), Sent::Done));
    world.driver.shutdown_write(conn);
    world.driver.shutdown_write(conn);
    assert_eq!(read_to_end(&peer), (b"bye".to_vec(), None));
    peer.write_all(b"one more thing").unwrap();
    drop(peer);
    world.wait_eof(conn);
    assert_eq!(world.log.bytes[&conn], b"one more thing");
}

#[test]
fn a_reset_of_the_peer_is_a_failure_told_once() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
    let error = world.wait_failed(conn);
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    world.settle();
    assert_eq!(world.story(conn), ["accepted", "failed"]);
    assert!(matches!(world.send(conn, b"?"), Sent::Failed(_)));
}

#[test]
fn a_reset_after_the_end_is_a_failure_too() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    peer.shutdown(Shutdown::Write).unwrap();
    world.wait_eof(conn);
    drop(peer);
    // The peer is gone: its kernel answers our bytes with a reset.
    assert!(matches!(world.send(conn, b"anybody?"), Sent::Done));
    world.wait_failed(conn);
    assert_eq!(world.story(conn), ["accepted", "eof", "failed"]);
}

#[test]
fn a_send_that_is_cut_short_goes_on_when_there_is_room() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    let big: Vec<u8> = (0..20_000_000_u32).map(|n| (n / 3) as u8).collect();
    assert!(matches!(world.send(conn, &big), Sent::Blocked));
    assert!(world.unsent(conn) > 0);
    world.settle();
    assert_eq!(world.story(conn), ["accepted"], "no room, no event");
    let reader = thread::spawn(move || {
        let mut all = vec![0; 20_000_000];
        (&peer).read_exact(&mut all).map(|()| (peer, all)).unwrap()
    });
    // `flush` after each `Writable` sends more.
    world.wait("end of sending", |log| {
        log.outgoing[&conn].is_empty().then_some(())
    });
    assert!(world.story(conn).contains(&"writable"));
    assert!(reader.join().unwrap().1 == big);
}

#[test]
fn many_pieces_leave_in_one_vectored_send() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    let mut expected = Vec::new();
    let (outgoing, pool) = (
        world.log.outgoing.entry(conn).or_default(),
        &mut world.log.pool,
    );
    for piece in 0..100_u8 {
        outgoing.write(&[piece; 10], pool);
        outgoing.write_shared(vec![piece; 5000].into(), pool);
        expected.extend_from_slice(&[piece; 5010]);
    }
    let reader = thread::spawn(move || {
        let mut all = vec![0; 501_000];
        peer.read_exact(&mut all).map(|()| all).unwrap()
    });
    world.send(conn, b"");
    world.wait("end of sending", |log| {
        log.outgoing[&conn].is_empty().then_some(())
    });
    assert!(reader.join().unwrap() == expected);
}

#[test]
fn r063_a_pause_stops_the_bytes_at_once_and_loses_none() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    world.on_event(|heard, _, _| match heard {
        Heard::Received(..) => Demand::Pause,
        _ => Demand::Continue,
    });
    let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n / 7) as u8).collect();
    let copy = sent.clone();
    let writer = thread::spawn(move || {
        peer.write_all(&copy).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        peer
    });
    world.wait_bytes(conn, 1);
    while !world.story(conn).contains(&"eof") {
        let received = world.log.bytes[&conn].len();
        world.settle();
        assert_eq!(
            world.log.bytes[&conn].len(),
            received,
            "not a byte while paused"
        );
        world.driver.resume(conn);
        let events = world.log.heard.len();
        world.wait("progress", |log| (log.heard.len() > events).then_some(()));
    }
    assert!(world.log.bytes[&conn] == sent);
    drop(writer.join());
}

#[test]
fn r063_a_pause_before_any_byte_holds() {
    let mut world = World::new();
    world.on_event(|heard, _, _| match heard {
        Heard::Accepted { .. } => Demand::Pause,
        _ => Demand::Continue,
    });
    let (conn, mut peer) = world.accepted();
    peer.write_all(b"early").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    world.settle();
    world.poll(Duration::from_millis(20));
    assert_eq!(world.story(conn), ["accepted"]);
    world.driver.resume(conn);
    world.wait_eof(conn);
    assert_eq!(world.story(conn), ["accepted", "received", "eof"]);
}

#[test]
fn r064_a_paused_connection_tells_its_reset_when_resumed() {
    let mut world = World::new();
    let (conn, peer) = world.accepted();
    world.driver.pause(conn);
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(peer);
    world.poll(Duration::from_millis(20));
    world.settle();
    assert_eq!(world.story(conn), ["accepted"]);
    world.driver.resume(conn);
    world.wait_failed(conn);
}

#[test]
fn resuming_an_empty_connection_does_nothing() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    for _ in 0..3 {
        world.driver.pause(conn);
        world.driver.resume(conn);
        world.settle();
    }
    assert_eq!(world.story(conn), ["accepted"]);
    peer.write_all(b"x").unwrap();
    world.wait_bytes(conn, 1);
}

#[test]
fn a_busy_peer_does_not_starve_the_others() {
    const WARM_UP: usize = 64 << 20;
    let mut world = World::new();
    let (busy, mut flood) = world.accepted();
    let (quiet, mut peer) = world.accepted();
    // The kernel's receive buffer grows with what is read fast: only then more than a turn's budget can lie ready.
    let writer = thread::spawn(move || flood.write_all(&vec![7; WARM_UP]).map(|()| flood).unwrap());
    world.wait_bytes(busy, WARM_UP);
    world.driver.pause(busy);
    let mut flood = writer.join().unwrap();
    flood.set_nonblocking(true).unwrap();
    let mut ready = 0;
    while let Ok(count) = flood.write(&[7; 65536]) {
        ready += count;
    }
    assert!(ready > 1 << 20, "{ready} bytes are too few for this test");
    world.settle();
    peer.write_all(b"me too").unwrap();
    world.log.heard.clear();
    world.driver.resume(busy);
    world.wait_bytes(quiet, 6);
    let reads = world
        .log
        .heard
        .iter()
        .filter(|it| matches!(it, Heard::Received(c) if *c == busy));
    assert!(
        reads.count() <= 4,
        "one turn before the quiet one was heard"
    );
}

#[test]
fn a_hundred_mebibytes_pass_a_slow_reader() {
    const TOTAL: usize = 100 << 20;
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    let reader = thread::spawn(move || {
        let (mut buffer, mut total, mut sum) = (vec![0; 1500], 0, 0_u64);
        while total < TOTAL {
            let count = peer.read(&mut buffer).unwrap();
            assert_ne!(count, 0, "an early end");
            sum = buffer[..count]
                .iter()
                .fold(sum, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
            total += count;
        }
        sum
    });
    let chunk: Vec<u8> = (0..65_521_u32).map(|n| (n * n / 11) as u8).collect();
    let (mut queued, mut sum) = (0, 0_u64);
    while queued < TOTAL {
        let piece = &chunk[..chunk.len().min(TOTAL - queued)];
        sum = piece
            .iter()
            .fold(sum, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
        queued += piece.len();
        if matches!(world.send(conn, piece), Sent::Blocked) {
            world.wait("room", |log| log.outgoing[&conn].is_empty().then_some(()));
        }
    }
    assert_eq!(reader.join().unwrap(), sum);
}

#[test]
fn the_handler_may_close_within_an_event() {
    let mut world = World::new();
    let (conn, mut peer) = world.accepted();
    world.on_event(|heard, _, _| match heard {
        Heard::Received(..) => Demand::Close,
        _ => Demand::Continue,
    });
    peer.write_all(b"go away").unwrap();
    world.wait_bytes(conn, 7);
    assert_eq!(read_to_end(&peer), (Vec::new(), None));
    drop(peer);
    world.settle();
    assert_eq!(world.story(conn), ["accepted", "received"]);
}

#[test]
fn r015_an_old_name_reaches_nobody() {
    let mut world = World::new();
    let (old, old_peer) = world.accepted();
    world.driver.abort(old);
    let (new, mut peer) = world.accepted();
    assert_eq!(old.0.index(), new.0.index(), "the place is used again");
    assert_ne!(old, new);
    assert!(matches!(
        world.send(old, b"for the old one"),
        Sent::Failed(_)
    ));
    world.driver.pause(old);
    world.driver.shutdown_write(old);
    world.driver.close(old);
    world.driver.abort(old);
    assert!(
        world
            .driver
            .set_option(old, SocketOption::NoDelay(true))
            .is_err()
    );
    assert!(matches!(world.send(new, b"for the new one"), Sent::Done));
    let mut bytes = [0; 15];
    peer.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"for the new one");
    drop(old_peer);
}

#[test]
fn a_name_never_given_reaches_nobody() {
    let mut world = World::new();
    let nobody = ConnId(Key::new(77, 3));
    world.driver.close(nobody);
    world.driver.abort(nobody);
    world.driver.resume(nobody);
    assert!(matches!(world.send(nobody, b"x"), Sent::Failed(_)));
}

#[test]
fn r065_the_kernel_takes_the_options() {
    let mut world = World::new();
    let (conn, _peer) = world.accepted();
    for option in [
        SocketOption::NoDelay(false),
        SocketOption::NoDelay(true),
        SocketOption::KeepAlive(Some(Duration::from_millis(1))),
        SocketOption::KeepAlive(Some(Duration::MAX)),
        SocketOption::KeepAlive(None),
    ] {
        world.driver.set_option(conn, option).unwrap();
    }
    let user = world.driver.set_option(
        conn,
        SocketOption::UserTimeout(Some(Duration::from_secs(30))),
    );
    assert_eq!(user.is_ok(), cfg!(target_os = "linux"));
}

#[test]
fn many_connections_in_one_batch_each_hear_their_own() {
    let mut world = World::new();
    world.log.echoes = true;
    let mut all: Vec<(ConnId, TcpStream)> = (0..200).map(|_| world.accepted()).collect();
    for (number, (_, peer)) in all.iter_mut().enumerate() {
        peer.write_all(&(number as u64).to_le_bytes()).unwrap();
    }
    for (number, (conn, peer)) in all.iter_mut().enumerate() {
        world.wait_bytes(*conn, 8);
        let mut answer = [0; 8];
        peer.read_exact(&mut answer).unwrap();
        assert_eq!(u64::from_le_bytes(answer), number as u64);
    }
}
