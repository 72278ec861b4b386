//! Trees of services: order, names, failures, and that nothing is left of what a service started.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::service::{
    Application, MultiService, NameTaken, Scope, Service, ServiceError, StreamServer, TimerService,
};
use ropewalk_core::timer::{LoopingCall, defer_later, sleep};
use ropewalk_core::{
    ClientService, Deferred, Failure, Grace, Handle, Phase, Protocol, Reactor, Transport,
};
use ropewalk_sim::SimDriver;
use ropewalk_testing::{World, take_errors};

const SECOND: Duration = Duration::from_secs(1);

/// What happened, and when.
#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    fn note(&self, handle: &Handle, line: impl AsRef<str>) {
        let now = handle.now().as_secs_f64();
        self.0.borrow_mut().push(format!("{now} {}", line.as_ref()));
    }

    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// A service that notes what it is told, and does it slowly if asked to.
struct Noted {
    name: &'static str,
    log: Log,
    start: Duration,
    stop: Duration,
    fails: bool,
}

impl Noted {
    fn new(name: &'static str, log: &Log) -> Self {
        Self {
            name,
            log: log.clone(),
            start: Duration::ZERO,
            stop: Duration::ZERO,
            fails: false,
        }
    }

    fn slow(self, start: Duration, stop: Duration) -> Self {
        Self {
            start,
            stop,
            ..self
        }
    }

    fn failing(self) -> Self {
        Self {
            fails: true,
            ..self
        }
    }

    fn note_after(&self, handle: &Handle, delay: Duration, what: &str) -> Deferred<()> {
        let (log, line, own) = (
            self.log.clone(),
            format!("{} {what}", self.name),
            handle.clone(),
        );
        let fails = self.fails;
        defer_later(handle, delay, move || {
            log.note(&own, line);
            match fails {
                true => Err(Failure::message("on purpose")),
                false => Ok(()),
            }
        })
    }
}

impl Service for Noted {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        self.note_after(handle, self.start, "started")
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        self.note_after(handle, self.stop, "stopped")
    }
}

struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn services_start_in_order_and_stop_in_reverse(handle: Handle) -> Result<(), Failure> {
    let log = Log::default();
    let mut tree = MultiService::new()
        .with("a", Noted::new("a", &log).slow(SECOND, SECOND))
        .with("b", Noted::new("b", &log).slow(SECOND, SECOND))
        .with("c", Noted::new("c", &log));
    assert_eq!(tree.names(), ["a", "b", "c"]);
    for _ in 0..2 {
        let from = handle.now();
        tree.start(&handle).await?;
        assert!(tree.is_running());
        tree.stop(&handle).await?;
        assert!(!tree.is_running());
        assert_eq!(handle.now() - from, 4 * SECOND);
    }
    let first_round = [
        "1 a started",
        "2 b started",
        "2 c started",
        "2 c stopped",
        "3 b stopped",
        "4 a stopped",
    ];
    assert_eq!(log.take()[..6], first_round);
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_failing_start_stops_those_before_it(handle: Handle) -> Result<(), Failure> {
    let log = Log::default();
    let inner = MultiService::new()
        .with("b", Noted::new("b", &log))
        .with("bad", Noted::new("bad", &log).failing())
        .with("never", Noted::new("never", &log));
    let mut tree = MultiService::new()
        .with("a", Noted::new("a", &log))
        .with("inner", inner);
    let failure = tree.start(&handle).await.unwrap_err();
    let said =
        r#"service "inner" could not be started: service "bad" could not be started: on purpose"#;
    assert_eq!(failure.to_string(), said);
    assert_eq!(
        failure.downcast_ref::<ServiceError>().unwrap().name(),
        "inner"
    );
    assert_eq!(
        log.take(),
        [
            "0 a started",
            "0 b started",
            "0 bad started",
            "0 b stopped",
            "0 a stopped"
        ]
    );
    assert!(!tree.is_running());
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_panic_in_a_service_is_its_failure(handle: Handle) -> Result<(), Failure> {
    let mut tree = MultiService::new().with("bad", |_: &Handle| -> Result<(), Failure> {
        panic!("ouch")
    });
    let failure = tree.start(&handle).await.unwrap_err();
    assert!(failure.to_string().contains("ouch"), "{failure}");
    assert_eq!(take_errors().len(), 1);
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_stop_interrupts_a_start(handle: Handle) -> Result<(), Failure> {
    let log = Log::default();
    let mut tree = MultiService::new()
        .with("a", Noted::new("a", &log))
        .with("slow", Noted::new("slow", &log).slow(60 * SECOND, SECOND));
    let started = tree.start(&handle);
    sleep(&handle, SECOND).await?;
    tree.stop(&handle).await?;
    assert!(started.await.is_err());
    assert_eq!(log.take(), ["0 a started", "1 a stopped"]);
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn services_come_and_go_while_the_tree_runs(handle: Handle) -> Result<(), Failure> {
    let log = Log::default();
    let mut tree = MultiService::new().with("a", Noted::new("a", &log));
    let outer = tree.clone();
    tree.start(&handle).await?;
    outer.add(&handle, "b", Noted::new("b", &log)).await?;
    let taken = outer
        .add(&handle, "b", Noted::new("b", &log))
        .await
        .unwrap_err();
    assert_eq!(
        taken.downcast_ref::<NameTaken>(),
        Some(&NameTaken("b".to_owned()))
    );
    let failure = outer
        .add(&handle, "bad", Noted::new("bad", &log).failing())
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("\"bad\""), "{failure}");
    assert_eq!(outer.names(), ["a", "b"]);
    outer.remove(&handle, "a").await?;
    outer.remove(&handle, "nobody").await?;
    assert_eq!(outer.find("b", |noted: &mut Noted| noted.name), Some("b"));
    assert_eq!(outer.find("b", |_: &mut TimerService| ()), None);
    assert_eq!(outer.find("a", |_: &mut Noted| ()), None);
    tree.stop(&handle).await?;
    assert_eq!(
        log.take(),
        [
            "0 a started",
            "0 b started",
            "0 bad started",
            "0 a stopped",
            "0 b stopped"
        ]
    );
    Ok(())
}

/// USERS P3: what a service started ends with it, whoever made it of its handle.
#[ropewalk_testing::test(crate = ropewalk_testing)]
fn nothing_is_left_of_what_a_service_started(world: &mut World) {
    let handle = world.reactor("sim").handle();
    let mut tree = MultiService::new().with("untidy", |handle: &Handle| {
        let (own, again) = (handle.clone(), handle.clone());
        handle.call_later(SECOND, |handle| {
            handle.call_later(3600 * SECOND, |_| ());
            handle.call_soon(|handle| drop(handle.call_later(3600 * SECOND, |_| ())));
        });
        drop(handle.spawn(async move { sleep(&own, 3600 * SECOND).await }));
        drop(handle.spawn(async move {
            std::future::pending::<()>().await;
            drop(again);
        }));
        drop(defer_later(handle, 3600 * SECOND, || Ok(())));
        drop(LoopingCall::new(handle, || ()).start(SECOND).unwrap());
        handle.add_trigger(Phase::AfterShutdown, |_| -> () { panic!("it was stopped") });
        handle.on_hangup(|_| panic!("it was stopped"));
        drop(Scope::new(handle, "inner").call_later(3600 * SECOND, |_| ()));
        handle.connect("tcp:10.9.9.9:1", || Echo).unwrap();
        handle
            .listen("tcp:127.0.0.1:7", || Echo)
            .add_callback(|_| Ok(()))
    });
    world.wait_for(tree.start(&handle)).unwrap();
    world.run_for(5 * SECOND);
    assert!(world.reactor("sim").leftovers().len() >= 8);
    world.wait_for(tree.stop(&handle)).unwrap();
    world.settle();
    assert_eq!(format!("{:?}", world.reactor("sim").leftovers()), "[]");
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn what_is_started_in_a_closed_scope_ends_at_once(handle: Handle) -> Result<(), Failure> {
    let scope = Scope::new(&handle, "short");
    scope.end(Grace::NONE).await?;
    assert!(scope.is_closed());
    scope.call_later(SECOND, |_| -> () { panic!("too late") });
    let own = scope.handle();
    assert!(
        scope
            .spawn(async move { sleep(&own, SECOND).await })
            .await
            .is_err()
    );
    let port = scope.listen("tcp:127.0.0.1:7", || Echo).await?;
    sleep(&handle, Duration::ZERO).await?;
    assert!(!port.is_listening());
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_timer_service_waits_for_the_call_that_goes_on(handle: Handle) -> Result<(), Failure> {
    let (log, inner) = (Log::default(), Log::default());
    let own = inner.clone();
    let timer = TimerService::new(10 * SECOND, move |handle| {
        own.note(handle, "begun");
        let (own, handle) = (own.clone(), handle.clone());
        defer_later(&handle.clone(), 3 * SECOND, move || {
            own.note(&handle, "done");
            Ok(())
        })
    });
    let mut tree = MultiService::new().with("timer", timer);
    tree.start(&handle).await?;
    sleep(&handle, 11 * SECOND).await?;
    tree.stop(&handle).await?;
    log.note(&handle, "stopped");
    assert_eq!(inner.take(), ["0 begun", "3 done", "10 begun", "13 done"]);
    assert_eq!(log.take(), ["13 stopped"]);
    Ok(())
}

#[ropewalk_testing::test(crate = ropewalk_testing)]
async fn a_client_service_is_a_service(handle: Handle) -> Result<(), Failure> {
    let client = ClientService::new(&handle, "tcp:127.0.0.1:7", || Echo)?;
    let mut tree = MultiService::new()
        .with("server", StreamServer::new("tcp:127.0.0.1:7", || Echo))
        .with("client", client.clone());
    tree.start(&handle).await?;
    let transport = client.when_connected(Some(1)).await?;
    tree.stop(&handle).await?;
    assert!(!transport.is_open() && !client.is_started());
    Ok(())
}

#[test]
fn an_application_lives_as_long_as_its_reactor() {
    let log = Log::default();
    let application = Application::new("test")
        .with("a", Noted::new("a", &log).slow(SECOND, SECOND))
        .with("b", Noted::new("b", &log));
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.call_later(5 * SECOND, |handle| handle.stop());
    application.run(&mut reactor).unwrap();
    assert_eq!(
        log.take(),
        ["1 a started", "1 b started", "5 b stopped", "6 a stopped"]
    );
}

#[test]
fn an_application_that_cannot_start_says_why() {
    let log = Log::default();
    let application = Application::new("test")
        .with("a", Noted::new("a", &log))
        .with(
            "server",
            StreamServer::new("tcp:192.0.2.1:7", || Echo).privileged(),
        )
        .with("never", Noted::new("never", &log));
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let failure = application.run(&mut reactor).unwrap_err().to_string();
    assert!(
        failure.contains("\"server\"") && failure.contains("192.0.2.1"),
        "{failure}"
    );
    assert!(log.take().is_empty());
}
