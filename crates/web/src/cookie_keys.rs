//! Values of cookies that only their maker can write (signed) or even read (sealed).
//!
//! For: sessions that live in the browser. Not for: revoking one; who must, keeps a number in it and a list on the server.
//!
//! ```text
//!   secret ─ HMAC "sign"  ─► key of the signature                    signed:  expiry │ value │ HMAC(name, expiry, value)
//!          ├ HMAC "seal"  ─► key of AES-256-GCM                      sealed:  nonce │ AES-GCM(expiry │ value; name)
//!          └ HMAC "nonce" ─► nonce = HMAC(name, expiry, value)       both in base64url
//! ```
//!
//! The name is part of both, so that the value of one cookie is none of another. The nonce is computed from what is sealed, as in
//! AES-SIV: it repeats only if the whole does, so no source of randomness can break it. What that gives away is that two sealed values are
//! equal, to the second of their expiry.

use std::error::Error;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs::{aead, hmac};
#[cfg(not(feature = "aws-lc-rs"))]
use ring::{aead, hmac};

/// The keys of signed and sealed cookies: one to write with, and old ones that still read.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use ropewalk_web::{CookieKeys, OpenError};
///
/// let (day, now) = (Duration::from_secs(86_400), UNIX_EPOCH);
/// let old = CookieKeys::new(b"thirty-two random bytes, no less")?;
/// let text = old.seal("session", b"user=31", now + day);
///
/// let keys = CookieKeys::new(b"other thirty-two bytes, as old..")?.with_old(b"thirty-two random bytes, no less")?;
/// let opened = keys.open("session", &text, now)?;
/// assert_eq!((opened.value(), opened.is_old()), (&b"user=31"[..], true));
/// assert_eq!(keys.open("session", &text, now + day), Err(OpenError::Expired));
/// assert_eq!(keys.open("other", &text, now), Err(OpenError::Forged));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CookieKeys {
    current: Keys,
    old: Vec<Keys>,
}

/// A value that was written with one of the keys and is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    value: Vec<u8>,
    expires: SystemTime,
    is_old: bool,
}

/// Why a value is not believed. Treat all alike: as if there were no cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It is not even in the right form.
    Malformed,
    /// No key of ours wrote it, or it was changed, or it is another cookie's.
    Forged,
    /// Its time is over.
    Expired,
}

/// A secret has too few bytes, of which it has so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortSecret(usize);

#[derive(Clone)]
struct Keys {
    sign: hmac::Key,
    nonce: hmac::Key,
    seal: [u8; KEY_BYTES],
}

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const EXPIRY_BYTES: usize = 8;
/// Of a signature.
const MAC_BYTES: usize = 32;

/// No browser keeps longer ones, and each key is tried on what is read.
const MOST_TEXT_BYTES: usize = 4096;

impl CookieKeys {
    /// Keys from a secret of at least 32 random bytes, all of which count.
    ///
    /// # Errors
    ///
    /// When it is shorter, and could be guessed.
    pub fn new(secret: &[u8]) -> Result<Self, ShortSecret> {
        Ok(Self {
            current: Keys::new(secret)?,
            old: Vec::new(),
        })
    }

    /// The same, still reading what an earlier secret wrote. Leave it out once its last cookie is over.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_old(mut self, secret: &[u8]) -> Result<Self, ShortSecret> {
        self.old.push(Keys::new(secret)?);
        Ok(self)
    }

    /// A value that all can read and nobody can change, for the cookie of that name.
    pub fn sign(&self, name: &str, value: &[u8], expires: SystemTime) -> String {
        let mut bytes = framed(value, expires);
        let tag = hmac::sign(&self.current.sign, &named(name, &bytes));
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A value that nobody else can read or change, for the cookie of that name.
    pub fn seal(&self, name: &str, value: &[u8], expires: SystemTime) -> String {
        let mut bytes = framed(value, expires);
        let nonce = hmac::sign(&self.current.nonce, &named(name, &bytes));
        let nonce = *nonce.as_ref().first_chunk().expect("it has 32 bytes");
        let key = self.current.sealing();
        key.seal_in_place_append_tag(
            aead::Nonce::assume_unique_for_key(nonce),
            aead::Aad::from(name),
            &mut bytes,
        )
        .expect("a value is far below the 64 GiB that AES-GCM can seal");
        URL_SAFE_NO_PAD.encode([&nonce[..], &bytes].concat())
    }

    /// Reads what [`sign`](Self::sign) wrote.
    ///
    /// # Errors
    ///
    /// When it is not to be believed.
    pub fn verify(&self, name: &str, text: &str, now: SystemTime) -> Result<Opened, OpenError> {
        let bytes = decode(text)?;
        let at = bytes
            .len()
            .checked_sub(MAC_BYTES)
            .ok_or(OpenError::Malformed)?;
        let (frame, tag) = bytes.split_at(at);
        let message = named(name, frame);
        self.try_keys(now, |keys| {
            hmac::verify(&keys.sign, &message, tag).ok()?;
            Some(frame.to_vec())
        })
    }

    /// Reads what [`seal`](Self::seal) wrote.
    ///
    /// # Errors
    ///
    /// When it is not to be believed.
    pub fn open(&self, name: &str, text: &str, now: SystemTime) -> Result<Opened, OpenError> {
        let bytes = decode(text)?;
        let (nonce, sealed) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or(OpenError::Malformed)?;
        self.try_keys(now, |keys| {
            let mut sealed = sealed.to_vec();
            let nonce = aead::Nonce::assume_unique_for_key(*nonce);
            let opened = keys
                .sealing()
                .open_in_place(nonce, aead::Aad::from(name), &mut sealed);
            opened.ok().map(|frame| frame.to_vec())
        })
    }

    fn try_keys(
        &self,
        now: SystemTime,
        read: impl Fn(&Keys) -> Option<Vec<u8>>,
    ) -> Result<Opened, OpenError> {
        let old = self.old.iter().map(|keys| (keys, true));
        let (frame, is_old) = std::iter::once((&self.current, false))
            .chain(old)
            .find_map(|(keys, is_old)| Some((read(keys)?, is_old)))
            .ok_or(OpenError::Forged)?;
        let (expiry, value) = frame
            .split_first_chunk::<EXPIRY_BYTES>()
            .ok_or(OpenError::Malformed)?;
        let expiry = Duration::from_secs(u64::from_be_bytes(*expiry));
        let expires = UNIX_EPOCH.checked_add(expiry).ok_or(OpenError::Malformed)?;
        match now < expires {
            false => Err(OpenError::Expired),
            true => Ok(Opened {
                value: value.to_vec(),
                expires,
                is_old,
            }),
        }
    }
}

impl Keys {
    fn new(secret: &[u8]) -> Result<Self, ShortSecret> {
        if secret.len() < KEY_BYTES {
            return Err(ShortSecret(secret.len()));
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derive = |purpose: &str| {
            let tag = hmac::sign(&secret, format!("ropewalk cookie {purpose} 1").as_bytes());
            *tag.as_ref()
                .first_chunk::<KEY_BYTES>()
                .expect("it has 32 bytes")
        };
        Ok(Self {
            sign: hmac::Key::new(hmac::HMAC_SHA256, &derive("sign")),
            nonce: hmac::Key::new(hmac::HMAC_SHA256, &derive("nonce")),
            seal: derive("seal"),
        })
    }

    fn sealing(&self) -> aead::LessSafeKey {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, &self.seal);
        aead::LessSafeKey::new(key.expect("a key has 32 bytes"))
    }
}

impl Opened {
    /// The value, as it was given.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The same, taken.
    pub fn into_value(self) -> Vec<u8> {
        self.value
    }

    /// Until when it is right, to the second.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Whether an old key wrote it: write it anew.
    pub fn is_old(&self) -> bool {
        self.is_old
    }
}

/// The expiry, in whole seconds, and the value.
fn framed(value: &[u8], expires: SystemTime) -> Vec<u8> {
    let since = expires.duration_since(UNIX_EPOCH).unwrap_or_default();
    [&since.as_secs().to_be_bytes()[..], value].concat()
}

/// Name and frame, so that no other pair of them is the same bytes.
fn named(name: &str, frame: &[u8]) -> Vec<u8> {
    [
        &(name.len() as u64).to_be_bytes()[..],
        name.as_bytes(),
        frame,
    ]
    .concat()
}

fn decode(text: &str) -> Result<Vec<u8>, OpenError> {
    if text.len() > MOST_TEXT_BYTES {
        return Err(OpenError::Malformed);
    }
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| OpenError::Malformed)
}

/// Without any secret.
impl fmt::Debug for CookieKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CookieKeys")
            .field("old", &self.old.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the cookie is malformed",
            Self::Forged => "the cookie was not written with one of our keys, or for another name",
            Self::Expired => "the cookie's time is over",
        })
    }
}

impl Error for OpenError {}

impl fmt::Display for ShortSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the secret of cookies has {} bytes; give at least {KEY_BYTES}, random ones",
            self.0
        )
    }
}

impl Error for ShortSecret {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &[u8] = &[7; 32];

    type Write = fn(&CookieKeys, &str, &[u8], SystemTime) -> String;
    type Read = fn(&CookieKeys, &str, &str, SystemTime) -> Result<Opened, OpenError>;

    /// Both ways.
    const WAYS: [(Write, Read); 2] = [
        (CookieKeys::sign, CookieKeys::verify),
        (CookieKeys::seal, CookieKeys::open),
    ];

    fn keys(byte: u8) -> CookieKeys {
        CookieKeys::new(&[byte; 32]).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn values_are_believed_until_they_expire() {
        for (write, read) in WAYS {
            let text = write(&keys(1), "a", b"value", at(100));
            let opened = read(&keys(1), "a", &text, at(99)).unwrap();
            assert_eq!(
                (opened.value(), opened.expires(), opened.is_old()),
                (&b"value"[..], at(100), false)
            );
            assert_eq!(read(&keys(1), "a", &text, at(100)), Err(OpenError::Expired));
            assert!(crate::SetCookie::new("a", &text).to_field().is_ok());
        }
    }

    #[test]
    fn old_keys_read_and_do_not_write() {
        let rotated = keys(2).with_old(&[1; 32]).unwrap();
        for (write, read) in WAYS {
            let text = write(&keys(1), "a", b"v", at(9));
            assert!(read(&rotated, "a", &text, at(1)).unwrap().is_old());
            assert_eq!(read(&keys(2), "a", &text, at(1)), Err(OpenError::Forged));
            let text = write(&rotated, "a", b"v", at(9));
            assert!(!read(&keys(2), "a", &text, at(1)).unwrap().is_old());
        }
    }

    #[test]
    fn a_value_is_of_its_cookie_and_of_its_way() {
        for (way, (write, read)) in WAYS.into_iter().enumerate() {
            let text = write(&keys(1), "a", b"v", at(9));
            assert_eq!(read(&keys(1), "b", &text, at(1)), Err(OpenError::Forged));
            let (_, other) = WAYS[1 - way];
            assert!(other(&keys(1), "a", &text, at(1)).is_err());
        }
    }

    #[test]
    fn what_is_malformed_is_told() {
        for (_, read) in WAYS {
            for text in ["", "AAAA", "not base64!", "AA==", &"A".repeat(4100)] {
                assert_eq!(
                    read(&keys(1), "a", text, at(0)),
                    Err(OpenError::Malformed),
                    "{text}"
                );
            }
        }
        assert_eq!(CookieKeys::new(&SECRET[1..]).unwrap_err(), ShortSecret(31));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", keys(7)), "CookieKeys { old: 0, .. }");
    }

    proptest! {
        #[test]
        fn any_change_is_noticed(value in prop::collection::vec(any::<u8>(), 0..40), place in any::<prop::sample::Index>(), flip in 1..64u8) {
            for (write, read) in WAYS {
                let text = write(&keys(1), "a", &value, at(9));
                let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
                let place = place.index(bytes.len());
                bytes[place] ^= flip;
                let changed = URL_SAFE_NO_PAD.encode(bytes);
                prop_assert_eq!(read(&keys(1), "a", &changed, at(1)), Err(OpenError::Forged));
                let opened = read(&keys(1), "a", &text, at(1)).unwrap().into_value();
                prop_assert_eq!(&opened, &value);
            }
        }
    }
}
