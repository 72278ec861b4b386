//! The decoder: frames in, messages out.
//!
//! ```text
//!   data ── Head ──► Payload ──► whole in data: unmasked in place and lent        (no copy)
//!            ▲          └──────► cut, or a fragment: unmasked, checked, assembled  (one copy)
//!            └─ next frame
//! ```
//!
//! Every step goes on at the very byte where the last one stopped, so bytes are joined only within a head of a frame that is
//! cut, and a message that is cut.

use std::cell::Cell;

use super::assembly::Assembly;
use super::frame::{HEAD_BYTES, Head, Opcode};
use super::mask::mask;
use super::permessage::Inflating;
use super::{Input, Role, Rule, WebSocketError};
use crate::{Backlog, cost};

/// Reads the frames of one direction, fed by any split of the stream.
///
/// Guaranteed:
///
/// - any split gives the same events and the same error;
/// - a message that lies whole and uncompressed in the received bytes is unmasked in place and lent from there;
/// - texts are UTF-8, and a bad one is told at its first bad byte, also within a frame or a fragment;
/// - memory follows what has arrived, within the limit, never what a length declares; what is longer is refused when its
///   head is read;
/// - the first broken rule ends the stream: one error, then nothing; so does a close frame.
///
/// ```
/// use ropewalk_grammar::websocket::{Decoder, Event, Role};
///
/// let mut decoder = Decoder::new(Role::Server);
/// let mut data = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 5.7
/// let mut input = decoder.receive(&mut data);
/// assert_eq!(input.next_event(), Some(Ok(Event::Text("Hello"))));
/// assert_eq!(input.next_event(), None);
/// ```
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limit_bytes: usize,
    /// In a cell, as it changes while what was found is lent.
    pub(super) state: Cell<State>,
    /// The bytes of a head that was cut.
    head: [u8; HEAD_BYTES],
    pub(super) head_length: u8,
    /// Where the frame at hand begins.
    frame_offset: u64,
    frame: Frame,
    /// The message that fragments belong to.
    pub(super) message: Option<Message>,
    pub(super) assembly: Assembly,
    /// A control frame that was cut.
    pub(super) control: Vec<u8>,
    pub(super) inflating: Option<Inflating>,
    /// What was received and not asked for.
    pub(super) backlog: Backlog,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Head,
    Payload,
    Closed,
}

/// The frame at hand.
#[derive(Clone, Copy, Debug)]
struct Frame {
    head: Head,
    left: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    is_text: bool,
    is_compressed: bool,
}

/// What a step found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found {
    Text(Lent),
    Binary(Lent),
    Ping(Lent),
    Pong(Lent),
    Close(Lent),
}

impl Found {
    #[inline]
    const fn message(is_text: bool, lent: Lent) -> Self {
        match is_text {
            true => Self::Text(lent),
            false => Self::Binary(lent),
        }
    }

    /// Whether it lies in what the decoder owns.
    #[inline]
    pub(super) const fn is_own(&self) -> bool {
        let (Self::Text(lent)
        | Self::Binary(lent)
        | Self::Ping(lent)
        | Self::Pong(lent)
        | Self::Close(lent)) = self;
        matches!(lent, Lent::Assembled)
    }
}

/// Where the bytes of an event lie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lent {
    /// The last so many bytes that were read.
    Read(usize),
    /// In the assembly; for control frames in the buffer of such.
    Assembled,
}

impl Decoder {
    /// The longest message accepted unless you say otherwise: 1 MiB.
    ///
    /// It bounds what a peer can make us hold that sends a long message slowly, or a short one that decompresses to much.
    pub const DEFAULT_LIMIT_BYTES: usize = 1024 * 1024;

    /// Reads what is sent to `role`, in messages of at most [`DEFAULT_LIMIT_BYTES`](Self::DEFAULT_LIMIT_BYTES).
    pub fn new(role: Role) -> Self {
        let head = Head {
            is_final: true,
            is_compressed: false,
            opcode: Opcode::Continuation,
            key: [0; 4],
            length: 0,
        };
        Self {
            role,
            limit_bytes: Self::DEFAULT_LIMIT_BYTES,
            state: Cell::new(State::Head),
            head: [0; HEAD_BYTES],
            head_length: 0,
            frame_offset: 0,
            frame: Frame { head, left: 0 },
            message: None,
            assembly: Assembly::default(),
            control: Vec::new(),
            inflating: None,
            backlog: Backlog::default(),
        }
    }

    /// The same, with messages of at most so many bytes, decompressed.
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.limit_bytes = bytes;
        self
    }

    /// The same, with messages that may be compressed, as was agreed on.
    #[cfg(feature = "deflate")]
    #[must_use]
    pub fn with_deflate(mut self, agreed: super::DeflateAgreed) -> Self {
        self.inflating = Some(Inflating::new(agreed.takes_over(self.role.peer())));
        self
    }

    /// Takes the next bytes of the stream, which are unmasked in place, and lends a cursor that gives the events in them.
    ///
    /// Call `receive(&mut [])` to go on after a pause.
    #[inline]
    pub fn receive<'a>(&'a mut self, data: &'a mut [u8]) -> Input<'a> {
        Input::new(self, data)
    }

    /// The last event lay in what we own, and is not needed any more.
    #[cold]
    pub(super) fn forget_last(&mut self) {
        if self.message.is_none() {
            self.assembly.clear();
        }
        if self.state.get() == State::Head {
            self.control.clear();
        }
    }

    /// Ends one `receive`: keeps what was not read, and lets go of memory not needed.
    #[inline]
    pub(super) fn settle(&mut self, unread: &[u8]) {
        if self.assembly.capacity() > 0 || self.control.capacity() > 0 || self.is_closed() {
            self.release();
        }
        self.backlog.settle(unread);
    }

    #[cold]
    fn release(&mut self) {
        if self.message.is_none() || self.is_closed() {
            self.assembly.release();
        }
        if self.control.is_empty() || self.is_closed() {
            self.control = Vec::new();
        }
        if self.is_closed() {
            self.backlog.set_failed(true);
            (self.head_length, self.message, self.inflating) = (0, None, None);
        }
    }

    /// How many received bytes no event has told: an unfinished message, or everything since a pause.
    pub fn buffered(&self) -> usize {
        let cut = usize::from(self.head_length) + self.control.len();
        self.backlog.len() + self.assembly.len() + cut
    }

    /// Whether a message is under way of which not all has come.
    pub fn is_in_message(&self) -> bool {
        self.message.is_some() || self.state.get() == State::Payload || self.head_length > 0
    }

    /// Whether a close frame or an error was told: nothing more is read.
    pub fn is_closed(&self) -> bool {
        self.state.get() == State::Closed
    }

    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.backlog.capacity() + self.assembly.capacity() + self.control.capacity()
    }

    #[cold]
    pub(super) fn fail(&self, rule: Rule) -> WebSocketError {
        self.state.set(State::Closed);
        let offset = self.frame_offset;
        WebSocketError { rule, offset }
    }

    /// Reads on in `bytes`; gives what was found and how many bytes it used. Nothing found means that all were used.
    #[inline]
    pub(super) fn step(
        &mut self,
        bytes: &mut [u8],
        offset: u64,
    ) -> Result<(Option<Found>, usize), Rule> {
        let mut at = 0;
        loop {
            match self.state.get() {
                State::Closed => return Ok((None, bytes.len())),
                State::Head if at == bytes.len() => return Ok((None, at)),
                State::Head if self.head_length > 0 => at += self.read_cut_head(&bytes[at..])?,
                State::Head => {
                    self.frame_offset = offset + at as u64;
                    let Some((head, used)) = Head::read(&bytes[at..], self.role)? else {
                        self.keep_head(&bytes[at..]);
                        return Ok((None, bytes.len()));
                    };
                    at += used;
                    if self.is_message(&head) && head.length <= (bytes.len() - at) as u64 {
                        let length = head.length as usize;
                        mask(&mut bytes[at..at + length], head.key, 0);
                        let found = Found::message(head.opcode == Opcode::Text, Lent::Read(length));
                        return Ok((Some(found), at + length));
                    }
                    self.begin_frame(head)?;
                }
                State::Payload => {
                    let rest = &mut bytes[at..];
                    let count = rest.len().min(self.left());
                    let piece = &mut rest[..count];
                    at += count;
                    let found = self.read_payload(piece)?;
                    if found.is_some() || self.state.get() == State::Payload {
                        return Ok((found, at));
                    }
                }
            }
        }
    }

    #[inline]
    fn left(&self) -> usize {
        usize::try_from(self.frame.left).unwrap_or(usize::MAX)
    }

    /// Whether this frame is a whole message by itself, as it lies there.
    #[inline]
    fn is_message(&self, head: &Head) -> bool {
        matches!(head.opcode, Opcode::Text | Opcode::Binary)
            && head.is_final
            && !head.is_compressed
            && self.message.is_none()
            && head.length <= self.limit_bytes as u64
    }

    /// Goes on with a head that was cut; gives how many bytes it used.
    #[cold]
    fn read_cut_head(&mut self, bytes: &[u8]) -> Result<usize, Rule> {
        let known = usize::from(self.head_length);
        self.keep_head(bytes);
        let Some((head, length)) = Head::read(&self.head[..self.head_length.into()], self.role)?
        else {
            return Ok(bytes.len());
        };
        self.head_length = 0;
        self.begin_frame(head)?;
        Ok(length - known)
    }

    #[cold]
    fn keep_head(&mut self, bytes: &[u8]) {
        let known = usize::from(self.head_length);
        let count = bytes.len().min(HEAD_BYTES - known);
        cost::spend(count);
        self.head[known..known + count].copy_from_slice(&bytes[..count]);
        self.head_length = (known + count) as u8;
    }

    fn begin_frame(&mut self, head: Head) -> Result<(), Rule> {
        if head.is_compressed
            && (self.inflating.is_none() || !matches!(head.opcode, Opcode::Text | Opcode::Binary))
        {
            return Err(Rule::ReservedBits);
        }
        if !head.opcode.is_control() {
            self.begin_data(&head)?;
        }
        self.frame = Frame {
            head,
            left: head.length,
        };
        self.state.set(State::Payload);
        Ok(())
    }

    fn begin_data(&mut self, head: &Head) -> Result<(), Rule> {
        let message = match (head.opcode, self.message) {
            (Opcode::Continuation, Some(message)) => message,
            (Opcode::Continuation, None) => return Err(Rule::StrayContinuation),
            (_, Some(_)) => return Err(Rule::MessageInMessage),
            (opcode, None) => Message {
                is_text: opcode == Opcode::Text,
                is_compressed: head.is_compressed,
            },
        };
        if let Some(inflating) = self.inflating.as_mut().filter(|_| head.is_compressed) {
            inflating.begin(self.limit_bytes);
        }
        // What a compressed message comes to is counted when it is decompressed.
        let room = (self.limit_bytes - self.assembly.len().min(self.limit_bytes)) as u64;
        if !message.is_compressed && head.length > room {
            return Err(Rule::MessageTooBig);
        }
        self.message = Some(message);
        Ok(())
    }

    /// Reads bytes of the payload, as many as are here of it.
    fn read_payload(&mut self, piece: &mut [u8]) -> Result<Option<Found>, Rule> {
        let Frame { head, left } = self.frame;
        mask(piece, head.key, head.length - left);
        let is_first = left == head.length;
        self.frame.left -= piece.len() as u64;
        let is_end = self.frame.left == 0;
        if is_end {
            self.state.set(State::Head);
        }
        if head.opcode.is_control() {
            return Ok(self.read_control(head.opcode, piece, is_first && is_end, is_end));
        }
        let Some(message) = self.message else {
            return Ok(None);
        };
        let is_last = is_end && head.is_final;
        if is_last {
            self.message = None;
        }
        if message.is_compressed {
            return self.read_compressed(message, piece, is_last);
        }
        if is_last && is_first && self.assembly.is_empty() {
            let lent = Lent::Read(piece.len());
            return Ok(Some(Found::message(message.is_text, lent)));
        }
        self.assemble(message, piece, is_last)
    }

    fn assemble(
        &mut self,
        message: Message,
        piece: &[u8],
        is_last: bool,
    ) -> Result<Option<Found>, Rule> {
        let more = self.frame.left;
        if message.is_text {
            self.assembly.push_text(piece, more)?;
        } else {
            self.assembly.push_bytes(piece, more);
        }
        self.end_of(message, is_last)
    }

    fn end_of(&mut self, message: Message, is_last: bool) -> Result<Option<Found>, Rule> {
        if is_last && message.is_text {
            self.assembly.end_text()?;
        }
        Ok(is_last.then(|| Found::message(message.is_text, Lent::Assembled)))
    }

    fn read_compressed(
        &mut self,
        message: Message,
        piece: &[u8],
        is_last: bool,
    ) -> Result<Option<Found>, Rule> {
        cost::spend(piece.len());
        let inflating = self.inflating.as_mut().ok_or(Rule::ReservedBits)?;
        inflating.read(piece, is_last, message.is_text, &mut self.assembly)?;
        self.end_of(message, is_last)
    }

    fn read_control(
        &mut self,
        opcode: Opcode,
        piece: &[u8],
        is_whole: bool,
        is_end: bool,
    ) -> Option<Found> {
        let lent = match is_whole {
            true => Lent::Read(piece.len()),
            false => {
                cost::spend(piece.len());
                self.control.extend_from_slice(piece);
                Lent::Assembled
            }
        };
        let found = match opcode {
            Opcode::Ping => Found::Ping(lent),
            Opcode::Pong => Found::Pong(lent),
            _ => Found::Close(lent),
        };
        is_end.then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// USERS P11: an idle WebSocket is small.
    #[test]
    fn a_decoder_is_small() {
        assert!(size_of::<Decoder>() <= 400, "{}", size_of::<Decoder>());
    }
}
