//! Serves the peers of a proxy that says who they are, by the PROXY protocol.
//!
//! For: servers behind HAProxy, load balancers and the like. Not for: ports that others reach too: with the header anybody
//! could say that he is anybody.
//!
//! ```text
//!   client ──► proxy ── header, then the client's bytes ──► ProxyLayer ──► layers and protocol of the inner factory,
//!                                                                          with the client as their peer
//! ```

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Facts, Layer, Protocol, Transport};
use ropewalk_grammar::proxy::{ProxyDecoder, ProxyHeader};

use crate::allowed_peers::AllowedPeers;
use crate::proxy_address::to_address;

/// Reads the header of the PROXY protocol, version 1 or 2, at the beginning of each connection (R115).
///
/// Each connection must begin with a header, and only known proxies may connect: a stranger's connection is refused before
/// anything of it is read. The header's addresses are the [`peer`](Transport::peer) and [`host`](Transport::host) that the
/// inner factory and its protocols see; [`Transport::fact`] has the whole [`ProxyHeader`]. A proxy that speaks for itself
/// (a health check), or cannot say for whom, leaves the connection its own addresses. The limit `handshake` bounds how long
/// the header may take.
///
/// Policies within see in [`accepts`](Factory::accepts) the address of the proxy, since the header has not come yet.
///
/// ```
/// use ropewalk_core::{Address, Factory};
/// use ropewalk_protocols::wire::Echo;
/// use ropewalk_protocols::ProxyFactory;
///
/// let mut factory = ProxyFactory::new(|| Echo, "10.0.0.0/8".parse()?);
/// assert!(factory.accepts(&Address::Tcp(([10, 1, 2, 3], 4).into())));
/// assert!(!factory.accepts(&Address::Tcp(([192, 0, 2, 1], 4).into())));
/// # Ok::<(), ropewalk_protocols::NotANetwork>(())
/// ```
#[doc(alias = "HAProxyWrappingFactory")]
#[derive(Clone, Debug)]
pub struct ProxyFactory<F> {
    factory: F,
    from: AllowedPeers,
    limit_bytes: usize,
    /// How many were refused.
    strangers: u64,
}

impl<F: Factory> ProxyFactory<F> {
    /// Believes these proxies, and accepts nobody else.
    #[must_use]
    pub fn new(factory: F, from: AllowedPeers) -> Self {
        Self {
            factory,
            from,
            limit_bytes: ProxyDecoder::DEFAULT_LIMIT_BYTES,
            strangers: 0,
        }
    }

    /// Accepts headers of version 2 with at most so many bytes after the sixteen fixed ones; see
    /// [`ProxyDecoder::DEFAULT_LIMIT_BYTES`].
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }
}

impl<F> ProxyFactory<F> {
    /// Counts one more; whether that is worth a line: the first, second, fourth, eighth … so that strangers fill no disk.
    fn count_stranger(&mut self) -> bool {
        self.strangers += 1;
        self.strangers.is_power_of_two()
    }
}

impl<F: Factory> Factory for ProxyFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn accepts(&mut self, peer: &Address) -> bool {
        let is_known = self.from.contains(peer);
        if !is_known && self.count_stranger() {
            let strangers = self.strangers;
            tracing::info!(%peer, known = %self.from, strangers, "refused: only known proxies may connect here");
        }
        is_known && self.factory.accepts(peer)
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        let decoder = ProxyDecoder::new().with_limit_bytes(self.limit_bytes);
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(ProxyLayer::new(decoder))];
        layers.append(&mut self.factory.layers(peer));
        layers
    }
}

/// Takes the header off a connection's first bytes; open once it is whole. It belongs below every other layer.
///
/// It does not ask who the peer is: that is what [`ProxyFactory`] does.
#[derive(Debug, Default)]
pub struct ProxyLayer {
    decoder: ProxyDecoder,
    header: Option<ProxyHeader>,
}

impl ProxyLayer {
    /// Reads the header with this decoder.
    #[must_use]
    pub fn new(decoder: ProxyDecoder) -> Self {
        Self {
            decoder,
            header: None,
        }
    }
}

impl Layer for ProxyLayer {
    fn name(&self) -> &'static str {
        "PROXY"
    }

    fn is_open(&self) -> bool {
        self.header.is_some()
    }

    fn facts(&self, facts: &mut Facts) {
        let Some(header) = &self.header else { return };
        if let ProxyHeader::Forwarded(forwarded) = header {
            facts.set_peer(to_address(&forwarded.source));
            facts.set_host(to_address(&forwarded.destination));
        }
        facts.add(header.clone());
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if self.is_open() {
            up(data);
            return Ok(());
        }
        match self.decoder.receive(data) {
            Ok(None) => {}
            Ok(Some((header, used))) => {
                self.header = Some(header);
                up(&mut data[used..]);
            }
            Err(error) => return Err(LayerError::Misbehaved(error.into())),
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }

    /// A peer that goes without a word was no proxy at work but somebody who looked whether we are there.
    fn eof(&mut self) -> Result<(), LayerError> {
        if self.decoder.buffered() > 0 {
            return Err(LayerError::Truncated);
        }
        Ok(())
    }
}
