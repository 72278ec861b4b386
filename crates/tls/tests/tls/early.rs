//! Data that comes before the handshake is over: for whoever was at the address before us.

use std::io::Write;
use std::sync::Arc;

use ropewalk_core::Layer;
use ropewalk_tls::TlsLayer;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

use crate::authority::{Authority, Pair};
use crate::forger::{feed, provider};

/// Another server of the same name, which invites to early data.
fn inviting(pair: &Pair) -> ServerConnection {
    let cert = CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]);
    let builder = builder.unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(vec![cert], key).unwrap();
    config.session_storage = ServerSessionMemoryCache::new(10);
    config.max_early_data_size = 1_000_000;
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn eager(authority: &Authority) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]);
    let builder = builder.unwrap().with_root_certificates(roots);
    let mut config = builder.with_no_client_auth();
    config.enable_early_data = true;
    Arc::new(config)
}

fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut said = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut said).unwrap();
    }
    said
}

/// A client that has a ticket of another server, and how much early data it dares to send.
fn client_with_a_ticket(authority: &Authority, pair: &Pair) -> ClientConnection {
    let config = eager(authority);
    let connect = || ClientConnection::new(config.clone(), "a.example".try_into().unwrap());
    let (mut client, mut server) = (connect().unwrap(), inviting(pair));
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        server.read_tls(&mut said(&mut client).as_slice()).unwrap();
        server.process_new_packets().unwrap();
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        client.read_tls(&mut answer.as_slice()).unwrap();
        client.process_new_packets().unwrap();
    }
    connect().unwrap()
}

#[test]
fn early_data_for_another_server_is_skipped_up_to_a_limit() {
    let authority = Authority::new("ours");
    let pair = authority.issue(&["a.example"]);
    for (bytes, is_skipped) in [(0, true), (1, true), (16 * 1024, true), (200_000, false)] {
        let mut client = client_with_a_ticket(&authority, &pair);
        client.set_buffer_limit(None);
        let mut early = client.early_data().expect("a ticket that allows it");
        early.write_all(&vec![7; bytes]).unwrap();
        let mut layer = TlsLayer::server(&pair.server());
        layer.start(&mut Vec::new()).unwrap();
        let mut heard = feed(&mut layer, &said(&mut client));
        while heard.error.is_none() && !layer.is_open() {
            client.read_tls(&mut heard.down.as_slice()).unwrap();
            client.process_new_packets().unwrap();
            heard = feed(&mut layer, &said(&mut client));
        }
        assert!(heard.up.is_empty(), "{bytes} bytes: early data came up");
        assert_eq!(
            heard.error.is_none(),
            is_skipped,
            "{bytes} bytes: {heard:?}"
        );
    }
}
