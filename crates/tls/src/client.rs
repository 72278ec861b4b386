//! What a client trusts and shows.

use std::path::Path;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{TlsError, TlsProblem};
use crate::facts::TlsVersion;
use crate::pem::{Identity, Source};
use crate::provider::Provider;
use crate::server::alpn_names;
use crate::verifier::Verifier;

/// The authorities whose certificates are trusted.
#[derive(Clone, Debug)]
pub struct Roots {
    pub(crate) store: Arc<RootCertStore>,
    given: Arc<[CertificateDer<'static>]>,
}

impl Roots {
    /// Those that this machine trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others. They are read now: keep the value.
    ///
    /// # Errors
    ///
    /// There are none.
    #[doc(alias = "platformTrust")]
    pub fn platform() -> Result<Self, TlsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let reason = found
                .errors
                .first()
                .map_or_else(String::new, |error| format!(" ({error})"));
            let problem = format!(
                "this machine has none{reason}; install its ca-certificates, or give the roots to trust as a PEM file"
            );
            return Err(TlsError::new("trusted roots", TlsProblem::Option(problem)));
        }
        Ok(Self {
            store: Arc::new(store),
            given: [].into(),
        })
    }

    /// The certificates of a PEM file, and no others. A server's own certificate may be among them, also a self-signed one.
    ///
    /// # Errors
    ///
    /// It cannot be read, or has no certificate in it that could be a root.
    #[doc(alias = "trustRootFromCertificates")]
    pub fn from_file(pem: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::from_source(&Source::file(pem))
    }

    /// The same from memory.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file).
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        Self::from_source(&Source::memory("the roots", pem))
    }

    fn from_source(source: &Source) -> Result<Self, TlsError> {
        let given = source.certificates()?;
        let mut store = RootCertStore::empty();
        for certificate in &given {
            store.add(certificate.clone()).map_err(|error| {
                TlsError::malformed(
                    &source.name(),
                    &format_args!("it is no certificate: {error}"),
                )
            })?;
        }
        Ok(Self {
            store: Arc::new(store),
            given: given.into(),
        })
    }
}

/// What to make a [`TlsClient`] of.
#[derive(Clone, Debug)]
#[doc(alias = "optionsForClientTLS")]
pub struct ClientOptions {
    roots: Roots,
    provider: Provider,
    alpn: Vec<String>,
    identity: Option<Identity>,
    oldest: TlsVersion,
    resumption: bool,
    dangerous_accept_anyone: bool,
}

impl ClientOptions {
    /// Trusts these roots; checks the name, shows no certificate, speaks TLS 1.2 and 1.3, resumes sessions.
    #[must_use]
    pub fn new(roots: Roots) -> Self {
        Self {
            roots,
            provider: Provider::default(),
            alpn: Vec::new(),
            identity: None,
            oldest: TlsVersion::Tls12,
            resumption: true,
            dangerous_accept_anyone: false,
        }
    }

    /// Another provider of cryptography.
    #[must_use]
    pub fn provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// The protocols above that are offered, the preferred one first; the server chooses.
    #[must_use]
    #[doc(alias = "acceptableProtocols")]
    pub fn alpn<T: Into<String>>(mut self, protocols: impl IntoIterator<Item = T>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// The certificate to show to a server that asks.
    #[must_use]
    #[doc(alias = "clientCertificate")]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The oldest version that is spoken (R80).
    #[must_use]
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

    /// Accepts any certificate of anybody: whoever sits between reads and writes all. For tests of broken servers only.
    #[must_use]
    pub const fn dangerous_accept_anyone(mut self) -> Self {
        self.dangerous_accept_anyone = true;
        self
    }
}

/// The client's side of TLS, made once and shared by all its connections; cheap to clone, also to other threads.
#[derive(Clone, Debug)]
pub struct TlsClient {
    pub(crate) config: Arc<ClientConfig>,
}

impl TlsClient {
    /// Puts options into effect.
    ///
    /// # Errors
    ///
    /// A protocol of ALPN has an impossible name.
    pub fn new(options: ClientOptions) -> Result<Self, TlsError> {
        let crypto = options.provider.crypto;
        let roots = options.roots;
        let failed = |error: &dyn std::fmt::Display| TlsError::malformed("TLS", error);
        let webpki = WebPkiServerVerifier::builder_with_provider(roots.store, Arc::clone(&crypto));
        let verifier = Verifier {
            webpki: webpki.build().map_err(|error| failed(&error))?,
            given: roots.given,
            dangerous_accept_anyone: options.dangerous_accept_anyone,
        };
        let builder = ClientConfig::builder_with_provider(crypto)
            .with_protocol_versions(options.oldest.and_newer())
            .map_err(|error| failed(&error))?
            .dangerous() // rustls calls every verifier so that is not its own
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match options.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.key)))
            }
        };
        config.alpn_protocols = alpn_names(&options.alpn)?;
        if !options.resumption {
            config.resumption = Resumption::disabled();
        }
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

/// The name that the server's certificate must have: of DNS, or an IP address.
pub(crate) fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let bare = bare
        .split_once('%')
        .map_or(bare, |(address, _scope)| address);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    ServerName::try_from(bare).map(|name| name.to_owned()).map_err(|_| {
        let problem = "no server can have this name; give a host name in ASCII (xn--… for others) or an IP address";
        TlsError::new(format!("{name:?}"), TlsProblem::Option(problem.to_owned()))
    })
}
