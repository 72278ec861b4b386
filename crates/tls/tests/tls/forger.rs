//! A peer made of bare rustls that gives its keys away, so that a test can encrypt what no TLS library would say.

use std::io::{Read, Write};
use std::sync::Arc;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Layer, Protocol, Transport};
use ropewalk_tls::{TlsClient, TlsLayer, TlsServer};
use rustls::crypto::CryptoProvider;
use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    ClientConfig, ClientConnection, Connection, ConnectionTrafficSecrets, ContentType,
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion,
};

use crate::authority::{Authority, Pair, client_of};

pub(crate) static VERSIONS: [&SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

/// Which role our layer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ours {
    Server,
    Client,
}

/// Our layer, open, and the bare peer that it has shaken hands with.
pub(crate) struct Meeting {
    pub(crate) layer: TlsLayer,
    pub(crate) peer: Connection,
    version: &'static SupportedProtocolVersion,
}

/// Writes records as the peer would, of any type and content.
pub(crate) struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

/// What our layer made of some bytes.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) up: Vec<u8>,
    pub(crate) down: Vec<u8>,
    pub(crate) error: Option<String>,
}

/// Only ChaCha20: AWS-LC's AES refuses to encrypt under a nonce that is not its own next.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let is_chacha = |suite: &SupportedCipherSuite| format!("{suite:?}").contains("CHACHA20");
    provider.cipher_suites.retain(is_chacha);
    Arc::new(provider)
}

/// A server that our own would refuse to be: any certificate, any version.
pub(crate) fn bare_server(pair: &Pair, version: &'static SupportedProtocolVersion) -> Connection {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pair.cert.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap();
    let builder = builder.with_no_client_auth();
    let mut config = builder.with_single_cert(chain.unwrap(), key).unwrap();
    config.enable_secret_extraction = true;
    config.send_tls13_tickets = 0;
    ServerConnection::new(Arc::new(config)).unwrap().into()
}

fn bare_client(authority: &Authority, version: &'static SupportedProtocolVersion) -> Connection {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
    roots.add(root).unwrap();
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.enable_secret_extraction = true;
    let name = "a.example".try_into().unwrap();
    ClientConnection::new(Arc::new(config), name)
        .unwrap()
        .into()
}

impl Meeting {
    pub(crate) fn new(ours: Ours, version: &'static SupportedProtocolVersion) -> Self {
        let authority = Authority::new("ours");
        let pair = authority.issue(&["a.example"]);
        let (layer, peer) = match ours {
            Ours::Server => {
                let server: TlsServer = pair.server();
                (TlsLayer::server(&server), bare_client(&authority, version))
            }
            Ours::Client => {
                let client: TlsClient = client_of(&authority);
                let layer = TlsLayer::client(&client, "a.example").unwrap();
                (layer, bare_server(&pair, version))
            }
        };
        let mut meeting = Self {
            layer,
            peer,
            version,
        };
        let mut down = Vec::new();
        meeting.layer.start(&mut down).unwrap();
        meeting.hear(&down);
        while !meeting.layer.is_open()
            || meeting.peer.is_handshaking()
            || meeting.peer.wants_write()
        {
            let said = meeting.said();
            let heard = feed(&mut meeting.layer, &said);
            assert_eq!(heard.error, None);
            meeting.hear(&heard.down);
        }
        meeting
    }

    /// What the peer has to say.
    pub(crate) fn said(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while self.peer.wants_write() {
            self.peer.write_tls(&mut said).unwrap();
        }
        said
    }

    /// Lets the peer hear bytes of our layer.
    pub(crate) fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.peer.read_tls(&mut bytes).unwrap();
            self.peer.process_new_packets().unwrap();
        }
    }

    /// Gives bytes to our layer.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Heard {
        feed(&mut self.layer, bytes)
    }

    /// Sends a message of the peer's, and an answer of ours, to see that all is well.
    pub(crate) fn both_are_well(&mut self) {
        self.peer.writer().write_all(b"still there?").unwrap();
        let said = self.said();
        assert_eq!(self.feed(&said).up, b"still there?");
        let mut down = Vec::new();
        self.layer.send(b"yes", &mut down);
        self.hear(&down);
        let mut answer = [0; 3];
        self.peer.reader().read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"yes");
    }

    /// Takes the peer's keys.
    pub(crate) fn forge(self) -> (TlsLayer, Forger) {
        let suite = self.peer.negotiated_cipher_suite().unwrap();
        let secrets = self.peer.dangerous_extract_secrets().unwrap();
        let (sequence, secret) = secrets.tx;
        let ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } = secret else {
            panic!("a cipher of another kind");
        };
        let encrypter = match suite {
            SupportedCipherSuite::Tls13(suite) => suite.aead_alg.encrypter(key, iv),
            SupportedCipherSuite::Tls12(suite) => suite.aead_alg.encrypter(key, iv.as_ref(), &[]),
        };
        let forger = Forger {
            encrypter,
            sequence,
        };
        (self.layer, forger)
    }

    pub(crate) fn is_tls13(&self) -> bool {
        self.version.version == ProtocolVersion::TLSv1_3
    }
}

impl Forger {
    pub(crate) fn record(&mut self, typ: u8, payload: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::from(typ),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(payload),
        };
        let record = self.encrypter.encrypt(message, self.sequence).unwrap();
        self.sequence += 1;
        record.encode()
    }
}

/// A server of bare rustls on a reactor, as far as its handshake needs one.
pub(crate) struct BareServer(pub(crate) Connection);

impl Protocol for BareServer {
    fn data_received(&mut self, transport: &Transport, mut data: &[u8]) {
        while !data.is_empty() && self.0.read_tls(&mut data).is_ok() {
            let _the_client_may_refuse = self.0.process_new_packets();
        }
        while self.0.wants_write() {
            let mut said = Vec::new();
            self.0.write_tls(&mut said).unwrap();
            transport.write(said);
        }
    }
}

/// Gives bytes to a layer, up to its first error.
pub(crate) fn feed(layer: &mut TlsLayer, bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut bytes = bytes.to_vec();
    let up = &mut heard.up;
    let outcome = layer.receive(
        &mut bytes,
        &mut |data| up.extend_from_slice(data),
        &mut heard.down,
    );
    heard.error = match outcome {
        Ok(()) => None,
        Err(LayerError::Misbehaved(error)) => Some(error.to_string()),
        Err(error) => panic!("{error:?}"),
    };
    heard
}
