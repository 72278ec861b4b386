//! Lines: bytes up to a delimiter, with a raw mode in between (SEMANTICS R117 to R121).
//!
//! For: text protocols whose commands are lines and whose bodies are bytes. Not for: text; a line
//! is bytes, and its encoding is the protocol's business.

use std::error::Error;
use std::fmt;

use crate::delimiter::Search;
use crate::{Backlog, Delimiter, Frame, Framing, Input, Pending};

/// The grammar of lines.
///
/// Lines are delivered without their delimiter. A line may have [`limit_bytes`] bytes before the
/// delimiter; one byte more, ended or not, is [`LineError::TooLong`], known as soon as the bytes
/// received so far prove it. In raw mode bytes are delivered as they come.
///
/// The mode may be changed between any two events, through [`Input`] while one is
/// at hand and through the grammar itself otherwise:
///
/// ```
/// use ropewalk_grammar::{Framing, LineEvent, LineGrammar};
///
/// let mut grammar = LineGrammar::new();
/// let mut input = grammar.receive(b"DATA\r\nabcQUIT\r\n");
/// assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"DATA"))));
/// input.set_raw();
/// assert_eq!(input.next_event(), Some(Ok(LineEvent::Raw(b"abcQUIT\r\n"))));
/// input.set_line(b"QUIT\r\n".len()); // only three bytes were for us
/// assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"QUIT"))));
/// ```
///
/// [`limit_bytes`]: LineGrammar::limit_bytes
#[doc(alias = "LineReceiver")]
#[doc(alias = "LineOnlyReceiver")]
#[derive(Clone, Debug)]
pub struct LineGrammar {
    backlog: Backlog,
    delimiter: Delimiter,
    limit_bytes: usize,
    raw: bool,
    searched: Searched,
}

/// How far the line at a position of the stream has been searched, without finding its end.
#[derive(Clone, Copy, Debug, Default)]
struct Searched {
    offset: u64,
    length: usize,
    carried: usize,
}

/// What [`LineGrammar`] receives and sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEvent<'a> {
    /// A line, without its delimiter.
    Line(&'a [u8]),
    /// Bytes of the raw mode; where one event ends and the next begins means nothing.
    Raw(&'a [u8]),
}

/// A rule of the line grammar that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// The peer sent a line longer than the limit. [`Input::rest`] has it, as
    /// far as it came, and everything behind it.
    #[doc(alias = "lineLengthExceeded")]
    TooLong {
        /// Where the line begins in the stream, counted from 0.
        offset: u64,
        /// The most bytes that were accepted before the delimiter.
        limit: usize,
    },
    /// You sent a line that the peer would read as more than one.
    ContainsDelimiter {
        /// Where in your line the delimiter begins.
        position: usize,
    },
    /// You asked for a delimiter of no bytes.
    EmptyDelimiter,
}

impl LineGrammar {
    /// The most bytes of a line unless you say otherwise.
    ///
    /// Far above what any line protocol asks for; it bounds what a peer that never ends its line
    /// can make us keep.
    #[doc(alias = "MAX_LENGTH")]
    pub const DEFAULT_LIMIT_BYTES: usize = 16_384;

    /// Lines that end with CRLF and have at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            delimiter: Delimiter::CRLF,
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            raw: false,
            searched: Searched::default(),
        }
    }

    /// The same, with lines that end with `delimiter`.
    #[must_use]
    pub fn with_delimiter(mut self, delimiter: Delimiter) -> Self {
        self.set_delimiter(delimiter);
        self
    }

    /// The same, with lines of at most `bytes` before the delimiter.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// What ends a line.
    pub fn delimiter(&self) -> &Delimiter {
        &self.delimiter
    }

    /// Changes what ends a line, from the next byte not delivered on.
    pub fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.delimiter = delimiter;
        self.searched = Searched::default();
    }

    /// The most bytes that a line may have before its delimiter.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Changes the most bytes that a line may have before its delimiter.
    pub fn set_limit_bytes(&mut self, bytes: usize) {
        self.limit_bytes = bytes;
    }

    /// Whether bytes are delivered as they come.
    pub fn is_raw(&self) -> bool {
        self.raw
    }

    /// Delivers bytes as they come, from the next byte not delivered on (R121).
    ///
    /// While an [`Input`] is at hand use [`Input::set_raw`].
    #[doc(alias = "setRawMode")]
    pub fn set_raw(&mut self) {
        self.raw = true;
        self.backlog.set_failed(false);
    }

    /// Delivers lines, from the next byte not delivered on (R121).
    ///
    /// While an [`Input`] is at hand use [`Input::set_line`],
    /// which can also hand bytes back. After [`LineError::TooLong`] this makes the grammar go on
    /// with what comes next.
    #[doc(alias = "setLineMode")]
    pub fn set_line(&mut self) {
        self.raw = false;
        self.backlog.set_failed(false);
    }

    /// Where the first delimiter of `pending` ends, looking only at bytes not seen before.
    fn search(&mut self, pending: &Pending<'_>) -> Option<usize> {
        if self.searched.offset != pending.offset() {
            self.searched = Searched {
                offset: pending.offset(),
                ..Searched::default()
            };
        }
        let pieces = pending.pieces_from(self.searched.length);
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            match self.delimiter.search(self.searched.carried, piece) {
                Search::Found { end } => return Some(self.searched.length + end),
                Search::Missing { carried } => {
                    self.searched.carried = carried;
                    self.searched.length += piece.len();
                }
            }
        }
        None
    }

    fn measure_raw(pending: &Pending<'_>) -> Option<Frame> {
        let piece = pending
            .pieces_from(0)
            .into_iter()
            .find(|piece| !piece.is_empty())?;
        Some(Frame::new(piece.len(), 0..piece.len()))
    }
}

/// Settings that may change between two events, from the next byte not delivered on.
impl Input<'_, LineGrammar> {
    /// Delivers bytes as they come, from the byte behind the last event on (R121).
    ///
    /// After [`LineError::TooLong`] this revives the grammar: the rejected line, as far as it came,
    /// is delivered raw.
    #[doc(alias = "setRawMode")]
    pub fn set_raw(&mut self) {
        if !self.grammar_mut().is_raw() {
            self.put_back(0);
        }
        self.grammar_mut().set_raw();
        self.revive();
    }

    /// Delivers lines, from the last `unread` bytes of the raw event just received on (R121).
    ///
    /// `unread` is how many bytes at the end of that event were not meant as raw data. It is 0 in
    /// any other place than right after a raw event. Handing back costs nothing, so thousands of
    /// switches in one chunk are cheap.
    ///
    /// # Panics
    ///
    /// When `unread` is more than that event had.
    #[doc(alias = "setLineMode")]
    pub fn set_line(&mut self, unread: usize) {
        let last = if self.grammar_mut().is_raw() {
            self.last_length()
        } else {
            0
        };
        assert!(
            unread <= last,
            "Input::set_line({unread}): the raw event just received has {last} bytes to hand back",
        );
        self.put_back(unread);
        self.grammar_mut().set_line();
        self.revive();
    }

    /// Changes what ends a line.
    pub fn set_delimiter(&mut self, delimiter: Delimiter) {
        self.grammar_mut().set_delimiter(delimiter);
    }

    /// Changes the most bytes that a line may have before its delimiter.
    pub fn set_limit_bytes(&mut self, bytes: usize) {
        self.grammar_mut().set_limit_bytes(bytes);
    }
}

impl Default for LineGrammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing for LineGrammar {
    type Event<'a> = LineEvent<'a>;
    type Error = LineError;

    /// Appends a line and its delimiter, or raw bytes as they are.
    ///
    /// The limit is for what is received: a peer may accept longer lines than we do.
    ///
    /// # Errors
    ///
    /// [`LineError::ContainsDelimiter`], as [`Delimiter::send_line`]; `out` is then unchanged.
    #[doc(alias = "sendLine")]
    fn send(&self, event: LineEvent<'_>, out: &mut Vec<u8>) -> Result<(), LineError> {
        match event {
            LineEvent::Raw(data) => {
                out.extend_from_slice(data);
                Ok(())
            }
            LineEvent::Line(line) => self.delimiter.send_line(line, out),
        }
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, LineError> {
        if self.raw {
            return Ok(Self::measure_raw(&pending));
        }
        let end = self.search(&pending);
        // Bytes that may turn out to begin the delimiter do not count as part of the line yet.
        let length = match end {
            Some(end) => end - self.delimiter.as_bytes().len(),
            None => pending.len() - self.searched.carried,
        };
        if length > self.limit_bytes {
            return Err(LineError::TooLong {
                offset: pending.offset(),
                limit: self.limit_bytes,
            });
        }
        Ok(end.map(|end| Frame::new(end, 0..length)))
    }

    fn event<'a>(&self, body: &'a [u8]) -> LineEvent<'a> {
        if self.raw {
            LineEvent::Raw(body)
        } else {
            LineEvent::Line(body)
        }
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { offset, limit } => write!(
                f,
                "the line at byte {offset} is longer than {limit} bytes; \
                 if such lines are right, raise the limit with set_limit_bytes",
            ),
            Self::ContainsDelimiter { position } => write!(
                f,
                "the line to send contains the delimiter at byte {position}; \
                 send each part as a line of its own",
            ),
            Self::EmptyDelimiter => f.write_str("a delimiter needs at least one byte"),
        }
    }
}

impl Error for LineError {}
