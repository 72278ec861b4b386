//! The cursor over one `receive`: events out, one at a time, lent from where their bytes lie.

use super::close::{Close, CloseCode};
use super::decoder::{Decoder, Found, Lent, State};
use super::{Rule, WebSocketError};

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
    decoder: &'a mut Decoder,
    data: &'a mut [u8],
    read: usize,
    /// The last event lies in what the decoder owns.
    is_own: bool,
}

/// A message that was assembled from pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assembled {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl<'a> Input<'a> {
    #[inline]
    pub(super) fn new(decoder: &'a mut Decoder, data: &'a mut [u8]) -> Self {
        Self {
            decoder,
            data,
            read: 0,
            is_own: false,
        }
    }

    /// Whether every byte was read, so that no event can be here. One may still be lent.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.read == self.data.len() && self.decoder.backlog.is_empty()
    }

    /// The next event, or `None` when no whole one is here.
    ///
    /// # Errors
    ///
    /// The rule that the peer broke. Nothing follows it.
    #[inline]
    pub fn next_event(&mut self) -> Option<Result<Event<'_>, WebSocketError>> {
        self.forget_last();
        loop {
            if !self.decoder.backlog.is_empty() {
                match self.step_in_backlog() {
                    Ok(Some(found)) => return Some(self.event(found, true)),
                    Ok(None) => continue,
                    Err(rule) => return Some(Err(self.decoder.fail(rule))),
                }
            }
            if self.read == self.data.len() {
                return None;
            }
            let offset = self.decoder.backlog.offset();
            match self.decoder.step(&mut self.data[self.read..], offset) {
                Ok((found, used)) => {
                    self.read += used;
                    self.decoder.backlog.pass_by(used);
                    if let Some(found) = found {
                        return Some(self.event(found, false));
                    }
                }
                Err(rule) => return Some(Err(self.decoder.fail(rule))),
            }
        }
    }

    /// Reads on in what was received before.
    #[cold]
    fn step_in_backlog(&mut self) -> Result<Option<Found>, Rule> {
        let mut backlog = std::mem::take(&mut self.decoder.backlog);
        let offset = backlog.offset();
        let step = self.decoder.step(backlog.as_mut_slice(), offset);
        if let Ok((_, used)) = step {
            backlog.take(used);
        }
        self.decoder.backlog = backlog;
        step.map(|(found, _)| found)
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

    /// The bytes of the last event are not needed any more.
    #[inline]
    fn forget_last(&mut self) {
        if std::mem::take(&mut self.is_own) {
            self.decoder.forget_last();
        }
    }

    /// Lends what was found. A bad text is found only now, so that it is looked at once.
    #[inline]
    fn event(&mut self, found: Found, is_waiting: bool) -> Result<Event<'_>, WebSocketError> {
        self.is_own = found.is_own();
        let read = |length: usize| match is_waiting {
            true => self.decoder.backlog.taken(length),
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
    #[inline]
    fn drop(&mut self) {
        self.forget_last();
        self.decoder.settle(&self.data[self.read..]);
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
