//! What all TLS peers and the generator have in common: one certificate (ECDSA P-256), one provider (aws-lc-rs), TLS 1.3 only,
//! X25519 and AES-256-GCM (so that nginx, which knows no post-quantum key exchange, does the same work), no resumption.
//!
//! The key beside this file protects nothing: it is for loopback, and everybody has it.

use std::io::{self, BufRead};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, RootCertStore, ServerConfig, SideData,
};

use crate::Outcome;

pub(crate) const CERTIFICATE: &str = include_str!("certificate.pem");
pub(crate) const KEY: &str = include_str!("key.pem");
const NAME: &str = "bench.test";

/// The server's side of the bare loop and of tokio-rustls.
pub(crate) fn server_config() -> Outcome<Arc<ServerConfig>> {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(KEY.as_bytes())?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// The generator's side: it checks the certificate, and offers no choice.
pub(crate) fn client_config() -> Outcome<Arc<ClientConfig>> {
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CERTIFICATE.as_bytes())?)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// A session that has not said anything yet.
pub(crate) fn client(config: &Arc<ClientConfig>) -> Outcome<Box<ClientConnection>> {
    let name = ServerName::try_from(NAME)?;
    Ok(Box::new(ClientConnection::new(Arc::clone(config), name)?))
}

/// Gives received bytes to a session; `plain` gets what was in them. Whether the peer has said goodbye.
pub(crate) fn feed<S: SideData>(
    tls: &mut ConnectionCommon<S>,
    mut received: &[u8],
    mut plain: impl FnMut(&[u8]),
) -> io::Result<bool> {
    let mut ended = false;
    while !received.is_empty() && !ended {
        tls.read_tls(&mut received)?;
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        ended = state.peer_has_closed();
        let mut missing = state.plaintext_bytes_to_read();
        let mut reader = tls.reader();
        while missing > 0 {
            let chunk = reader.fill_buf()?;
            let count = chunk.len();
            plain(chunk);
            reader.consume(count);
            missing -= count;
        }
    }
    Ok(ended)
}
