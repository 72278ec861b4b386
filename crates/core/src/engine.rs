//! The one place that has both the driver and everything alive: what handles queued is done here, on the reactor's turn.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::Location;
use std::rc::Rc;

use crate::address::Address;
use crate::connection::Connection;
use crate::connector::Connector;
use crate::driver::{ConnId, Connect, Driver, ListenerId, LookupId, SocketOption, StreamOptions};
use crate::endpoint::{Listening, Open, Source};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::link::Flags;
use crate::port::{ListeningPort, Port, PortSource};
use crate::rarely::Rarely;
use crate::reason::{ConnectError, ListenError, Reason};
use crate::registry::{LentCall, Registry};
use crate::service::Owned;
use crate::timed::Timed;
use crate::watchdog::Of;

pub(crate) struct Engine {
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) registry: Registry,
}

/// How often connections are settled within one turn before the driver is asked again: a callback that always asks for more
/// must not keep the others from their events.
const SETTLING_ROUNDS: usize = 4;

impl Engine {
    pub(crate) fn new(driver: Box<dyn Driver>, handle: Handle) -> Self {
        Self {
            driver,
            registry: Registry::new(handle),
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.registry.handle
    }

    // ── What handles asked for ──────────────────────────────────────────────────────────────────────────────────────

    /// Carries out what handles queued, and what that queues.
    pub(crate) fn run_commands(&mut self) {
        loop {
            let next = self.handle().shared().commands.borrow_mut().pop_front();
            let Some(command) = next else { return };
            command(self);
        }
    }

    pub(crate) fn listen(
        &mut self,
        handle: &Handle,
        listening: &Listening,
        limits: Limits,
        factory: Box<dyn Factory>,
        made: &'static Location<'static>,
    ) -> Result<ListeningPort, ListenError> {
        let factory = listening
            .wrap(handle, factory)
            .map_err(ListenError::Endpoint)?;
        let (source, host) = self.open_source(listening)?;
        let port = Rc::new(Port {
            handle: handle.clone(),
            source: Cell::new(source),
            endpoint: listening.shown_at(&host),
            host,
            options: listening
                .listen()
                .map_or_else(StreamOptions::default, |listen| listen.options),
            factory: RefCell::new(factory),
            limits: Rc::new(limits),
            made,
            stillborn: Rarely::default(),
        });
        port.factory.borrow_mut().start_factory();
        let registry = &mut self.registry;
        match source {
            PortSource::Listener(id) => registry.ports.insert(id.0, Rc::clone(&port)),
            PortSource::Once(conn) => registry.arrivals.insert(conn.0, Rc::clone(&port)),
            PortSource::Stopped => None,
        };
        handle.own(|| Owned::thing(&port));
        Ok(ListeningPort::new(port))
    }

    fn open_source(&mut self, listening: &Listening) -> Result<(PortSource, Address), ListenError> {
        let driver = &mut *self.driver;
        let opened = match listening.source() {
            Source::Bind(listen) => driver.listen(listen).map(listener),
            Source::Adopt(open) => open.open(driver).map(listener),
            Source::Once(open) => open
                .open(driver)
                .map(|(conn, host)| (PortSource::Once(conn), host)),
        };
        opened.map_err(|error| match listening.source() {
            Source::Bind(listen) => ListenError::Bind {
                address: listen.address.clone(),
                error,
            },
            Source::Adopt(_) | Source::Once(_) => ListenError::Open {
                endpoint: listening.to_string(),
                error,
            },
        })
    }

    pub(crate) fn stop_listening(&mut self, port: &Port) {
        match port.source.get() {
            PortSource::Listener(id) => {
                self.driver.stop_listening(id);
                self.registry.ports.remove(id.0);
            }
            PortSource::Once(conn) => {
                if self.registry.arrivals.remove(conn.0).is_some() {
                    self.driver.close(conn);
                }
            }
            PortSource::Stopped => {}
        }
        port.stop();
    }

    pub(crate) fn connect(&mut self, connector: &Connector, connect: &Connect) -> ConnId {
        let conn = self.driver.connect(connect);
        self.registry
            .attempts
            .insert(conn.0, (connector.clone(), connect.address.clone()));
        conn
    }

    /// Connects in another way than by an address.
    pub(crate) fn open(
        &mut self,
        connector: &Connector,
        open: &Open<ConnId>,
    ) -> io::Result<ConnId> {
        let (conn, address) = open.open(&mut *self.driver)?;
        self.registry
            .attempts
            .insert(conn.0, (connector.clone(), address));
        Ok(conn)
    }

    pub(crate) fn forget_attempt(&mut self, conn: ConnId) {
        if self.registry.attempts.remove(conn.0).is_some() {
            self.driver.close(conn);
        }
    }

    pub(crate) fn lose_connection(&mut self, conn: ConnId) {
        if let Some(connection) = self.registry.connections.get(conn.0) {
            connection.transport.lose_connection();
        }
    }

    pub(crate) fn set_option(&mut self, conn: ConnId, option: SocketOption) {
        if self.registry.connections.get(conn.0).is_some()
            && let Err(error) = self.driver.set_option(conn, option)
        {
            tracing::warn!(?option, %error, "a socket option could not be set");
        }
    }

    pub(crate) fn cancel_lookup(&mut self, lookup: LookupId) {
        if self.registry.lookups.remove(lookup.0).is_some() {
            self.driver.cancel_lookup(lookup);
        }
    }

    // ── Time ────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Runs the timers that are due; those scheduled meanwhile wait for the next turn (R18).
    pub(crate) fn run_timers(&mut self) {
        if self.handle().timers().borrow().is_empty() {
            return;
        }
        let now = self.handle().turn_time();
        if !self.handle().timers().borrow().may_be_due(now) {
            return;
        }
        let handle = self.handle().clone();
        let mark = handle.timers().borrow().mark();
        loop {
            let due = handle.timers().borrow_mut().pop_due(now, mark);
            let Some((_, timed)) = due else { return };
            self.run_timed(timed, &handle);
        }
    }

    fn run_timed(&mut self, timed: Timed, handle: &Handle) {
        match timed {
            Timed::Call(call, made) => {
                let heart = &handle.shared().heart;
                heart.run("a timed call", Of::Made(made), || {
                    crate::panic::guard("a timed call", || call(handle));
                });
            }
            Timed::Lent {
                conn, epoch, call, ..
            } => self.registry.lend(LentCall { conn, epoch, call }),
            Timed::ConnectTimeout(connector) => connector.timed_out(self),
            Timed::NextAttempt(connector) => connector.next_is_due(self),
            Timed::Deadline(conn, deadline) => self.registry.deadline(conn, deadline),
            Timed::Drains => handle.shared().drains.stir(),
        }
    }

    /// Lends protocols to the closures that asked for them.
    pub(crate) fn run_lent(&mut self) {
        let asked = self.handle().shared().lent.take();
        for lent in asked {
            self.registry.lend(lent);
        }
    }

    // ── Settling ────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Brings every connection that was noted to where its handles want it.
    pub(crate) fn settle(&mut self) {
        self.settle_ports();
        for _ in 0..SETTLING_ROUNDS {
            if self.handle().shared().noted.borrow().is_empty() {
                return; // not taken, as it keeps its memory
            }
            let noted = self.handle().shared().noted.take();
            for &conn in &noted {
                self.settle_one(conn);
            }
            self.reuse(noted);
        }
    }

    /// The list's memory is used again, so that noting costs no allocation.
    fn reuse(&self, mut noted: Vec<ConnId>) {
        let list = &mut *self.handle().shared().noted.borrow_mut();
        if list.is_empty() && noted.capacity() <= 64 * 1024 {
            noted.clear();
            *list = noted;
        }
    }

    fn settle_one(&mut self, conn: ConnId) {
        let Some(connection) = self.registry.connections.get_mut(conn.0) else {
            return;
        };
        connection.link().clear(Flags::NOTED);
        if connection.link().has(Flags::ABORTING) {
            return self.abort(conn);
        }
        connection.link().set(Flags::CORKED);
        let driver = &mut *self.driver;
        connection.settle(&mut |outgoing, pool| driver.send(conn, outgoing, pool));
        connection.link().clear(Flags::CORKED);
        self.conclude(conn);
    }

    /// What only the driver can do for a connection whose bytes are settled.
    fn conclude(&mut self, conn: ConnId) {
        let Some(connection) = self.registry.connections.get_mut(conn.0) else {
            return;
        };
        if connection.link().has(Flags::ABORTING) {
            return self.abort(conn);
        }
        if connection.may_close() {
            return self.close(conn);
        }
        if connection.may_shut_down_writing() {
            self.driver.shutdown_write(conn);
            connection.write_lost();
        }
        Self::steer_reading(&mut *self.driver, connection, conn);
    }

    fn steer_reading(driver: &mut dyn Driver, connection: &mut Connection, conn: ConnId) {
        let link = connection.link();
        let quiet = link.wants_quiet();
        if quiet && !link.has(Flags::DRIVER_PAUSED) {
            link.set(Flags::DRIVER_PAUSED);
            driver.pause(conn);
        } else if !quiet && link.has(Flags::DRIVER_PAUSED) {
            link.clear(Flags::DRIVER_PAUSED);
            driver.resume(conn);
        }
        connection.reading_may_resume();
    }

    fn close(&mut self, conn: ConnId) {
        self.driver.close(conn);
        self.registry.lose(conn, Reason::Done);
    }

    pub(crate) fn abort(&mut self, conn: ConnId) {
        self.driver.abort(conn);
        self.registry.lose(conn, Reason::Aborted);
    }

    // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Ends every port, attempt, look-up and connection: the during phase of shutdown (R9).
    pub(crate) fn disconnect_all(&mut self) {
        for key in self.registry.ports.keys() {
            if let Some(port) = self.registry.ports.get(key).cloned() {
                self.stop_listening(&port);
            }
        }
        for key in self.registry.arrivals.keys() {
            if let Some(port) = self.registry.arrivals.get(key).cloned() {
                self.stop_listening(&port);
            }
        }
        self.close_ports();
        self.unwatch_all();
        self.forget_processes();
        for key in self.registry.attempts.keys() {
            if let Some((connector, _)) = self.registry.attempts.get(key).cloned() {
                let error = ConnectError::Cancelled(connector.to_string());
                connector.give_up(self, error);
            }
        }
        for key in self.registry.lookups.keys() {
            if let Some(done) = self.registry.lookups.remove(key) {
                self.driver.cancel_lookup(LookupId(key));
                done(Err(io::Error::new(
                    io::ErrorKind::ConnectionAborted,
                    "the reactor stopped",
                )));
            }
        }
        for key in self.registry.connections.keys() {
            let id = ConnId(key);
            if let Some(connection) = self.registry.connections.get_mut(key) {
                let driver = &mut *self.driver;
                connection.say_goodbye(&mut |outgoing, pool| driver.send(id, outgoing, pool));
            }
            self.driver.close(id);
            self.registry.lose(id, Reason::stopped());
        }
    }

    pub(crate) fn catch_signals(&mut self) -> io::Result<()> {
        self.driver.catch_signals()
    }
}

fn listener((id, host): (ListenerId, Address)) -> (PortSource, Address) {
    (PortSource::Listener(id), host)
}
