//! Values, as values.

use super::RespGrammar;
use super::error::RespError;
use crate::wire_line::number;

/// A value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A line of text.
    Simple(&'a [u8]),
    /// A line about what went wrong, which begins with a word in capitals.
    Error(&'a [u8]),
    /// The same, with any bytes.
    LongError(&'a [u8]),
    /// A number.
    Integer(i64),
    /// Any bytes.
    Bytes(&'a [u8]),
    /// Nothing.
    Null,
    /// Others, in order.
    Array(Vec<Self>),
    /// Others, in order, that answer no command: messages.
    Push(Vec<Self>),
    /// Others, in any order.
    Set(Vec<Self>),
    /// Pairs.
    Map(Vec<(Self, Self)>),
    /// Yes or no.
    Boolean(bool),
    /// A number with a fraction.
    Double(f64),
    /// A large number, in digits.
    BigNumber(&'a [u8]),
    /// Text behind its format, three letters and a colon.
    Verbatim(&'a [u8]),
}

/// What the line that begins a value says about what follows.
pub(super) enum Shape {
    /// Nothing does.
    Whole,
    /// So many bytes, and CR LF.
    Bytes(usize),
    /// So many values.
    Values(usize),
}

/// Appends a command: an array of byte strings.
pub fn command(words: &[&[u8]], out: &mut Vec<u8>) {
    head(b'*', words.len(), out);
    for word in words {
        counted(b'$', word, out);
    }
}

impl<'a> Value<'a> {
    /// The bytes of a text, an error or a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Simple(bytes)
            | Self::Error(bytes)
            | Self::LongError(bytes)
            | Self::Bytes(bytes)
            | Self::Verbatim(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Reads the value that `data` begins with, and what follows it. The data was measured.
    pub(super) fn read(data: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let end = memchr::memchr(b'\n', data)?;
        let (line, rest) = data.split_at(end + 1);
        let text = line.get(1..end.checked_sub(1)?)?;
        match shape_of(line[0], text)? {
            Shape::Whole => Some((Self::of_line(line[0], text)?, rest)),
            Shape::Bytes(length) => {
                let bytes = rest.get(..length)?;
                let value = match line[0] {
                    b'!' => Self::LongError(bytes),
                    b'=' => Self::Verbatim(bytes),
                    _ => Self::Bytes(bytes),
                };
                Some((value, rest.get(length + 2..)?))
            }
            Shape::Values(count) => Self::of_values(line[0], count, rest),
        }
    }

    fn of_line(kind: u8, text: &'a [u8]) -> Option<Self> {
        Some(match kind {
            b'+' => Self::Simple(text),
            b'-' => Self::Error(text),
            b'(' => Self::BigNumber(text),
            b':' => Self::Integer(integer(text)?),
            b',' => Self::Double(double(text)?),
            b'#' => Self::Boolean(text == b"t"),
            _ => Self::Null,
        })
    }

    fn of_values(kind: u8, count: usize, mut rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut values = Vec::new();
        for _ in 0..count {
            let value;
            (value, rest) = Self::read(rest)?;
            values.push(value);
        }
        let value = match kind {
            b'>' => Self::Push(values),
            b'~' => Self::Set(values),
            b'%' => {
                let mut values = values.into_iter();
                let pairs = std::iter::from_fn(|| Some((values.next()?, values.next()?)));
                Self::Map(pairs.collect())
            }
            _ => Self::Array(values),
        };
        Some((value, rest))
    }

    /// Whether it can be said.
    pub(super) fn check(&self) -> Result<(), RespError> {
        let count = self.count(0).ok_or(RespError::Unsayable)?;
        let is_right = count <= RespGrammar::MOST_VALUES;
        is_right.then_some(()).ok_or(RespError::Unsayable)
    }

    /// How many values lie in it, in all; `None` if a line cannot be said, or they lie too deep.
    fn count(&self, depth: usize) -> Option<usize> {
        let is_line = |text: &[u8]| !text.contains(&b'\r') && !text.contains(&b'\n');
        let inside = |values: &[Self]| {
            let count = |sum: usize, value: &Self| Some(sum + 1 + value.count(depth + 1)?);
            let is_deep = !values.is_empty() && depth >= RespGrammar::MOST_DEPTH;
            values.iter().try_fold(0, count).filter(|_| !is_deep)
        };
        match self {
            Self::Simple(text) | Self::Error(text) | Self::BigNumber(text) => {
                is_line(text).then_some(0)
            }
            Self::Array(values) | Self::Push(values) | Self::Set(values) => inside(values),
            Self::Map(pairs) => {
                let count = |sum: usize, (key, value): &(Self, Self)| {
                    let inner = key.count(depth + 1)? + value.count(depth + 1)?;
                    Some(sum + 2 + inner)
                };
                let is_deep = !pairs.is_empty() && depth >= RespGrammar::MOST_DEPTH;
                pairs.iter().try_fold(0, count).filter(|_| !is_deep)
            }
            _ => Some(0),
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Simple(text) => line(b'+', text, out),
            Self::Error(text) => line(b'-', text, out),
            Self::BigNumber(text) => line(b'(', text, out),
            Self::LongError(bytes) => counted(b'!', bytes, out),
            Self::Verbatim(bytes) => counted(b'=', bytes, out),
            Self::Bytes(bytes) => counted(b'$', bytes, out),
            Self::Integer(number) => line(b':', number.to_string().as_bytes(), out),
            Self::Boolean(true) => line(b'#', b"t", out),
            Self::Boolean(false) => line(b'#', b"f", out),
            Self::Double(number) if number.is_nan() => line(b',', b"nan", out),
            Self::Double(number) => line(b',', format!("{number:?}").as_bytes(), out),
            Self::Null => line(b'_', b"", out),
            Self::Array(values) => all(b'*', values, out),
            Self::Push(values) => all(b'>', values, out),
            Self::Set(values) => all(b'~', values, out),
            Self::Map(pairs) => {
                head(b'%', pairs.len(), out);
                for (key, value) in pairs {
                    key.write(out);
                    value.write(out);
                }
            }
        }
    }
}

fn line(kind: u8, text: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

fn head(kind: u8, count: usize, out: &mut Vec<u8>) {
    line(kind, count.to_string().as_bytes(), out);
}

fn counted(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    head(kind, bytes.len(), out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn all(kind: u8, values: &[Value<'_>], out: &mut Vec<u8>) {
    head(kind, values.len(), out);
    values.iter().for_each(|value| value.write(out));
}

/// What a line says, with its CR LF, that is no line of text.
pub(super) fn shape(line: &[u8]) -> Option<Shape> {
    let (kind, text) = line.strip_suffix(b"\r\n")?.split_first()?;
    shape_of(*kind, text)
}

fn shape_of(kind: u8, text: &[u8]) -> Option<Shape> {
    let count = || usize::try_from(number(text)?).ok();
    match kind {
        b'$' | b'*' if text == b"-1" => Some(Shape::Whole),
        b'$' | b'!' | b'=' => count().map(Shape::Bytes),
        b'*' | b'>' | b'~' => count().map(Shape::Values),
        b'%' => count()?.checked_mul(2).map(Shape::Values),
        b':' => integer(text).map(|_| Shape::Whole),
        b',' => double(text).map(|_| Shape::Whole),
        b'#' => matches!(text, b"t" | b"f").then_some(Shape::Whole),
        b'_' => text.is_empty().then_some(Shape::Whole),
        _ => Some(Shape::Whole),
    }
}

fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
    let text = str::from_utf8(text).ok().filter(|_| is_plain)?;
    text.parse().ok()
}

fn double(text: &[u8]) -> Option<f64> {
    str::from_utf8(text).ok()?.parse().ok()
}
