//! The deflate family (RFC 1950, 1951, 1952) under an [`ExpansionLimit`].

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::{ExpansionLimit, InflateError};

/// Decompresses deflate, zlib or gzip, fed by any split of the stream.
///
/// ```
/// use ropewalk_grammar::inflate::{ExpansionLimit, Inflater};
///
/// let hello = b"\xcb\x48\xcd\xc9\xc9\x07\x00";
/// let (mut out, mut limit) = (Vec::new(), ExpansionLimit::new(5));
/// let inflated = Inflater::raw().inflate(hello, &mut out, &mut limit)?;
/// assert_eq!((out.as_slice(), inflated.is_end), (&b"hello"[..], true));
/// assert!(Inflater::raw().inflate(hello, &mut out, &mut ExpansionLimit::new(4)).is_err());
/// # Ok::<(), ropewalk_grammar::inflate::InflateError>(())
/// ```
pub struct Inflater {
    codec: Decompress,
    wrap: Wrap,
}

/// What a step of an [`Inflater`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// How many of the given bytes were used: all, unless the compressed stream ended before.
    pub used: usize,
    /// Whether the compressed stream is at its end.
    pub is_end: bool,
}

/// What stands around deflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    Raw,
    Zlib,
    Gzip,
}

impl Inflater {
    /// Deflate with nothing around it (RFC 1951).
    pub fn raw() -> Self {
        Self::of(Wrap::Raw)
    }

    /// Deflate in zlib's frame (RFC 1950), which is what HTTP calls `deflate`.
    pub fn zlib() -> Self {
        Self::of(Wrap::Zlib)
    }

    /// Deflate in gzip's frame (RFC 1952), one member.
    pub fn gzip() -> Self {
        Self::of(Wrap::Gzip)
    }

    fn of(wrap: Wrap) -> Self {
        let codec = match wrap {
            Wrap::Raw => Decompress::new(false),
            Wrap::Zlib => Decompress::new(true),
            Wrap::Gzip => Decompress::new_gzip(15),
        };
        Self { codec, wrap }
    }

    /// Appends what `data` stands for to `out`, within `limit`.
    ///
    /// # Errors
    ///
    /// The bytes are damaged, or too much comes out: `out` is then to be dropped, and is not larger than twice the limit.
    pub fn inflate(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        limit: &mut ExpansionLimit,
    ) -> Result<Inflated, InflateError> {
        let mut used = 0;
        loop {
            if out.len() == out.capacity() {
                let guess = (data.len() - used).saturating_mul(4).max(64);
                out.reserve(guess.min(limit.room()));
            }
            let (used_before, made_before) = (self.codec.total_in(), out.len());
            let status = self
                .codec
                .decompress_vec(&data[used..], out, FlushDecompress::Sync)
                .map_err(|_damaged| InflateError::Corrupt)?;
            used += (self.codec.total_in() - used_before) as usize;
            limit.made(out.len() - made_before)?;
            let is_end = status == Status::StreamEnd;
            if is_end || out.len() < out.capacity() {
                // It had room and stopped: there is no more to be had of this input.
                return Ok(Inflated { used, is_end });
            }
        }
    }

    /// Begins a new stream, and forgets all of the last one.
    pub fn reset(&mut self) {
        match self.wrap {
            Wrap::Gzip => *self = Self::gzip(),
            wrap => self.codec.reset(wrap == Wrap::Zlib),
        }
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("wrap", &self.wrap)
            .finish()
    }
}
