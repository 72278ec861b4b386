//! Between reactor and driver: sees to it that each keeps its promises to the other.
//!
//! Every rule of the suite runs over it, so that what [`Driver`] guarantees is checked wherever a rule leads.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, DatagramQueue, Datagrams, Demand, Descriptors, Driver, Event, Handler,
    Interest, Job, Listen, ListenerId, LookupId, PortId, ProcessId, Processes, Sent, SocketOption,
    Spawned, StreamOptions, Wake, WatchId,
};
use ropewalk_core::process::{SignalNumber, Spawn};
use ropewalk_core::{Address, Descriptor, Inherited};

use super::port_contract::{self, Ports};

/// A driver, supervised. It panics when driver or reactor breaks the contract.
pub(crate) struct Supervisor {
    pub(super) driver: Box<dyn Driver>,
    conns: Conns,
    pub(super) ports: Ports,
}

/// What was said about each connection so far; none is ever forgotten.
#[derive(Default)]
struct Conns(HashMap<ConnId, Conn>);

#[derive(Debug, Default)]
struct Conn {
    is_connecting: bool,
    is_paused: bool,
    has_eof: bool,
    is_blocked: bool,
    is_write_closed: bool,
    is_gone: bool,
}

impl Supervisor {
    pub(crate) fn new(driver: Box<dyn Driver>) -> Self {
        Self {
            driver,
            conns: Conns::default(),
            ports: Ports::default(),
        }
    }
}

/// Fails the test, unless it fails already.
fn broken(what: &str, conn: ConnId, state: Option<&Conn>) {
    assert!(std::thread::panicking(), "{what}: {conn:?}, {state:?}");
}

impl Conns {
    fn born(&mut self, conn: ConnId, is_connecting: bool) {
        let before = self.0.insert(
            conn,
            Conn {
                is_connecting,
                ..Conn::default()
            },
        );
        if before.is_some() {
            broken("the driver gave a name twice", conn, before.as_ref());
        }
    }

    /// The connection, if it is there.
    fn live(&mut self, conn: ConnId, who: &str) -> Option<&mut Conn> {
        let state = self.0.get_mut(&conn);
        if state.as_ref().is_none_or(|state| state.is_gone) {
            broken(
                &format!("{who} a connection that is gone"),
                conn,
                state.as_deref(),
            );
            return None;
        }
        state
    }

    /// The reactor calls the driver about this connection.
    fn told(&mut self, conn: ConnId, call: &str, note: impl FnOnce(&mut Conn)) {
        if let Some(state) = self.live(conn, &format!("the reactor wants to {call}")) {
            note(state);
        }
    }

    fn check(&mut self, event: &Event<'_>) {
        match event {
            Event::Accepted { conn, .. } => self.born(*conn, false),
            Event::Connected { conn, .. } => self.expect(*conn, "connected", |conn| {
                std::mem::take(&mut conn.is_connecting)
            }),
            Event::ConnectFailed { conn, .. } => self.expect(*conn, "failed to connect", |conn| {
                conn.is_gone = true;
                conn.is_connecting
            }),
            Event::Received { conn, data } => self.expect(*conn, "received", |conn| {
                !data.is_empty() && !conn.has_eof && !conn.is_paused && !conn.is_connecting
            }),
            Event::DescriptorsReceived {
                conn,
                descriptors,
                data,
            } => self.expect(*conn, "received", |conn| {
                let some = !data.is_empty() && !descriptors.is_empty();
                some && !conn.has_eof && !conn.is_paused && !conn.is_connecting
            }),
            Event::Eof { conn } => self.expect(*conn, "at its end", |conn| {
                !std::mem::replace(&mut conn.has_eof, true) && !conn.is_connecting
            }),
            Event::Writable { conn } => self.expect(*conn, "writable", |conn| {
                std::mem::take(&mut conn.is_blocked)
            }),
            Event::Failed { conn, .. } => self.expect(*conn, "failed", |conn| {
                conn.is_gone = true;
                !conn.is_connecting
            }),
            _ => {}
        }
    }

    fn expect(&mut self, conn: ConnId, what: &str, may: impl FnOnce(&mut Conn) -> bool) {
        if let Some(state) = self.live(conn, "the driver names")
            && !may(state)
        {
            broken(
                &format!("the driver must not report it as {what}"),
                conn,
                Some(state),
            );
        }
    }

    fn demanded(&mut self, conn: ConnId, demand: Demand) {
        let Some(state) = self.0.get_mut(&conn) else {
            return;
        };
        match demand {
            Demand::Continue => {}
            Demand::Pause => state.is_paused = true,
            Demand::Close => state.is_gone = true,
        }
    }

    fn sent(&mut self, conn: ConnId, sent: &Sent) {
        if let Some(state) = self.live(conn, "the reactor sends on") {
            if state.is_write_closed || state.is_blocked || state.is_connecting {
                broken("the reactor must not send", conn, Some(state));
            }
            state.is_blocked = matches!(sent, Sent::Blocked | Sent::Taken);
        }
    }
}

fn named(event: &Event<'_>) -> Option<ConnId> {
    match event {
        Event::Accepted { conn, .. }
        | Event::Connected { conn, .. }
        | Event::ConnectFailed { conn, .. }
        | Event::Received { conn, .. }
        | Event::DescriptorsReceived { conn, .. }
        | Event::Eof { conn }
        | Event::Writable { conn }
        | Event::Failed { conn, .. } => Some(*conn),
        _ => None,
    }
}

/// The reactor, as the driver sees it.
struct Inspector<'a> {
    handler: &'a mut dyn Handler,
    conns: &'a mut Conns,
    ports: &'a mut Ports,
}

impl Handler for Inspector<'_> {
    fn event(&mut self, event: Event<'_>) -> Demand {
        self.conns.check(&event);
        self.ports.check(&event);
        let (conn, port) = (named(&event), port_contract::named(&event));
        let demand = self.handler.event(event);
        if let Some(conn) = conn {
            self.conns.demanded(conn, demand);
        }
        if let Some(port) = port {
            self.ports.demanded(port, demand);
        }
        demand
    }

    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand {
        self.conns.live(conn, "the driver flushes");
        let conns = &mut *self.conns;
        let demand = self.handler.flush(conn, &mut |outgoing, pool| {
            let sent = send(outgoing, pool);
            conns.sent(conn, &sent);
            sent
        });
        self.conns.demanded(conn, demand);
        demand
    }

    fn flush_datagrams(
        &mut self,
        port: PortId,
        send: &mut dyn FnMut(&mut DatagramQueue) -> Sent,
    ) -> Demand {
        self.ports.flushed(port);
        let ports = &mut *self.ports;
        let demand = self.handler.flush_datagrams(port, &mut |queue| {
            let sent = send(queue);
            ports.sent(port, queue, &sent);
            sent
        });
        self.ports.demanded(port, demand);
        demand
    }
}

impl Driver for Supervisor {
    fn name(&self) -> &'static str {
        self.driver.name()
    }

    fn clock(&self) -> Rc<dyn Fn() -> Duration> {
        self.driver.clock()
    }

    fn wall_clock(&self) -> Rc<dyn Fn() -> SystemTime> {
        self.driver.wall_clock()
    }

    fn entropy(&self) -> Rc<dyn Fn() -> u64> {
        self.driver.entropy()
    }

    fn seed(&mut self) -> u64 {
        self.driver.seed()
    }

    fn listen(&mut self, listen: &Listen) -> io::Result<(ListenerId, Address)> {
        self.driver.listen(listen)
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        self.driver.stop_listening(listener);
    }

    fn connect(&mut self, connect: &Connect) -> ConnId {
        let conn = self.driver.connect(connect);
        self.conns.born(conn, true);
        conn
    }

    fn send(&mut self, conn: ConnId, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent {
        let sent = self.driver.send(conn, outgoing, pool);
        self.conns.sent(conn, &sent);
        sent
    }

    fn resume(&mut self, conn: ConnId) {
        self.conns
            .told(conn, "resume", |state| state.is_paused = false);
        self.driver.resume(conn);
    }

    fn pause(&mut self, conn: ConnId) {
        self.conns
            .told(conn, "pause", |state| state.is_paused = true);
        self.driver.pause(conn);
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        self.conns.told(conn, "close the write side of", |state| {
            state.is_write_closed = true;
        });
        self.driver.shutdown_write(conn);
    }

    fn close(&mut self, conn: ConnId) {
        self.conns.told(conn, "close", |state| state.is_gone = true);
        self.driver.close(conn);
    }

    fn abort(&mut self, conn: ConnId) {
        self.conns.told(conn, "abort", |state| state.is_gone = true);
        self.driver.abort(conn);
    }

    fn set_option(&mut self, conn: ConnId, option: SocketOption) -> io::Result<()> {
        self.conns.told(conn, "set an option of", |_| ());
        self.driver.set_option(conn, option)
    }

    fn lookup(&mut self, name: &str) -> LookupId {
        self.driver.lookup(name)
    }

    fn cancel_lookup(&mut self, lookup: LookupId) {
        self.driver.cancel_lookup(lookup);
    }

    fn run_in_thread(&mut self, job: Job) {
        self.driver.run_in_thread(job);
    }

    fn set_thread_limit(&mut self, threads: usize) {
        self.driver.set_thread_limit(threads);
    }

    fn stop_threads(&mut self) {
        self.driver.stop_threads();
    }

    fn catch_signals(&mut self) -> io::Result<()> {
        self.driver.catch_signals()
    }

    fn datagrams(&mut self) -> Option<&mut dyn Datagrams> {
        self.driver.datagrams()?;
        Some(self)
    }

    fn descriptors(&mut self) -> Option<&mut dyn Descriptors> {
        self.driver.descriptors()?;
        Some(self)
    }

    fn processes(&mut self) -> Option<&mut dyn Processes> {
        self.driver.processes()?;
        Some(self)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.driver.waker()
    }

    fn poll(&mut self, timeout: Option<Duration>, handler: &mut dyn Handler) -> io::Result<()> {
        let mut inspector = Inspector {
            handler,
            conns: &mut self.conns,
            ports: &mut self.ports,
        };
        self.driver.poll(timeout, &mut inspector)
    }
}

impl Supervisor {
    fn inner(&mut self) -> io::Result<&mut dyn Descriptors> {
        let none = || io::Error::from(io::ErrorKind::Unsupported);
        self.driver.descriptors().ok_or_else(none)
    }
}

impl Processes for Supervisor {
    fn spawn(&mut self, spawn: &Spawn) -> io::Result<Spawned> {
        let none = || io::Error::from(io::ErrorKind::Unsupported);
        let spawned = self.driver.processes().ok_or_else(none)?.spawn(spawn)?;
        for (_, conn) in &spawned.pipes {
            self.conns.born(*conn, true);
        }
        Ok(spawned)
    }

    fn signal(&mut self, process: ProcessId, signal: SignalNumber) -> io::Result<()> {
        let none = || io::Error::from(io::ErrorKind::Unsupported);
        self.driver
            .processes()
            .ok_or_else(none)?
            .signal(process, signal)
    }
}

impl Descriptors for Supervisor {
    fn adopt_listener(
        &mut self,
        descriptor: Descriptor,
        options: StreamOptions,
        hand_over: bool,
    ) -> io::Result<(ListenerId, Address)> {
        self.inner()?.adopt_listener(descriptor, options, hand_over)
    }

    fn adopt_stream(
        &mut self,
        read: Descriptor,
        write: Option<Descriptor>,
    ) -> io::Result<(ConnId, Address)> {
        let (conn, host) = self.inner()?.adopt_stream(read, write)?;
        self.conns.born(conn, true);
        Ok((conn, host))
    }

    fn standard_io(&mut self) -> io::Result<(ConnId, Address)> {
        let (conn, host) = self.inner()?.standard_io()?;
        self.conns.born(conn, true);
        Ok((conn, host))
    }

    fn inherit(&mut self, which: &Inherited) -> io::Result<Descriptor> {
        self.inner()?.inherit(which)
    }

    fn watch(&mut self, descriptor: Descriptor, interest: Interest) -> io::Result<WatchId> {
        self.inner()?.watch(descriptor, interest)
    }

    fn unwatch(&mut self, watch: WatchId) -> Option<Descriptor> {
        self.driver.descriptors()?.unwatch(watch)
    }
}
