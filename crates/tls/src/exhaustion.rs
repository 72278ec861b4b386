//! What happens when the keys of a session are used up: tests only, with keys that last for few records.
//!
//! RFC 8446 section 5.5 and RFC 9325 section 4.4 limit how many records one key may protect. For AES-GCM that are 2^24 here, which a
//! busy connection has in minutes.

use ropewalk_core::Layer;
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, aws_lc_rs};
use rustls::{SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use crate::{
    CertificateFiles, Certificates, ClientOptions, Provider, Roots, ServerOptions, TlsClient,
    TlsLayer, TlsServer,
};

const RECORDS: u64 = 20;

/// Each key protects so few records, and only one version is spoken.
fn short_lived(is_tls13: bool) -> Provider {
    let mut crypto: CryptoProvider = aws_lc_rs::default_provider();
    crypto.cipher_suites = crypto.cipher_suites.into_iter().map(shortened).collect();
    crypto
        .cipher_suites
        .retain(|suite| suite.tls13().is_some() == is_tls13);
    Provider::new("short-lived", crypto, aws_lc_rs::Ticketer::new)
}

fn shortened(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    let common = |common: &CipherSuiteCommon| CipherSuiteCommon {
        confidentiality_limit: RECORDS,
        ..*common
    };
    match suite {
        SupportedCipherSuite::Tls13(suite) => {
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common: common(&suite.common),
                ..*suite
            })))
        }
        SupportedCipherSuite::Tls12(suite) => {
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common: common(&suite.common),
                ..*suite
            })))
        }
    }
}

/// A layer, and what came up from it.
struct End {
    layer: TlsLayer,
    up: Vec<u8>,
}

impl End {
    /// Gives what the other end said; returns the answer.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut down = Vec::new();
        let up = &mut self.up;
        let heard = self.layer.receive(
            &mut bytes.to_vec(),
            &mut |data| up.extend_from_slice(data),
            &mut down,
        );
        heard.expect("an honest peer");
        down
    }

    fn say(&mut self, data: &[u8]) -> Vec<u8> {
        let mut down = Vec::new();
        self.layer.send(data, &mut down);
        down
    }
}

/// A server's end and a client's, open.
fn ends(is_tls13: bool) -> [End; 2] {
    let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = CertificateFiles::from_pem(&cert, &key);
    let certificates = Certificates::load(files, short_lived(is_tls13)).unwrap();
    let server = TlsServer::new(ServerOptions::new(certificates)).unwrap();
    let options = ClientOptions::new(Roots::from_pem(&cert).unwrap());
    let client = TlsClient::new(options.provider(short_lived(is_tls13))).unwrap();
    let layers = [
        TlsLayer::server(&server),
        TlsLayer::client(&client, "a.example").unwrap(),
    ];
    let mut ends = layers.map(|layer| End {
        layer,
        up: Vec::new(),
    });
    let mut said = Vec::new();
    ends[0].layer.start(&mut Vec::new()).unwrap();
    ends[1].layer.start(&mut said).unwrap();
    while !said.is_empty() {
        let answer = ends[0].hear(&said);
        said = ends[1].hear(&answer);
    }
    assert!(ends.iter().all(|end| end.layer.is_open()));
    ends
}

/// How many there are.
fn records(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let [_, _, _, high, low, rest @ ..] = bytes {
        bytes = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
        count += 1;
    }
    count
}

#[test]
fn tls_1_3_changes_its_keys_before_they_are_used_up_and_loses_nothing() {
    let mut ends = ends(true);
    for speaker in [0, 1] {
        let (mut sent, mut updates) = (Vec::new(), 0);
        for number in 0..50 * RECORDS {
            let message = number.to_be_bytes();
            let said = ends[speaker].say(&message);
            sent.extend_from_slice(&message);
            updates += records(&said) - 1;
            let answer = ends[1 - speaker].hear(&said);
            assert!(
                answer.is_empty(),
                "an update that asks for none is answered"
            );
        }
        assert_eq!(ends[1 - speaker].up, sent);
        assert!((45..=60).contains(&updates), "{updates} updates");
    }
}

#[test]
fn tls_1_2_says_goodbye_before_its_keys_are_used_up() {
    for speaker in [0, 1] {
        let mut ends = ends(false);
        let (mut sent, mut last) = (Vec::new(), 0);
        for number in 0..2 * RECORDS {
            let message = number.to_be_bytes();
            let said = ends[speaker].say(&message);
            if ends[1 - speaker].layer.is_ended() {
                assert!(said.is_empty(), "more after the goodbye");
                continue;
            }
            let _goodbye = ends[1 - speaker].hear(&said);
            sent.extend_from_slice(&message);
            last = number;
        }
        let heard = &ends[1 - speaker];
        assert!(heard.layer.is_ended(), "the keys are used on");
        assert!((RECORDS - 4..=RECORDS).contains(&last), "{last}");
        assert!(sent.starts_with(&heard.up), "other bytes than were sent");
        assert!(
            sent.len() - heard.up.len() <= 8,
            "more than the last is lost"
        );
    }
}
