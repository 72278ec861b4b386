//! The end of a line, and the search for it through a stream that comes in pieces.
//!
//! For: [`LineGrammar`](crate::LineGrammar). Not for: searching in whole texts (use `memchr`).
//!
//! # How the search stays linear
//!
//! A delimiter may lie across any number of chunks, and a chunk may be one byte. Looking again at
//! the last bytes of what waited is simple, but costs as many steps per chunk as the delimiter is
//! long, and with the wrong bookkeeping the whole line. So the search carries one number from
//! chunk to chunk: how many bytes of the delimiter the stream ends with (`carried`, the state of
//! Knuth, Morris and Pratt). A chunk is then searched in three steps:
//!
//! 1. while a match that began *before* the chunk is alive, feed it byte by byte;
//! 2. search the rest of the chunk with `memmem`, at the speed of the processor;
//! 3. if nothing is found, compute what the chunk ends with from its last bytes.
//!
//! Each step is linear in the chunk, whatever the delimiter. Delimiters of one and two bytes (CRLF,
//! LF, NUL) need no table: `memchr` for the last byte, then a look at the one before it.
//! Rejected: feeding every byte through the automaton (slow on long lines); `memmem` over backlog
//! and chunk joined (copies every chunk, also those that hold whole lines).

use std::sync::Arc;

use memchr::memchr;
use memchr::memmem::Finder;

use crate::{LineError, cost};

/// What ends a line: [`Delimiter::CRLF`], [`Delimiter::LF`], [`Delimiter::NUL`] or any bytes.
///
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Delimiter(Pattern);

#[derive(Clone, Debug)]
enum Pattern {
    One([u8; 1]),
    Two([u8; 2]),
    Long(Arc<Long>),
}

#[derive(Debug)]
struct Long {
    finder: Finder<'static>,
    /// `borders[n]`: the longest proper prefix of the delimiter that its first `n` bytes end with.
    borders: Box<[usize]>,
}

/// What a search through one chunk came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// The first delimiter ends right before this index of the chunk.
    Found { end: usize },
    /// No delimiter; the stream ends with this many bytes of one.
    Missing { carried: usize },
}

impl Delimiter {
    /// Carriage return and line feed, the default and what most internet protocols say.
    pub const CRLF: Self = Self(Pattern::Two(*b"\r\n"));
    /// A line feed alone; a carriage return before it is part of the line.
    pub const LF: Self = Self(Pattern::One(*b"\n"));
    /// A zero byte.
    pub const NUL: Self = Self(Pattern::One(*b"\0"));

    /// Any bytes.
    ///
    /// # Errors
    ///
    /// [`LineError::EmptyDelimiter`] for no bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, LineError> {
        Ok(Self(match *bytes {
            [] => return Err(LineError::EmptyDelimiter),
            [one] => Pattern::One([one]),
            [first, last] => Pattern::Two([first, last]),
            _ => Pattern::Long(Arc::new(Long {
                finder: Finder::new(bytes).into_owned(),
                borders: borders(bytes),
            })),
        }))
    }

    /// The bytes of the delimiter.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Pattern::One(bytes) => bytes,
            Pattern::Two(bytes) => bytes,
            Pattern::Long(long) => long.finder.needle(),
        }
    }

    /// Searches `chunk`, which follows a stream that ends with `carried` bytes of a delimiter.
    pub(crate) fn search(&self, carried: usize, chunk: &[u8]) -> Search {
        let found = match &self.0 {
            Pattern::One([byte]) => search_one(*byte, chunk),
            Pattern::Two(pair) => search_two(*pair, carried, chunk),
            Pattern::Long(long) => long.search(carried, chunk),
        };
        cost::spend(match found {
            Search::Found { end } => end,
            Search::Missing { .. } => chunk.len(),
        });
        found
    }

    /// Appends `line` and this delimiter to `out`.
    ///
    /// # Errors
    ///
    /// [`LineError::ContainsDelimiter`] when that would be read as more than one line (a name with a
    /// CRLF inside must not become a second command); `out` is then unchanged.
    pub fn send_line(&self, line: &[u8], out: &mut Vec<u8>) -> Result<(), LineError> {
        let check = self.check(line);
        check.map_err(|position| LineError::ContainsDelimiter { position })?;
        out.extend_from_slice(line);
        out.extend_from_slice(self.as_bytes());
        Ok(())
    }

    /// Whether `line` followed by this delimiter is read back as `line`; else where it would end.
    fn check(&self, line: &[u8]) -> Result<(), usize> {
        let length = self.as_bytes().len();
        let end = match self.search(0, line) {
            Search::Found { end } => end,
            Search::Missing { carried: 0 } => return Ok(()),
            Search::Missing { carried } => match self.search(carried, self.as_bytes()) {
                Search::Found { end } => line.len() + end,
                Search::Missing { .. } => line.len() + length,
            },
        };
        if end == line.len() + length {
            Ok(())
        } else {
            Err(end - length)
        }
    }
}

impl Default for Delimiter {
    fn default() -> Self {
        Self::CRLF
    }
}

impl PartialEq for Delimiter {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Delimiter {}

impl Long {
    fn search(&self, carried: usize, chunk: &[u8]) -> Search {
        let length = self.finder.needle().len();
        let (mut state, mut fed) = (carried, 0);
        while state > fed {
            let Some(&byte) = chunk.get(fed) else {
                return Search::Missing { carried: state };
            };
            state = self.step(state, byte);
            fed += 1;
            if state == length {
                return Search::Found { end: fed };
            }
        }
        let start = fed - state;
        let inside = &chunk[start..];
        match self.finder.find(inside) {
            Some(index) => Search::Found {
                end: start + index + length,
            },
            None => {
                let tail = &inside[inside.len() - inside.len().min(length - 1)..];
                let carried = tail.iter().fold(0, |state, &byte| self.step(state, byte));
                cost::spend(tail.len());
                Search::Missing { carried }
            }
        }
    }

    /// The state after one more byte. Steps back are paid for by the steps forward before them.
    fn step(&self, mut state: usize, byte: u8) -> usize {
        let needle = self.finder.needle();
        while state > 0 && needle[state] != byte {
            cost::spend(1);
            state = self.borders[state];
        }
        state + usize::from(needle[state] == byte)
    }
}

fn borders(needle: &[u8]) -> Box<[usize]> {
    let mut borders = vec![0; needle.len()];
    let mut border = 0;
    for index in 1..needle.len() - 1 {
        while border > 0 && needle[border] != needle[index] {
            border = borders[border];
        }
        border += usize::from(needle[border] == needle[index]);
        borders[index + 1] = border;
    }
    borders.into()
}

fn search_one(byte: u8, chunk: &[u8]) -> Search {
    match memchr(byte, chunk) {
        Some(index) => Search::Found { end: index + 1 },
        None => Search::Missing { carried: 0 },
    }
}

fn search_two([first, last]: [u8; 2], carried: usize, chunk: &[u8]) -> Search {
    let mut from = 0;
    while let Some(index) = memchr(last, &chunk[from..]) {
        let index = from + index;
        let preceded = match index.checked_sub(1) {
            None => carried == 1,
            Some(before) => chunk[before] == first,
        };
        if preceded {
            return Search::Found { end: index + 1 };
        }
        from = index + 1;
    }
    let carried = chunk
        .last()
        .map_or(carried, |&byte| usize::from(byte == first));
    Search::Missing { carried }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The obvious way: where the first match ends, and what the text ends with.
    fn oracle(needle: &[u8], text: &[u8]) -> Search {
        if let Some(index) = text
            .windows(needle.len())
            .position(|window| window == needle)
        {
            return Search::Found {
                end: index + needle.len(),
            };
        }
        let ends = |n: &usize| text.ends_with(&needle[..*n]);
        Search::Missing {
            carried: (0..needle.len()).rev().find(ends).unwrap_or(0),
        }
    }

    fn in_pieces(delimiter: &Delimiter, text: &[u8], sizes: &[usize]) -> Search {
        let (mut carried, mut position) = (0, 0);
        for size in sizes.iter().cycle() {
            let end = text.len().min(position + size);
            match delimiter.search(carried, &text[position..end]) {
                Search::Found { end } => {
                    return Search::Found {
                        end: position + end,
                    };
                }
                Search::Missing { carried: now } => carried = now,
            }
            position = end;
            if position == text.len() {
                break;
            }
        }
        Search::Missing { carried }
    }

    proptest! {
        #[test]
        fn r117_search_in_any_pieces_equals_the_obvious_search(
            needle in prop::collection::vec(0..2u8, 1..9),
            text in prop::collection::vec(0..3u8, 0..60),
            sizes in prop::collection::vec(1..7usize, 1..8),
        ) {
            let delimiter = Delimiter::new(&needle).unwrap();
            prop_assert_eq!(in_pieces(&delimiter, &text, &sizes), oracle(&needle, &text));
        }

        #[test]
        fn check_accepts_exactly_the_lines_that_read_back(
            needle in prop::collection::vec(0..2u8, 1..6),
            line in prop::collection::vec(0..3u8, 0..12),
        ) {
            let delimiter = Delimiter::new(&needle).unwrap();
            let Search::Found { end } = oracle(&needle, &[&line[..], &needle].concat()) else {
                unreachable!("the needle is in there");
            };
            let expected = if end - needle.len() == line.len() { Ok(()) } else { Err(end - needle.len()) };
            prop_assert_eq!(delimiter.check(&line), expected);
        }
    }

    #[test]
    fn search_is_linear_for_the_worst_delimiter_in_single_bytes() {
        let delimiter = Delimiter::new(&[&[b'a'; 999][..], b"b"].concat()).unwrap();
        let text = [&[b'a'; 998][..], b"c"].concat().repeat(50);
        let spent = cost::meter::of(|| {
            assert_eq!(
                in_pieces(&delimiter, &text, &[1]),
                Search::Missing { carried: 0 }
            );
        });
        assert!(
            spent <= 4 * text.len(),
            "{spent} steps for {} bytes",
            text.len()
        );
    }
}
