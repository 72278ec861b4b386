//! Reactors on simulated drivers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use ropewalk_core::driver::{Deadlock, Signal};
use ropewalk_core::{Deferred, Protocol, Reactor, Reason, RunError, Transport};

use super::probe::{pattern, secs};
use crate::{Faults, Mood, Recording, SimDriver, World, run};

type Lines = Rc<RefCell<Vec<String>>>;

/// Sends back what it gets, and writes down how its life went.
struct Echo(Lines);

impl Protocol for Echo {
    fn connection_made(&mut self, _: &Transport) {
        self.0.borrow_mut().push("made".to_owned());
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.borrow_mut().push(format!("lost: {reason}"));
    }
}

/// Sends so many bytes, and leaves when they are back.
struct Sender {
    lines: Lines,
    sends: Vec<u8>,
    back: usize,
}

impl Sender {
    fn new(lines: &Lines, len: usize) -> Self {
        Self {
            lines: lines.clone(),
            sends: pattern(len),
            back: 0,
        }
    }
}

impl Protocol for Sender {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.sends);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert_eq!(data, &self.sends[self.back..self.back + data.len()]);
        self.back += data.len();
        if self.back == self.sends.len() {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.lines
            .borrow_mut()
            .push(format!("{} back, {reason}", self.back));
        let _stopped_before = transport.reactor().stop();
    }
}

fn waiting(error: &RunError) -> Vec<String> {
    let RunError::Driver(error) = error else {
        panic!("no driver's error: {error}")
    };
    let deadlock = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Deadlock>());
    deadlock.expect("a deadlock").waiting.clone()
}

#[test]
fn one_reactor_talks_with_itself_in_both_moods() {
    for mood in [Mood::Readiness, Mood::Completion] {
        for seed in 0..20 {
            let lines = Lines::default();
            let driver = SimDriver::alone(seed).with_mood(mood);
            driver.world().set_faults(Faults::gentle());
            let mut reactor = Reactor::new(driver);
            let (here, there) = (lines.clone(), lines.clone());
            reactor
                .listen("tcp:127.0.0.1:7", move || Echo(here.clone()))
                .unwrap();
            reactor
                .connect("tcp:127.0.0.1:7", move || Sender::new(&there, 50_000))
                .unwrap();
            reactor.run().unwrap();
            let told = lines.borrow();
            assert_eq!(
                told[..2],
                ["made", "50000 back, closed cleanly"],
                "{mood:?} seed {seed}"
            );
            assert_eq!(told.len(), 3, "{told:?}");
        }
    }
}

#[test]
fn a_reactor_that_can_never_stop_says_what_it_waits_for() {
    let error = run(1, |reactor| {
        reactor
            .listen("tcp:127.0.0.1:80", || Echo(Lines::default()))
            .unwrap();
        let _unheard = reactor.resolve("localhost");
    })
    .unwrap_err();
    assert_eq!(waiting(&error), ["sim: tcp:127.0.0.1:80 is listening"]);
}

/// Ticks every second, that many times, and then stops.
fn tick(reactor: &ropewalk_core::Handle, left: u32) {
    match left {
        0 => reactor.stop().unwrap(),
        _ => _ = reactor.call_later(secs(1), move |reactor| tick(reactor, left - 1)),
    }
}

#[test]
fn timers_are_exact_however_many() {
    let world = run(1, |reactor| tick(reactor, 5000)).unwrap();
    assert_eq!(world.now(), secs(5000));
    let world = World::new(1);
    let mut one = Reactor::new(world.driver("one"));
    tick(&one, 5000);
    world.run(&mut [&mut one]).unwrap();
    assert_eq!(world.now(), secs(5000));
}

/// Works for ever, so that its reactor never waits.
fn churn(reactor: &ropewalk_core::Handle) {
    reactor.call_soon(churn);
}

#[test]
fn time_passes_over_reactors_that_never_wait() {
    let alone = run(1, |reactor| {
        churn(reactor);
        reactor.call_later(secs(1) / 100, |reactor| reactor.stop().unwrap());
    });
    assert_eq!(alone.unwrap().now(), secs(1) / 100);
    let world = World::new(1);
    let mut one = Reactor::new(world.driver("one"));
    let mut two = Reactor::new(world.driver("two"));
    churn(&one);
    one.call_later(secs(1) / 100, |reactor| reactor.stop().unwrap());
    two.call_later(secs(9), |reactor| reactor.stop().unwrap());
    world.run(&mut [&mut one, &mut two]).unwrap();
    assert_eq!(world.now(), secs(9));
}

#[test]
fn signals_stop_a_reactor_at_their_time() {
    let driver = SimDriver::alone(1);
    let world = driver.world().clone();
    world.at(secs(9), |world| world.signal("sim", Signal::Terminate));
    let mut reactor = Reactor::new(driver).catching_signals();
    reactor.run().unwrap();
    assert_eq!(
        (world.now(), reactor.exit_signal()),
        (secs(9), Some(Signal::Terminate))
    );
}

/// What jobs in threads and calls from them did, in order.
fn thread_story(seed: u64) -> (Vec<String>, u64) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let driver = SimDriver::alone(seed);
    driver.world().set_faults(Faults::all());
    let world = driver.world().clone();
    let mut reactor = Reactor::new(driver);
    for number in 0..8 {
        let (own, remote) = (lines.clone(), reactor.remote());
        let job = reactor.defer_to_thread(move || {
            let answer = remote.blocking_call(move |handle| {
                let (deferred, resolver) = Deferred::new(handle);
                handle.call_later(secs(1), move |_| _ = resolver.resolve(number * 10));
                deferred
            })?;
            own.lock().unwrap().push(format!("{number} has {answer}"));
            Ok(answer)
        });
        let own = lines.clone();
        let _told = job.add_callback(move |answer| {
            own.lock().unwrap().push(format!("reactor has {answer}"));
        });
    }
    reactor.call_later(secs(60), |reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    let lines = lines.lock().unwrap().clone();
    (lines, world.trace().hash())
}

#[test]
fn blocking_calls_from_threads_are_answered_in_the_seeds_order() {
    let (first, hash) = thread_story(3);
    assert_eq!(first.len(), 16);
    assert_eq!((first.clone(), hash), thread_story(3));
    assert_ne!(first, thread_story(4).0);
}

#[test]
fn hosts_run_until_all_have_stopped() {
    let world = World::new(5);
    world.set_faults(Faults::gentle());
    let (lines, told) = (Lines::default(), Lines::default());
    let mut server = Reactor::new(world.driver("server"));
    let mut client = Reactor::new(world.driver("client"));
    let (here, there) = (lines.clone(), told.clone());
    server
        .listen("tcp:10.0.0.1:7", move || Echo(here.clone()))
        .unwrap();
    server.call_later(secs(100), |reactor| reactor.stop().unwrap());
    client
        .connect("tcp:server:7", move || Sender::new(&there, 50_000))
        .unwrap();
    world.run(&mut [&mut server, &mut client]).unwrap();
    assert_eq!(*told.borrow(), ["50000 back, closed cleanly"]);
    assert_eq!(*lines.borrow(), ["made", "lost: closed cleanly"]);
    assert_eq!(world.now(), secs(100));
}

#[test]
fn hosts_that_all_wait_are_a_deadlock() {
    let world = World::new(5);
    let mut server = Reactor::new(world.driver("server"));
    let mut client = Reactor::new(world.driver("client"));
    server
        .listen("tcp:10.0.0.1:7", || Echo(Lines::default()))
        .unwrap();
    let _never = client.spawn(std::future::pending::<()>());
    let error = world.run(&mut [&mut server, &mut client]).unwrap_err();
    let waiting = waiting(&error);
    assert_eq!(waiting[0], "server: tcp:10.0.0.1:7 is listening");
    assert!(
        waiting[1].contains("reactor.rs"),
        "the task, by its place: {waiting:?}"
    );
    world
        .run_until(secs(9), &mut [&mut server, &mut client])
        .unwrap();
    assert_eq!(world.now(), secs(9));
}

#[test]
fn a_host_crashes_and_is_back_with_a_new_reactor() {
    let world = World::new(5);
    let lines = Lines::default();
    let (mut server, mut client) = (
        Reactor::new(world.driver("server")),
        Reactor::new(world.driver("client")),
    );
    let listen = |server: &mut Reactor| {
        server
            .listen("tcp:10.0.0.1:7", || Echo(Lines::default()))
            .unwrap();
    };
    listen(&mut server);
    world.at(secs(1), |world| world.crash("server"));
    let there = lines.clone();
    client.call_later(secs(2), move |reactor| {
        reactor
            .connect("tcp:10.0.0.1:7", move || Sender::new(&there, 10))
            .unwrap();
    });
    world
        .run_until(secs(5), &mut [&mut server, &mut client])
        .unwrap();
    world.restart("server");
    let mut again = Reactor::new(world.driver("server"));
    listen(&mut again);
    again.call_later(secs(50), |reactor| reactor.stop().unwrap());
    world
        .run(&mut [&mut server, &mut again, &mut client])
        .unwrap();
    assert_eq!(*lines.borrow(), ["10 back, closed cleanly"]);
}

/// A crowd of clients under every fault; the trace, and how each life went.
fn crowd(seed: u64, mood: Mood) -> (Vec<String>, u64) {
    let world = World::new(seed);
    world.record(Recording::Hashed);
    world.set_mood(mood);
    world.set_faults(Faults::all());
    let lines = Lines::default();
    let mut server = Reactor::new(world.driver("server"));
    let here = lines.clone();
    server
        .listen("tcp:0.0.0.0:7", move || Echo(here.clone()))
        .unwrap();
    let mut clients: Vec<Reactor> = (0..5)
        .map(|number| Reactor::new(world.driver(&format!("client{number}"))))
        .collect();
    for client in &mut clients {
        let there = lines.clone();
        client
            .connect("tcp:server:7", move || Sender::new(&there, 20_000))
            .unwrap();
        client.call_later(secs(4000), |reactor| _ = reactor.stop());
    }
    server.call_later(secs(4000), |reactor| _ = reactor.stop());
    let mut all: Vec<&mut Reactor> = clients.iter_mut().chain([&mut server]).collect();
    world.run(&mut all).unwrap();
    drop((server, clients));
    let lines = lines.borrow().clone();
    (lines, world.trace().hash())
}

#[test]
fn under_every_fault_each_made_is_lost_once_and_seeds_repeat() {
    for seed in 0..40 {
        let mood = if seed % 2 == 0 {
            Mood::Readiness
        } else {
            Mood::Completion
        };
        let (lines, hash) = crowd(seed, mood);
        let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
        assert_eq!(count("made"), count("lost"), "seed {seed}");
        assert_eq!((lines, hash), crowd(seed, mood), "seed {seed}");
    }
}

#[test]
fn sighup_calls_every_hook_and_stops_nothing() {
    let driver = SimDriver::alone(0);
    let world = driver.world();
    world.at(secs(1), |world| world.signal("sim", Signal::Hangup));
    world.at(secs(2), |world| world.signal("sim", Signal::Hangup));
    world.at(secs(3), |world| world.signal("sim", Signal::Terminate));
    let mut reactor = Reactor::new(driver).catching_signals();
    let calls = Rc::new(Cell::new(0));
    reactor.on_hangup(|_| panic!("the others are called all the same"));
    let counted = Rc::clone(&calls);
    reactor.on_hangup(move |_| counted.set(counted.get() + 1));
    reactor.run().unwrap();
    assert_eq!((calls.get(), reactor.now()), (2, secs(3)));
}
