//! Close, abort, reset; crash and restart; keep-alive and user time-out.

use std::io::ErrorKind;
use std::time::Duration;

use ropewalk_core::driver::{ConnId, Connect, Driver, SocketOption, StreamOptions};

use super::probe::{Probe, Seen, connect_to, ms, pattern, run_all, secs, two_hosts};
use crate::{Crashed, Mood, Recording, Rule, World};

#[test]
fn a_close_comes_after_everything_sent() {
    let mut probe = Probe::alone(1);
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, &pattern(300_000));
    probe.close(client);
    probe.run();
    assert_eq!(probe.received(server), pattern(300_000));
    assert_eq!(probe.news().last(), Some(&Seen::Eof(server)));
}

#[test]
fn closing_over_unread_bytes_loses_nothing_of_the_answer() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.pause(here);
    client.write(there, &pattern(10_000));
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    server.write(here, b"too long");
    server.close(here);
    client.write(there, &pattern(10_000));
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert_eq!(
        client.news(),
        [
            Seen::Received(there, b"too long".to_vec()),
            Seen::Eof(there)
        ]
    );
}

#[test]
fn lingering_ends_over_a_peer_that_sends_too_much() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.close(here);
    client.write(there, &pattern(20_000_000));
    run_all(&world, &mut [&mut server, &mut client], ms(1500));
    let news = client.news();
    assert!(news.contains(&Seen::Eof(there)));
    assert_eq!(
        news.last(),
        Some(&Seen::Failed(there, ErrorKind::ConnectionReset))
    );
}

#[test]
fn writing_to_a_peer_that_is_gone_is_answered_with_a_reset() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.close(here);
    run_all(&world, &mut [&mut server, &mut client], secs(9));
    assert_eq!(client.news(), [Seen::Eof(there)]);
    client.write(there, b"is anybody there?");
    run_all(&world, &mut [&mut server, &mut client], secs(10));
    assert_eq!(
        client.news(),
        [Seen::Failed(there, ErrorKind::ConnectionReset)]
    );
    assert_eq!(server.news(), []);
    assert_eq!(world.netstat().len(), 1, "only the listener is left");
}

#[test]
fn both_closing_leaves_nothing() {
    let mut probe = Probe::alone(1);
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.close(client);
    probe.close(server);
    probe.run();
    assert_eq!(probe.news(), []);
    assert_eq!(probe.world().netstat().len(), 1);
}

#[test]
fn an_abort_resets_the_peer_and_drops_what_was_under_way() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.pause(here);
    client.write(there, b"unread");
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.write(there, b"under way");
    client.abort(there);
    server.resume(here);
    server.pause(here);
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert_eq!(server.news(), [], "paused");
    server.resume(here);
    run_all(&world, &mut [&mut server, &mut client], secs(4));
    assert_eq!(
        server.news(),
        [Seen::Failed(here, ErrorKind::ConnectionReset)]
    );
    assert_eq!(server.received(here), b"");
}

#[test]
fn a_blocked_writer_hears_of_a_reset_while_paused() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    client.pause(there);
    server.pause(here);
    server.write(here, &pattern(500_000));
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.abort(there);
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert_eq!(
        server.news().last(),
        Some(&Seen::Failed(here, ErrorKind::ConnectionReset))
    );
}

#[test]
fn a_rule_resets_at_that_byte_on_both_sides() {
    for bytes in [0, 1, 7] {
        let world = World::new(1);
        world.host("server");
        world.host("client");
        world.install(Rule::from_to("client", "server").reset_after(bytes));
        let (mut server, mut client, here, there) = two_hosts(&world);
        client.write(there, b"0123456789");
        run_all(&world, &mut [&mut server, &mut client], secs(2));
        assert_eq!(server.received(here), &b"0123456789"[..bytes as usize]);
        assert_eq!(
            server.news().last(),
            Some(&Seen::Failed(here, ErrorKind::ConnectionReset))
        );
        assert_eq!(
            client.news(),
            [Seen::Failed(there, ErrorKind::ConnectionReset)]
        );
    }
}

#[test]
fn what_is_sent_to_a_broken_end_does_not_follow_a_gap() {
    let world = World::new(1);
    world.host("server");
    world.host("client");
    world.install(Rule::from_to("client", "server").reset_after(7));
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.pause(here);
    client.write(there, b"0123456789");
    // The server's end breaks now, unread; the client hears of that later than it writes on.
    let reset = |line: &str| line.contains("is reset by the network");
    world.record(Recording::Kept);
    while !world.trace().text().lines().any(reset) {
        let soon = world.now() + Duration::from_micros(100);
        run_all(&world, &mut [&mut server, &mut client], soon);
    }
    client.write(there, b"abc");
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    server.resume(here);
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert!(
        b"0123456".starts_with(server.received(here)),
        "{:?}",
        server.received(here)
    );
}

#[test]
fn all_connections_between_two_hosts_are_reset_on_demand() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    world.after(secs(1), |world| world.reset("client", "server"));
    run_all(&world, &mut [&mut server, &mut client], secs(9));
    assert_eq!(
        server.news(),
        [Seen::Failed(here, ErrorKind::ConnectionReset)]
    );
    assert_eq!(
        client.news(),
        [Seen::Failed(there, ErrorKind::ConnectionReset)]
    );
}

#[test]
fn a_partition_holds_bytes_and_healing_brings_them() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    client.write(there, b"under way ");
    world.partition("server", "client");
    client.write(there, b"sent meanwhile");
    client.close(there);
    run_all(&world, &mut [&mut server, &mut client], secs(60));
    assert_eq!(server.news(), []);
    world.heal("client", "server");
    run_all(&world, &mut [&mut server, &mut client], secs(61));
    assert_eq!(server.received(here), b"under way sent meanwhile");
    assert_eq!(server.news().last(), Some(&Seen::Eof(here)));
}

#[test]
fn connecting_over_a_partition_waits_for_it() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    world.partition("server", "client");
    let conn = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(1000));
    assert_eq!(client.news(), [], "a black hole never answers");
    world.heal("server", "client");
    run_all(&world, &mut [&mut server, &mut client], secs(1001));
    assert_eq!(client.news(), [Seen::Connected(conn)]);
}

#[test]
fn a_lost_link_is_silent_for_ever_for_who_sent_over_it() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    let idle = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    server.news();
    client.news();
    let guard = world.guard(Rule::between("server", "client").lose());
    client.write(there, b"lost");
    run_all(&world, &mut [&mut server, &mut client], secs(9));
    drop(guard);
    client.write(there, b"lost too");
    client.write(idle, b"fine");
    run_all(&world, &mut [&mut server, &mut client], secs(20));
    assert_eq!((server.received(here), client.news()), (&b""[..], vec![]));
    assert_eq!(server.received(server.log.accepted[1]), b"fine");
}

fn with_keep_alive(client: &mut Probe, seconds: u64) -> ConnId {
    let options = StreamOptions {
        keep_alive: Some(secs(seconds)),
        ..StreamOptions::default()
    };
    client.connect_with(&Connect {
        options,
        ..connect_to("10.0.0.1:80")
    })
}

#[test]
fn keep_alive_notices_a_vanished_peer_in_its_time() {
    let world = World::new(1);
    let (mut server, mut client, ..) = two_hosts(&world);
    let conn = with_keep_alive(&mut client, 30);
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.news();
    world.crash("server");
    run_all(&world, &mut [&mut client], secs(59));
    assert_eq!(client.news(), []);
    run_all(&world, &mut [&mut client], secs(62));
    assert_eq!(client.news(), [Seen::Failed(conn, ErrorKind::TimedOut)]);
}

#[test]
fn keep_alive_leaves_a_living_peer_alone() {
    let world = World::new(1);
    let (mut server, mut client, ..) = two_hosts(&world);
    with_keep_alive(&mut client, 30);
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.news();
    world.partition("server", "client");
    run_all(&world, &mut [&mut server, &mut client], secs(25));
    world.heal("server", "client");
    run_all(&world, &mut [&mut server, &mut client], secs(10_000));
    assert_eq!(client.news(), []);
}

#[test]
fn without_keep_alive_an_idle_connection_stays_half_open() {
    let world = World::new(1);
    let (mut server, mut client, _, there) = two_hosts(&world);
    world.crash("server");
    assert!(
        server
            .poll(None)
            .unwrap_err()
            .get_ref()
            .unwrap()
            .is::<Crashed>()
    );
    run_all(&world, &mut [&mut client], secs(1_000_000));
    assert_eq!(client.news(), []);
    assert!(
        world.netstat()[0].state.contains("cut from its peer"),
        "{:?}",
        world.netstat()
    );
    world.restart("server");
    client.write(there, b"still there?");
    run_all(&world, &mut [&mut client], secs(1_000_001));
    assert_eq!(
        client.news(),
        [Seen::Failed(there, ErrorKind::ConnectionReset)]
    );
}

#[test]
fn a_restarted_host_answers_what_was_sent_meanwhile_with_a_reset() {
    let world = World::new(1);
    let (_server, mut client, _, there) = two_hosts(&world);
    world.crash("server");
    client.write(there, b"hello?");
    run_all(&world, &mut [&mut client], secs(100));
    assert_eq!(client.news(), []);
    world.restart("server");
    run_all(&world, &mut [&mut client], secs(101));
    assert_eq!(
        client.news(),
        [Seen::Failed(there, ErrorKind::ConnectionReset)]
    );
}

#[test]
fn keep_alive_notices_a_restarted_host() {
    let world = World::new(1);
    let (mut server, mut client, ..) = two_hosts(&world);
    let conn = with_keep_alive(&mut client, 30);
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.news();
    world.crash("server");
    world.restart("server");
    let mut again = Probe::new(world.driver("server"));
    again.listen("10.0.0.1:80");
    run_all(&world, &mut [&mut again, &mut client], secs(100));
    assert_eq!(
        client.news(),
        [Seen::Failed(conn, ErrorKind::ConnectionReset)]
    );
    assert_eq!(again.news(), []);
    drop(server);
    client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut again, &mut client], secs(101));
    assert_eq!(
        again.log.accepted.len(),
        1,
        "the old driver's end does not end the new one"
    );
}

#[test]
fn the_user_time_out_ends_a_connection_that_makes_no_progress() {
    let world = World::new(1);
    let (mut server, mut client, _, there) = two_hosts(&world);
    let timeout = SocketOption::UserTimeout(Some(secs(5)));
    client.driver.set_option(there, timeout).unwrap();
    client.write(there, b"answered");
    run_all(&world, &mut [&mut server, &mut client], secs(20));
    assert_eq!(client.news(), []);
    world.partition("client", "server");
    client.write(there, b"unanswered");
    run_all(&world, &mut [&mut server, &mut client], ms(24_900));
    assert_eq!(client.news(), []);
    run_all(&world, &mut [&mut server, &mut client], ms(25_100));
    assert_eq!(client.news(), [Seen::Failed(there, ErrorKind::TimedOut)]);
}

#[test]
fn the_user_time_out_strikes_a_reader_that_stopped() {
    for mood in [Mood::Readiness, Mood::Completion] {
        let world = World::new(1);
        world.set_mood(mood);
        let (mut server, mut client, here, there) = two_hosts(&world);
        let timeout = SocketOption::UserTimeout(Some(secs(5)));
        client.driver.set_option(there, timeout).unwrap();
        server.pause(here);
        client.write(there, &pattern(500_000));
        run_all(&world, &mut [&mut server, &mut client], secs(9));
        assert_eq!(
            client.news().last(),
            Some(&Seen::Failed(there, ErrorKind::TimedOut))
        );
    }
}

#[test]
fn unacknowledged_bytes_are_given_up_in_the_end() {
    let world = World::new(1);
    let (mut server, mut client, _, there) = two_hosts(&world);
    world.install(Rule::from_to("server", "client").lose());
    client.write(there, b"arrives, but nobody says so");
    run_all(&world, &mut [&mut server, &mut client], secs(900));
    assert_eq!((client.news(), server.news().len()), (vec![], 1));
    run_all(&world, &mut [&mut server, &mut client], secs(930));
    assert_eq!(client.news(), [Seen::Failed(there, ErrorKind::TimedOut)]);
}

#[test]
fn a_dropped_driver_is_a_process_that_ended() {
    let world = World::new(1);
    let (server, mut client, _, there) = two_hosts(&world);
    drop(server);
    run_all(&world, &mut [&mut client], secs(2));
    assert_eq!(client.news(), [Seen::Eof(there)]);
    let refused = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut client], secs(3));
    assert_eq!(
        client.news(),
        [Seen::ConnectFailed(refused, ErrorKind::ConnectionRefused)]
    );
}

#[test]
fn a_process_that_ends_over_unread_bytes_resets() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    server.pause(here);
    client.write(there, b"unread");
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    drop(server);
    run_all(&world, &mut [&mut client], secs(3));
    assert_eq!(
        client.news(),
        [Seen::Failed(there, ErrorKind::ConnectionReset)]
    );
}
