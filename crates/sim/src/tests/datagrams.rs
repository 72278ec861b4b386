//! What only a simulated network does to datagrams, and all of it by the seed.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::address::UnixAddress;
use ropewalk_core::{Address, DatagramProtocol, DatagramTransport, Protocol, Reactor, Transport};

use crate::{Faults, Recording, Rule, World};

/// Keeps what it hears, as text.
#[derive(Clone, Default)]
struct Ear(Rc<RefCell<Vec<String>>>);

impl Ear {
    fn heard(&self) -> Vec<String> {
        self.0.borrow().clone()
    }
}

impl DatagramProtocol for Ear {
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], peer: &Address) {
        let text = String::from_utf8_lossy(data);
        let line = match peer {
            Address::Unix(_) => format!("{text} from {peer}"),
            _ => text.into_owned(),
        };
        self.0.borrow_mut().push(line);
    }
    fn connection_refused(&mut self, _: &DatagramTransport, error: &io::Error) {
        self.0.borrow_mut().push(error.kind().to_string());
    }
}

/// A server of streams, which nobody reaches.
struct Silent;

impl Protocol for Silent {
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Hosts `a`, `b` and `c`, each with an ear at UDP port 7.
struct Story {
    world: World,
    reactors: Vec<Reactor>,
    ports: Vec<DatagramTransport>,
    ears: Vec<Ear>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Story {
    fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let mut story = Self {
            world: world.clone(),
            reactors: Vec::new(),
            ports: Vec::new(),
            ears: Vec::new(),
        };
        for name in NAMES {
            world.host(name);
            let mut reactor = Reactor::new(world.driver(name));
            let ear = Ear::default();
            let port = reactor.listen_datagram("udp:7", ear.clone());
            story.ports.push(port.unwrap());
            story.reactors.push(reactor);
            story.ears.push(ear);
        }
        story
    }

    /// `a` sends to `b`.
    fn send(&self, text: &str) {
        let peer = format!("{}:7", self.address("b"));
        self.ports[0].write_to(text, peer).unwrap();
    }

    fn address(&self, host: &str) -> IpAddr {
        self.world.addresses(host)[0]
    }

    fn pass(&mut self, time: Duration) {
        let end = self.world.now() + time;
        let world = self.world.clone();
        let mut reactors: Vec<&mut Reactor> = self.reactors.iter_mut().collect();
        world.run_until(end, &mut reactors).unwrap();
    }

    fn heard(&self, host: usize) -> Vec<String> {
        self.ears[host].heard()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn rules_lose_duplicate_and_reorder_datagrams() {
    let mut story = Story::new(1);
    let guard = story
        .world
        .guard(Rule::from_to("a", "b").lose_datagrams(1.0));
    story.send("lost");
    story.pass(SECOND);
    drop(guard);
    let guard = story
        .world
        .guard(Rule::from_to("a", "b").duplicate_datagrams(1.0));
    story.send("twice");
    story.pass(SECOND);
    assert_eq!(story.heard(1), ["twice", "twice"]);
    drop(guard);
    let _guard = story
        .world
        .guard(Rule::from_to("a", "b").reorder_datagrams(0.5));
    let sent: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    sent.iter().for_each(|text| story.send(text));
    story.pass(SECOND);
    let mut heard = story.heard(1)[2..].to_vec();
    assert_ne!(heard, sent);
    heard.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(heard, sent, "none is lost");
}

#[test]
fn what_is_longer_than_the_mtu_and_what_meets_a_cut_is_lost() {
    let mut story = Story::new(2);
    story.world.install(Rule::everywhere().mtu(4));
    for text in ["long one", "four"] {
        story.send(text);
    }
    story.pass(SECOND);
    story.world.partition("a", "b");
    story.send("cut");
    story.pass(SECOND);
    story.world.heal("a", "b");
    story.send("heal");
    story.pass(SECOND);
    assert_eq!(story.heard(1), ["four", "heal"]);
}

#[test]
fn r087_a_refusal_crosses_the_network_back() {
    let mut story = Story::new(3);
    let peer = format!("{}:8", story.address("b"));
    let connected = story.ports[0].connect(peer.as_str());
    story.ports[0].write("nobody").unwrap();
    story.pass(SECOND);
    assert!(connected.is_fired());
    assert_eq!(story.heard(0), ["connection refused"]);
    story.world.partition("a", "b");
    story.ports[0].write("silence").unwrap();
    story.pass(SECOND);
    assert_eq!(story.heard(0).len(), 1, "nobody says so through a cut");
}

#[test]
fn groups_and_broadcasts_span_hosts() {
    let mut story = Story::new(4);
    let group: IpAddr = "239.1.2.3".parse().unwrap();
    let joined = [1, 2].map(|host: usize| story.ports[host].join_group(group, ""));
    story.pass(SECOND);
    assert!(joined.iter().all(ropewalk_core::Deferred::is_fired));
    story.ports[0].write_to("group", "239.1.2.3:7").unwrap();
    story.ports[1].write_to("me too", "239.1.2.3:7").unwrap();
    story.pass(SECOND);
    drop(story.ports[1].set_loopback(false));
    drop(story.ports[0].set_broadcast(true));
    story.pass(SECOND);
    story.ports[1].write_to("not me", "239.1.2.3:7").unwrap();
    story.ports[0].write_to("all", "255.255.255.255:7").unwrap();
    story.pass(SECOND);
    assert_eq!(story.heard(0), ["all"]);
    let sorted = |host| {
        let mut heard = story.heard(host);
        heard.sort();
        heard
    };
    assert_eq!(sorted(1), ["all", "group", "me too"]);
    assert_eq!(sorted(2), ["all", "group", "me too", "not me"]);
}

#[test]
fn unix_datagrams_stay_on_their_host() {
    let mut story = Story::new(5);
    let (one, two) = (Ear::default(), Ear::default());
    let own = story.reactors[0].listen_datagram("unix-datagram:/run/one", one.clone());
    let own = own.unwrap();
    story.reactors[0]
        .listen_datagram("unixgram:@two", two.clone())
        .unwrap();
    assert!(
        story.reactors[0]
            .listen_datagram("unixgram:@two", two.clone())
            .is_err()
    );
    story.reactors[1]
        .listen_datagram("unixgram:@three", one.clone())
        .unwrap();
    own.write_to("hello", UnixAddress::from("@two")).unwrap();
    own.write_to("nobody", UnixAddress::from("@three")).unwrap();
    story.pass(SECOND);
    assert_eq!(two.heard(), ["hello from unix:/run/one"]);
    assert!(one.heard().is_empty());
}

#[test]
fn r088_a_crashed_hosts_datagram_path_is_taken_over_with_the_lock_only() {
    let world = World::new(1);
    let dead = world.driver("server");
    let mut reactor = Reactor::new(dead);
    let bind = |reactor: &mut Reactor, text: &str| {
        let port = reactor.listen_datagram(text, Ear::default());
        port.map(drop).map_err(|error| error.to_string())
    };
    bind(&mut reactor, "unix-datagram:/run/log").unwrap();
    assert!(reactor.listen("unix:/run/log:lock=yes", || Silent).is_err());
    world.crash("server");
    world.restart("server");
    drop(reactor);
    let mut heir = Reactor::new(world.driver("server"));
    let error = bind(&mut heir, "unix-datagram:/run/log").unwrap_err();
    assert!(error.contains("unix:/run/log"), "{error}");
    bind(&mut heir, "unix-datagram:/run/log:lock=yes").unwrap();
}

#[test]
fn a_port_that_is_not_read_overflows_and_netstat_shows_it() {
    let mut story = Story::new(6);
    story.world.install(Rule::everywhere().buffers(64, 10));
    story.ports[1].pause_reading();
    story.pass(SECOND);
    for text in ["12345", "67890", "x"] {
        story.send(text);
    }
    story.pass(SECOND);
    let sockets = story.world.netstat();
    let port = sockets.iter().find(|socket| socket.host == "b").unwrap();
    assert_eq!(
        port.to_string(),
        "b: udp:0.0.0.0:7 is open for datagrams, paused, 10 bytes unread"
    );
    story.ports[1].resume_reading();
    story.pass(SECOND);
    assert_eq!(story.heard(1), ["12345", "67890"]);
}

#[test]
fn the_same_seed_tells_the_same_story_whatever_the_faults() {
    let tell = |seed| {
        let mut story = Story::new(seed);
        story.world.record(Recording::Kept);
        story.world.set_faults(Faults::all());
        for number in 0..100 {
            story.send(&number.to_string());
            if number % 10 == 0 {
                story.pass(Duration::from_millis(30));
            }
        }
        story.pass(SECOND);
        let trace = story.world.trace().text().to_owned();
        (trace, story.heard(1))
    };
    let (trace, heard) = tell(7);
    assert_eq!(tell(7), (trace.clone(), heard.clone()));
    assert!(
        trace.contains(" is lost") && trace.contains(" receives "),
        "{trace}"
    );
    assert_ne!(tell(8).1, heard);
    let distinct: std::collections::BTreeSet<_> = heard.iter().collect();
    assert!(distinct.len() > 50 && distinct.len() < 100, "{heard:?}");
    assert!(heard.len() > distinct.len(), "some came twice");
}
