//! What a server says about itself and asks of its clients.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};

use crate::certificates::Certificates;
use crate::client::Roots;
use crate::error::{TlsError, TlsProblem};
use crate::facts::TlsVersion;

/// A client may come with data for the server that was here before us, under a ticket of that one's. They cannot be read, and are
/// skipped (RFC 8446 section 4.2.10): `HANDSHAKE_BYTES` of the layer says how many. This says how many rustls tries to decrypt, which
/// are more: what it skips it leaves in the buffer, and tries again whenever it looks there.
const TRIED_BYTES: u32 = 1024 * 1024;

/// Whether clients must show certificates.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; one that is shown must come from these roots.
    Optional(Roots),
    /// Who shows none from these roots is refused.
    Required(Roots),
}

/// What to make a [`TlsServer`] of.
#[derive(Clone, Debug)]
#[doc(alias = "CertificateOptions")]
pub struct ServerOptions {
    certificates: Certificates,
    alpn: Vec<String>,
    clients: ClientCertificates,
    oldest: TlsVersion,
    resumption: bool,
}

impl ServerOptions {
    /// These certificates; no ALPN, no certificates of clients, TLS 1.2 and 1.3, resumption by tickets.
    #[must_use]
    pub const fn new(certificates: Certificates) -> Self {
        Self {
            certificates,
            alpn: Vec::new(),
            clients: ClientCertificates::None,
            oldest: TlsVersion::Tls12,
            resumption: true,
        }
    }

    /// The protocols above, the preferred one first: the first that the client knows too is taken. With none in common the
    /// connection is without (R81).
    #[must_use]
    #[doc(alias = "acceptableProtocols")]
    pub fn alpn<T: Into<String>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Whether clients must show certificates.
    #[must_use]
    #[doc(alias = "requireCertificate")]
    pub fn client_certificates(mut self, clients: ClientCertificates) -> Self {
        self.clients = clients;
        self
    }

    /// The oldest version that is spoken (R80).
    #[must_use]
    #[doc(alias = "raiseMinimumTo")]
    pub const fn oldest(mut self, version: TlsVersion) -> Self {
        self.oldest = version;
        self
    }

    /// Every handshake is a full one.
    #[must_use]
    pub const fn without_resumption(mut self) -> Self {
        self.resumption = false;
        self
    }
}

/// The server's side of TLS, made once and shared by all its connections; cheap to clone, also to other threads.
///
/// Sessions are resumed by tickets that only this value can read, and only under the name that they were made for: what one
/// server granted is nothing to another with other rules for clients.
#[derive(Clone, Debug)]
pub struct TlsServer {
    pub(crate) config: Arc<ServerConfig>,
    /// For clients with whom no protocol above is in common.
    pub(crate) without_alpn: Arc<ServerConfig>,
    certificates: Certificates,
}

impl TlsServer {
    /// Puts options into effect.
    ///
    /// # Errors
    ///
    /// A protocol of ALPN has an impossible name, or there is no root to check clients with.
    pub fn new(options: ServerOptions) -> Result<Self, TlsError> {
        let ServerOptions {
            certificates,
            alpn,
            clients,
            oldest,
            resumption,
        } = options;
        let provider = certificates.provider();
        let failed = |error| TlsError::malformed("TLS", &error);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider.crypto))
            .with_protocol_versions(oldest.and_newer())
            .map_err(failed)?
            .with_client_cert_verifier(verifier(clients, &certificates)?);
        let mut config = builder.with_cert_resolver(Arc::new(certificates.clone()));
        // All state is in the tickets: a store of sessions is memory that clients fill.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        // Without such a store no early data are accepted or invited: this is only how many are skipped.
        config.max_early_data_size = TRIED_BYTES;
        if resumption {
            config.ticketer = provider.ticketer().map_err(failed)?;
        } else {
            config.send_tls13_tickets = 0;
        }
        let without_alpn = Arc::new(config.clone());
        config.alpn_protocols = alpn_names(&alpn)?;
        Ok(Self {
            config: Arc::new(config),
            without_alpn,
            certificates,
        })
    }

    /// Its certificates, to reload or watch them.
    #[must_use]
    pub const fn certificates(&self) -> &Certificates {
        &self.certificates
    }
}

fn verifier(
    clients: ClientCertificates,
    certificates: &Certificates,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let (roots, required) = match clients {
        ClientCertificates::None => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientCertificates::Optional(roots) => (roots, false),
        ClientCertificates::Required(roots) => (roots, true),
    };
    let crypto = Arc::clone(&certificates.provider().crypto);
    let builder = WebPkiClientVerifier::builder_with_provider(roots.store, crypto);
    let builder = if required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    let made = builder.build();
    made.map_err(|error| TlsError::malformed("the roots of clients", &error))
}

/// RFC 7301 section 3.1: a name is 1 to 255 bytes.
pub(crate) fn alpn_names(names: &[String]) -> Result<Vec<Vec<u8>>, TlsError> {
    let wrong = names.iter().find(|name| !(1..=255).contains(&name.len()));
    if let Some(name) = wrong {
        let problem = format!("a protocol has 1 to 255 bytes, not {}", name.len());
        return Err(TlsError::new("ALPN", TlsProblem::Option(problem)));
    }
    Ok(names.iter().map(|name| name.clone().into_bytes()).collect())
}
