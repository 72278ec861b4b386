//! Bounds how many connections are there at once.
//!
//! For: servers whose memory or patience is finite. Not for: fairness between peers, which is
//! [`LimitConnectionsByPeer`](crate::LimitConnectionsByPeer)'s.

use std::collections::BTreeSet;

use ropewalk_core::driver::ConnId;
use ropewalk_core::{Address, Factory, Protocol, Transport};

/// Serves at most so many connections at once (R127); those above are refused, or served by an overflow factory that tells
/// them so.
///
/// A connection counts from the moment it is accepted, before any handshake is paid for, until it is gone, however it ends.
///
/// ```
/// use ropewalk_core::{Factory, Protocol, Transport};
/// use ropewalk_protocols::LimitTotalConnectionsFactory;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// struct Busy;
/// impl Protocol for Busy {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("421 too many connections, come back later\r\n");
///         transport.lose_connection();
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let mut factory = LimitTotalConnectionsFactory::new(1, || Echo);
/// let peer = "192.0.2.2:54321".parse::<std::net::SocketAddr>().unwrap().into();
/// assert!(factory.accepts(&peer));
/// assert!(!factory.accepts(&peer));
///
/// let mut factory = LimitTotalConnectionsFactory::new(1, || Echo).with_overflow(|| Busy);
/// assert!(factory.accepts(&peer));
/// assert!(factory.accepts(&peer), "to be told that it is one too many");
/// ```
pub struct LimitTotalConnectionsFactory<F> {
    factory: F,
    limit: usize,
    overflow: Option<Box<dyn Factory>>,
    overflow_limit: usize,
    /// Connections accepted and not ended.
    open: usize,
    /// Those that the inner factory built a protocol for.
    served: BTreeSet<ConnId>,
}

impl<F: Factory> LimitTotalConnectionsFactory<F> {
    /// Serves at most `limit` connections at once.
    #[must_use]
    pub fn new(limit: usize, factory: F) -> Self {
        let (overflow, overflow_limit, open, served) = (None, 0, 0, BTreeSet::new());
        Self {
            factory,
            limit,
            overflow,
            overflow_limit,
            open,
            served,
        }
    }

    /// Lets another factory serve the connections above the limit, as many again; those above that are refused still,
    /// because telling a peer that there is no room takes room. They get the inner factory's layers.
    #[doc(alias = "overflowProtocol")]
    #[must_use]
    pub fn with_overflow(mut self, factory: impl Factory) -> Self {
        self.overflow = Some(Box::new(factory));
        self.overflow_limit = self.limit;
        self
    }

    /// How many connections there are, also those above the limit.
    #[doc(alias = "connectionCount")]
    #[must_use]
    pub const fn connections(&self) -> usize {
        self.open
    }
}

impl<F: Factory> Factory for LimitTotalConnectionsFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        if self.served.len() >= self.limit {
            return self.overflow.as_mut()?.build_protocol(transport);
        }
        let protocol = self.factory.build_protocol(transport)?;
        self.served.insert(transport.id());
        Some(protocol)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn accepts(&mut self, peer: &Address) -> bool {
        let accepts = self.open < self.limit.saturating_add(self.overflow_limit)
            && self.factory.accepts(peer);
        if accepts {
            self.open += 1;
        } else {
            tracing::debug!(%peer, open = self.open, "a connection was refused");
        }
        accepts
    }

    fn connected(&mut self, transport: &Transport) {
        match &mut self.overflow {
            Some(overflow) if !self.served.contains(&transport.id()) => {
                overflow.connected(transport);
            }
            _ => self.factory.connected(transport),
        }
    }

    fn ended(&mut self, transport: &Transport) {
        self.open = self.open.saturating_sub(1);
        self.served.remove(&transport.id());
        self.factory.ended(transport);
    }

    fn start_factory(&mut self) {
        self.factory.start_factory();
        if let Some(overflow) = &mut self.overflow {
            overflow.start_factory();
        }
    }

    fn stop_factory(&mut self) {
        self.factory.stop_factory();
        if let Some(overflow) = &mut self.overflow {
            overflow.stop_factory();
        }
    }
}
