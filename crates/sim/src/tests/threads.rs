//! Jobs in simulated threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ropewalk_core::driver::Driver;

use super::probe::{Probe, ms, secs};
use crate::Faults;

fn give_jobs(probe: &mut Probe, count: usize) -> Arc<Mutex<Vec<usize>>> {
    let order = Arc::<Mutex<Vec<usize>>>::default();
    for number in 0..count {
        let own = order.clone();
        probe
            .driver
            .run_in_thread(Box::new(move || own.lock().unwrap().push(number)));
    }
    order
}

fn order_of(seed: u64) -> Vec<usize> {
    let mut probe = Probe::alone(seed);
    probe.world().set_faults(Faults {
        thread_delay: secs(1),
        ..Faults::none()
    });
    let order = give_jobs(&mut probe, 30);
    probe.run();
    Arc::into_inner(order)
        .expect("all jobs are over")
        .into_inner()
        .unwrap()
}

#[test]
fn the_order_of_jobs_is_the_seeds() {
    assert_eq!(order_of(1), order_of(1));
    assert_ne!(order_of(1), order_of(2));
    let mut all = order_of(1);
    all.sort_unstable();
    assert_eq!(all, (0..30).collect::<Vec<_>>());
}

#[test]
fn with_one_thread_jobs_wait_in_order() {
    let mut probe = Probe::alone(1);
    probe.world().set_faults(Faults {
        thread_delay: secs(1),
        ..Faults::none()
    });
    probe.driver.set_thread_limit(1);
    let order = give_jobs(&mut probe, 10);
    probe.run();
    assert_eq!(*order.lock().unwrap(), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_job_runs_within_poll_and_can_wake_it() {
    let mut probe = Probe::alone(1);
    let (ran, waker) = (Arc::new(AtomicBool::new(false)), probe.driver.waker());
    let own = ran.clone();
    probe.driver.run_in_thread(Box::new(move || {
        own.store(true, Ordering::Relaxed);
        waker.wake();
    }));
    assert!(!ran.load(Ordering::Relaxed));
    probe.poll(None).unwrap();
    assert!(
        ran.load(Ordering::Relaxed),
        "poll returned because it was woken"
    );
    assert!(probe.now() < ms(1));
}

#[test]
fn a_blocked_job_goes_on_after_the_answer() {
    let mut probe = Probe::alone(1);
    let (state, answer) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicBool::new(false)),
    );
    let (own, asked, waker) = (state.clone(), answer.clone(), probe.driver.waker());
    probe.driver.run_in_thread(Box::new(move || {
        own.store(1, Ordering::Relaxed);
        waker.wake();
        waker.block(&mut |_| asked.load(Ordering::Relaxed));
        own.store(2, Ordering::Relaxed);
        waker.wake();
    }));
    probe.poll(None).unwrap();
    assert_eq!(state.load(Ordering::Relaxed), 1);
    let deadlock = probe.run();
    assert_eq!(
        deadlock.waiting,
        ["sim: jobs wait for an answer of the reactor: 1"]
    );
    answer.store(true, Ordering::Relaxed);
    probe.poll(None).unwrap();
    assert_eq!(state.load(Ordering::Relaxed), 2);
}

#[test]
fn stopping_runs_what_has_a_thread_and_drops_the_rest() {
    let mut probe = Probe::alone(1);
    probe.driver.set_thread_limit(3);
    let order = give_jobs(&mut probe, 10);
    let waker = probe.driver.waker();
    probe.poll(Some(ms(0))).unwrap();
    probe.driver.stop_threads();
    assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
    probe.driver.run_in_thread(Box::new(move || waker.wake()));
    probe.run();
    assert_eq!(Arc::strong_count(&order), 1, "the rest is dropped");
}

#[test]
fn stopping_lets_a_blocked_job_end_without_an_answer() {
    let mut probe = Probe::alone(1);
    let (ended, waker) = (Arc::new(AtomicBool::new(false)), probe.driver.waker());
    let own = ended.clone();
    probe.driver.run_in_thread(Box::new(move || {
        waker.block(&mut |_| false);
        own.store(true, Ordering::Relaxed);
    }));
    probe.run();
    assert!(!ended.load(Ordering::Relaxed));
    probe.driver.stop_threads();
    assert!(ended.load(Ordering::Relaxed));
}
