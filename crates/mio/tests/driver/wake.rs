//! Waiting, and being woken.

use std::thread;
use std::time::{Duration, Instant};

use ropewalk_core::driver::Driver;

use crate::world::{CpuTime, World};

#[test]
fn r032_another_thread_wakes_a_sleeping_driver() {
    let mut world = World::new();
    let waker = world.driver.waker();
    let thread = thread::spawn(move || waker.wake());
    world.driver.poll(None, &mut world.log).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_wake_before_the_poll_counts() {
    let mut world = World::new();
    for _ in 0..3 {
        world.driver.waker().wake();
        world.driver.poll(None, &mut world.log).unwrap();
    }
}

#[test]
fn r034_any_number_of_wakes_may_be_outstanding() {
    let mut world = World::new();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let waker = world.driver.waker();
            thread::spawn(move || (0..100_000).for_each(|_| waker.wake()))
        })
        .collect();
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    world.driver.poll(None, &mut world.log).unwrap();
    let start = Instant::now();
    world.poll(Duration::from_millis(30));
    assert!(
        start.elapsed() >= Duration::from_millis(30),
        "they are one wake"
    );
}

#[test]
fn no_wake_is_lost_in_a_race() {
    let mut world = World::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let waker = world.driver.waker();
    let thread = thread::spawn(move || {
        for number in 0..50_000 {
            sender.send(number).unwrap();
            waker.wake();
        }
    });
    let mut expected = 0;
    while expected < 50_000 {
        // A lost wake would hang here.
        world.driver.poll(None, &mut world.log).unwrap();
        for number in receiver.try_iter() {
            assert_eq!(number, expected);
            expected += 1;
        }
    }
    thread.join().unwrap();
}

#[test]
fn a_waker_outlives_its_driver() {
    let waker = World::new().driver.waker();
    waker.wake();
    waker.wake();
}

#[test]
fn a_short_wait_neither_spins_nor_ends_early() {
    let mut world = World::new();
    let cpu_time = CpuTime::open();
    let (start, before) = (Instant::now(), cpu_time.read());
    for _ in 0..100 {
        world.poll(Duration::from_micros(300));
    }
    let (wall, cpu) = (start.elapsed(), cpu_time.read() - before);
    assert!(wall >= 100 * Duration::from_micros(300));
    assert!(cpu < wall / 2, "{cpu:?} of {wall:?}");
}

#[test]
fn r023_a_wait_of_years_is_accepted() {
    let mut world = World::new();
    for years in [Duration::from_secs(100 * 365 * 86_400), Duration::MAX] {
        let waker = world.driver.waker();
        let thread = thread::spawn(move || waker.wake());
        world.poll(years);
        thread.join().unwrap();
    }
}

#[test]
fn the_clock_never_goes_back() {
    let world = World::new();
    let clock = world.driver.clock();
    let times: Vec<Duration> = (0..1000).map(|_| clock()).collect();
    assert!(times.is_sorted());
}
