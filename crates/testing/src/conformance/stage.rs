//! One reactor on the driver under test, with a server and a client on it.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::Listen;
use ropewalk_core::endpoint::ServerEndpoint;
use ropewalk_core::{
    Address, Deferred, Factory, Failure, Limits, ListenError, ListeningPort, Protocol, Reactor,
    RunError, Transport,
};

use super::script::{Diary, Script};
use super::supervisor::Supervisor;
use super::{Harness, Wrap};

/// A reactor on the driver under test. It derefs to the reactor.
pub struct Stage {
    reactor: Reactor,
    loopback: IpAddr,
    is_unix: bool,
    wraps: (Wrap, Wrap),
    bulk_bytes: usize,
    patience: Duration,
}

impl Stage {
    /// A fresh one.
    #[must_use]
    pub fn new(harness: &Harness) -> Self {
        let reactor = Reactor::new(Supervisor::new(harness.driver()));
        let (bulk_bytes, patience) = (harness.bulk_bytes, harness.patience);
        Self {
            reactor,
            loopback: harness.loopback,
            is_unix: harness.is_unix,
            wraps: harness.wraps.clone(),
            bulk_bytes,
            patience,
        }
    }

    /// The address of the loopback, with port 0.
    #[must_use]
    pub fn loopback(&self) -> SocketAddr {
        SocketAddr::new(self.loopback, 0)
    }

    /// Where to listen: a free port of the loopback, or a path where nothing is.
    #[must_use]
    pub fn place(&self) -> Listen {
        Listen::new(super::place(self.loopback, self.is_unix))
    }

    /// More bytes than all buffers of a connection hold, each different from its neighbours.
    #[must_use]
    pub fn bulk(&self) -> Vec<u8> {
        (0..self.bulk_bytes)
            .map(|place| (place % 251) as u8)
            .collect()
    }

    /// Listens with a factory.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[track_caller]
    pub fn listen(&mut self, factory: impl Factory) -> ListeningPort {
        let place = self.place();
        let factory = (self.wraps.0)(Box::new(factory));
        self.reactor
            .listen(place, factory)
            .expect("a free place can be had")
    }

    /// Listens at an address of the rule's choice.
    ///
    /// # Errors
    ///
    /// That fails.
    pub fn try_listen(
        &mut self,
        endpoint: impl ServerEndpoint,
        factory: impl Factory,
    ) -> Result<ListeningPort, ListenError> {
        self.reactor.listen(endpoint, factory)
    }

    /// Listens, and plays the script with the first that comes; others are refused.
    ///
    /// # Panics
    ///
    /// If listening fails.
    #[track_caller]
    pub fn serve(&mut self, script: Script) -> (Address, Diary) {
        self.serve_with(script, Limits::default())
    }

    /// [`serve`](Self::serve) with other limits.
    ///
    /// # Panics
    ///
    /// If listening fails.
    #[track_caller]
    pub fn serve_with(&mut self, script: Script, limits: Limits) -> (Address, Diary) {
        let (diary, place) = (script.diary(), self.place());
        let factory = (self.wraps.0)(Box::new(Once(Some(script))));
        let port = self.reactor.listen_with(place, limits, factory);
        (port.expect("a free place can be had").host().clone(), diary)
    }

    /// Connects, and plays the script.
    ///
    /// # Panics
    ///
    /// If the address cannot be read.
    pub fn dial(&mut self, address: &Address, script: Script) -> Diary {
        let diary = script.diary();
        let factory = (self.wraps.1)(Box::new(Once(Some(script))));
        self.reactor
            .connect(address, factory)
            .expect("an address can be read");
        diary
    }

    /// Server and client of one connection, in this order, that both know of.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    #[track_caller]
    pub fn pair(&mut self, server: Script, client: Script) -> (Diary, Diary) {
        let (address, server) = self.serve(server);
        let client = self.dial(&address, client);
        self.wait("the connection", || server.is_made() && client.is_made());
        (server, client)
    }

    /// Turns the reactor until something holds.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the driver fails.
    #[track_caller]
    pub fn wait(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let (too_late, patience) = (Rc::new(Cell::new(false)), self.patience);
        let alarm = too_late.clone();
        let timer = self.reactor.call_later(patience, move |_| alarm.set(true));
        let mut timeout = Some(Duration::ZERO); // the first turn may have been all that was needed
        while !holds() {
            assert!(!too_late.get(), "{what} did not come in {patience:?}");
            assert!(
                !self.reactor.is_over(),
                "the reactor stopped before {what} came"
            );
            if let Err(error) = self.reactor.turn(timeout.take()) {
                panic!("no {what}: {error}");
            }
        }
        let _it_may_be_over = timer.cancel();
    }

    /// Turns the reactor until a Deferred has its result.
    ///
    /// # Errors
    ///
    /// The Deferred's failure.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the driver fails.
    #[track_caller]
    pub fn wait_for<T: 'static>(&mut self, deferred: Deferred<T>) -> Result<T, Failure> {
        let result = Rc::new(RefCell::new(None));
        let answer = result.clone();
        deferred.on_result(move |outcome| *answer.borrow_mut() = Some(outcome));
        self.wait("the result of a Deferred", || result.borrow().is_some());
        result.take().expect("it was just there")
    }

    /// An address of the loopback where nobody listens.
    ///
    /// # Panics
    ///
    /// If the driver fails.
    #[track_caller]
    pub fn nowhere(&mut self) -> Address {
        let port = self.listen(Script::new);
        self.wait_for(port.stop_listening())
            .expect("stopping to listen does not fail");
        port.host().clone()
    }

    /// Turns the reactor for this long; a few milliseconds, since on a real driver they are real.
    ///
    /// # Panics
    ///
    /// If the driver fails.
    #[track_caller]
    pub fn pass(&mut self, time: Duration) {
        let over = Rc::new(Cell::new(false));
        let end = over.clone();
        self.reactor.call_later(time, move |_| end.set(true));
        self.wait("the end of a pause", move || over.get());
    }

    /// Gives something that must not happen the time to happen.
    ///
    /// # Panics
    ///
    /// If the driver fails.
    #[track_caller]
    pub fn linger(&mut self) {
        self.pass(Duration::from_millis(20));
    }

    /// Runs the reactor, however that ends.
    ///
    /// # Errors
    ///
    /// As [`Reactor::run`].
    pub fn try_run(&mut self) -> Result<(), RunError> {
        self.reactor.run()
    }

    /// Runs until the reactor has stopped.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the driver fails.
    #[track_caller]
    pub fn run(&mut self) {
        let (too_late, patience) = (Rc::new(Cell::new(false)), self.patience);
        let alarm = too_late.clone();
        self.reactor.call_later(patience, move |handle| {
            alarm.set(true);
            handle.crash();
        });
        self.reactor
            .run()
            .expect("it runs for the first time, and the driver works");
        assert!(!too_late.get(), "the reactor did not stop in {patience:?}");
    }
}

impl Deref for Stage {
    type Target = Reactor;

    fn deref(&self) -> &Reactor {
        &self.reactor
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Reactor {
        &mut self.reactor
    }
}

/// A factory for one protocol; whoever comes later is refused.
struct Once(Option<Script>);

impl Factory for Once {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.0
            .take()
            .map(|script| -> Box<dyn Protocol> { Box::new(script) })
    }
}
