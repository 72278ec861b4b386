//! What the bytes of a stream of messages are, step by step.
//!
//! For: [`Decoder`](super::Decoder), which keeps, joins and lends the bytes. Not for: either; a machine is given the bytes
//! from where it stands and says how many of them it has used, and for what.
//!
//! ```text
//!   Start ──► Head ──┬─ Length(n) ──────────────────────────────────┬──► Ended ──┬──► Start
//!     ▲  (one empty  ├─ ChunkLine ⇄ ChunkData, ChunkEnd             │            ├──► Switched   until resume
//!     │   line)      │     └─ size 0 ──► Trailers ──────────────────┤            └──► Closed     for good
//!     │              ├─ (empty) ────────────────────────────────────┤
//!     └── interim ───┴─ UntilClose ──── end of the stream ──────────┘
//! ```

use super::chunk::ChunkLine;
use super::meaning::{BodyLength, Meaning};
use super::message::Message;
use super::rule::{Broken, Rule};
use super::section::Section;
use super::{Limits, Name};

#[derive(Clone, Debug)]
pub(super) struct Machine<M: Message> {
    state: State,
    /// The head has its first line.
    has_line: bool,
    pub(super) message: M,
    pub(super) limits: Limits,
    pub(super) section: Section,
    pub(super) meaning: Meaning,
    chunk_line: ChunkLine,
    /// What comes behind the message at hand.
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start { empty_line: bool },
    EmptyLine,
    Head,
    Length(u64),
    ChunkLine,
    ChunkData(u64),
    ChunkEnd { carriage_return: bool },
    Trailers,
    UntilClose,
    Ended,
    Switched,
    Closed,
}

/// What comes behind a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Next {
    /// A further message.
    #[default]
    Message,
    /// The same message's final head: this one was interim.
    FinalHead,
    /// Perhaps another protocol; if that is refused, a further message or nothing.
    Switch { is_persistent: bool },
    /// Nothing.
    Close,
}

impl Next {
    /// Whether a further message may follow in the end.
    pub(super) fn is_persistent(self) -> bool {
        match self {
            Self::Message | Self::FinalHead => true,
            Self::Switch { is_persistent } => is_persistent,
            Self::Close => false,
        }
    }
}

/// What the judgement of a whole head is.
pub struct Verdict {
    pub(super) body: BodyLength,
    pub(super) next: Next,
}

/// What the machine makes of the bytes where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It needs more bytes behind these, which stay.
    More,
    /// So many bytes are used, for nothing to be told.
    Used(usize),
    /// So many bytes are this.
    Found(Found, usize),
}

/// What is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Head,
    Body,
    Trailers,
    End,
}

const START: State = State::Start { empty_line: false };

impl<M: Message> Machine<M> {
    pub(super) fn new(message: M, limits: Limits) -> Self {
        Self {
            state: START,
            has_line: false,
            message,
            limits: limits.clamped(),
            section: Section::default(),
            meaning: Meaning::default(),
            chunk_line: ChunkLine::default(),
            next: Next::default(),
        }
    }

    /// What `bytes`, of which there may be none, are.
    #[inline]
    pub(super) fn step(&mut self, bytes: &[u8]) -> Result<Step, Broken> {
        match self.state {
            State::Start { empty_line } => self.start(bytes, empty_line),
            State::Head => self.head(bytes),
            State::Ended => {
                self.end();
                Ok(Step::Found(Found::End, 0))
            }
            state => self.body(state, bytes),
        }
    }

    /// What the end of the stream is, all bytes being used; `None` for nothing to be told.
    pub(super) fn eof(&mut self, unused: usize) -> Result<Option<Found>, Broken> {
        match self.state {
            State::UntilClose => {
                self.message.end();
                self.state = State::Closed;
                Ok(Some(Found::End))
            }
            State::Start { .. } if unused == 0 && !self.message.is_awaited() => Ok(None),
            State::Switched | State::Closed => Ok(None),
            _ => Err((Rule::Truncated, unused)),
        }
    }

    /// Goes on with messages where another protocol was asked for.
    pub(super) fn resume(&mut self) {
        if self.state == State::Switched {
            self.state = match self.next.is_persistent() {
                true => START,
                false => State::Closed,
            };
        }
    }

    /// Lets go of memory that is not needed any more.
    #[inline]
    pub(super) fn settle(&mut self) {
        if !matches!(self.state, State::Head | State::Trailers) {
            self.section.settle();
        }
    }

    pub(super) fn is_switched(&self) -> bool {
        self.state == State::Switched
    }

    pub(super) fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Start { .. })
    }

    #[inline]
    fn start(&mut self, bytes: &[u8], empty_line: bool) -> Result<Step, Broken> {
        let Some(&first) = bytes.first() else {
            return Ok(Step::More);
        };
        if first == b'\r' && M::MAY_FOLLOW_EMPTY_LINE {
            if empty_line {
                return Err((Rule::EmptyLines, 0));
            }
            self.state = State::EmptyLine;
            return Ok(Step::Used(1));
        }
        if M::REPEATS
            && let Some(end) = self.section.repeat_head(bytes)
        {
            return Ok(self.judged(end));
        }
        self.message.begin()?;
        self.state = State::Head;
        self.has_line = false;
        self.head(bytes)
    }

    fn head(&mut self, bytes: &[u8]) -> Result<Step, Broken> {
        let limit = self.limits.head_bytes;
        let visible = &bytes[..bytes.len().min(limit)];
        if !self.has_line {
            let Some(end) = self.line(bytes)? else {
                return Ok(Step::More);
            };
            self.has_line = true;
            if M::REPEATS
                && let Some(end) = self.section.repeat(visible, end)
            {
                return self.judge(&bytes[..end]);
            }
            self.section.begin(end);
            self.meaning = Meaning::default();
        }
        let meaning = &mut self.meaning;
        let end = self.section.read(
            visible,
            self.limits.fields,
            Rule::TooManyFields,
            |bytes, span, index| meaning.note(bytes, span, index),
        )?;
        match end {
            Some(end) => {
                if M::REPEATS {
                    self.section.remember(&bytes[..end]);
                }
                self.judge(&bytes[..end])
            }
            None if visible.len() == limit => Err((Rule::HeadTooLarge, limit)),
            None => Ok(Step::More),
        }
    }

    #[inline]
    fn line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let limit = self.limits.line_bytes;
        let visible = &bytes[..bytes.len().min(limit)];
        match self.message.read_line(visible)? {
            None if visible.len() == limit => Err((Rule::LineTooLong, limit)),
            end => Ok(end),
        }
    }

    fn judge(&mut self, head: &[u8]) -> Result<Step, Broken> {
        self.message.judge(head, &self.meaning)?;
        Ok(self.judged(head.len()))
    }

    /// The head is one, and `length` bytes long.
    #[inline]
    fn judged(&mut self, length: usize) -> Step {
        let verdict = self.message.verdict();
        self.next = verdict.next;
        self.state = match verdict.body {
            _ if verdict.next == Next::FinalHead => START,
            BodyLength::Empty | BodyLength::Known(0) => State::Ended,
            BodyLength::Known(length) => State::Length(length),
            BodyLength::Chunked => {
                self.chunk_line = ChunkLine::default();
                State::ChunkLine
            }
            BodyLength::UntilClose => State::UntilClose,
        };
        Step::Found(Found::Head, length)
    }

    /// Ends a message of which nothing more is to come; tells whether it is so.
    #[inline]
    pub(super) fn take_end(&mut self) -> bool {
        let has_ended = self.state == State::Ended;
        if has_ended {
            self.end();
        }
        has_ended
    }

    /// What is behind the head.
    fn body(&mut self, state: State, bytes: &[u8]) -> Result<Step, Broken> {
        if bytes.is_empty() {
            return Ok(Step::More);
        }
        match state {
            State::Length(left) => {
                let count = count(left, bytes);
                self.state = match left - count as u64 {
                    0 => State::Ended,
                    left => State::Length(left),
                };
                Ok(Step::Found(Found::Body, count))
            }
            State::ChunkLine => self.chunk_line(bytes),
            State::ChunkData(left) => {
                let count = count(left, bytes);
                self.state = match left - count as u64 {
                    0 => State::ChunkEnd {
                        carriage_return: false,
                    },
                    left => State::ChunkData(left),
                };
                Ok(Step::Found(Found::Body, count))
            }
            State::ChunkEnd { carriage_return } => self.chunk_end(bytes[0], carriage_return),
            State::Trailers => self.trailers(bytes),
            State::UntilClose => Ok(Step::Found(Found::Body, bytes.len())),
            State::EmptyLine if bytes[0] == b'\n' => {
                self.state = State::Start { empty_line: true };
                Ok(Step::Used(1))
            }
            State::EmptyLine => Err((Rule::BareCr, 0)),
            State::Closed => Ok(Step::Used(bytes.len())),
            State::Switched => Ok(Step::More),
            State::Start { .. } | State::Head | State::Ended => unreachable!("step has them"),
        }
    }

    fn chunk_line(&mut self, bytes: &[u8]) -> Result<Step, Broken> {
        let (used, size) = self.chunk_line.read(bytes)?;
        match size {
            None => {}
            Some(0) => {
                self.section.begin(0);
                self.state = State::Trailers;
            }
            Some(size) => self.state = State::ChunkData(size),
        }
        Ok(Step::Used(used))
    }

    fn chunk_end(&mut self, byte: u8, carriage_return: bool) -> Result<Step, Broken> {
        self.state = match (carriage_return, byte) {
            (false, b'\r') => State::ChunkEnd {
                carriage_return: true,
            },
            (true, b'\n') => State::ChunkLine,
            _ => return Err((Rule::ChunkEnd, 0)),
        };
        Ok(Step::Used(1))
    }

    fn trailers(&mut self, bytes: &[u8]) -> Result<Step, Broken> {
        let limit = self.limits.head_bytes;
        let visible = &bytes[..bytes.len().min(limit)];
        let end = self.section.read(
            visible,
            self.limits.fields,
            Rule::TrailersTooLarge,
            |_, span, _| match span.known.is_none_or(Name::may_trail) {
                true => Ok(()),
                false => Err(Rule::TrailerField),
            },
        )?;
        let Some(end) = end else {
            return match visible.len() == limit {
                true => Err((Rule::TrailersTooLarge, limit)),
                false => Ok(Step::More),
            };
        };
        self.state = State::Ended;
        Ok(match self.section.spans.is_empty() {
            true => Step::Used(end),
            false => Step::Found(Found::Trailers, end),
        })
    }

    fn end(&mut self) {
        self.message.end();
        self.state = match self.next {
            Next::Message | Next::FinalHead => START,
            Next::Switch { .. } => State::Switched,
            Next::Close => State::Closed,
        };
    }
}

/// How many of `bytes` belong to a piece with `left` bytes to come.
fn count(left: u64, bytes: &[u8]) -> usize {
    usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()))
}
