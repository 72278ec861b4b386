//! Netstrings: a decimal length, a colon, the bytes, a comma (SEMANTICS R122).
//!
//! For: the format as its author wrote it down (<https://cr.yp.to/proto/netstrings.txt>), as SCGI,
//! QMQP and Twisted speak it. Not for: its tagged and nested relatives.

use std::error::Error;
use std::fmt;
use std::io::Write;

use crate::{Backlog, Frame, Framing, Pending, cost};

/// The grammar of netstrings.
///
/// Strict: the length has no leading zero, sign or blank, and the comma must be there. The length
/// is judged digit by digit, before any of the string is read, and memory grows with the bytes that
/// have come, never by the length that was declared.
///
/// ```
/// use ropewalk_grammar::{Framing, NetstringError, NetstringGrammar};
///
/// let mut grammar = NetstringGrammar::new();
/// let mut input = grammar.receive(b"5:hello,05:world,");
/// assert_eq!(input.next_event(), Some(Ok(&b"hello"[..])));
/// assert_eq!(input.next_event(), Some(Err(NetstringError::LeadingZero { offset: 8 })));
/// assert_eq!(input.next_event(), None);
/// ```
#[doc(alias = "NetstringReceiver")]
#[derive(Clone, Debug)]
pub struct NetstringGrammar {
    backlog: Backlog,
    limit_bytes: usize,
    header: Header,
}

/// How far the length of the netstring at a position of the stream has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    offset: u64,
    /// Bytes read: digits, and the colon once it has come.
    read: usize,
    /// What the digits say so far.
    length: usize,
    complete: bool,
}

/// A rule of the netstring grammar that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetstringError {
    /// A netstring must begin with a digit.
    MissingLength {
        /// Where in the stream, counted from 0.
        offset: u64,
        /// The byte found there.
        found: u8,
    },
    /// Only the length 0 may begin with a zero.
    LeadingZero {
        /// Where in the stream the length begins, counted from 0.
        offset: u64,
    },
    /// The declared length is above the limit.
    TooLong {
        /// Where in the stream the length begins, counted from 0.
        offset: u64,
        /// The length when its digits passed the limit; more digits may have followed.
        declared: usize,
        /// The longest string that was accepted.
        limit: usize,
    },
    /// A colon must follow the digits.
    MissingColon {
        /// Where in the stream, counted from 0.
        offset: u64,
        /// The byte found there.
        found: u8,
    },
    /// A comma must follow the string.
    MissingComma {
        /// Where in the stream, counted from 0.
        offset: u64,
        /// The byte found there.
        found: u8,
    },
}

impl NetstringGrammar {
    /// The longest string accepted unless you say otherwise.
    ///
    /// It bounds what a peer that declares much and sends it slowly can make us keep.
    #[doc(alias = "MAX_LENGTH")]
    pub const DEFAULT_LIMIT_BYTES: usize = 99_999;

    /// Netstrings of at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            header: Header::default(),
        }
    }

    /// The same, with strings of at most `bytes`.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// The longest string accepted from the peer.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Changes the longest string accepted from the peer, from the next length on.
    pub fn set_limit_bytes(&mut self, bytes: usize) {
        self.limit_bytes = bytes;
    }
}

impl Default for NetstringGrammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing for NetstringGrammar {
    type Event<'a> = &'a [u8];
    type Error = NetstringError;

    /// Appends `string` as a netstring.
    ///
    /// The limit is for what is received: a peer may accept longer strings than we do.
    ///
    /// # Errors
    ///
    /// None today: the format can say any length.
    #[doc(alias = "sendString")]
    fn send(&self, string: &[u8], out: &mut Vec<u8>) -> Result<(), NetstringError> {
        let _never_fails = write!(out, "{}:", string.len());
        out.extend_from_slice(string);
        out.push(b',');
        Ok(())
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, NetstringError> {
        if self.header.offset != pending.offset() {
            self.header = Header {
                offset: pending.offset(),
                ..Header::default()
            };
        }
        self.header.read_from(&pending, self.limit_bytes)?;
        if !self.header.complete {
            return Ok(None);
        }
        let start = self.header.read;
        // No index is as large as what the sum saturates at.
        let end = start.saturating_add(self.header.length);
        match pending.get(end) {
            None => Ok(None),
            Some(b',') => Ok(Some(Frame::new(end + 1, start..end))),
            Some(found) => {
                let offset = pending.offset() + end as u64;
                Err(NetstringError::MissingComma { offset, found })
            }
        }
    }

    fn event<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body
    }
}

impl Header {
    /// Reads on, as far as the pending bytes go, until the colon.
    fn read_from(&mut self, pending: &Pending<'_>, limit: usize) -> Result<(), NetstringError> {
        while !self.complete
            && let Some(byte) = pending.get(self.read)
        {
            cost::spend(1);
            match byte {
                b'0'..=b'9' => self.add_digit(byte - b'0', limit)?,
                b':' if self.read > 0 => self.complete = true,
                found => return Err(self.unexpected(found)),
            }
            self.read += 1;
        }
        Ok(())
    }

    fn add_digit(&mut self, digit: u8, limit: usize) -> Result<(), NetstringError> {
        let offset = self.offset;
        if self.read > 0 && self.length == 0 {
            return Err(NetstringError::LeadingZero { offset });
        }
        let declared = self
            .length
            .saturating_mul(10)
            .saturating_add(usize::from(digit));
        let overflowed = declared == usize::MAX;
        if declared > limit || overflowed {
            return Err(NetstringError::TooLong {
                offset,
                declared,
                limit,
            });
        }
        self.length = declared;
        Ok(())
    }

    fn unexpected(&self, found: u8) -> NetstringError {
        let offset = self.offset + self.read as u64;
        match self.read {
            0 => NetstringError::MissingLength { offset, found },
            _ => NetstringError::MissingColon { offset, found },
        }
    }
}

impl fmt::Display for NetstringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLength { offset, found } => write!(
                f,
                "a netstring must begin with a digit, but byte {offset} is {}",
                found.escape_ascii(),
            ),
            Self::LeadingZero { offset } => {
                write!(
                    f,
                    "the length of the netstring at byte {offset} begins with a zero"
                )
            }
            Self::TooLong {
                offset,
                declared,
                limit,
            } => write!(
                f,
                "the netstring at byte {offset} declares {declared} bytes or more where {limit} \
                 are accepted; if such strings are right, raise the limit with set_limit_bytes",
            ),
            Self::MissingColon { offset, found } => write!(
                f,
                "a colon must follow the length of a netstring, but byte {offset} is {}",
                found.escape_ascii(),
            ),
            Self::MissingComma { offset, found } => write!(
                f,
                "a comma must follow the string of a netstring, but byte {offset} is {}",
                found.escape_ascii(),
            ),
        }
    }
}

impl Error for NetstringError {}
