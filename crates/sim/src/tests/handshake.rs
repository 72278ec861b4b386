//! Listening, connecting, accepting.

use std::io::ErrorKind;

use ropewalk_core::Address;
use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::{Connect, Demand, Driver, Listen, SocketOption};

use super::probe::{
    Probe, Seen, connect_to, listen_on, ms, port_of, run_all, secs, tcp, two_hosts,
};
use crate::{Faults, Recording, Rule, World};

#[test]
fn both_ends_know_each_others_address() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    let conn = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    let here = server.log.accepted[0];
    assert_eq!(
        (server.news(), client.news()),
        (vec![Seen::Accepted(here)], vec![Seen::Connected(conn)])
    );
    let client_socket = &server.log.streams[&here];
    assert_eq!(client_socket.host, Some(tcp("10.0.0.1:80")));
    assert_eq!(client_socket.peer, client.log.streams[&conn].host);
    assert!(port_of(client_socket.peer.as_ref().unwrap()) >= 49_152);
    assert_eq!(world.netstat().len(), 3, "a listener and two ends");
}

#[test]
fn accepted_comes_after_one_delay_connected_after_a_round_trip() {
    let world = World::new(1);
    world.record(Recording::Kept);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    world.install(Rule::from_to("client", "server").delay(ms(30)));
    world.install(Rule::from_to("server", "client").delay(ms(50)));
    server.listen("10.0.0.1:80");
    client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    let trace = world.trace();
    assert!(
        trace
            .text()
            .contains("0.030000000 server accepts c1 at tcp:10.0.0.1:80"),
        "{}",
        trace.text()
    );
    assert!(
        trace
            .text()
            .contains("0.080000000 client c1 tells Connected"),
        "{}",
        trace.text()
    );
}

#[test]
fn one_reactor_listens_and_connects_over_both_families() {
    for address in [
        "127.0.0.1:8000",
        "[::1]:8000",
        "10.0.0.1:8000",
        "[fd00::1]:8000",
    ] {
        let mut probe = Probe::alone(1);
        let (client, server) = probe.pair(address);
        probe.write(client, b"ping");
        probe.run();
        assert_eq!(probe.received(server), b"ping", "{address}");
        assert_eq!(probe.log.streams[&client].peer, Some(tcp(address)));
    }
}

#[test]
fn the_wildcard_listens_everywhere_and_connects_to_the_loopback() {
    let mut probe = Probe::alone(1);
    probe.listen("0.0.0.0:80");
    let there = probe.connect("0.0.0.0:80");
    probe.connect("10.0.0.1:80");
    probe.run();
    assert_eq!(probe.log.accepted.len(), 2);
    assert_eq!(probe.log.streams[&there].peer, Some(tcp("127.0.0.1:80")));
}

fn failure_of(probe: &mut Probe, connect: &Connect) -> ErrorKind {
    let conn = probe.connect_with(connect);
    probe.run();
    match probe.news().pop() {
        Some(Seen::ConnectFailed(failed, kind)) if failed == conn => kind,
        other => panic!("not a failure to connect: {other:?}"),
    }
}

#[test]
fn attempts_fail_for_distinct_reasons() {
    let mut probe = Probe::alone(1);
    probe.world().host_at("v4", ["10.9.9.9".parse().unwrap()]);
    let mut kind = |address| failure_of(&mut probe, &connect_to(address));
    assert_eq!(kind("127.0.0.1:1"), ErrorKind::ConnectionRefused);
    assert_eq!(kind("10.9.9.9:1"), ErrorKind::ConnectionRefused);
    assert_eq!(kind("192.0.2.1:1"), ErrorKind::HostUnreachable);
    let bound = |bind| Connect {
        bind: Some(tcp(bind)),
        ..connect_to("10.9.9.9:1")
    };
    assert_eq!(
        failure_of(&mut probe, &bound("192.0.2.7:0")),
        ErrorKind::AddrNotAvailable
    );
    let mut old = Probe::new(probe.world().driver("v4"));
    drop(probe);
    assert_eq!(
        failure_of(&mut old, &connect_to("[fd00::1]:1")),
        ErrorKind::NetworkUnreachable
    );
}

#[test]
fn a_bound_address_is_kept_and_a_pair_is_used_once() {
    let mut probe = Probe::alone(1);
    probe.listen("10.0.0.1:80");
    let bound = Connect {
        bind: Some(tcp("127.0.0.1:4000")),
        ..connect_to("10.0.0.1:80")
    };
    let first = probe.connect_with(&bound);
    probe.run();
    assert_eq!(probe.log.streams[&first].host, Some(tcp("127.0.0.1:4000")));
    probe.news();
    assert_eq!(failure_of(&mut probe, &bound), ErrorKind::AddrInUse);
}

#[test]
fn listening_fails_with_the_kernels_error() {
    let mut probe = Probe::alone(1);
    probe.world().forbid_ports_below("sim", 1024);
    probe.listen("127.0.0.1:8000");
    let mut kind = |address| probe.driver.listen(&listen_on(address)).unwrap_err().kind();
    assert_eq!(kind("127.0.0.1:8000"), ErrorKind::AddrInUse);
    assert_eq!(kind("127.0.0.1:80"), ErrorKind::PermissionDenied);
    assert_eq!(kind("192.0.2.1:8000"), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_stopped_port_refuses_at_once_and_can_be_bound_again() {
    let mut probe = Probe::alone(1);
    let listener = probe.listen("127.0.0.1:8000");
    let old = probe.connect("127.0.0.1:8000");
    probe.run();
    probe.driver.stop_listening(listener);
    assert_eq!(
        failure_of(&mut probe, &connect_to("127.0.0.1:8000")),
        ErrorKind::ConnectionRefused
    );
    probe.listen("127.0.0.1:8000");
    let server = probe.log.accepted[0];
    probe.write(old, b"still there");
    probe.run();
    assert_eq!(probe.received(server), b"still there");
}

#[test]
fn who_waits_in_the_backlog_of_a_stopped_port_is_reset() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    let listener = server.listen("10.0.0.1:80");
    let conn = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut client], ms(10));
    assert_eq!(
        client.news(),
        [Seen::Connected(conn)],
        "the kernel accepts for the server"
    );
    server.driver.stop_listening(listener);
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    assert_eq!(server.news(), []);
    assert_eq!(
        client.news(),
        [Seen::Failed(conn, ErrorKind::ConnectionReset)]
    );
}

#[test]
fn a_full_backlog_makes_peers_wait_not_fail() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    let mut listen = listen_on("10.0.0.1:80");
    listen.backlog = 2;
    server.driver.listen(&listen).unwrap();
    (0..5).for_each(|_| _ = client.connect("10.0.0.1:80"));
    run_all(&world, &mut [&mut client], secs(9));
    assert_eq!(client.news().len(), 2, "only the backlog is connected");
    run_all(&world, &mut [&mut server, &mut client], secs(19));
    assert_eq!((server.news().len(), client.news().len()), (5, 3));
}

#[test]
fn an_attempt_given_up_is_never_heard_of_again() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    world.install(Rule::everywhere().delay(ms(100)));
    let early = client.connect("10.0.0.1:80");
    client.close(early);
    let late = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], ms(150));
    client.close(late);
    run_all(&world, &mut [&mut server, &mut client], secs(9));
    let conn = server.log.accepted[0];
    assert_eq!(
        server.news(),
        [
            Seen::Accepted(conn),
            Seen::Failed(conn, ErrorKind::ConnectionReset)
        ]
    );
    assert_eq!(client.news(), []);
    assert_eq!(world.netstat().len(), 1, "{:?}", world.netstat());
}

#[test]
fn a_refused_connection_is_never_heard_of_again() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    server.log.demands = vec![Demand::Close];
    let conn = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(9));
    assert_eq!(client.news(), [Seen::Connected(conn), Seen::Eof(conn)]);
    assert_eq!(server.news().len(), 1);
}

#[test]
fn options_of_dead_names_are_an_error() {
    let world = World::new(1);
    let (mut server, _client, here, _) = two_hosts(&world);
    let option = SocketOption::NoDelay(false);
    assert!(server.driver.set_option(here, option).is_ok());
    server.close(here);
    assert!(server.driver.set_option(here, option).is_err());
}

#[test]
fn shared_ports_share_the_connections_out() {
    let mut probe = Probe::alone(5);
    let mut listen = listen_on("127.0.0.1:80");
    listen.reuse_port = true;
    probe.driver.listen(&listen).unwrap();
    probe.driver.listen(&listen).unwrap();
    (0..20).for_each(|_| _ = probe.connect("127.0.0.1:80"));
    probe.run();
    assert_eq!(probe.log.accepted.len(), 20);
}

#[test]
fn without_descriptors_peers_are_accepted_and_closed() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    world.limit_descriptors("server", 2);
    server.listen("10.0.0.1:80");
    let conns = [(); 3].map(|()| client.connect("10.0.0.1:80"));
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    assert_eq!(
        server.log.accepted.len(),
        1,
        "one descriptor is the listener's"
    );
    let news = client.news();
    assert_eq!(
        news.iter()
            .filter(|seen| matches!(seen, Seen::Eof(_)))
            .count(),
        2
    );
    let kept = conns
        .into_iter()
        .find(|&conn| !news.contains(&Seen::Eof(conn)))
        .unwrap();
    client.close(kept);
    server.close(server.log.accepted[0]);
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert_eq!(server.log.accepted.len(), 2, "it recovers");
}

#[test]
fn without_descriptors_connecting_and_listening_fail() {
    let mut probe = Probe::alone(1);
    probe.world().limit_descriptors("sim", 1);
    probe.listen("127.0.0.1:80");
    let error = probe.driver.listen(&listen_on("127.0.0.1:81")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(24));
    probe.connect("127.0.0.1:80");
    probe.run();
    assert!(matches!(probe.news()[..], [Seen::ConnectFailed(..)]));
}

#[test]
fn exhaustion_is_drawn_too() {
    let world = World::new(1);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    world.set_faults(Faults {
        exhaust: 0.5,
        ..Faults::none()
    });
    server.listen("10.0.0.1:80");
    (0..100).for_each(|_| _ = client.connect("10.0.0.1:80"));
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    assert!((20..80).contains(&server.log.accepted.len()));
}

#[test]
fn r088_a_crashed_hosts_path_is_taken_over_with_the_lock_only() {
    let world = World::new(1);
    let path = Address::Unix(UnixAddress::path("/run/socket"));
    let mut listen = Listen::new(path);
    let mut server = Probe::new(world.driver("server"));
    server.driver.listen(&listen).unwrap();
    world.crash("server");
    world.restart("server");
    drop(server);
    let mut heir = Probe::new(world.driver("server"));
    let error = heir.driver.listen(&listen).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    listen.unix.lock = true;
    heir.driver.listen(&listen).unwrap();
}
