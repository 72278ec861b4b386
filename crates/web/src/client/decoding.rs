//! Bodies that come compressed: gzip and deflate (RFC 9110 8.4.1).
//!
//! A little at a time, as the reader asks for it, and within a limit: a kilobyte may stand for a megabyte of zeros.

use bytes::{Buf, Bytes};
use ropewalk_grammar::inflate::{ExpansionLimit, Inflater};

use crate::body_error::BodyError;

/// What a request says that it understands.
pub(crate) const ACCEPTED: &str = "gzip, deflate";

/// So much of what was sent is decompressed at once, which bounds what comes of it to a megabyte.
const STEP_BYTES: usize = 1024;

/// Turns the bytes of a body as they were sent into those that they stand for.
pub(crate) struct Decoding {
    inflater: Option<Inflater>,
    is_gzip: bool,
    limit: ExpansionLimit,
    waiting: Bytes,
    /// The compressed stream is at its end; what follows is another one, as gzip allows.
    is_end: bool,
}

impl Decoding {
    /// For a body with this `Content-Encoding`; none for one that is not known, which the user gets as it is.
    pub(crate) fn of(encoding: &[u8], limit_bytes: usize) -> Option<Self> {
        let is = |name: &str| encoding.eq_ignore_ascii_case(name.as_bytes());
        let is_gzip = is("gzip") || is("x-gzip");
        (is_gzip || is("deflate")).then(|| Self {
            inflater: None,
            is_gzip,
            limit: ExpansionLimit::new(limit_bytes),
            waiting: Bytes::new(),
            is_end: true,
        })
    }

    /// The next bytes, of those that `next` gives.
    pub(crate) fn read(
        &mut self,
        mut next: impl FnMut() -> Option<Bytes>,
    ) -> Result<Option<Bytes>, BodyError> {
        let mut out = Vec::new();
        loop {
            if self.waiting.is_empty() {
                match next() {
                    Some(chunk) => self.waiting = chunk,
                    None => return Ok(None),
                }
            }
            let piece = self.waiting.slice(..self.waiting.len().min(STEP_BYTES));
            let used = self.inflate(&piece, &mut out)?;
            self.waiting.advance(used);
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
    }

    /// The body is at its end as it was sent: whether it is a whole one.
    pub(crate) fn check_end(&self) -> Result<(), BodyError> {
        match self.is_end {
            true => Ok(()),
            false => Err(BodyError::Malformed(
                "the compressed bytes end in the middle".to_owned(),
            )),
        }
    }

    fn inflate(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<usize, BodyError> {
        let is_gzip = self.is_gzip;
        let inflater = self
            .inflater
            .get_or_insert_with(|| inflater(is_gzip, piece[0]));
        if self.is_end {
            inflater.reset();
        }
        let inflated = inflater
            .inflate(piece, out, &mut self.limit)
            .map_err(|error| BodyError::Malformed(error.to_string()))?;
        self.is_end = inflated.is_end;
        Ok(inflated.used)
    }
}

/// `deflate` is deflate in zlib's frame; some servers leave the frame out.
fn inflater(is_gzip: bool, first: u8) -> Inflater {
    match first & 0x0f {
        _ if is_gzip => Inflater::gzip(),
        8 => Inflater::zlib(),
        _ => Inflater::raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GZIP: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10,
        0x36, 5, 0, 0, 0,
    ];
    const ZLIB: &[u8] = &[
        0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 6, 0x2c, 2, 0x15,
    ];

    fn decoded(
        encoding: &str,
        sent: &[u8],
        step: usize,
        limit: usize,
    ) -> Result<Vec<u8>, BodyError> {
        let mut decoding = Decoding::of(encoding.as_bytes(), limit).unwrap();
        let mut pieces = sent.chunks(step).map(Bytes::copy_from_slice);
        let mut all = Vec::new();
        while let Some(chunk) = decoding.read(|| pieces.next())? {
            all.extend_from_slice(&chunk);
        }
        decoding.check_end()?;
        Ok(all)
    }

    #[test]
    fn gzip_zlib_and_bare_deflate_are_read_in_any_split() {
        let twice = [GZIP, GZIP].concat();
        for step in 1..=twice.len() {
            assert_eq!(decoded("gzip", GZIP, step, 5).unwrap(), b"hello");
            assert_eq!(decoded("X-GZip", &twice, step, 10).unwrap(), b"hellohello");
            assert_eq!(decoded("deflate", ZLIB, step, 5).unwrap(), b"hello");
            assert_eq!(decoded("deflate", &ZLIB[2..9], step, 5).unwrap(), b"hello");
        }
        assert_eq!(decoded("gzip", b"", 1, 5).unwrap(), b"");
        assert!(Decoding::of(b"br", 5).is_none());
    }

    #[test]
    fn bombs_and_halves_are_errors() {
        assert!(decoded("gzip", GZIP, 100, 4).is_err());
        assert!(decoded("gzip", &GZIP[..20], 100, 5).is_err());
        assert!(decoded("gzip", b"hello", 100, 5).is_err());
    }
}
