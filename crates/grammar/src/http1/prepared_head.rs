//! Heads that are sent with many responses.

use super::encode::{Ending, send_fields, send_status_line};
use super::{Name, SendError, SendName};

/// The status line and the fields of responses that differ in their bodies only: checked and written once, then copied. It
/// remembers what was written behind them, which is often the same the next time.
///
/// ```
/// use ropewalk_grammar::http1::{BodyLength, Event, Name, PreparedHead, RequestDecoder, ServerExchange};
///
/// let mut head = PreparedHead::new(200, "OK", [(Name::ContentType, "text/plain")])?;
/// let (mut decoder, mut out) = (RequestDecoder::new(), Vec::new());
/// let mut input = decoder.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let Some(Ok(Event::Head(request))) = input.next_event() else { panic!("a head is there") };
/// ServerExchange::new(&request).send_prepared_head(&mut head, BodyLength::Known(3), &mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
/// # Ok::<(), ropewalk_grammar::http1::SendError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PreparedHead {
    status: u16,
    bytes: Vec<u8>,
    /// How many of them do not depend on the body and the connection, and on which ones the others do.
    fixed: usize,
    ending: Option<Ending>,
}

/// Room for all but the longest heads.
const USUAL_BYTES: usize = 256;

impl PreparedHead {
    /// Writes the head, but for what follows from the body and the connection.
    ///
    /// # Errors
    ///
    /// When the status is not from 200 to 999, or the reason or a field is wrong, which `Connection`, `Content-Length` and
    /// `Transfer-Encoding` are in any case.
    pub fn new<N: SendName, V: AsRef<[u8]>>(
        status: u16,
        reason: &str,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, SendError> {
        Self::new_in(Vec::new(), status, reason, fields)
    }

    /// The same, written over what is in `bytes`, so that its memory is used again.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn new_in<N: SendName, V: AsRef<[u8]>>(
        mut bytes: Vec<u8>,
        status: u16,
        reason: &str,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, SendError> {
        if status < 200 {
            return Err(SendError::Status(status));
        }
        bytes.clear();
        bytes.reserve(USUAL_BYTES);
        send_status_line(status, reason, &mut bytes)?;
        send_fields(fields, &[Name::Connection], &mut bytes)?.send_option(&mut bytes);
        Ok(Self {
            status,
            fixed: bytes.len(),
            bytes,
            ending: None,
        })
    }

    /// The memory it lies in, for the next.
    pub fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// All of the head.
    #[inline]
    pub(super) fn with_ending(&mut self, ending: Ending) -> &[u8] {
        if self.ending != Some(ending) {
            self.bytes.truncate(self.fixed);
            ending.send(&mut self.bytes);
            self.ending = Some(ending);
        }
        &self.bytes
    }
}
