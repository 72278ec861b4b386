//! Certificates and keys as PEM (RFC 7468), from files or from memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use crate::der::{CertificateFields, in_words};
use crate::error::{TlsError, TlsProblem};
use crate::provider::Provider;

/// PEM, and what to call it in an error.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Memory(&'static str, Arc<[u8]>),
}

impl Source {
    pub(crate) fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_owned())
    }

    pub(crate) fn memory(name: &'static str, pem: impl AsRef<[u8]>) -> Self {
        Self::Memory(name, pem.as_ref().into())
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory(name, _) => (*name).to_owned(),
        }
    }

    fn read(&self) -> Result<Arc<[u8]>, TlsError> {
        match self {
            Self::Memory(_, pem) => Ok(Arc::clone(pem)),
            Self::File(path) => std::fs::read(path)
                .map(Into::into)
                .map_err(|error| TlsError::new(self.name(), TlsProblem::Unreadable(error))),
        }
    }

    /// All certificates of it, at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let pem = self.read()?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates.map_err(|error| self.not_pem(&error))?;
        if certificates.is_empty() {
            return Err(TlsError::new(self.name(), TlsProblem::NoCertificate));
        }
        Ok(certificates)
    }

    /// Its first private key: PKCS#8, PKCS#1 or SEC1.
    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let pem = self.read()?;
        if is_encrypted(&pem) {
            return Err(TlsError::new(self.name(), TlsProblem::EncryptedKey));
        }
        match PrivateKeyDer::from_pem_slice(&pem) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(TlsError::new(self.name(), TlsProblem::NoKey)),
            Err(error) => Err(self.not_pem(&error)),
        }
    }

    fn not_pem(&self, error: &pem::Error) -> TlsError {
        TlsError::new(
            self.name(),
            TlsProblem::Malformed(format!("it is damaged PEM: {error}")),
        )
    }
}

/// RFC 7468 section 11, and the older form of RFC 1421.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// A certificate, its chain, and its private key: who we are.
#[derive(Clone, Debug)]
#[doc(alias = "PrivateCertificate")]
pub struct Identity {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) not_after: SystemTime,
}

impl Identity {
    /// Reads the certificate (with its chain behind it, if any) and the key, which may be the same file.
    ///
    /// # Errors
    ///
    /// A file is missing or unreadable, has no certificate or key in it, the key is encrypted or not that of the
    /// certificate, or the certificate has expired.
    pub fn from_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::load(
            &Source::file(certificate),
            &Source::file(key),
            None,
            &Provider::default(),
        )
    }

    /// The same from memory.
    ///
    /// # Errors
    ///
    /// As [`from_files`](Self::from_files).
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsError> {
        let certificate = Source::memory("the certificate", certificate);
        let key = Source::memory("the key", key);
        Self::load(&certificate, &key, None, &Provider::default())
    }

    /// When the certificate ends.
    #[must_use]
    pub const fn not_after(&self) -> SystemTime {
        self.not_after
    }

    /// A certificate and a key that match, and are not over.
    pub(crate) fn load(
        certificate: &Source,
        key: &Source,
        chain: Option<&Source>,
        provider: &Provider,
    ) -> Result<Self, TlsError> {
        let mut certificates = certificate.certificates()?;
        if let Some(chain) = chain {
            certificates.extend(chain.certificates()?);
        }
        let not_after = unexpired(certificate, &certificates)?;
        let certified = CertifiedKey::from_der(certificates, key.key()?, &provider.crypto);
        let certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::new(certificate.name(), TlsProblem::Mismatch(key.name()))
            }
            Error::InvalidCertificate(error) => TlsError::malformed(
                &certificate.name(),
                &format_args!("it is no certificate: {error}"),
            ),
            error => TlsError::malformed(
                &key.name(),
                &format_args!(
                    "the key cannot be used: {error}; RSA from 2048 bits on, ECDSA and Ed25519 can"
                ),
            ),
        })?;
        Ok(Self {
            key: Arc::new(certified),
            not_after,
        })
    }
}

/// Until when the first certificate of a chain is valid.
fn unexpired(source: &Source, certificates: &[CertificateDer<'_>]) -> Result<SystemTime, TlsError> {
    let fields = certificates
        .first()
        .and_then(|certificate| CertificateFields::of(certificate))
        .ok_or_else(|| TlsError::malformed(&source.name(), &"it is no certificate"))?;
    if fields.not_after < SystemTime::now() {
        let since = in_words(fields.not_after);
        return Err(TlsError::new(source.name(), TlsProblem::Expired(since)));
    }
    Ok(fields.not_after)
}
