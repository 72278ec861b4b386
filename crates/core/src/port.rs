//! A listening port.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::address::Address;
use crate::deferred::Deferred;
use crate::driver::{ConnId, ListenerId, StreamOptions};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::limits::Limits;
use crate::rarely::Rarely;
use crate::service::Ends;

/// A port that listens; the handle may be dropped, the port listens on.
#[derive(Clone)]
pub struct ListeningPort {
    pub(crate) port: Rc<Port>,
}

pub(crate) struct Port {
    /// On whose account it listens.
    pub(crate) handle: Handle,
    pub(crate) source: Cell<PortSource>,
    pub(crate) host: Address,
    /// The endpoint as others reach it.
    pub(crate) endpoint: String,
    pub(crate) options: StreamOptions,
    pub(crate) factory: RefCell<Box<dyn Factory>>,
    pub(crate) limits: Rc<Limits>,
    /// Where it was asked for.
    pub(crate) made: &'static Location<'static>,
    /// Connections that ended before anybody served them.
    pub(crate) stillborn: Rarely,
}

/// What the driver knows a port by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortSource {
    /// Connections come until it is stopped.
    Listener(ListenerId),
    /// There is this one, and with it ends the port.
    Once(ConnId),
    Stopped,
}

impl Port {
    /// No connection comes any more.
    pub(crate) fn stop(&self) {
        if self.source.replace(PortSource::Stopped) != PortSource::Stopped {
            self.factory.borrow_mut().stop_factory();
        }
    }

    /// A connection has ended: with the only one ends the port.
    pub(crate) fn lost(&self, conn: ConnId) {
        if self.source.get() == PortSource::Once(conn) {
            self.stop();
        }
    }
}

impl Ends for Port {
    fn is_over(&self) -> bool {
        self.source.get() == PortSource::Stopped
    }

    fn end(self: Rc<Self>, handle: &Handle) {
        handle.command(move |engine| engine.stop_listening(&self));
    }
}

impl ListeningPort {
    pub(crate) fn new(port: Rc<Port>) -> Self {
        Self { port }
    }

    /// The address it listens on, with the real port.
    #[doc(alias = "getHost")]
    #[must_use]
    pub fn host(&self) -> &Address {
        &self.port.host
    }

    /// The endpoint string by which it is reached, with the real port: `tls:127.0.0.1:43211`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.port.endpoint
    }

    /// Whether it still listens. A port for one connection does until that has ended.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.port.source.get() != PortSource::Stopped
    }

    /// Stops to listen; fires once the address is free. Established connections live on (R45).
    #[doc(alias = "stopListening")]
    pub fn stop_listening(&self) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(&self.port.handle);
        let port = Rc::clone(&self.port);
        self.port.handle.command(move |engine| {
            engine.stop_listening(&port);
            let _ = resolver.resolve(());
        });
        deferred
    }
}

impl fmt::Debug for ListeningPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListeningPort({})", self.endpoint())
    }
}
