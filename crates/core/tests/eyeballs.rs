//! Connecting to a name with several addresses: R109 to R112 of SEMANTICS, RFC 8305, to the millisecond.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{
    ConnectError, ConnectOptions, Connector, Factory, Limits, Protocol, Reactor, Reason, Transport,
};
use ropewalk_sim::{Answer, Recording, Rule, World};

type Log = Rc<RefCell<Vec<String>>>;

const SIX: &str = "2001:db8::6";
const FOUR: &str = "192.0.2.4";

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Says hello to each.
struct Greeter;

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write("hello");
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

struct Caller(Log);

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &Transport) {
        note(
            &self.0,
            transport.reactor().now(),
            &format!("connected to {}", transport.peer()),
        );
    }
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.borrow_mut().push(format!("{}", data.escape_ascii()));
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.borrow_mut().push(reason.to_string());
    }
}

/// Writes down how it went; tries again as often as it is told.
struct Calls {
    log: Log,
    again: u32,
}

impl Factory for Calls {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Caller(Rc::clone(&self.log))))
    }
    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        note(&self.log, connector.reactor().now(), &error.to_string());
        if self.again > 0 {
            self.again -= 1;
            connector.connect();
        }
    }
}

fn note(log: &Log, now: Duration, what: &str) {
    log.borrow_mut()
        .push(format!("{} ms: {what}", now.as_millis()));
}

/// A client with both families, and servers named by where they are; a look-up takes 1 ms, a round trip too.
struct Scene {
    world: World,
    client: Reactor,
    servers: Vec<Reactor>,
    log: Log,
}

impl Scene {
    fn new() -> Self {
        let world = World::new(1);
        world.record(Recording::Kept);
        let client = Reactor::new(world.driver("client"));
        Self {
            world,
            client,
            servers: Vec::new(),
            log: Log::default(),
        }
    }

    /// A host at this address, where nobody listens.
    fn host(&self, address: &str) {
        self.world
            .host_at(address, [address.parse::<IpAddr>().unwrap()]);
    }

    /// A host at this address that serves port 80.
    fn server(&mut self, address: &str) {
        self.host(address);
        let mut server = Reactor::new(self.world.driver(address));
        let ip = if address.contains(':') {
            "[::]"
        } else {
            "0.0.0.0"
        };
        server.listen(format!("tcp:{ip}:80"), || Greeter).unwrap();
        self.servers.push(server);
    }

    /// A host at this address that never answers.
    fn silent(&self, address: &str) {
        self.host(address);
        self.world.install(Rule::between("client", address).lose());
    }

    fn name(&self, addresses: &[&str]) {
        let addresses: Vec<IpAddr> = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        self.world.name("service", addresses);
    }

    fn connect(&mut self, endpoint: &str) -> Connector {
        self.connect_with(ConnectOptions::new(endpoint).unwrap(), 0)
    }

    fn connect_with(&mut self, options: ConnectOptions, again: u32) -> Connector {
        let log = Rc::clone(&self.log);
        self.client
            .connect_with(options, Calls { log, again })
            .unwrap()
    }

    /// Runs to that time; gives what the client saw since.
    fn until(&mut self, time: Duration) -> Vec<String> {
        let mut all = vec![&mut self.client];
        all.extend(self.servers.iter_mut());
        self.world.run_until(time, &mut all).unwrap();
        self.log.take()
    }

    /// When which address was tried.
    fn attempts(&self) -> Vec<String> {
        let trace = self.world.trace();
        let attempts = trace.text().lines().filter_map(|line| {
            let (time, address) = line.split_once(" client connects c")?;
            let (seconds, nanos) = time.trim().split_once('.')?;
            let ms = seconds.parse::<u64>().ok()? * 1000 + nanos.parse::<u64>().ok()? / 1_000_000;
            let address = address.split_once(" to ")?.1;
            Some(format!("{ms} ms: {address}"))
        });
        attempts.collect()
    }

    /// How many sockets the client has.
    fn sockets(&self) -> usize {
        let all = self.world.netstat();
        all.iter().filter(|socket| socket.host == "client").count()
    }
}

#[test]
fn r110_the_first_address_wins_if_it_answers_in_time() {
    let mut scene = Scene::new();
    scene.server(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    assert_eq!(seen, ["2 ms: connected to tcp:[2001:db8::6]:80", "hello"]);
    assert_eq!(scene.attempts(), ["1 ms: tcp:[2001:db8::6]:80"]);
}

#[test]
fn r110_ipv6_is_silent_and_ipv4_answers() {
    let mut scene = Scene::new();
    scene.silent(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(60_000));
    assert_eq!(seen, ["302 ms: connected to tcp:192.0.2.4:80", "hello"]);
    let tried = ["1 ms: tcp:[2001:db8::6]:80", "301 ms: tcp:192.0.2.4:80"];
    assert_eq!(scene.attempts(), tried);
    assert_eq!(scene.sockets(), 1, "the silent attempt was given up");
}

#[test]
fn r110_a_slow_first_address_wins_over_a_slower_second_and_is_not_cancelled_for_it() {
    let mut scene = Scene::new();
    scene.server(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    scene
        .world
        .install(Rule::between("client", SIX).delay(ms(200)));
    scene
        .world
        .install(Rule::between("client", FOUR).delay(ms(100)));
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    assert_eq!(seen, ["401 ms: connected to tcp:[2001:db8::6]:80", "hello"]);
    assert_eq!(scene.attempts().len(), 2);
    assert_eq!(scene.sockets(), 1);
}

#[test]
fn r110_attempts_connected_at_the_same_instant_leave_one_connection() {
    let mut scene = Scene::new();
    scene.server(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    scene
        .world
        .install(Rule::between("client", SIX).delay(ms(200)));
    scene
        .world
        .install(Rule::between("client", FOUR).delay(ms(50)));
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].starts_with("401 ms: connected to "), "{seen:?}");
    assert_eq!(seen[1], "hello");
    assert_eq!(scene.sockets(), 1);
}

#[test]
fn r110_a_failure_starts_the_next_at_once() {
    let mut scene = Scene::new();
    scene.host(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    assert_eq!(seen, ["3 ms: connected to tcp:192.0.2.4:80", "hello"]);
    let tried = ["1 ms: tcp:[2001:db8::6]:80", "2 ms: tcp:192.0.2.4:80"];
    assert_eq!(scene.attempts(), tried);
}

#[test]
fn r110_families_take_turns_and_each_attempt_has_its_300_ms() {
    let mut scene = Scene::new();
    let six = ["2001:db8::1", "2001:db8::2", "2001:db8::3"];
    six.iter().for_each(|address| scene.silent(address));
    scene.host("192.0.2.1");
    scene.server("192.0.2.2");
    scene.name(&[six[0], six[1], six[2], "192.0.2.1", "192.0.2.2"]);
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    let tried = [
        "1 ms: tcp:[2001:db8::1]:80",
        "301 ms: tcp:192.0.2.1:80",
        "302 ms: tcp:[2001:db8::2]:80",
        "602 ms: tcp:192.0.2.2:80",
    ];
    assert_eq!(scene.attempts(), tried);
    assert_eq!(seen, ["603 ms: connected to tcp:192.0.2.2:80", "hello"]);
    assert_eq!(scene.sockets(), 1);
}

#[test]
fn r111_all_refused_gives_the_last_failure_and_no_address_a_look_up_error() {
    let mut scene = Scene::new();
    scene.host(SIX);
    scene.host(FOUR);
    scene.name(&[SIX, FOUR]);
    scene.connect("tcp:service:80");
    let refused = "3 ms: cannot connect to tcp:192.0.2.4:80: connection refused; is the server running on that port?";
    assert_eq!(scene.until(ms(5000)), [refused]);
    scene.name(&[]);
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(9000));
    assert_eq!(
        seen,
        [
            "5001 ms: cannot connect to tcp:service:80: the host name was not found: the name has no address"
        ]
    );
    assert_eq!(scene.sockets(), 0);
}

#[test]
fn r111_the_last_failure_is_the_last_in_time() {
    let mut scene = Scene::new();
    scene.host(SIX);
    scene.host(FOUR);
    scene.name(&[SIX, FOUR]);
    scene
        .world
        .install(Rule::between("client", SIX).delay(ms(400)));
    scene.connect("tcp:service:80");
    let seen = scene.until(ms(5000));
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].starts_with("801 ms: cannot connect to tcp:[2001:db8::6]:80"),
        "{seen:?}"
    );
}

#[test]
fn r110_the_connect_limit_bounds_the_whole_race() {
    let mut scene = Scene::new();
    scene.silent(SIX);
    scene.silent(FOUR);
    scene.name(&[SIX, FOUR]);
    let limits = Limits {
        connect: ms(2000),
        ..Limits::of_client()
    };
    let options = ConnectOptions::new("tcp:service:80")
        .unwrap()
        .limits(limits);
    scene.connect_with(options, 1);
    let seen = scene.until(ms(60_000));
    let said = "cannot connect to tcp:service:80: no answer within 2s";
    assert_eq!(
        seen,
        [format!("2000 ms: {said}"), format!("4000 ms: {said}")]
    );
    assert_eq!((scene.attempts().len(), scene.sockets()), (4, 0));
}

#[test]
fn r109_cancelling_stops_every_attempt_and_those_to_come() {
    for (at, running) in [(0, 0), (200, 1), (400, 2), (700, 3)] {
        let mut scene = Scene::new();
        let addresses = ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2"];
        addresses.iter().for_each(|address| scene.silent(address));
        scene.name(&addresses);
        let connector = scene.connect("tcp:service:80");
        if at > 0 {
            scene.until(ms(at));
        }
        assert_eq!(scene.sockets(), running);
        connector.disconnect();
        let seen = scene.until(ms(at + 5000));
        assert_eq!(
            seen,
            [format!(
                "{at} ms: cannot connect to tcp:service:80: cancelled"
            )]
        );
        assert_eq!((scene.attempts().len(), scene.sockets()), (running, 0));
    }
}

#[test]
fn r110_a_bound_address_leaves_its_own_family() {
    let mut scene = Scene::new();
    scene.server(SIX);
    scene.server(FOUR);
    scene.name(&[SIX, FOUR]);
    let own = scene.world.addresses("client");
    let own = own.iter().find(|ip| ip.is_ipv4()).unwrap();
    scene.connect(&format!("tcp:service:80:bind={own}"));
    let seen = scene.until(ms(1000));
    assert_eq!(seen, ["2 ms: connected to tcp:192.0.2.4:80", "hello"]);
    assert_eq!(scene.attempts(), ["1 ms: tcp:192.0.2.4:80"]);
    scene.name(&[SIX]);
    scene.connect(&format!("tcp:service:80:bind={own}"));
    let seen = scene.until(ms(2000)).concat();
    assert!(
        seen.contains("no address of the family of the bound address"),
        "{seen}"
    );
}

#[test]
fn a_name_with_thousands_of_addresses_is_not_knocked_at_everywhere() {
    let mut scene = Scene::new();
    scene.host(FOUR);
    scene.name(&[FOUR; 5000]);
    scene.connect("tcp:service:80");
    assert_eq!(scene.until(ms(5000)).len(), 1);
    assert_eq!(scene.attempts().len(), 64);
}

#[test]
fn r041_an_attempt_after_a_failed_look_up_is_not_disturbed_by_it() {
    let mut scene = Scene::new();
    scene.server(FOUR);
    scene.world.name("service", Answer::Silence);
    let limits = Limits {
        connect: ms(1000),
        ..Limits::of_client()
    };
    let options = ConnectOptions::new("tcp:service:80")
        .unwrap()
        .limits(limits);
    scene.connect_with(options, 1);
    scene.world.at(ms(500), |world| {
        world.name("service", [FOUR.parse::<IpAddr>().unwrap()]);
    });
    let seen = scene.until(ms(5000));
    assert_eq!(
        seen[0],
        "1000 ms: cannot connect to tcp:service:80: no answer within 1s"
    );
    assert_eq!(
        seen[1..],
        ["1002 ms: connected to tcp:192.0.2.4:80", "hello"]
    );
}

#[test]
fn r112_an_international_name_is_looked_up_encoded_and_a_bad_one_fails_when_connecting() {
    let mut scene = Scene::new();
    scene.server(FOUR);
    scene
        .world
        .name("xn--bcher-kva.example", [FOUR.parse::<IpAddr>().unwrap()]);
    scene.connect("tcp:bücher.example:80");
    let seen = scene.until(ms(1000));
    assert_eq!(seen, ["2 ms: connected to tcp:192.0.2.4:80", "hello"]);
    scene.connect("tcp:bücher..example:80");
    let seen = scene.until(ms(2000));
    assert_eq!(seen.len(), 1);
    assert!(
        seen[0].contains("tcp:bücher..example:80: the host name was not found"),
        "{seen:?}"
    );
}
