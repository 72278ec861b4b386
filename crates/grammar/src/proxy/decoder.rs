//! The decoder: keeps the bytes of a header until it is whole.

use super::{ProxyError, ProxyHeader, text, wire};
use crate::cost;

/// Reads one header of either version, fed by any split of the stream.
///
/// Guaranteed: any split gives the same header or the same error, at the same byte; no byte beyond the header is
/// looked at; memory follows what has arrived, never what is declared, and none is held once the header is out.
///
/// ```
/// use ropewalk_grammar::proxy::{ProxyDecoder, ProxyError};
///
/// let mut decoder = ProxyDecoder::new();
/// let error = decoder.receive(b"GET / HTTP/1.1\r\n").unwrap_err();
/// assert_eq!(error, ProxyError::NotProxy { offset: 0, found: b'G' });
/// assert_eq!(decoder.receive(b"PROXY UNKNOWN\r\n"), Err(error), "an error is final");
/// ```
#[derive(Clone, Debug)]
pub struct ProxyDecoder {
    /// The header as far as it has come.
    bytes: Vec<u8>,
    /// How many bytes it has, once known.
    length: Option<usize>,
    limit_bytes: usize,
    failed: Option<ProxyError>,
}

impl ProxyDecoder {
    /// How many bytes may follow the sixteen fixed ones of a version 2 header, unless you say otherwise.
    ///
    /// Addresses take 216 at most, so it leaves almost 4 KiB for TLVs: a certificate's name, the name asked for, an id.
    /// The format allows 65 535, with which some thousands of peers that never end their header would hold much memory.
    pub const DEFAULT_LIMIT_BYTES: usize = 4096;

    /// Accepts headers of at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new() -> Self {
        Self {
            bytes: Vec::new(),
            length: None,
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            failed: None,
        }
    }

    /// The same, with at most `bytes` after the sixteen fixed ones of a version 2 header. Version 1 has its own limit, 107.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// Takes the next bytes of the stream; gives the header once it is whole, and how many of `data` belong to it.
    ///
    /// What follows those belongs to the protocol behind. A further call reads a further header.
    ///
    /// # Errors
    ///
    /// The rule that the peer broke; again at each further call.
    pub fn receive(&mut self, data: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let outcome = self.take(data);
        if let Err(error) = outcome {
            self.failed = Some(error);
            self.bytes = Vec::new();
        }
        outcome
    }

    /// How many bytes of an unfinished header wait.
    pub fn buffered(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self, data: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyError> {
        let mut used = 0;
        while used < data.len() {
            let rest = &data[used..];
            let count = rest.len().min(self.wanted());
            cost::spend(count);
            self.bytes.extend_from_slice(&rest[..count]);
            used += count;
            if count == 1 {
                self.judge()?;
            }
            if self.length == Some(self.bytes.len()) {
                let header = self.decode()?;
                (self.bytes, self.length) = (Vec::new(), None);
                return Ok(Some((header, used)));
            }
        }
        Ok(None)
    }

    /// How many bytes may be taken at once. Until the length is known that is one: every byte may be the last.
    fn wanted(&self) -> usize {
        self.length.map_or(1, |length| length - self.bytes.len())
    }

    /// Judges the byte that came last, unless the length says that it is judged with the whole.
    fn judge(&mut self) -> Result<(), ProxyError> {
        if self.length.is_none() {
            self.length = match self.bytes[0] {
                b'P' => text::judge(&self.bytes)?,
                _ => wire::judge(&self.bytes, self.limit_bytes)?,
            };
        }
        Ok(())
    }

    fn decode(&self) -> Result<ProxyHeader, ProxyError> {
        match self.bytes[0] {
            b'P' => text::decode(&self.bytes),
            _ => wire::decode(&self.bytes),
        }
    }
}

impl Default for ProxyDecoder {
    fn default() -> Self {
        Self::new()
    }
}
