//! The encoder: messages in, frames out.

use std::error::Error;
use std::fmt;

use super::frame::{Head, Opcode};
use super::mask::{Keys, mask};
use super::permessage::Deflating;
use super::{Close, CloseCode, Event, Role};

/// Writes the frames of one direction.
///
/// It holds what is said to the rules: nothing follows a close, no message begins in another, control frames are small.
///
/// ```
/// use ropewalk_grammar::websocket::{Encoder, Event};
///
/// let (mut encoder, mut out) = (Encoder::server(), Vec::new());
/// encoder.send(Event::Text("Hello"), &mut out)?;
/// assert_eq!(out, b"\x81\x05Hello"); // RFC 6455 5.7
/// # Ok::<(), ropewalk_grammar::websocket::SendError>(())
/// ```
#[derive(Debug)]
pub struct Encoder {
    /// A client masks.
    keys: Option<Box<Keys>>,
    deflating: Option<Deflating>,
    /// Messages shorter than this are not compressed.
    compress_from_bytes: usize,
    /// The message that is sent in fragments, and whether it is compressed.
    fragmented: Option<Fragmented>,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Fragmented {
    is_compressed: bool,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// Why something was not sent. Nothing of it was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// A close frame was sent; nothing may follow it (RFC 6455 5.5.1).
    Closed,
    /// A message is being sent in fragments; end it first (RFC 6455 5.4).
    InMessage,
    /// Others wait to be sent before it. An encoder never says so; who keeps messages for a slow peer does.
    Waiting,
    /// There is no message whose fragment this could be.
    NoMessage,
    /// A ping or a pong has at most 125 bytes; the reason of a close has at most 123 (RFC 6455 5.5).
    ControlTooLong,
    /// The reason of a close comes with a code.
    ReasonWithoutCode,
}

impl Encoder {
    /// Writes what a server says.
    pub fn server() -> Self {
        Self::new(None)
    }

    /// Writes what a client says, masked with keys made of a secret: sixteen bytes of good randomness, for this connection
    /// only (RFC 6455 5.3).
    pub fn client(secret: [u8; 16]) -> Self {
        Self::new(Some(Box::new(Keys::new(secret))))
    }

    fn new(keys: Option<Box<Keys>>) -> Self {
        Self {
            keys,
            deflating: None,
            compress_from_bytes: 0,
            fragmented: None,
            is_closed: false,
        }
    }

    /// The same, with messages compressed as was agreed on, by the means of `deflate`.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, agreed: super::DeflateAgreed, deflate: &super::Deflate) -> Self {
        let role = self.role();
        let (takes_over, bits) = (agreed.takes_over(role), agreed.window_bits(role));
        // No compressor makes a window of 256 bytes; what is sent as it is, is right in any case.
        let fits = bits > 8;
        self.deflating = fits.then(|| Deflating::new(takes_over, bits, deflate.level));
        self.compress_from_bytes = deflate.compress_from_bytes;
        self
    }

    /// Who speaks.
    pub fn role(&self) -> Role {
        match self.keys {
            None => Role::Server,
            Some(_) => Role::Client,
        }
    }

    /// Appends a message or a control frame.
    ///
    /// # Errors
    ///
    /// It may not be said now, or not so; `out` is unchanged.
    #[inline]
    pub fn send(&mut self, event: Event<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
        match event {
            Event::Text(text) => self.send_message(Kind::Text, text.as_bytes(), out),
            Event::Binary(data) => self.send_message(Kind::Binary, data, out),
            Event::Ping(data) => self.send_control(Opcode::Ping, data, out),
            Event::Pong(data) => self.send_control(Opcode::Pong, data, out),
            Event::Close(close) => self.send_close(close, out),
        }
    }

    #[inline]
    fn send_message(
        &mut self,
        kind: Kind,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.must_be_between_messages()?;
        if self.deflating.is_some() && data.len() >= self.compress_from_bytes.max(1) {
            self.send_compressed(kind.opcode(), data, true, true, out);
        } else {
            self.send_frame(kind.opcode(), data, true, false, out);
        }
        Ok(())
    }

    /// Begins a message of fragments; send them with [`send_fragment`](Self::send_fragment).
    ///
    /// # Errors
    ///
    /// A close was sent, or another message is under way.
    pub fn begin(&mut self, kind: Kind, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        self.must_be_between_messages()?;
        let is_compressed = self.deflating.is_some();
        match is_compressed {
            true => self.send_compressed(kind.opcode(), data, true, false, out),
            false => self.send_frame(kind.opcode(), data, false, false, out),
        }
        self.fragmented = Some(Fragmented { is_compressed });
        Ok(())
    }

    /// Appends the next fragment of a message; with `is_last`, its end.
    ///
    /// Where a text is cut is of no importance: a character may stand in two fragments.
    ///
    /// # Errors
    ///
    /// A close was sent, or no message is under way.
    pub fn send_fragment(
        &mut self,
        data: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.must_be_open()?;
        let Some(Fragmented { is_compressed }) = self.fragmented else {
            return Err(SendError::NoMessage);
        };
        match is_compressed {
            true => self.send_compressed(Opcode::Continuation, data, false, is_last, out),
            false => self.send_frame(Opcode::Continuation, data, is_last, false, out),
        }
        if is_last {
            self.fragmented = None;
        }
        Ok(())
    }

    /// Appends the head of a message whose `length` bytes are sent otherwise, as a shared buffer is.
    ///
    /// # Errors
    ///
    /// A close was sent, or another message is under way.
    ///
    /// # Panics
    ///
    /// For a client: it must mask what it sends, so it cannot share it.
    pub fn send_head(
        &mut self,
        kind: Kind,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        assert!(
            self.keys.is_none(),
            "Encoder::send_head: a client masks what it sends; use send"
        );
        self.must_be_between_messages()?;
        head(kind.opcode(), length, true, false).send(false, out);
        Ok(())
    }

    /// Takes note that a whole message which another encoder made is sent at this place, as one that many receivers share is.
    ///
    /// One that is compressed enters the peer's context and not ours. So ours is let go, and the next message refers to nothing
    /// before it; what refers to nothing is right in any context (RFC 7692 7.2.3.2).
    ///
    /// # Errors
    ///
    /// A close was sent, or another message is under way.
    pub fn send_shared(&mut self, is_compressed: bool) -> Result<(), SendError> {
        self.must_be_between_messages()?;
        if is_compressed && let Some(deflating) = &mut self.deflating {
            deflating.forget();
        }
        Ok(())
    }

    /// With which window another encoder, one without context, must compress a message of `length` bytes that is to be
    /// [sent here](Self::send_shared) as well; none if it shall not be compressed here.
    ///
    /// A message that fits into the window agreed on refers to nothing outside of it, however it was compressed: the answer is
    /// then the largest window, so that most receivers have one in common.
    pub fn shared_window_bits(&self, length: usize) -> Option<u8> {
        let agreed = self.deflating.as_ref()?.window_bits();
        let is_worth_it = length >= self.compress_from_bytes.max(1);
        let fits = length <= 1 << agreed;
        is_worth_it.then_some(if fits { 15 } else { agreed })
    }

    /// Whether a message is being sent in fragments.
    pub fn is_in_message(&self) -> bool {
        self.fragmented.is_some()
    }

    /// Whether a close was sent.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn send_close(&mut self, close: Close<'_>, out: &mut Vec<u8>) -> Result<(), SendError> {
        let Close { code, reason } = close;
        let Some(code) = code else {
            if !reason.is_empty() {
                return Err(SendError::ReasonWithoutCode);
            }
            self.send_control(Opcode::Close, &[], out)?;
            self.is_closed = true;
            return Ok(());
        };
        if reason.len() > CloseCode::REASON_BYTES {
            return Err(SendError::ControlTooLong);
        }
        let mut payload = [0; 125];
        payload[..2].copy_from_slice(&code.number().to_be_bytes());
        payload[2..2 + reason.len()].copy_from_slice(reason.as_bytes());
        self.send_control(Opcode::Close, &payload[..2 + reason.len()], out)?;
        self.is_closed = true;
        Ok(())
    }

    fn send_control(
        &mut self,
        opcode: Opcode,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        self.must_be_open()?;
        if data.len() > 125 {
            return Err(SendError::ControlTooLong);
        }
        self.send_frame(opcode, data, true, false, out);
        Ok(())
    }

    fn send_compressed(
        &mut self,
        opcode: Opcode,
        data: &[u8],
        is_first: bool,
        is_last: bool,
        out: &mut Vec<u8>,
    ) {
        let Some(mut deflating) = self.deflating.take() else {
            return;
        };
        deflating.send(data, is_last, |data| {
            self.send_frame(opcode, data, is_last, is_first, out);
        });
        self.deflating = Some(deflating);
    }

    #[inline]
    fn send_frame(
        &mut self,
        opcode: Opcode,
        data: &[u8],
        is_final: bool,
        is_compressed: bool,
        out: &mut Vec<u8>,
    ) {
        let head = head(opcode, data.len() as u64, is_final, is_compressed);
        if self.keys.is_some() {
            return self.send_masked(head, data, out);
        }
        head.send(false, out);
        out.extend_from_slice(data);
    }

    fn send_masked(&mut self, mut head: Head, data: &[u8], out: &mut Vec<u8>) {
        if let Some(keys) = &mut self.keys {
            head.key = keys.next();
            head.send(true, out);
            let start = out.len();
            out.extend_from_slice(data);
            mask(&mut out[start..], head.key, 0);
        }
    }

    #[inline]
    fn must_be_open(&self) -> Result<(), SendError> {
        match self.is_closed {
            true => Err(SendError::Closed),
            false => Ok(()),
        }
    }

    #[inline]
    fn must_be_between_messages(&self) -> Result<(), SendError> {
        self.must_be_open()?;
        match self.fragmented {
            Some(_) => Err(SendError::InMessage),
            None => Ok(()),
        }
    }
}

#[inline]
fn head(opcode: Opcode, length: u64, is_final: bool, is_compressed: bool) -> Head {
    Head {
        is_final,
        is_compressed,
        opcode,
        key: [0; 4],
        length,
    }
}

impl Kind {
    const fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "a close was sent, and nothing may follow it",
            Self::InMessage => "a message is being sent in fragments: end it before the next one",
            Self::Waiting => {
                "other messages wait to be sent: await room before the next one in fragments"
            }
            Self::NoMessage => "no message is being sent in fragments: begin one first",
            Self::ControlTooLong => {
                "a ping or pong has at most 125 bytes, the reason of a close 123"
            }
            Self::ReasonWithoutCode => "the reason of a close comes with a code",
        })
    }
}

impl Error for SendError {}
