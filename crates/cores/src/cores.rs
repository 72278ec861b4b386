//! Reactors on threads of their own: made together, run together, stopped together.
//!
//! ```text
//!   run ─► set up core 0 ─► core 1 ─► … ─► all run ─► one stops, or SIGTERM ─► all drain ─► joined
//!              └── one fails: none ever runs ──┘
//! ```

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use ropewalk_core::driver::Driver;
use ropewalk_core::service::Grace;
use ropewalk_core::{Failure, Handle, Phase, Reactor, Remote, RunError};
use ropewalk_mio::MioDriver;

use crate::core::Core;
use crate::hub::Hub;
use crate::mailbox::locked;

/// Several cores with one reactor each.
///
/// Protocols and factories are made on the core that uses them, by the `setup` of [`run`](Self::run), which is called
/// once on each core. So they need be neither `Send` nor locked.
///
/// ```no_run
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_cores::{Cores, Sharing};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// fn main() -> Result<(), ropewalk_core::Failure> {
///     Cores::new(4).run(|reactor, core: &ropewalk_cores::Core<()>| {
///         core.listen(reactor, "tcp:127.0.0.1:8000", Sharing::Kernel, || Echo)?;
///         Ok(())
///     })
/// }
/// ```
pub struct Cores {
    count: usize,
    catches_signals: bool,
    grace: Option<Grace>,
}

impl Cores {
    /// So many cores; 0 is as many as this process may use at once.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let available = || thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            count: if count == 0 { available() } else { count },
            catches_signals: false,
            grace: Some(Grace::default()),
        }
    }

    /// How many cores there will be.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Stops all cores at SIGINT and SIGTERM; a second one ends at once.
    #[must_use]
    pub fn catching_signals(mut self) -> Self {
        self.catches_signals = true;
        self
    }

    /// How long the work in flight may take when they stop, on all cores; `None` waits for none.
    #[must_use]
    pub fn grace(mut self, grace: Option<Grace>) -> Self {
        self.grace = grace;
        self
    }

    /// Runs until a core stops, which stops all with their [grace](Self::grace): each finishes what is in flight and has its
    /// shutdown, and core 0, the thread that calls this, goes on until the others have ended. After a crash of core 0 (a
    /// second signal) nobody is waited for.
    ///
    /// `setup` is called on each core before any runs, on core 0 first. When one fails, nothing runs and nothing is left.
    ///
    /// # Errors
    ///
    /// What `setup` gave, or why a driver could not go on. The core is named.
    pub fn run<M: Send + 'static>(
        self,
        setup: impl Fn(&mut Reactor, &Core<M>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let mut reactor = self.first_reactor().map_err(|error| of_core(0, &error))?;
        reactor.set_grace(self.grace);
        let hub = Hub::new(self.count);
        let first = hub.join(0, &reactor);
        setup(&mut reactor, &first)?;
        let setup: Arc<Setup<M>> = Arc::new(setup);
        let others = Others::start(&hub, &reactor.remote(), &setup, self.grace)?;
        others.stop_with(&reactor, self.grace);
        let ran = reactor.run().map_err(|error| of_core(0, &error));
        drop(reactor);
        let end = Arc::clone(&others.end);
        if end.has_come() {
            others.join();
        }
        ran.and(end.failure())
    }

    fn first_reactor(&self) -> io::Result<Reactor> {
        let mut driver = MioDriver::new()?;
        if self.catches_signals {
            driver.catch_signals()?;
            return Ok(Reactor::new(driver).catching_signals());
        }
        Ok(Reactor::new(driver))
    }
}

type Setup<M> = dyn Fn(&mut Reactor, &Core<M>) -> Result<(), Failure> + Send + Sync;

/// The threads of all cores but the first.
struct Others {
    remotes: Vec<Remote>,
    threads: Vec<JoinHandle<()>>,
    end: Arc<End>,
}

impl Others {
    /// Sets each up on its thread; once all are, lets them run.
    fn start<M: Send + 'static>(
        hub: &Hub<M>,
        first: &Remote,
        setup: &Arc<Setup<M>>,
        grace: Option<Grace>,
    ) -> Result<Self, Failure> {
        let mut others = Self {
            remotes: Vec::new(),
            threads: Vec::new(),
            end: Arc::default(),
        };
        let mut gates = Vec::new();
        for index in 1..hub.count() {
            let (gate, opened) = channel();
            gates.push(gate);
            let worker = Worker {
                hub: hub.clone(),
                index,
                setup: Arc::clone(setup),
                first: first.clone(),
                end: Arc::clone(&others.end),
                grace,
            };
            if let Err(failure) = others.add(worker, opened) {
                drop(gates);
                others.join();
                return Err(failure);
            }
        }
        others
            .end
            .running
            .store(others.threads.len(), Ordering::SeqCst);
        for gate in gates {
            let _ = gate.send(());
        }
        Ok(others)
    }

    /// Makes a thread and waits until it is set up; then it waits at its gate, and leaves when that is torn down.
    fn add<M: Send + 'static>(
        &mut self,
        worker: Worker<M>,
        gate: Receiver<()>,
    ) -> Result<(), Failure> {
        let index = worker.index;
        let (ready, made) = channel();
        let thread = thread::Builder::new()
            .name(format!("core-{index}"))
            .spawn(move || worker.run(ready, &gate))?;
        self.threads.push(thread);
        let panicked = || Failure::message(format_args!("core {index}: its setup panicked"));
        self.remotes.push(made.recv().map_err(|_| panicked())??);
        Ok(())
    }

    /// When the first core begins to stop, all do, and it waits for them as for work of its own; what has not ended then is
    /// stopped at once.
    fn stop_with(&self, reactor: &Reactor, grace: Option<Grace>) {
        let (remotes, end) = (self.remotes.clone(), Arc::clone(&self.end));
        reactor.on_stopping(move |handle| {
            tell(&remotes, move |handle| {
                stop(handle, grace);
            });
            drop(handle.work(handle.spawn(poll_fn(move |context| end.poll(context)))));
        });
        let (remotes, end) = (self.remotes.clone(), Arc::clone(&self.end));
        reactor.add_trigger(Phase::BeforeShutdown, move |handle: &Handle| {
            tell(&remotes, |handle| {
                stop(handle, None);
            });
            handle.spawn(poll_fn(move |context| end.poll(context)))
        });
    }

    fn join(self) {
        for thread in self.threads {
            let _panicked = thread.join();
        }
    }
}

/// What is left of the other cores, and why one ended badly.
#[derive(Default)]
struct End {
    running: AtomicUsize,
    waker: Mutex<Option<Waker>>,
    failure: Mutex<Option<Failure>>,
}

impl End {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        *locked(&self.waker) = Some(context.waker().clone());
        if self.has_come() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn has_come(&self) -> bool {
        self.running.load(Ordering::SeqCst) == 0
    }

    /// A core ended. The first failure counts: it stopped the others.
    fn note(&self, failure: Option<Failure>) {
        if let Some(failure) = failure {
            locked(&self.failure).get_or_insert(failure);
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        let waker = locked(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn failure(&self) -> Result<(), Failure> {
        locked(&self.failure).take().map_or(Ok(()), Err)
    }
}

/// One core before it has a reactor.
struct Worker<M> {
    hub: Hub<M>,
    index: usize,
    setup: Arc<Setup<M>>,
    first: Remote,
    end: Arc<End>,
    grace: Option<Grace>,
}

impl<M: Send + 'static> Worker<M> {
    fn run(self, ready: Sender<Result<Remote, Failure>>, gate: &Receiver<()>) {
        let mut reactor = match self.make() {
            Ok(reactor) => reactor,
            Err(failure) => return drop(ready.send(Err(failure))),
        };
        let (first, grace) = (self.first.clone(), self.grace);
        let stop_all = move || {
            tell(std::slice::from_ref(&first), move |handle| {
                stop(handle, grace);
            });
        };
        reactor.on_stopping({
            let stop_all = stop_all.clone();
            move |_| stop_all()
        });
        let _ = ready.send(Ok(reactor.remote()));
        drop(ready);
        if gate.recv().is_err() {
            return;
        }
        let ran = catch_unwind(AssertUnwindSafe(|| reactor.run()));
        drop(reactor);
        self.end.note(self.failure(ran));
        stop_all();
    }

    fn make(&self) -> Result<Reactor, Failure> {
        let driver = MioDriver::new().map_err(|error| of_core(self.index, &error))?;
        let mut reactor = Reactor::new(driver);
        let core = self.hub.join(self.index, &reactor);
        (self.setup)(&mut reactor, &core)?;
        Ok(reactor)
    }

    fn failure(&self, ran: thread::Result<Result<(), RunError>>) -> Option<Failure> {
        match ran {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(of_core(self.index, &error)),
            Err(_) => Some(Failure::message(format_args!(
                "core {} panicked",
                self.index
            ))),
        }
    }
}

/// Has something done on each core that is still there.
fn tell(remotes: &[Remote], what: impl Fn(&Handle) + Copy + Send + 'static) {
    for remote in remotes {
        let _gone_already = remote.call(what);
    }
}

fn stop(handle: &Handle, grace: Option<Grace>) {
    let _stops_already = match grace {
        Some(grace) => handle.stop_gracefully(grace),
        None => handle.stop(),
    };
}

fn of_core(index: usize, error: &dyn std::error::Error) -> Failure {
    Failure::message(format_args!("core {index}: {error}"))
}

impl fmt::Debug for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cores({})", self.count)
    }
}
