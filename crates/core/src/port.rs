//! A listening port.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::address::Address;
use crate::deferred::Deferred;
use crate::driver::{ListenerId, StreamOptions};
use crate::factory::Factory;
use crate::handle::Handle;
use crate::limits::Limits;

/// A port that listens; the handle may be dropped, the port listens on.
#[derive(Clone)]
pub struct ListeningPort {
    pub(crate) port: Rc<Port>,
    handle: Handle,
}

pub(crate) struct Port {
    pub(crate) id: Cell<Option<ListenerId>>,
    pub(crate) host: Address,
    pub(crate) options: StreamOptions,
    pub(crate) factory: RefCell<Box<dyn Factory>>,
    pub(crate) limits: Rc<Limits>,
    /// Where it was asked for.
    pub(crate) made: &'static Location<'static>,
}

impl Port {
    pub(crate) fn new(
        id: ListenerId,
        host: Address,
        options: StreamOptions,
        factory: Box<dyn Factory>,
        limits: Limits,
        made: &'static Location<'static>,
    ) -> Self {
        Self {
            id: Cell::new(Some(id)),
            host,
            options,
            factory: RefCell::new(factory),
            limits: Rc::new(limits),
            made,
        }
    }
}

impl ListeningPort {
    pub(crate) fn new(port: Rc<Port>, handle: Handle) -> Self {
        Self { port, handle }
    }

    /// The address it listens on, with the real port.
    #[doc(alias = "getHost")]
    #[must_use]
    pub fn host(&self) -> &Address {
        &self.port.host
    }

    /// Whether it still listens.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.port.id.get().is_some()
    }

    /// Stops to listen; fires once the address is free. Established connections live on (R45).
    #[doc(alias = "stopListening")]
    pub fn stop_listening(&self) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(&self.handle);
        let port = Rc::clone(&self.port);
        self.handle.command(move |engine| {
            engine.stop_listening(&port);
            let _ = resolver.resolve(());
        });
        deferred
    }
}

impl fmt::Debug for ListeningPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ListeningPort({})", self.host())
    }
}
