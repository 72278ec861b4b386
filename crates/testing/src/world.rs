//! A simulated world with the reactors of its hosts: what each test gets for its own.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::task::Tasks;
use ropewalk_core::{Deferred, Failure, Leftover, Reactor, RunError};
use ropewalk_sim::{Crashed, Seed};

/// A simulated network, a reactor on each host that was asked for, and one time for all.
///
/// It derefs to the [`ropewalk_sim::World`], for faults, rules and names. Time passes only in here, in
/// [`run_for`](Self::run_for) and its kin; an hour costs nothing.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_testing::{TestCase, World, run_test};
///
/// struct Greeter;
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("welcome");
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// struct Guest;
/// impl Protocol for Guest {
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         assert_eq!(data, b"welcome");
///     }
/// }
///
/// // `#[ropewalk::test]` writes this line.
/// run_test(TestCase::new("greets"), |world: &mut World| {
///     let port = world.reactor("server").listen("tcp:10.0.0.1:7", || Greeter).unwrap();
///     let connected = world.reactor("client").connect_protocol("tcp:10.0.0.1:7", Guest);
///     let transport = world.wait_for(connected).unwrap();
///     world.wait_until(|| !transport.is_open());
///     port.stop_listening();
/// });
/// ```
pub struct World {
    sim: ropewalk_sim::World,
    reactors: Vec<(String, Reactor)>,
}

/// A test that waits longer than this, in the world's time, waits for ever.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// What the test closed may take this long to be gone everywhere: longer than any gentle fault lasts, shorter than any
/// time-out that would hide a connection left open.
const GRACE: Duration = Duration::from_secs(10);

impl World {
    /// A world without hosts.
    #[must_use]
    pub fn new(seed: impl Into<Seed>) -> Self {
        Self {
            sim: ropewalk_sim::World::new(seed),
            reactors: Vec::new(),
        }
    }

    /// The reactor of a host. The host is added if there is none, and its reactor started.
    pub fn reactor(&mut self, host: &str) -> &mut Reactor {
        let place = self.reactors.iter().position(|(name, _)| name == host);
        let place = place.unwrap_or_else(|| {
            let reactor = Reactor::new(self.sim.driver(host));
            self.reactors.push((host.to_owned(), reactor));
            self.reactors.len() - 1
        });
        &mut self.reactors[place].1
    }

    /// Switches a crashed host on again, with a new reactor; the old one is dropped.
    ///
    /// # Panics
    ///
    /// If there is no such host.
    pub fn restart(&mut self, host: &str) -> &mut Reactor {
        self.reactors.retain(|(name, _)| name != host);
        self.sim.restart(host);
        self.reactor(host)
    }

    // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Does everything that can be done without time passing.
    ///
    /// # Panics
    ///
    /// If a driver cannot go on.
    #[track_caller]
    pub fn settle(&mut self) {
        self.run_for(Duration::ZERO);
    }

    /// Lets time pass.
    ///
    /// # Panics
    ///
    /// If a driver cannot go on.
    #[track_caller]
    pub fn run_for(&mut self, time: Duration) {
        let until = self.sim.now().saturating_add(time);
        check(self.try_run(until, |_| true));
    }

    /// Lets time pass until something holds.
    ///
    /// # Panics
    ///
    /// If the world can never move again, or a day passes first: then it never will.
    #[track_caller]
    pub fn wait_until(&mut self, mut holds: impl FnMut() -> bool) {
        let (sim, limit) = (self.sim.clone(), self.sim.now().saturating_add(PATIENCE));
        let ran = self.try_run(Duration::MAX, |_| !holds() && sim.now() < limit);
        check(ran);
        assert!(
            holds(),
            "what the test waits for did not come, and {}",
            self.why_not(limit)
        );
    }

    /// Lets time pass until a Deferred has its result.
    ///
    /// # Errors
    ///
    /// The Deferred's failure.
    ///
    /// # Panics
    ///
    /// As [`wait_until`](Self::wait_until).
    #[doc(alias = "successResultOf")]
    #[doc(alias = "failureResultOf")]
    #[track_caller]
    pub fn wait_for<T: 'static>(&mut self, deferred: Deferred<T>) -> Result<T, Failure> {
        let result = Rc::new(RefCell::new(None));
        let answer = result.clone();
        deferred.on_result(move |outcome| *answer.borrow_mut() = Some(outcome));
        self.wait_until(|| result.borrow().is_some());
        result.take().expect("it was just there")
    }

    fn try_run(
        &mut self,
        until: Duration,
        goes_on: impl FnMut(&[&mut Reactor]) -> bool,
    ) -> Result<(), RunError> {
        let mut reactors: Vec<_> = self
            .reactors
            .iter_mut()
            .map(|(_, reactor)| reactor)
            .collect();
        self.sim.run_while(goes_on, until, &mut reactors)
    }

    fn why_not(&self, limit: Duration) -> &'static str {
        match self.sim.now() < limit {
            true => "every reactor has stopped",
            false => "a day of the world's time is over",
        }
    }

    // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// What the test left behind in its reactors, a line each.
    ///
    /// Timers count as they are now. What was closed gets a little time to be gone, on the other side of the network too.
    pub(crate) fn left_behind(&mut self) -> Vec<String> {
        if let Err(error) = self.try_run(self.sim.now(), |_| true) {
            return vec![error.to_string()];
        }
        let mut timers = self.gather(is_timer);
        let until = self.sim.now().saturating_add(GRACE);
        let waits = |reactor: &Reactor| reactor.leftovers().iter().any(|left| !is_timer(left));
        let ran = self.try_run(until, |reactors| {
            reactors.iter().any(|reactor| waits(reactor))
        });
        if let Err(error) = ran {
            timers.push(error.to_string());
        }
        let had_timers = !timers.is_empty();
        timers.extend(self.gather(|left| !(had_timers && is_timer(left))));
        timers
    }

    /// What is left in each reactor whose host did not crash.
    fn gather(&mut self, counts: impl Fn(&Leftover) -> bool) -> Vec<String> {
        let mut lines = Vec::new();
        for (host, reactor) in self
            .reactors
            .iter_mut()
            .filter(|(_, reactor)| !reactor.is_over())
        {
            if reactor
                .turn(Some(Duration::ZERO))
                .is_err_and(|error| is_crash(&error))
            {
                continue;
            }
            let left = reactor.leftovers().into_iter().filter(&counts);
            lines.extend(left.map(|left| format!("{host}: {left}")));
        }
        lines
    }

    /// What records the failures of each reactor, also after its end.
    pub(crate) fn tasks(&self) -> Vec<Tasks> {
        self.reactors
            .iter()
            .map(|(_, reactor)| reactor.tasks().clone())
            .collect()
    }
}

impl Deref for World {
    type Target = ropewalk_sim::World;

    fn deref(&self) -> &ropewalk_sim::World {
        &self.sim
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sim.fmt(f)
    }
}

#[track_caller]
fn check(ran: Result<(), RunError>) {
    if let Err(error) = ran {
        panic!("{error}");
    }
}

fn is_timer(leftover: &Leftover) -> bool {
    matches!(leftover, Leftover::Timer { .. })
}

fn is_crash(error: &RunError) -> bool {
    match error {
        RunError::Driver(error) => error.get_ref().is_some_and(|inner| inner.is::<Crashed>()),
        _ => false,
    }
}
