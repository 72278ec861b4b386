//! The lower seam: what moves bytes.
//!
//! A driver knows the kernel (or pretends to be one, as the simulated network does); it knows nothing of protocols,
//! layers or timers. It is completion-shaped: it reports *what happened*, not *what may be tried*, because readiness can
//! imitate completion cheaply and not the reverse.
//!
//! ```text
//!   Driver::poll ─► Handler::event(Received(&mut bytes)) ─► user code, which may only queue
//!                ◄─ Demand: go on, pause, close
//!                ─► Handler::flush(conn, send)            what the event wrote leaves now, in one send
//! ```

mod datagram_queue;
mod datagrams;
mod descriptors;
mod processes;
mod wake;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::descriptors::{Descriptors, Interest, WatchId};
pub use self::processes::{ProcessId, Processes, Spawned};
pub use self::wake::Wake;
use crate::address::Address;
use crate::buffer::{Outgoing, Pool};
use crate::descriptor::{Descriptor, PeerCredentials};
use crate::process::ExitStatus;
use crate::slots::Key;
use crate::watchdog::Lookout;

pub use datagram_queue::DatagramQueue;
pub use datagrams::{Bind, DatagramOption, Datagrams, Interface, PortId};

/// Names a connection of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub Key);

/// Names a listening socket of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub Key);

/// Names a name look-up of one driver, and never two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LookupId(pub Key);

/// Work for a thread of the pool.
pub type Job = Box<dyn FnOnce() + Send>;

/// Moves bytes between the reactor and the world.
///
/// *Guaranteed* to the reactor by every driver, and checked by the conformance suite:
/// - an id names one connection for ever; after [`close`](Driver::close) or [`abort`](Driver::abort) no event names it;
/// - the handler is called only from within [`poll`](Driver::poll);
/// - after `Eof` there is no `Received`, after `Failed` or `ConnectFailed` there is nothing;
/// - bytes are received in the order sent, and none while paused.
pub trait Driver {
    /// The driver's name, as `ropewalk reactors` shows it: `mio (epoll)`, `sim`.
    fn name(&self) -> &'static str;

    /// The clock: tells the time since some fixed moment, and never goes back. Handles keep it to ask at any time.
    fn clock(&self) -> Rc<dyn Fn() -> Duration>;

    /// A number by chance, from which the reactor draws its jitter; from the world's seed on a simulated driver.
    fn seed(&mut self) -> u64;

    /// The time of day: for what is shown to others, such as the `Date` of a response. It may jump; time spans are measured with
    /// [`clock`](Self::clock). The simulated driver's days begin at a fixed date and pass with its virtual time.
    fn wall_clock(&self) -> Rc<dyn Fn() -> SystemTime>;

    /// Numbers that nobody can guess, for keys and names of sessions; from the world's seed on a simulated driver, where secrets
    /// are none.
    fn entropy(&self) -> Rc<dyn Fn() -> u64>;

    /// Starts to listen; returns the real address (with the port that 0 stood for).
    ///
    /// # Errors
    ///
    /// The kernel's error: the address is busy, forbidden, or not ours.
    fn listen(&mut self, listen: &Listen) -> io::Result<(ListenerId, Address)>;

    /// Stops to listen; established connections live on. The address is free when this returns.
    fn stop_listening(&mut self, listener: ListenerId);

    /// Starts to connect. The outcome is an event, [`Event::Connected`] or [`Event::ConnectFailed`], also when it is
    /// known at once. Giving up is [`close`](Driver::close).
    fn connect(&mut self, connect: &Connect) -> ConnId;

    /// Sends what it can, and takes it from the queue.
    fn send(&mut self, conn: ConnId, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent;

    /// Reads again after [`Demand::Pause`] or [`pause`](Driver::pause).
    fn resume(&mut self, conn: ConnId);

    /// Delivers nothing more until [`resume`](Driver::resume), so that back-pressure reaches the peer.
    fn pause(&mut self, conn: ConnId);

    /// Ends our half of the stream, after everything sent.
    fn shutdown_write(&mut self, conn: ConnId);

    /// Ends the connection in order: the peer gets everything that was sent, then an end.
    ///
    /// The driver may linger on its own for a bounded time, because a socket closed over unread bytes resets, and a
    /// reset destroys what the peer has not read yet.
    fn close(&mut self, conn: ConnId);

    /// Ends the connection at once with a reset; what was not sent is lost.
    fn abort(&mut self, conn: ConnId);

    /// Sets an option of the socket.
    ///
    /// # Errors
    ///
    /// The kernel's error, or `Unsupported`.
    fn set_option(&mut self, conn: ConnId, option: SocketOption) -> io::Result<()>;

    /// Looks up the addresses of a host name. The outcome is [`Event::LookedUp`]. Literals never come here.
    fn lookup(&mut self, name: &str) -> LookupId;

    /// Gives up a look-up: no event will name it.
    fn cancel_lookup(&mut self, lookup: LookupId);

    /// Runs a job in the thread pool; more jobs than threads wait in order.
    fn run_in_thread(&mut self, job: Job);

    /// Changes how many threads the pool may have (by default 10).
    fn set_thread_limit(&mut self, threads: usize);

    /// Waits until every job in a thread has ended, and joins the threads. Jobs not yet begun are dropped.
    fn stop_threads(&mut self);

    /// Reports signals as [`Event::Signal`] from now on.
    ///
    /// # Errors
    ///
    /// The kernel's error.
    fn catch_signals(&mut self) -> io::Result<()>;

    /// UDP and UNIX datagrams, if this driver has them.
    fn datagrams(&mut self) -> Option<&mut dyn Datagrams> {
        None
    }

    /// What the driver can do with descriptors that come from elsewhere; `None` if nothing.
    fn descriptors(&mut self) -> Option<&mut dyn Descriptors> {
        None
    }

    /// What the driver can do with child processes; `None` if nothing.
    fn processes(&mut self) -> Option<&mut dyn Processes> {
        None
    }

    /// Has the reactor looked at from now on, and marks in its [`Pulse`](crate::watchdog::Pulse) when it waits. Called at
    /// most once, before the first `poll`; unless this is overridden, nobody looks.
    fn watch(&mut self, _lookout: Lookout) {}

    /// What other threads use to end a `poll`.
    fn waker(&self) -> Arc<dyn Wake>;

    /// Waits for events, at most `timeout` (for ever if `None`), and hands each to the handler.
    ///
    /// # Errors
    ///
    /// The kernel refuses to wait; or, on the simulated driver, the world can never move again ([`Deadlock`]).
    fn poll(&mut self, timeout: Option<Duration>, handler: &mut dyn Handler) -> io::Result<()>;
}

/// Who is told what happened: the reactor.
pub trait Handler {
    /// Something happened. User code may run inside, and can only queue.
    fn event(&mut self, event: Event<'_>) -> Demand;

    /// The event of `conn` is over: whatever it queued leaves now, through `send`.
    ///
    /// Called by the driver after every event that names a connection, unless the demand was [`Demand::Close`].
    fn flush(
        &mut self,
        conn: ConnId,
        send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent,
    ) -> Demand;

    /// Some events of a datagram port are over: whatever they queued leaves now, through `send`.
    ///
    /// Called by the driver after every batch of [`Event::Datagram`]s of one port, and after its other events.
    fn flush_datagrams(
        &mut self,
        port: PortId,
        send: &mut dyn FnMut(&mut DatagramQueue) -> Sent,
    ) -> Demand {
        let _ = (port, send);
        Demand::Continue
    }
}

/// What happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A listener has a new connection.
    Accepted {
        /// The listener it came to.
        listener: ListenerId,
        /// Its name from now on.
        conn: ConnId,
        /// Our end.
        host: Address,
        /// Their end.
        peer: Address,
        /// Who they are, where the kernel tells.
        credentials: Option<PeerCredentials>,
    },
    /// A listener in hand-over mode ([`Listen::hand_over`]) has a new connection, for another reactor to serve.
    Handed {
        /// The listener it came to.
        listener: ListenerId,
        /// The connection.
        descriptor: Descriptor,
        /// Our end.
        host: Address,
        /// Their end.
        peer: Address,
    },
    /// A connection asked for by [`Driver::connect`] is there.
    Connected {
        /// The connection.
        conn: ConnId,
        /// Our end.
        host: Address,
        /// Their end.
        peer: Address,
        /// Who they are, where the kernel tells.
        credentials: Option<PeerCredentials>,
    },
    /// It will never be there.
    ConnectFailed {
        /// The connection that never was.
        conn: ConnId,
        /// Why.
        error: io::Error,
    },
    /// Bytes. The slice may be changed in place and is gone on return.
    Received {
        /// The connection.
        conn: ConnId,
        /// At least one byte.
        data: &'a mut [u8],
    },
    /// Descriptors that a UNIX socket brought, and the bytes that came with them: the descriptors are told first.
    DescriptorsReceived {
        /// The connection.
        conn: ConnId,
        /// At least one, at most [`MOST_DESCRIPTORS`](crate::buffer::MOST_DESCRIPTORS).
        descriptors: Vec<Descriptor>,
        /// At least one byte.
        data: &'a mut [u8],
    },
    /// The peer sends nothing more (it closed, or half-closed).
    Eof {
        /// The connection.
        conn: ConnId,
    },
    /// After [`Sent::Blocked`]: more may be sent. After [`Sent::Taken`]: the bytes are gone.
    Writable {
        /// The connection.
        conn: ConnId,
    },
    /// The connection broke, and is closed.
    Failed {
        /// The connection.
        conn: ConnId,
        /// How.
        error: io::Error,
    },
    /// A look-up ended.
    LookedUp {
        /// The look-up.
        lookup: LookupId,
        /// The addresses in the order of preference, or why there are none.
        result: io::Result<Vec<IpAddr>>,
    },
    /// A watched descriptor is ready; it will be named again in the next turn while it is.
    Ready {
        /// The watch.
        watch: WatchId,
        /// For what.
        ready: Interest,
    },
    /// A child process has exited, and was waited for; its name is gone.
    ProcessExited {
        /// The child.
        process: ProcessId,
        /// How it ended.
        status: ExitStatus,
    },
    /// The process got a signal.
    Signal(Signal),
    /// A datagram.
    Datagram {
        /// The port it came to.
        port: PortId,
        /// Who sent it.
        peer: &'a Address,
        /// Its bytes, cut to the port's limit; there may be none. They may be changed in place and are gone on return.
        data: &'a mut [u8],
    },
    /// Nobody listens where a connected port sent to, or there is no way to there. The port lives on.
    DatagramsRefused {
        /// The port that sent.
        port: PortId,
        /// What the network answered.
        error: io::Error,
    },
    /// After [`Sent::Blocked`] from [`Datagrams::send`]: more may be sent.
    DatagramsWritable {
        /// The port that was blocked.
        port: PortId,
    },
}

/// What the reactor wants next from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Go on reading.
    Continue,
    /// Read nothing until [`Driver::resume`].
    Pause,
    /// The reactor has forgotten this connection (or refused it): close it, name it no more.
    Close,
}

/// What became of the bytes given to [`Driver::send`].
#[derive(Debug)]
pub enum Sent {
    /// All are with the kernel.
    Done,
    /// Some are left in the queue; [`Event::Writable`] follows.
    Blocked,
    /// The driver took some or all out of the queue and holds them; [`Event::Writable`] follows when these are gone.
    Taken,
    /// None can ever be sent again.
    Failed(io::Error),
}

/// Where and how to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 picks a free one.
    pub address: Address,
    /// How many connections the kernel keeps waiting to be accepted.
    pub backlog: u32,
    /// Whether several sockets may listen on this address, with the kernel sharing out connections.
    pub reuse_port: bool,
    /// Options of every accepted connection; set on the listener and inherited, so they cost nothing per connection.
    pub options: StreamOptions,
    /// What matters only for a UNIX socket.
    pub unix: UnixOptions,
    /// Whether connections come as descriptors, for another reactor to serve ([`Event::Handed`]).
    pub hand_over: bool,
}

impl Listen {
    /// Listening at an address, otherwise as usual.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            backlog: crate::endpoint::TcpServer::DEFAULT_BACKLOG,
            reuse_port: false,
            options: StreamOptions::default(),
            unix: UnixOptions::default(),
            hand_over: false,
        }
    }
}

/// How the path of a UNIX socket is made at which a server listens or datagrams are received (R88).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixOptions {
    /// The permission bits of the path: who may connect. By default 0666, everybody who may reach its directory.
    pub mode: u32,
    /// Whether a lock beside the path, `PATH.lock`, is held for life: then the path of a server that died is taken over.
    /// Without, a path that is there is always refused.
    pub lock: bool,
}

impl UnixOptions {
    /// What holds if nothing is said.
    pub const USUAL: Self = Self {
        mode: 0o666,
        lock: false,
    };
}

impl Default for UnixOptions {
    fn default() -> Self {
        Self::USUAL
    }
}

/// Where and how to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The address of the peer.
    pub address: Address,
    /// Our own address, if it matters.
    pub bind: Option<Address>,
    /// Options of the connection.
    pub options: StreamOptions,
}

/// Options of a stream socket that are set before it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Send small segments at once. On by default: the reactor gathers the writes of a turn itself.
    pub no_delay: bool,
    /// Probe a silent peer after this time, so that one that vanished is noticed. By default after 60 s.
    pub keep_alive: Option<Duration>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self {
            no_delay: true,
            keep_alive: Some(Duration::from_secs(60)),
        }
    }
}

/// An option of a connected socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketOption {
    /// Send small segments at once (`TCP_NODELAY`).
    NoDelay(bool),
    /// Probe a silent peer after this time (`SO_KEEPALIVE`), or never.
    KeepAlive(Option<Duration>),
    /// Give up when sent bytes stay unacknowledged for this long (`TCP_USER_TIMEOUT`, Linux); `None` is the kernel's.
    UserTimeout(Option<Duration>),
}

/// A signal of the process that the reactor hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// `SIGINT`: a user's Ctrl-C.
    Interrupt,
    /// `SIGTERM`: a service manager's stop.
    Terminate,
    /// `SIGHUP`: by custom, reload.
    Hangup,
}

impl Signal {
    /// The number that the shell adds to 128 for a process that this signal ended.
    #[must_use]
    pub const fn number(self) -> i32 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Terminate => 15,
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        })
    }
}

/// A simulated world that can never move again: nothing is under way and no timer is set, yet the reactor runs on.
///
/// It travels inside the `io::Error` of [`Driver::poll`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// Who waits for what, a line each.
    pub waiting: Vec<String>,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: nothing is under way and no timer is set")?;
        self.waiting
            .iter()
            .try_for_each(|line| write!(f, "; {line}"))
    }
}

impl std::error::Error for Deadlock {}
