//! The key schedule of TLS 1.3 on AWS-LC, with each secret extracted once.
//!
//! The keys of a handshake come from three secrets: each is extracted, and then expanded several times (RFC 8446 section 7.1). What
//! rustls brings for AWS-LC puts the extraction off, and does it again at each expansion. A third of all instructions of
//! a handshake were SHA-384 for that reason. Here a secret is extracted at once; the primitives are the same, and so is every key.
//!
//! Tried and rejected: an HMAC key of AWS-LC for each secret, which is hashed once and copied for each use. It saves a few
//! hashes more, and costs more than that: 1224 bytes each, which the allocator is slow with, and every connection keeps one.

use std::sync::LazyLock;

use rustls::crypto::hmac::Tag;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider};
use rustls::{SupportedCipherSuite, Tls13CipherSuite};

/// Puts it into every suite of TLS 1.3.
pub(crate) fn put_into(crypto: &mut CryptoProvider) {
    for suite in &mut crypto.cipher_suites {
        let ours = SUITES
            .iter()
            .find(|ours| ours.common.suite == suite.suite());
        if let Some(ours) = ours {
            *suite = SupportedCipherSuite::Tls13(ours);
        }
    }
}

/// What a provider's suites refer to lives for ever.
static SUITES: LazyLock<Vec<Tls13CipherSuite>> = LazyLock::new(|| {
    let all = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter();
    let of_13 = all.filter_map(SupportedCipherSuite::tls13);
    of_13.map(extracting_once).collect()
});

fn extracting_once(suite: &Tls13CipherSuite) -> Tls13CipherSuite {
    Tls13CipherSuite {
        common: CipherSuiteCommon { ..suite.common },
        hkdf_provider: Box::leak(Box::new(ExtractOnce::new(suite))),
        ..*suite
    }
}

struct ExtractOnce {
    hkdf: &'static dyn Hkdf,
    /// As many as a hash has bytes.
    zeros: OkmBlock,
    /// The early secret of whoever has none: the same for all.
    early: OkmBlock,
}

impl ExtractOnce {
    fn new(suite: &Tls13CipherSuite) -> Self {
        let hkdf = suite.hkdf_provider;
        let zeros =
            OkmBlock::new(&[0; OkmBlock::MAX_LEN][..suite.common.hash_provider.output_len()]);
        let early = extract(hkdf, &zeros, zeros.as_ref());
        Self { hkdf, zeros, early }
    }
}

/// RFC 5869 section 2.2.
fn extract(hkdf: &dyn Hkdf, salt: &OkmBlock, secret: &[u8]) -> OkmBlock {
    OkmBlock::new(hkdf.hmac_sign(salt, secret).as_ref())
}

impl Hkdf for ExtractOnce {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        match salt {
            None => self.expander_for_okm(&self.early),
            Some(_) => self.extract_from_secret(salt, self.zeros.as_ref()),
        }
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        let salt = salt.map_or_else(|| self.zeros.clone(), OkmBlock::new);
        self.expander_for_okm(&extract(self.hkdf, &salt, secret))
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.hkdf.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> Tag {
        self.hkdf.hmac_sign(key, message)
    }

    fn fips(&self) -> bool {
        self.hkdf.fips()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every derivation that a handshake asks for, beside rustls's own.
    #[test]
    fn every_key_is_the_one_that_rustls_derives() {
        for ours in SUITES.iter() {
            let theirs = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter();
            let theirs = theirs.filter_map(SupportedCipherSuite::tls13);
            let mut theirs = theirs.filter(|suite| suite.common.suite == ours.common.suite);
            let theirs = theirs.next().expect("the suite that it was made of");
            let keys = |suite: &Tls13CipherSuite| {
                let hkdf = suite.hkdf_provider;
                let early = hkdf.extract_from_zero_ikm(None);
                let without_salt = hkdf.extract_from_secret(None, &[3; 40]);
                let salt = early.expand_block(&[b"derived", b"", &[7; 48]]);
                let shared = hkdf.extract_from_secret(Some(salt.as_ref()), &[9; 32]);
                let secret = shared.expand_block(&[b"s hs traffic"]);
                let mut long = vec![0; 255 * shared.hash_len()];
                shared.expand_slice(&[b"key"], &mut long).unwrap();
                let mut short = [0; 12];
                let expander = hkdf.expander_for_okm(&secret);
                expander.expand_slice(&[b"i", b"v"], &mut short).unwrap();
                let master = hkdf.extract_from_zero_ikm(Some(salt.as_ref()));
                let finished = hkdf.hmac_sign(&secret, b"all that was said");
                let too_long = shared.expand_slice(&[], &mut vec![0; long.len() + 1]);
                assert!(too_long.is_err());
                let blocks = [salt, secret]
                    .into_iter()
                    .chain([&without_salt, &master].map(|it| it.expand_block(&[b"more"])));
                let blocks: Vec<_> = blocks.map(|block| block.as_ref().to_vec()).collect();
                (blocks, long, short, finished.as_ref().to_vec())
            };
            assert!(keys(ours) == keys(theirs), "{:?}", ours.common.suite);
        }
        assert_eq!(SUITES.len(), 3, "all of TLS 1.3");
    }
}
