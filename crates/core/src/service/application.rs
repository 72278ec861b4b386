//! The services of one program, run by one reactor.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::lifecycle::Phase;
use crate::reactor::Reactor;
use crate::service::{Grace, MultiService, Service};

/// A name and a tree of services that live as long as the reactor runs.
///
/// ```text
///   before startup   privileged_start of each service     ports below 1024
///   after startup    start of each service, in order      the first may drop privileges, the last may say "ready"
///   before shutdown  stop of each service, last first
/// ```
///
/// ```
/// use ropewalk_core::service::{Application, StreamServer};
/// use ropewalk_core::{Handle, Protocol, Reactor, Transport};
/// use ropewalk_sim::SimDriver;
///
/// # struct Echo;
/// # impl Protocol for Echo { fn data_received(&mut self, _: &Transport, _: &[u8]) {} }
/// let application = Application::new("echo")
///     .with("server", StreamServer::new("tcp:127.0.0.1:7", || Echo))
///     .with("ready", |handle: &Handle| handle.stop().map_err(Into::into));
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// application.run(&mut reactor)?;
/// # Ok::<(), ropewalk_core::Failure>(())
/// ```
#[derive(Clone)]
pub struct Application {
    name: Cow<'static, str>,
    services: MultiService,
}

impl Application {
    /// An application without services.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        let services = MultiService::new();
        Self {
            name: name.into(),
            services,
        }
    }

    /// With one more service, the last to be started.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, service: impl Service) -> Self {
        self.services = self.services.with(name, service);
        self
    }

    /// With these deadlines for the stop of each service that has none of its own.
    #[must_use]
    pub fn with_grace(mut self, grace: Grace) -> Self {
        self.services = self.services.with_grace(grace);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tree, to look services up, and to add and remove some while it runs.
    #[must_use]
    pub fn services(&self) -> &MultiService {
        &self.services
    }

    /// Runs a reactor with the services started, until it is stopped and they have stopped.
    ///
    /// # Errors
    ///
    /// A service cannot be started: the [`ServiceError`](crate::ServiceError) names it, and those before it were stopped.
    /// Or as [`Reactor::run`].
    pub fn run(&self, reactor: &mut Reactor) -> Result<(), Failure> {
        let failed = self.attach(reactor);
        reactor.run()?;
        failed.take().map_or(Ok(()), Err)
    }

    /// Hangs the services into the life of a reactor that has not run yet, for those who own the loop themselves. If one
    /// cannot be started, the reactor stops, and the failure is in what this gives.
    pub fn attach(&self, reactor: &impl AsRef<Handle>) -> Rc<RefCell<Option<Failure>>> {
        let (handle, failed) = (reactor.as_ref(), Rc::new(RefCell::new(None)));
        handle.set_grace(Some(self.services.deadlines()));
        let (this, outcome) = (self.clone(), Rc::clone(&failed));
        handle.add_trigger(Phase::BeforeStartup, move |handle| {
            let bound = this.services.clone().privileged_start(handle);
            stop_if_failed(handle, bound, outcome)
        });
        let (this, outcome) = (self.clone(), Rc::clone(&failed));
        handle.add_trigger(Phase::AfterStartup, move |handle| {
            if outcome.borrow().is_none() {
                tracing::info!(application = %this.name, "starting");
                let started = this.services.clone().start(handle);
                // Not waited for: a stop must be heard meanwhile.
                stop_if_failed(handle, started, outcome).on_result(drop);
            }
        });
        let Self { name, mut services } = self.clone();
        let outcome = Rc::clone(&failed);
        handle.add_trigger(Phase::BeforeShutdown, move |handle| {
            if outcome.borrow().is_none() {
                tracing::info!(application = %name, "stopping");
            }
            services.stop(handle)
        });
        failed
    }
}

/// Keeps the failure, and stops the reactor. A start that a stop interrupted is no failure.
fn stop_if_failed(
    handle: &Handle,
    start: Deferred<()>,
    outcome: Rc<RefCell<Option<Failure>>>,
) -> Deferred<()> {
    let own = handle.clone();
    start.add_both(move |result| {
        if let Err(failure) = result
            && own.stop() != Err(crate::StopError::AlreadyStopping)
        {
            own.call_when_running(|handle| {
                let _stopping_already = handle.stop();
            });
            *outcome.borrow_mut() = Some(failure);
        }
    })
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({:?}, {:?})", self.name, self.services)
    }
}
