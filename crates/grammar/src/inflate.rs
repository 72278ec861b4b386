//! Decompression that cannot be made to fill memory (WS-04, H1-29).
//!
//! For: permessage-deflate here, and content codings of HTTP elsewhere. Not for: compression, nor for what is then done with
//! the bytes.
//!
//! ```text
//!   compressed ──► a codec, lent a little room at a time ──► out
//!                       ▲                        │
//!                       └── ExpansionLimit ◄─────┘  counts what came out, refuses the byte too many
//! ```

use std::error::Error;
use std::fmt;

#[cfg(feature = "deflate")]
mod inflater;

#[cfg(feature = "deflate")]
pub use self::inflater::{Inflated, Inflater};

/// How much may come out of a decompressor: the one limiter for every codec, whoever reads it.
///
/// A kilobyte of deflate can stand for a megabyte of zeros, so a limit on what is received bounds nothing. This counts what
/// comes out, lends the codec room for a little at a time, and refuses as soon as one byte is too many: memory never
/// goes further than one step beyond the limit, whatever was declared.
///
/// ```
/// use ropewalk_grammar::inflate::ExpansionLimit;
///
/// let mut limit = ExpansionLimit::new(10);
/// assert_eq!(limit.room(), 11, "one more, so that too much is noticed");
/// limit.made(10)?;
/// assert!(limit.made(1).is_err());
/// # Ok::<(), ropewalk_grammar::inflate::TooLarge>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpansionLimit {
    limit_bytes: usize,
    made_bytes: usize,
}

/// More came out of a decompressor than is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What was accepted.
    pub limit_bytes: usize,
}

/// Why bytes could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InflateError {
    /// They are more than is accepted.
    TooLarge(TooLarge),
    /// They are not what they should be.
    Corrupt,
}

/// A codec gets no more room than this at once.
const STEP_BYTES: usize = 16 * 1024;

impl ExpansionLimit {
    /// At most so many bytes.
    pub const fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            made_bytes: 0,
        }
    }

    /// How much room to lend a codec for its next step: never none, and one byte more than is left, so that too much is
    /// noticed.
    pub fn room(&self) -> usize {
        self.left().saturating_add(1).min(STEP_BYTES)
    }

    /// So many bytes came out.
    ///
    /// # Errors
    ///
    /// They are too many. The limit stays reached.
    pub fn made(&mut self, bytes: usize) -> Result<(), TooLarge> {
        match self.made_bytes.checked_add(bytes) {
            Some(made) if made <= self.limit_bytes => {
                self.made_bytes = made;
                Ok(())
            }
            _ => {
                self.made_bytes = self.limit_bytes;
                let limit_bytes = self.limit_bytes;
                Err(TooLarge { limit_bytes })
            }
        }
    }

    /// How many bytes may still come out.
    pub const fn left(&self) -> usize {
        self.limit_bytes - self.made_bytes
    }

    /// How many bytes came out so far.
    pub const fn made_bytes(&self) -> usize {
        self.made_bytes
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit_bytes;
        write!(
            f,
            "it decompresses to more than the {limit} bytes that are accepted"
        )
    }
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(error) => error.fmt(f),
            Self::Corrupt => f.write_str("the compressed bytes are damaged"),
        }
    }
}

impl Error for TooLarge {}

impl Error for InflateError {}

impl From<TooLarge> for InflateError {
    fn from(error: TooLarge) -> Self {
        Self::TooLarge(error)
    }
}
