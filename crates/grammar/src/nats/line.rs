//! The first line of an operation, read.

use std::ops::Range;

use super::error::NatsError;
use super::operation::{Delivery, Operation, is_line, is_name, is_subject};
use crate::wire_line::number;

/// Where the parts of an operation lie.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// With CR LF.
    pub(super) length: usize,
    fields: Fields,
}

#[derive(Clone, Debug)]
enum Fields {
    Info(Range<usize>),
    Connect(Range<usize>),
    Pub(Counted),
    Msg(Counted),
    Sub {
        subject: Range<usize>,
        queue: Option<Range<usize>>,
        id: Range<usize>,
    },
    Unsub {
        id: Range<usize>,
        after: Option<u64>,
    },
    Ping,
    Pong,
    Ok,
    Err(Range<usize>),
}

/// An operation with a payload.
#[derive(Clone, Debug)]
struct Counted {
    subject: Range<usize>,
    id: Range<usize>,
    reply: Option<Range<usize>>,
    bytes: u64,
}

const PUB: &str = "PUB SUBJECT [REPLY] LENGTH";
const MSG: &str = "MSG SUBJECT ID [REPLY] LENGTH";
const SUB: &str = "SUB SUBJECT [QUEUE] ID";
const UNSUB: &str = "UNSUB ID [AFTER]";

impl Line {
    /// Reads a line, with its LF.
    pub(super) fn read(line: &[u8], offset: u64) -> Result<Self, NatsError> {
        let length = line.len();
        let Some(text) = line.strip_suffix(b"\r\n") else {
            let offset = offset + length as u64 - 1;
            return Err(NatsError::MissingEnd { offset });
        };
        let malformed = |form| NatsError::Malformed { offset, form };
        let text = str::from_utf8(text).map_err(|_| malformed("in UTF-8"))?;
        if !is_line(text) {
            return Err(malformed("without control characters"));
        }
        let words = Words(text);
        let name = words.first();
        let rest = words.behind(&name);
        let none = |fields| match rest.is_empty() {
            true => Ok(fields),
            false => Err(malformed("without more fields")),
        };
        let name = text[name].to_ascii_uppercase();
        let fields = match name.as_str() {
            "INFO" => Fields::Info(words.json(rest).ok_or(malformed("INFO {…}"))?),
            "CONNECT" => Fields::Connect(words.json(rest).ok_or(malformed("CONNECT {…}"))?),
            "PUB" => Fields::Pub(words.published(rest).ok_or(malformed(PUB))?),
            "MSG" => Fields::Msg(words.delivered(rest).ok_or(malformed(MSG))?),
            "SUB" => words.subscribed(rest).ok_or(malformed(SUB))?,
            "UNSUB" => words.unsubscribed(rest).ok_or(malformed(UNSUB))?,
            "PING" => none(Fields::Ping)?,
            "PONG" => none(Fields::Pong)?,
            "+OK" => none(Fields::Ok)?,
            "-ERR" => Fields::Err(words.quoted(rest).ok_or(malformed("-ERR 'WHY'"))?),
            _ => return Err(NatsError::UnknownOperation { offset }),
        };
        Ok(Self { length, fields })
    }

    /// How long the payload is that follows, if one does.
    pub(super) fn payload_bytes(&self) -> Option<u64> {
        match &self.fields {
            Fields::Pub(counted) | Fields::Msg(counted) => Some(counted.bytes),
            _ => None,
        }
    }

    /// The operation, of the bytes of which this is the first line.
    pub(super) fn operation<'a>(&self, body: &'a [u8]) -> Operation<'a> {
        let text = |range: &Range<usize>| str::from_utf8(&body[range.clone()]).unwrap_or_default();
        match &self.fields {
            Fields::Info(json) => Operation::Info(text(json)),
            Fields::Connect(json) => Operation::Connect(text(json)),
            Fields::Pub(counted) => Operation::Pub {
                subject: text(&counted.subject),
                reply: counted.reply.as_ref().map(text),
                payload: &body[self.length..],
            },
            Fields::Msg(counted) => Operation::Msg(Delivery {
                subject: text(&counted.subject),
                id: text(&counted.id),
                reply: counted.reply.as_ref().map(text),
                payload: &body[self.length..],
            }),
            Fields::Sub { subject, queue, id } => Operation::Sub {
                subject: text(subject),
                queue: queue.as_ref().map(text),
                id: text(id),
            },
            Fields::Unsub { id, after } => Operation::Unsub {
                id: text(id),
                after: *after,
            },
            Fields::Ping => Operation::Ping,
            Fields::Pong => Operation::Pong,
            Fields::Ok => Operation::Ok,
            Fields::Err(why) => Operation::Err(text(why)),
        }
    }
}

/// The words of a line, with blanks between them.
#[derive(Clone, Copy)]
struct Words<'a>(&'a str);

impl Words<'_> {
    fn first(&self) -> Range<usize> {
        0..self.0.find(is_blank).unwrap_or(self.0.len())
    }

    /// What follows a word, without blanks around it.
    fn behind(&self, word: &Range<usize>) -> Range<usize> {
        let rest = &self.0[word.end..];
        let start = word.end + (rest.len() - rest.trim_start_matches(is_blank).len());
        start..start.max(self.0.trim_end_matches(is_blank).len())
    }

    /// The words in a part of the line, at most four and one too many.
    fn split(&self, rest: Range<usize>) -> ([Range<usize>; 5], usize) {
        let (mut words, mut count) = ([const { 0..0 }; 5], 0);
        let mut at = rest.start;
        while at < rest.end && count < words.len() {
            let text = &self.0[at..rest.end];
            let end = at + text.find(is_blank).unwrap_or(text.len());
            words[count] = at..end;
            count += 1;
            let text = &self.0[end..rest.end];
            at = end + (text.len() - text.trim_start_matches(is_blank).len());
        }
        (words, count)
    }

    fn json(&self, rest: Range<usize>) -> Option<Range<usize>> {
        let text = &self.0[rest.clone()];
        (text.starts_with('{') && text.ends_with('}')).then_some(rest)
    }

    fn quoted(&self, rest: Range<usize>) -> Option<Range<usize>> {
        let text = self.0[rest.clone()].strip_prefix('\'')?;
        let text = text.strip_suffix('\'')?;
        Some(rest.start + 1..rest.start + 1 + text.len())
    }

    fn subject(&self, word: &Range<usize>, may_have_wildcards: bool) -> Option<Range<usize>> {
        is_subject(&self.0[word.clone()], may_have_wildcards).then(|| word.clone())
    }

    fn name(&self, word: &Range<usize>) -> Option<Range<usize>> {
        is_name(&self.0[word.clone()]).then(|| word.clone())
    }

    fn number(&self, word: &Range<usize>) -> Option<u64> {
        number(&self.0.as_bytes()[word.clone()])
    }

    fn published(&self, rest: Range<usize>) -> Option<Counted> {
        let ([subject, second, third, ..], count) = self.split(rest);
        let (reply, bytes) = match count {
            2 => (None, second),
            3 => (Some(self.subject(&second, false)?), third),
            _ => return None,
        };
        Some(Counted {
            subject: self.subject(&subject, false)?,
            id: 0..0,
            reply,
            bytes: self.number(&bytes)?,
        })
    }

    fn delivered(&self, rest: Range<usize>) -> Option<Counted> {
        let ([subject, id, third, fourth, _], count) = self.split(rest);
        let (reply, bytes) = match count {
            3 => (None, third),
            4 => (Some(self.subject(&third, false)?), fourth),
            _ => return None,
        };
        Some(Counted {
            subject: self.subject(&subject, false)?,
            id: self.name(&id)?,
            reply,
            bytes: self.number(&bytes)?,
        })
    }

    fn subscribed(&self, rest: Range<usize>) -> Option<Fields> {
        let ([subject, second, third, ..], count) = self.split(rest);
        let (queue, id) = match count {
            2 => (None, second),
            3 => (Some(self.name(&second)?), third),
            _ => return None,
        };
        Some(Fields::Sub {
            subject: self.subject(&subject, true)?,
            queue,
            id: self.name(&id)?,
        })
    }

    fn unsubscribed(&self, rest: Range<usize>) -> Option<Fields> {
        let ([id, after, ..], count) = self.split(rest);
        let after = match count {
            1 => None,
            2 => Some(self.number(&after)?),
            _ => return None,
        };
        Some(Fields::Unsub {
            id: self.name(&id)?,
            after,
        })
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}
