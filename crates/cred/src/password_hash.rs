//! A password, hashed so slowly that nobody can try many.
//!
//! Not for: tokens and keys, which are random and need no slowness.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use ropewalk_core::{Deferred, Failure, Handle};

/// The argon2 hash of a password, written as `$argon2id$v=19$m=19456,t=2,p=1$salt$hash` (the PHC's form, which other programs read).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

/// What a hash costs to compute: for us at each login, and for a thief at each guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    memory_kib: u32,
    passes: u32,
}

/// A text is no hash of a kind that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHash;

impl PasswordHash {
    /// Hashes a password. It blocks for tens of milliseconds: on a reactor, use [`deferred`](Self::deferred).
    ///
    /// The salt must differ for each password; 16 random bytes do.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    pub fn of(password: &str, salt: [u8; 16], cost: PasswordCost) -> Result<Self, Failure> {
        let params =
            Params::new(cost.memory_kib, cost.passes, 1, None).map_err(Failure::message)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
        hash.map(Self).map_err(Failure::message)
    }

    /// Hashes a password in the thread pool, with a random salt.
    pub fn deferred(
        reactor: &Handle,
        password: impl Into<String>,
        cost: PasswordCost,
    ) -> Deferred<Self> {
        let (password, salt) = (password.into(), reactor.random_bytes());
        reactor.defer_to_thread(move || Self::of(&password, salt, cost))
    }

    /// Whether it is the hash of that password. It takes as long as hashing did, and tells nothing by the time. It blocks.
    pub fn verify(&self, password: &str) -> bool {
        #[cfg(test)]
        tests::VERIFIED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Argon2::default()
            .verify_password(password.as_bytes(), &self.0)
            .is_ok()
    }
}

impl PasswordCost {
    /// Hashes in so many KiB of memory, that many times over.
    ///
    /// # Panics
    ///
    /// If it is less than 8 KiB or one pass, or more than 4 GiB.
    pub fn new(memory_kib: u32, passes: u32) -> Self {
        assert!(
            Params::new(memory_kib, passes, 1, None).is_ok() && memory_kib <= 4 * 1024 * 1024,
            "PasswordCost::new({memory_kib}, {passes}): give 8 KiB to 4 GiB and at least one pass"
        );
        Self { memory_kib, passes }
    }

    /// So little that a test is fast, and a thief too.
    pub const fn dangerous_tiny() -> Self {
        Self {
            memory_kib: 8,
            passes: 1,
        }
    }
}

/// 19 MiB, two passes, as OWASP advises.
impl Default for PasswordCost {
    fn default() -> Self {
        Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
        }
    }
}

impl FromStr for PasswordHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let hash = phc::PasswordHash::new(text).map_err(|_| NotAHash)?;
        let is_argon2 = Algorithm::try_from(hash.algorithm.as_str()).is_ok();
        let is_whole =
            hash.salt.is_some() && hash.hash.is_some() && Params::try_from(&hash).is_ok();
        match is_argon2 && is_whole {
            true => Ok(Self(hash)),
            false => Err(NotAHash),
        }
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Without the hash.
impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").finish_non_exhaustive()
    }
}

impl fmt::Display for NotAHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "it is no argon2 hash, such as $argon2id$v=19$m=19456,t=2,p=1$salt$hash; others (bcrypt, SHA, crypt) are not read: \
            hash the password anew, with PasswordHash::of or the program argon2 -id -e",
        )
    }
}

impl Error for NotAHash {}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// How often anything was verified, by all threads.
    pub(crate) static VERIFIED: AtomicUsize = AtomicUsize::new(0);

    pub(crate) fn hash(password: &str) -> PasswordHash {
        PasswordHash::of(
            password,
            *b"salt of 16 bytes",
            PasswordCost::dangerous_tiny(),
        )
        .unwrap()
    }

    #[test]
    fn a_hash_knows_its_password_also_when_it_was_written_down() {
        let read: PasswordHash = hash("tea").to_string().parse().unwrap();
        assert_eq!(read, hash("tea"));
        assert!(read.verify("tea") && !read.verify("te") && !read.verify(""));
        assert!(!format!("{read:?}").contains("argon2"));
    }

    #[test]
    fn the_hashes_of_the_program_argon2_are_read() {
        // echo -n password | argon2 somesalt -id -t 2 -k 256 -p 1 -e, from its test vectors.
        let text =
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        let hash: PasswordHash = text.parse().unwrap();
        assert_eq!(hash.to_string(), text);
        assert!(hash.verify("password"));
    }

    #[test]
    fn other_hashes_are_refused() {
        for text in [
            "",
            "tea",
            "$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "{SHA}xyz",
            "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ",
            "$argon2id$v=19$m=1,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            "$scrypt$ln=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert_eq!(text.parse::<PasswordHash>(), Err(NotAHash), "{text}");
        }
    }
}
