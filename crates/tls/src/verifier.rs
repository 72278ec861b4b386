//! How a client checks the certificate of a server: by webpki, with two things more.
//!
//! A self-signed certificate is called that, not an unknown authority. And a certificate that was given as a root itself is
//! accepted for what it is, though it may also sign others, as `openssl req -x509` makes them: webpki wants roots and
//! servers apart, everybody else takes the trust that was expressed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};

use crate::der::CertificateFields;

#[derive(Debug)]
pub(crate) struct Verifier {
    pub(crate) webpki: Arc<WebPkiServerVerifier>,
    /// The roots that were given, not those of the platform.
    pub(crate) given: Arc<[CertificateDer<'static>]>,
    /// Whether anybody is accepted.
    pub(crate) dangerous_accept_anyone: bool,
}

/// The certificate of the server was signed with its own key, and is not among the given roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SelfSigned;

impl fmt::Display for SelfSigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is self-signed and not among the trusted roots")
    }
}

impl std::error::Error for SelfSigned {}

impl Verifier {
    /// A certificate that is a root itself: who issued it does not matter, all else does.
    fn verify_given(
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let fields = CertificateFields::of(certificate).ok_or(CertificateError::BadEncoding)?;
        let time = std::time::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        let unix = |time: std::time::SystemTime| {
            UnixTime::since_unix_epoch(
                time.duration_since(std::time::UNIX_EPOCH)
                    .unwrap_or_default(),
            )
        };
        if time > fields.not_after {
            let not_after = unix(fields.not_after);
            return Err(CertificateError::ExpiredContext {
                time: now,
                not_after,
            }
            .into());
        }
        if time < fields.not_before {
            let not_before = unix(fields.not_before);
            return Err(CertificateError::NotValidYetContext {
                time: now,
                not_before,
            }
            .into());
        }
        verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name)?;
        Ok(ServerCertVerified::assertion())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.dangerous_accept_anyone {
            return Ok(ServerCertVerified::assertion());
        }
        if self.given.contains(end_entity) {
            return Self::verify_given(end_entity, server_name, now);
        }
        let verified = self.webpki.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let is_self_issued =
            || CertificateFields::of(end_entity).is_some_and(|fields| fields.is_self_issued);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if is_self_issued() => {
                Err(CertificateError::Other(OtherError(Arc::new(SelfSigned))).into())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
