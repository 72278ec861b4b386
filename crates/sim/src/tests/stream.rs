//! Bytes: order, back-pressure, pausing, pieces.

use std::io::ErrorKind;

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{Demand, Driver, Sent};

use super::probe::{Probe, Seen, ms, pattern, run_all, secs, two_hosts};
use crate::{Faults, Mood, Rule, SimDriver, World};

#[test]
fn large_writes_arrive_whole_in_both_moods() {
    for mood in [Mood::Readiness, Mood::Completion] {
        let mut probe = Probe::new(SimDriver::alone(1).with_mood(mood));
        let (client, server) = probe.pair("127.0.0.1:80");
        let data = pattern(1_000_000);
        probe.write(client, &data);
        probe.run();
        assert_eq!(probe.received(server), data);
        assert!(probe.log.seen.contains(&Seen::Writable(client)), "{mood:?}");
    }
}

fn send(probe: &mut Probe, conn: ropewalk_core::driver::ConnId, len: usize) -> (Sent, usize) {
    let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
    outgoing.write(&pattern(len), &mut pool);
    let sent = probe.driver.send(conn, &mut outgoing, &mut pool);
    (sent, outgoing.len())
}

#[test]
fn a_readiness_like_send_takes_what_fits() {
    let mut probe = Probe::alone(1);
    probe.world().install(Rule::everywhere().buffers(1000, 500));
    let (client, _) = probe.pair("127.0.0.1:80");
    assert!(matches!(send(&mut probe, client, 600), (Sent::Done, 0)));
    assert!(matches!(
        send(&mut probe, client, 600),
        (Sent::Blocked, 200)
    ));
}

#[test]
fn a_completion_like_send_takes_all_and_reports_later() {
    let mut probe = Probe::new(SimDriver::alone(1).with_mood(Mood::Completion));
    probe.world().install(Rule::everywhere().buffers(1000, 500));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.log.streams.get_mut(&client).unwrap().waits_for_room = true;
    assert!(matches!(send(&mut probe, client, 4000), (Sent::Taken, 0)));
    probe.pause(server);
    probe.run();
    assert_eq!(
        probe.news(),
        [],
        "they are not gone while the peer reads nothing"
    );
    probe.resume(server);
    probe.run();
    assert!(probe.news().contains(&Seen::Writable(client)));
    assert_eq!(probe.received(server), pattern(4000));
}

#[test]
fn a_completion_like_driver_holds_bytes_after_close() {
    let mut probe = Probe::new(SimDriver::alone(1).with_mood(Mood::Completion));
    probe.world().install(Rule::everywhere().buffers(1000, 500));
    let (client, server) = probe.pair("127.0.0.1:80");
    assert!(matches!(send(&mut probe, client, 4000), (Sent::Taken, 0)));
    probe.log.streams.get_mut(&client).unwrap().over = true;
    probe.driver.close(client);
    probe.run();
    assert_eq!(probe.received(server), pattern(4000));
    assert_eq!(probe.news().last(), Some(&Seen::Eof(server)));
}

#[test]
fn back_pressure_reaches_the_sender_and_ends() {
    let mut probe = Probe::alone(1);
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.pause(server);
    let data = pattern(400_000);
    probe.write(client, &data);
    let deadlock = probe.run();
    assert!(probe.log.streams[&client].waits_for_room);
    let text = deadlock.to_string();
    assert!(
        text.contains("blocked in writing") && text.contains("65536 bytes unread"),
        "{text}"
    );
    probe.resume(server);
    probe.run();
    assert_eq!(probe.received(server), data);
}

#[test]
fn a_demand_to_pause_stops_within_the_burst() {
    let mut probe = Probe::alone(1);
    probe.world().install(Rule::everywhere().split(1..=1));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.log.demands = vec![Demand::Continue, Demand::Pause];
    probe.write(client, b"abcdef");
    probe.close(client);
    probe.run();
    assert_eq!(probe.received(server), b"ab");
    probe.resume(server);
    probe.run();
    assert_eq!(probe.received(server), b"abcdef");
    assert_eq!(probe.news().last(), Some(&Seen::Eof(server)));
}

#[test]
fn pieces_are_as_long_as_the_rule_says() {
    let mut probe = Probe::alone(3);
    probe.world().install(Rule::everywhere().split(2..=5));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, &pattern(1000));
    probe.run();
    let lengths: Vec<usize> = probe.news().iter().filter_map(piece_len).collect();
    let (_, all_but_last) = lengths.split_last().unwrap();
    assert!(
        all_but_last.iter().all(|len| (2..=5).contains(len)),
        "{lengths:?}"
    );
    assert!((2..=5).all(|len| all_but_last.contains(&len)));
    assert_eq!(probe.received(server), pattern(1000));
}

fn piece_len(seen: &Seen) -> Option<usize> {
    match seen {
        Seen::Received(_, data) => Some(data.len()),
        _ => None,
    }
}

#[test]
fn pieces_are_joined_when_the_rule_says() {
    let mut probe = Probe::alone(3);
    probe
        .world()
        .install(Rule::everywhere().split(1..=1).coalesce(1.0));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, &pattern(1000));
    probe.run();
    assert_eq!(probe.news(), [Seen::Received(server, pattern(1000))]);
}

#[test]
fn writes_of_one_moment_arrive_together() {
    let mut probe = Probe::alone(1);
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, b"one");
    probe.write(client, b"two");
    probe.run();
    assert_eq!(probe.news(), [Seen::Received(server, b"onetwo".to_vec())]);
}

#[test]
fn a_line_is_as_fast_as_its_bandwidth_for_all_together() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    let second = client.connect("10.0.0.1:80");
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    world.install(Rule::from_to("client", "server").bandwidth(10_000));
    client.write(there, &pattern(20_000));
    client.write(second, &pattern(20_000));
    run_all(&world, &mut [&mut server, &mut client], secs(4));
    let half = server.received(here).len();
    assert!((16_000..=20_000).contains(&half), "{half}");
    run_all(&world, &mut [&mut server, &mut client], secs(6) + ms(1));
    assert_eq!(server.received(server.log.accepted[1]).len(), 20_000);
}

#[test]
fn jitter_delays_and_never_reorders() {
    let world = World::new(9);
    let (mut server, mut client, here, there) = two_hosts(&world);
    world.install(Rule::everywhere().jitter(ms(100)).split(1..=3));
    client.write(there, &pattern(500));
    run_all(&world, &mut [&mut server, &mut client], secs(2));
    assert_eq!(server.received(here), pattern(500));
    let pieces = server.news().len();
    assert!(pieces > 100, "{pieces}");
}

#[test]
fn a_slow_reader_takes_its_time() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    world.install(Rule::from_to("client", "server").slow_reader(1000));
    client.write(there, &pattern(5000));
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    let half = server.received(here).len();
    assert!((1900..=2200).contains(&half), "{half}");
    run_all(&world, &mut [&mut server, &mut client], secs(7));
    assert_eq!(server.received(here), pattern(5000));
}

#[test]
fn a_stopped_reader_takes_nothing_until_the_rule_ends() {
    let world = World::new(1);
    let (mut server, mut client, here, there) = two_hosts(&world);
    let guard = world.guard(Rule::from_to("client", "server").stopped_reader());
    client.write(there, &pattern(200_000));
    run_all(&world, &mut [&mut server, &mut client], secs(3));
    assert_eq!(server.received(here).len(), 0);
    drop(guard);
    run_all(&world, &mut [&mut server, &mut client], secs(4));
    assert_eq!(server.received(here), pattern(200_000));
}

#[test]
fn short_sends_are_drawn() {
    let mut probe = Probe::alone(1);
    probe.world().set_faults(Faults {
        short_send: 1.0,
        ..Faults::none()
    });
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, b"hello world");
    assert!(probe.log.streams[&client].waits_for_room);
    probe.run();
    assert_eq!(probe.received(server), b"hello world");
}

#[test]
fn a_half_closed_stream_flows_the_other_way() {
    let mut probe = Probe::alone(1);
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.write(client, b"question");
    probe.driver.shutdown_write(client);
    probe.run();
    assert_eq!(probe.news().last(), Some(&Seen::Eof(server)));
    assert!(
        matches!(send(&mut probe, client, 1), (Sent::Failed(error), _) if error.kind() == ErrorKind::BrokenPipe)
    );
    probe.write(server, b"answer");
    probe.close(server);
    probe.run();
    assert_eq!(
        probe.news(),
        [
            Seen::Received(client, b"answer".to_vec()),
            Seen::Eof(client)
        ]
    );
}

#[test]
fn what_an_event_wrote_leaves_with_it() {
    let mut probe = Probe::alone(1);
    probe.log.echo = true;
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.log.demands = vec![Demand::Continue, Demand::Pause];
    probe.write(client, b"x");
    probe.run();
    assert_eq!(probe.received(client), b"x");
    assert_eq!(
        probe.received(server),
        b"xx",
        "also what was written in an event that paused"
    );
}

#[test]
fn bytes_are_accounted_for() {
    let mut probe = Probe::alone(1);
    probe.world().install(Rule::everywhere().buffers(1000, 500));
    let (client, server) = probe.pair("127.0.0.1:80");
    probe.pause(server);
    probe.write(client, &pattern(5000));
    probe.run();
    let sockets = probe.world().netstat();
    let sender = sockets.iter().find(|socket| socket.sent_bytes > 0).unwrap();
    let receiver = sockets
        .iter()
        .find(|socket| socket.unread_bytes > 0)
        .unwrap();
    assert_eq!((receiver.unread_bytes, sender.delivered_bytes), (500, 500));
    let held = receiver.unread_bytes + sender.in_flight_bytes + sender.unsent_bytes;
    assert_eq!(held as u64, sender.sent_bytes);
}
