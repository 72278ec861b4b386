//! Graceful stop: who is told what, what is waited for, and until when; on virtual time, to the millisecond.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::Signal;
use ropewalk_core::layer::{Layer, LayerError};
use ropewalk_core::service::{Application, CutOff, MultiService, Scope, Service, StreamServer};
use ropewalk_core::timer::{defer_later, sleep};
use ropewalk_core::{
    Address, Deferred, Factory, Failure, Grace, Handle, Phase, Protocol, Reactor, Reason,
    StopError, Transport,
};
use ropewalk_protocols::wire::Chargen;
use ropewalk_protocols::{LineProtocol, LineReceiver, Lines};
use ropewalk_sim::{SimDriver, World};
use ropewalk_testing::take_errors;

const PORT: &str = "tcp:127.0.0.1:7";
const GRACE: Grace = Grace::new(secs(5)).with_hard(secs(7));

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What happened, and when, in milliseconds.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, handle: &Handle, line: impl AsRef<str>) {
        let now = handle.now().as_millis();
        self.0.borrow_mut().push(format!("{now} {}", line.as_ref()));
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Answers after a time, with a handle or with a lent closure.
#[derive(Clone)]
struct Slow {
    after: Duration,
    is_lent: bool,
    log: Log,
}

impl Slow {
    fn new(after: Duration, log: &Log) -> Self {
        let log = log.clone();
        Self {
            after,
            is_lent: false,
            log,
        }
    }
}

impl Protocol for Slow {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        if self.is_lent {
            transport.call_later(self.after, |_: &mut Self, transport| {
                transport.write("answer");
            });
        } else {
            let own = transport.clone();
            transport
                .reactor()
                .call_later(self.after, move |_| own.write("answer"));
        }
    }

    fn shutting_down(&mut self, transport: &Transport) {
        assert!(transport.is_shutting_down());
        self.log.note(transport.reactor(), "told");
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.log
            .note(transport.reactor(), format!("lost: {reason}"));
    }
}

/// Asks at once, and notes what it gets.
struct Client(Log);

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("question");
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let answer = String::from_utf8_lossy(data);
        self.0.note(transport.reactor(), format!("got {answer}"));
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.0.note(transport.reactor(), format!("ended: {reason}"));
    }
}

/// A server, stopped gracefully after 3 s, with a client on another host; gives when it has stopped, in milliseconds.
fn stop_at_three(factory: impl Factory, client: impl Protocol, grace: Grace) -> u128 {
    let (mut world, log) = (ropewalk_testing::World::new(1), Log::default());
    let (server, end) = (world.reactor("server"), log.clone());
    server.listen("tcp:10.0.0.1:7", factory).unwrap();
    server.call_later(secs(3), move |handle| handle.stop_gracefully(grace));
    server.add_trigger(Phase::AfterShutdown, move |handle| end.note(handle, ""));
    drop(
        world
            .reactor("client")
            .connect_protocol("tcp:10.0.0.1:7", client),
    );
    world.run_for(secs(60));
    log.take()[0].trim().parse().expect("a time")
}

#[test]
fn a_program_with_only_idle_connections_stops_at_once() {
    let log = Log::default();
    let ended = stop_at_three(|| Echo, Client(log.clone()), GRACE);
    assert!((3000..3050).contains(&ended), "{ended}");
    assert!(log.take()[1].contains("ended: "));
}

/// Waits for a handshake that never comes.
struct Unopened;

impl Layer for Unopened {
    fn name(&self) -> &'static str {
        "unopened"
    }
    fn is_open(&self) -> bool {
        false
    }
    fn receive(
        &mut self,
        _: &mut [u8],
        _: &mut dyn FnMut(&mut [u8]),
        _: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        Ok(())
    }
    fn send(&mut self, _: &[u8], _: &mut Vec<u8>) {}
}

#[test]
fn a_peer_that_still_shakes_hands_is_not_waited_for() {
    struct Veiled;
    impl Factory for Veiled {
        fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
            vec![Box::new(Unopened)]
        }
        fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
            Some(Box::new(Echo))
        }
    }
    let ended = stop_at_three(Veiled, Client(Log::default()), GRACE);
    assert!((3000..3050).contains(&ended), "{ended}");
}

#[test]
fn an_answer_on_its_way_is_waited_for() {
    for is_lent in [false, true] {
        let (log, seen) = (Log::default(), Log::default());
        let slow = Slow {
            is_lent,
            ..Slow::new(secs(6), &log)
        };
        let ended = stop_at_three(move || slow.clone(), Client(seen.clone()), GRACE);
        assert_eq!(log.take()[0], "3000 told");
        let seen = seen.take();
        assert!(
            seen[0].ends_with("got answer") && seen[0].starts_with("60"),
            "{seen:?}"
        );
        assert!(seen[1].contains("ended: "), "{seen:?}");
        // One quiet second after the answer.
        assert!((7000..7150).contains(&ended), "{ended}");
    }
}

#[test]
fn what_takes_longer_than_the_soft_deadline_is_closed() {
    let (log, seen) = (Log::default(), Log::default());
    let slow = Slow::new(secs(60), &log);
    let ended = stop_at_three(move || slow.clone(), Client(seen), GRACE);
    assert_eq!(log.take(), ["3000 told", "8000 lost: closed cleanly"]);
    assert!((8000..8050).contains(&ended), "{ended}");
}

/// Reads nothing, so that what was written cannot leave.
struct Deaf;

impl Protocol for Deaf {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("question");
        transport.pause_reading();
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Flood;

impl Protocol for Flood {
    fn data_received(&mut self, transport: &Transport, _: &[u8]) {
        transport.write(vec![b'x'; 8 << 20]);
    }
}

#[test]
fn what_cannot_be_sent_is_cut_off_at_the_hard_deadline() {
    let ended = stop_at_three(|| Flood, Deaf, GRACE);
    assert!((10_000..10_050).contains(&ended), "{ended}");
}

#[test]
fn a_protocol_may_say_goodbye() {
    struct Polite;
    impl Protocol for Polite {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn shutting_down(&mut self, transport: &Transport) {
            transport.write("goodbye");
            transport.lose_connection();
        }
        fn is_idle(&mut self, _: &Transport) -> bool {
            panic!("it ends already")
        }
    }
    let seen = Log::default();
    let ended = stop_at_three(|| Polite, Client(seen.clone()), GRACE);
    assert!(seen.take()[0].contains("got goodbye"));
    assert!((3000..3050).contains(&ended), "{ended}");
}

#[test]
fn a_protocol_may_know_better_whether_it_is_idle() {
    struct Keeper(Option<Transport>, u32);
    impl Protocol for Keeper {
        fn connection_made(&mut self, transport: &Transport) {
            self.0 = Some(transport.clone());
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn is_idle(&mut self, transport: &Transport) -> bool {
            self.1 += 1;
            assert!(!transport.is_idle(0) || self.0.is_none());
            self.1 > 10
        }
    }
    let ended = stop_at_three(|| Keeper(None, 0), Client(Log::default()), GRACE);
    assert!((3450..3600).contains(&ended), "{ended}");
}

#[test]
fn chargen_ends_when_told() {
    struct Late;
    impl Protocol for Late {
        fn connection_made(&mut self, transport: &Transport) {
            transport.pause_reading();
            transport.call_later(secs(4), |_: &mut Self, transport| {
                transport.resume_reading();
            });
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let ended = stop_at_three(|| Chargen, Late, GRACE);
    assert!((4000..4100).contains(&ended), "{ended}");
}

/// Answers each line after two seconds.
struct SlowLines;

impl LineProtocol for SlowLines {
    fn line_received(&mut self, lines: &Lines, _: &[u8]) {
        lines.call_later(secs(2), |_: &mut Self, lines| {
            lines.send_line("answer").expect("it has no line break");
        });
    }
}

#[test]
fn lines_are_idle_between_lines_only() {
    for (question, until) in [("", 3000), ("a line\r\n", 3000), ("half a line", 8000)] {
        let ended = stop_at_three(|| LineReceiver::new(SlowLines), Asks(question), GRACE);
        assert!(
            (until..until + 100).contains(&ended),
            "{question:?}: {ended}"
        );
    }
}

struct Asks(&'static str);

impl Protocol for Asks {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.0);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn nobody_new_is_let_in() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let (log, seen) = (Log::default(), Log::default());
    let slow = Slow::new(secs(4), &log);
    reactor.listen(PORT, move || slow.clone()).unwrap();
    drop(reactor.connect_protocol(PORT, Client(Log::default())));
    let late = seen.clone();
    reactor.call_later(secs(1), |handle| handle.stop_gracefully(GRACE));
    reactor.call_later(secs(2), move |handle| {
        assert!(handle.is_stopping() && handle.is_running());
        let own = handle.clone();
        handle
            .connect_protocol(PORT, Echo)
            .on_result(move |result| {
                late.note(&own, if result.is_ok() { "let in" } else { "refused" });
            });
    });
    reactor.run().unwrap();
    assert!(seen.take()[0].ends_with("refused"));
}

#[test]
fn work_that_belongs_to_no_connection_is_waited_for() {
    let log = Log::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let (own, hook) = (log.clone(), log.clone());
    reactor.call_when_running(move |handle| {
        for (name, after) in [("short", 2), ("long", 60)] {
            let (log, inner) = (own.clone(), handle.clone());
            drop(handle.work(handle.spawn(async move {
                let slept = sleep(&inner, secs(after)).await;
                log.note(&inner, format!("{name}: {}", slept.is_ok()));
            })));
        }
        handle.stop_gracefully(GRACE).unwrap();
        assert_eq!(
            handle.stop_gracefully(GRACE),
            Err(StopError::AlreadyStopping)
        );
    });
    reactor.add_trigger(Phase::BeforeShutdown, move |handle| {
        hook.note(handle, "hook");
    });
    reactor.run().unwrap();
    assert_eq!(
        log.take(),
        ["2000 short: true", "5000 hook", "5000 long: false"]
    );
}

#[test]
fn a_plain_stop_ends_the_wait() {
    let log = Log::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let slow = Slow::new(secs(60), &log);
    reactor.listen(PORT, move || slow.clone()).unwrap();
    drop(reactor.connect_protocol(PORT, Client(Log::default())));
    reactor.call_later(secs(1), |handle| handle.stop_gracefully(GRACE));
    reactor.call_later(secs(2), |handle| handle.stop());
    reactor.run().unwrap();
    let lines = log.take();
    assert_eq!(lines[0], "1000 told");
    assert!(
        lines[1].starts_with("2000 lost") && !lines[1].ends_with("done"),
        "{lines:?}"
    );
}

/// R9: as ever.
#[test]
fn r009_a_plain_stop_waits_for_nobody() {
    let log = Log::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let slow = Slow::new(secs(60), &log);
    reactor.listen(PORT, move || slow.clone()).unwrap();
    drop(reactor.connect_protocol(PORT, Client(Log::default())));
    reactor.call_later(secs(1), |handle| handle.stop());
    reactor.run().unwrap();
    let lines = log.take();
    assert!(
        lines.len() == 1 && lines[0].starts_with("1000 lost"),
        "{lines:?}"
    );
}

/// A server with one answer on its way, and signals at these seconds.
fn signalled(grace: Option<Grace>, at: &[u64]) -> (u128, Vec<String>, Option<Signal>) {
    let (world, log) = (World::new(1), Log::default());
    for second in at {
        world.at(secs(*second), |world| {
            world.signal("sim", Signal::Terminate);
        });
    }
    let mut reactor = Reactor::new(world.driver("sim")).catching_signals();
    reactor.set_grace(grace);
    let (slow, hook, told) = (Slow::new(secs(6), &log), log.clone(), log.clone());
    reactor.listen(PORT, move || slow.clone()).unwrap();
    drop(reactor.connect_protocol(PORT, Client(Log::default())));
    reactor.on_stopping(move |handle| told.note(handle, "stopping"));
    reactor.add_trigger(Phase::BeforeShutdown, move |handle| {
        hook.note(handle, "hook");
    });
    reactor.run().unwrap();
    let ended = reactor.now().as_millis();
    let signal = reactor.exit_signal();
    drop(reactor);
    (ended, log.take(), signal)
}

/// R12, with a grace.
#[test]
fn r012_a_signal_stops_gracefully_where_that_is_wanted() {
    let (ended, log, signal) = signalled(Some(GRACE), &[3]);
    assert!((7000..7150).contains(&ended), "{ended}");
    assert_eq!(log[..2], ["3000 stopping", "3000 told"]);
    assert!(log.iter().any(|line| line.ends_with("hook")));
    assert_eq!(signal, Some(Signal::Terminate));
}

#[test]
fn r012_a_second_signal_ends_it_now() {
    let (ended, log, _) = signalled(Some(GRACE), &[3, 4]);
    assert_eq!(ended, 4000);
    assert!(!log.iter().any(|line| line.ends_with("hook")), "{log:?}");
}

#[test]
fn r012_without_a_grace_a_signal_stops_as_ever() {
    let (ended, log, _) = signalled(None, &[3]);
    assert_eq!(ended, 3000);
    assert_eq!(log[..2], ["3000 stopping", "3000 hook"]);
}

/// R11: also when it is a hook of shutdown that crashes.
#[test]
fn r011_a_crash_in_a_hook_is_the_end_of_hooks() {
    let log = Log::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let (first, second) = (log.clone(), log.clone());
    reactor.add_trigger(Phase::BeforeShutdown, move |handle| {
        first.note(handle, "first");
        handle.crash();
    });
    reactor.add_trigger(Phase::BeforeShutdown, move |handle| {
        second.note(handle, "second");
    });
    reactor.call_later(secs(1), |handle| handle.stop());
    reactor.run().unwrap();
    assert_eq!(log.take(), ["1000 first"]);
}

#[test]
fn no_hook_holds_a_graceful_stop_beyond_the_hard_deadline() {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.add_trigger(Phase::BeforeShutdown, |handle| {
        defer_later(handle, secs(3600), || Ok(()))
    });
    reactor.call_later(secs(1), |handle| handle.stop_gracefully(GRACE));
    reactor.run().unwrap();
    assert_eq!(reactor.now(), secs(8));
}

// ── Scopes and services ─────────────────────────────────────────────────────────────────────────────────────────────

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_scope_lets_its_work_end_and_nothing_else_notices(handle: Handle) -> Result<(), Failure> {
    let log = Log::default();
    let (inner, outer) = (Scope::new(&handle, "inner"), Scope::new(&handle, "outer"));
    for (scope, port) in [(&inner, "tcp:127.0.0.1:7"), (&outer, "tcp:127.0.0.1:8")] {
        let slow = Slow::new(secs(2), &log);
        scope.listen(port, move || slow.clone()).await?;
    }
    let seen = Log::default();
    handle
        .connect_protocol("tcp:127.0.0.1:7", Client(seen.clone()))
        .await?;
    let kept = handle
        .connect_protocol("tcp:127.0.0.1:8", Client(seen.clone()))
        .await?;
    sleep(&handle, secs(1)).await?;
    inner.end(GRACE).await?;
    assert_eq!(
        log.take().len(),
        2,
        "the one in the scope was told and lost"
    );
    assert!(kept.is_open());
    assert_eq!(
        seen.take()
            .iter()
            .filter(|line| line.ends_with("got answer"))
            .count(),
        2
    );
    assert!(outer.end(Grace::NONE).await.unwrap_err().is::<CutOff>());
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_task_that_will_not_end_is_cut_off_and_named(handle: Handle) -> Result<(), Failure> {
    let scope = Scope::new(&handle, "stubborn");
    let own = scope.handle();
    let stubborn = Scope::new(&scope, "within").spawn(async move {
        loop {
            let _not_me = never(&own).await;
        }
    });
    let begun = handle.now();
    let failure = scope.end(GRACE).await.unwrap_err();
    assert_eq!(handle.now() - begun, secs(7));
    let cut_off = failure.downcast_ref::<CutOff>().unwrap();
    assert!(
        cut_off.left.contains("1 tasks") && cut_off.left.contains(file!()),
        "{cut_off}"
    );
    assert!(stubborn.await.is_err());
    Ok(())
}

/// A Deferred that never fires.
fn never(handle: &Handle) -> Deferred<()> {
    let (deferred, resolver) = Deferred::new(handle);
    std::mem::forget(resolver);
    deferred
}

struct Stuck;

impl Service for Stuck {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        Deferred::succeed(handle, ())
    }
    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        defer_later(handle, secs(3600), || Ok(()))
    }
    fn grace(&self) -> Option<Grace> {
        Some(Grace::new(secs(2)))
    }
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_service_that_does_not_stop_is_left_behind(handle: Handle) -> Result<(), Failure> {
    let mut tree = MultiService::new()
        .with("server", StreamServer::new(PORT, || Echo))
        .with("stuck", Stuck);
    tree.start(&handle).await?;
    let begun = handle.now();
    tree.stop(&handle).await?;
    assert_eq!(handle.now() - begun, secs(2));
    let errors = take_errors();
    assert!(
        errors.len() == 1 && errors[0].contains("\"stuck\" did not stop in order"),
        "{errors:?}"
    );
    Ok(())
}

#[test]
fn an_application_answers_what_is_in_flight_before_its_services_stop() {
    let (world, log) = (World::new(1), Log::default());
    world.at(secs(3), |world| world.signal("sim", Signal::Terminate));
    let slow = Slow::new(secs(4), &log);
    let (own, seen) = (log.clone(), Log::default());
    let (client, database) = (seen.clone(), move |handle: &Handle| {
        let own = own.clone();
        handle.add_trigger(Phase::BeforeShutdown, move |handle| {
            own.note(handle, "services stop");
        });
    });
    let application = Application::new("test")
        .with_grace(GRACE)
        .with("database", database)
        .with("server", StreamServer::new(PORT, move || slow.clone()))
        .with("client", move |handle: &Handle| {
            drop(handle.connect_protocol(PORT, Client(client.clone())));
        });
    let mut reactor = Reactor::new(world.driver("sim")).catching_signals();
    application.run(&mut reactor).unwrap();
    let (log, seen) = (log.take(), seen.take());
    assert_eq!(log[0], "3000 told");
    assert!(
        log[1].ends_with("lost: closed cleanly") && log[2].ends_with("services stop"),
        "{log:?}"
    );
    assert!(seen[0].ends_with("got answer"), "{seen:?}");
}

#[test]
fn a_grace_says_its_deadlines() {
    let grace = Grace::default();
    assert_eq!(
        (grace.soft, grace.hard, grace.quiet),
        (secs(8), secs(9), secs(1))
    );
    assert_eq!(Grace::new(secs(1)).with_quiet(millis(5)).quiet, millis(5));
}
