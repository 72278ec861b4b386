//! Several reactors in one world, turn by turn.

use std::io;
use std::time::Duration;

use ropewalk_core::driver::Deadlock;
use ropewalk_core::{Reactor, RunError};

use crate::driver::{Crashed, IDLE_POLLS, IDLE_TIME, SimDriver};
use crate::random::Seed;
use crate::world::World;

impl World {
    /// Runs reactors, each on a driver of this world, until all have stopped or crashed with their host.
    ///
    /// At every moment each makes turns, in an order drawn anew for each round, until nothing moves; then the world's
    /// time goes on to what happens next.
    ///
    /// ```
    /// use ropewalk_core::{Protocol, Reactor, Reason, Transport};
    /// use ropewalk_sim::{Faults, World};
    ///
    /// struct Echo;
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         transport.write(data);
    ///     }
    ///     fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
    ///         transport.reactor().stop().unwrap();
    ///     }
    /// }
    ///
    /// struct Client(Vec<u8>);
    /// impl Protocol for Client {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         transport.write(b"hello");
    ///     }
    ///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
    ///         self.0.extend_from_slice(data);
    ///         if self.0 == b"hello" {
    ///             transport.lose_connection();
    ///         }
    ///     }
    ///     fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
    ///         transport.reactor().stop().unwrap();
    ///     }
    /// }
    ///
    /// let world = World::new(7);
    /// world.set_faults(Faults::gentle());
    /// let mut server = Reactor::new(world.driver("server"));
    /// let mut client = Reactor::new(world.driver("client"));
    /// server.listen("tcp:10.0.0.1:7", || Echo).unwrap();
    /// client.connect("tcp:10.0.0.1:7", || Client(Vec::new())).unwrap();
    /// world.run(&mut [&mut server, &mut client]).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// A reactor's driver cannot go on; or the world can never move again
    /// ([`Deadlock`](ropewalk_core::driver::Deadlock)).
    pub fn run(&self, reactors: &mut [&mut Reactor]) -> Result<(), RunError> {
        self.run_until(Duration::MAX, reactors)
    }

    /// [`run`](Self::run), but no longer than to this time of the world; time reaches it unless all stop before.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run); a world that waits for nothing but `time` is no deadlock.
    pub fn run_until(&self, time: Duration, reactors: &mut [&mut Reactor]) -> Result<(), RunError> {
        self.run_while(|_| true, time, reactors)
    }

    /// [`run_until`](Self::run_until), but only while `goes_on` says so: it is asked before each round of turns.
    ///
    /// # Errors
    ///
    /// As [`run_until`](Self::run_until).
    pub fn run_while(
        &self,
        mut goes_on: impl FnMut(&[&mut Reactor]) -> bool,
        time: Duration,
        reactors: &mut [&mut Reactor],
    ) -> Result<(), RunError> {
        let mut round = Round::new(self, reactors);
        let mut moved = true;
        while round.is_alive() && goes_on(round.reactors) {
            if !moved && !round.pass_time(time)? {
                break;
            }
            moved = round.turn_each()?;
        }
        Ok(())
    }
}

/// Runs one reactor in a world of its own until it stops: for tests and examples, in no time.
///
/// ```
/// use std::time::Duration;
///
/// let world = ropewalk_sim::run(1, |reactor| {
///     reactor.call_later(Duration::from_secs(3600), |reactor| reactor.stop().unwrap());
/// })
/// .unwrap();
/// assert_eq!(world.now(), Duration::from_secs(3600));
/// ```
///
/// # Errors
///
/// It can never stop: nothing is under way ([`Deadlock`](ropewalk_core::driver::Deadlock)).
pub fn run(seed: impl Into<Seed>, start: impl FnOnce(&mut Reactor)) -> Result<World, RunError> {
    let driver = SimDriver::alone(seed);
    let world = driver.world().clone();
    let mut reactor = Reactor::new(driver);
    start(&mut reactor);
    reactor.run()?;
    Ok(world)
}

/// The reactors of one run, and who is still in it.
struct Round<'a, 'b> {
    world: &'a World,
    reactors: &'a mut [&'b mut Reactor],
    crashed: Vec<bool>,
    /// Rounds without anything but reactors that say they have work.
    idle: u32,
}

impl<'a, 'b> Round<'a, 'b> {
    fn new(world: &'a World, reactors: &'a mut [&'b mut Reactor]) -> Self {
        let crashed = vec![false; reactors.len()];
        Self {
            world,
            reactors,
            crashed,
            idle: 0,
        }
    }

    fn runs(&self, place: usize) -> bool {
        !self.crashed[place] && !self.reactors[place].is_over()
    }

    fn is_alive(&self) -> bool {
        (0..self.reactors.len()).any(|place| self.runs(place))
    }

    /// A turn for each, none waiting; whether that moved anything, or left work to do at once.
    fn turn_each(&mut self) -> Result<bool, RunError> {
        self.world.settle();
        let steps = self.world.network().steps;
        let mut order: Vec<usize> = (0..self.reactors.len()).collect();
        self.world.network().random.shuffle(&mut order);
        for place in order {
            if self.runs(place) {
                self.turn(place)?;
            }
        }
        if self.world.network().steps != steps {
            self.idle = 0;
            return Ok(true);
        }
        self.idle += 1;
        Ok(self.idle < IDLE_POLLS && self.wait() == Some(Duration::ZERO))
    }

    fn turn(&mut self, place: usize) -> Result<(), RunError> {
        match self.reactors[place].turn(Some(Duration::ZERO)) {
            Err(RunError::Driver(error)) if is_crash(&error) => {
                self.crashed[place] = true;
                Ok(())
            }
            turned => turned,
        }
    }

    /// How long the reactors would wait; nothing if one has work now.
    fn wait(&self) -> Option<Duration> {
        let running = (0..self.reactors.len()).filter(|&place| self.runs(place));
        running
            .filter_map(|place| self.reactors[place].wait())
            .min()
    }

    /// Who waits for what: sockets and the like, and the tasks of each reactor.
    fn deadlock(&self) -> Deadlock {
        let mut deadlock = self.world.deadlock();
        let running = (0..self.reactors.len()).filter(|&place| self.runs(place));
        let tasks = running.flat_map(|place| self.reactors[place].tasks().live());
        deadlock.waiting.extend(tasks.map(|task| task.to_string()));
        deadlock
    }

    /// Lets time go on to what happens next; false when `limit` is reached.
    fn pass_time(&mut self, limit: Duration) -> Result<bool, RunError> {
        let now = self.world.now();
        if now >= limit {
            return Ok(false);
        }
        let wait = self.wait();
        let idles = wait == Some(Duration::ZERO);
        let wait = if idles { Some(IDLE_TIME) } else { wait };
        let wait = wait.map(|wait| now.saturating_add(wait));
        let limit_alone = (limit != Duration::MAX).then_some(limit);
        match self
            .world
            .next()
            .into_iter()
            .chain(wait)
            .chain(limit_alone)
            .min()
        {
            Some(next) => self.world.advance(next.min(limit)),
            None => return Err(RunError::Driver(io::Error::other(self.deadlock()))),
        }
        if !idles {
            self.idle = 0;
        }
        Ok(true)
    }
}

fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Crashed>())
}
