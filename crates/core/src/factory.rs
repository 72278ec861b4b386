//! What makes protocols.

use std::cell::RefCell;
use std::rc::Rc;

use crate::address::Address;
use crate::connector::Connector;
use crate::descriptor::Descriptor;
use crate::layer::Layer;
use crate::protocol::Protocol;
use crate::reason::{ConnectError, Reason};
use crate::transport::Transport;

/// Builds a protocol for each connection of a listening port or a connector, or refuses it.
///
/// A closure that returns a protocol is a factory: `|| Echo`.
///
/// A factory around another overrides [`wrapped`](Self::wrapped) and what it wants to change; every other call goes on to
/// the inner one by itself:
///
/// ```
/// use ropewalk_core::{Factory, Protocol, Transport};
///
/// struct Counting<F> {
///     factory: F,
///     built: u64,
/// }
///
/// impl<F: Factory> Factory for Counting<F> {
///     fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
///         self.built += 1;
///         self.factory.build_protocol(transport)
///     }
///     fn wrapped(&mut self) -> Option<&mut dyn Factory> {
///         Some(&mut self.factory)
///     }
/// }
/// ```
pub trait Factory: 'static {
    /// A protocol for a connection whose layers are all open; `None` closes it, and no protocol is told.
    #[doc(alias = "buildProtocol")]
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>>;

    /// The factory inside this one: it gets every call that this one does not override.
    #[doc(alias = "WrappingFactory")]
    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        None
    }

    /// Whether a peer may connect at all: asked at once, before any layer's handshake is paid for.
    fn accepts(&mut self, peer: &Address) -> bool {
        self.wrapped().is_none_or(|factory| factory.accepts(peer))
    }

    /// The layers of a new connection, lowest first: TLS, shaping, a log. The protocol is built once all are open. By custom a factory around another puts its own
    /// below those of the inner one: outside is nearer to the wire.
    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        self.wrapped()
            .map_or_else(Vec::new, |factory| factory.layers(peer))
    }

    /// A protocol was built for this connection, and its `connection_made` has returned.
    fn connected(&mut self, transport: &Transport) {
        if let Some(factory) = self.wrapped() {
            factory.connected(transport);
        }
    }

    /// A connection of a port is gone: told once for each that [`accepts`](Self::accepts) let in, after its protocol was
    /// told, and also when it never got one. May come after [`stop_factory`](Self::stop_factory) (R45).
    fn ended(&mut self, transport: &Transport) {
        if let Some(factory) = self.wrapped() {
            factory.ended(transport);
        }
    }

    /// A port in hand-over mode ([`Listen::hand_over`](crate::driver::Listen::hand_over)) has a connection for another
    /// reactor, whose [`Adopter`](crate::Adopter) serves it. It is closed unless this is overridden.
    fn handed_over(&mut self, descriptor: Descriptor, host: &Address, peer: &Address) {
        if let Some(factory) = self.wrapped() {
            factory.handed_over(descriptor, host, peer);
        }
    }

    /// The first port or connector begins to use this factory (R42).
    #[doc(alias = "startFactory")]
    fn start_factory(&mut self) {
        if let Some(factory) = self.wrapped() {
            factory.start_factory();
        }
    }

    /// The last port or connector has ended (R42).
    #[doc(alias = "stopFactory")]
    fn stop_factory(&mut self) {
        if let Some(factory) = self.wrapped() {
            factory.stop_factory();
        }
    }

    /// A connector begins an attempt.
    #[doc(alias = "startedConnecting")]
    fn started_connecting(&mut self, connector: &Connector) {
        if let Some(factory) = self.wrapped() {
            factory.started_connecting(connector);
        }
    }

    /// An attempt of a connector failed; calling [`Connector::connect`] here tries again (R41).
    #[doc(alias = "clientConnectionFailed")]
    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        if let Some(factory) = self.wrapped() {
            factory.connection_failed(connector, error);
        }
    }

    /// A connector's connection ended, after its protocol was told (R39); [`Connector::connect`] tries again (R41).
    #[doc(alias = "clientConnectionLost")]
    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        if let Some(factory) = self.wrapped() {
            factory.connection_lost(connector, reason);
        }
    }
}

impl<F, P> Factory for F
where
    F: FnMut() -> P + 'static,
    P: Protocol,
{
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self()))
    }
}

impl Factory for Box<dyn Factory> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        (**self).build_protocol(transport)
    }
    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut **self)
    }
}

/// One factory used by several ports or connectors: started once for the first, stopped once after the last (R42).
pub struct SharedFactory<F: Factory>(Rc<RefCell<Counted<F>>>);

struct Counted<F> {
    factory: F,
    users: usize,
}

impl<F: Factory> SharedFactory<F> {
    /// Makes a factory sharable; every clone is the same factory.
    #[must_use]
    pub fn new(factory: F) -> Self {
        Self(Rc::new(RefCell::new(Counted { factory, users: 0 })))
    }

    /// Looks at, or changes, the factory.
    ///
    /// # Panics
    ///
    /// When called from within a callback of this very factory.
    pub fn with<R>(&self, look: impl FnOnce(&mut F) -> R) -> R {
        look(&mut self.0.borrow_mut().factory)
    }
}

impl<F: Factory> Clone for SharedFactory<F> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<F: Factory> Factory for SharedFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.with(|factory| factory.build_protocol(transport))
    }
    fn accepts(&mut self, peer: &Address) -> bool {
        self.with(|factory| factory.accepts(peer))
    }
    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        self.with(|factory| factory.layers(peer))
    }
    fn connected(&mut self, transport: &Transport) {
        self.with(|factory| factory.connected(transport));
    }
    fn ended(&mut self, transport: &Transport) {
        self.with(|factory| factory.ended(transport));
    }
    fn handed_over(&mut self, descriptor: Descriptor, host: &Address, peer: &Address) {
        self.with(|factory| factory.handed_over(descriptor, host, peer));
    }
    fn start_factory(&mut self) {
        let mut counted = self.0.borrow_mut();
        counted.users += 1;
        if counted.users == 1 {
            counted.factory.start_factory();
        }
    }
    fn stop_factory(&mut self) {
        let mut counted = self.0.borrow_mut();
        counted.users = counted.users.saturating_sub(1);
        if counted.users == 0 {
            counted.factory.stop_factory();
        }
    }
    fn started_connecting(&mut self, connector: &Connector) {
        self.with(|factory| factory.started_connecting(connector));
    }
    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        self.with(|factory| factory.connection_failed(connector, error));
    }
    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        self.with(|factory| factory.connection_lost(connector, reason));
    }
}
