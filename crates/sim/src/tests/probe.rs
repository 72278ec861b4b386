//! A handler that remembers what it was told, queues what it is asked to send, and checks what every driver guarantees.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, Deadlock, Demand, Driver, Event, Handler, Listen, ListenerId, LookupId, Sent,
    Signal, StreamOptions,
};

use crate::{SimDriver, World};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Accepted(ConnId),
    Connected(ConnId),
    ConnectFailed(ConnId, io::ErrorKind),
    Received(ConnId, Vec<u8>),
    Eof(ConnId),
    Writable(ConnId),
    Failed(ConnId, io::ErrorKind),
    LookedUp(LookupId, Result<Vec<IpAddr>, io::ErrorKind>),
    Signal(Signal),
}

#[derive(Default)]
pub(super) struct Log {
    pub(super) seen: Vec<Seen>,
    pub(super) times: Vec<Duration>,
    pub(super) streams: BTreeMap<ConnId, Stream>,
    /// Connections told by `Accepted`, in order.
    pub(super) accepted: Vec<ConnId>,
    /// What to demand in answer to the next events.
    pub(super) demands: Vec<Demand>,
    pub(super) echo: bool,
    pool: Pool,
    now: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) host: Option<Address>,
    pub(super) peer: Option<Address>,
    pub(super) received: Vec<u8>,
    pub(super) paused: bool,
    pub(super) eof: bool,
    /// Failed, or closed by us.
    pub(super) over: bool,
    pub(super) waits_for_room: bool,
    outgoing: Outgoing,
    closing: bool,
}

impl Stream {
    fn send(
        &mut self,
        pool: &mut Pool,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> bool {
        if self.waits_for_room || self.outgoing.is_empty() {
            return true;
        }
        let before = self.outgoing.len();
        let sent = send(&mut self.outgoing, pool);
        self.waits_for_room = matches!(sent, Sent::Blocked | Sent::Taken);
        match sent {
            Sent::Done => assert!(self.outgoing.is_empty()),
            Sent::Taken => assert!(self.outgoing.len() < before),
            Sent::Blocked => assert!(!self.outgoing.is_empty() && self.outgoing.len() <= before),
            Sent::Failed(_) => return false,
        }
        true
    }
}

impl Log {
    fn stream(&mut self, conn: ConnId) -> &mut Stream {
        let stream = self
            .streams
            .get_mut(&conn)
            .expect("an event names a connection that is known");
        assert!(!stream.over, "an event names a connection that is over");
        stream
    }

    fn note(&mut self, event: Event<'_>) {
        let seen = match event {
            Event::Accepted {
                conn, host, peer, ..
            } => {
                let (host, peer) = (Some(host), Some(peer));
                let stream = Stream {
                    host,
                    peer,
                    ..Stream::default()
                };
                assert!(
                    self.streams.insert(conn, stream).is_none(),
                    "a name is used twice"
                );
                self.accepted.push(conn);
                Seen::Accepted(conn)
            }
            Event::Connected {
                conn, host, peer, ..
            } => {
                let stream = self.stream(conn);
                (stream.host, stream.peer) = (Some(host), Some(peer));
                Seen::Connected(conn)
            }
            Event::ConnectFailed { conn, error } => {
                self.stream(conn).over = true;
                Seen::ConnectFailed(conn, error.kind())
            }
            Event::Received { conn, data } => {
                let stream = self.stream(conn);
                assert!(!stream.paused, "bytes were received while paused");
                assert!(!stream.eof, "bytes were received after the end");
                assert!(!data.is_empty(), "nothing was received");
                stream.received.extend_from_slice(data);
                let seen = Seen::Received(conn, data.to_vec());
                data.fill(0);
                seen
            }
            Event::Eof { conn } => {
                let stream = self.stream(conn);
                assert!(!stream.paused, "the end was told while paused");
                assert!(
                    !std::mem::replace(&mut stream.eof, true),
                    "the end was told twice"
                );
                Seen::Eof(conn)
            }
            Event::Writable { conn } => {
                let stream = self.stream(conn);
                assert!(
                    std::mem::take(&mut stream.waits_for_room),
                    "room was told to nobody"
                );
                Seen::Writable(conn)
            }
            Event::Failed { conn, error } => {
                self.stream(conn).over = true;
                Seen::Failed(conn, error.kind())
            }
            Event::LookedUp { lookup, result } => {
                Seen::LookedUp(lookup, result.map_err(|error| error.kind()))
            }
            Event::Signal(signal) => Seen::Signal(signal),
            event => panic!("an unknown event: {event:?}"),
        };
        self.seen.push(seen);
        self.times.push(self.now);
    }
}

impl Handler for Log {
    fn event(&mut self, event: Event<'_>) -> Demand {
        let conn = match &event {
            Event::Received { conn, data } if self.echo => {
                let (conn, data) = (*conn, data.to_vec());
                self.streams
                    .get_mut(&conn)
                    .unwrap()
                    .outgoing
                    .write(&data, &mut self.pool);
                Some(conn)
            }
            Event::Received { conn, .. } | Event::Accepted { conn, .. } => Some(*conn),
            _ => None,
        };
        self.note(event);
        let Some(conn) = conn.filter(|_| !self.demands.is_empty()) else {
            return Demand::Continue;
        };
        let demand = self.demands.remove(0);
        let stream = self.stream(conn);
        stream.paused |= demand == Demand::Pause;
        stream.over |= demand == Demand::Close;
        demand
    }

    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand {
        let mut pool = std::mem::take(&mut self.pool);
        let stream = self.stream(conn);
        let lives = stream.send(&mut pool, send);
        let done = !lives || stream.closing && !stream.waits_for_room;
        stream.over |= done;
        self.pool = pool;
        if done {
            Demand::Close
        } else {
            Demand::Continue
        }
    }
}

/// A driver with such a handler.
pub(super) struct Probe {
    pub(super) driver: SimDriver,
    pub(super) log: Log,
}

pub(super) fn tcp(address: &str) -> Address {
    Address::Tcp(address.parse().expect("an address"))
}

pub(super) fn listen_on(address: &str) -> Listen {
    Listen {
        backlog: 128,
        options: StreamOptions {
            keep_alive: None,
            ..StreamOptions::default()
        },
        ..Listen::new(tcp(address))
    }
}

pub(super) fn connect_to(address: &str) -> Connect {
    let options = StreamOptions {
        keep_alive: None,
        ..StreamOptions::default()
    };
    Connect {
        address: tcp(address),
        bind: None,
        options,
    }
}

impl Probe {
    pub(super) fn new(driver: SimDriver) -> Self {
        Self {
            driver,
            log: Log::default(),
        }
    }

    pub(super) fn alone(seed: u64) -> Self {
        Self::new(SimDriver::alone(seed))
    }

    pub(super) fn world(&self) -> World {
        self.driver.world().clone()
    }

    pub(super) fn now(&self) -> Duration {
        self.world().now()
    }

    pub(super) fn listen(&mut self, address: &str) -> ListenerId {
        self.driver
            .listen(&listen_on(address))
            .expect("a free address")
            .0
    }

    pub(super) fn connect(&mut self, address: &str) -> ConnId {
        self.connect_with(&connect_to(address))
    }

    pub(super) fn connect_with(&mut self, connect: &Connect) -> ConnId {
        let conn = self.driver.connect(connect);
        assert!(
            self.log.streams.insert(conn, Stream::default()).is_none(),
            "a name is used twice"
        );
        conn
    }

    /// Queues bytes, and sends what can be sent.
    pub(super) fn write(&mut self, conn: ConnId, data: &[u8]) {
        let log = &mut self.log;
        let stream = log.streams.get_mut(&conn).expect("a connection");
        stream.outgoing.write(data, &mut log.pool);
        let driver = &mut self.driver;
        stream.send(&mut log.pool, &mut |outgoing, pool| {
            driver.send(conn, outgoing, pool)
        });
    }

    /// Closes once everything queued is sent, as a reactor does.
    pub(super) fn close(&mut self, conn: ConnId) {
        let stream = self.log.streams.get_mut(&conn).expect("a connection");
        if stream.waits_for_room {
            stream.closing = true;
        } else {
            stream.over = true;
            self.driver.close(conn);
        }
    }

    pub(super) fn abort(&mut self, conn: ConnId) {
        self.log.streams.get_mut(&conn).expect("a connection").over = true;
        self.driver.abort(conn);
    }

    pub(super) fn pause(&mut self, conn: ConnId) {
        self.log
            .streams
            .get_mut(&conn)
            .expect("a connection")
            .paused = true;
        self.driver.pause(conn);
    }

    pub(super) fn resume(&mut self, conn: ConnId) {
        self.log
            .streams
            .get_mut(&conn)
            .expect("a connection")
            .paused = false;
        self.driver.resume(conn);
    }

    pub(super) fn poll(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.log.now = self.now();
        self.driver.poll(timeout, &mut self.log)
    }

    /// Polls until the world rests, without waiting for anything else.
    pub(super) fn run(&mut self) -> Deadlock {
        for _ in 0..1_000_000 {
            if let Err(error) = self.poll(None) {
                let deadlock = error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<Deadlock>());
                return deadlock.expect("only a deadlock ends it").clone();
            }
        }
        panic!("the world never rests: {:?}", self.world().netstat());
    }

    /// Polls until that time.
    pub(super) fn run_until(&mut self, time: Duration) {
        while self.now() < time {
            let left = time - self.now();
            self.poll(Some(left)).expect("a driver that is alive");
        }
    }

    pub(super) fn received(&self, conn: ConnId) -> &[u8] {
        &self.log.streams[&conn].received
    }

    /// What was told since the last call.
    pub(super) fn news(&mut self) -> Vec<Seen> {
        self.log.times.clear();
        std::mem::take(&mut self.log.seen)
    }

    /// A connection within this probe: the client's name and the server's.
    pub(super) fn pair(&mut self, address: &str) -> (ConnId, ConnId) {
        self.listen(address);
        let client = self.connect(address);
        self.run();
        let server = *self.log.accepted.last().expect("it was accepted");
        self.news();
        (client, server)
    }
}

/// Polls all until that time, or until the world rests.
pub(super) fn run_all(world: &World, probes: &mut [&mut Probe], until: Duration) {
    loop {
        let steps = world.network().steps;
        probes
            .iter_mut()
            .for_each(|probe| _ = probe.poll(Some(Duration::ZERO)));
        if world.network().steps == steps {
            match world.next() {
                Some(next) if next <= until => world.advance(next),
                _ => return world.advance(until),
            }
        }
    }
}

/// A server and a client on hosts of their own, with a connection: the server's name of it, and the client's.
pub(super) fn two_hosts(world: &World) -> (Probe, Probe, ConnId, ConnId) {
    let mut server = Probe::new(world.driver("server"));
    let mut client = Probe::new(world.driver("client"));
    server.listen("10.0.0.1:80");
    let there = client.connect("10.0.0.1:80");
    run_all(
        world,
        &mut [&mut server, &mut client],
        Duration::from_secs(1),
    );
    let here = server.log.accepted[0];
    server.news();
    client.news();
    (server, client, here, there)
}

pub(super) fn port_of(address: &Address) -> u16 {
    address
        .socket()
        .map(|socket: SocketAddr| socket.port())
        .expect("a TCP address")
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Bytes of which each tells its place.
pub(super) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place % 251) as u8).collect()
}
