//! The cursor over one `receive`: events out, one at a time, lent from where their bytes lie.

use super::assembly::Assembly;
use super::close::{Close, CloseCode};
use super::decoder::{Decoder, Found, Lent, State};
use super::{Rule, WebSocketError};
use crate::Backlog;

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message, whole.
    Text(&'a str),
    /// A binary message, whole.
    Binary(&'a [u8]),
    /// A ping; answer it with a pong of the same bytes.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// The peer closes. Nothing follows.
    Close(Close<'a>),
}

/// The events in the bytes of one [`receive`](Decoder::receive), to be pulled until there is none.
///
/// Dropping it keeps what was not pulled (a pause).
#[derive(Debug)]
pub struct Input<'a> {
    pub(super) decoder: &'a mut Decoder,
    pub(super) backlog: Backlog,
    pub(super) data: &'a mut [u8],
    pub(super) read: usize,
}

/// A message that was assembled from pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl Input<'_> {
    /// The next event, or `None` when no whole one is here.
    ///
    /// # Errors
    ///
    /// The rule that the peer broke. Nothing follows it.
    #[inline]
    pub fn next_event(&mut self) -> Option<Result<Event<'_>, WebSocketError>> {
        self.forget_last();
        loop {
            let offset = self.backlog.offset();
            let is_waiting = !self.backlog.is_empty();
            let bytes = match is_waiting {
                true => self.backlog.as_mut_slice(),
                false => &mut self.data[self.read..],
            };
            if bytes.is_empty() {
                return None;
            }
            match self.decoder.step(bytes, offset) {
                Ok((found, used)) => {
                    match is_waiting {
                        true => self.backlog.take(used),
                        false => self.pass(used),
                    }
                    if let Some(found) = found {
                        return Some(self.event(found, is_waiting));
                    }
                }
                Err(rule) => return Some(Err(self.decoder.fail(rule))),
            }
        }
    }

    /// Takes the message that the last event told, if it had to be assembled; so it need not be copied again.
    pub fn take_assembled(&mut self) -> Option<Assembled> {
        if self.decoder.message.is_some() {
            return None;
        }
        let assembly = &mut self.decoder.assembly;
        if !assembly.text().is_empty() {
            Some(Assembled::Text(assembly.take_text()))
        } else if !assembly.bytes().is_empty() {
            Some(Assembled::Binary(assembly.take_bytes()))
        } else {
            None
        }
    }

    #[inline]
    fn pass(&mut self, count: usize) {
        self.read += count;
        self.backlog.pass_by(count);
    }

    /// The bytes of the last event are not needed any more.
    #[inline]
    fn forget_last(&mut self) {
        let decoder = &mut *self.decoder;
        if decoder.message.is_none() && !decoder.assembly.is_empty() {
            decoder.assembly.clear();
        }
        if decoder.state.get() == State::Head && !decoder.control.is_empty() {
            decoder.control.clear();
        }
    }

    /// Lends what was found. A bad text is found only now, so that it is looked at once.
    #[inline]
    fn event(&self, found: Found, is_waiting: bool) -> Result<Event<'_>, WebSocketError> {
        let read = |length: usize| match is_waiting {
            true => self.backlog.taken(length),
            false => &self.data[self.read - length..self.read],
        };
        let control = |lent| match lent {
            Lent::Read(length) => read(length),
            Lent::Assembled => &self.decoder.control[..],
        };
        Ok(match found {
            Found::Text(Lent::Read(length)) => {
                let text = simdutf8::basic::from_utf8(read(length));
                Event::Text(text.map_err(|_bad| self.decoder.fail(Rule::Utf8))?)
            }
            Found::Binary(Lent::Read(length)) => Event::Binary(read(length)),
            Found::Text(Lent::Assembled) => Event::Text(self.decoder.assembly.text()),
            Found::Binary(Lent::Assembled) => Event::Binary(self.decoder.assembly.bytes()),
            Found::Ping(lent) => Event::Ping(control(lent)),
            Found::Pong(lent) => Event::Pong(control(lent)),
            Found::Close(lent) => {
                self.decoder.state.set(State::Closed);
                let close = read_close(control(lent));
                Event::Close(close.map_err(|rule| self.decoder.fail(rule))?)
            }
        })
    }
}

impl Drop for Input<'_> {
    fn drop(&mut self) {
        self.forget_last();
        let decoder = &mut *self.decoder;
        if decoder.message.is_none() {
            decoder.assembly.release();
        }
        if decoder.control.is_empty() {
            decoder.control = Vec::new();
        }
        if decoder.is_closed() {
            self.backlog.set_failed(true);
            (decoder.assembly, decoder.control) = (Assembly::default(), Vec::new());
            (decoder.head_length, decoder.message, decoder.inflating) = (0, None, None);
        }
        self.backlog.settle(&self.data[self.read..]);
        decoder.backlog = std::mem::take(&mut self.backlog);
    }
}

fn read_close(payload: &[u8]) -> Result<Close<'_>, Rule> {
    let (code, reason) = match payload.split_first_chunk() {
        Some((code, reason)) => {
            let code = CloseCode::of(u16::from_be_bytes(*code)).ok_or(Rule::CloseCode)?;
            (Some(code), reason)
        }
        None if payload.is_empty() => (None, payload),
        None => return Err(Rule::CloseLength),
    };
    let reason = std::str::from_utf8(reason).map_err(|_bad| Rule::CloseReason)?;
    Ok(Close { code, reason })
}
