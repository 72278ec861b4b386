//! Connects each peer of a port with somebody else.
//!
//! For: reaching a service through another port or host. Not for: protocols that say where to (SOCKS, HTTP CONNECT), nor for
//! looking at what goes by, which is a [`Layer`](ropewalk_core::Layer)'s.
//!
//! ```text
//!   peer ─► near ─ write ─► far ─► destination        each end tells the other: bytes, pause, resume,
//!        ◄─      ◄─ write ─     ◄─                    half-close, close, reset
//! ```

use std::cell::OnceCell;
use std::rc::Rc;

use ropewalk_core::endpoint::{ClientEndpoint, Destination, EndpointError};
use ropewalk_core::{Factory, Failure, Protocol, Reason, Transport};

use crate::proxy_header_layer::{ProxyVersion, header_for};

/// A factory that connects each peer with one destination, in both directions and with back-pressure: an end that cannot
/// send pauses the other's reading, and no more than the high-water mark gathers in between.
///
/// A peer is read from once the destination is connected; if that fails, the peer is disconnected. One end's half-close,
/// close and reset become the other's.
///
/// Let the port read on while it cannot send: whether it may is for the far end to say.
///
/// ```
/// use ropewalk_core::{Limits, Reactor};
/// use ropewalk_protocols::PortForwarder;
/// use ropewalk_sim::SimDriver;
///
/// let mut reactor = Reactor::new(SimDriver::alone(1));
/// let limits = Limits { pause_reading_when_full: false, ..Limits::default() };
/// reactor.listen_with("tcp:8080", limits, PortForwarder::new("tcp:intranet:80")?)?;
/// # Ok::<(), ropewalk_core::Failure>(())
/// ```
#[doc(alias = "ProxyFactory")]
#[derive(Clone, Debug)]
pub struct PortForwarder {
    destination: Destination,
    proxy_header: Option<ProxyVersion>,
}

impl PortForwarder {
    /// Forwards to this endpoint.
    ///
    /// # Errors
    ///
    /// The endpoint cannot be understood.
    pub fn new(endpoint: impl ClientEndpoint) -> Result<Self, EndpointError> {
        Ok(Self {
            destination: endpoint.destination()?,
            proxy_header: None,
        })
    }

    /// Tells the destination for whom each connection is, by the PROXY protocol, which it must expect. What a proxy before
    /// us told goes on.
    #[must_use]
    pub fn with_proxy_header(mut self, version: ProxyVersion) -> Self {
        self.proxy_header = Some(version);
        self
    }
}

impl Factory for PortForwarder {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(Near {
            destination: self.destination.clone(),
            proxy_header: self.proxy_header,
            relay: Relay::default(),
        }))
    }
}

/// The end of the peer.
struct Near {
    destination: Destination,
    proxy_header: Option<ProxyVersion>,
    relay: Relay,
}

/// The end of the destination.
struct Far {
    near: Transport,
    proxy_header: Option<ProxyVersion>,
    /// Where the near end learns of this one.
    place: Rc<OnceCell<Transport>>,
    relay: Relay,
}

/// What both ends do.
#[derive(Default)]
struct Relay {
    other: Rc<OnceCell<Transport>>,
}

impl Protocol for Near {
    fn connection_made(&mut self, transport: &Transport) {
        transport.pause_reading();
        let relay = Relay {
            other: Rc::new(OnceCell::from(transport.clone())),
        };
        let far = Far {
            near: transport.clone(),
            proxy_header: self.proxy_header,
            place: Rc::clone(&self.relay.other),
            relay,
        };
        let connecting = transport.reactor().connect_protocol(&self.destination, far);
        transport.when(connecting, |_: &mut Self, near, result: Result<Transport, Failure>| {
            if let Err(failure) = result {
                tracing::warn!(peer = %near.peer(), %failure, "a connection cannot be forwarded");
                near.lose_connection();
            }
        });
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.relay.data_received(transport, data);
    }

    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        Some(&mut self.relay)
    }
}

impl Protocol for Far {
    fn connection_made(&mut self, transport: &Transport) {
        let _first = self.place.set(transport.clone());
        if let Some(version) = self.proxy_header {
            transport.write(header_for(&self.near, version));
        }
        if self.near.is_open() {
            self.near.resume_reading();
        } else {
            transport.lose_connection();
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.relay.data_received(transport, data);
    }

    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        Some(&mut self.relay)
    }
}

impl Relay {
    fn tell(&self, tell: impl FnOnce(&Transport)) {
        if let Some(other) = self.other.get() {
            tell(other);
        }
    }
}

impl Protocol for Relay {
    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.tell(|other| other.write(data));
    }

    fn eof_received(&mut self, _transport: &Transport) {
        self.tell(Transport::lose_write_connection);
    }

    fn writing_paused(&mut self, _transport: &Transport) {
        self.tell(Transport::pause_reading);
    }

    fn writing_resumed(&mut self, _transport: &Transport) {
        self.tell(Transport::resume_reading);
    }

    fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
        self.tell(|other| match reason {
            Reason::Done => other.lose_connection(),
            _ => other.abort_connection(),
        });
    }
}
