//! What only a look at the system shows of child processes: what they inherit, and what is left of them.
//!
//! One test, because what it looks at is the whole process's.
#![cfg(target_os = "linux")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use ropewalk_core::process::Spawn;
use ropewalk_core::{Deferred, Handle, Reactor};
use ropewalk_mio::MioDriver;

/// How many run at a time.
const CHILDREN: usize = 500;

fn shell(script: &str) -> Spawn {
    Spawn::new("/bin/sh").arg("-c").arg(script).null(0)
}

fn reactor() -> Reactor {
    Reactor::new(MioDriver::new().expect("the kernel gives a poll"))
}

#[track_caller]
fn wait<T: 'static>(reactor: &mut Reactor, deferred: Deferred<T>) -> T {
    let result = Rc::new(Cell::new(None));
    let answer = Rc::clone(&result);
    deferred.on_result(move |outcome| answer.set(Some(outcome)));
    for _ in 0..10_000 {
        let step = Some(Duration::from_secs(20));
        reactor.turn(step).expect("the driver works");
        if let Some(outcome) = result.take() {
            return outcome.expect("it goes well");
        }
    }
    panic!("it takes too long")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd")
        .expect("there is /proc")
        .count()
}

/// What `/proc` says of our children, dead ones too.
fn children() -> String {
    std::fs::read_to_string("/proc/thread-self/children").expect("there is /proc")
}

/// Rule 91: of the descriptors only those mapped, also when others are not marked to be closed.
fn only_what_is_mapped_is_inherited(reactor: &mut Reactor) {
    let leaky = File::open("/dev/null").expect("it is there");
    rustix::io::fcntl_setfd(&leaky, rustix::io::FdFlags::empty()).expect("it can be set");
    let script = "cd /proc/self/fd; echo *";
    for (spawn, mapped) in [
        (shell(script), &[0, 1, 2][..]),
        (shell(script).write_to(5).read_from(20), &[0, 1, 2, 5, 20]),
    ] {
        let output = reactor.process_output(&spawn);
        let out = wait(reactor, output).out;
        let text = String::from_utf8(out).expect("numbers");
        let open: BTreeSet<u32> = text
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        // The shell itself has the directory open while it looks.
        let shells: Vec<_> = open.iter().filter(|fd| !mapped.contains(fd)).collect();
        assert!(shells.len() <= 1, "{open:?}");
        assert!(mapped.iter().all(|fd| open.contains(fd)), "{open:?}");
    }
}

/// Rule 91: no signal is blocked, and those we catch or ignore have their default action.
fn signals_have_their_defaults(reactor: &mut Reactor) {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGUSR1);
    blocked.thread_block().expect("it can be blocked");
    let output = reactor.process_output(&Spawn::new("cat").arg("/proc/self/status"));
    let out = wait(reactor, output).out;
    blocked.thread_unblock().expect("it can be unblocked");
    let status = String::from_utf8(out).expect("text");
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(line.expect("it is there").trim(), 16).expect("a number")
    };
    assert_eq!(mask("SigBlk:"), 0, "nothing is blocked");
    let named = (1 << 31) - 1;
    assert_eq!(mask("SigIgn:") & named & !inherited_as_ignored(), 0);
    assert_eq!(mask("SigIgn:") >> 12 & 1, 0, "SIGPIPE ends the child");
}

/// What the test's own parent ignored; SIGPIPE is ignored by Rust itself.
fn inherited_as_ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .expect("it is there");
    u64::from_str_radix(line.trim(), 16).expect("a number")
}

/// Many at a time, each told of; nothing is left of them.
fn many_leave_nothing_behind(reactor: &mut Reactor) {
    let before = descriptors();
    let running: Vec<_> = (0..CHILDREN)
        .map(|number| {
            let code = number % 100;
            let output = reactor.process_output(&shell(&format!("echo {number}; exit {code}")));
            output.add_callback(move |output| {
                assert_eq!(output.out, format!("{number}\n").into_bytes());
                assert_eq!(output.status.code(), Some(code as i32));
                Ok(())
            })
        })
        .collect();
    for one in running {
        wait(reactor, one);
    }
    assert_eq!(descriptors(), before, "no descriptor is left");
    assert_eq!(children(), "", "no child is left, not even a dead one");
}

/// Nobody holds a handle, and the program could not be started: nothing is left either.
fn what_fails_leaves_nothing_behind(reactor: &mut Reactor) {
    let before = descriptors();
    for _ in 0..50 {
        let failing = reactor.process_value(&Spawn::new("/nowhere/at-all"));
        wait(
            reactor,
            failing.add_both(|result| result.map_or(Ok(()), |_| panic!("it is not there"))),
        );
    }
    assert_eq!(descriptors(), before);
    assert_eq!(children(), "");
}

/// A reactor that stops leaves its children running, and kills those that shall not outlive it.
fn a_stop_kills_only_those_that_asked_for_it() {
    let (read, write) = std::io::pipe().expect("a pipe can be had");
    let mut reactor = reactor();
    let held = |write: &std::io::PipeWriter| {
        let descriptor = write.try_clone().expect("it can be duplicated");
        ropewalk_core::Descriptor::new(std::os::fd::OwnedFd::from(descriptor))
    };
    struct Silent;
    impl ropewalk_core::process::ProcessProtocol for Silent {}
    let lives = shell("cat; echo lives >&3")
        .write_to(0)
        .null(1)
        .null(2)
        .descriptor(3, held(&write));
    let dies = shell("cat; echo dies >&3")
        .write_to(0)
        .null(1)
        .null(2)
        .descriptor(3, held(&write))
        .kill_at_stop();
    reactor.call_when_running(move |handle: &Handle| {
        let handle = handle.clone();
        let both = [&lives, &dies].map(|spawn| handle.spawn_process(spawn, Silent));
        let started = ropewalk_core::deferred::gather_results(&handle, both);
        started.on_result(move |started| {
            started.expect("they can be started");
            handle.stop().expect("it runs");
        });
    });
    reactor.run().expect("it runs");
    drop((reactor, write));
    let said = std::io::read_to_string(read).expect("it is text");
    assert_eq!(said, "lives\n");
}

#[test]
fn children_inherit_little_and_leave_nothing() {
    let mut reactor = reactor();
    only_what_is_mapped_is_inherited(&mut reactor);
    signals_have_their_defaults(&mut reactor);
    many_leave_nothing_behind(&mut reactor);
    what_fails_leaves_nothing_behind(&mut reactor);
    a_stop_kills_only_those_that_asked_for_it();
    // The orphans of a driver that is gone are waited for when others are started.
    let are_waited_for = (0..1000).any(|_| {
        let next = reactor.process_value(&shell("exit 0"));
        wait(&mut reactor, next);
        children().is_empty()
    });
    assert!(are_waited_for, "{}", children());
}

/// The simulated driver says what it lacks.
#[test]
fn a_driver_without_processes_says_so() {
    let mut reactor = Reactor::new(ropewalk_sim::SimDriver::alone(0));
    let started = reactor.process_value(&shell("exit 0"));
    let text = wait(
        &mut reactor,
        started.add_both(|result| match result {
            Ok(_) => panic!("there are none"),
            Err(failure) => Ok(failure.to_string()),
        }),
    );
    assert!(text.contains("starts no processes"), "{text}");
}
