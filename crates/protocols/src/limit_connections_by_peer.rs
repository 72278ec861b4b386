//! Bounds how many connections one peer has at once.
//!
//! For: servers open to strangers. Not for: how many there are in all, which is
//! [`LimitTotalConnectionsFactory`](crate::LimitTotalConnectionsFactory)'s; nor for users behind one address who are many.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ropewalk_core::{Address, Factory, Protocol, Transport};

/// Refuses a peer that has so many connections already: five, unless you say otherwise (D11).
///
/// A peer is an IPv4 address, or an IPv6 network of 64 bits, because one customer has all of the 2⁶⁴ addresses of such a
/// network and could count as that many peers. A connection counts from the moment it is accepted, before any handshake is
/// paid for, until it is gone, however it ends. Peers without an IP address are not counted.
/// Behind a [`ProxyFactory`](crate::ProxyFactory) the peer is the proxy, with all its connections together.
///
/// ```
/// use ropewalk_core::{Address, Factory, Protocol, Transport};
/// use ropewalk_protocols::LimitConnectionsByPeer;
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// let mut factory = LimitConnectionsByPeer::new(|| Echo);
/// let peer = |port| Address::Tcp(([192, 0, 2, 2], port).into());
/// assert!((1..=5).all(|port| factory.accepts(&peer(port))));
/// assert!(!factory.accepts(&peer(6)));
/// ```
#[derive(Debug)]
pub struct LimitConnectionsByPeer<F> {
    factory: F,
    limit: usize,
    ipv6_bits: u32,
    open: BTreeMap<IpAddr, usize>,
}

impl<F: Factory> LimitConnectionsByPeer<F> {
    /// How many connections one peer may have, unless another number is given.
    pub const DEFAULT_LIMIT: usize = 5;

    /// At most [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) connections of one peer.
    #[must_use]
    pub fn new(factory: F) -> Self {
        Self {
            factory,
            limit: Self::DEFAULT_LIMIT,
            ipv6_bits: 64,
            open: BTreeMap::new(),
        }
    }

    /// At most so many connections of one peer.
    #[doc(alias = "maxConnectionsPerPeer")]
    #[must_use]
    pub fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Takes IPv6 networks of so many bits for one peer; 128 counts each address alone.
    #[must_use]
    pub fn with_ipv6_bits(mut self, bits: u32) -> Self {
        self.ipv6_bits = bits;
        self
    }

    /// How many connections a peer has.
    #[must_use]
    pub fn connections(&self, peer: IpAddr) -> usize {
        self.open.get(&self.network(peer)).copied().unwrap_or(0)
    }

    fn network(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                let mask = u128::MAX
                    .checked_shl(128_u32.saturating_sub(self.ipv6_bits))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
            address @ IpAddr::V4(_) => address,
        }
    }
}

impl<F: Factory> Factory for LimitConnectionsByPeer<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn accepts(&mut self, peer: &Address) -> bool {
        let Some(ip) = peer.ip() else {
            return self.factory.accepts(peer);
        };
        let accepts = self.connections(ip) < self.limit && self.factory.accepts(peer);
        if accepts {
            *self.open.entry(self.network(ip)).or_default() += 1;
        } else {
            tracing::debug!(%peer, "a connection was refused");
        }
        accepts
    }

    fn ended(&mut self, transport: &Transport) {
        if let Some(ip) = transport.wire_peer().ip() {
            let network = self.network(ip);
            match self.open.get_mut(&network) {
                Some(count) if *count > 1 => *count -= 1,
                _ => _ = self.open.remove(&network),
            }
        }
        self.factory.ended(transport);
    }
}
