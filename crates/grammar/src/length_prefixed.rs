//! Strings behind a length of 8, 16 or 32 bits in network order (SEMANTICS R123).
//!
//! For: binary protocols whose messages have a length in front. Not for: variable-length integers,
//! little-endian lengths or lengths that count themselves; see [`Framing`] for writing one.

use std::error::Error;
use std::fmt;

use crate::{Backlog, Frame, Framing, Pending};

/// The grammar of length-prefixed strings.
///
/// A length above [`limit_bytes`](LengthPrefixedGrammar::limit_bytes) is an error as soon as the
/// prefix is here; nothing more is delivered. Memory grows with the bytes that have come, never by
/// the length that was declared.
///
/// ```
/// use ropewalk_grammar::{Framing, LengthPrefixedGrammar, Width};
///
/// let mut grammar = LengthPrefixedGrammar::new(Width::Bits16);
/// let mut wire = Vec::new();
/// grammar.send(b"hello", &mut wire)?;
/// assert_eq!(wire, b"\x00\x05hello");
/// assert_eq!(grammar.receive(&wire).next_event(), Some(Ok(&b"hello"[..])));
/// # Ok::<(), ropewalk_grammar::LengthPrefixedError>(())
/// ```
#[doc(alias = "IntNStringReceiver")]
#[derive(Clone, Debug)]
pub struct LengthPrefixedGrammar {
    backlog: Backlog,
    width: Width,
    limit_bytes: usize,
}

/// How many bits the length in front of a string has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// One byte: strings of at most 255 bytes.
    #[doc(alias = "Int8StringReceiver")]
    Bits8,
    /// Two bytes: strings of at most 65 535 bytes.
    #[doc(alias = "Int16StringReceiver")]
    Bits16,
    /// Four bytes: strings of at most 4 294 967 295 bytes.
    #[doc(alias = "Int32StringReceiver")]
    Bits32,
}

/// A rule of the length-prefixed grammar that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LengthPrefixedError {
    /// The peer declared a string longer than the limit.
    #[doc(alias = "lengthLimitExceeded")]
    TooLong {
        /// Where the prefix begins in the stream, counted from 0.
        offset: u64,
        /// The length in the prefix.
        declared: u32,
        /// The longest string that was accepted.
        limit: usize,
    },
    /// You sent a string whose length the prefix cannot say.
    #[doc(alias = "StringTooLongError")]
    TooLongToSend {
        /// The length of your string.
        length: usize,
        /// The width of the prefix.
        width: Width,
    },
}

impl Width {
    /// How many bytes the prefix has.
    pub const fn prefix_bytes(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
            Self::Bits32 => 4,
        }
    }

    /// The longest string that the prefix can declare.
    pub const fn max_length(self) -> u32 {
        match self {
            Self::Bits8 => u8::MAX as u32,
            Self::Bits16 => u16::MAX as u32,
            Self::Bits32 => u32::MAX,
        }
    }

    fn declared(self, pending: &Pending<'_>) -> Option<u32> {
        (0..self.prefix_bytes()).try_fold(0, |length, index| {
            Some(length << 8 | u32::from(pending.get(index)?))
        })
    }
}

impl LengthPrefixedGrammar {
    /// The longest string accepted unless you say otherwise.
    ///
    /// It bounds what a peer that declares much and sends it slowly can make us keep.
    #[doc(alias = "MAX_LENGTH")]
    pub const DEFAULT_LIMIT_BYTES: usize = 99_999;

    /// Strings behind a prefix of `width`, of at most
    /// [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new(width: Width) -> Self {
        Self {
            backlog: Backlog::default(),
            width,
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
        }
    }

    /// The same, with strings of at most `bytes`.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// The width of the prefix.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The longest string accepted from the peer.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Changes the longest string accepted from the peer, from the next string on.
    pub fn set_limit_bytes(&mut self, bytes: usize) {
        self.limit_bytes = bytes;
    }
}

impl Framing for LengthPrefixedGrammar {
    type Event<'a> = &'a [u8];
    type Error = LengthPrefixedError;

    /// Appends the length of `string` and the string.
    ///
    /// The limit is for what is received: a peer may accept longer strings than we do.
    ///
    /// # Errors
    ///
    /// [`LengthPrefixedError::TooLongToSend`] when the prefix cannot say the length; `out` is then
    /// unchanged.
    #[doc(alias = "sendString")]
    fn send(&self, string: &[u8], out: &mut Vec<u8>) -> Result<(), LengthPrefixedError> {
        let length = u32::try_from(string.len())
            .ok()
            .filter(|length| *length <= self.width.max_length())
            .ok_or(LengthPrefixedError::TooLongToSend {
                length: string.len(),
                width: self.width,
            })?;
        let prefix = length.to_be_bytes();
        out.extend_from_slice(&prefix[prefix.len() - self.width.prefix_bytes()..]);
        out.extend_from_slice(string);
        Ok(())
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, LengthPrefixedError> {
        let Some(declared) = self.width.declared(&pending) else {
            return Ok(None);
        };
        let length = usize::try_from(declared)
            .ok()
            .filter(|length| *length <= self.limit_bytes);
        let Some(length) = length else {
            let (offset, limit) = (pending.offset(), self.limit_bytes);
            return Err(LengthPrefixedError::TooLong {
                offset,
                declared,
                limit,
            });
        };
        let prefix = self.width.prefix_bytes();
        let whole = pending.len() - prefix >= length;
        Ok(whole.then(|| Frame::new(prefix + length, prefix..prefix + length)))
    }

    fn event<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body
    }
}

impl fmt::Display for LengthPrefixedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong {
                offset,
                declared,
                limit,
            } => write!(
                f,
                "the string at byte {offset} declares {declared} bytes where {limit} are accepted; \
                 if such strings are right, raise the limit with set_limit_bytes",
            ),
            Self::TooLongToSend { length, width } => write!(
                f,
                "a string of {length} bytes does not fit a prefix of {} bits, which says {} at \
                 most; use a wider prefix or send it in parts",
                8 * width.prefix_bytes(),
                width.max_length(),
            ),
        }
    }
}

impl Error for LengthPrefixedError {}
