//! Why TLS with a peer failed, in plain words.

use std::error::Error;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use crate::der::in_words;

/// Why TLS with a peer failed: inside of [`Reason::Misbehaved`](ropewalk_core::Reason). The peer was sent the alert that
/// RFC 8446 section 6.2 demands.
#[derive(Debug)]
pub struct PeerError(Kind);

#[derive(Debug)]
enum Kind {
    Tls(rustls::Error),
    TooLong(usize),
}

impl PeerError {
    pub(crate) const fn too_long(limit: usize) -> Self {
        Self(Kind::TooLong(limit))
    }

    /// Whether the peer's certificate was refused.
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(
            self.0,
            Kind::Tls(
                rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented
            )
        )
    }
}

impl From<rustls::Error> for PeerError {
    fn from(error: rustls::Error) -> Self {
        Self(Kind::Tls(error))
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use rustls::Error as Tls;
        let error = match &self.0 {
            Kind::Tls(error) => error,
            Kind::TooLong(limit) => {
                return write!(f, "its handshake message is longer than {limit} bytes");
            }
        };
        match error {
            Tls::InvalidCertificate(error) => {
                f.write_str("its certificate is refused: ")?;
                certificate(f, error)
            }
            Tls::NoCertificatesPresented => f.write_str("it shows no certificate, and must"),
            Tls::AlertReceived(alert) => write!(f, "it refuses us: {}", words(*alert)),
            Tls::InvalidMessage(InvalidMessage::InvalidContentType) => {
                f.write_str("these are not the bytes of TLS; does it speak the plain protocol?")
            }
            Tls::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge) => {
                f.write_str("its handshake message is too long: more than 65535 bytes")
            }
            Tls::PeerIncompatible(
                PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13,
            ) => f.write_str("it speaks no version of TLS that is accepted here"),
            error => write!(f, "{error}"),
        }
    }
}

impl Error for PeerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::Tls(error) => Some(error),
            Kind::TooLong(_) => None,
        }
    }
}

fn certificate(f: &mut fmt::Formatter<'_>, error: &CertificateError) -> fmt::Result {
    match error {
        CertificateError::ExpiredContext { not_after, .. } => {
            write!(f, "it expired on {}", at(*not_after))
        }
        CertificateError::Expired => f.write_str("it has expired"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            write!(f, "it is valid only from {} on", at(*not_before))
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<&str> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() {
                "no name".to_owned()
            } else {
                names.join(", ")
            };
            write!(
                f,
                "wrong host: it is for {names}, not for {}",
                expected.to_str()
            )
        }
        CertificateError::NotValidForName => f.write_str("wrong host: it is for another name"),
        CertificateError::UnknownIssuer => {
            f.write_str("unknown root: it was issued by nobody who is trusted here")
        }
        CertificateError::BadSignature => f.write_str("its signature is wrong"),
        CertificateError::Revoked => f.write_str("it was revoked"),
        CertificateError::Other(other) => match other.0.to_string().as_str() {
            "CaUsedAsEndEntity" => f.write_str("it is the certificate of an authority"),
            "UnsupportedCertVersion" => f.write_str("it is no X.509 of version 3"),
            other => f.write_str(other),
        },
        error => write!(f, "{error}"),
    }
}

/// webpki writes `DnsName("a.example")`.
fn plain(name: &str) -> &str {
    let inner = name
        .strip_prefix("DnsName(\"")
        .and_then(|rest| rest.strip_suffix("\")"));
    inner.unwrap_or(name)
}

fn at(time: UnixTime) -> String {
    in_words(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}

/// An alert of RFC 8446 section 6 as one would say it.
fn words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::UnknownCA => "it does not trust who issued our certificate",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "it does not accept our certificate"
        }
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::CertificateRequired => "it wants a certificate from us",
        AlertDescription::HandshakeFailure => "it found nothing in common with us",
        AlertDescription::ProtocolVersion => "it speaks none of our versions of TLS",
        AlertDescription::UnrecognisedName => "it does not know the name that we asked for",
        AlertDescription::NoApplicationProtocol => "it knows none of our protocols (ALPN)",
        other => return format!("alert {other:?}"),
    };
    words.to_owned()
}
