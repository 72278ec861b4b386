//! Keeps one connection, for as long as it is started (R116).
//!
//! ```text
//!   start ─► connecting ─► connected ─► lost ─┐
//!               ▲  failed ─► waiting ◄────────┘   stop at any time ─► stopped, once the connection is really gone
//!               └──────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::rc::{Rc, Weak};

use crate::back_off::BackOff;
use crate::connector::{ConnectOptions, Connector, ConnectorState};
use crate::deferred::{Deferred, Resolver};
use crate::endpoint::{ClientEndpoint, EndpointError};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::protocol::Protocol;
use crate::reason::{ConnectError, Reason};
use crate::timer::DelayedCall;
use crate::transport::Transport;
use crate::waiters::Waiters;

/// A client that keeps one connection: connects when started, again whenever it is lost or fails, and gives it to all who
/// wait for it. Keep it: when the last clone is dropped, nobody connects again.
///
/// ```
/// use ropewalk_core::{ClientService, Failure, Handle, Protocol, Transport};
///
/// # struct Uplink;
/// # impl Protocol for Uplink { fn data_received(&mut self, _: &Transport, _: &[u8]) {} }
/// async fn report(reactor: Handle) -> Result<(), Failure> {
///     let service = ClientService::new(&reactor, "tcp:127.0.0.1:8000", || Uplink)?;
///     service.start_service();
///     let transport = service.when_connected(Some(3)).await?;
///     transport.write("hello");
///     service.stop_service().await
/// }
/// ```
#[derive(Clone)]
pub struct ClientService(Rc<Inner>);

struct Inner {
    handle: Handle,
    connector: RefCell<Option<Connector>>,
    back_off: Cell<BackOff>,
    started: Cell<bool>,
    /// Failures in a row.
    failures: Cell<u32>,
    transport: RefCell<Option<Transport>>,
    retry: RefCell<Option<DelayedCall>>,
    waiters: Waiters<Transport>,
    stops: RefCell<Vec<Resolver<()>>>,
    /// Where it was made.
    made: &'static Location<'static>,
}

impl ClientService {
    /// A service that is not started yet.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood.
    #[track_caller]
    pub fn new(
        reactor: &impl AsRef<Handle>,
        endpoint: impl ClientEndpoint,
        factory: impl Factory,
    ) -> Result<Self, EndpointError> {
        let options = ConnectOptions::new(endpoint)?;
        let handle = reactor.as_ref().clone();
        let this = Self(Rc::new(Inner {
            handle: handle.clone(),
            connector: RefCell::default(),
            back_off: Cell::new(BackOff::of_client_service()),
            started: Cell::new(false),
            failures: Cell::new(0),
            transport: RefCell::default(),
            retry: RefCell::default(),
            waiters: Waiters::default(),
            stops: RefCell::default(),
            made: Location::caller(),
        }));
        let kept = Kept {
            factory,
            service: Rc::downgrade(&this.0),
        };
        *this.0.connector.borrow_mut() = Some(Connector::new(handle, options, Box::new(kept))?);
        Ok(this)
    }

    /// Waits otherwise between attempts.
    #[must_use]
    pub fn with_back_off(self, back_off: BackOff) -> Self {
        self.0.back_off.set(back_off);
        self
    }

    /// Connects, and again whenever that is needed. Does nothing if it is started.
    #[doc(alias = "startService")]
    pub fn start_service(&self) {
        if !self.0.started.replace(true) {
            self.0.failures.set(0);
            self.0.connect();
        }
    }

    /// Closes the connection and connects no more; fires once the connection is really gone. Waiters fail as cancelled.
    #[doc(alias = "stopService")]
    #[must_use]
    pub fn stop_service(&self) -> Deferred<()> {
        let inner = &self.0;
        inner.started.set(false);
        if let Some(retry) = inner.retry.take() {
            let _it_may_have_run = retry.cancel();
        }
        inner.waiters.cancel();
        let connector = inner.connector();
        if connector.state() == ConnectorState::Disconnected {
            return Deferred::succeed(&inner.handle, ());
        }
        let (deferred, resolver) = Deferred::new(&inner.handle);
        inner.stops.borrow_mut().push(resolver);
        connector.disconnect();
        deferred
    }

    /// Fires with the transport once there is a connection, at once if there is one. With `fail_after`, fails with the last
    /// [`ConnectError`] (in an `Arc`) after so many failures from now on.
    #[doc(alias = "whenConnected")]
    #[must_use]
    pub fn when_connected(&self, fail_after: Option<u32>) -> Deferred<Transport> {
        if let Some(transport) = &*self.0.transport.borrow() {
            return Deferred::succeed(&self.0.handle, transport.clone());
        }
        self.0.waiters.wait(&self.0.handle, fail_after)
    }

    /// Whether it is started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.started.get()
    }
}

impl Inner {
    fn connector(&self) -> Connector {
        self.connector.borrow().clone().expect("it is set in new")
    }

    fn connect(&self) {
        self.connector().connect();
    }

    fn connected(&self, transport: &Transport) {
        self.failures.set(0);
        *self.transport.borrow_mut() = Some(transport.clone());
        self.waiters.resolve(transport);
    }

    fn failed(self: &Rc<Self>, error: ConnectError) {
        self.waiters.failed(error);
        self.go_on(self.failures.replace(self.failures.get() + 1));
    }

    fn lost(self: &Rc<Self>) {
        self.transport.borrow_mut().take();
        self.go_on(0);
    }

    /// The connection is gone: tries again after a while, or has stopped.
    fn go_on(self: &Rc<Self>, failures: u32) {
        for stop in self.stops.take() {
            let _only_here = stop.resolve(());
        }
        if !self.started.get() {
            return;
        }
        let delay = self.back_off.get().draw(failures, &self.handle);
        let this = Rc::downgrade(self);
        let retry = self.handle.call_later_at(self.made, delay, move |_| {
            if let Some(this) = this.upgrade() {
                this.retry.take();
                this.connect();
            }
        });
        *self.retry.borrow_mut() = Some(retry);
    }
}

/// The user's factory, with the service told of what happens.
struct Kept<F> {
    factory: F,
    service: Weak<Inner>,
}

impl<F: Factory> Factory for Kept<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn connected(&mut self, transport: &Transport) {
        self.factory.connected(transport);
        if let Some(service) = self.service.upgrade() {
            service.connected(transport);
        }
    }

    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        tracing::info!(%error, "the client service will try again");
        if let Some(service) = self.service.upgrade() {
            service.failed(error);
        }
        let _ = connector;
    }

    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        self.factory.connection_lost(connector, reason);
        if let Some(service) = self.service.upgrade() {
            service.lost();
        }
    }
}
