//! What makes outgoing connections, and makes them again.
//!
//! ```text
//!   connect ─► look up the host ─► try its addresses, in a race ──► connected ─► lost ─┐
//!      ▲                 └────────── failed ──────────┴──► factory.connection_failed   │
//!      └───────────────── connect() in the callback ◄───── factory.connection_lost ◄───┘
//! ```

mod attempts;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use self::attempts::Attempts;
use crate::address::Address;
use crate::deferred::{Canceller, Deferred, Resolver};
use crate::driver::ConnId;
use crate::endpoint::{ClientEndpoint, Destination, EndpointError, Host, Route};
use crate::engine::Engine;
use crate::factory::Factory;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::protocol::Protocol;
use crate::reason::{ConnectError, Reason};
use crate::service::{Ends, Owned};
use crate::timed::Timed;
use crate::timer::queue::TimerKey;
use crate::transport::Transport;

/// Makes a connection, and again when told; the handle of a client (R39–R41).
#[derive(Clone)]
pub struct Connector(Rc<State>);

/// Where a connector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorState {
    /// Not connected, and not trying.
    Disconnected,
    /// Looking up, or trying.
    Connecting,
    /// Connected.
    Connected,
}

/// Where and how a connector connects.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    destination: Destination,
    limits: Limits,
}

impl ConnectOptions {
    /// With default limits.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood.
    pub fn new(endpoint: impl ClientEndpoint) -> Result<Self, EndpointError> {
        let destination = endpoint.destination()?;
        let limits = Limits {
            connect: destination.timeout,
            ..Limits::of_client()
        };
        Ok(Self {
            destination,
            limits,
        })
    }

    /// With these limits for each connection.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

struct State {
    handle: Handle,
    destination: Destination,
    limits: Rc<Limits>,
    factory: RefCell<Box<dyn Factory>>,
    is_started: Cell<bool>,
    state: Cell<ConnectorState>,
    conn: Cell<Option<ConnId>>,
    lookup: RefCell<Option<Canceller>>,
    timeout: Cell<Option<TimerKey>>,
    attempts: RefCell<Attempts>,
    was_refused: Cell<bool>,
    /// Where it was made.
    made: &'static Location<'static>,
}

impl Connector {
    #[track_caller]
    pub(crate) fn new(
        handle: Handle,
        options: ConnectOptions,
        factory: Box<dyn Factory>,
    ) -> Result<Self, EndpointError> {
        let factory = options.destination.wrap(&handle, factory)?;
        Ok(Self(Rc::new(State {
            handle,
            destination: options.destination,
            limits: Rc::new(options.limits),
            factory: RefCell::new(factory),
            is_started: Cell::new(false),
            state: Cell::new(ConnectorState::Disconnected),
            conn: Cell::new(None),
            lookup: RefCell::default(),
            timeout: Cell::new(None),
            attempts: RefCell::default(),
            was_refused: Cell::new(false),
            made: Location::caller(),
        })))
    }

    /// Starts an attempt, unless there is one or a connection already.
    pub fn connect(&self) {
        if self.state() == ConnectorState::Disconnected {
            self.0.state.set(ConnectorState::Connecting);
            self.0.handle.own(|| Owned::thing(&self.0));
            let this = self.clone();
            self.0.handle.command(move |engine| this.begin(engine));
        }
    }

    /// Gives up the attempt ([`ConnectError::Cancelled`]) or closes the connection.
    pub fn disconnect(&self) {
        let this = self.clone();
        self.0.handle.command(move |engine| match this.state() {
            ConnectorState::Disconnected => {}
            ConnectorState::Connecting => {
                let error = ConnectError::Cancelled(this.to_string());
                this.give_up(engine, error);
            }
            ConnectorState::Connected => {
                if let Some(conn) = this.0.conn.get() {
                    engine.lose_connection(conn);
                }
            }
        });
    }

    /// Gives up the attempt, if there is one; a connection that is there stays.
    pub fn stop_connecting(&self) {
        if self.state() == ConnectorState::Connecting {
            self.disconnect();
        }
    }

    /// Where it is.
    #[must_use]
    pub fn state(&self) -> ConnectorState {
        self.0.state.get()
    }

    /// Where it connects to.
    #[doc(alias = "getDestination")]
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.0.destination
    }

    /// The reactor it belongs to.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.0.handle
    }

    // ── The attempt ─────────────────────────────────────────────────────────────────────────────────────────────────

    fn begin(&self, engine: &mut Engine) {
        if !self.0.is_started.replace(true) {
            self.call("start_factory", |factory, _| factory.start_factory());
        }
        self.call("started_connecting", |factory, this| {
            factory.started_connecting(this);
        });
        let timeout = Timed::ConnectTimeout(self.clone());
        self.0
            .timeout
            .set(Some(self.0.handle.schedule(self.0.limits.connect, timeout)));
        let run = self.begin_run();
        match &self.0.destination.route {
            Route::Host(host) => self.reach(engine, host, run),
            Route::Unix(address) => {
                let address = Address::Unix(address.clone());
                self.attempt(engine, address, None);
            }
            Route::Open(open) => match engine.open(self, open) {
                Ok(conn) => self.runs(conn),
                Err(error) => self.fail(ConnectError::Other(self.to_string(), error)),
            },
        }
    }

    fn reach(&self, engine: &mut Engine, host: &Host, run: u64) {
        match host.literal() {
            Some(address) => self.attempt(engine, Address::Tcp(address), host.bind_address()),
            None => self.look_up(host, run),
        }
    }

    fn look_up(&self, host: &Host, run: u64) {
        let deferred = self.0.handle.resolve(&host.name);
        let host = host.clone();
        *self.0.lookup.borrow_mut() = Some(deferred.canceller());
        let this = self.clone();
        deferred.on_result(move |result| {
            let handle = this.0.handle.clone();
            handle.command(move |engine| {
                if this.is_running(run) {
                    this.looked_up(engine, &host, result);
                }
            });
        });
    }

    fn looked_up(&self, engine: &mut Engine, host: &Host, result: Result<Vec<IpAddr>, Failure>) {
        self.0.lookup.borrow_mut().take();
        match result {
            Ok(addresses) => self.race(engine, host, addresses),
            Err(failure) => self.fail_lookup(failure.to_string()),
        }
    }

    /// The attempt took too long.
    pub(crate) fn timed_out(&self, engine: &mut Engine) {
        self.0.timeout.set(None);
        if self.state() == ConnectorState::Connecting {
            let error = ConnectError::TimedOut(self.to_string(), self.0.limits.connect);
            self.give_up(engine, error);
        }
    }

    pub(crate) fn give_up(&self, engine: &mut Engine, error: ConnectError) {
        if let Some(lookup) = self.0.lookup.borrow_mut().take() {
            lookup.cancel();
        }
        for conn in self.end_run() {
            engine.forget_attempt(conn);
        }
        self.fail(error);
    }

    fn fail(&self, error: ConnectError) {
        self.forget_timeout();
        self.0.state.set(ConnectorState::Disconnected);
        self.call("connection_failed", |factory, this| {
            factory.connection_failed(this, error);
        });
        self.stop_factory_unless_connecting();
    }

    // ── The connection ──────────────────────────────────────────────────────────────────────────────────────────────

    /// An attempt is connected; false if another was before it, and this one is not wanted any more.
    pub(crate) fn connected(&self, conn: ConnId) -> bool {
        if !self.wins(conn) {
            return false;
        }
        self.forget_timeout();
        self.0.conn.set(Some(conn));
        self.0.was_refused.set(false);
        self.0.state.set(ConnectorState::Connected);
        true
    }

    /// The factory built no protocol.
    pub(crate) fn refused(&self) {
        self.0.was_refused.set(true);
    }

    /// The connection ended; `was_made` if a protocol was told of it.
    pub(crate) fn ended(&self, was_made: bool, reason: Reason) {
        self.0.conn.set(None);
        let name = self.to_string();
        if self.0.was_refused.get() {
            return self.fail(ConnectError::NoProtocol(name));
        }
        if !was_made {
            return self.fail(ConnectError::Handshake(name, reason));
        }
        self.0.state.set(ConnectorState::Disconnected);
        self.call("connection_lost", |factory, this| {
            factory.connection_lost(this, &reason);
        });
        self.stop_factory_unless_connecting();
    }

    /// Where it was made.
    pub(crate) fn made(&self) -> &'static Location<'static> {
        self.0.made
    }

    pub(crate) fn limits(&self) -> Rc<Limits> {
        Rc::clone(&self.0.limits)
    }

    pub(crate) fn with_factory(&self, call: impl FnOnce(&mut dyn Factory)) {
        call(&mut **self.0.factory.borrow_mut());
    }

    /// A reconnect in the callback keeps the factory started (R41).
    fn stop_factory_unless_connecting(&self) {
        if self.state() == ConnectorState::Disconnected && self.0.is_started.replace(false) {
            self.call("stop_factory", |factory, _| factory.stop_factory());
        }
    }

    fn forget_timeout(&self) {
        if let Some(key) = self.0.timeout.take() {
            self.0.handle.unschedule(key);
        }
    }

    fn call(&self, callback: &'static str, call: impl FnOnce(&mut dyn Factory, &Self)) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            call(&mut **self.0.factory.borrow_mut(), self);
        }));
        if let Err(payload) = outcome {
            let panic = crate::panic::message(&*payload);
            tracing::error!(connector = %self, callback, %panic, "a factory panicked");
        }
    }
}

impl Ends for State {
    fn is_over(&self) -> bool {
        self.state.get() == ConnectorState::Disconnected
    }

    fn end(self: Rc<Self>, _handle: &Handle) {
        Connector(self).disconnect();
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.destination.fmt(f)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({self}, {:?})", self.state())
    }
}

/// Connects one protocol without a factory (R49).
#[track_caller]
pub(crate) fn one_shot(
    handle: &Handle,
    endpoint: impl ClientEndpoint,
    protocol: Box<dyn Protocol>,
) -> Deferred<Transport> {
    let options = match ConnectOptions::new(endpoint) {
        Ok(options) => options,
        Err(error) => return Deferred::fail(handle, ConnectError::Endpoint(error)),
    };
    let made: Rc<RefCell<Option<Connector>>> = Rc::default();
    let to_cancel = Rc::clone(&made);
    let (deferred, resolver) = Deferred::with_canceller(handle, move |resolver| {
        if let Some(connector) = to_cancel.borrow_mut().take() {
            connector.disconnect();
            let _ = resolver.fail(ConnectError::Cancelled(connector.to_string()));
        }
    });
    let resolver = Rc::new(RefCell::new(Some(resolver)));
    let factory = OneShot {
        protocol: Some(protocol),
        resolver: Rc::clone(&resolver),
    };
    match Connector::new(handle.clone(), options, Box::new(factory)) {
        Ok(connector) => {
            connector.connect();
            *made.borrow_mut() = Some(connector);
        }
        Err(error) => {
            if let Some(resolver) = resolver.take() {
                let _ = resolver.fail(ConnectError::Endpoint(error));
            }
        }
    }
    deferred
}

struct OneShot {
    protocol: Option<Box<dyn Protocol>>,
    resolver: Rc<RefCell<Option<Resolver<Transport>>>>,
}

impl Factory for OneShot {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.protocol.take()
    }

    fn connected(&mut self, transport: &Transport) {
        if let Some(resolver) = self.resolver.take() {
            let _ = resolver.resolve(transport.clone());
        }
    }

    fn connection_failed(&mut self, _connector: &Connector, error: ConnectError) {
        if let Some(resolver) = self.resolver.take() {
            let _ = resolver.fail(error);
        }
    }
}
