//! The state of a world, and its clock: what is due happens here, in order, and nowhere else.
//!
//! ```text
//!   driver's calls ─┐                              ┌─► handshake   knock, answer, accept
//!                   ├─► schedule ─► happen ────────┼─► traffic     pump, arrival, notice
//!   user's changes ─┘      ▲                       ├─► ending      close, abort, reset, crash
//!                          └── plans what follows ─┴─► patience    time-outs of dead connections
//! ```
//!
//! It calls no user code, so that user code may ask for anything at any time: notices and changes are handed out.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::{ConnId, Signal};
use ropewalk_core::slots::{Key, Slots};

use crate::datagram::Packet;
use crate::descriptor::Closing;
use crate::driver::Mood;
use crate::faults::Faults;
use crate::host::{Host, Ready};
use crate::link::{Link, Links, Passage, Scope};
use crate::name::Names;
use crate::random::{Random, Seed};
use crate::rule::Rule;
use crate::schedule::{Change, Happening, Schedule};
use crate::trace::Trace;
use crate::wire::{Wire, other};

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) seed: Seed,
    pub(crate) now: Rc<Cell<Duration>>,
    pub(crate) random: Random,
    pub(crate) faults: Faults,
    /// Of the drivers to come.
    pub(crate) mood: Mood,
    pub(crate) trace: Trace,
    pub(crate) hosts: Vec<Host>,
    /// Hosts by the address that they own; loopback is everybody's own.
    pub(crate) routes: BTreeMap<IpAddr, usize>,
    pub(crate) wires: Slots<Wire>,
    pub(crate) links: Links,
    /// Until when each direction with a bandwidth is busy with what it was given.
    pub(crate) busy_until: BTreeMap<(usize, usize), Duration>,
    /// Datagrams under way.
    pub(crate) packets: Slots<Packet>,
    /// When the last datagram that keeps its place arrives, by hosts.
    pub(crate) in_order: BTreeMap<(usize, usize), Duration>,
    pub(crate) names: Names,
    pub(crate) schedule: Schedule,
    /// Handshakes that wait for their link, with the side that sent.
    pub(crate) parked: Vec<(Key, usize, Happening)>,
    /// Counts wires and jobs, for their names.
    pub(crate) serial: u64,
    /// Counts what came to pass, so that a scheduler sees whether a turn did anything.
    pub(crate) steps: u64,
    /// Descriptors that were dropped, and must be closed.
    pub(crate) closing: Closing,
}

impl Network {
    pub(crate) fn new(seed: Seed) -> Self {
        Self {
            seed,
            now: Rc::default(),
            random: Random::new(seed),
            faults: Faults::none(),
            mood: Mood::Readiness,
            trace: Trace::new(),
            hosts: Vec::new(),
            routes: BTreeMap::new(),
            wires: Slots::new(),
            links: Links::default(),
            busy_until: BTreeMap::new(),
            packets: Slots::new(),
            in_order: BTreeMap::new(),
            names: Names::default(),
            schedule: Schedule::default(),
            parked: Vec::new(),
            serial: 0,
            steps: 0,
            closing: Closing::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now.get()
    }

    pub(crate) fn plan(&mut self, after: Duration, happening: Happening) {
        self.schedule
            .plan(self.now().saturating_add(after), happening);
    }

    /// When something happens next; what was planned for connections that are gone is forgotten.
    pub(crate) fn next(&mut self) -> Option<Duration> {
        while let Some((at, happening)) = self.schedule.next() {
            if happening
                .wire()
                .is_none_or(|wire| self.wires.get(wire).is_some())
            {
                return Some(at);
            }
            self.schedule.skip();
        }
        None
    }

    /// Lets everything happen that is due; stops at a change of the user's, which the caller makes before it goes on.
    pub(crate) fn settle(&mut self) -> Option<Change> {
        self.close_dropped();
        while let Some(happening) = self.schedule.take_due(self.now()) {
            self.steps += 1;
            if let Happening::Change(change) = happening {
                return Some(change);
            }
            self.happen(happening);
        }
        None
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Knock { wire } => self.knock(wire),
            Happening::Answer { wire, accepted } => self.answer(wire, accepted),
            Happening::Arrival { wire, side } => self.arrival(wire, side),
            Happening::Reset { wire, side } => self.reset(wire, side),
            Happening::Watch { wire, side } => self.look_at_time_outs(wire, side),
            Happening::ReadOn { wire, side } => self.mark(wire, side),
            Happening::Lingered { wire, side } => self.lingered(wire, side),
            Happening::Back { wire } => self.come_back(wire),
            Happening::Cut { a, b, length } => self.cut_for(a, b, length),
            Happening::Lift { rule } => self.lift(rule),
            Happening::Datagram { packet } => self.datagram_arrives(packet),
            Happening::PortReady { host, port, notice } => self.port_notice(host, port, notice),
            Happening::LookedUp { host, lookup } => self.looked_up(host, lookup),
            Happening::Job { host, job } => self.job_is_due(host, job),
            Happening::Change(_) => unreachable!("changes are handed to the world"),
        }
    }

    /// Puts a connection in its host's list, if it has something to tell.
    pub(crate) fn mark(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if wire.ends[side].listed || self.pending(wire, side).is_none() {
            return;
        }
        let end = &mut self.wires.get_mut(key).expect("it was there").ends[side];
        if let Some(conn) = end.conn {
            end.listed = true;
            self.hosts[end.host].ready.push_back(Ready::Conn(conn));
            // Somebody has work now, also when a mere `resume` made it: time must not go on before that is done.
            self.steps += 1;
        }
    }

    /// Those of a host with something to tell, now; in a drawn order if the plan says so.
    pub(crate) fn take_ready(&mut self, host: usize) -> Vec<Ready> {
        let mut ready = Vec::from(std::mem::take(&mut self.hosts[host].ready));
        if ready.len() > 1 && self.random.chance(self.faults.shuffle) {
            self.random.shuffle(&mut ready);
        }
        ready
    }

    pub(crate) fn set_paused(&mut self, host: usize, conn: ConnId, paused: bool) {
        let Some((key, side)) = self.find(host, conn) else {
            return;
        };
        self.wires.get_mut(key).expect("a name has its wire").ends[side].paused = paused;
        self.mark(key, side);
    }

    /// The wire and side behind a driver's name.
    pub(crate) fn find(&self, host: usize, conn: ConnId) -> Option<(Key, usize)> {
        self.hosts[host].conns.get(conn.0).copied()
    }

    pub(crate) fn link(&self, wire: &Wire, side: usize) -> Link {
        self.links
            .between(wire.ends[side].host, wire.ends[other(side)].host)
    }

    /// Whether what `side` sends now would get through.
    pub(crate) fn passes(&self, wire: &Wire, side: usize) -> bool {
        let far = &self.hosts[wire.ends[other(side)].host];
        !wire.ends[side].silent && far.up && self.link(wire, side).passage == Passage::Open
    }

    /// How long a packet from `side` takes, jitter drawn.
    pub(crate) fn travel(&mut self, key: Key, side: usize) -> Duration {
        let Some(wire) = self.wires.get(key) else {
            return Duration::ZERO;
        };
        self.link(wire, side).travel(&self.faults, &mut self.random)
    }

    pub(crate) fn note(&mut self, host: usize, event: fmt::Arguments<'_>) {
        self.steps += 1;
        self.trace
            .note(self.now.get(), &self.hosts[host].name, event);
    }

    pub(crate) fn note_world(&mut self, event: fmt::Arguments<'_>) {
        self.steps += 1;
        self.trace.note(self.now.get(), "*", event);
    }
}

/// What the user asks of hosts and links.
impl Network {
    /// Adds a host; its addresses are its own alone.
    pub(crate) fn add_host(&mut self, name: &str, addresses: Vec<IpAddr>) -> usize {
        assert!(
            self.host_named(name).is_none(),
            "there is a host named {name:?} already"
        );
        let number = self.hosts.len();
        for &ip in &addresses {
            let taken = self.routes.insert(ip, number);
            assert!(taken.is_none(), "{ip} belongs to another host already");
        }
        self.hosts.push(Host::new(name, addresses));
        number
    }

    pub(crate) fn host_named(&self, name: &str) -> Option<usize> {
        self.hosts.iter().position(|host| host.name == name)
    }

    /// The host of that name.
    ///
    /// # Panics
    ///
    /// If there is none: that is the caller's slip.
    pub(crate) fn host(&self, name: &str) -> usize {
        self.host_named(name).unwrap_or_else(|| {
            let known: Vec<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
            panic!("there is no host named {name:?}; add it with World::host (there are {known:?})")
        })
    }

    pub(crate) fn scope(&self, rule: &Rule) -> Scope {
        let host = |name: &Option<String>| name.as_deref().map(|name| self.host(name));
        Scope {
            from: host(&rule.from),
            to: host(&rule.to),
            both_ways: rule.both_ways,
        }
    }

    pub(crate) fn install(&mut self, rule: Rule) -> u64 {
        let scope = self.scope(&rule);
        self.note_world(format_args!("{rule} installed"));
        let number = self.links.install(scope, rule);
        self.changed();
        number
    }

    pub(crate) fn lift(&mut self, number: u64) {
        if let Some(rule) = self.links.lift(number) {
            self.note_world(format_args!("{rule} lifted"));
            self.changed();
        }
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize) {
        self.links.cut(pair(a, b));
        self.note(
            a,
            format_args!("is cut from {}", self.hosts[b].name.clone()),
        );
        self.changed();
    }

    pub(crate) fn heal(&mut self, a: usize, b: usize) {
        self.links.heal(pair(a, b));
        self.note(
            a,
            format_args!("is whole with {}", self.hosts[b].name.clone()),
        );
        self.changed();
    }

    /// A partition of its own, so that its end heals no other.
    fn cut_for(&mut self, a: usize, b: usize, length: Duration) {
        let rule = Rule::between(&self.hosts[a].name, &self.hosts[b].name).partition();
        let rule = self.install(rule);
        self.plan(length, Happening::Lift { rule });
    }

    pub(crate) fn signal(&mut self, host: usize, signal: Signal) {
        if self.hosts[host].catches_signals {
            self.note(host, format_args!("gets {signal}"));
            self.hosts[host].ready.push_back(Ready::Signal(signal));
        } else {
            self.note(host, format_args!("does not catch {signal}"));
        }
    }

    /// The links are not what they were: handshakes and segments that waited for them go on, or wait anew.
    pub(crate) fn changed(&mut self) {
        for (key, side, happening) in std::mem::take(&mut self.parked) {
            match self.wires.get(key) {
                Some(wire) if self.passes(wire, side) => {
                    let after = self.travel(key, side);
                    self.plan(after, happening);
                }
                Some(_) => self.parked.push((key, side, happening)),
                None => {}
            }
        }
        for key in self.wires.keys() {
            self.review(key, 0);
            self.review(key, 1);
        }
    }
}

/// The scope of a cut, the same whichever host is named first.
fn pair(a: usize, b: usize) -> Scope {
    Scope {
        from: Some(a.min(b)),
        to: Some(a.max(b)),
        both_ways: true,
    }
}
