//! One address for all cores: how its connections are shared out.
//!
//! ```text
//!   Kernel        each core has a socket ── the kernel picks one by a hash of the peer ──► served there
//!   LeastLoaded   core 0 accepts ── hand over the descriptor ──► the core with the fewest connections
//!   Hybrid        each core has a socket ── kept, unless another has clearly fewer ──► handed over
//! ```
//!
//! A connection moves before its first byte is read, or never.

use std::io;

use ropewalk_core::driver::Listen;
use ropewalk_core::endpoint::{Listening, ServerEndpoint};
use ropewalk_core::{
    Address, Descriptor, Factory, Limits, ListenError, ListeningPort, Protocol, Reactor, Transport,
};

use crate::core::Core;
use crate::hub::{Handed, SharedPort};

/// Who gets a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// Whom the kernel picks, by a hash of both addresses. Costs nothing; a few long connections may meet on one core.
    Kernel,
    /// The core with the fewest connections. Core 0 accepts for all.
    LeastLoaded,
    /// Whom the kernel picks, unless another core has clearly fewer connections: as even as [`LeastLoaded`] in the long run,
    /// and accepting is not one core's work.
    ///
    /// [`LeastLoaded`]: Self::LeastLoaded
    Hybrid,
}

impl Sharing {
    fn hands_over(self) -> bool {
        self != Self::Kernel
    }
}

/// A core keeps what the kernel gave it while it has at most an eighth more than the one with the fewest, plus one.
const KEPT_ABOVE_LEAST: usize = 8;

impl<M: Send + 'static> Core<M> {
    /// Listens for all cores. Each core calls this in its setup, for the same endpoints in the same order, and serves what
    /// it gets with its own factory. With port 0 all share the port that core 0 got.
    ///
    /// Gives the port where this core accepts; under [`Sharing::LeastLoaded`] only core 0 does.
    ///
    /// # Errors
    ///
    /// As [`Reactor::listen`]. An endpoint that is no address, such as `stdio:`, cannot be shared; nor can the kernel share
    /// out a UNIX socket.
    ///
    /// # Panics
    ///
    /// The cores listen at different endpoints, or this is called before core 0 has.
    #[track_caller]
    pub fn listen(
        &self,
        reactor: &mut Reactor,
        endpoint: impl ServerEndpoint,
        sharing: Sharing,
        factory: impl Factory,
    ) -> Result<Option<ListeningPort>, ListenError> {
        self.listen_with(reactor, endpoint, sharing, Limits::default(), factory)
    }

    /// [`listen`](Self::listen) with other limits for each connection.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    ///
    /// # Panics
    ///
    /// As [`listen`](Self::listen).
    #[track_caller]
    pub fn listen_with(
        &self,
        reactor: &mut Reactor,
        endpoint: impl ServerEndpoint,
        sharing: Sharing,
        limits: Limits,
        factory: impl Factory,
    ) -> Result<Option<ListeningPort>, ListenError> {
        let mut listening = endpoint.listening().map_err(ListenError::Endpoint)?;
        let number = self.ports();
        self.adapt(&mut listening, sharing, number)?;
        let counted = Counted {
            factory,
            core: self.clone(),
        };
        let port = if sharing.hands_over() {
            let factory = listening.wrap(reactor, Box::new(counted));
            let factory = factory.map_err(ListenError::Endpoint)?;
            self.add_port(Some(reactor.adopter(limits, factory)));
            let hands_over = HandsOver(self.clone(), sharing, number);
            let accepts = sharing == Sharing::Hybrid || self.index() == 0;
            accepts
                .then(|| reactor.listen(&listening, hands_over))
                .transpose()?
        } else {
            self.add_port(None);
            Some(reactor.listen_with(&listening, limits, counted)?)
        };
        if let (0, Some(port)) = (self.index(), &port) {
            let (address, text) = (port.host().clone(), listening.to_string());
            self.seats().add_port(SharedPort { text, address });
        }
        Ok(port)
    }

    /// Says how the driver shall listen so that the cores can share.
    fn adapt(
        &self,
        listening: &mut Listening,
        sharing: Sharing,
        number: usize,
    ) -> Result<(), ListenError> {
        let text = listening.to_string();
        let shared = self.seats().port(number);
        let refused = |why: &str| ListenError::Open {
            endpoint: text.clone(),
            error: io::Error::new(io::ErrorKind::InvalidInput, why),
        };
        let Some(listen) = listening.listen_mut() else {
            return Err(refused("only an address can be shared between cores"));
        };
        if listen.address.unix().is_some() && sharing != Sharing::LeastLoaded {
            return Err(refused(
                "the kernel does not share out UNIX sockets: use Sharing::LeastLoaded",
            ));
        }
        listen.reuse_port = sharing != Sharing::LeastLoaded;
        listen.hand_over = sharing.hands_over();
        if self.index() > 0 {
            use_port_of(listen, shared, &text);
        }
        Ok(())
    }
}

/// Core 0 listens already: at its port.
fn use_port_of(listen: &mut Listen, shared: Option<SharedPort>, text: &str) {
    let shared = shared.unwrap_or_else(|| panic!("Core::listen: core 0 does not listen at {text}"));
    assert_eq!(
        shared.text, text,
        "Core::listen: all cores listen at the same endpoints, in the same order"
    );
    listen.address = shared.address;
}

/// Counts the connections of a core.
struct Counted<F, M> {
    factory: F,
    core: Core<M>,
}

impl<F: Factory, M: Send + 'static> Factory for Counted<F, M> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }
    fn accepts(&mut self, peer: &Address) -> bool {
        let accepts = self.factory.accepts(peer);
        if accepts {
            self.core.own_seat().add_connection();
        }
        accepts
    }
    fn ended(&mut self, transport: &Transport) {
        self.core.own_seat().remove_connection();
        self.factory.ended(transport);
    }
    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }
}

/// The factory of a port whose connections are handed over.
struct HandsOver<M>(Core<M>, Sharing, usize);

impl<M: Send + 'static> HandsOver<M> {
    fn target(&self) -> usize {
        let Self(core, sharing, _) = self;
        let least = core.seats().least_loaded();
        let (ours, fewest) = (core.load(core.index()), core.load(least));
        let keeps = *sharing == Sharing::Hybrid && ours <= fewest + fewest / KEPT_ABOVE_LEAST + 1;
        if keeps { core.index() } else { least }
    }
}

impl<M: Send + 'static> Factory for HandsOver<M> {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        None
    }

    fn handed_over(&mut self, descriptor: Descriptor, _host: &Address, _peer: &Address) {
        let handed = Handed {
            port: self.2,
            descriptor,
        };
        self.0.hand_over(self.target(), handed);
    }
}
