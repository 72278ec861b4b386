//! The cursor over one `receive`: events out, one at a time.
//!
//! For: every [`Framing`]. Not for: knowing any rule; it keeps, joins and lends bytes.
//!
//! ```text
//!   Backlog (waited)      data (just received)
//!   ├ unfinished ┼────────────────┬───────────────┬────────┤
//!   │   joined in the backlog     │ lent in place │  kept  │
//!   └──── first event ────────────┴─ next events ─┴────────┘
//! ```

use std::ops::Range;

use crate::{Backlog, Frame, Framing, Pending};

/// The events in the bytes of one [`receive`](Framing::receive), to be pulled until there is none.
///
/// Dropping it keeps what was not pulled (a pause); [`discard`](Input::discard) throws it away (the
/// connection is to be lost). After an error all is thrown away, and so is what comes later.
///
/// ```
/// use ropewalk_grammar::{Framing, LineEvent, LineGrammar};
///
/// let mut grammar = LineGrammar::new();
/// let mut input = grammar.receive(b"pause\r\nlater\r\n");
/// assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"pause"))));
/// drop(input); // paused: the rest waits
/// let mut input = grammar.receive(&[]); // resumed
/// assert_eq!(input.next_event(), Some(Ok(LineEvent::Line(b"later"))));
/// assert_eq!(input.next_event(), None);
/// ```
#[derive(Debug)]
pub struct Input<'a, G: Framing> {
    grammar: &'a mut G,
    /// Taken from the grammar for as long as this cursor lives.
    backlog: Backlog,
    data: &'a [u8],
    /// How much of `data` is delivered or has joined the backlog.
    read: usize,
    last: Last,
}

/// An event, and how many received bytes wait behind it.
pub type Counted<'a, G> = (<G as Framing>::Event<'a>, usize);

/// Where the bytes of the last event lie, for handing some of them back.
#[derive(Clone, Debug)]
enum Last {
    None,
    Backlog(usize),
    Data(Range<usize>),
}

impl<'a, G: Framing> Input<'a, G> {
    pub(crate) fn new(grammar: &'a mut G, data: &'a [u8]) -> Self {
        let backlog = std::mem::take(grammar.backlog_mut());
        Self {
            grammar,
            backlog,
            data,
            read: 0,
            last: Last::None,
        }
    }

    /// The next event, or `None` when the pending bytes hold no whole one.
    ///
    /// Guaranteed: the sequence of events is the same for any split of the stream, any pausing,
    /// and after an error there is none.
    ///
    /// # Errors
    ///
    /// The rule that the peer broke. [`rest`](Input::rest) then begins with the frame that broke
    /// it.
    #[inline]
    pub fn next_event(&mut self) -> Option<Result<G::Event<'_>, G::Error>> {
        let next = self.next_with_unread()?;
        Some(next.map(|(event, _)| event))
    }

    /// [`next_event`](Self::next_event), with how many received bytes wait behind the event.
    ///
    /// For protocols that change what the bytes mean, as STARTTLS does: what came in clear behind the
    /// command must not be taken for something that came under protection.
    ///
    /// ```
    /// use ropewalk_grammar::{Framing, LineEvent, LineGrammar};
    ///
    /// let mut grammar = LineGrammar::new();
    /// let mut input = grammar.receive(b"STARTTLS\r\nRCPT TO:");
    /// let (line, unread) = input.next_with_unread().unwrap()?;
    /// assert_eq!((line, unread), (LineEvent::Line(b"STARTTLS"), b"RCPT TO:".len()));
    /// # Ok::<(), ropewalk_grammar::LineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`next_event`](Self::next_event).
    #[inline]
    pub fn next_with_unread(&mut self) -> Option<Result<Counted<'_, G>, G::Error>> {
        self.last = Last::None;
        if self.backlog.has_failed() {
            return None;
        }
        let pending = Pending {
            waiting: self.backlog.as_slice(),
            fresh: &self.data[self.read..],
            offset: self.backlog.offset(),
        };
        match self.grammar.measure(pending) {
            Ok(None) => None,
            Ok(Some(frame)) => {
                self.take(&frame);
                let unread = self.backlog.len() + self.data.len() - self.read;
                let body = &self.last_bytes()[frame.body];
                Some(Ok((self.grammar.event(body), unread)))
            }
            Err(error) => {
                self.backlog.set_failed(true);
                Some(Err(error))
            }
        }
    }

    /// Everything received and not delivered, in one piece; it stays pending.
    ///
    /// After an error it begins with the frame that broke the rule (R118). It may copy the unread
    /// part of `data`, once.
    pub fn rest(&mut self) -> &[u8] {
        if self.backlog.is_empty() {
            return &self.data[self.read..];
        }
        self.backlog.push(&self.data[self.read..]);
        self.read = self.data.len();
        self.backlog.as_slice()
    }

    /// Takes away everything received and not delivered, for the next protocol of a connection.
    ///
    /// The grammar goes on with the next byte that comes, unless it has failed.
    pub fn take_rest(mut self) -> Vec<u8> {
        let mut rest = self.backlog.take_all();
        rest.extend_from_slice(&self.data[self.read..]);
        self.skip_data();
        rest
    }

    /// Throws away everything received and not delivered (R119).
    pub fn discard(mut self) {
        self.backlog.take_all();
        self.skip_data();
    }

    fn skip_data(&mut self) {
        self.backlog.pass_by(self.data.len() - self.read);
        self.read = self.data.len();
    }

    /// Moves past `frame` and remembers where it lies.
    fn take(&mut self, frame: &Frame) {
        let length = frame.length;
        let waiting = self.backlog.len();
        assert!(
            length <= waiting + self.data.len() - self.read,
            "Framing::measure gave a frame of {length} bytes: it may measure only what is pending",
        );
        if waiting == 0 {
            self.last = Last::Data(self.read..self.read + length);
            self.backlog.pass_by(length);
            self.read += length;
        } else {
            let missing = length.saturating_sub(waiting);
            self.backlog
                .push(&self.data[self.read..self.read + missing]);
            self.read += missing;
            self.backlog.take(length);
            self.last = Last::Backlog(length);
        }
    }

    fn last_bytes(&self) -> &[u8] {
        match &self.last {
            Last::None => &[],
            Last::Backlog(length) => self.backlog.taken(*length),
            Last::Data(range) => &self.data[range.clone()],
        }
    }

    /// The grammar, between two events. Its own backlog is empty while the cursor lives.
    pub(crate) fn grammar_mut(&mut self) -> &mut G {
        self.grammar
    }

    /// How many bytes of the last event can still be handed back.
    pub(crate) fn last_length(&self) -> usize {
        self.last_bytes().len()
    }

    /// Makes the last `length` bytes of the last event pending again, and the event final.
    ///
    /// `length` is at most [`last_length`](Self::last_length).
    pub(crate) fn put_back(&mut self, length: usize) {
        match std::mem::replace(&mut self.last, Last::None) {
            Last::None => {}
            Last::Backlog(_) => self.backlog.put_back(length),
            Last::Data(_) => {
                self.read -= length;
                self.backlog.pass_back(length);
            }
        }
    }

    /// Goes on after an error with the bytes that caused it.
    pub(crate) fn revive(&mut self) {
        self.backlog.set_failed(false);
    }
}

impl<G: Framing> Drop for Input<'_, G> {
    fn drop(&mut self) {
        self.backlog.settle(&self.data[self.read..]);
        *self.grammar.backlog_mut() = std::mem::take(&mut self.backlog);
    }
}
