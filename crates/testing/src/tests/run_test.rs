//! Tests that leave something behind fail, and say where it was made.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use ropewalk_core::failure::Failure;
use ropewalk_core::timer::{LoopingCall, sleep};
use ropewalk_core::{Deferred, Handle, Protocol, Reactor, Transport};
use ropewalk_sim::{Faults, Rule};

use super::{Diary, Echo};
use crate::{TestCase, World, run_async_test, run_test, take_errors};

const SECOND: Duration = Duration::from_secs(1);

/// Runs a test that must fail, and gives its complaint.
fn complaint(test: impl Fn(&mut World)) -> String {
    let run = || run_test(TestCase::new("testing::leaks"), &test);
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("the test should have failed");
    panic.downcast_ref::<String>().expect("a message").clone()
}

/// Whether a complaint names the line of this file that has this mark, and these words.
#[track_caller]
fn assert_names(complaint: &str, mark: &str, words: &[&str]) {
    let mark = format!("// <- {mark}");
    let line = include_str!("run_test.rs")
        .lines()
        .position(|line| line.ends_with(&mark));
    let place = format!(
        "{}:{}:",
        file!(),
        line.expect("the mark is in this file") + 1
    );
    assert!(
        complaint.contains(&place),
        "{complaint}\n…does not name {place}"
    );
    for word in words {
        assert!(
            complaint.contains(word),
            "{complaint}\n…does not say {word}"
        );
    }
}

fn server(world: &mut World) -> &mut Reactor {
    world.reactor("server")
}

/// Connects the host `client` to the server.
#[track_caller]
fn connect(world: &mut World, protocol: impl Protocol) -> Transport {
    let connected = world
        .reactor("client")
        .connect_protocol("tcp:10.0.0.1:7", protocol);
    world.wait_for(connected).unwrap()
}

#[test]
fn a_test_that_cleans_up_passes() {
    run_test(TestCase::new("testing::clean").seeds(20), |world| {
        world.set_faults(Faults::gentle());
        let port = server(world).listen("tcp:10.0.0.1:7", || Echo).unwrap();
        let client = world.reactor("client");
        let connected = client.connect_protocol("tcp:10.0.0.1:7", Diary::default());
        let transport = world.wait_for(connected).unwrap();
        transport.write("hello");
        transport.lose_connection();
        port.stop_listening();
    });
}

#[test]
fn a_timer_is_named_with_its_place_and_its_time() {
    let complaint = complaint(|world| {
        server(world).call_later(SECOND * 5, |_| ()); // <- timer
        world.run_for(SECOND * 2);
    });
    assert_names(&complaint, "timer", &["server: timer due in 3s"]);
}

#[test]
fn a_timer_of_a_protocol_is_named_by_the_protocols_line() {
    struct Sleepy;
    impl Protocol for Sleepy {
        fn connection_made(&mut self, transport: &Transport) {
            transport.call_later(SECOND, |_: &mut Self, _| ()); // <- lent
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let complaint = complaint(|world| {
        let port = server(world).listen("tcp:10.0.0.1:7", || Sleepy).unwrap();
        let transport = connect(world, Echo);
        world.run_for(SECOND / 100);
        transport.lose_connection();
        port.stop_listening();
    });
    assert_names(&complaint, "lent", &["timer"]);
}

#[test]
fn a_looping_call_is_named_by_the_line_that_made_it() {
    let complaint = complaint(|world| {
        let beat = LoopingCall::new(server(world), || ()); // <- beat
        beat.start(SECOND).unwrap().on_result(drop);
    });
    assert_names(&complaint, "beat", &["timer due in 1s"]);
}

#[test]
fn a_port_is_named() {
    let complaint = complaint(|world| {
        let reactor = server(world);
        reactor.listen("tcp:10.0.0.1:7", || Echo).unwrap(); // <- port
    });
    assert_names(&complaint, "port", &["port tcp:10.0.0.1:7"]);
}

#[test]
fn an_attempt_to_connect_is_named() {
    let complaint = complaint(|world| {
        world.host("server");
        world.install(Rule::everywhere().lose());
        let client = world.reactor("client");
        client.connect("tcp:10.0.0.1:7", || Echo).unwrap(); // <- attempt
    });
    assert_names(
        &complaint,
        "attempt",
        &["client: attempt to connect to tcp:10.0.0.1:7"],
    );
}

#[test]
fn both_ends_of_an_open_connection_are_named_with_their_protocols() {
    let complaint = complaint(|world| {
        let reactor = server(world);
        let port = reactor.listen("tcp:10.0.0.1:7", || Echo).unwrap(); // <- accepting
        let client = world.reactor("client");
        let connected = client.connect_protocol("tcp:10.0.0.1:7", Diary::default()); // <- connecting
        world.wait_for(connected).unwrap();
        port.stop_listening();
    });
    assert_names(&complaint, "accepting", &["server: connection of Echo"]);
    assert_names(&complaint, "connecting", &["client: connection of Diary"]);
    assert!(!complaint.contains("port"), "{complaint}");
}

#[test]
fn a_task_and_what_it_awaits_are_named() {
    let complaint = complaint(|world| {
        let reactor = server(world).handle();
        let (never, resolver) = Deferred::<()>::new(&reactor); // <- awaited
        reactor.spawn(never).on_result(drop); // <- spawned
        world.run_for(SECOND);
        std::mem::forget(resolver);
    });
    assert_names(&complaint, "awaited", &["awaits the Deferred"]);
    assert_names(&complaint, "spawned", &["server: task spawned"]);
}

#[test]
fn a_failure_nobody_looked_at_fails_the_test() {
    let complaint = complaint(|world| {
        let reactor = server(world).handle();
        drop(Deferred::<()>::fail(&reactor, Failure::message("dust"))); // <- dust
    });
    assert_names(&complaint, "dust", &["unhandled failure: dust"]);
}

#[test]
fn a_panic_inside_a_protocol_fails_the_test() {
    struct Picky;
    impl Protocol for Picky {
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            assert_eq!(data, b"please"); // <- panic
        }
    }
    let complaint = complaint(|world| {
        let port = server(world).listen("tcp:10.0.0.1:7", || Picky).unwrap();
        connect(world, Echo).write("now");
        world.run_for(SECOND);
        port.stop_listening();
    });
    assert_names(&complaint, "panic", &["a protocol panicked", "Picky"]);
}

#[test]
fn a_failure_that_was_looked_at_does_not() {
    run_test(TestCase::new("testing::looked_at"), |world| {
        let reactor = server(world).handle();
        drop(Deferred::<()>::fail(&reactor, Failure::message("dust")));
        world.settle();
        assert_eq!(reactor.tasks().take_unhandled().len(), 1);
        drop(Deferred::<()>::fail(
            &reactor,
            Failure::message("more dust"),
        ));
        world.settle();
        assert!(take_errors().iter().all(|line| line.contains("dust")));
    });
}

#[test]
fn what_a_crashed_host_had_is_no_complaint() {
    run_test(TestCase::new("testing::crash"), |world| {
        server(world).listen("tcp:10.0.0.1:7", || Echo).unwrap();
        world.settle();
        world.crash("server");
        world.run_for(SECOND);
    });
}

#[test]
fn a_restarted_host_has_a_new_reactor() {
    run_test(TestCase::new("testing::restart"), |world| {
        server(world).listen("tcp:10.0.0.1:7", || Echo).unwrap();
        world.settle();
        world.crash("server");
        let port = world
            .restart("server")
            .listen("tcp:10.0.0.1:7", || Echo)
            .unwrap();
        let connected = world
            .reactor("client")
            .connect_protocol("tcp:10.0.0.1:7", Echo);
        world.wait_for(connected).unwrap().lose_connection();
        port.stop_listening();
    });
}

#[test]
fn waiting_for_ever_is_an_error_that_names_who_waits() {
    let complaint = complaint(|world| {
        server(world).listen("tcp:10.0.0.1:7", || Echo).unwrap();
        world.wait_until(|| false);
    });
    assert!(
        complaint.contains("deadlock") && complaint.contains("listening"),
        "{complaint}"
    );
    let complaint = self::complaint(|world| {
        let beat = LoopingCall::new(server(world), || ());
        beat.start(SECOND * 60).unwrap().on_result(drop);
        world.wait_until(|| false);
    });
    assert!(
        complaint.contains("a day of the world's time is over"),
        "{complaint}"
    );
}

#[test]
#[should_panic(expected = "the test failed: \"no\"")]
fn an_error_fails_the_test() {
    run_test(TestCase::new("testing::error"), |_| Err("no"));
}

#[test]
#[should_panic(expected = "the test failed: \"no\"")]
fn an_error_comes_before_what_it_left_behind() {
    run_async_test(
        TestCase::new("testing::asynchronous"),
        async |reactor: Handle| {
            reactor.call_later(SECOND, |_| ());
            Err("no")
        },
    );
}

#[crate::test(crate = crate, seeds = 3)]
async fn an_async_test_has_a_reactor_and_its_time(reactor: Handle) -> Result<(), Failure> {
    let before = reactor.now();
    sleep(&reactor, SECOND * 3600).await?;
    assert_eq!(reactor.now() - before, SECOND * 3600);
    Ok(())
}

#[crate::test(crate = crate)]
fn a_test_has_a_world(world: &mut World) {
    assert_eq!(world.seed().0, 0);
    assert_eq!(world.reactor("here").driver_name(), "sim");
}

#[test]
#[should_panic(expected = "timer due in 60s")]
fn an_async_test_fails_for_what_it_leaves() {
    run_async_test(
        TestCase::new("testing::asynchronous"),
        async |reactor: Handle| {
            reactor.call_later(SECOND * 60, |_| ());
        },
    );
}

#[test]
#[should_panic(expected = "the test failed: panicked: odd")]
fn an_async_test_that_panics_fails() {
    run_async_test(TestCase::new("testing::asynchronous"), async |_| {
        assert!(TestCase::new("x") != TestCase::new("x"), "odd");
    });
}
