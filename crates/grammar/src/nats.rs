//! The client protocol of NATS, core part: <https://docs.nats.io/reference/reference-protocols/nats-protocol>.
//!
//! For: both ends of it, as operations. Not for: headers (`HPUB`, `HMSG`: a client that does not ask for them gets none),
//! JetStream, and what the JSON of `INFO` and `CONNECT` says.
//!
//! ```text
//!   client: CONNECT {…}  PUB subject [reply] length  SUB subject [queue] id  UNSUB id [after]  PING PONG
//!   server: INFO {…}     MSG subject id [reply] length    +OK  -ERR 'why'                       PING PONG
//! ```
//!
//! ```
//! use ropewalk_grammar::Framing;
//! use ropewalk_grammar::nats::{NatsGrammar, Operation};
//!
//! let mut grammar = NatsGrammar::new();
//! let mut input = grammar.receive(b"MSG rooms.hall 7 5\r\nhello\r\nPING\r\n");
//! let Some(Ok(Operation::Msg(message))) = input.next_event() else { panic!() };
//! assert_eq!((message.subject, message.payload), ("rooms.hall", &b"hello"[..]));
//! assert_eq!(input.next_event(), Some(Ok(Operation::Ping)));
//! ```

mod error;
mod line;
mod operation;

pub use self::error::NatsError;
use self::line::Line;
pub use self::operation::{Delivery, Operation, is_subject};
use crate::wire_line::LineSearch;
use crate::{Backlog, Frame, Framing, Pending};

/// The grammar of operations, in either direction.
///
/// Strict: lines end with CR LF, fields have one blank or more between them, lengths have no needless zeros, subjects no empty
/// tokens. What is counted is judged by its length before any of it is kept.
#[derive(Clone, Debug)]
pub struct NatsGrammar {
    backlog: Backlog,
    limit_bytes: usize,
    state: State,
}

/// How far the operation at a position of the stream has been read.
#[derive(Clone, Debug, Default)]
struct State {
    offset: u64,
    search: LineSearch,
    /// What its first line says, once that has come.
    line: Option<Line>,
}

impl NatsGrammar {
    /// The longest line accepted. Servers allow 4 KiB for all but `INFO`, which names the servers of a cluster.
    pub const LINE_BYTES: usize = 64 * 1024;

    /// The longest payload accepted unless you say otherwise; a server's own limit is 1 MiB unless it is told otherwise.
    pub const DEFAULT_LIMIT_BYTES: usize = 1024 * 1024;

    /// Payloads of at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            state: State::default(),
        }
    }

    /// The same, with payloads of at most `bytes`.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// Reads the first line, once it is there.
    fn read_line(&mut self, pending: &Pending<'_>) -> Result<(), NatsError> {
        let offset = pending.offset();
        let found = self.state.search.find(pending, 0, Self::LINE_BYTES);
        let Some(length) = found.map_err(|_| NatsError::LineTooLong { offset })? else {
            return Ok(());
        };
        let [first, second] = pending.pieces_from(0);
        let line = match first.len() {
            0 => Line::read(&second[..length], offset)?,
            whole if whole >= length => Line::read(&first[..length], offset)?,
            part => {
                let joined = [first, &second[..length - part]].concat();
                Line::read(&joined, offset)?
            }
        };
        let (declared, limit) = (line.payload_bytes().unwrap_or(0), self.limit_bytes);
        if declared > limit as u64 {
            return Err(NatsError::PayloadTooLong {
                offset,
                declared,
                limit,
            });
        }
        self.state.line = Some(line);
        Ok(())
    }
}

impl Default for NatsGrammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing for NatsGrammar {
    type Event<'a> = Operation<'a>;
    type Error = NatsError;

    /// Appends an operation.
    ///
    /// # Errors
    ///
    /// A subject or another name cannot be said, so that nobody's words can become another operation.
    fn send(&self, operation: Operation<'_>, out: &mut Vec<u8>) -> Result<(), NatsError> {
        operation.check()?;
        operation.write(out);
        Ok(())
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, NatsError> {
        if self.state.offset != pending.offset() {
            self.state = State {
                offset: pending.offset(),
                ..State::default()
            };
        }
        if self.state.line.is_none() {
            self.read_line(&pending)?;
        }
        let Some(line) = &self.state.line else {
            return Ok(None);
        };
        let Some(payload) = line.payload_bytes() else {
            return Ok(Some(Frame::new(line.length, 0..line.length)));
        };
        let end = line.length + payload as usize;
        for (at, expected) in [(end, b'\r'), (end + 1, b'\n')] {
            match pending.get(at) {
                None => return Ok(None),
                Some(found) if found != expected => {
                    let offset = pending.offset() + at as u64;
                    return Err(NatsError::MissingEnd { offset });
                }
                Some(_) => {}
            }
        }
        Ok(Some(Frame::new(end + 2, 0..end)))
    }

    fn event<'a>(&self, body: &'a [u8]) -> Operation<'a> {
        let line = self.state.line.as_ref();
        line.expect("measure has read the line").operation(body)
    }
}
