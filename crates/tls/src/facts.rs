//! What a handshake found out.

use std::cell::Cell;

use rustls::{ALL_VERSIONS, CommonState, HandshakeKind, ProtocolVersion, SupportedProtocolVersion};

/// What the handshake of a connection found out: `transport.fact::<TlsFacts>()`, from `build_protocol` and
/// `connection_made` on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "getPeerCertificate")]
#[doc(alias = "negotiatedProtocol")]
pub struct TlsFacts {
    /// The version.
    pub version: TlsVersion,
    /// The cipher suite, by the name that IANA gave it.
    pub cipher_suite: String,
    /// The key exchange, such as `X25519MLKEM768`; none when a session of TLS 1.2 was resumed.
    pub key_exchange: Option<String>,
    /// The name that the client asked for (SNI): not checked by anybody, do not take it for the truth.
    pub server_name: Option<String>,
    /// The protocol above that both ends chose (ALPN).
    pub alpn: Option<String>,
    /// The peer's certificate and its chain, as DER, checked; empty if it showed none.
    pub peer_certificates: Vec<Vec<u8>>,
    /// Whether an earlier session went on.
    pub resumed: bool,
}

/// A version of TLS. Older ones are broken and not spoken (RFC 8996).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

impl TlsVersion {
    pub(crate) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => ALL_VERSIONS,
            Self::Tls13 => TLS13_ONLY,
        }
    }
}

impl std::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

impl TlsFacts {
    pub(crate) fn of(state: &CommonState, server_name: Option<&str>) -> Self {
        let version = match state.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
            _ => TlsVersion::Tls12,
        };
        let suite = state.negotiated_cipher_suite();
        let group = state.negotiated_key_exchange_group();
        let alpn = state.alpn_protocol();
        let certificates = state.peer_certificates().unwrap_or_default();
        Self {
            version,
            cipher_suite: suite.map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
            key_exchange: group.map(|group| format!("{:?}", group.name())),
            server_name: server_name.map(str::to_owned),
            alpn: alpn.map(|alpn| String::from_utf8_lossy(alpn).into_owned()),
            peer_certificates: certificates.iter().map(|der| der.to_vec()).collect(),
            resumed: state.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

// The unbuffered connection of rustls does not tell the name that the client asked for, only the resolver of certificates
// hears it, which all connections share. It is called on the thread and within the call that hands rustls the bytes: so the
// name is left here, and taken when that call returns.
thread_local! {
    static SERVER_NAME: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

pub(crate) fn note_server_name(name: Option<&str>) {
    SERVER_NAME.set(name.map(Into::into));
}

pub(crate) fn take_server_name() -> Option<Box<str>> {
    SERVER_NAME.take()
}
