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
            let rest = &data[used..];
            if out.len() == out.capacity() {
                out.reserve(Self::guess(rest, limit));
            }
            let step = self.fill(rest, out, limit)?;
            used += step.used;
            if step.is_end || out.len() < out.capacity() {
                let is_end = step.is_end;
                return Ok(Inflated { used, is_end });
            }
        }
    }

    /// How much room to make for what `data` stands for.
    pub(crate) fn guess(data: &[u8], limit: &ExpansionLimit) -> usize {
        data.len().saturating_mul(4).max(64).min(limit.room())
    }

    /// Fills the room that `out` has. If some is left there is no more to be had of this input.
    pub(crate) fn fill(
        &mut self,
        data: &[u8],
        out: &mut Vec<u8>,
        limit: &mut ExpansionLimit,
    ) -> Result<Inflated, InflateError> {
        let (used_before, made_before) = (self.codec.total_in(), out.len());
        let status = self.codec.decompress_vec(data, out, FlushDecompress::Sync);
        let used = (self.codec.total_in() - used_before) as usize;
        // What came out before the damage counts first: so any split of the input tells the same.
        limit.made(out.len() - made_before)?;
        let status = status.map_err(|_damaged| InflateError::Corrupt)?;
        let is_end = status == Status::StreamEnd;
        Ok(Inflated { used, is_end })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_04_any_split_of_what_is_damaged_and_too_much_tells_the_same() {
        let data = b"\xf2\x48\xcd\xc9\xc9\x07\x00\x01\x01\x61\x80\x01\x62";
        for limit_bytes in 0..8 {
            let told = |pieces: [&[u8]; 2]| {
                let (mut inflater, mut out) = (Inflater::raw(), Vec::new());
                let mut limit = ExpansionLimit::new(limit_bytes);
                pieces
                    .iter()
                    .try_for_each(|piece| inflater.inflate(piece, &mut out, &mut limit).map(drop))
            };
            let whole = told([data, b""]);
            for cut in 0..data.len() {
                let (front, back) = data.split_at(cut);
                assert_eq!(
                    told([front, back]),
                    whole,
                    "limit {limit_bytes}, cut at {cut}"
                );
            }
        }
    }
}
