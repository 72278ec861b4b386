//! How much a site has to do, and what is too much (SEMANTICS R143, P29).
//!
//! ```text
//!   connection ─► accepts? ─ too many of one peer, or far too many ─► closed unheard
//!        │ a few above the limit ─► 503 to the first request, and closed
//!   request ─► admits? ─ too many at once ─► 503, and the connection lives on
//! ```

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;

use ropewalk_protocols::PeerKey;

use crate::site_limits::SiteLimits;

/// What a site is at.
#[derive(Debug, Default)]
pub(crate) struct Load {
    connections: Cell<usize>,
    requests: Cell<usize>,
    /// Only of peers that are here, and only where there is a limit for them.
    peers: RefCell<HashMap<PeerKey, PeerLoad>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct PeerLoad {
    connections: usize,
    requests: usize,
}

/// Of how many connections one may be told that there are too many: telling takes room, too.
const TOLD_SHARE: usize = 16;

impl Load {
    /// A connection wants to come; it counts if it may.
    pub(crate) fn accepts(&self, peer: Option<IpAddr>, limits: &SiteLimits) -> bool {
        let most = limits
            .connections
            .saturating_add(limits.connections / TOLD_SHARE + 1);
        if self.connections.get() >= most {
            return false;
        }
        if let Some(most) = limits.connections_by_peer {
            let mut peers = self.peers.borrow_mut();
            let load = peers.entry(key(peer)).or_default();
            if load.connections >= most {
                return false;
            }
            load.connections += 1;
        }
        self.connections.set(self.connections.get() + 1);
        true
    }

    /// A connection is gone that was accepted.
    pub(crate) fn ended(&self, peer: Option<IpAddr>, limits: &SiteLimits) {
        self.connections
            .set(self.connections.get().saturating_sub(1));
        if limits.connections_by_peer.is_some() {
            self.change(peer, |load| {
                load.connections = load.connections.saturating_sub(1);
            });
        }
    }

    /// Whether there are more connections than are served.
    pub(crate) fn is_over(&self, limits: &SiteLimits) -> bool {
        self.connections.get() > limits.connections
    }

    /// Whether one more request may be answered; it counts in any case, until it [left](Self::leave).
    pub(crate) fn admits(
        &self,
        peer: impl FnOnce() -> Option<IpAddr>,
        limits: &SiteLimits,
    ) -> bool {
        let requests = self.requests.get() + 1;
        self.requests.set(requests);
        let Some(most) = limits.requests_by_peer else {
            return requests <= limits.requests;
        };
        let mut peers = self.peers.borrow_mut();
        let load = peers.entry(key(peer())).or_default();
        load.requests += 1;
        requests <= limits.requests && load.requests <= most
    }

    /// A request is over.
    pub(crate) fn leave(&self, peer: impl FnOnce() -> Option<IpAddr>, limits: &SiteLimits) {
        self.requests.set(self.requests.get().saturating_sub(1));
        if limits.requests_by_peer.is_some() {
            self.change(peer(), |load| {
                load.requests = load.requests.saturating_sub(1);
            });
        }
    }

    fn change(&self, peer: Option<IpAddr>, change: impl FnOnce(&mut PeerLoad)) {
        let (mut peers, key) = (self.peers.borrow_mut(), key(peer));
        if let Some(load) = peers.get_mut(&key) {
            change(load);
            if load.connections == 0 && load.requests == 0 {
                peers.remove(&key);
            }
        }
    }
}

fn key(peer: Option<IpAddr>) -> PeerKey {
    peer.map(PeerKey::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> Option<IpAddr> {
        Some([192, 0, 2, last].into())
    }

    #[test]
    fn connections_are_counted_and_a_few_more_are_told() {
        let (load, mut limits) = (Load::default(), SiteLimits::default());
        limits.connections = 2;
        assert!(load.accepts(ip(1), &limits) && load.accepts(ip(1), &limits));
        assert!(!load.is_over(&limits));
        assert!(load.accepts(ip(1), &limits) && load.is_over(&limits));
        assert!(!load.accepts(ip(2), &limits), "that many are not even told");
        load.ended(ip(1), &limits);
        assert!(!load.is_over(&limits));
    }

    #[test]
    fn peers_are_counted_only_while_they_are_here() {
        let (load, mut limits) = (Load::default(), SiteLimits::default());
        limits.connections_by_peer = Some(1);
        limits.requests_by_peer = Some(1);
        assert!(load.accepts(ip(1), &limits) && !load.accepts(ip(1), &limits));
        assert!(load.accepts(ip(2), &limits));
        assert!(load.admits(|| ip(3), &limits) && !load.admits(|| ip(3), &limits));
        for last in 1..=2 {
            load.ended(ip(last), &limits);
            load.leave(|| ip(3), &limits);
        }
        assert!(load.peers.borrow().is_empty());
        assert!(load.accepts(ip(1), &limits) && load.admits(|| ip(3), &limits));
    }
}
