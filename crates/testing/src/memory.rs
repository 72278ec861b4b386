//! The memory driver: no network, and a time that stands still until the test moves it.
//!
//! What a connection receives, and what becomes of the bytes it sends, is the test's to say. It is under
//! [`Clock`](crate::Clock), [`StringTransport`](crate::StringTransport) and [`Pump`](crate::Pump), so that in them the
//! reactor's own engine runs, as in production. Not a network: what needs delays, faults or listening peers belongs on
//! the simulated driver.
//!
//! ```text
//!   test: arrive(bytes, eof, reset) ─► Socket ─► Driver::poll ─► reactor
//!   test: take_sent ◄───────────────── Socket ◄─ Driver::send ◄─ reactor
//! ```

mod datagrams;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ropewalk_core::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, Datagrams, Demand, Driver, Event, Handler, Job, Listen, ListenerId, LookupId,
    Sent, SocketOption, Wake,
};
use ropewalk_core::slots::Key;

use datagrams::Port;
pub(crate) use datagrams::PortArrival;

/// What a memory driver knows, shared with the test. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Memory(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    now: Rc<Cell<Duration>>,
    sockets: Vec<Socket>,
    ports: Vec<Port>,
    /// Our ends of the next attempts to connect that are answered; all others are refused.
    answers: VecDeque<Address>,
    lookups: VecDeque<LookupId>,
    jobs: VecDeque<Job>,
    names_given: u32,
}

/// One connection, as the test sees it.
pub(crate) struct Socket {
    host: Address,
    peer: Address,
    arriving: VecDeque<Arrival>,
    sent: Vec<u8>,
    /// How many bytes may still be sent.
    room: usize,
    wants_room: bool,
    paused: bool,
    write_closed: bool,
    end: Option<End>,
}

/// How our side ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// In order.
    Closed,
    /// With a reset.
    Aborted,
    /// The peer reset it.
    Failed,
}

/// What comes next to a connection.
pub(crate) enum Arrival {
    Connected,
    Refused,
    Bytes(Vec<u8>),
    Eof,
    Failed(io::Error),
}

impl Memory {
    /// A driver on this memory.
    pub(crate) fn driver(&self) -> MemoryDriver {
        MemoryDriver(self.clone())
    }

    fn state(&self) -> RefMut<'_, State> {
        self.0.borrow_mut()
    }

    pub(crate) fn now(&self) -> Duration {
        self.state().now.get()
    }

    pub(crate) fn set_now(&self, now: Duration) {
        self.state().now.set(now);
    }

    /// Answers the next attempt to connect; gives the name that the connection will have.
    pub(crate) fn answer(&self, host: Address) -> ConnId {
        let mut state = self.state();
        state.answers.push_back(host);
        name(state.sockets.len() + state.answers.len() - 1)
    }

    /// Something comes to a connection, once the reactor polls. A failure overtakes what was under way.
    pub(crate) fn arrive(&self, conn: ConnId, arrival: Arrival) {
        let mut state = self.state();
        let Some(socket) = state.socket(conn) else {
            return;
        };
        if let Arrival::Failed(_) = arrival {
            socket.arriving.clear();
        }
        socket.arriving.push_back(arrival);
    }

    /// How many more bytes a connection may send.
    pub(crate) fn set_room(&self, conn: ConnId, room: usize) {
        self.with(conn, |socket| socket.room = room);
    }

    pub(crate) fn sent(&self, conn: ConnId) -> Vec<u8> {
        self.with(conn, |socket| socket.sent.clone())
    }

    pub(crate) fn take_sent(&self, conn: ConnId) -> Vec<u8> {
        self.with(conn, |socket| std::mem::take(&mut socket.sent))
    }

    /// Whether our half is closed, or all of it.
    pub(crate) fn is_write_closed(&self, conn: ConnId) -> bool {
        self.with(conn, |socket| socket.write_closed || socket.end.is_some())
    }

    pub(crate) fn end(&self, conn: ConnId) -> Option<End> {
        self.with(conn, |socket| socket.end)
    }

    /// Whether bytes that came were not delivered, because reading is paused.
    pub(crate) fn is_held_up(&self, conn: ConnId) -> bool {
        self.with(conn, |socket| {
            socket.end.is_none() && !socket.arriving.is_empty()
        })
    }

    /// Whether the next poll has something to tell or to do.
    pub(crate) fn has_news(&self) -> bool {
        let state = self.state();
        !state.jobs.is_empty()
            || !state.lookups.is_empty()
            || state.sockets.iter().any(Socket::has_news)
            || state.ports.iter().any(Port::has_news)
    }

    fn with<R>(&self, conn: ConnId, look: impl FnOnce(&mut Socket) -> R) -> R {
        let mut state = self.state();
        look(
            state
                .socket(conn)
                .expect("the harness connects before it looks"),
        )
    }
}

impl State {
    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        self.sockets.get_mut(conn.0.index() as usize)
    }

    /// A name that was never given out.
    fn next_name(&mut self) -> Key {
        self.names_given += 1;
        Key::new(self.names_given - 1, 0)
    }
}

impl Socket {
    fn has_news(&self) -> bool {
        let can_tell = match self.arriving.front() {
            Some(Arrival::Failed(_) | Arrival::Connected | Arrival::Refused) => true,
            Some(Arrival::Bytes(_) | Arrival::Eof) => !self.paused,
            None => false,
        };
        self.end.is_none() && (can_tell || self.has_room_again())
    }

    fn has_room_again(&self) -> bool {
        self.wants_room && self.room > 0
    }

    /// Whether there is room again; that is told once.
    fn takes_room(&mut self) -> bool {
        let has_room = self.has_room_again();
        self.wants_room &= !has_room;
        has_room
    }

    fn take_all_that_fits(&mut self, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent {
        if self.end.is_some() || self.write_closed {
            return Sent::Failed(io::ErrorKind::BrokenPipe.into());
        }
        while !outgoing.is_empty() && self.room > 0 {
            if let Err(error) = outgoing.read_file(pool) {
                return Sent::Failed(error);
            }
            let piece = outgoing.first();
            let fits = piece.len().min(self.room);
            self.sent.extend_from_slice(&piece[..fits]);
            self.room -= if self.room == usize::MAX { 0 } else { fits };
            outgoing.advance(fits, pool);
        }
        self.wants_room = !outgoing.is_empty();
        if self.wants_room {
            Sent::Blocked
        } else {
            Sent::Done
        }
    }
}

fn name(place: usize) -> ConnId {
    let place = u32::try_from(place).expect("a test has fewer than 2^32 connections");
    ConnId(Key::new(place, 0))
}

/// The driver over a [`Memory`].
pub(crate) struct MemoryDriver(Memory);

impl MemoryDriver {
    /// Tells what comes next to one connection.
    fn tell(&mut self, conn: ConnId, handler: &mut dyn Handler) {
        if self.0.with(conn, Socket::takes_room) {
            return self.event(conn, Event::Writable { conn }, handler);
        }
        let Some(arrival) = self.0.with(conn, |socket| socket.arriving.pop_front()) else {
            return;
        };
        match arrival {
            Arrival::Connected => {
                let (host, peer) = self
                    .0
                    .with(conn, |socket| (socket.host.clone(), socket.peer.clone()));
                self.event(
                    conn,
                    Event::Connected {
                        conn,
                        host,
                        peer,
                        credentials: None,
                    },
                    handler,
                );
            }
            Arrival::Refused => {
                self.0.with(conn, |socket| socket.end = Some(End::Failed));
                let error = io::ErrorKind::ConnectionRefused.into();
                handler.event(Event::ConnectFailed { conn, error });
            }
            Arrival::Bytes(mut data) => {
                self.event(
                    conn,
                    Event::Received {
                        conn,
                        data: &mut data,
                    },
                    handler,
                );
            }
            Arrival::Eof => self.event(conn, Event::Eof { conn }, handler),
            Arrival::Failed(error) => {
                self.0.with(conn, |socket| socket.end = Some(End::Failed));
                handler.event(Event::Failed { conn, error });
            }
        }
    }

    fn event(&mut self, conn: ConnId, event: Event<'_>, handler: &mut dyn Handler) {
        let demand = handler.event(event);
        self.obey(conn, demand);
        if demand != Demand::Close {
            let memory = self.0.clone();
            let demand = handler.flush(conn, &mut |outgoing, pool| {
                memory.with(conn, |socket| socket.take_all_that_fits(outgoing, pool))
            });
            self.obey(conn, demand);
        }
    }

    fn obey(&mut self, conn: ConnId, demand: Demand) {
        match demand {
            Demand::Continue => {}
            Demand::Pause => Driver::pause(self, conn),
            Demand::Close => Driver::close(self, conn),
        }
    }

    fn run_jobs(&mut self) {
        loop {
            let next = self.0.state().jobs.pop_front();
            let Some(job) = next else { return };
            job();
        }
    }

    fn tell_lookups(&mut self, handler: &mut dyn Handler) {
        loop {
            let next = self.0.state().lookups.pop_front();
            let Some(lookup) = next else { return };
            let error = io::Error::new(io::ErrorKind::NotFound, "the memory driver knows no name");
            handler.event(Event::LookedUp {
                lookup,
                result: Err(error),
            });
        }
    }
}

impl Driver for MemoryDriver {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn clock(&self) -> Rc<dyn Fn() -> Duration> {
        let now = Rc::clone(&self.0.state().now);
        Rc::new(move || now.get())
    }

    fn wall_clock(&self) -> Rc<dyn Fn() -> SystemTime> {
        let (now, start) = (self.clock(), Duration::from_secs(1_767_225_600));
        Rc::new(move || SystemTime::UNIX_EPOCH + start + now())
    }

    /// 0, 1, 2 and so on: never the same twice, and no secret.
    fn entropy(&self) -> Rc<dyn Fn() -> u64> {
        let next = Cell::new(0);
        Rc::new(move || next.replace(next.get() + 1))
    }

    fn seed(&mut self) -> u64 {
        1
    }

    /// Nobody will ever come.
    fn listen(&mut self, listen: &Listen) -> io::Result<(ListenerId, Address)> {
        let key = self.0.state().next_name();
        let Some(mut address) = listen.address.socket() else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        if address.port() == 0 {
            address.set_port(u16::try_from(49_152 + key.index()).unwrap_or(u16::MAX));
        }
        Ok((ListenerId(key), Address::Tcp(address)))
    }

    fn stop_listening(&mut self, _listener: ListenerId) {}

    fn connect(&mut self, connect: &Connect) -> ConnId {
        let mut state = self.0.state();
        let answer = state.answers.pop_front();
        let first = if answer.is_some() {
            Arrival::Connected
        } else {
            Arrival::Refused
        };
        let nowhere = || Address::Tcp(SocketAddr::from(([0, 0, 0, 0], 0)));
        state.sockets.push(Socket {
            host: answer
                .or_else(|| connect.bind.clone())
                .unwrap_or_else(nowhere),
            peer: connect.address.clone(),
            arriving: VecDeque::from([first]),
            sent: Vec::new(),
            room: usize::MAX,
            wants_room: false,
            paused: false,
            write_closed: false,
            end: None,
        });
        name(state.sockets.len() - 1)
    }

    fn send(&mut self, conn: ConnId, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent {
        self.0
            .with(conn, |socket| socket.take_all_that_fits(outgoing, pool))
    }

    fn resume(&mut self, conn: ConnId) {
        self.0.with(conn, |socket| socket.paused = false);
    }

    fn pause(&mut self, conn: ConnId) {
        self.0.with(conn, |socket| socket.paused = true);
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        self.0.with(conn, |socket| socket.write_closed = true);
    }

    fn close(&mut self, conn: ConnId) {
        self.0
            .with(conn, |socket| _ = socket.end.get_or_insert(End::Closed));
    }

    fn abort(&mut self, conn: ConnId) {
        self.0
            .with(conn, |socket| _ = socket.end.get_or_insert(End::Aborted));
    }

    fn set_option(&mut self, _conn: ConnId, _option: SocketOption) -> io::Result<()> {
        Ok(())
    }

    /// No name is known.
    fn lookup(&mut self, _name: &str) -> LookupId {
        let mut state = self.0.state();
        let lookup = LookupId(state.next_name());
        state.lookups.push_back(lookup);
        lookup
    }

    fn cancel_lookup(&mut self, lookup: LookupId) {
        self.0.state().lookups.retain(|&other| other != lookup);
    }

    /// Jobs run within the next poll, in order, on this very thread.
    fn run_in_thread(&mut self, job: Job) {
        self.0.state().jobs.push_back(job);
    }

    fn set_thread_limit(&mut self, _threads: usize) {}

    fn stop_threads(&mut self) {
        let jobs = std::mem::take(&mut self.0.state().jobs);
        drop(jobs);
    }

    fn catch_signals(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn datagrams(&mut self) -> Option<&mut dyn Datagrams> {
        Some(self)
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::new(Sleepless)
    }

    /// Tells everything there is, and never waits: time is the test's.
    fn poll(&mut self, _timeout: Option<Duration>, handler: &mut dyn Handler) -> io::Result<()> {
        self.run_jobs();
        self.tell_lookups(handler);
        self.tell_ports(handler);
        let sockets = self.0.state().sockets.len();
        for place in 0..sockets {
            let conn = name(place);
            if self.0.with(conn, |socket| socket.has_news()) {
                self.tell(conn, handler);
            }
        }
        Ok(())
    }
}

/// Nothing sleeps, so nothing is woken; and a job on the reactor's own thread cannot wait for the reactor.
struct Sleepless;

impl Wake for Sleepless {
    fn wake(&self) {}

    fn block(&self, answered: &mut dyn FnMut(bool) -> bool) {
        answered(false);
    }
}
