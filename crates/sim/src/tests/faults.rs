//! Faults that are drawn.

use std::io::ErrorKind;

use super::probe::{Probe, Seen, ms, pattern, run_all, secs};
use crate::{Faults, Rule, Socket, World};

/// What came of a hundred connections on which each side sends a little.
struct Crowd {
    server: Vec<Seen>,
    client: Vec<Seen>,
    sockets: Vec<Socket>,
}

fn crowd(faults: Faults, until: u64) -> Crowd {
    let world = World::new(11);
    world.set_faults(faults);
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    server.log.echo = true;
    let conns: Vec<_> = (0..100).map(|_| client.connect("10.0.0.1:80")).collect();
    run_all(&world, &mut [&mut server, &mut client], secs(1));
    for conn in conns {
        if client.log.streams[&conn].host.is_some() && !client.log.streams[&conn].over {
            client.write(conn, &pattern(3000));
        }
    }
    run_all(&world, &mut [&mut server, &mut client], secs(until));
    Crowd {
        server: server.news(),
        client: client.news(),
        sockets: world.netstat(),
    }
}

fn count(news: &[Seen], is: impl Fn(&Seen) -> bool) -> usize {
    news.iter().filter(|seen| is(seen)).count()
}

#[test]
fn refusal_is_drawn_per_attempt() {
    let Crowd { client, .. } = crowd(
        Faults {
            refuse: 0.3,
            ..Faults::none()
        },
        9,
    );
    let refused =
        |seen: &Seen| matches!(seen, Seen::ConnectFailed(_, ErrorKind::ConnectionRefused));
    assert!((15..45).contains(&count(&client, refused)));
}

#[test]
fn silence_is_drawn_per_attempt() {
    let Crowd { server, client, .. } = crowd(
        Faults {
            unanswered: 0.3,
            ..Faults::none()
        },
        9,
    );
    let connected = count(&client, |seen| matches!(seen, Seen::Connected(_)));
    assert!((55..85).contains(&connected));
    assert_eq!(
        count(&server, |seen| matches!(seen, Seen::Accepted(_))),
        connected
    );
    assert_eq!(
        count(&client, |seen| matches!(seen, Seen::ConnectFailed(..))),
        0
    );
}

#[test]
fn resets_are_drawn_per_connection_and_reach_both_sides() {
    let Crowd {
        client, sockets, ..
    } = crowd(
        Faults {
            reset: 0.5,
            ..Faults::none()
        },
        9,
    );
    let failed = |seen: &Seen| matches!(seen, Seen::Failed(_, ErrorKind::ConnectionReset));
    let failures = count(&client, failed);
    assert!((15..70).contains(&failures), "{failures}");
    let left = sockets.into_iter().filter(|socket| socket.host == "server");
    assert_eq!(
        left.count(),
        1 + 100 - failures,
        "the listener, and those that were spared"
    );
}

#[test]
fn vanished_connections_end_by_time_out_only() {
    let Crowd {
        client, sockets, ..
    } = crowd(
        Faults {
            vanish: 0.5,
            ..Faults::none()
        },
        100,
    );
    assert_eq!(count(&client, |seen| matches!(seen, Seen::Failed(..))), 0);
    let silent = sockets
        .iter()
        .filter(|socket| socket.state.contains("cut"))
        .count();
    assert!((40..150).contains(&silent), "{silent}");
}

#[test]
fn half_open_peers_are_back_with_a_reset() {
    let Crowd { client, .. } = crowd(
        Faults {
            half_open: 0.5,
            ..Faults::none()
        },
        100,
    );
    let reset = |seen: &Seen| matches!(seen, Seen::Failed(_, ErrorKind::ConnectionReset));
    assert!(count(&client, reset) > 10);
}

#[test]
fn partitions_are_drawn_and_end() {
    let faults = Faults {
        partition: 0.2,
        partition_for: secs(5),
        ..Faults::none()
    };
    let Crowd {
        server,
        client,
        sockets,
    } = crowd(faults, 100);
    assert_eq!(count(&server, |seen| matches!(seen, Seen::Failed(..))), 0);
    let bytes = |seen: &Seen| match seen {
        Seen::Received(_, data) => data.len(),
        _ => 0,
    };
    assert_eq!(client.iter().map(bytes).sum::<usize>(), 300_000);
    assert!(sockets.iter().all(|socket| !socket.state.contains("cut")));
}

#[test]
fn a_vanishing_rule_strikes_at_that_byte() {
    let mut probe = Probe::alone(1);
    probe.world().install(Rule::everywhere().vanish_after(5));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, b"hello world");
    probe.run_until(secs(9));
    assert_eq!(probe.received(server), b"hello");
    probe.write(server, b"never comes");
    probe.run_until(secs(19));
    assert_eq!(probe.received(client), b"");
}

#[test]
fn shuffling_is_drawn_and_repeats() {
    let order = |seed| {
        let mut probe = Probe::alone(seed);
        probe.world().set_faults(Faults {
            shuffle: 1.0,
            ..Faults::none()
        });
        probe.listen("127.0.0.1:80");
        let conns: Vec<_> = (0..20).map(|_| probe.connect("127.0.0.1:80")).collect();
        probe.run();
        probe.news();
        conns.iter().for_each(|&conn| probe.write(conn, b"x"));
        probe.run();
        probe.news()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn stalls_delay_and_lose_nothing() {
    let mut probe = Probe::alone(1);
    probe.world().install(Rule::everywhere().split(10..=10));
    probe.world().set_faults(Faults {
        stall: 0.5,
        stall_for: secs(1),
        ..Faults::none()
    });
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, &pattern(200));
    probe.run();
    assert_eq!(probe.received(server), pattern(200));
    assert!(probe.now() > ms(500));
}
