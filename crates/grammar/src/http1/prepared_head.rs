//! Heads that are sent with many responses.

use super::encode::{send_fields, send_status_line};
use super::{Name, SendError, SendName};

/// The status line and the fields of responses that differ in their bodies only: checked and written once, then copied.
///
/// ```
/// use ropewalk_grammar::http1::{BodyLength, Event, Name, PreparedHead, RequestDecoder, ServerExchange};
///
/// let head = PreparedHead::new(200, "OK", [(Name::ContentType, "text/plain")])?;
/// let (mut decoder, mut out) = (RequestDecoder::new(), Vec::new());
/// let mut input = decoder.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// let Some(Ok(Event::Head(request))) = input.next_event() else { panic!("a head is there") };
/// ServerExchange::new(&request).send_prepared_head(&head, BodyLength::Known(3), &mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
/// # Ok::<(), ropewalk_grammar::http1::SendError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedHead {
    status: u16,
    bytes: Box<[u8]>,
}

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
        if status < 200 {
            return Err(SendError::Status(status));
        }
        let mut bytes = Vec::with_capacity(128);
        send_status_line(status, reason, &mut bytes)?;
        send_fields(fields, &[Name::Connection], &mut bytes)?;
        let bytes = bytes.into();
        Ok(Self { status, bytes })
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.status
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}
