//! Reading a section of fields, of a head or of trailers, wherever its bytes are cut.
//!
//! For: the decoder. Not for: what a field means; each is handed to a judge as soon as its line is whole.
//!
//! ```text
//!   Name ──':'──► Blank ──► Value ──CR──► LineFeed ──LF──► Name …
//!    └──────CR at the beginning of a line──► LastLineFeed ──LF──► done
//! ```
//!
//! One pass, resumed at the very byte: a step remembers how far it has looked, so no byte is looked at twice and there
//! is one parser, not a fast one and a slow one that could disagree. The steps stand in order in one function; where
//! all bytes are there, control falls through from one to the next.
//!
//! A client says of itself the same with each request of a connection, and many ask for the same again. So what is, byte for byte, as it
//! was the time before is not read: all that was found out then holds.

use super::field::{Fields, Span};
use super::rule::{Broken, Rule};
use super::{Name, scan};
use crate::cost;

/// What has been read of a section.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    line: Line,
    pub(super) spans: Vec<Span>,
    /// Where this section begins, or the one before.
    start: usize,
    /// The bytes of the head before, if they may come again: it was whole, and `spans` are its.
    last: Vec<u8>,
    /// Where its section began in it.
    last_start: usize,
    /// Whether no other first line was read since.
    is_last_line: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    step: Step,
    /// How far the bytes have been looked at.
    at: usize,
    start: usize,
    name_end: usize,
    value: usize,
    value_end: usize,
    known: Option<Name>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Name,
    Blank,
    Value,
    LineFeed,
    LastLineFeed,
}

/// What there is at the end of a line.
enum Told {
    Unfinished,
    Field,
    End,
}

/// How long a head may be to be remembered: memory of each connection that is idle. Browsers send about as much.
const REMEMBERED_BYTES: usize = 512;

/// How many fields are remembered without letting go of memory between messages: 320 bytes of a connection.
const KEPT_FIELDS: usize = 32;

impl Section {
    /// Begins a section at byte `at`.
    pub(super) fn begin(&mut self, at: usize) {
        self.spans.clear();
        self.last.clear();
        (self.start, self.last_start) = (at, 0);
        self.is_last_line = false;
        self.line = Line {
            at,
            start: at,
            ..Line::default()
        };
    }

    /// Where the head ends, if `bytes` begin with the one that was remembered.
    #[inline]
    pub(super) fn repeat_head(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.is_last_line || !bytes.starts_with(&self.last) {
            return None;
        }
        cost::spend(self.last.len());
        Some(self.last.len())
    }

    /// Where the section at byte `at` ends, if it is all here and that of the head that was remembered.
    #[inline]
    pub(super) fn repeat(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        let last = &self.last[self.last_start..];
        if last.is_empty() || !bytes[at..].starts_with(last) {
            return None;
        }
        cost::spend(last.len());
        let end = at + last.len();
        if at != self.start {
            for span in &mut self.spans {
                span.follow(self.start, at);
            }
            self.start = at;
        }
        self.is_last_line = false;
        Some(end)
    }

    /// Remembers a head with its section, as it may come again.
    pub(super) fn remember(&mut self, head: &[u8]) {
        if head.len() <= REMEMBERED_BYTES {
            self.last.extend_from_slice(head);
            (self.last_start, self.is_last_line) = (self.start, true);
            cost::spend(head.len());
        }
    }

    /// Lets go of memory that a usual message does not need.
    pub(super) fn settle(&mut self) {
        if self.spans.capacity() > KEPT_FIELDS {
            *self = Self::default();
        }
    }

    /// Reads on; gives where the section ends, behind its empty line, once that has come.
    ///
    /// `judge` is told each field with its index and all bytes.
    ///
    /// # Errors
    ///
    /// The rule that was broken, by the form or by the judge; `too_many` if there are more than `limit` fields.
    #[inline]
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        limit: usize,
        too_many: Rule,
        mut judge: impl FnMut(&[u8], &Span, usize) -> Result<(), Rule>,
    ) -> Result<Option<usize>, Broken> {
        let mut line = self.line;
        loop {
            match line.read(bytes)? {
                Told::Field => {
                    if self.spans.len() == limit {
                        return Err((too_many, line.start));
                    }
                    let span = line.span();
                    judge(bytes, &span, self.spans.len()).map_err(|rule| (rule, line.start))?;
                    self.spans.push(span);
                    (line.step, line.start) = (Step::Name, line.at);
                }
                Told::Unfinished => {
                    self.line = line;
                    return Ok(None);
                }
                Told::End => return Ok(Some(line.at)),
            }
        }
    }

    pub(super) fn fields<'a>(&'a self, bytes: &'a [u8]) -> Fields<'a> {
        Fields {
            bytes,
            spans: &self.spans,
        }
    }
}

impl Line {
    #[inline(always)]
    fn read(&mut self, bytes: &[u8]) -> Result<Told, Broken> {
        if self.step == Step::Name {
            self.at = scan::token_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b':') if self.at > self.start => {
                    self.name_end = self.at;
                    self.known = Name::of_token(&bytes[self.start..self.at]);
                    self.at += 1;
                    self.step = Step::Blank;
                }
                Some(b'\r') if self.at == self.start => {
                    self.at += 1;
                    self.step = Step::LastLineFeed;
                }
                Some(&found) => return Err((self.odd_name(found), self.at)),
                None => return Ok(Told::Unfinished),
            }
        }
        if self.step == Step::Blank {
            self.at = scan::blank_end(bytes, self.at);
            if self.at == bytes.len() {
                return Ok(Told::Unfinished);
            }
            self.value = self.at;
            self.step = Step::Value;
        }
        if self.step == Step::Value {
            self.at = scan::text_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'\r') => {
                    self.value_end = trimmed(bytes, self.value, self.at);
                    self.at += 1;
                    self.step = Step::LineFeed;
                }
                Some(b'\n') => return Err((Rule::BareLf, self.at)),
                Some(_) => return Err((Rule::FieldValue, self.at)),
                None => return Ok(Told::Unfinished),
            }
        }
        match bytes.get(self.at) {
            Some(b'\n') => self.at += 1,
            Some(_) => return Err((Rule::BareCr, self.at)),
            None => return Ok(Told::Unfinished),
        }
        Ok(match self.step {
            Step::LineFeed => Told::Field,
            _ => Told::End,
        })
    }

    /// Which rule is broken by a name that `found` ends.
    #[cold]
    fn odd_name(&self, found: u8) -> Rule {
        let at_start = self.at == self.start;
        match found {
            b' ' | b'\t' if at_start => Rule::Folding,
            b' ' | b'\t' => Rule::SpaceBeforeColon,
            b'\n' if at_start => Rule::BareLf,
            b'\r' | b'\n' => Rule::FieldColon,
            _ => Rule::FieldName,
        }
    }

    /// Positions fit: no section is longer than 65 535 bytes.
    fn span(&self) -> Span {
        Span {
            name: self.start as u16,
            name_length: (self.name_end - self.start) as u16,
            value: self.value as u16,
            value_length: (self.value_end - self.value) as u16,
            known: self.known,
        }
    }
}

/// Where the value from `start` to `end` ends without the blanks behind it.
#[inline]
fn trimmed(bytes: &[u8], start: usize, end: usize) -> usize {
    let mut end = end;
    while end > start && matches!(bytes[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    end
}
