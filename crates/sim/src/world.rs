//! The handle on a simulated network: hosts, links, faults and time.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::{Deadlock, Signal};
use ropewalk_core::watchdog::Seen;

use crate::driver::{Mood, SimDriver};
use crate::faults::Faults;
use crate::host::default_addresses;
use crate::name::Answer;
use crate::netstat::Socket;
use crate::network::Network;
use crate::random::{Random, Seed};
use crate::rule::Rule;
use crate::schedule::{Change, Happening};
use crate::trace::{Recording, Trace};

/// A simulated network with its own time, grown from a seed.
///
/// A cheap handle: clones are the same world. Time is what has passed since the world began; nothing moves it but
/// those who wait in it.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_sim::{Faults, Rule, World};
///
/// let world = World::new(42);
/// let server = world.driver("server");
/// let client = world.driver("client");
/// world.set_faults(Faults::gentle());
/// world.at(Duration::from_secs(3), |world| world.partition("server", "client"));
/// world.at(Duration::from_secs(9), |world| world.heal("server", "client"));
///
/// let slow = world.guard(Rule::from_to("server", "client").bandwidth(1000));
/// drop(slow); // and the link is as fast as before
/// # drop((server, client));
/// ```
#[derive(Clone)]
pub struct World {
    network: Rc<RefCell<Network>>,
}

impl World {
    /// A world without hosts.
    #[must_use]
    pub fn new(seed: impl Into<Seed>) -> Self {
        Self {
            network: Rc::new(RefCell::new(Network::new(seed.into()))),
        }
    }

    /// Adds a host with an address of each family: 10.0.0.1 and fd00::1 for the first, and so on. All have a loopback.
    ///
    /// # Panics
    ///
    /// If there is a host of that name.
    pub fn host(&self, name: &str) {
        let number = self.network().hosts.len();
        self.host_at(name, default_addresses(number));
    }

    /// Adds a host with these addresses.
    ///
    /// # Panics
    ///
    /// If there is a host of that name, or one with such an address.
    pub fn host_at(&self, name: &str, addresses: impl Into<Vec<IpAddr>>) {
        self.network().add_host(name, addresses.into());
    }

    /// Starts a process on a host, which is added if there is none: the driver for its reactor.
    ///
    /// # Panics
    ///
    /// If the host has a driver already. Drop that first: its process ends then, and its kernel closes what it had.
    #[must_use]
    pub fn driver(&self, host: &str) -> SimDriver {
        let there = self.network().host_named(host);
        if there.is_none() {
            self.host(host);
        }
        let host = self.network().host(host);
        SimDriver::attach(self, host)
    }

    /// Sets the mood of the drivers attached from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.network().mood = mood;
    }

    /// Draws faults by that plan from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.network().faults = faults;
    }

    /// How much of the trace is kept from now on.
    pub fn record(&self, recording: Recording) {
        self.network().trace.record(recording);
    }

    /// Changes the world when its time is `time`; at once if that is over.
    ///
    /// The change runs between turns, and may do whatever a test may.
    pub fn at(&self, time: Duration, change: impl FnOnce(&Self) + 'static) {
        let change = Happening::Change(Change::new(change));
        let mut network = self.network();
        let time = time.max(network.now());
        network.schedule.plan(time, change);
    }

    /// Changes the world after some time.
    pub fn after(&self, delay: Duration, change: impl FnOnce(&Self) + 'static) {
        self.at(self.now().saturating_add(delay), change);
    }

    /// Lets time pass as a callback that computes, or blocks, for so long: nothing happens meanwhile, anywhere, and what
    /// was due happens late. The reactor whose callback it is counts as blocked
    /// ([`Watchdog`](ropewalk_core::Watchdog)).
    ///
    /// ```
    /// use std::time::Duration;
    /// use ropewalk_core::Reactor;
    /// use ropewalk_sim::World;
    ///
    /// let world = World::new(1);
    /// let mut reactor = Reactor::new(world.driver("server"));
    /// reactor.call_later(Duration::from_secs(1), move |handle| {
    ///     world.spend(Duration::from_secs(2)); // logs: a timed call … blocked the reactor took=2s
    ///     assert_eq!(handle.now(), Duration::from_secs(3));
    ///     handle.stop()
    /// });
    /// reactor.run()?;
    /// # Ok::<(), ropewalk_core::RunError>(())
    /// ```
    pub fn spend(&self, time: Duration) {
        self.look();
        let now = self.now().saturating_add(time);
        self.set_now(now);
        self.look();
    }

    /// Everybody's watchdog looks.
    fn look(&self) {
        let mut network = self.network();
        let now = network.now();
        for host in &mut network.hosts {
            let seen = host.lookout.as_mut().map(|lookout| lookout.look(now));
            if let Some(Seen::Stuck(stuck) | Seen::Lost(stuck)) = seen {
                let (host, lasts) = (&host.name, stuck.lasts);
                tracing::error!(%host, ?lasts, "the reactor is stuck: {stuck}");
            }
        }
    }

    /// The time of the world.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.network().now()
    }

    /// The seed it grew from.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.network().seed
    }

    /// A stream of random numbers that depends on the seed and on what was drawn before.
    #[must_use]
    pub fn random(&self) -> Random {
        self.network().random.fork()
    }

    /// What happened so far.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.network().trace.clone()
    }

    /// Every listener and connection, host by host.
    #[must_use]
    pub fn netstat(&self) -> Vec<Socket> {
        self.network().netstat()
    }

    /// The addresses of a host, loopback aside.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    #[must_use]
    pub fn addresses(&self, host: &str) -> Vec<IpAddr> {
        let network = self.network();
        network.hosts[network.host(host)].addresses.clone()
    }
}

/// Links.
impl World {
    /// Puts a rule in force for good.
    ///
    /// # Panics
    ///
    /// If it names a host that there is not.
    pub fn install(&self, rule: Rule) {
        self.network().install(rule);
    }

    /// Puts a rule in force for as long as the guard lives.
    ///
    /// # Panics
    ///
    /// If it names a host that there is not.
    pub fn guard(&self, rule: Rule) -> Guard {
        Guard {
            world: self.clone(),
            number: self.network().install(rule),
        }
    }

    /// Cuts two hosts from each other, or a host from itself. What is under way waits; time-outs go on.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    pub fn partition(&self, a: &str, b: &str) {
        let mut network = self.network();
        let (a, b) = (network.host(a), network.host(b));
        network.cut(a, b);
    }

    /// Undoes every [`partition`](Self::partition) of two hosts.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    pub fn heal(&self, a: &str, b: &str) {
        let mut network = self.network();
        let (a, b) = (network.host(a), network.host(b));
        network.heal(a, b);
    }

    /// Resets all connections between two hosts, on both sides.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    pub fn reset(&self, a: &str, b: &str) {
        let mut network = self.network();
        let (a, b) = (network.host(a), network.host(b));
        network.reset_between(a, b);
    }
}

/// Hosts. Each of these panics if there is no host of that name.
impl World {
    /// Switches a host off. Nobody is told anything: its peers are half-open until a time-out notices, and its driver
    /// is dead.
    pub fn crash(&self, host: &str) {
        self.with_host(host, Network::crash);
    }

    /// Switches a host on again. It remembers nothing, so that whatever its old peers send is answered with a reset.
    pub fn restart(&self, host: &str) {
        self.with_host(host, Network::restart);
    }

    /// Sends a signal to the process of a host. One that is not caught does nothing.
    pub fn signal(&self, host: &str, signal: Signal) {
        self.with_host(host, |network, host| network.signal(host, signal));
    }

    /// How many listeners and connections a host may have: by default any number.
    #[doc(alias = "RLIMIT_NOFILE")]
    pub fn limit_descriptors(&self, host: &str, limit: usize) {
        self.with_host(host, |network, host| {
            network.hosts[host].descriptor_limit = limit;
        });
    }

    /// Ports below this are forbidden to listeners on a host: by default none.
    pub fn forbid_ports_below(&self, host: &str, port: u16) {
        self.with_host(host, |network, host| {
            network.hosts[host].forbidden_below = port;
        });
    }

    /// Says what a look-up of a name yields, after the usual time. Without it, names of hosts and `localhost` are known.
    pub fn name(&self, name: &str, answer: impl Into<Answer>) {
        self.name_after(name, Network::LOOKUP_TIME, answer);
    }

    /// Says what a look-up of a name yields, and how long it takes. A look-up under way yields what holds at its end.
    pub fn name_after(&self, name: &str, delay: Duration, answer: impl Into<Answer>) {
        self.network().names.set(name, delay, answer.into());
    }

    fn with_host<T>(&self, host: &str, ask: impl FnOnce(&mut Network, usize) -> T) -> T {
        let mut network = self.network();
        let host = network.host(host);
        ask(&mut network, host)
    }
}

/// Time, for drivers and schedulers.
impl World {
    pub(crate) fn network(&self) -> RefMut<'_, Network> {
        self.network.borrow_mut()
    }

    /// Lets everything happen that is due.
    pub(crate) fn settle(&self) {
        loop {
            let change = self.network().settle();
            let Some(change) = change else { return };
            change.make(self);
        }
    }

    /// Lets time pass until `to`, and everything happen that is due on the way.
    pub(crate) fn advance(&self, to: Duration) {
        while let Some(next) = self.next().filter(|&next| next <= to) {
            self.set_now(next);
            self.settle();
        }
        self.set_now(to);
    }

    fn set_now(&self, to: Duration) {
        let network = self.network();
        network.now.set(network.now().max(to));
    }

    /// When something happens next.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.network().next()
    }

    /// How many drivers are attached.
    pub(crate) fn drivers(&self) -> usize {
        self.network()
            .hosts
            .iter()
            .filter(|host| host.driven)
            .count()
    }

    /// Who waits for what, in a world that cannot move.
    pub(crate) fn deadlock(&self) -> Deadlock {
        Deadlock {
            waiting: self.network().waiting(),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.network();
        f.debug_struct("World")
            .field("seed", &network.seed)
            .field("now", &network.now())
            .finish_non_exhaustive()
    }
}

/// Keeps a rule in force until dropped.
#[derive(Debug)]
#[must_use = "the rule ends when the guard is dropped"]
pub struct Guard {
    world: World,
    number: u64,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.world.network().lift(self.number);
    }
}
