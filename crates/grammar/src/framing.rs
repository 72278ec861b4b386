//! The trait shared by the grammars that cut a stream into frames.
//!
//! For: adapters, laws and tools that work with any of them, and for framings of your own. Not
//! for: grammars whose events are more than a cut of the stream (HTTP, WebSocket).

use std::ops::Range;

use crate::{Backlog, Input};

/// A rule that cuts a stream of bytes into frames, and its inverse.
///
/// Users call [`receive`](Framing::receive) and [`send`](Framing::send). An implementation only
/// *measures*: [`Input`] keeps, joins and lends the bytes, so each framing gets split
/// independence, pausing and zero-copy delivery from it.
///
/// ```
/// use ropewalk_grammar::{Backlog, Frame, Framing, Pending};
///
/// /// Fixed records of four bytes.
/// #[derive(Default)]
/// struct Quads(Backlog);
///
/// impl Framing for Quads {
///     type Event<'a> = &'a [u8];
///     type Error = std::convert::Infallible;
///
///     fn send(&self, quad: &[u8], out: &mut Vec<u8>) -> Result<(), Self::Error> {
///         out.extend_from_slice(&quad[..4]);
///         Ok(())
///     }
///     fn backlog(&self) -> &Backlog {
///         &self.0
///     }
///     fn backlog_mut(&mut self) -> &mut Backlog {
///         &mut self.0
///     }
///     fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, Self::Error> {
///         Ok((pending.len() >= 4).then(|| Frame::new(4, 0..4)))
///     }
///     fn event<'a>(&self, body: &'a [u8]) -> &'a [u8] {
///         body
///     }
/// }
///
/// let mut quads = Quads::default();
/// assert!(quads.receive(b"abc").next_event().is_none());
/// assert_eq!(quads.receive(b"defgh").next_event(), Some(Ok(&b"abcd"[..])));
/// assert_eq!(quads.take_rest(), b"efgh");
/// ```
pub trait Framing: Sized {
    /// What the peer said, borrowed from the received bytes; also what [`send`](Framing::send)
    /// takes.
    type Event<'a>;

    /// The rule that was broken, by the peer (from [`Input::next_event`]) or by you (from
    /// [`send`](Framing::send)).
    type Error: std::error::Error;

    /// Takes the next bytes of the stream and lends a cursor that gives the events in them.
    ///
    /// Events may be pulled one at a time. What was not pulled when the cursor is dropped waits,
    /// and comes first at the next call; call `receive(&[])` to go on after a pause.
    fn receive<'a>(&'a mut self, data: &'a [u8]) -> Input<'a, Self> {
        Input::new(self, data)
    }

    /// Appends `event` to `out` as the peer must see it.
    ///
    /// # Errors
    ///
    /// When the event cannot be said in this grammar; `out` is then unchanged.
    fn send(&self, event: Self::Event<'_>, out: &mut Vec<u8>) -> Result<(), Self::Error>;

    /// How many received bytes wait: an unfinished frame, or everything since a pause.
    fn buffered(&self) -> usize {
        self.backlog().len()
    }

    /// Takes away all received bytes that no event has delivered, for the next protocol of a
    /// connection. The grammar goes on with the next byte that comes, unless it has failed.
    #[doc(alias = "clearLineBuffer")]
    fn take_rest(&mut self) -> Vec<u8> {
        self.receive(&[]).take_rest()
    }

    /// For implementors: the backlog that this framing holds.
    fn backlog(&self) -> &Backlog;

    /// For implementors: the backlog that this framing holds.
    fn backlog_mut(&mut self) -> &mut Backlog;

    /// For implementors: where the first frame of `pending` ends, or `None` while it is unfinished.
    ///
    /// To stay linear, remember how far an unfinished frame was searched, under its
    /// [`Pending::offset`]: equal offsets mean the same bytes.
    ///
    /// # Errors
    ///
    /// The rule that `pending` breaks. It must not depend on how the bytes were split. Nothing
    /// more is asked and all later bytes are dropped.
    fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, Self::Error>;

    /// For implementors: the event for the body of the frame just measured.
    fn event<'a>(&self, body: &'a [u8]) -> Self::Event<'a>;
}

/// A frame at the beginning of what is pending, as [`Framing::measure`] found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub(crate) length: usize,
    pub(crate) body: Range<usize>,
}

impl Frame {
    /// A frame of `length` bytes, of which those in `body` make the event.
    ///
    /// # Panics
    ///
    /// When the frame is empty (it would come again and again) or the body lies outside of it.
    pub fn new(length: usize, body: Range<usize>) -> Self {
        assert!(
            length > 0 && body.start <= body.end && body.end <= length,
            "Frame::new({length}, {body:?}): give a frame of at least one byte with its body inside",
        );
        Self { length, body }
    }
}

/// The received bytes not yet delivered, in two pieces: what waited, and what has just come.
#[derive(Clone, Copy, Debug)]
pub struct Pending<'a> {
    pub(crate) waiting: &'a [u8],
    pub(crate) fresh: &'a [u8],
    pub(crate) offset: u64,
}

impl<'a> Pending<'a> {
    /// Position in the stream of the first pending byte, counted from 0.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes are pending.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.fresh.len()
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The byte at `index`, if it has come.
    pub fn get(&self, index: usize) -> Option<u8> {
        match index.checked_sub(self.waiting.len()) {
            None => self.waiting.get(index).copied(),
            Some(index) => self.fresh.get(index).copied(),
        }
    }

    /// The bytes from `index` on, in order; either piece may be empty.
    ///
    /// # Panics
    ///
    /// When `index` is beyond [`len`](Pending::len).
    pub fn pieces_from(&self, index: usize) -> [&'a [u8]; 2] {
        match index.checked_sub(self.waiting.len()) {
            None => [&self.waiting[index..], self.fresh],
            Some(index) => [&[], &self.fresh[index..]],
        }
    }
}
