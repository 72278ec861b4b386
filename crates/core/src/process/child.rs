//! A child on the reactor's side: who hears of it, and which of its pipes are open.
//!
//! Each pipe is a port for one connection, whose protocol passes on what it hears to the child's.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;

use super::{ExitStatus, ProcessProtocol, ProcessTransport, SignalNumber, Spawn, SpawnError};
use crate::address::Address;
use crate::deferred::{Deferred, Resolver};
use crate::driver::{ConnId, Demand, Driver, ProcessId, Processes, StreamOptions};
use crate::engine::Engine;
use crate::factory::Factory;
use crate::handle::Handle;
use crate::panic;
use crate::port::{Port, PortSource};
use crate::protocol::Protocol;
use crate::rarely::Rarely;
use crate::reason::Reason;
use crate::registry::Registry;
use crate::service::{Ends, Owned};
use crate::transport::Transport;

pub(crate) struct Child {
    /// On whose account it was started.
    pub(super) handle: Handle,
    pub(super) id: ProcessId,
    pub(super) pid: u32,
    pub(super) program: String,
    is_killed_at_stop: bool,
    /// Taken while it is called, and for good once nothing more will be told.
    protocol: RefCell<Option<Box<dyn ProcessProtocol>>>,
    pipes: RefCell<BTreeMap<u32, Pipe>>,
    pub(super) status: Cell<Option<ExitStatus>>,
    /// Until it is told that it started.
    starting: RefCell<Option<Resolver<ProcessTransport>>>,
    /// Pipes that are still to come are closed too.
    is_losing: Cell<bool>,
    is_over: Cell<bool>,
}

enum Pipe {
    /// The driver will say that it is there.
    Coming,
    Open(Transport),
    Ended,
}

/// What is to be started, and for whom.
struct Birth {
    handle: Handle,
    spawn: Spawn,
    protocol: Box<dyn ProcessProtocol>,
    made: &'static Location<'static>,
}

impl Handle {
    /// Starts a child process at the end of the turn; fires once it runs and its pipes are open, right before
    /// [`ProcessProtocol::process_started`]. It fails with a [`SpawnError`] if the child cannot be started.
    #[doc(alias = "spawnProcess")]
    #[track_caller]
    pub fn spawn_process(
        &self,
        spawn: &Spawn,
        protocol: impl ProcessProtocol,
    ) -> Deferred<ProcessTransport> {
        let (deferred, resolver) = Deferred::new(self);
        let birth = Birth {
            handle: self.clone(),
            spawn: spawn.clone(),
            protocol: Box::new(protocol),
            made: Location::caller(),
        };
        self.command(move |engine| engine.spawn_process(birth, resolver));
        deferred
    }
}

impl Child {
    pub(super) fn pipe(&self, descriptor: u32) -> Option<Transport> {
        match self.pipes.borrow().get(&descriptor) {
            Some(Pipe::Open(transport)) => Some(transport.clone()),
            _ => None,
        }
    }

    fn open_pipes(&self) -> Vec<Transport> {
        let pipes = self.pipes.borrow();
        let open = pipes.values().filter_map(|pipe| match pipe {
            Pipe::Open(transport) => Some(transport.clone()),
            _ => None,
        });
        open.collect()
    }

    pub(super) fn lose_pipes(&self) {
        self.is_losing.set(true);
        for pipe in self.open_pipes() {
            pipe.lose_connection();
        }
    }

    /// What comes before the others are open waits, so that `process_started` is told first.
    fn pipe_opened(self: &Rc<Self>, descriptor: u32, transport: &Transport) {
        transport.pause_reading();
        let pipe = Pipe::Open(transport.clone());
        self.pipes.borrow_mut().insert(descriptor, pipe);
        self.start_if_open();
    }

    fn pipe_ended(self: &Rc<Self>, descriptor: u32) {
        let before = self.pipes.borrow_mut().insert(descriptor, Pipe::Ended);
        if matches!(before, Some(Pipe::Ended)) {
            return;
        }
        if self.starting.borrow().is_some() {
            return self.start_if_open();
        }
        self.tell("child_connection_lost", |protocol, transport| {
            protocol.child_connection_lost(transport, descriptor);
        });
        self.end_if_over();
    }

    fn start_if_open(self: &Rc<Self>) {
        let is_coming = |pipe: &Pipe| matches!(pipe, Pipe::Coming);
        if self.pipes.borrow().values().any(is_coming) {
            return;
        }
        let Some(resolver) = self.starting.take() else {
            return;
        };
        let _nobody_asks = resolver.resolve(ProcessTransport(Rc::clone(self)));
        self.tell("process_started", |protocol, transport| {
            protocol.process_started(transport);
        });
        self.tell_what_was_early();
    }

    fn tell_what_was_early(self: &Rc<Self>) {
        for pipe in self.open_pipes() {
            pipe.resume_reading();
        }
        if self.is_losing.get() {
            self.lose_pipes();
        }
        let pipes = self.pipes.borrow();
        let ended = pipes
            .iter()
            .filter(|(_, pipe)| matches!(pipe, Pipe::Ended))
            .map(|(descriptor, _)| *descriptor);
        let ended: Vec<u32> = ended.collect();
        drop(pipes);
        for descriptor in ended {
            self.tell("child_connection_lost", |protocol, transport| {
                protocol.child_connection_lost(transport, descriptor);
            });
        }
        if let Some(status) = self.status.get() {
            self.tell_exited(status);
        }
    }

    fn exited(self: &Rc<Self>, status: ExitStatus) {
        self.status.set(Some(status));
        if self.starting.borrow().is_none() {
            self.tell_exited(status);
        }
    }

    fn tell_exited(self: &Rc<Self>, status: ExitStatus) {
        self.tell("process_exited", |protocol, transport| {
            protocol.process_exited(transport, status);
        });
        self.end_if_over();
    }

    fn end_if_over(self: &Rc<Self>) {
        let Some(status) = self.status.get() else {
            return;
        };
        let has_ended = |pipe: &Pipe| matches!(pipe, Pipe::Ended);
        if self.pipes.borrow().values().all(has_ended) && !self.is_over.replace(true) {
            self.tell("process_ended", |protocol, transport| {
                protocol.process_ended(transport, status);
            });
            self.forget_protocol();
        }
    }

    /// It may hold a handle on this child, and would keep it for ever.
    fn forget_protocol(&self) {
        self.is_over.set(true);
        let gone = self.protocol.borrow_mut().take();
        drop(gone); // its destructor is user code: not under the borrow
    }

    /// Lends the protocol to user code. A panic closes the pipes of this child only (R14).
    fn tell(
        self: &Rc<Self>,
        callback: &'static str,
        call: impl FnOnce(&mut dyn ProcessProtocol, &ProcessTransport),
    ) {
        let Some(mut protocol) = self.protocol.borrow_mut().take() else {
            return;
        };
        let transport = ProcessTransport(Rc::clone(self));
        let called = self.handle.watched(callback, || {
            catch_unwind(AssertUnwindSafe(|| call(&mut *protocol, &transport)))
        });
        *self.protocol.borrow_mut() = Some(protocol);
        if let Err(payload) = called {
            let (pid, panic) = (self.pid, panic::message(&*payload));
            tracing::error!(program = self.program, pid, callback, %panic, "a process protocol panicked; its pipes are closed");
            self.lose_pipes();
        }
    }
}

impl Ends for Child {
    fn is_over(&self) -> bool {
        self.is_over.get()
    }

    fn end(self: Rc<Self>, _handle: &Handle) {
        self.lose_pipes();
        if self.is_killed_at_stop {
            ProcessTransport(self).kill();
        }
    }
}

/// The protocol of a pipe.
struct PipeEnd {
    child: Rc<Child>,
    descriptor: u32,
}

impl Protocol for PipeEnd {
    fn connection_made(&mut self, transport: &Transport) {
        self.child.pipe_opened(self.descriptor, transport);
    }

    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        let descriptor = self.descriptor;
        self.child
            .tell("child_data_received", |protocol, transport| {
                protocol.child_data_received(transport, descriptor, data);
            });
    }

    fn connection_lost(&mut self, _transport: &Transport, _reason: &Reason) {
        self.child.pipe_ended(self.descriptor);
    }

    fn writing_paused(&mut self, _transport: &Transport) {
        let descriptor = self.descriptor;
        self.child.tell("writing_paused", |protocol, transport| {
            protocol.writing_paused(transport, descriptor);
        });
    }

    fn writing_resumed(&mut self, _transport: &Transport) {
        let descriptor = self.descriptor;
        self.child.tell("writing_resumed", |protocol, transport| {
            protocol.writing_resumed(transport, descriptor);
        });
    }

    fn name(&self) -> &'static str {
        "ProcessProtocol"
    }
}

/// The factory of a pipe: its port ends with its connection, also with one that never came.
struct PipeFactory {
    child: Rc<Child>,
    descriptor: u32,
}

impl Factory for PipeFactory {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(PipeEnd {
            child: Rc::clone(&self.child),
            descriptor: self.descriptor,
        }))
    }

    fn stop_factory(&mut self) {
        self.child.pipe_ended(self.descriptor);
    }
}

/// What the driver can do with processes.
pub(crate) fn capable(driver: &mut dyn Driver) -> io::Result<&mut dyn Processes> {
    let name = driver.name();
    driver.processes().ok_or_else(|| {
        let lacks = format!("the driver {name} starts no processes");
        io::Error::new(io::ErrorKind::Unsupported, lacks)
    })
}

impl Engine {
    fn spawn_process(&mut self, birth: Birth, resolver: Resolver<ProcessTransport>) {
        let program = birth.spawn.program().to_string_lossy().into_owned();
        let spawned =
            capable(&mut *self.driver).and_then(|processes| processes.spawn(&birth.spawn));
        let spawned = match spawned {
            Ok(spawned) => spawned,
            Err(error) => {
                let _nobody_asks = resolver.fail(SpawnError { program, error });
                return;
            }
        };
        let coming = |(descriptor, _): &(u32, ConnId)| (*descriptor, Pipe::Coming);
        let child = Rc::new(Child {
            handle: birth.handle.clone(),
            id: spawned.process,
            pid: spawned.pid,
            program,
            is_killed_at_stop: birth.spawn.is_killed_at_stop(),
            protocol: RefCell::new(Some(birth.protocol)),
            pipes: RefCell::new(spawned.pipes.iter().map(coming).collect()),
            status: Cell::new(None),
            starting: RefCell::new(Some(resolver)),
            is_losing: Cell::new(false),
            is_over: Cell::new(false),
        });
        let registry = &mut self.registry;
        registry.processes.insert(child.id.0, Rc::clone(&child));
        let limits = Rc::new(birth.spawn.pipe_limits().clone());
        for &(descriptor, conn) in &spawned.pipes {
            let factory = PipeFactory {
                child: Rc::clone(&child),
                descriptor,
            };
            let port = Rc::new(Port {
                handle: birth.handle.clone(),
                source: Cell::new(PortSource::Once(conn)),
                host: Address::Pipe,
                endpoint: format!("descriptor {descriptor} of process {}", child.pid),
                options: StreamOptions::default(),
                factory: RefCell::new(Box::new(factory)),
                limits: Rc::clone(&limits),
                made: birth.made,
                stillborn: Rarely::default(),
            });
            registry.arrivals.insert(conn.0, port);
        }
        birth.handle.own(|| Owned::thing(&child));
        if spawned.pipes.is_empty() {
            birth.handle.call_soon(move |_| child.start_if_open());
        }
    }

    pub(super) fn signal_process(&mut self, id: ProcessId, signal: SignalNumber) {
        let Some(child) = self.registry.processes.get(id.0) else {
            return;
        };
        let signalled =
            capable(&mut *self.driver).and_then(|processes| processes.signal(id, signal));
        if let Err(error) = signalled {
            let (program, pid) = (&child.program, child.pid);
            tracing::warn!(program, pid, %signal, %error, "a process could not be signalled");
        }
    }

    /// Tells of no child any more; those that shall not outlive the reactor are killed.
    pub(crate) fn forget_processes(&mut self) {
        for key in self.registry.processes.keys() {
            let id = ProcessId(key);
            let child = self.registry.processes.get(key);
            if child.is_some_and(|child| child.is_killed_at_stop) {
                self.signal_process(id, SignalNumber::KILL);
            }
            if let Some(child) = self.registry.processes.remove(key) {
                child.starting.take();
                child.forget_protocol();
            }
        }
    }
}

impl Registry {
    pub(crate) fn process_exited(&mut self, id: ProcessId, status: ExitStatus) -> Demand {
        if let Some(child) = self.processes.remove(id.0) {
            child.exited(status);
        }
        Demand::Continue
    }
}
