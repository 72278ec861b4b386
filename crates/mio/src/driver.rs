//! The driver itself: one wait of the kernel, shared out to those who know what to do.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::{Events, Poll};
use ropewalk_core::address::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, Datagrams, Descriptors, Driver, Event, Handler, Job, Listen, ListenerId,
    LookupId, Processes, Sent, SocketOption, Wake,
};
use ropewalk_core::watchdog::{Lookout, Pulse};

use crate::accept::Listeners;
use crate::children::Children;
use crate::datagrams::DatagramPorts;
use crate::lookup::Lookups;
use crate::signal::SignalSource;
use crate::sockets::{Sockets, Turn};
use crate::stream::Readiness;
use crate::thread_pool::{ThreadPool, Work};
use crate::token::Target;
use crate::waker::MioWaker;
use crate::watchdog::Watching;
use crate::watches::Watches;

/// One for all connections: it stays in the processor's cache, and an idle connection owns none. A message of 64 KiB with its
/// head fits, so that it comes in one call and need not be put together.
const RECEIVE_BYTES: usize = 256 * 1024;

/// How many ready sockets one wait reports.
const EVENTS: usize = 1024;

/// The readiness driver: TCP, datagrams, names, processes, threads and signals of this machine.
///
/// ```
/// use ropewalk_core::driver::Driver;
/// use ropewalk_mio::MioDriver;
///
/// let driver = MioDriver::new()?;
/// assert!(driver.name().starts_with("mio"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MioDriver {
    pub(crate) poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    pub(crate) sockets: Sockets,
    pub(crate) listeners: Listeners,
    pub(crate) watches: Watches,
    pub(crate) datagrams: DatagramPorts,
    pub(crate) children: Children,
    lookups: Lookups,
    pool: ThreadPool,
    signals: Option<SignalSource>,
    waker: Arc<MioWaker>,
    start: Instant,
    pulse: Arc<Pulse>,
    watching: Option<Watching>,
}

impl MioDriver {
    /// A driver with nothing to do.
    ///
    /// # Errors
    ///
    /// The kernel's error: usually that no descriptor is left.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(MioWaker::new(poll.registry())?);
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS),
            buffer: vec![0; RECEIVE_BYTES].into(),
            sockets: Sockets::default(),
            listeners: Listeners::default(),
            watches: Watches::default(),
            datagrams: DatagramPorts::default(),
            children: Children::default(),
            lookups: Lookups::new(Arc::clone(&waker) as Arc<dyn Wake>),
            pool: ThreadPool::default(),
            signals: None,
            waker,
            start: Instant::now(),
            pulse: Arc::default(),
            watching: None,
        })
    }

    #[cfg(test)]
    pub(crate) fn listeners_mut(&mut self) -> &mut Listeners {
        &mut self.listeners
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// How long the kernel may wait, given what we ourselves have to do.
    fn patience(&self, timeout: Option<Duration>) -> Option<Duration> {
        if self.sockets.has_work() || self.datagrams.has_work() {
            return Some(Duration::ZERO);
        }
        match (self.sockets.deadline(), self.listeners.deadline()) {
            (None, None) => timeout,
            (lingers, rests) => {
                let ours = lingers.into_iter().chain(rests).min().unwrap_or_default();
                let ours = ours.saturating_sub(self.now());
                Some(timeout.map_or(ours, |timeout| timeout.min(ours)))
            }
        }
    }

    /// Hands out what the kernel reported, then what needs no report.
    fn dispatch(&mut self, handler: &mut dyn Handler) {
        self.sockets.report_failed(handler);
        let Self {
            poll,
            events,
            buffer,
            sockets,
            listeners,
            watches,
            datagrams,
            children,
            lookups,
            signals,
            waker,
            start,
            ..
        } = self;
        let mut turn = Turn {
            registry: poll.registry(),
            handler,
            buffer,
            start: *start,
        };
        // What is listed came before the events, and must not wait for a batch that never ends.
        sockets.serve_list(&mut turn);
        datagrams.serve_list(&mut turn);
        for event in events.iter() {
            match Target::of(event.token()) {
                Target::Stream(key) => sockets.serve(key, Readiness::from(event), &mut turn),
                Target::Listener(key) => listeners.serve(key, sockets, &mut turn),
                Target::Datagrams(key) => {
                    datagrams.serve(key, Readiness::from(event), &mut turn);
                }
                Target::Watch(key) => {
                    let readiness = Readiness::from(event);
                    watches.serve(key, readiness, turn.registry, turn.handler);
                }
                Target::Child(key) => children.serve(key, turn.handler),
                Target::Exits => children.serve_all(turn.handler),
                Target::Waker => waker.seen(),
                Target::Signals => report_signals(signals, turn.handler),
            }
        }
        listeners.serve_list(sockets, &mut turn);
        sockets.end_lingers(*start);
        lookups.report(handler);
    }
}

fn report_signals(signals: &mut Option<SignalSource>, handler: &mut dyn Handler) {
    for signal in signals.iter_mut().flat_map(SignalSource::pending) {
        handler.event(Event::Signal(signal));
    }
}

impl Driver for MioDriver {
    fn name(&self) -> &'static str {
        if cfg!(any(target_os = "linux", target_os = "android")) {
            "mio (epoll)"
        } else if cfg!(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "openbsd"
        )) {
            "mio (kqueue)"
        } else {
            "mio"
        }
    }

    /// From the standard library's hash keys, which come from the kernel; good for jitter, not for secrets.
    fn seed(&mut self) -> u64 {
        RandomState::new().build_hasher().finish()
    }

    /// The monotonic clock, read without a system call.
    fn clock(&self) -> Rc<dyn Fn() -> Duration> {
        let start = self.start;
        Rc::new(move || start.elapsed())
    }

    fn wall_clock(&self) -> Rc<dyn Fn() -> SystemTime> {
        Rc::new(SystemTime::now)
    }

    /// The kernel's.
    ///
    /// # Panics
    ///
    /// When the kernel gives none, which no supported one does once it has booted: secrets must not be made of anything else.
    fn entropy(&self) -> Rc<dyn Fn() -> u64> {
        Rc::new(|| getrandom::u64().expect("the kernel gives random bytes"))
    }

    fn listen(&mut self, listen: &Listen) -> io::Result<(ListenerId, Address)> {
        self.listeners.listen(listen, self.poll.registry())
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        self.listeners.stop(listener, self.poll.registry());
    }

    fn connect(&mut self, connect: &Connect) -> ConnId {
        self.sockets.connect(connect, self.poll.registry())
    }

    #[inline]
    fn send(&mut self, conn: ConnId, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent {
        match self.sockets.get_mut(conn) {
            Some(stream) => {
                let token = Target::Stream(conn.0).token();
                stream.send(outgoing, pool, self.poll.registry(), token)
            }
            None => Sent::Failed(io::ErrorKind::NotConnected.into()),
        }
    }

    fn resume(&mut self, conn: ConnId) {
        self.sockets.resume(conn);
    }

    fn pause(&mut self, conn: ConnId) {
        if let Some(stream) = self.sockets.get_mut(conn) {
            stream.paused = true;
        }
    }

    /// An error is not reported: the connection is broken then, and reading will say so.
    fn shutdown_write(&mut self, conn: ConnId) {
        if let Err(error) = self.sockets.shutdown_write(conn) {
            tracing::debug!(%error, "cannot half-close");
        }
    }

    fn close(&mut self, conn: ConnId) {
        let now = self.now();
        self.sockets.close(conn, now);
    }

    fn abort(&mut self, conn: ConnId) {
        self.sockets.abort(conn);
    }

    fn set_option(&mut self, conn: ConnId, option: SocketOption) -> io::Result<()> {
        match self.sockets.get_mut(conn) {
            Some(stream) => stream.set_option(option),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn lookup(&mut self, name: &str) -> LookupId {
        self.lookups.start(name, &mut self.pool)
    }

    fn cancel_lookup(&mut self, lookup: LookupId) {
        self.lookups.cancel(lookup);
    }

    fn run_in_thread(&mut self, job: Job) {
        self.pool.run(Work::Job(job));
    }

    /// At least 1.
    fn set_thread_limit(&mut self, threads: usize) {
        self.pool.set_limit(threads);
    }

    /// A look-up under way is not waited for: it may take half a minute. Jobs given after this are dropped.
    fn stop_threads(&mut self) {
        self.pool.stop();
    }

    fn catch_signals(&mut self) -> io::Result<()> {
        if self.signals.is_none() {
            self.signals = Some(SignalSource::catch(self.poll.registry())?);
        }
        Ok(())
    }

    fn datagrams(&mut self) -> Option<&mut dyn Datagrams> {
        Some(self)
    }

    fn descriptors(&mut self) -> Option<&mut dyn Descriptors> {
        Some(self)
    }

    fn processes(&mut self) -> Option<&mut dyn Processes> {
        Some(self)
    }

    /// Starts a thread, which sleeps while the reactor does.
    fn watch(&mut self, lookout: Lookout) {
        self.pulse = Arc::clone(lookout.pulse());
        self.watching = Watching::start(lookout, self.start);
    }

    fn waker(&self) -> Arc<dyn Wake> {
        Arc::clone(&self.waker) as Arc<dyn Wake>
    }

    /// Time-outs are rounded up to whole milliseconds, the kernel's grain, so that none turns into a busy loop. One of
    /// more than 24 days ends early, with nothing to report.
    fn poll(&mut self, timeout: Option<Duration>, handler: &mut dyn Handler) -> io::Result<()> {
        let patience = self.patience(timeout);
        self.pulse.rest();
        let polled = self.poll.poll(&mut self.events, patience);
        self.pulse.work();
        match polled {
            // A signal handler ran; if it was ours, the next wait reports it.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        self.dispatch(handler);
        Ok(())
    }
}
