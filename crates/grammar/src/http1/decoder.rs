//! The decoder: keeps and joins bytes where a head is cut, and lends them where it is not.

use super::field::Fields;
use super::machine::{Found, Machine, Step};
use super::message::Message;
use super::rule::Http1Error;
use super::{Limits, Request, Response};
use crate::Backlog;

/// Reads requests: the ear of a server.
pub type RequestDecoder = Decoder<Request>;

/// Reads responses: the ear of a client.
pub type ResponseDecoder = Decoder<Response>;

/// Reads messages, fed by any split of the stream.
///
/// Guaranteed:
///
/// - any split gives the same events and the same error, neighbours of [`Event::Body`] joined;
/// - a head that lies whole in the received bytes is lent from there: no copy, and no allocation but one of a list of
///   places that the decoder keeps (320 bytes, for heads of up to 32 fields);
/// - a body is never copied, and never kept unless you stop pulling;
/// - the first broken rule ends the stream: one error, then nothing.
///
/// What was not pulled when an [`Input`] is dropped waits, without limit: stop reading from the peer while
/// [`buffered`](Self::buffered) is more than you want to hold (R130).
#[derive(Clone, Debug)]
pub struct Decoder<M: Message> {
    pub(super) machine: Machine<M>,
    backlog: Backlog,
    ended: bool,
}

/// The events in the bytes of one [`receive`](Decoder::receive), to be pulled until there is none.
#[derive(Debug)]
pub struct Input<'a, M: Message> {
    decoder: &'a mut Decoder<M>,
    data: &'a [u8],
    /// How much of `data` is told or has joined the backlog.
    read: usize,
}

/// What came: a head, then its body in pieces, perhaps trailers, and the end.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a, M: Message> {
    /// A message begins. An interim response is no more than this: no [`Event::End`] follows it.
    Head(M::Head<'a>),
    /// The next bytes of its body, never none. Where they are cut means nothing.
    Body(&'a [u8]),
    /// The fields behind a chunked body, if there are any. Do not merge them with those of the head.
    Trailers(Fields<'a>),
    /// The message is whole.
    End,
}

/// How many bytes join the backlog at once, while a head that was cut is not whole.
const PIECE_BYTES: usize = 1024;

impl<M: Message> Decoder<M> {
    pub(super) fn with_message(message: M, limits: Limits) -> Self {
        Self {
            machine: Machine::new(message, limits),
            backlog: Backlog::default(),
            ended: false,
        }
    }

    /// The same, with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.machine.limits = limits.clamped();
        self
    }

    /// Takes the next bytes of the stream and lends a cursor that gives the events in them.
    ///
    /// Call `receive(&[])` to go on after a pause.
    pub fn receive<'a>(&'a mut self, data: &'a [u8]) -> Input<'a, M> {
        Input {
            decoder: self,
            data,
            read: 0,
        }
    }

    /// The peer sends no more. What waits is given, then the end of a body that ends with the stream, or an error if
    /// the stream ends within a message.
    pub fn receive_eof(&mut self) -> Input<'_, M> {
        self.ended = true;
        self.receive(&[])
    }

    /// How many received bytes wait: an unfinished head, or everything since you stopped pulling.
    pub fn buffered(&self) -> usize {
        self.backlog.len()
    }

    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.backlog.capacity()
    }

    /// Whether no byte of a message has come since the last one ended; then silence is idleness, not slowness.
    pub fn is_idle(&self) -> bool {
        self.machine.is_between_messages() && self.backlog.is_empty()
    }

    /// Whether another protocol was asked for (or agreed to, for a client): nothing more is read from the stream, until
    /// [`resume`](Self::resume), or for good once [`take_rest`](Self::take_rest) has handed the bytes over.
    pub fn is_switched(&self) -> bool {
        self.machine.is_switched()
    }

    /// Goes on reading messages where another protocol was asked for and refused (H1-14). Otherwise it does nothing.
    pub fn resume(&mut self) {
        self.machine.resume();
    }

    /// Takes away all received bytes that no event has told, for the next protocol of the connection (D7).
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.backlog.take_all()
    }
}

impl<'a, M: Message> Input<'a, M> {
    /// The next event, or `None` when no whole one is here.
    ///
    /// # Errors
    ///
    /// The rule that the peer broke. Nothing follows it.
    #[inline]
    pub fn next_event(&mut self) -> Option<Result<Event<'_, M>, Http1Error>> {
        match self.advance() {
            Ok(Some((found, lent))) => Some(Ok(self.event(found, &lent))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }
    }

    /// Takes away everything received and not told, for the next protocol of the connection.
    pub fn take_rest(mut self) -> Vec<u8> {
        let mut rest = self.decoder.backlog.take_all();
        rest.extend_from_slice(&self.data[self.read..]);
        self.pass(self.data.len() - self.read);
        rest
    }

    /// Takes the end of the message if nothing more of it is to come, so that no [`Event::End`] follows; tells whether it is so.
    #[inline]
    pub fn take_end(&mut self) -> bool {
        self.decoder.machine.take_end()
    }

    /// The decoder, between two events: to [`resume`](Decoder::resume) it, or say what comes
    /// ([`ResponseDecoder::expect`]).
    pub fn decoder(&mut self) -> &mut Decoder<M> {
        self.decoder
    }

    fn advance(&mut self) -> Result<Option<(Found, Lent)>, Http1Error> {
        if self.decoder.backlog.has_failed() {
            return Ok(None);
        }
        let mut joined = 0;
        loop {
            let decoder = &mut *self.decoder;
            let bytes = match decoder.backlog.is_empty() {
                true => &self.data[self.read..],
                false => decoder.backlog.as_slice(),
            };
            match decoder.machine.step(bytes) {
                Ok(Step::Found(found, length)) => {
                    let lent = self.take(length);
                    self.give_back(joined);
                    return Ok(Some((found, lent)));
                }
                Ok(Step::Used(length)) => drop(self.take(length)),
                Ok(Step::More) => match self.join() {
                    0 => return self.stop(),
                    length => joined += length,
                },
                Err((rule, at)) => return Err(self.fail(rule, at)),
            }
        }
    }

    /// Moves past `length` bytes.
    #[inline]
    fn take(&mut self, length: usize) -> Lent {
        if self.decoder.backlog.is_empty() {
            self.pass(length);
            Lent::Data(self.read - length)
        } else {
            self.decoder.backlog.take(length);
            Lent::Backlog(length)
        }
    }

    #[inline]
    fn pass(&mut self, length: usize) {
        self.read += length;
        self.decoder.backlog.pass_by(length);
    }

    /// Moves bytes behind those that wait for them; none if nothing waits or nothing is there.
    fn join(&mut self) -> usize {
        let rest = &self.data[self.read..];
        let length = rest.len().min(PIECE_BYTES);
        if self.decoder.backlog.is_empty() || self.decoder.machine.is_switched() {
            return 0;
        }
        self.decoder.backlog.push(&rest[..length]);
        self.read += length;
        length
    }

    /// Lets what joined the backlog and was not needed be read where it came.
    #[inline]
    fn give_back(&mut self, joined: usize) {
        let surplus = joined.min(self.decoder.backlog.len());
        if surplus > 0 {
            self.decoder.backlog.unpush(surplus);
            self.read -= surplus;
        }
    }

    /// No event is in what is here.
    fn stop(&mut self) -> Result<Option<(Found, Lent)>, Http1Error> {
        if !self.decoder.ended {
            return Ok(None);
        }
        let unused = self.decoder.backlog.len() + self.data.len() - self.read;
        match self.decoder.machine.eof(unused) {
            Ok(found) => Ok(found.map(|found| (found, Lent::Data(self.read)))),
            Err((rule, at)) => Err(self.fail(rule, at)),
        }
    }

    #[cold]
    fn fail(&mut self, rule: super::Rule, at: usize) -> Http1Error {
        let offset = self.decoder.backlog.offset() + at as u64;
        self.decoder.backlog.set_failed(true);
        Http1Error { rule, offset }
    }

    #[inline]
    fn event(&self, found: Found, lent: &Lent) -> Event<'_, M> {
        let decoder = &*self.decoder;
        let bytes = match *lent {
            Lent::Data(start) => &self.data[start..self.read],
            Lent::Backlog(length) => decoder.backlog.taken(length),
        };
        let machine = &decoder.machine;
        match found {
            Found::Head => {
                let fields = machine.section.fields(bytes);
                Event::Head(machine.message.head(fields, &machine.meaning))
            }
            Found::Body => Event::Body(bytes),
            Found::Trailers => Event::Trailers(machine.section.fields(bytes)),
            Found::End => Event::End,
        }
    }
}

/// Where the bytes of an event lie: from there to where reading stands, or the last so many taken from the backlog.
#[derive(Debug)]
enum Lent {
    Data(usize),
    Backlog(usize),
}

impl<M: Message> Drop for Input<'_, M> {
    fn drop(&mut self) {
        self.decoder.backlog.settle(&self.data[self.read..]);
        self.decoder.machine.settle();
    }
}
