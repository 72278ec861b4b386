//! Services in an order.

use std::any::Any;
use std::borrow::Cow;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::time::Duration;

use crate::deferred::{Deferred, DeferredLock};
use crate::failure::Failure;
use crate::handle::Handle;
use crate::service::{Grace, Scope, Service, ServiceError};

/// Named services: started in the order added, each once the one before has started, and stopped in reverse.
///
/// A service that cannot be started ends the start: those before it are stopped, last first, and the failure is a
/// [`ServiceError`] that names it. A stop goes on whatever happens: a service that fails to stop is logged, one that takes
/// too long is cut off at the hard deadline of its [`Grace`], and the next is stopped.
///
/// It is a service itself, so trees may be of any depth. Cheap to clone; all clones are the same tree, so that services may
/// be added and removed while it runs.
///
/// ```
/// use ropewalk_core::Handle;
/// use ropewalk_core::service::MultiService;
///
/// let services = MultiService::new()
///     .with("first", |_: &Handle| println!("started first, stopped last"))
///     .with("second", |_: &Handle| println!("started second, stopped first"));
/// assert_eq!(services.names(), ["first", "second"]);
/// ```
#[derive(Clone, Default)]
pub struct MultiService(Rc<Inner>);

/// There is a service of this name in the tree already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTaken(pub String);

#[derive(Default)]
struct Inner {
    children: RefCell<Vec<Rc<Child>>>,
    /// The same, by name: a file may have a hundred thousand.
    by_name: RefCell<BTreeMap<Cow<'static, str>, Rc<Child>>>,
    grace: Cell<Grace>,
    /// The starts under way; ended first of all by a stop.
    starts: RefCell<Option<Scope>>,
    /// One start or stop at a time.
    order: OnceCell<DeferredLock>,
}

struct Child {
    name: Cow<'static, str>,
    service: RefCell<Box<dyn Service>>,
    is_started: Cell<bool>,
    /// Of this start; none when it is stopped.
    scope: RefCell<Option<Rc<Scope>>>,
}

impl MultiService {
    /// A tree without services.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more service, the last to be started.
    ///
    /// # Panics
    ///
    /// If the name is taken.
    #[must_use]
    pub fn with(self, name: impl Into<Cow<'static, str>>, service: impl Service) -> Self {
        if let Err(taken) = self.insert(name.into(), service) {
            panic!("MultiService::with: {taken}; give each service a name of its own");
        }
        self
    }

    /// With these deadlines for the stop of each service that has none of its own.
    #[must_use]
    pub fn with_grace(self, grace: Grace) -> Self {
        self.0.grace.set(grace);
        self
    }

    /// Adds a service, and starts it if the tree runs; fires once it has started. One that cannot be started is removed.
    ///
    /// Fails with [`NameTaken`] or [`ServiceError`].
    #[doc(alias = "addService")]
    #[doc(alias = "setServiceParent")]
    #[track_caller]
    pub fn add(
        &self,
        reactor: &impl AsRef<Handle>,
        name: impl Into<Cow<'static, str>>,
        service: impl Service,
    ) -> Deferred<()> {
        let child = match self.insert(name.into(), service) {
            Ok(child) => child,
            Err(taken) => return Deferred::fail(reactor.as_ref(), taken),
        };
        let this = self.clone();
        let parent = self.0.starts.borrow().as_ref().map(Scope::parent);
        match parent {
            None => Deferred::succeed(reactor.as_ref(), ()),
            Some(parent) => self.start_in_order(&parent.clone(), async move {
                let started = child.start(&parent).await;
                if started.is_err() {
                    this.forget(&child);
                    child.stop(this.0.grace.get()).await;
                }
                started
            }),
        }
    }

    /// Takes a service out, and stops it if it runs; fires once it has stopped, at once if there is none of this name.
    #[doc(alias = "removeService")]
    #[doc(alias = "disownServiceParent")]
    #[track_caller]
    pub fn remove(&self, reactor: &impl AsRef<Handle>, name: &str) -> Deferred<()> {
        let (handle, grace) = (reactor.as_ref(), self.0.grace.get());
        let Some(child) = self.child(name) else {
            return Deferred::succeed(handle, ());
        };
        self.forget(&child);
        self.in_order(handle, async move {
            child.stop(grace).await;
            Ok(())
        })
    }

    /// Looks at, or changes, the service of this name; `None` if there is none, or it is no `S`.
    ///
    /// # Panics
    ///
    /// When called from within a method of that very service.
    #[doc(alias = "getServiceNamed")]
    pub fn find<S: Service, R>(&self, name: &str, look: impl FnOnce(&mut S) -> R) -> Option<R> {
        let child = self.child(name)?;
        let mut service = child.service.borrow_mut();
        downcast(&mut **service).map(look)
    }

    /// The names, in the order of their start.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let children = self.0.children.borrow();
        children
            .iter()
            .map(|child| child.name.to_string())
            .collect()
    }

    /// Whether there is a service of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.by_name.borrow().contains_key(name)
    }

    /// Whether it was started, and not stopped since.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.starts.borrow().is_some()
    }

    pub(crate) fn deadlines(&self) -> Grace {
        self.0.grace.get()
    }

    fn child(&self, name: &str) -> Option<Rc<Child>> {
        self.0.by_name.borrow().get(name).cloned()
    }

    fn children(&self) -> Vec<Rc<Child>> {
        self.0.children.borrow().clone()
    }

    fn insert(
        &self,
        name: Cow<'static, str>,
        service: impl Service,
    ) -> Result<Rc<Child>, NameTaken> {
        if self.child(&name).is_some() {
            return Err(NameTaken(name.into_owned()));
        }
        let child = Rc::new(Child {
            name,
            service: RefCell::new(Box::new(service)),
            is_started: Cell::new(false),
            scope: RefCell::default(),
        });
        self.0.children.borrow_mut().push(Rc::clone(&child));
        let by_name = &mut *self.0.by_name.borrow_mut();
        by_name.insert(child.name.clone(), Rc::clone(&child));
        Ok(child)
    }

    fn forget(&self, child: &Rc<Child>) {
        let mut children = self.0.children.borrow_mut();
        children.retain(|other| !Rc::ptr_eq(other, child));
        let by_name = &mut *self.0.by_name.borrow_mut();
        if by_name
            .get(&child.name)
            .is_some_and(|named| Rc::ptr_eq(named, child))
        {
            by_name.remove(&child.name);
        }
    }

    // ── One thing after another ─────────────────────────────────────────────────────────────────────────────────────

    #[track_caller]
    fn in_order(
        &self,
        handle: &Handle,
        work: impl Future<Output = Result<(), Failure>> + 'static,
    ) -> Deferred<()> {
        let order = self.0.order.get_or_init(|| DeferredLock::new(handle));
        let turn = order.acquire();
        handle.spawn(async move {
            let _turn = turn.await?;
            work.await
        })
    }

    /// [`in_order`](Self::in_order), until a stop.
    #[track_caller]
    fn start_in_order(
        &self,
        handle: &Handle,
        work: impl Future<Output = Result<(), Failure>> + 'static,
    ) -> Deferred<()> {
        let mut starts = self.0.starts.borrow_mut();
        let starts = starts.get_or_insert_with(|| Scope::new(handle, "starts"));
        self.in_order(&starts.handle(), work)
    }

    /// Starts all; if one cannot be, stops those that were.
    async fn start_all(self, handle: Handle) -> Result<(), Failure> {
        for child in self.children() {
            if let Err(failure) = child.start(&handle).await {
                self.stop_all().await;
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn bind_all(self, handle: Handle) -> Result<(), Failure> {
        for child in self.children() {
            if let Err(failure) = child.privileged_start(&handle).await {
                self.stop_all().await;
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn stop_all(&self) {
        drop(self.0.starts.take());
        for child in self.children().into_iter().rev() {
            child.stop(self.0.grace.get()).await;
        }
    }
}

impl Service for MultiService {
    fn privileged_start(&mut self, handle: &Handle) -> Deferred<()> {
        self.start_in_order(handle, self.clone().bind_all(handle.clone()))
    }

    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        self.start_in_order(handle, self.clone().start_all(handle.clone()))
    }

    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        if let Some(starts) = self.0.starts.take() {
            starts.close();
        }
        let this = self.clone();
        self.in_order(handle, async move {
            this.stop_all().await;
            Ok(())
        })
    }

    /// As long as its services may take one after another.
    fn grace(&self) -> Option<Grace> {
        let all = self.children();
        let each = all.iter().map(|child| child.grace(self.0.grace.get()).hard);
        Some(Grace::new(
            each.fold(Duration::ZERO, Duration::saturating_add),
        ))
    }
}

impl Child {
    fn scope(&self, parent: &Handle) -> Rc<Scope> {
        let mut scope = self.scope.borrow_mut();
        let scope = scope.get_or_insert_with(|| Rc::new(Scope::new(parent, self.name.clone())));
        Rc::clone(scope)
    }

    fn grace(&self, of_tree: Grace) -> Grace {
        self.service.borrow().grace().unwrap_or(of_tree)
    }

    async fn privileged_start(&self, parent: &Handle) -> Result<(), Failure> {
        let scope = self.scope(parent);
        let bound = self.call(&scope, |service| service.privileged_start(&scope));
        self.explain("could not be bound", bound.await)
    }

    async fn start(&self, parent: &Handle) -> Result<(), Failure> {
        let scope = self.scope(parent);
        let started = self.call(&scope, |service| service.start(&scope)).await;
        self.is_started.set(started.is_ok());
        if started.is_ok() {
            tracing::debug!(service = %self.name, "started");
        }
        self.explain("could not be started", started)
    }

    /// Stops it, if it was started, and ends what it owns.
    async fn stop(&self, of_tree: Grace) {
        let Some(scope) = self.scope.take() else {
            return;
        };
        let stopped = match self.is_started.take() {
            true => self.call(&scope, |service| service.stop(&scope)),
            false => Deferred::succeed(&*scope, ()),
        };
        let stopped = scope.work(stopped);
        let ended = scope.end(self.grace(of_tree)).await;
        for failure in [stopped.await, ended].into_iter().filter_map(Result::err) {
            let error = ServiceError::new(&self.name, "did not stop in order", failure);
            tracing::error!("{error}");
        }
        tracing::debug!(service = %self.name, "stopped");
    }

    /// Lends the service; a panic is a failure.
    fn call(
        &self,
        scope: &Scope,
        call: impl FnOnce(&mut dyn Service) -> Deferred<()>,
    ) -> Deferred<()> {
        let here = Location::caller();
        let lend = || call(&mut **self.service.borrow_mut());
        match scope.tasks().guard("a service", here, lend) {
            Ok(deferred) => deferred,
            Err(panicked) => Deferred::fail(&**scope, panicked),
        }
    }

    fn explain(&self, what: &'static str, result: Result<(), Failure>) -> Result<(), Failure> {
        result.map_err(|failure| Failure::new(ServiceError::new(&self.name, what, failure)))
    }
}

/// The service itself, or what a box in it holds.
fn downcast<S: Service>(service: &mut dyn Service) -> Option<&mut S> {
    if (*service).type_id() == std::any::TypeId::of::<Box<dyn Service>>() {
        let inner = (service as &mut dyn Any).downcast_mut::<Box<dyn Service>>()?;
        return downcast(&mut **inner);
    }
    (service as &mut dyn Any).downcast_mut()
}

impl fmt::Debug for MultiService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MultiService").field(&self.names()).finish()
    }
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is a service named {:?} already", self.0)
    }
}

impl std::error::Error for NameTaken {}
