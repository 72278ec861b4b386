//! Everything alive: connections, ports, attempts, look-ups; and what driver events mean to them.
//!
//! The driver calls in here from within `poll`; user code runs from here and can only queue.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use crate::address::Address;
use crate::buffer::{Outgoing, Pool};
use crate::connection::{Arrival, Connection, Deadline};
use crate::connector::Connector;
use crate::datagram::Ports;
use crate::descriptor::Descriptor;
use crate::driver::{
    ConnId, DatagramQueue, Demand, Event, Handler, ListenerId, LookupId, PortId, Sent, Signal,
    StreamOptions,
};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::link::Flags;
use crate::port::Port;
use crate::process::Child;
use crate::protocol::Protocol;
use crate::reason::Reason;
use crate::slots::Mirror;
use crate::transport::Transport;
use crate::watch::Watcher;
use crate::watchdog::{Callback, Of};

/// A closure that wants the protocol of a connection.
pub(crate) struct LentCall {
    pub(crate) conn: ConnId,
    pub(crate) epoch: u32,
    pub(crate) call: LentClosure,
}

pub(crate) type LentClosure = Box<dyn FnOnce(&mut dyn Protocol, &Transport)>;

/// Whose connection it is.
#[derive(Clone)]
pub(crate) enum Owner {
    Port(Rc<Port>),
    Connector(Connector),
}

impl Owner {
    fn with_factory(&self, call: impl FnOnce(&mut dyn Factory)) {
        match self {
            Self::Port(port) => call(&mut **port.factory.borrow_mut()),
            Self::Connector(connector) => connector.with_factory(call),
        }
    }

    /// On whose account it is.
    pub(crate) fn handle(&self) -> &Handle {
        match self {
            Self::Port(port) => &port.handle,
            Self::Connector(connector) => connector.reactor(),
        }
    }

    /// The factory built no protocol (R43).
    pub(crate) fn refused(&self, transport: &Transport) {
        if let Self::Connector(connector) = self {
            connector.refused();
        }
        transport.lose_connection();
    }
}

type OnLookup = Box<dyn FnOnce(std::io::Result<Vec<IpAddr>>)>;

pub(crate) struct Registry {
    pub(crate) handle: Handle,
    pub(crate) connections: Mirror<Connection>,
    pub(crate) ports: Mirror<Rc<Port>>,
    /// Ports for one connection that is still to come.
    pub(crate) arrivals: Mirror<Rc<Port>>,
    pub(crate) datagrams: Ports,
    pub(crate) attempts: Mirror<(Connector, Address)>,
    pub(crate) lookups: Mirror<OnLookup>,
    pub(crate) watches: Mirror<Watcher>,
    pub(crate) processes: Mirror<Rc<Child>>,
}

impl Registry {
    /// Every port, also those that wait for their only connection.
    pub(crate) fn all_ports(&self) -> Vec<Rc<Port>> {
        let (ports, arrivals) = (self.ports.iter(), self.arrivals.iter());
        ports
            .chain(arrivals)
            .map(|(_, port)| Rc::clone(port))
            .collect()
    }

    pub(crate) fn new(handle: Handle) -> Self {
        Self {
            handle,
            connections: Mirror::new(),
            ports: Mirror::new(),
            arrivals: Mirror::new(),
            datagrams: Ports::default(),
            attempts: Mirror::new(),
            lookups: Mirror::new(),
            watches: Mirror::new(),
            processes: Mirror::new(),
        }
    }

    /// Opens layers as far as they go; builds the protocol when all are open.
    fn open(connection: &mut Connection) {
        connection
            .owner
            .clone()
            .with_factory(|factory| connection.open(factory));
    }

    fn accepted(&mut self, listener: ListenerId, arrival: Arrival) -> Demand {
        match self.ports.get(listener.0).cloned() {
            Some(port) => self.arrived(port, arrival),
            None => Demand::Close,
        }
    }

    fn arrived(&mut self, port: Rc<Port>, arrival: Arrival) -> Demand {
        let peer = &arrival.peer;
        let heart = &self.handle.shared().heart;
        let accepts = heart.run(
            "accepts of the factory of a port",
            Of::Made(port.made),
            || ask(peer, || port.factory.borrow_mut().accepts(peer)),
        );
        if accepts != Some(true) {
            port.lost(arrival.id);
            return Demand::Close;
        }
        let (limits, options) = (Rc::clone(&port.limits), port.options);
        self.begin(arrival, options, limits, Owner::Port(port))
    }

    /// A connection for another reactor.
    fn handed(
        &self,
        listener: ListenerId,
        descriptor: Descriptor,
        host: &Address,
        peer: &Address,
    ) -> Demand {
        if let Some(port) = self.ports.get(listener.0) {
            ask(peer, || {
                let factory = &mut *port.factory.borrow_mut();
                factory.handed_over(descriptor, host, peer);
            });
        }
        Demand::Continue
    }

    fn connected(&mut self, arrival: Arrival) -> Demand {
        let id = arrival.id;
        let Some((connector, _)) = self.attempts.remove(id.0) else {
            return match self.arrivals.remove(id.0) {
                Some(port) => self.arrived(port, arrival),
                None => Demand::Close,
            };
        };
        if !connector.connected(id) {
            return Demand::Close;
        }
        let limits = connector.limits();
        let owner = Owner::Connector(connector);
        self.begin(arrival, StreamOptions::default(), limits, owner)
    }

    fn begin(
        &mut self,
        arrival: Arrival,
        options: StreamOptions,
        limits: Rc<Limits>,
        owner: Owner,
    ) -> Demand {
        let id = arrival.id;
        let connection = Connection::new(arrival, options, limits, owner);
        self.connections.insert(id.0, connection);
        self.during(id, |connection| {
            connection
                .owner
                .clone()
                .with_factory(|factory| connection.begin(factory));
        })
    }

    /// Runs an event of one connection: what it writes leaves right after, so it needs no attention for bytes.
    #[inline]
    fn during(&mut self, id: ConnId, event: impl FnOnce(&mut Connection)) -> Demand {
        let Some(connection) = self.connections.get_mut(id.0) else {
            return Demand::Close;
        };
        connection.link().set(Flags::CORKED);
        event(connection);
        connection.link().clear(Flags::CORKED);
        demand(connection)
    }

    fn received(connection: &mut Connection, data: &mut [u8]) {
        connection.received(data);
        if !connection.is_made() {
            Self::open(connection);
        }
    }

    /// A deadline of a connection came due.
    pub(crate) fn deadline(&mut self, id: ConnId, deadline: Deadline) {
        let Some(connection) = self.connections.get_mut(id.0) else {
            return;
        };
        connection.deadline(deadline);
        if deadline == Deadline::QuietReading && !connection.is_made() {
            Self::open(connection);
        }
    }

    fn connect_failed(&mut self, id: ConnId, error: std::io::Error) {
        if let Some((connector, address)) = self.attempts.remove(id.0) {
            connector.attempt_failed(id, error, &address);
        } else if let Some(port) = self.arrivals.remove(id.0) {
            let endpoint = &port.endpoint;
            tracing::error!(endpoint, %error, "the one connection of a port never came");
            port.lost(id);
        }
    }

    /// Takes a connection out and tells everybody, exactly once.
    pub(crate) fn lose(&mut self, id: ConnId, reason: Reason) {
        let Some(mut connection) = self.connections.remove(id.0) else {
            return;
        };
        let link = &connection.transport.0;
        let reason = link.take_reason().unwrap_or(reason);
        link.clear(Flags::OPEN);
        link.on_wire.set(0);
        link.outgoing
            .borrow_mut()
            .clear(&mut self.handle.shared().pool.borrow_mut());
        self.handle.shared().drains.stir();
        connection.forget_deadlines();
        connection.stop_producer();
        connection.call(Callback::ConnectionLost, |protocol, transport| {
            protocol.connection_lost(transport, &reason);
        });
        match &connection.owner {
            Owner::Connector(connector) => connector.ended(connection.is_made(), reason),
            Owner::Port(port) => {
                if !connection.is_made()
                    && !reason.is_clean()
                    && let Some(others) = port.stillborn.say(self.handle.turn_time())
                {
                    let peer = connection.transport.peer();
                    tracing::info!(%peer, %reason, others, "a connection ended before its layers were open");
                }
                crate::panic::guard("a factory", || {
                    port.factory.borrow_mut().ended(&connection.transport);
                });
                crate::panic::guard("a factory", || port.lost(id));
            }
        }
    }

    /// Lends the protocol to a closure, if the connection is there and still has that protocol.
    pub(crate) fn lend(&mut self, lent: LentCall) {
        let Some(connection) = self.connections.get_mut(lent.conn.0) else {
            return;
        };
        let link = connection.link();
        if link.epoch.get() == lent.epoch && link.has(Flags::OPEN) {
            connection.call(Callback::LentClosure, lent.call);
        }
    }

    /// A peer that resets where only its goodbye was waited for has all our bytes: that is no loss.
    fn reason_of(&self, id: ConnId, error: std::io::Error) -> Reason {
        let connection = self.connections.get(id.0);
        if connection.is_some_and(|connection| connection.link().has(Flags::PARTING)) {
            return Reason::Done;
        }
        Reason::Lost(error)
    }

    fn signal(&self, signal: Signal) {
        self.handle.signalled(signal);
    }
}

/// Asks a factory; a panic is logged, and the connection refused.
fn ask<R>(peer: &Address, question: impl FnOnce() -> R) -> Option<R> {
    let outcome = catch_unwind(AssertUnwindSafe(question));
    outcome
        .inspect_err(|payload| {
            let panic = crate::panic::message(&**payload);
            tracing::error!(%peer, %panic, "a factory panicked; the connection is refused");
        })
        .ok()
}

/// What the flags of a connection mean for the driver.
#[inline]
fn demand(connection: &Connection) -> Demand {
    let link = connection.link();
    if link.wants_quiet() {
        link.set(Flags::DRIVER_PAUSED);
        return Demand::Pause;
    }
    Demand::Continue
}

impl Handler for Registry {
    #[inline]
    fn event(&mut self, event: Event<'_>) -> Demand {
        match event {
            Event::Received { conn, data } => {
                self.during(conn, |connection| Self::received(connection, data))
            }
            other => self.rarer_event(other),
        }
    }

    #[inline]
    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand {
        let Some(connection) = self.connections.get_mut(conn.0) else {
            return Demand::Close;
        };
        connection.link().set(Flags::CORKED);
        connection.flush(send);
        connection.link().clear(Flags::CORKED);
        demand(connection)
    }

    fn flush_datagrams(
        &mut self,
        port: PortId,
        send: &mut dyn FnMut(&mut DatagramQueue) -> Sent,
    ) -> Demand {
        self.datagrams.flush(port, send)
    }
}

impl Registry {
    /// What happens once in a while, or once in the life of a connection.
    #[inline(never)]
    fn rarer_event(&mut self, event: Event<'_>) -> Demand {
        match event {
            Event::Received { .. } => Demand::Continue,
            Event::Writable { conn } => self.during(conn, Connection::writable),
            Event::Eof { conn } => self.during(conn, Connection::eof),
            Event::Accepted {
                listener,
                conn,
                host,
                peer,
                credentials,
            } => self.accepted(listener, Arrival::new(conn, host, peer, credentials)),
            Event::Connected {
                conn,
                host,
                peer,
                credentials,
            } => self.connected(Arrival::new(conn, host, peer, credentials)),
            Event::DescriptorsReceived {
                conn,
                descriptors,
                data,
            } => self.during(conn, |connection| {
                connection.descriptors_received(descriptors, data);
            }),
            Event::Handed {
                listener,
                descriptor,
                host,
                peer,
            } => self.handed(listener, descriptor, &host, &peer),
            Event::Ready { watch, ready } => self.ready(watch, ready),
            Event::ConnectFailed { conn, error } => {
                self.connect_failed(conn, error);
                Demand::Close
            }
            Event::Failed { conn, error } => {
                self.lose(conn, self.reason_of(conn, error));
                Demand::Close
            }
            Event::LookedUp { lookup, result } => {
                if let Some(done) = self.lookups.remove(lookup.0) {
                    done(result);
                }
                Demand::Continue
            }
            Event::ProcessExited { process, status } => self.process_exited(process, status),
            Event::Signal(signal) => {
                self.signal(signal);
                Demand::Continue
            }
            Event::Datagram { port, peer, data } => self.datagrams.received(port, peer, data),
            Event::DatagramsRefused { port, error } => self.datagrams.refused(port, &error),
            Event::DatagramsWritable { port } => self.datagrams.writable(port),
        }
    }

    pub(crate) fn on_lookup(
        &mut self,
        id: LookupId,
        done: impl FnOnce(std::io::Result<Vec<IpAddr>>) + 'static,
    ) {
        self.lookups.insert(id.0, Box::new(done));
    }
}
