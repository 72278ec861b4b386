//! The reactor: turns the wheel.
//!
//! ```text
//!   poll the driver ─► its events: user code runs, and queues
//!         ▲                │
//!         │            timers due ─► tasks ─► what handles asked for ─► settle: flush, close, pause
//!         └────────────────┴───────────────────────────────────────────────┘
//! ```

use std::fmt;
use std::io;
use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::datagram::{DatagramProtocol, DatagramTransport};
use crate::driver::{Deadlock, Driver};
use crate::endpoint::{DatagramEndpoint, ServerEndpoint};
use crate::engine::Engine;
use crate::factory::Factory;
use crate::handle::Handle;
use crate::lifecycle::{Phase, Stage};
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::panic;
use crate::port::ListeningPort;
use crate::reason::ListenError;
use crate::registry::Registry;
use crate::senses::Senses;
use crate::task::Tasks;
use crate::watchdog::{Lookout, Watchdog};

/// The event loop of one thread, with all that lives on it. It is a value: many may live in one process, one per thread
/// or one after another, and each runs once (R10).
///
/// It derefs to its [`Handle`], so everything that a handle can do a reactor can.
pub struct Reactor {
    engine: Engine,
    handle: Handle,
    catches_signals: bool,
    watchdog: Watchdog,
}

/// How many callbacks, polls and calls run between two looks at the driver, so that tasks that wake each other for ever
/// do not starve the sockets.
const TASKS_PER_TURN: usize = 1024;

/// Why [`Reactor::run`] ended badly.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// It has run already; make a new reactor.
    AlreadyRan,
    /// The driver cannot go on.
    Driver(io::Error),
}

impl Reactor {
    /// A reactor on a driver.
    #[must_use]
    pub fn new(mut driver: impl Driver + 'static) -> Self {
        panic::remember_places();
        let mailbox = Mailbox::new();
        mailbox.set_waker(driver.waker());
        let handle = Handle::new(Senses::of(&mut driver), mailbox);
        let engine = Engine::new(Box::new(driver), handle.clone());
        Self {
            engine,
            handle,
            catches_signals: false,
            watchdog: Watchdog::default(),
        }
    }

    /// Stops in order at SIGINT and SIGTERM once it runs; a second signal ends at once (R12).
    #[must_use]
    pub fn catching_signals(mut self) -> Self {
        self.catches_signals = true;
        self
    }

    /// Has callbacks that block it looked for in another way than usual, or not at all. It counts if it is said before the
    /// reactor runs.
    pub fn set_watchdog(&mut self, watchdog: Watchdog) {
        self.watchdog = watchdog;
    }

    /// The handle, to keep.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The driver's name.
    #[must_use]
    pub fn driver_name(&self) -> &'static str {
        self.engine.driver.name()
    }

    /// Listens, now.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood, or its address not be had; both are named (R44).
    #[doc(alias = "listenTCP")]
    #[track_caller]
    pub fn listen(
        &mut self,
        endpoint: impl ServerEndpoint,
        factory: impl Factory,
    ) -> Result<ListeningPort, ListenError> {
        self.listen_with(endpoint, Limits::default(), factory)
    }

    /// [`listen`](Self::listen) with other limits.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    #[track_caller]
    pub fn listen_with(
        &mut self,
        endpoint: impl ServerEndpoint,
        limits: Limits,
        factory: impl Factory,
    ) -> Result<ListeningPort, ListenError> {
        let listening = endpoint.listening().map_err(ListenError::Endpoint)?;
        let (handle, made) = (&self.handle, Location::caller());
        self.engine
            .listen(handle, &listening, limits, Box::new(factory), made)
    }

    /// Opens a datagram port, now: UDP, with multicast and broadcast, and UNIX datagrams.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood, or its address not be had; both are named (R44).
    #[doc(alias = "listenUDP")]
    #[doc(alias = "listenMulticast")]
    #[doc(alias = "listenUNIXDatagram")]
    pub fn listen_datagram(
        &mut self,
        endpoint: impl DatagramEndpoint,
        protocol: impl DatagramProtocol,
    ) -> Result<DatagramTransport, ListenError> {
        let bind = endpoint.bind().map_err(ListenError::Endpoint)?;
        self.engine.bind(&self.handle, &bind, Box::new(protocol))
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.engine.registry
    }

    /// Runs until it is stopped.
    ///
    /// # Errors
    ///
    /// It has run before, or the driver cannot go on. Connections are then lost like at a stop.
    pub fn run(&mut self) -> Result<(), RunError> {
        if self.handle.shared().lifecycle.stage() != Stage::New {
            return Err(RunError::AlreadyRan);
        }
        if self.catches_signals {
            self.engine.catch_signals().map_err(RunError::Driver)?;
        }
        while !self.is_over() {
            if let Err(error) = self.turn(None) {
                self.engine.disconnect_all();
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether it has stopped or crashed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.handle.shared().lifecycle.is_over()
    }

    /// Makes one turn, waiting for events at most `timeout` (for ever if `None`): for those who own the loop themselves.
    /// The first turn starts the reactor.
    ///
    /// # Errors
    ///
    /// The driver cannot go on.
    #[doc(alias = "iterate")]
    pub fn turn(&mut self, timeout: Option<Duration>) -> Result<(), RunError> {
        let _entered = self.handle.tasks().enter();
        if self.handle.shared().lifecycle.stage() == Stage::New {
            self.start();
        }
        if self.is_over() {
            return Ok(());
        }
        self.handle.begin_turn();
        let polled = self.poll(timeout);
        if polled.is_ok() {
            self.engine.run_timers();
            if self.has_work() {
                self.finish_turn();
            }
        }
        self.handle.end_turn();
        self.handle.shared().heart.end_turn();
        polled
    }

    fn start(&mut self) {
        let heart = Rc::clone(&self.handle.shared().heart);
        if self.watchdog != Watchdog::OFF {
            let lookout = Lookout::new(Arc::clone(heart.pulse()), self.watchdog);
            self.engine.driver.watch(lookout);
            heart.pulse().work();
        }
        self.advance();
        self.finish_turn();
        heart.end_turn();
    }

    /// How long a turn would wait: nothing if there is work now, until the next timer, or for ever (`None`).
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        if self.has_work() {
            return Some(Duration::ZERO);
        }
        let due = self.handle.timers().borrow_mut().next_due()?;
        Some(due.saturating_sub(self.handle.now()))
    }

    /// Whether there is something to do that is neither an event nor a timer. Most turns have none: messages came, and their
    /// answers left with them.
    #[inline]
    fn has_work(&self) -> bool {
        let shared = self.handle.shared();
        !shared.noted.borrow().is_empty()
            || self.handle.tasks().has_ready()
            || !shared.commands.borrow().is_empty()
            || !shared.lent.borrow().is_empty()
            || self.handle.mailbox().has_mail()
            || !shared.noted_ports.borrow().is_empty()
            || shared.drains.is_stirred()
            || shared.lifecycle.can_advance()
    }

    fn poll(&mut self, limit: Option<Duration>) -> Result<(), RunError> {
        let wait = self.wait();
        let timeout = match (wait, limit) {
            (Some(wait), Some(limit)) => Some(wait.min(limit)),
            (wait, limit) => wait.or(limit),
        };
        let sleeping = self.handle.mailbox().fall_asleep();
        let timeout = if sleeping {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        let Engine { driver, registry } = &mut self.engine;
        let outcome = driver.poll(timeout, registry);
        self.handle.mailbox().wake_up();
        outcome.map_err(|error| RunError::Driver(self.explain(error)))
    }

    /// Everything of a turn that is neither events nor timers.
    fn finish_turn(&mut self) {
        self.handle.tasks().run(&self.handle, TASKS_PER_TURN);
        self.engine.run_lent();
        self.engine.run_commands();
        self.engine.settle();
        self.engine.run_drains();
        self.advance();
    }

    /// Takes the steps of startup and shutdown that can be taken.
    fn advance(&mut self) {
        let handle = self.handle.clone();
        let lifecycle = &handle.shared().lifecycle;
        while lifecycle.stage() == Stage::New || lifecycle.can_advance() {
            if lifecycle.stage() == Stage::In(Phase::DuringShutdown) {
                // Not before its end: hooks that are waited for may need threads.
                let pulse = handle.shared().heart.pulse();
                pulse.rest(); // jobs may take as long as they take
                self.stop_threads();
                pulse.work();
                handle.tasks().run(&handle, TASKS_PER_TURN);
                self.engine.run_commands();
            }
            if lifecycle.advance(&handle) == Some(Phase::DuringShutdown) {
                handle.mailbox().blocked.release();
                self.engine.settle();
                self.engine.disconnect_all();
                self.engine.run_drains();
                if !lifecycle.can_advance() {
                    handle.tasks().run(&handle, TASKS_PER_TURN);
                    self.engine.run_commands();
                }
            }
        }
    }

    /// Waits for the jobs that run. One that waits for this reactor in turn is told that it gets no answer, first.
    fn stop_threads(&mut self) {
        self.handle.mailbox().blocked.release();
        self.engine.driver.stop_threads();
    }

    /// Adds to a deadlock what only the reactor knows: the tasks that wait.
    fn explain(&self, error: io::Error) -> io::Error {
        let Some(deadlock) = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Deadlock>())
        else {
            return error;
        };
        let mut deadlock = deadlock.clone();
        deadlock
            .waiting
            .extend(self.handle.tasks().live().iter().map(ToString::to_string));
        io::Error::new(error.kind(), deadlock)
    }
}

impl Deref for Reactor {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl AsRef<Tasks> for Reactor {
    fn as_ref(&self) -> &Tasks {
        self.handle.tasks()
    }
}

impl AsRef<Handle> for Reactor {
    fn as_ref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Reactor {
    /// Loses what is still open, and drops what is pending, so that nothing keeps the reactor's parts alive.
    fn drop(&mut self) {
        self.engine.disconnect_all();
        self.stop_threads();
        self.handle.clear();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reactor({})", self.driver_name())
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyRan => f.write_str("this reactor has run already; make a new one"),
            Self::Driver(error) => write!(f, "the driver cannot go on: {error}"),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::AlreadyRan => None,
            Self::Driver(error) => Some(error),
        }
    }
}
