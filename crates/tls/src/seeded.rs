//! A provider whose keys are known to everybody who knows a number: for simulated worlds that must repeat.
//!
//! Never for a real network; only there with the feature `dangerous-seeded-keys`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use rustls::crypto::{
    ActiveKeyExchange, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, aws_lc_rs,
};
use rustls::server::ProducesTickets;
use rustls::{Error, NamedGroup, PeerMisbehaved};

use crate::key_schedule;
use crate::provider::Provider;

impl Provider {
    /// **Not secure.** All randomness and all keys come from the seed, so that a simulated world with TLS in it is the same,
    /// byte for byte, whenever its seed is. Each call leaves a few bytes behind for as long as the process lives.
    ///
    /// A connection repeats if its certificate's key is Ed25519 (other signatures have randomness of their own), and if nobody
    /// else takes from the value meanwhile: one for each world, made when the world is. Sessions are not resumed: tickets
    /// hold the time of day.
    ///
    /// ```
    /// use ropewalk_tls::Provider;
    ///
    /// let provider = Provider::dangerous_seeded(7);
    /// assert_eq!(provider.key_exchanges(), ["X25519"]);
    /// ```
    #[must_use]
    pub fn dangerous_seeded(seed: u64) -> Self {
        let random: &'static Seeded = Box::leak(Box::new(Seeded(AtomicU64::new(seed))));
        let group: &'static KeyExchange = Box::leak(Box::new(KeyExchange(random)));
        let mut crypto = aws_lc_rs::default_provider();
        crypto.secure_random = random;
        crypto.kx_groups = vec![group];
        key_schedule::put_into(&mut crypto);
        Self::new("seeded", crypto, || Ok(Arc::new(NoTickets)))
    }
}

/// SplitMix64: short, even, and no secret at all.
#[derive(Debug)]
struct Seeded(AtomicU64);

impl Seeded {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl SecureRandom for Seeded {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// X25519 with secrets from the seed.
#[derive(Debug)]
struct KeyExchange(&'static Seeded);

impl SupportedKxGroup for KeyExchange {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; 32];
        self.0.fill(&mut secret)?;
        let wrong = |what: &str| Error::General(format!("X25519 refuses {what}"));
        let secret = PrivateKey::from_private_key(&X25519, &secret);
        let secret = secret.map_err(|_| wrong("a secret"))?;
        let public = secret.compute_public_key();
        let public = public.map_err(|_| wrong("to compute"))?;
        let public = public.as_ref().to_vec();
        Ok(Box::new(Started { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Started {
    secret: PrivateKey,
    public: Vec<u8>,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = UnparsedPublicKey::new(&X25519, peer);
        let wrong = Error::PeerMisbehaved(PeerMisbehaved::InvalidKeyShare);
        agree(&self.secret, peer, wrong, |shared| {
            Ok(SharedSecret::from(shared))
        })
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[derive(Debug)]
struct NoTickets;

impl ProducesTickets for NoTickets {
    fn enabled(&self) -> bool {
        false
    }

    fn lifetime(&self) -> u32 {
        0
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}
