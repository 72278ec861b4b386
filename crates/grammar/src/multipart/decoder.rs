//! Cutting a body into parts, wherever its bytes are split.
//!
//! ```text
//!   Preamble ──► Boundary ──CRLF──► head ──► Content ──► Boundary …
//!                   └──────── -- ──► Ended
//! ```
//!
//! A delimiter is CRLF, two dashes and the boundary. The CRLF that ends a head may be its beginning, and so may an imagined one
//! before the first byte: the search begins with two bytes matched. Only what may yet become a delimiter is kept.

use std::borrow::Cow;

use super::part_head::Spans;
use super::{Boundary, Limits, MultipartError, PartHead, Rule};
use crate::delimiter::Search;
use crate::{Backlog, Delimiter, Frame, Framing, Pending, cost};

/// Reads a multipart body, fed by any split of it.
///
/// Guaranteed: any split gives the same events, neighbours of [`MultipartEvent::Data`] joined, and the same error; content is lent from
/// the received bytes; at most a head or a delimiter is kept, unless you stop pulling.
///
/// Call [`finish`](Self::finish) at the end of the body.
#[derive(Clone, Debug)]
pub struct MultipartDecoder {
    boundary: Boundary,
    empty_line: Delimiter,
    limits: Limits,
    is_form: bool,
    backlog: Backlog,
    state: State,
    search: Searched,
    parts: usize,
    /// How much more content the part at hand may have.
    part_bytes_left: u64,
    told: Told,
    broken: Option<MultipartError>,
}

/// What is in a body: parts, each with its content in pieces and an end; then the end of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MultipartEvent<'a> {
    /// A part begins.
    Part(PartHead<'a>),
    /// The next bytes of its content, never none. Where they are cut means nothing.
    Data(&'a [u8]),
    /// The part is whole.
    PartEnd,
    /// The last part is whole.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    /// So many bytes before the ones that say what follows a boundary.
    Boundary {
        skip: usize,
    },
    Content,
    Ended,
}

/// How far the stream was searched for the delimiter at hand. Places are counted from the beginning of the body.
#[derive(Clone, Copy, Debug)]
struct Searched {
    to: u64,
    carried: usize,
    /// Where the delimiter ends.
    found: Option<u64>,
}

/// What the frame just measured is.
#[derive(Clone, Copy, Debug)]
enum Told {
    Part(Spans),
    Data,
    PartEnd,
    End,
}

/// CRLF is matched, really or as if.
const AFTER_CRLF: usize = 2;

type Measured = Result<Option<Frame>, MultipartError>;

impl MultipartDecoder {
    /// For a form: each part has a name (RFC 7578).
    pub fn form(boundary: Boundary) -> Self {
        Self {
            boundary,
            empty_line: Delimiter::new(b"\r\n\r\n").expect("it is not empty"),
            limits: Limits::default().clamped(),
            is_form: true,
            backlog: Backlog::default(),
            state: State::Preamble,
            search: Searched::from(0, AFTER_CRLF),
            parts: 0,
            part_bytes_left: 0,
            told: Told::End,
            broken: None,
        }
    }

    /// For other multipart types, as `multipart/byteranges`: parts need no name.
    pub fn mixed(boundary: Boundary) -> Self {
        Self {
            is_form: false,
            ..Self::form(boundary)
        }
    }

    /// The same, with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits.clamped();
        self
    }

    /// The body is over.
    ///
    /// # Errors
    ///
    /// [`Rule::Truncated`] when its last boundary has not come, or was not pulled; [`Rule::Epilogue`] when half a line end is behind it;
    /// the rule that was broken, if one was.
    pub fn finish(&self) -> Result<(), MultipartError> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let rule = match (self.state, self.backlog.as_slice()) {
            (State::Ended, b"" | b"\r\n") => return Ok(()),
            (State::Ended, _) => Rule::Epilogue,
            _ => Rule::Truncated,
        };
        let offset = self.backlog.offset() + self.backlog.len() as u64;
        Err(MultipartError { rule, offset })
    }
}

impl Searched {
    fn from(to: u64, carried: usize) -> Self {
        let found = None;
        Self { to, carried, found }
    }

    /// Searches what has come.
    fn advance(&mut self, delimiter: &Delimiter, pending: &Pending<'_>) {
        if self.found.is_some() {
            return;
        }
        for piece in pending.pieces_from((self.to - pending.offset()) as usize) {
            match delimiter.search(self.carried, piece) {
                Search::Found { end } => {
                    self.to += end as u64;
                    self.found = Some(self.to);
                    return;
                }
                Search::Missing { carried } => {
                    self.to += piece.len() as u64;
                    self.carried = carried;
                }
            }
        }
    }

    /// How many of the pending bytes are surely no part of a delimiter.
    fn content(&self, delimiter: &Delimiter, pending: &Pending<'_>) -> usize {
        let matched = match self.found {
            Some(_) => delimiter.as_bytes().len(),
            None => self.carried,
        };
        let end = self.to.saturating_sub(matched as u64);
        end.saturating_sub(pending.offset()) as usize
    }
}

impl Framing for MultipartDecoder {
    type Event<'a> = MultipartEvent<'a>;
    type Error = MultipartError;

    /// Says `event` as it was received; [`MultipartEncoder`](super::MultipartEncoder) makes new parts.
    fn send(&self, event: MultipartEvent<'_>, out: &mut Vec<u8>) -> Result<(), MultipartError> {
        let dashed = &self.boundary.delimiter.as_bytes()[AFTER_CRLF..];
        match event {
            MultipartEvent::Part(head) => {
                out.extend([dashed, b"\r\n", head.as_bytes(), b"\r\n"].concat());
            }
            MultipartEvent::Data(data) => out.extend_from_slice(data),
            MultipartEvent::PartEnd => out.extend_from_slice(b"\r\n"),
            MultipartEvent::End => out.extend([dashed, b"--\r\n"].concat()),
        }
        Ok(())
    }

    fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    fn backlog_mut(&mut self) -> &mut Backlog {
        &mut self.backlog
    }

    fn measure(&mut self, pending: Pending<'_>) -> Measured {
        let left = self.limits.total_bytes.saturating_sub(pending.offset());
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let visible = pending.first(left);
        let measured = match self.step(visible) {
            Ok(None) if visible.len() < pending.len() => fail(Rule::TotalTooLarge, visible, left),
            measured => measured,
        };
        self.broken = measured.as_ref().err().copied();
        measured
    }

    fn event<'a>(&self, body: &'a [u8]) -> MultipartEvent<'a> {
        match self.told {
            Told::Part(spans) => MultipartEvent::Part(PartHead::new(body, spans)),
            Told::Data => MultipartEvent::Data(body),
            Told::PartEnd => MultipartEvent::PartEnd,
            Told::End => MultipartEvent::End,
        }
    }
}

impl MultipartDecoder {
    fn step(&mut self, pending: Pending<'_>) -> Measured {
        match self.state {
            State::Preamble => self.preamble(pending),
            State::Boundary { skip } => self.behind_boundary(pending, skip),
            State::Content => self.content(pending),
            State::Ended => epilogue(pending),
        }
    }

    fn preamble(&mut self, pending: Pending<'_>) -> Measured {
        let delimiter = &self.boundary.delimiter;
        // What does not begin like a boundary is refused before anybody searches it.
        if let Some(at) = misfit(delimiter.as_bytes(), pending) {
            return fail(Rule::Preamble, pending, at);
        }
        self.search.advance(delimiter, &pending);
        match self.search.found {
            None => Ok(None),
            Some(end) => {
                let skip = (end - pending.offset()) as usize;
                self.begin_boundary(skip, end);
                self.behind_boundary(pending, skip)
            }
        }
    }

    /// `end` is where the boundary ends.
    fn begin_boundary(&mut self, skip: usize, end: u64) {
        self.state = State::Boundary { skip };
        self.search = Searched::from(end, 0);
    }

    fn behind_boundary(&mut self, pending: Pending<'_>, skip: usize) -> Measured {
        match (pending.get(skip), pending.get(skip + 1)) {
            (Some(b'-'), Some(b'-')) => {
                self.state = State::Ended;
                self.told = Told::End;
                Ok(Some(Frame::new(skip + 2, 0..0)))
            }
            (Some(b'\r'), Some(b'\n')) => self.head(pending, skip),
            (None, _) | (Some(b'-' | b'\r'), None) => Ok(None),
            (Some(b'-' | b'\r'), _) => fail(Rule::AfterBoundary, pending, skip + 1),
            _ => fail(Rule::AfterBoundary, pending, skip),
        }
    }

    fn head(&mut self, pending: Pending<'_>, skip: usize) -> Measured {
        let start = skip + AFTER_CRLF;
        if self.parts == self.limits.parts {
            return fail(Rule::TooManyParts, pending, start);
        }
        let most = start + self.limits.head_bytes;
        let visible = pending.first(most);
        self.search.advance(&self.empty_line, &visible);
        let Some(end) = self.search.found else {
            return match visible.len() == most {
                true => fail(Rule::HeadTooLarge, pending, most),
                false => Ok(None),
            };
        };
        let length = (end - pending.offset()) as usize;
        let head = start..length - 2;
        let spans = Spans::read(
            &pending.joined(head.start, head.end),
            &self.limits,
            self.is_form,
        );
        match spans {
            Err((rule, at)) => fail(rule, pending, start + at),
            Ok(spans) => {
                self.parts += 1;
                self.part_bytes_left = self.limits.part_bytes;
                self.state = State::Content;
                self.search = Searched::from(end, AFTER_CRLF);
                self.told = Told::Part(spans);
                Ok(Some(Frame::new(length, head)))
            }
        }
    }

    fn content(&mut self, pending: Pending<'_>) -> Measured {
        let delimiter = &self.boundary.delimiter;
        self.search.advance(delimiter, &pending);
        let content = self.search.content(delimiter, &pending);
        if content > 0 {
            return self.data(pending, content);
        }
        let Some(end) = self.search.found else {
            return Ok(None);
        };
        let length = (end - pending.offset()) as usize;
        self.begin_boundary(0, end);
        self.told = Told::PartEnd;
        Ok(Some(Frame::new(length, 0..0)))
    }

    fn data(&mut self, pending: Pending<'_>, content: usize) -> Measured {
        if self.part_bytes_left == 0 {
            return fail(Rule::PartTooLarge, pending, 0);
        }
        // What waited goes first and alone, so that what has just come is lent and not joined to it.
        let here = match pending.waiting.len() {
            0 => content,
            waiting => content.min(waiting),
        };
        let left = usize::try_from(self.part_bytes_left).unwrap_or(usize::MAX);
        let length = here.min(left);
        self.part_bytes_left -= length as u64;
        self.told = Told::Data;
        Ok(Some(Frame::new(length, 0..length)))
    }
}

impl<'a> Pending<'a> {
    /// At most the first `length` bytes.
    fn first(self, length: usize) -> Self {
        let waiting = &self.waiting[..self.waiting.len().min(length)];
        let fresh = &self.fresh[..self.fresh.len().min(length - waiting.len())];
        Self {
            waiting,
            fresh,
            offset: self.offset,
        }
    }

    /// The bytes from `start` to `end` in one piece.
    fn joined(&self, start: usize, end: usize) -> Cow<'a, [u8]> {
        let [first, second] = self.pieces_from(start);
        match (end - start).checked_sub(first.len()) {
            None | Some(0) => Cow::Borrowed(&first[..end - start]),
            Some(more) if first.is_empty() => Cow::Borrowed(&second[..more]),
            Some(more) => {
                cost::spend(end - start);
                Cow::Owned([first, &second[..more]].concat())
            }
        }
    }
}

fn fail(rule: Rule, pending: Pending<'_>, at: usize) -> Measured {
    let offset = pending.offset() + at as u64;
    Err(MultipartError { rule, offset })
}

/// The first byte that is neither of the delimiter nor of the delimiter without its CRLF.
fn misfit(delimiter: &[u8], pending: Pending<'_>) -> Option<usize> {
    let expected = match pending.get(0)? {
        b'\r' => delimiter,
        _ => &delimiter[AFTER_CRLF..],
    };
    (0..expected.len()).find(|&at| pending.get(at).is_some_and(|byte| byte != expected[at]))
}

fn epilogue(pending: Pending<'_>) -> Measured {
    let is_right = |at: usize| b"\r\n".get(at).copied() == pending.get(at);
    match (0..pending.len().min(3)).find(|&at| !is_right(at)) {
        Some(at) => fail(Rule::Epilogue, pending, at),
        None => Ok(None),
    }
}
