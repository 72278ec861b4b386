//! The handle on a reactor, and what all handles of one reactor share.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::buffer::Pool;
use crate::connector::{ConnectOptions, Connector};
use crate::datagram::{DatagramProtocol, DatagramTransport};
use crate::deferred::{Answer, Deferred};
use crate::driver::{ConnId, PortId};
use crate::endpoint::{ClientEndpoint, DatagramEndpoint, EndpointError, ServerEndpoint};
use crate::engine::Engine;
use crate::factory::Factory;
use crate::failure::Failure;
use crate::lifecycle::Lifecycle;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::outcome::Outcome;
use crate::parcel::Cloakroom;
use crate::port::ListeningPort;
use crate::protocol::Protocol;
use crate::random::Chance;
use crate::reason::ListenError;
use crate::registry::LentCall;
use crate::remote::Remote;
use crate::resolve::NameResolver;
use crate::senses::Senses;
use crate::service::{Drains, Owned, Ownership};
use crate::task::Tasks;
use crate::timed::Timed;
use crate::timer::DelayedCall;
use crate::timer::queue::{TimerKey, TimerQueue};
use crate::transport::Transport;
use crate::watchdog::{Heart, Of};

/// A handle on a reactor; cheap to clone, stays on the reactor's thread. From other threads use [`Remote`].
///
/// Every method only queues: no callback runs inside it.
///
/// The handle that a [`Service`](crate::Service) is given belongs to a [`Scope`](crate::Scope): what is started through it
/// ends with the service.
#[derive(Clone)]
pub struct Handle(Rc<Shared>, Option<Rc<Ownership>>);

pub(crate) type Command = Box<dyn FnOnce(&mut Engine)>;

/// What is known of the time of this turn.
#[derive(Clone, Copy)]
enum TurnTime {
    Outside,
    Unread,
    Read(Duration),
}

pub(crate) struct Shared {
    senses: Senses,
    turn_time: Cell<TurnTime>,
    pub(crate) pool: RefCell<Pool>,
    /// Connections to settle at the end of the turn.
    pub(crate) noted: RefCell<Vec<ConnId>>,
    /// Datagram ports to settle at the end of the turn.
    pub(crate) noted_ports: RefCell<Vec<PortId>>,
    pub(crate) commands: RefCell<VecDeque<Command>>,
    pub(crate) lent: RefCell<VecDeque<LentCall>>,
    pub(crate) timers: RefCell<TimerQueue<Timed>>,
    tasks: Tasks,
    pub(crate) heart: Rc<Heart>,
    mailbox: Arc<Mailbox>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) resolver: RefCell<Option<Rc<dyn NameResolver>>>,
    pub(crate) cloakroom: Cloakroom,
    pub(crate) drains: Drains,
    chance: Chance,
}

impl Handle {
    pub(crate) fn new(senses: Senses, mailbox: Arc<Mailbox>) -> Self {
        let chance = Chance::new(senses.seed);
        let heart = Heart::new(Rc::clone(&senses.clock));
        let shared = Shared {
            senses,
            turn_time: Cell::new(TurnTime::Outside),
            pool: RefCell::default(),
            noted: RefCell::default(),
            noted_ports: RefCell::default(),
            commands: RefCell::default(),
            lent: RefCell::default(),
            timers: RefCell::new(TimerQueue::new()),
            tasks: Tasks::new(Arc::clone(&mailbox), Rc::clone(&heart)),
            heart,
            mailbox,
            lifecycle: Lifecycle::default(),
            resolver: RefCell::default(),
            cloakroom: Cloakroom::default(),
            drains: Drains::default(),
            chance,
        };
        Self(Rc::new(shared), None)
    }

    /// The same reactor's handle, on account of this owner.
    pub(crate) fn owned_by(&self, owner: Option<Rc<Ownership>>) -> Self {
        Self(Rc::clone(&self.0), owner)
    }

    pub(crate) fn owner(&self) -> Option<&Rc<Ownership>> {
        self.1.as_ref()
    }

    /// Notes something that ends with this handle's scope, if it has one.
    #[inline]
    pub(crate) fn own(&self, owned: impl FnOnce() -> Owned) {
        if let Some(owner) = &self.1 {
            owner.own(self, owned());
        }
    }

    /// A function that is lent this very handle, not that of whoever runs it.
    pub(crate) fn lending(&self, call: impl FnOnce(&Self) + 'static) -> Box<dyn FnOnce(&Self)> {
        match self.1 {
            None => Box::new(call),
            Some(_) => {
                let own = self.clone();
                Box::new(move |_| call(&own))
            }
        }
    }

    #[inline]
    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }

    /// Runs user code that has neither a protocol nor a place of its own, for the watchdog to see.
    pub(crate) fn watched<R>(&self, what: &'static str, call: impl FnOnce() -> R) -> R {
        self.0.heart.run(what, Of::Nothing, call)
    }

    // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// The driver's time: monotonic, since some fixed moment.
    #[doc(alias = "seconds")]
    #[must_use]
    pub fn now(&self) -> Duration {
        (self.0.senses.clock)()
    }

    /// The time of day, by the driver's calendar: to be shown, not to measure with, as it may jump.
    #[must_use]
    pub fn wall_time(&self) -> SystemTime {
        (self.0.senses.wall_clock)()
    }

    /// Bytes that nobody can guess, for keys and names of sessions. On a simulated driver they come from the world's seed, so
    /// that it repeats, and are no secret.
    #[must_use]
    pub fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(8) {
            let drawn = (self.0.senses.entropy)().to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
        bytes
    }

    /// The time of this turn, read once when it is first asked for: for what happens once per message and needs no better.
    /// Outside of a turn it is the time itself.
    #[inline]
    #[must_use]
    pub fn turn_time(&self) -> Duration {
        match self.0.turn_time.get() {
            TurnTime::Read(time) => time,
            TurnTime::Unread => self.refresh_turn_time(),
            TurnTime::Outside => self.now(),
        }
    }

    pub(crate) fn refresh_turn_time(&self) -> Duration {
        let now = self.now();
        self.0.turn_time.set(TurnTime::Read(now));
        now
    }

    /// A turn begins, to wait for events: whatever time was read is past.
    pub(crate) fn begin_turn(&self) {
        self.0.turn_time.set(TurnTime::Unread);
    }

    pub(crate) fn end_turn(&self) {
        self.0.turn_time.set(TurnTime::Outside);
    }

    /// Calls a function after a time, on the reactor's turn; never inside this call, also for no delay at all (R17).
    ///
    /// The function may return nothing or a `Result`; an error is logged, and nothing else happens (R13).
    #[doc(alias = "callLater")]
    #[track_caller]
    pub fn call_later<R: Outcome>(
        &self,
        delay: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> DelayedCall {
        self.call_later_at(Location::caller(), delay, call)
    }

    /// [`call_later`](Self::call_later) on account of somebody else's place.
    pub(crate) fn call_later_at<R: Outcome>(
        &self,
        made: &'static Location<'static>,
        delay: Duration,
        call: impl FnOnce(&Self) -> R + 'static,
    ) -> DelayedCall {
        let call = self.lending(move |handle| call(handle).log_error("call_later"));
        self.delayed_call(delay, Timed::Call(call, made))
    }

    #[track_caller]
    pub(crate) fn call_later_lent(&self, delay: Duration, lent: LentCall) -> DelayedCall {
        self.delayed_call(delay, Timed::lent(lent, Location::caller()))
    }

    fn delayed_call(&self, delay: Duration, timed: Timed) -> DelayedCall {
        let key = self.schedule(delay, timed);
        self.own(|| Owned::Timer(key));
        DelayedCall::new(self.clone(), key)
    }

    pub(crate) fn schedule(&self, delay: Duration, timed: Timed) -> TimerKey {
        let due = self.now().saturating_add(delay);
        self.0.timers.borrow_mut().schedule(due, timed)
    }

    pub(crate) fn forget_hangup(&self, hook: u64) {
        self.0.lifecycle.forget_hangup(hook);
    }

    pub(crate) fn unschedule(&self, key: TimerKey) {
        let gone = self.0.timers.borrow_mut().cancel(key);
        drop(gone); // its destructor may be user code: not under the borrow
    }

    /// A number in `0.0..1.0`, for jitter.
    pub(crate) fn chance(&self) -> f64 {
        self.0.chance.draw()
    }

    pub(crate) fn timers(&self) -> &RefCell<TimerQueue<Timed>> {
        &self.0.timers
    }

    /// How many timers are pending: neither called nor cancelled (R22).
    #[doc(alias = "getDelayedCalls")]
    #[must_use]
    pub fn delayed_calls(&self) -> usize {
        self.0.timers.borrow().len()
    }

    // ── Tasks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    /// What runs callbacks and futures on the reactor's turn.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Runs a future on the reactor's turn, and gives its result as a Deferred; it may hold what is not `Send`.
    ///
    /// Dropping the Deferred lets the future go on; cancelling it makes what the future awaits fail (R107).
    #[doc(alias = "ensureDeferred")]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> Deferred<<F::Output as Answer>::Value>
    where
        F: Future<Output: Answer> + 'static,
    {
        let (deferred, key) = self.0.tasks.spawn_at(None, Location::caller(), future);
        self.own(|| Owned::Task(key, deferred.canceller()));
        deferred
    }

    /// Runs a function on the reactor's turn, soon; in the order of these calls.
    #[track_caller]
    pub fn call_soon(&self, call: impl FnOnce(&Self) + 'static) {
        self.0.tasks.call_soon(self.lending(call));
    }

    pub(crate) fn lend_soon(&self, lent: LentCall) {
        self.0.lent.borrow_mut().push_back(lent);
    }

    pub(crate) fn command(&self, command: impl FnOnce(&mut Engine) + 'static) {
        self.0.commands.borrow_mut().push_back(Box::new(command));
    }

    /// The handle for other threads.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote::new(Arc::clone(&self.0.mailbox))
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.0.mailbox
    }

    /// Drops everything that is pending: the reactor is gone.
    pub(crate) fn clear(&self) {
        let timers = self.0.timers.borrow_mut().drain();
        drop(timers);
        drop(self.0.commands.take());
        drop(self.0.lent.take());
        self.0.lifecycle.clear();
        self.0.cloakroom.clear();
        self.0.drains.clear();
        self.0.tasks.close();
    }

    // ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// Listens at the end of the turn; the outcome is the Deferred's. Before `run`, use [`Reactor::listen`], which
    /// answers at once.
    ///
    /// [`Reactor::listen`]: crate::Reactor::listen
    #[track_caller]
    pub fn listen(
        &self,
        endpoint: impl ServerEndpoint,
        factory: impl Factory,
    ) -> Deferred<ListeningPort> {
        self.listen_with(endpoint, Limits::default(), factory)
    }

    /// [`listen`](Self::listen) with other limits.
    #[track_caller]
    pub fn listen_with(
        &self,
        endpoint: impl ServerEndpoint,
        limits: Limits,
        factory: impl Factory,
    ) -> Deferred<ListeningPort> {
        let (deferred, resolver) = Deferred::new(self);
        let (listening, made, own) = (endpoint.listening(), Location::caller(), self.clone());
        self.command(move |engine| {
            let outcome = listening
                .map_err(ListenError::Endpoint)
                .and_then(|listening| {
                    engine.listen(&own, &listening, limits, Box::new(factory), made)
                });
            let _ = match outcome {
                Ok(port) => resolver.resolve(port),
                Err(error) => resolver.fail(error),
            };
        });
        deferred
    }

    /// Opens a datagram port at the end of the turn; the outcome is the Deferred's. Before `run`, use
    /// [`Reactor::listen_datagram`], which answers at once.
    ///
    /// [`Reactor::listen_datagram`]: crate::Reactor::listen_datagram
    #[doc(alias = "listenUDP")]
    #[doc(alias = "listenMulticast")]
    pub fn listen_datagram(
        &self,
        endpoint: impl DatagramEndpoint,
        protocol: impl DatagramProtocol,
    ) -> Deferred<DatagramTransport> {
        let (deferred, resolver) = Deferred::new(self);
        let (bind, own) = (endpoint.bind(), self.clone());
        self.command(move |engine| {
            let outcome = bind
                .map_err(ListenError::Endpoint)
                .and_then(|bind| engine.bind(&own, &bind, Box::new(protocol)));
            let _ = resolver.resolve_with(outcome.map_err(Failure::new));
        });
        deferred
    }

    /// Connects; the factory builds the protocol and is told how it ends (R39–R41).
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood. Everything else is told to the factory.
    #[doc(alias = "connectTCP")]
    #[track_caller]
    pub fn connect(
        &self,
        endpoint: impl ClientEndpoint,
        factory: impl Factory,
    ) -> Result<Connector, EndpointError> {
        self.connect_with(ConnectOptions::new(endpoint)?, factory)
    }

    /// [`connect`](Self::connect) with options.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    #[track_caller]
    pub fn connect_with(
        &self,
        options: ConnectOptions,
        factory: impl Factory,
    ) -> Result<Connector, EndpointError> {
        let connector = Connector::new(self.clone(), options, Box::new(factory))?;
        connector.connect();
        Ok(connector)
    }

    /// Connects one protocol, without a factory; fires with its transport after `connection_made` returned, and fails if
    /// the attempt fails (R49). Cancelling ends the attempt.
    #[doc(alias = "connectProtocol")]
    #[track_caller]
    pub fn connect_protocol(
        &self,
        endpoint: impl ClientEndpoint,
        protocol: impl Protocol,
    ) -> Deferred<Transport> {
        crate::connector::one_shot(self, endpoint, Box::new(protocol))
    }

    /// The addresses of a host name; a literal gives itself, without asking anybody. Cancelling gives up the look-up.
    pub fn resolve(&self, name: &str) -> Deferred<Vec<IpAddr>> {
        crate::resolve::resolve(self, name)
    }

    /// Asks another resolver from now on; `None` is the driver's own (getaddrinfo in the thread pool).
    #[doc(alias = "installNameResolver")]
    pub fn set_name_resolver(&self, resolver: Option<Rc<dyn NameResolver>>) {
        *self.0.resolver.borrow_mut() = resolver;
    }
}

impl AsRef<Tasks> for Handle {
    fn as_ref(&self) -> &Tasks {
        &self.0.tasks
    }
}

impl AsRef<Self> for Handle {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handle")
    }
}
