//! The simulated driver: one host's socket calls, answered by a [`World`].

mod datagrams;

use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    ConnId, Connect, Datagrams, Demand, Descriptors, Driver, Event, Handler, Job, Listen,
    ListenerId, LookupId, Sent, SocketOption, Wake,
};
use ropewalk_core::slots::Key;
use ropewalk_core::watchdog::{Lookout, Pulse};
use ropewalk_core::{Address, Descriptor};

use crate::handshake::{Accepted, At};
use crate::host::Ready;
use crate::network::Network;
use crate::notice::Notice;
use crate::random::Seed;
use crate::strand::{self, Step, Strand};
use crate::world::World;

/// What kind of kernel a driver pretends to sit on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// epoll, kqueue: a send takes what fits now, and the rest stays with the reactor.
    #[default]
    Readiness,
    /// io_uring: a send takes everything, and the driver holds it until it is gone.
    Completion,
}

/// The driver of one simulated host.
///
/// The only driver of a world moves its time itself, so that a reactor on it needs nothing else. Where several hosts
/// share a world, [`World::run`] moves it, and a driver that is asked to wait says so.
///
/// ```
/// use ropewalk_core::driver::Driver;
/// use ropewalk_sim::{Mood, SimDriver};
///
/// let driver = SimDriver::alone(42).with_mood(Mood::Completion);
/// assert_eq!(driver.name(), "sim");
/// assert!(driver.clock()().is_zero());
/// ```
pub struct SimDriver {
    world: World,
    host: usize,
    life: u64,
    waker: Arc<Waker>,
    /// Jobs that wait for the reactor, in order.
    blocked: Vec<(u64, Strand)>,
    buffer: Vec<u8>,
    /// How often in a row it was polled at this moment for nothing.
    idle_polls: u32,
    idle_at: Duration,
    pulse: Arc<Pulse>,
}

/// A reactor that never waits must not stop time: after so many idle polls in a row each takes [`IDLE_TIME`].
pub(crate) const IDLE_POLLS: u32 = 1000;
pub(crate) const IDLE_TIME: Duration = Duration::from_micros(1);

impl SimDriver {
    /// A driver in a world of its own, with one host named `sim`, which has 10.0.0.1 and fd00::1.
    #[must_use]
    pub fn alone(seed: impl Into<Seed>) -> Self {
        World::new(seed).driver("sim")
    }

    /// The same driver on another kind of kernel.
    #[must_use]
    pub fn with_mood(self, mood: Mood) -> Self {
        self.world.network().hosts[self.host].mood = mood;
        self
    }

    /// Its world, to provoke faults in and to look at.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    pub(crate) fn attach(world: &World, host: usize) -> Self {
        let mut network = world.network();
        let own = &mut network.hosts[host];
        assert!(
            !own.driven,
            "host {:?} has a driver already; one process runs on each",
            own.name
        );
        own.driven = true;
        let life = own.life;
        network.hosts[host].mood = network.mood;
        Self {
            world: world.clone(),
            host,
            life,
            waker: Arc::default(),
            blocked: Vec::new(),
            buffer: Vec::new(),
            idle_polls: 0,
            idle_at: Duration::ZERO,
            pulse: Arc::default(),
        }
    }

    /// Calls into the network for this host; nothing, once it crashed.
    pub(crate) fn ask<T>(&self, ask: impl FnOnce(&mut Network, usize) -> T) -> Option<T> {
        let mut network = self.world.network();
        (network.hosts[self.host].life == self.life).then(|| ask(&mut network, self.host))
    }

    /// Runs jobs whose time has come, and lets blocked ones look for their answer.
    fn run_jobs(&mut self) {
        for (number, strand) in std::mem::take(&mut self.blocked) {
            let step = strand.resume();
            self.job_stepped(number, strand, step);
        }
        while let Some((number, job)) = self.ask(Network::take_job).flatten() {
            let (strand, step) = Strand::start(job);
            self.job_stepped(number, strand, step);
        }
        let blocked = self.blocked.len();
        self.ask(|network, host| network.hosts[host].threads.blocked = blocked);
    }

    fn job_stepped(&mut self, number: u64, strand: Strand, step: Step) {
        match step {
            Step::Blocked => self.blocked.push((number, strand)),
            Step::Ended => _ = self.ask(|network, host| network.job_ended(host, number)),
        }
    }

    /// Tells everything that is ready; whether there was anything.
    fn deliver(&mut self, handler: &mut dyn Handler) -> bool {
        let ready = self.ask(Network::take_ready).unwrap_or_default();
        let mut told = false;
        for ready in ready {
            told |= match ready {
                Ready::Listener(listener) => self.tell_accepted(listener, handler),
                Ready::Conn(conn) => self.tell_conn(conn, handler),
                Ready::Port(port) => self.tell_port(port, handler),
                Ready::Lookup(lookup) => self.tell_lookup(lookup, handler),
                Ready::Signal(signal) => {
                    handler.event(Event::Signal(signal));
                    true
                }
            };
        }
        told
    }

    fn tell_accepted(&mut self, listener: ListenerId, handler: &mut dyn Handler) -> bool {
        let mut told = false;
        while let Some(accepted) = self
            .ask(|network, host| network.accept(host, listener))
            .flatten()
        {
            self.tell_one_accepted(listener, accepted, handler);
            told = true;
        }
        told
    }

    fn tell_one_accepted(
        &mut self,
        listener: ListenerId,
        Accepted { at, host, peer }: Accepted,
        handler: &mut dyn Handler,
    ) {
        let conn = match at {
            At::Conn(conn) => conn,
            At::Descriptor(descriptor) => {
                handler.event(Event::Handed {
                    listener,
                    descriptor: Descriptor::new(descriptor),
                    host,
                    peer,
                });
                return;
            }
        };
        match handler.event(Event::Accepted {
            listener,
            conn,
            host,
            peer,
            credentials: None,
        }) {
            Demand::Close => _ = self.ask(|network, host| network.refuse(host, conn)),
            demand => self.after_event(conn, demand, handler),
        }
    }

    fn tell_lookup(&mut self, lookup: LookupId, handler: &mut dyn Handler) -> bool {
        let result = self
            .ask(|network, host| network.take_looked_up(host, lookup))
            .flatten();
        let Some(result) = result else { return false };
        handler.event(Event::LookedUp { lookup, result });
        true
    }

    fn tell_conn(&mut self, conn: ConnId, handler: &mut dyn Handler) -> bool {
        let mut buffer = std::mem::take(&mut self.buffer);
        let notice = self
            .ask(|network, host| network.take_notice(host, conn, &mut buffer))
            .flatten();
        let told = notice.is_some();
        if let Some(notice) = notice {
            let is_last = matches!(notice, Notice::ConnectFailed(_) | Notice::Failed(_));
            let demand = handler.event(event(conn, notice, &mut buffer));
            if !is_last {
                self.after_event(conn, demand, handler);
            }
        }
        self.buffer = buffer;
        told
    }

    /// Does what the handler demands, and collects what the event made it write.
    fn after_event(&mut self, conn: ConnId, demand: Demand, handler: &mut dyn Handler) {
        self.obey(conn, demand);
        if demand != Demand::Close {
            let mut send = |outgoing: &mut Outgoing, pool: &mut Pool| {
                self.ask(|network, host| network.send(host, conn, outgoing, pool))
                    .unwrap_or_else(|| Sent::Failed(io::ErrorKind::NotConnected.into()))
            };
            let demand = handler.flush(conn, &mut send);
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

    /// One more poll for nothing.
    fn idle(&mut self, now: Duration) {
        if std::mem::replace(&mut self.idle_at, now) != now {
            self.idle_polls = 0;
        }
        self.idle_polls += 1;
        if self.idle_polls > IDLE_POLLS && self.world.drivers() == 1 {
            self.world.advance(now + IDLE_TIME);
            self.idle_at = now + IDLE_TIME;
        }
    }

    /// Lets time pass until something happens, at most until `until`; false if that was now.
    fn wait(&mut self, until: Option<Duration>) -> io::Result<bool> {
        let now = self.world.now();
        if until.is_some_and(|until| until <= now) {
            self.idle(now);
            return Ok(false);
        }
        if self.world.drivers() > 1 {
            return Err(io::Error::other(
                "several hosts share this world, so none may wait on its own: run their reactors with World::run",
            ));
        }
        match self.world.next().into_iter().chain(until).min() {
            Some(next) => self.world.advance(next),
            None => return Err(io::Error::other(self.world.deadlock())),
        }
        Ok(true)
    }
}

fn event(conn: ConnId, notice: Notice, data: &mut [u8]) -> Event<'_> {
    match notice {
        Notice::Connected { host, peer } => Event::Connected {
            conn,
            host,
            peer,
            credentials: None,
        },
        Notice::ConnectFailed(error) => Event::ConnectFailed { conn, error },
        Notice::Writable => Event::Writable { conn },
        Notice::Received => Event::Received { conn, data },
        Notice::DescriptorsReceived(descriptors) => Event::DescriptorsReceived {
            conn,
            descriptors,
            data,
        },
        Notice::Eof => Event::Eof { conn },
        Notice::Failed(error) => Event::Failed { conn, error },
    }
}

impl Driver for SimDriver {
    fn name(&self) -> &'static str {
        "sim"
    }

    fn seed(&mut self) -> u64 {
        self.world.network().random.number()
    }

    fn clock(&self) -> Rc<dyn Fn() -> Duration> {
        let now = self.world.network().now.clone();
        Rc::new(move || now.get())
    }

    /// The first second of 2026, and what has passed since the world began.
    fn wall_clock(&self) -> Rc<dyn Fn() -> SystemTime> {
        let (now, start) = (self.clock(), Duration::from_secs(1_767_225_600));
        Rc::new(move || SystemTime::UNIX_EPOCH + start + now())
    }

    fn entropy(&self) -> Rc<dyn Fn() -> u64> {
        let world = self.world.clone();
        Rc::new(move || world.network().random.number())
    }

    fn listen(&mut self, listen: &Listen) -> io::Result<(ListenerId, Address)> {
        let listening = self.ask(|network, host| network.listen(host, listen));
        listening.unwrap_or_else(|| Err(crashed()))
    }

    fn stop_listening(&mut self, listener: ListenerId) {
        self.ask(|network, host| network.stop_listening(host, listener));
    }

    fn connect(&mut self, connect: &Connect) -> ConnId {
        self.ask(|network, host| network.connect(host, connect))
            .unwrap_or_else(nobody)
    }

    fn send(&mut self, conn: ConnId, outgoing: &mut Outgoing, pool: &mut Pool) -> Sent {
        self.ask(|network, host| network.send(host, conn, outgoing, pool))
            .unwrap_or_else(|| Sent::Failed(crashed()))
    }

    fn resume(&mut self, conn: ConnId) {
        self.ask(|network, host| network.set_paused(host, conn, false));
    }

    fn pause(&mut self, conn: ConnId) {
        self.ask(|network, host| network.set_paused(host, conn, true));
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        self.ask(|network, host| network.shutdown_write(host, conn));
    }

    fn close(&mut self, conn: ConnId) {
        self.ask(|network, host| network.close(host, conn));
    }

    fn abort(&mut self, conn: ConnId) {
        self.ask(|network, host| network.abort(host, conn));
    }

    fn set_option(&mut self, conn: ConnId, option: SocketOption) -> io::Result<()> {
        self.ask(|network, host| network.set_option(host, conn, option))
            .unwrap_or_else(|| Err(crashed()))
    }

    fn lookup(&mut self, name: &str) -> LookupId {
        let id = self.ask(|network, host| network.look_up(host, name));
        id.unwrap_or_else(|| LookupId(nobody().0))
    }

    fn cancel_lookup(&mut self, lookup: LookupId) {
        self.ask(|network, host| network.cancel_lookup(host, lookup));
    }

    fn run_in_thread(&mut self, job: Job) {
        self.ask(|network, host| network.run_in_thread(host, job));
    }

    fn set_thread_limit(&mut self, threads: usize) {
        self.ask(|network, host| network.set_thread_limit(host, threads));
    }

    /// Jobs that have a thread run to their end now, in no time; one that waits for the reactor gets no answer.
    fn stop_threads(&mut self) {
        self.ask(Network::hurry_jobs);
        self.run_jobs();
        for (number, strand) in std::mem::take(&mut self.blocked) {
            drop(strand);
            self.ask(|network, host| network.job_ended(host, number));
        }
    }

    fn catch_signals(&mut self) -> io::Result<()> {
        self.ask(|network, host| network.hosts[host].catches_signals = true)
            .ok_or_else(crashed)
    }

    fn datagrams(&mut self) -> Option<&mut dyn Datagrams> {
        Some(self)
    }

    fn descriptors(&mut self) -> Option<&mut dyn Descriptors> {
        Some(self)
    }

    /// Looked at whenever somebody spends time: nothing else takes any.
    fn watch(&mut self, lookout: Lookout) {
        self.pulse = Arc::clone(lookout.pulse());
        self.ask(|network, host| network.hosts[host].lookout = Some(lookout));
    }

    fn waker(&self) -> Arc<dyn Wake> {
        self.waker.clone()
    }

    fn poll(&mut self, timeout: Option<Duration>, handler: &mut dyn Handler) -> io::Result<()> {
        let until = timeout.and_then(|timeout| self.world.now().checked_add(timeout));
        loop {
            self.world.settle();
            self.ask(|_, _| ()).ok_or_else(crashed)?;
            self.run_jobs();
            self.pulse.work();
            let told = self.deliver(handler);
            if told | self.waker.take() {
                self.idle_polls = 0;
                return Ok(());
            }
            self.pulse.rest();
            if !self.wait(until)? {
                self.pulse.work();
                return Ok(());
            }
        }
    }
}

impl Drop for SimDriver {
    /// The process ends: its kernel closes what it had.
    fn drop(&mut self) {
        self.blocked.clear();
        self.ask(Network::exit);
    }
}

impl fmt::Debug for SimDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let network = self.world.network();
        f.debug_struct("SimDriver")
            .field("host", &network.hosts[self.host].name)
            .finish_non_exhaustive()
    }
}

pub(crate) fn crashed() -> io::Error {
    io::Error::other(Crashed)
}

/// The host of a driver crashed, so the driver is dead. It travels inside the `io::Error` of the driver's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crashed;

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this simulated host crashed; attach a new driver when it is up again")
    }
}

impl std::error::Error for Crashed {}

/// The name of a connection that no host ever had; a small index, since reactors keep tables.
fn nobody() -> ConnId {
    ConnId(Key::new(0, u32::MAX))
}

#[derive(Debug, Default)]
struct Waker {
    woken: AtomicBool,
}

impl Waker {
    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::Acquire)
    }
}

impl Wake for Waker {
    fn wake(&self) {
        self.woken.store(true, Ordering::Release);
    }

    fn block(&self, answered: &mut dyn FnMut(bool) -> bool) {
        strand::block(answered);
    }
}
