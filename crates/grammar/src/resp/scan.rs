//! Finding the end of a value, whatever lies in it.

use memchr::memchr_iter;

use super::RespGrammar;
use super::error::RespError;
use super::value::{Shape, shape};
use crate::Pending;
use crate::wire_line::LineSearch;

/// How far the value at a position of the stream has been looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    offset: u64,
    /// Where the next value within it begins.
    at: usize,
    search: LineSearch,
    /// How many values each of those around it still wants, the outermost first.
    open: Vec<usize>,
    /// How many were declared in all.
    values: usize,
}

/// A line that only says a length or a number.
const NUMBER_BYTES: usize = 32;

impl Scan {
    /// How long the value is, once all of it has come.
    pub(super) fn advance(
        &mut self,
        pending: &Pending<'_>,
        limit: usize,
    ) -> Result<Option<usize>, RespError> {
        if self.offset != pending.offset() {
            let offset = pending.offset();
            let mut open = std::mem::take(&mut self.open);
            open.clear();
            *self = Self {
                offset,
                open,
                ..Self::default()
            };
        }
        while let Some(Step { length, values }) = self.one(pending, limit)? {
            self.at += length;
            self.search = LineSearch::default();
            if values > 0 {
                self.open.push(values);
            } else if self.is_end() {
                return Ok(Some(self.at));
            }
        }
        Ok(None)
    }

    /// A value is over, and perhaps some of those around it with it; tells whether all are.
    fn is_end(&mut self) -> bool {
        while let Some(wanted) = self.open.last_mut() {
            *wanted -= 1;
            if *wanted > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }

    /// Looks at one value without those in it.
    fn one(&mut self, pending: &Pending<'_>, limit: usize) -> Result<Option<Step>, RespError> {
        let offset = self.offset + self.at as u64;
        let too_long = RespError::TooLong { offset, limit };
        let Some(kind) = pending.get(self.at) else {
            return Ok(None);
        };
        if !KINDS.contains(&kind) {
            let found = kind;
            return Err(RespError::UnknownType { offset, found });
        }
        let is_text = matches!(kind, b'+' | b'-' | b'(');
        let left = limit.saturating_sub(self.at);
        let line_limit = if is_text {
            left
        } else {
            left.min(NUMBER_BYTES)
        };
        let Ok(found) = self.search.find(pending, self.at, line_limit) else {
            let expected = "a number and CR LF";
            let malformed = RespError::Malformed { offset, expected };
            return Err(if line_limit < left {
                malformed
            } else {
                too_long
            });
        };
        let Some(length) = found else {
            return Ok(None);
        };
        let shape = match is_text {
            true => self.text(pending, length, offset)?,
            false => self.number(pending, length, offset)?,
        };
        match shape {
            Shape::Whole => Ok(Some(Step { length, values: 0 })),
            Shape::Bytes(bytes) if bytes > left.saturating_sub(length) => Err(too_long),
            Shape::Bytes(bytes) => self.counted(pending, length + bytes),
            Shape::Values(values) => {
                self.count(values, offset)?;
                Ok(Some(Step { length, values }))
            }
        }
    }

    /// A line of text has one CR, before its LF.
    fn text(&self, pending: &Pending<'_>, length: usize, offset: u64) -> Result<Shape, RespError> {
        let [first, second] = pending.pieces_from(self.at);
        let first = &first[..first.len().min(length - 1)];
        let second = &second[..length - 1 - first.len()];
        let crs = memchr_iter(b'\r', first).count() + memchr_iter(b'\r', second).count();
        let last = pending.get(self.at + length.saturating_sub(2));
        match crs == 1 && last == Some(b'\r') {
            true => Ok(Shape::Whole),
            false => Err(RespError::Malformed {
                offset,
                expected: "a line and CR LF",
            }),
        }
    }

    fn number(
        &self,
        pending: &Pending<'_>,
        length: usize,
        offset: u64,
    ) -> Result<Shape, RespError> {
        let mut line = [0; NUMBER_BYTES + 2];
        let line = &mut line[..length];
        for (at, byte) in line.iter_mut().enumerate() {
            *byte = pending.get(self.at + at).unwrap_or(0);
        }
        let expected = "a number and CR LF";
        shape(line).ok_or(RespError::Malformed { offset, expected })
    }

    /// Bytes that were counted, and their CR LF.
    fn counted(&self, pending: &Pending<'_>, end: usize) -> Result<Option<Step>, RespError> {
        for (at, wanted) in [(end, b'\r'), (end + 1, b'\n')] {
            match pending.get(self.at + at) {
                None => return Ok(None),
                Some(found) if found != wanted => {
                    return Err(RespError::Malformed {
                        offset: self.offset + (self.at + at) as u64,
                        expected: "CR LF",
                    });
                }
                Some(_) => {}
            }
        }
        Ok(Some(Step {
            length: end + 2,
            values: 0,
        }))
    }

    /// A value begins that has others in it.
    fn count(&mut self, values: usize, offset: u64) -> Result<(), RespError> {
        self.values = self.values.saturating_add(values);
        if self.values > RespGrammar::MOST_VALUES {
            return Err(RespError::TooMany { offset });
        }
        match self.open.len() >= RespGrammar::MOST_DEPTH {
            true => Err(RespError::TooDeep { offset }),
            false => Ok(()),
        }
    }
}

/// A value, and how many lie in it.
struct Step {
    length: usize,
    values: usize,
}

const KINDS: &[u8] = b"+-:$*_#,(!=%~>";
