//! The protocol of Redis, RESP 2 and 3: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! For: values, both ways; a command is an array of byte strings. Not for: what commands mean, inline commands, and what no
//! server sends today (strings in pieces, attributes).
//!
//! ```
//! use ropewalk_grammar::Framing;
//! use ropewalk_grammar::resp::{RespGrammar, Value, command};
//!
//! let mut out = Vec::new();
//! command(&[b"PUBLISH", b"hall", b"hello"], &mut out);
//! assert_eq!(out, b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nhall\r\n$5\r\nhello\r\n");
//!
//! let mut grammar = RespGrammar::new();
//! let mut input = grammar.receive(b":2\r\n>3\r\n+message\r\n$4\r\nhall\r\n$2\r\nhi\r\n");
//! assert_eq!(input.next_event(), Some(Ok(Value::Integer(2))));
//! let Some(Ok(Value::Push(parts))) = input.next_event() else { panic!() };
//! assert_eq!(parts[2].as_bytes(), Some(&b"hi"[..]));
//! ```

mod error;
mod scan;
mod value;

pub use self::error::RespError;
use self::scan::Scan;
pub use self::value::{Value, command};
use crate::{Backlog, Frame, Framing, Pending};

/// The grammar of values, in either direction.
///
/// Strict: lines end with CR LF, lengths have no needless zeros. What is counted is judged by its length before any of it is
/// kept, and no memory is taken by a declared number.
#[derive(Clone, Debug)]
pub struct RespGrammar {
    backlog: Backlog,
    limit_bytes: usize,
    scan: Scan,
}

impl RespGrammar {
    /// The longest value accepted unless you say otherwise, with all that is in it.
    pub const DEFAULT_LIMIT_BYTES: usize = 2 * 1024 * 1024;

    /// So many values may be in one, in all. Stops a peer that fills memory with empty ones.
    pub const MOST_VALUES: usize = 4096;

    /// So deep values may lie in each other. Stops a peer that wants our stack.
    pub const MOST_DEPTH: usize = 8;

    /// Values of at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new() -> Self {
        Self {
            backlog: Backlog::default(),
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            scan: Scan::default(),
        }
    }

    /// The same, with values of at most `bytes`.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }
}

impl Default for RespGrammar {
    fn default() -> Self {
        Self::new()
    }
}

impl Framing for RespGrammar {
    type Event<'a> = Value<'a>;
    type Error = RespError;

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// A line of text has CR or LF in it, or values lie too deep in each other or are too many.
    fn send(&self, value: Value<'_>, out: &mut Vec<u8>) -> Result<(), RespError> {
        value.check()?;
        value.write(out);
        Ok(())
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, RespError> {
        let length = self.scan.advance(&pending, self.limit_bytes)?;
        Ok(length.map(|length| Frame::new(length, 0..length)))
    }

    fn event<'a>(&self, body: &'a [u8]) -> Value<'a> {
        let (value, _) = Value::read(body).expect("measure has looked at all of it");
        value
    }
}
