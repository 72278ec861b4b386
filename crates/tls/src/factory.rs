//! A factory whose connections have TLS below everything else.

use rustls::pki_types::ServerName;

use ropewalk_core::timer::LoopingCall;
use ropewalk_core::{Address, Factory, Handle, Layer, Protocol, Transport};

use crate::certificates::Certificates;
use crate::client::{TlsClient, server_name};
use crate::error::TlsError;
use crate::layer::TlsLayer;
use crate::server::TlsServer;

/// Puts TLS below the protocols of another factory, and below its layers.
#[doc(alias = "TLSMemoryBIOFactory")]
#[doc(alias = "wrapClientTLS")]
#[doc(alias = "wrapServerTLS")]
pub struct TlsFactory<F> {
    side: Side,
    factory: F,
    watch: Option<LoopingCall>,
}

enum Side {
    Server(TlsServer),
    Client(TlsClient, ServerName<'static>),
}

impl<F: Factory> TlsFactory<F> {
    /// For a port.
    #[must_use]
    pub fn server(server: &TlsServer, factory: F) -> Self {
        Self::new(Side::Server(server.clone()), factory)
    }

    /// For a connector; the server's certificate must be for this name, of DNS or an IP address.
    ///
    /// # Errors
    ///
    /// No server can have this name.
    pub fn client(client: &TlsClient, name: &str, factory: F) -> Result<Self, TlsError> {
        let side = Side::Client(client.clone(), server_name(name)?);
        Ok(Self::new(side, factory))
    }

    /// Reloads the certificates when their files change, as long as a port uses this factory.
    #[must_use]
    pub fn watching(mut self, handle: &Handle) -> Self {
        if let Side::Server(server) = &self.side {
            let certificates = server.certificates();
            self.watch = Some(certificates.watch(handle, Certificates::DEFAULT_PERIOD));
        }
        self
    }

    const fn new(side: Side, factory: F) -> Self {
        let watch = None;
        Self {
            side,
            factory,
            watch,
        }
    }
}

impl<F: Factory> Factory for TlsFactory<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn stop_factory(&mut self) {
        if let Some(watch) = self.watch.take() {
            let _runs_until_then = watch.stop();
        }
        self.factory.stop_factory();
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        let tls = match &self.side {
            Side::Server(server) => TlsLayer::server(server),
            Side::Client(client, name) => TlsLayer::client_of(client, name.clone()),
        };
        let mut layers: Vec<Box<dyn Layer>> = vec![Box::new(tls)];
        layers.extend(self.factory.layers(peer));
        layers
    }
}
