//! Tells the server for whom a connection is made, by the PROXY protocol.
//!
//! For: clients and forwarders that connect on behalf of others, to servers that expect the header; a server that does not
//! takes it for nonsense. Not for: reading it, which is [`ProxyFactory`](crate::ProxyFactory)'s.

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Layer, Transport};
use ropewalk_grammar::proxy::{Forwarded, ProxyError, ProxyHeader, TlvList};

use crate::proxy_address::of_address;

/// Which form of the PROXY protocol is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text, as HAProxy's `send-proxy`: TCP only.
    V1,
    /// Binary, as HAProxy's `send-proxy-v2`.
    V2,
}

/// Sends a header as the first bytes of a connection. It belongs below every other layer.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_protocols::{ProxyHeader, ProxyHeaderLayer, ProxyVersion};
/// use ropewalk_testing::StringTransport;
///
/// struct Caller;
/// impl Protocol for Caller {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, _: &Transport, _: &[u8]) {}
/// }
///
/// let layer = ProxyHeaderLayer::new(&ProxyHeader::Unknown, ProxyVersion::V1)?;
/// let mut server = StringTransport::builder().layer(layer).protocol(Caller);
/// assert_eq!(server.take_sent(), b"PROXY UNKNOWN\r\nhello");
/// # Ok::<(), ropewalk_protocols::ProxyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProxyHeaderLayer {
    header: Vec<u8>,
}

impl ProxyHeaderLayer {
    /// Sends this header.
    ///
    /// # Errors
    ///
    /// This version cannot say it.
    pub fn new(header: &ProxyHeader, version: ProxyVersion) -> Result<Self, ProxyError> {
        Ok(Self {
            header: encode(header, version)?,
        })
    }

    /// Sends for whom this connection came: its [`peer`](Transport::peer) and [`host`](Transport::host), and what a proxy
    /// before us told beside them if this version can say it. What cannot be said is sent as unknown.
    #[must_use]
    pub fn on_behalf_of(transport: &Transport, version: ProxyVersion) -> Self {
        Self {
            header: header_for(transport, version),
        }
    }
}

impl Layer for ProxyHeaderLayer {
    fn name(&self) -> &'static str {
        "PROXY header"
    }

    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        down.append(&mut self.header);
        Ok(())
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        up(data);
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }
}

/// The header that says for whom this connection came.
pub(crate) fn header_for(transport: &Transport, version: ProxyVersion) -> Vec<u8> {
    let addresses = of_address(transport.peer()).zip(of_address(transport.host()));
    let header = addresses.map_or(ProxyHeader::Unknown, |(source, destination)| {
        ProxyHeader::Forwarded(Forwarded {
            source,
            destination,
            tlvs: match version {
                ProxyVersion::V1 => TlvList::default(),
                ProxyVersion::V2 => told_before(transport),
            },
        })
    });
    encode(&header, version)
        .or_else(|_| encode(&ProxyHeader::Unknown, version))
        .unwrap_or_default()
}

fn told_before(transport: &Transport) -> TlvList {
    match transport.fact::<ProxyHeader>().as_deref() {
        Some(ProxyHeader::Forwarded(forwarded)) => forwarded.tlvs.clone(),
        _ => TlvList::default(),
    }
}

fn encode(header: &ProxyHeader, version: ProxyVersion) -> Result<Vec<u8>, ProxyError> {
    let mut bytes = Vec::new();
    match version {
        ProxyVersion::V1 => header.send_v1(&mut bytes),
        ProxyVersion::V2 => header.send_v2(&mut bytes),
    }?;
    Ok(bytes)
}
