//! Why a configuration of TLS cannot be: one line that names the file and the remedy.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a certificate, a key or a set of options cannot be used.
#[derive(Debug)]
pub struct TlsError {
    subject: String,
    problem: TlsProblem,
}

/// What is wrong with a certificate, a key, or options.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// It has no certificate in it.
    NoCertificate,
    /// It has no private key in it.
    NoKey,
    /// The private key is encrypted.
    EncryptedKey,
    /// It is no PEM, or the content of the PEM is no certificate or key.
    Malformed(String),
    /// The key, whose file is named, is not that of the certificate.
    Mismatch(String),
    /// The certificate is over since then.
    Expired(String),
    /// An option cannot be.
    Option(String),
}

impl TlsError {
    pub(crate) fn new(subject: impl Into<String>, problem: TlsProblem) -> Self {
        Self {
            subject: subject.into(),
            problem,
        }
    }

    pub(crate) fn malformed(subject: &str, error: &dyn fmt::Display) -> Self {
        Self::new(subject, TlsProblem::Malformed(error.to_string()))
    }

    /// The file, or what else is wrong.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What is wrong with it.
    #[must_use]
    pub const fn problem(&self) -> &TlsProblem {
        &self.problem
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.problem)
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NoCertificate => f.write_str(
                "no certificate in it; it must have a part that begins with -----BEGIN CERTIFICATE-----",
            ),
            Self::NoKey => f.write_str(
                "no private key in it; it must have a part that begins with -----BEGIN PRIVATE KEY-----, \
                 -----BEGIN RSA PRIVATE KEY----- or -----BEGIN EC PRIVATE KEY-----",
            ),
            Self::EncryptedKey => f.write_str(
                "the private key is encrypted; decrypt it (openssl pkey -in FILE -out FILE) and guard it by file permissions",
            ),
            Self::Malformed(what) => f.write_str(what),
            Self::Mismatch(key) => {
                write!(f, "the key in {key} is not the one of this certificate")
            }
            Self::Expired(since) => write!(f, "the certificate expired on {since}; renew it"),
            Self::Option(what) => f.write_str(what),
        }
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.problem {
            TlsProblem::Unreadable(error) => Some(error),
            _ => None,
        }
    }
}
