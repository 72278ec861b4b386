//! A listening port as a service.

use std::cell::RefCell;
use std::rc::Rc;

use crate::deferred::Deferred;
use crate::endpoint::ServerEndpoint;
use crate::factory::{Factory, SharedFactory};
use crate::handle::Handle;
use crate::limits::Limits;
use crate::port::ListeningPort;
use crate::service::Service;

/// Listens at an endpoint for as long as it is started; its connections end with it, see
/// [`Scope::end`](crate::Scope::end).
///
/// ```
/// use ropewalk_core::service::{MultiService, StreamServer};
/// use ropewalk_core::{Protocol, Transport};
///
/// # struct Echo;
/// # impl Protocol for Echo { fn data_received(&mut self, _: &Transport, _: &[u8]) {} }
/// let services = MultiService::new()
///     .with("echo", StreamServer::new("tcp:127.0.0.1:7", || Echo).privileged());
/// # let _ = services;
/// ```
#[doc(alias = "StreamServerEndpointService")]
#[doc(alias = "strports")]
pub struct StreamServer {
    listen: Listen,
    on_listening: OnListening,
    is_privileged: bool,
    is_bound: bool,
}

type Listen = Box<dyn Fn(&Handle) -> Deferred<ListeningPort>>;
type OnListening = Rc<RefCell<dyn FnMut(&ListeningPort)>>;

impl StreamServer {
    /// Listens with default limits.
    #[must_use]
    pub fn new(endpoint: impl ServerEndpoint + 'static, factory: impl Factory) -> Self {
        Self::with_limits(endpoint, Limits::default(), factory)
    }

    /// Listens with these limits for each connection.
    #[must_use]
    pub fn with_limits(
        endpoint: impl ServerEndpoint + 'static,
        limits: Limits,
        factory: impl Factory,
    ) -> Self {
        let factory = SharedFactory::new(factory);
        let listen =
            move |handle: &Handle| handle.listen_with(&endpoint, limits.clone(), factory.clone());
        Self {
            listen: Box::new(listen),
            on_listening: Rc::new(RefCell::new(log)),
            is_privileged: false,
            is_bound: false,
        }
    }

    /// Listens before the process drops its privileges: for ports below 1024.
    #[must_use]
    pub fn privileged(mut self) -> Self {
        self.is_privileged = true;
        self
    }

    /// Calls a function each time that it listens, instead of logging it: with the real address.
    #[must_use]
    pub fn on_listening(mut self, call: impl FnMut(&ListeningPort) + 'static) -> Self {
        self.on_listening = Rc::new(RefCell::new(call));
        self
    }

    fn listen(&mut self, handle: &Handle) -> Deferred<()> {
        self.is_bound = true;
        let tell = Rc::clone(&self.on_listening);
        (self.listen)(handle).add_callback(move |port| {
            (tell.borrow_mut())(&port);
            Ok(())
        })
    }
}

impl Service for StreamServer {
    fn privileged_start(&mut self, handle: &Handle) -> Deferred<()> {
        match self.is_privileged {
            true => self.listen(handle),
            false => Deferred::succeed(handle, ()),
        }
    }

    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        match self.is_bound {
            true => Deferred::succeed(handle, ()),
            false => self.listen(handle),
        }
    }

    /// The port and the connections end with the scope.
    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        self.is_bound = false;
        Deferred::succeed(handle, ())
    }
}

fn log(port: &ListeningPort) {
    tracing::info!(host = %port.host(), "listening");
}
