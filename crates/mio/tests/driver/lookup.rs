//! Names and threads.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use ropewalk_core::driver::{Driver, LookupId};

use crate::world::{Heard, World};

fn answer(world: &mut World, wanted: LookupId) -> io::Result<Vec<IpAddr>> {
    let place = world.wait("answer", |log| {
        log.heard
            .iter()
            .position(|heard| matches!(heard, Heard::LookedUp(id, _) if *id == wanted))
    });
    match world.log.heard.remove(place) {
        Heard::LookedUp(_, result) => result,
        _ => unreachable!(),
    }
}

#[test]
fn localhost_is_found_each_address_once() {
    let mut world = World::new();
    let lookup = world.driver.lookup("localhost");
    let addresses = answer(&mut world, lookup).unwrap();
    assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
    let mut once = addresses.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), addresses.len());
}

#[test]
fn a_name_that_cannot_be_is_an_error() {
    let mut world = World::new();
    // A label of 70 bytes (RFC 1035 §2.3.4 allows 63): the resolver refuses it without asking the network.
    let lookup = world.driver.lookup(&"x".repeat(70));
    assert!(answer(&mut world, lookup).is_err());
}

#[test]
fn dns08_a_bad_name_is_refused_and_never_cut() {
    let mut world = World::new();
    let long = format!("localhost{}", ".".repeat(250));
    for name in ["", "localhost\0.example.org", &long] {
        let lookup = world.driver.lookup(name);
        assert!(world.log.heard.is_empty(), "the outcome is an event");
        let error = answer(&mut world, lookup).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn a_lookup_given_up_is_never_answered() {
    let mut world = World::new();
    let given_up = [world.driver.lookup("localhost"), world.driver.lookup("\0")];
    for lookup in given_up {
        world.driver.cancel_lookup(lookup);
        world.driver.cancel_lookup(lookup);
    }
    let other = world.driver.lookup("localhost");
    answer(&mut world, other).unwrap();
    world.driver.stop_threads();
    world.settle();
    assert!(world.log.heard.is_empty());
}

#[test]
fn lookups_that_the_stop_cut_off_are_answered_with_an_error() {
    let mut world = World::new();
    world.driver.set_thread_limit(1);
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    world.driver.run_in_thread(Box::new(move || {
        begun.send(()).unwrap();
        released.recv().unwrap_err();
    }));
    has_begun.recv().unwrap();
    let lookup = world.driver.lookup("localhost");
    drop(release);
    world.driver.stop_threads();
    // Begun or not when the pool stopped, it has an outcome.
    drop(answer(&mut world, lookup));
    let late = world.driver.lookup("localhost");
    assert!(answer(&mut world, late).is_err());
}

#[test]
fn a_job_wakes_the_driver_with_its_result() {
    let mut world = World::new();
    let (sender, receiver) = mpsc::channel();
    let waker = world.driver.waker();
    world.driver.run_in_thread(Box::new(move || {
        sender
            .send(std::thread::current().name().map(str::to_owned))
            .unwrap();
        waker.wake();
    }));
    let name = world.wait("result", |_| receiver.try_recv().ok()).unwrap();
    assert!(name.starts_with("ropewalk-pool-"));
}

#[test]
fn r037_stopping_waits_for_the_jobs() {
    let mut world = World::new();
    let (release, released) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    world.driver.run_in_thread(Box::new(move || {
        begun.send(()).unwrap();
        assert!(released.recv_timeout(Duration::from_millis(50)).is_err());
        sender.send("done").unwrap();
    }));
    has_begun.recv().unwrap();
    world.driver.stop_threads();
    assert_eq!(receiver.try_recv(), Ok("done"));
    drop(release);
}
