//! The vocabulary of these tests: a driver, a handler that writes down what it hears, and waiting with a limit.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use ropewalk_core::address::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, Demand, Driver, Event, Handler, Listen, ListenerId, LookupId, Sent, Signal,
    StreamOptions,
};
use ropewalk_mio::MioDriver;

/// Nothing here takes so long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An event, kept.
#[derive(Debug)]
pub(crate) enum Heard {
    Accepted {
        conn: ConnId,
        host: SocketAddr,
        peer: SocketAddr,
    },
    Connected {
        conn: ConnId,
        host: SocketAddr,
        peer: SocketAddr,
    },
    ConnectFailed(ConnId, io::Error),
    Received(ConnId),
    Eof(ConnId),
    Writable(ConnId),
    Failed(ConnId, io::Error),
    LookedUp(LookupId, io::Result<Vec<IpAddr>>),
    Signal(Signal),
}

impl Heard {
    fn of(event: &Event<'_>) -> Self {
        let socket = |address: &Address| address.socket().unwrap();
        match event {
            Event::Accepted {
                conn, host, peer, ..
            } => Self::Accepted {
                conn: *conn,
                host: socket(host),
                peer: socket(peer),
            },
            Event::Connected {
                conn, host, peer, ..
            } => Self::Connected {
                conn: *conn,
                host: socket(host),
                peer: socket(peer),
            },
            Event::ConnectFailed { conn, error } => Self::ConnectFailed(*conn, copy(error)),
            Event::Received { conn, .. } => Self::Received(*conn),
            Event::Eof { conn } => Self::Eof(*conn),
            Event::Writable { conn } => Self::Writable(*conn),
            Event::Failed { conn, error } => Self::Failed(*conn, copy(error)),
            Event::LookedUp { lookup, result } => Self::LookedUp(
                *lookup,
                result.as_deref().map(<[IpAddr]>::to_vec).map_err(copy),
            ),
            Event::Signal(signal) => Self::Signal(*signal),
            other => panic!("an unheard-of event: {other:?}"),
        }
    }

    pub(crate) fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Accepted { conn, .. } | Self::Connected { conn, .. } => Some(*conn),
            Self::ConnectFailed(conn, _)
            | Self::Received(conn)
            | Self::Eof(conn)
            | Self::Writable(conn)
            | Self::Failed(conn, _) => Some(*conn),
            Self::LookedUp(..) | Self::Signal(_) => None,
        }
    }
}

fn copy(error: &io::Error) -> io::Error {
    error
        .raw_os_error()
        .map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

type OnEvent = Box<dyn FnMut(&Heard, &mut HashMap<ConnId, Outgoing>, &mut Pool) -> Demand>;

/// The handler: writes down, sends what is queued, and does what a test asks for.
pub(crate) struct Recorder {
    pub(crate) heard: Vec<Heard>,
    pub(crate) bytes: HashMap<ConnId, Vec<u8>>,
    pub(crate) outgoing: HashMap<ConnId, Outgoing>,
    pub(crate) pool: Pool,
    pub(crate) echoes: bool,
    pub(crate) sent: Vec<(ConnId, Sent)>,
    pub(crate) on_event: OnEvent,
}

impl Handler for Recorder {
    fn event(&mut self, event: Event<'_>) -> Demand {
        let heard = Heard::of(&event);
        if let Event::Received { conn, data } = event {
            assert!(!data.is_empty());
            self.bytes.entry(conn).or_default().extend_from_slice(data);
            if self.echoes {
                self.outgoing
                    .entry(conn)
                    .or_default()
                    .write(data, &mut self.pool);
            }
        }
        let demand = (self.on_event)(&heard, &mut self.outgoing, &mut self.pool);
        self.heard.push(heard);
        demand
    }

    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand {
        let last = self.heard.last().and_then(Heard::conn);
        assert_eq!(
            last,
            Some(conn),
            "flush comes right after an event of that connection"
        );
        if let Some(outgoing) = self.outgoing.get_mut(&conn)
            && !outgoing.is_empty()
        {
            self.sent.push((conn, send(outgoing, &mut self.pool)));
        }
        Demand::Continue
    }
}

pub(crate) struct World {
    pub(crate) driver: MioDriver,
    pub(crate) log: Recorder,
}

impl World {
    pub(crate) fn new() -> Self {
        let log = Recorder {
            heard: Vec::new(),
            bytes: HashMap::new(),
            outgoing: HashMap::new(),
            pool: Pool::default(),
            echoes: false,
            sent: Vec::new(),
            on_event: Box::new(|_, _, _| Demand::Continue),
        };
        Self {
            driver: MioDriver::new().unwrap(),
            log,
        }
    }

    pub(crate) fn on_event(
        &mut self,
        on_event: impl FnMut(&Heard, &mut HashMap<ConnId, Outgoing>, &mut Pool) -> Demand + 'static,
    ) {
        self.log.on_event = Box::new(on_event);
    }

    pub(crate) fn listen(&mut self) -> (ListenerId, SocketAddr) {
        self.listen_on("127.0.0.1:0").unwrap()
    }

    pub(crate) fn listen_on(&mut self, address: &str) -> io::Result<(ListenerId, SocketAddr)> {
        let (id, address) = self.driver.listen(&listen_options(address))?;
        Ok((id, address.socket().unwrap()))
    }

    pub(crate) fn connect(&mut self, address: SocketAddr) -> ConnId {
        self.driver.connect(&connect_options(address))
    }

    /// A connection accepted from a peer that is a plain socket.
    pub(crate) fn accepted(&mut self) -> (ConnId, TcpStream) {
        let (listener, address) = self.listen();
        let peer = TcpStream::connect(address).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let ends = (address, peer.local_addr().unwrap());
        let conn = self.wait("a connection", |log| {
            log.heard.iter().find_map(|heard| match heard {
                Heard::Accepted {
                    conn,
                    host,
                    peer: from,
                } if (*host, *from) == ends => Some(*conn),
                _ => None,
            })
        });
        self.driver.stop_listening(listener);
        (conn, peer)
    }

    /// Writes from outside of an event, as at the end of a turn.
    pub(crate) fn send(&mut self, conn: ConnId, bytes: &[u8]) -> Sent {
        let outgoing = self.log.outgoing.entry(conn).or_default();
        outgoing.write(bytes, &mut self.log.pool);
        self.driver.send(conn, outgoing, &mut self.log.pool)
    }

    pub(crate) fn unsent(&self, conn: ConnId) -> usize {
        self.log.outgoing.get(&conn).map_or(0, Outgoing::len)
    }

    pub(crate) fn poll(&mut self, timeout: Duration) {
        self.driver.poll(Some(timeout), &mut self.log).unwrap();
    }

    /// Polls until nothing happens at once.
    pub(crate) fn settle(&mut self) {
        loop {
            let before = self.log.heard.len();
            self.poll(Duration::ZERO);
            if self.log.heard.len() == before {
                return;
            }
        }
    }

    /// Polls until the condition gives something.
    pub(crate) fn wait<T>(
        &mut self,
        what: &str,
        mut done: impl FnMut(&Recorder) -> Option<T>,
    ) -> T {
        let limit = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = done(&self.log) {
                return result;
            }
            let left = limit.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what}; heard {:?}", self.log.heard);
            self.poll(left);
        }
    }

    pub(crate) fn wait_eof(&mut self, conn: ConnId) {
        self.wait("end", |log| {
            log.heard
                .iter()
                .find(|it| matches!(it, Heard::Eof(c) if *c == conn))
                .map(drop)
        });
    }

    pub(crate) fn wait_failed(&mut self, conn: ConnId) -> io::Error {
        self.wait("failure", |log| {
            log.heard.iter().find_map(|heard| match heard {
                Heard::Failed(c, error) | Heard::ConnectFailed(c, error) if *c == conn => {
                    Some(copy(error))
                }
                _ => None,
            })
        })
    }

    pub(crate) fn wait_bytes(&mut self, conn: ConnId, count: usize) {
        self.wait("bytes", |log| {
            (log.bytes.get(&conn)?.len() >= count).then_some(())
        });
    }

    pub(crate) fn wait_connected(&mut self, conn: ConnId) {
        self.wait("connection", |log| {
            log.heard
                .iter()
                .find(|it| matches!(it, Heard::Connected { conn: c, .. } if *c == conn))
                .map(drop)
        });
    }

    /// What was heard of a connection, as words.
    pub(crate) fn story(&self, conn: ConnId) -> Vec<&'static str> {
        let of_conn = self
            .log
            .heard
            .iter()
            .filter(|heard| heard.conn() == Some(conn));
        of_conn
            .map(|heard| match heard {
                Heard::Accepted { .. } => "accepted",
                Heard::Connected { .. } => "connected",
                Heard::ConnectFailed(..) => "connect failed",
                Heard::Received(..) => "received",
                Heard::Eof(_) => "eof",
                Heard::Writable(_) => "writable",
                Heard::Failed(..) => "failed",
                Heard::LookedUp(..) | Heard::Signal(_) => unreachable!(),
            })
            .collect()
    }
}

pub(crate) fn listen_options(address: &str) -> Listen {
    Listen::new(Address::Tcp(address.parse().unwrap()))
}

pub(crate) fn connect_options(address: SocketAddr) -> Connect {
    Connect {
        address: Address::Tcp(address),
        bind: None,
        options: StreamOptions::default(),
    }
}

/// What the peer reads until the end, or the error that came instead of it.
pub(crate) fn read_to_end(mut peer: &TcpStream) -> (Vec<u8>, Option<io::ErrorKind>) {
    let mut bytes = Vec::new();
    let result = peer.read_to_end(&mut bytes);
    (bytes, result.err().map(|error| error.kind()))
}

/// The CPU time of this thread (Linux).
pub(crate) struct CpuTime(File);

impl CpuTime {
    pub(crate) fn open() -> Self {
        Self(File::open("/proc/thread-self/schedstat").unwrap())
    }

    /// Needs no descriptor.
    pub(crate) fn read(&self) -> Duration {
        let mut text = [0; 64];
        let count = self.0.read_at(&mut text, 0).unwrap();
        let text = std::str::from_utf8(&text[..count]).unwrap();
        Duration::from_nanos(text.split_whitespace().next().unwrap().parse().unwrap())
    }
}
