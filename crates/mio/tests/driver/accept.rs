//! A process whose descriptors ran out.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{ConnId, Demand, Driver};

use crate::child::{Process, is_child, say};
use crate::world::{CpuTime, Heard, PATIENCE, World};

/// A server that answers each byte with the CPU time it has used, in nanoseconds.
fn serve_until_told_to_end() {
    let (mut world, cpu_time) = (World::new(), CpuTime::open());
    world.on_event(
        move |heard: &Heard, outgoing: &mut HashMap<ConnId, Outgoing>, pool: &mut Pool| match heard
        {
            Heard::Received(conn) => {
                let answer = u64::try_from(cpu_time.read().as_nanos()).unwrap();
                outgoing
                    .entry(*conn)
                    .or_default()
                    .write(&answer.to_le_bytes(), pool);
                Demand::Continue
            }
            Heard::Eof(_) => Demand::Close,
            _ => Demand::Continue,
        },
    );
    let (_, address) = world.listen();
    say(&address.port().to_string());
    world.wait("end", |log| {
        log.bytes
            .values()
            .any(|bytes| bytes.contains(&b'.'))
            .then_some(())
    });
}

fn ask_cpu_time(mut peer: &TcpStream) -> Option<Duration> {
    let mut answer = [0; 8];
    peer.write_all(b"?").ok()?;
    peer.read_exact(&mut answer).ok()?;
    Some(Duration::from_nanos(u64::from_le_bytes(answer)))
}

fn connect(address: SocketAddr) -> TcpStream {
    let peer = TcpStream::connect(address).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

#[test]
fn r046_without_descriptors_waiting_peers_are_closed_and_nothing_spins() {
    if is_child() {
        return serve_until_told_to_end();
    }
    let test = "accept::r046_without_descriptors_waiting_peers_are_closed_and_nothing_spins";
    let mut server = Process::start(test, "ulimit -n 40");
    let address = SocketAddr::from(([127, 0, 0, 1], server.line().parse().unwrap()));

    let mut served: Vec<TcpStream> = (0..100).map(|_| connect(address)).collect();
    served.retain(|peer| ask_cpu_time(peer).is_some());
    assert!(
        (20..40).contains(&served.len()),
        "{} found a place, the others an end",
        served.len()
    );

    // While it is full, peers that knock are told so, and the server idles.
    let (start, cpu_before) = (Instant::now(), ask_cpu_time(&served[0]).unwrap());
    while start.elapsed() < Duration::from_millis(1500) {
        assert!(ask_cpu_time(&connect(address)).is_none());
    }
    let cpu = ask_cpu_time(&served[0]).unwrap() - cpu_before;
    assert!(
        cpu < start.elapsed() / 20,
        "{cpu:?} of {:?}",
        start.elapsed()
    );

    // One goes, and within a second another is served.
    served.pop();
    let start = Instant::now();
    let newcomer = loop {
        let peer = connect(address);
        if ask_cpu_time(&peer).is_some() {
            break peer;
        }
    };
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    (&newcomer).write_all(b".").unwrap();
    server.succeed();
}

#[test]
fn without_descriptors_those_that_linger_go_first() {
    if !is_child() {
        let test = "accept::without_descriptors_those_that_linger_go_first";
        return Process::start(test, "ulimit -n 64").succeed();
    }
    let mut world = World::new();
    let (_, address) = world.listen();
    let lingering: Vec<_> = (0..5).map(|_| world.accepted()).collect();
    for (conn, _) in &lingering {
        world.driver.close(*conn);
    }
    let mut hoard: Vec<File> = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let peer = TcpStream::connect(address).unwrap();
    let ends = (address, peer.local_addr().unwrap());
    world.wait("newcomer", |log| {
        log.heard.iter().find(
            |heard| matches!(heard, Heard::Accepted { host, peer, .. } if (*host, *peer) == ends),
        )?;
        Some(())
    });
}
