//! Protocols, factories and connectors: rules 38 to 43, 48 and 49.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{
    BackOff, ConnectError, ConnectOptions, Deferred, Failure, Handle, Limits, NameResolver,
    ReconnectingFactory, SharedFactory,
};

use super::script::{End, Script, Told};
use super::witness::{Log, Witness};
use super::{Harness, Stage};

/// Rule 38: made once, then data, then lost once.
pub fn r038_made_then_data_then_lost_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (server, client) = stage.pair(Script::new(), Script::new());
    client.transport().write("one");
    stage.wait("the bytes", || server.received() == 3);
    client.transport().lose_connection();
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    stage.linger();
    assert_eq!(
        server.told(),
        [Told::Made, Told::Data(3), Told::Eof, Told::Lost(End::Done)]
    );
    assert_eq!(client.told(), [Told::Made, Told::Lost(End::Done)]);
}

/// Rule 38: garbage that still comes in after the end is told to nobody.
pub fn r038_nothing_comes_after_lost(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let abort = Script::new().on_data(|transport, _| transport.abort_connection());
    let (server, client) = stage.pair(abort, Script::new());
    for _ in 0..50 {
        client.transport().write([7; 1000]);
        stage.turn(Some(Duration::ZERO)).expect("the driver works");
    }
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    stage.linger();
    let Some(Told::Data(some)) = server.told().get(1).cloned() else {
        panic!("{server:?}")
    };
    assert_eq!(
        server.told(),
        [Told::Made, Told::Data(some), Told::Lost(End::Aborted)]
    );
    assert_eq!(client.told().last(), Some(&Told::Lost(End::Lost)));
}

/// Rule 39: the protocol hears of the end before its factory, and the factory's stop comes last.
pub fn r039_the_protocol_is_told_before_the_factory_and_stop_comes_last(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, _) = stage.serve(Script::new().on_made(|transport| transport.lose_connection()));
    let own = log.clone();
    let build = move || {
        let log = own.clone();
        Some(Script::new().on_lost(move |_| log.note("protocol lost")))
    };
    stage
        .connect(&address, Witness::new(&log, build))
        .expect("an address can be read");
    stage.wait("the stop", || log.has("stop"));
    assert_eq!(
        log,
        [
            "start",
            "connecting",
            "connected",
            "protocol lost",
            "lost",
            "stop"
        ]
    );
}

/// Rule 40: an attempt that is refused failed, and nothing was lost.
pub fn r040_a_refused_attempt_fails_and_is_not_lost(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let nowhere = stage.nowhere();
    stage
        .connect(&nowhere, Witness::new(&log, || None))
        .expect("an address can be read");
    stage.wait("the stop", || log.has("stop"));
    stage.linger();
    assert_eq!(log, ["start", "connecting", "failed: refused", "stop"]);
}

/// Rule 40: an attempt given up by us says so.
pub fn r040_an_attempt_given_up_is_cancelled(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, server) = stage.serve(Script::new());
    let witness = Witness::new(&log, || Some(Script::new()));
    let connector = stage
        .connect(&address, witness)
        .expect("an address can be read");
    connector.disconnect();
    stage.wait("the stop", || log.has("stop"));
    stage.wait("the server's end", || !server.is_made() || server.is_lost());
    assert_eq!(log, ["start", "connecting", "failed: cancelled", "stop"]);
}

/// What a name resolver answers, to every name.
type Answer = Result<Vec<IpAddr>, &'static str>;

/// A resolver with one answer for all names, or none ever.
#[derive(Default)]
struct Resolver {
    answer: Option<Answer>,
    pending: RefCell<Vec<ropewalk_core::Resolver<Vec<IpAddr>>>>,
}

impl Resolver {
    fn install(stage: &Stage, answer: Option<Answer>) {
        let resolver = Self {
            answer,
            ..Self::default()
        };
        stage.set_name_resolver(Some(Rc::new(resolver)));
    }
}

impl NameResolver for Resolver {
    fn resolve(&self, reactor: &Handle, _name: &str) -> Deferred<Vec<IpAddr>> {
        let (deferred, resolver) = Deferred::new(reactor);
        match self.answer.clone() {
            Some(answer) => _ = resolver.resolve_with(answer.map_err(Failure::message)),
            None => self.pending.borrow_mut().push(resolver),
        }
        deferred
    }
}

/// Rule 40: a name that has no address is its own reason.
pub fn r040_a_name_not_found_is_a_failed_look_up(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    Resolver::install(&stage, Some(Err("no such name")));
    let witness = Witness::new(&log, || None);
    stage
        .connect("tcp:nowhere.example:7", witness)
        .expect("an endpoint can be read");
    stage.wait("the stop", || log.has("stop"));
    assert_eq!(log, ["start", "connecting", "failed: look-up", "stop"]);
}

/// Rule 40: an attempt that takes too long, the look-up included, timed out.
pub fn r040_an_attempt_that_takes_too_long_timed_out(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    Resolver::install(&stage, None);
    let limits = Limits {
        connect: Duration::from_millis(20),
        ..Limits::default()
    };
    let options = ConnectOptions::new("tcp:slow.example:7").expect("an endpoint can be read");
    stage
        .connect_with(options.limits(limits), Witness::new(&log, || None))
        .expect("an endpoint can be read");
    stage.wait("the stop", || log.has("stop"));
    assert_eq!(log, ["start", "connecting", "failed: timed out", "stop"]);
}

/// Rule 40: an attempt fails only when every address of the name failed.
pub fn r040_every_address_of_a_name_is_tried(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, server) = stage.serve(Script::new());
    let other: IpAddr = match harness.loopback {
        IpAddr::V4(_) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv4Addr::LOCALHOST.into(),
    };
    let addresses = vec![other, harness.loopback];
    Resolver::install(&stage, Some(Ok(addresses)));
    let endpoint = format!("tcp:both.example:{}", address.port().unwrap_or_default());
    let witness = Witness::new(&log, || Some(Script::new()));
    stage
        .connect(endpoint, witness)
        .expect("an endpoint can be read");
    stage.wait("the connection", || {
        log.has("connected") && server.is_made()
    });
    assert_eq!(log, ["start", "connecting", "connected"]);
}

/// Rule 40: the driver finds `localhost`.
pub fn r040_localhost_is_found(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let found = stage.resolve("localhost");
    let addresses = stage
        .wait_for(found)
        .expect("every machine knows localhost");
    assert!(
        !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback),
        "{addresses:?}"
    );
}

/// Rule 41: to connect in `connection_failed` is a new attempt, and the factory stays started.
pub fn r041_connecting_again_after_a_failure_keeps_the_factory_started(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let nowhere = stage.nowhere();
    let mut again = 1;
    let witness = Witness::new(&log, || None).on_failed(move |connector| {
        if again > 0 {
            again -= 1;
            connector.connect();
        }
    });
    stage
        .connect(&nowhere, witness)
        .expect("an address can be read");
    stage.wait("the stop", || log.has("stop"));
    let twice = [
        "connecting",
        "failed: refused",
        "connecting",
        "failed: refused",
    ];
    assert_eq!(log.lines()[1..5], twice);
    assert_eq!(
        (log.len(), log.count("start"), log.count("stop")),
        (6, 1, 1)
    );
}

/// Rule 41: so it is in `connection_lost`.
pub fn r041_connecting_again_after_a_loss_keeps_the_factory_started(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let port = stage.listen(|| Script::new().on_made(|transport| transport.lose_connection()));
    let mut again = 1;
    let witness = Witness::new(&log, || Some(Script::new())).on_lost(move |connector| {
        if again > 0 {
            again -= 1;
            connector.connect();
        }
    });
    stage
        .connect(port.host(), witness)
        .expect("an address can be read");
    stage.wait("the stop", || log.has("stop"));
    let twice = [
        "connecting",
        "connected",
        "lost",
        "connecting",
        "connected",
        "lost",
    ];
    assert_eq!(log.lines()[1..7], twice);
    assert_eq!(
        (log.len(), log.count("start"), log.count("stop")),
        (8, 1, 1)
    );
}

/// Rule 42: a factory starts with the first port or connector that uses it, and stops after the last.
pub fn r042_a_factory_starts_once_and_stops_once(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let factory = SharedFactory::new(Witness::new(&log, || Some(Script::new())));
    let first = stage.listen(factory.clone());
    let second = stage.listen(factory.clone());
    assert_eq!(log, ["start"]);
    stage
        .wait_for(first.stop_listening())
        .expect("stopping to listen does not fail");
    assert_eq!(log, ["start"]);
    let connector = stage
        .connect(second.host(), factory)
        .expect("an address can be read");
    stage.wait("both ends", || log.count("connected") == 2);
    stage
        .wait_for(second.stop_listening())
        .expect("stopping to listen does not fail");
    assert_eq!((log.count("start"), log.count("stop")), (1, 0));
    connector.disconnect();
    stage.wait("the stop", || log.has("stop"));
    assert_eq!((log.count("start"), log.count("stop")), (1, 1));
    assert_eq!(log.lines().last().map(String::as_str), Some("stop"));
}

/// Rule 43: a server that builds no protocol closes the connection, in order.
pub fn r043_a_server_that_builds_no_protocol_closes(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let asked = log.clone();
    let port = stage.listen(Witness::new(&log, move || {
        asked.note("asked");
        None
    }));
    let client = stage.dial(port.host(), Script::new());
    stage.wait("the end", || client.is_lost());
    assert_eq!(
        client.told(),
        [Told::Made, Told::Eof, Told::Lost(End::Done)]
    );
    assert_eq!(log, ["start", "asked"]);
}

/// Rule 43: a client that builds no protocol has failed with just that reason.
pub fn r043_a_client_that_builds_no_protocol_failed(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, server) = stage.serve(Script::new());
    stage
        .connect(&address, Witness::new(&log, || None))
        .expect("an address can be read");
    stage.wait("the stop", || log.has("stop"));
    assert_eq!(log, ["start", "connecting", "failed: no protocol", "stop"]);
    stage.wait("the server's end", || server.is_lost());
    assert_eq!(server.end(), Some(End::Done));
}

fn quick() -> BackOff {
    BackOff {
        initial: Duration::from_millis(1),
        factor: 2.0,
        jitter: 0.0,
        spread: Duration::ZERO,
        maximum: Duration::from_millis(4),
    }
}

/// Rule 48: the reconnecting factory tries again, so many times.
pub fn r048_reconnecting_ends_after_the_last_retry(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let nowhere = stage.nowhere();
    let factory = ReconnectingFactory::new(Witness::new(&log, || None))
        .with_back_off(quick())
        .with_max_retries(3);
    stage
        .connect(&nowhere, factory)
        .expect("an address can be read");
    stage.wait("four attempts", || log.count("failed: refused") == 4);
    stage.linger();
    assert_eq!(log.count("connecting"), 4);
}

/// Rule 48: it connects again after a connection is lost, and counts anew.
pub fn r048_reconnecting_follows_a_lost_connection_and_counts_anew(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let port = stage.listen(|| Script::new().on_made(|transport| transport.lose_connection()));
    let factory = ReconnectingFactory::new(Witness::new(&log, || Some(Script::new())))
        .with_back_off(quick())
        .with_max_retries(1);
    let trying = factory.trying();
    stage
        .connect(port.host(), factory)
        .expect("an address can be read");
    stage.wait("four connections", || log.count("lost") == 4);
    trying.stop();
    assert_eq!(log.count("connected"), 4);
}

/// Rule 48: once told to stop it never connects again.
pub fn r048_reconnecting_stops_for_good(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let nowhere = stage.nowhere();
    let factory = ReconnectingFactory::new(Witness::new(&log, || None)).with_back_off(quick());
    let trying = factory.trying();
    stage
        .connect(&nowhere, factory)
        .expect("an address can be read");
    stage.wait("two attempts", || log.count("failed: refused") == 2);
    trying.stop();
    stage.linger();
    assert_eq!(log.count("connecting"), 2, "{log:?}");
}

/// Rule 48: also when it is told so while it is connected; the connection stays.
pub fn r048_reconnecting_stops_for_good_while_connected(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let (address, server) = stage.serve(Script::echo());
    let script = Script::new();
    let client = script.diary();
    let mut script = Some(script);
    let factory =
        ReconnectingFactory::new(Witness::new(&log, move || script.take())).with_back_off(quick());
    let trying = factory.trying();
    stage
        .connect(&address, factory)
        .expect("an address can be read");
    stage.wait("the connection", || server.is_made() && client.is_made());
    trying.stop();
    client.transport().write("hello");
    stage.wait("the echo", || client.received() == 5);
    server.transport().lose_connection();
    stage.wait("the stop", || log.has("stop"));
    stage.linger();
    assert_eq!(log.count("connecting"), 1);
}

/// Rule 49: a one-shot connect fires after `connection_made` has returned.
pub fn r049_a_one_shot_connect_fires_after_connection_made(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (address, _) = stage.serve(Script::new());
    let script = Script::new();
    let client = script.diary();
    let connected = stage.connect_protocol(&address, script);
    let transport = stage.wait_for(connected).expect("somebody listens");
    assert!(client.is_made());
    assert_eq!(transport, client.transport());
}

/// Rule 49: it fails if the attempt fails.
pub fn r049_a_one_shot_connect_fails_with_its_attempt(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let nowhere = stage.nowhere();
    let connected = stage.connect_protocol(&nowhere, Script::new());
    let failure = stage.wait_for(connected).expect_err("nobody listens");
    let error = failure.downcast_ref::<ConnectError>();
    assert!(matches!(error, Some(ConnectError::Refused(_))), "{failure}");
}

/// Rules 49 and 109: cancelling it ends the attempt, and the failure names the address.
pub fn r049_cancelling_a_one_shot_connect_ends_the_attempt(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (address, server) = stage.serve(Script::new());
    let script = Script::new();
    let client = script.diary();
    let connected = stage.connect_protocol(&address, script).cancel();
    let failure = stage.wait_for(connected).expect_err("it was cancelled");
    match failure.downcast_ref() {
        Some(ConnectError::Cancelled(named)) => assert_eq!(*named, address.to_string()),
        _ => panic!("{failure}"),
    }
    stage.linger();
    stage.wait("the server's end", || !server.is_made() || server.is_lost());
    assert!(!client.is_made() || client.is_lost(), "{client:?}");
}
