//! The datagram ports of a reactor, and what driver events mean to them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::DatagramProtocol;
use super::transport::DatagramTransport;
use crate::address::Address;
use crate::driver::{DatagramQueue, Demand, PortId, Sent};
use crate::slots::Mirror;
use crate::watchdog::{Callback, Of, SiteId};

/// A closure that wants the protocol of a port.
pub(crate) type LentPort = Box<dyn FnOnce(&mut dyn DatagramProtocol, &DatagramTransport)>;

#[derive(Default)]
pub(crate) struct Ports(Mirror<Port>);

pub(crate) struct Port {
    pub(crate) transport: DatagramTransport,
    protocol: Box<dyn DatagramProtocol>,
    /// The protocol, as the watchdog calls it.
    site: SiteId,
}

impl Port {
    pub(crate) fn new(transport: DatagramTransport, protocol: Box<dyn DatagramProtocol>) -> Self {
        let heart = &transport.0.handle.shared().heart;
        let site = heart.site("", Of::Protocol(protocol.name()));
        Self {
            transport,
            protocol,
            site,
        }
    }

    /// Runs a callback; a panic is logged, and the port lives on (R85).
    #[inline]
    pub(crate) fn call(
        &mut self,
        callback: Callback,
        call: impl FnOnce(&mut dyn DatagramProtocol, &DatagramTransport),
    ) {
        let Self {
            transport,
            protocol,
            site,
        } = self;
        let heart = &transport.0.handle.shared().heart;
        let entry = heart.enter(callback, *site);
        let outcome = catch_unwind(AssertUnwindSafe(|| call(&mut **protocol, transport)));
        if heart.leave(entry) {
            let (port, protocol) = (transport.host(), protocol.name());
            let (callback, took) = (callback.name(), heart.lasted());
            tracing::warn!(%port, protocol, callback, ?took, "a callback blocked the reactor");
        }
        if let Err(payload) = outcome {
            let (panic, what) = (crate::panic::message(&*payload), callback.name());
            let (port, protocol) = (transport.host(), protocol.name());
            tracing::error!(%port, protocol, %panic, "{what} panicked; the port lives on");
        }
    }

    /// An event of the port: what it writes leaves right after the batch.
    #[inline]
    fn during(&mut self, event: impl FnOnce(&mut Self)) -> Demand {
        self.transport.0.corked.set(true);
        event(self);
        self.transport.0.corked.set(false);
        self.demand()
    }

    /// What the port wants of the driver; one that is to be closed hears nothing more.
    #[inline]
    pub(crate) fn demand(&self) -> Demand {
        let link = &self.transport.0;
        if link.wants_quiet() {
            link.driver_paused.set(true);
            Demand::Pause
        } else {
            Demand::Continue
        }
    }

    /// Sends what waits, unless the port is about to be connected, and tells when that begins and ends to be impossible.
    pub(crate) fn flush(&mut self, send: &mut dyn FnMut(&mut DatagramQueue) -> Sent) {
        let link = &self.transport.0;
        if link.connecting.get() || link.queue.borrow().is_empty() {
            return;
        }
        let sent = send(&mut link.queue.borrow_mut());
        link.settle_losses();
        let blocked = match sent {
            Sent::Done => false,
            Sent::Blocked | Sent::Taken => true,
            Sent::Failed(error) => {
                link.queue.borrow_mut().clear();
                tracing::warn!(port = %link.host, %error, "cannot send");
                false
            }
        };
        match (link.blocked.replace(blocked), blocked) {
            (false, true) => self.call(Callback::WritingPaused, |protocol, transport| {
                protocol.writing_paused(transport);
            }),
            (true, false) => self.call(Callback::WritingResumed, |protocol, transport| {
                protocol.writing_resumed(transport);
            }),
            _ => {}
        }
    }
}

impl Ports {
    pub(crate) fn insert(&mut self, id: PortId, port: Port) -> &mut Port {
        self.0.insert(id.0, port);
        self.0.get_mut(id.0).expect("just inserted")
    }

    pub(crate) fn get_mut(&mut self, id: PortId) -> Option<&mut Port> {
        self.0.get_mut(id.0)
    }

    pub(crate) fn remove(&mut self, id: PortId) -> Option<Port> {
        self.0.remove(id.0)
    }

    pub(crate) fn ids(&self) -> Vec<PortId> {
        self.0.keys().into_iter().map(PortId).collect()
    }

    #[inline]
    pub(crate) fn received(&mut self, id: PortId, peer: &Address, data: &[u8]) -> Demand {
        self.event(id, |port| {
            port.call(Callback::DatagramReceived, |protocol, transport| {
                protocol.datagram_received(transport, data, peer);
            });
        })
    }

    /// Told only where a peer was named: on other ports nobody knows which datagram it was about (R87).
    pub(crate) fn refused(&mut self, id: PortId, error: &io::Error) -> Demand {
        self.event(id, |port| {
            if port.transport.0.peer.borrow().is_some() {
                port.call(Callback::ConnectionRefused, |protocol, transport| {
                    protocol.connection_refused(transport, error);
                });
            }
        })
    }

    pub(crate) fn writable(&mut self, id: PortId) -> Demand {
        self.event(id, |_| {})
    }

    #[inline]
    fn event(&mut self, id: PortId, event: impl FnOnce(&mut Port)) -> Demand {
        match self.get_mut(id) {
            None => Demand::Close,
            Some(port) if port.transport.is_open() => port.during(event),
            Some(port) => port.demand(),
        }
    }

    pub(crate) fn flush(
        &mut self,
        id: PortId,
        send: &mut dyn FnMut(&mut DatagramQueue) -> Sent,
    ) -> Demand {
        let Some(port) = self.get_mut(id) else {
            return Demand::Close;
        };
        port.flush(send);
        port.demand()
    }
}
