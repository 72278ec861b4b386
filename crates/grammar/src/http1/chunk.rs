//! The lines between chunks (RFC 9112 7.1), byte by byte: they are short, and nothing of them is kept.
//!
//! ```text
//!   Size ──';'──► Name ──'='──► ValueStart ──► Token | Quoted ⇄ Escaped ──► Quoted's end
//!     └─────────CR──┴─────────────────────────────┴──────────────────────────┴──► LineFeed ──► size known
//! ```

use super::meaning::LARGEST_LENGTH;
use super::rule::{Broken, Rule};
use super::scan;
use crate::cost;

/// The line of one chunk's size, as far as it has come, and how much all of them have cost.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ChunkLine {
    step: Step,
    size: u64,
    digits: u8,
    length: usize,
    /// Bytes of lines beyond what is fair for the content that they announced.
    overhead: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Size,
    NameStart,
    Name,
    ValueStart,
    Token,
    Quoted,
    Escaped,
    QuotedEnd,
    LineFeed,
}

/// A line has at most so many bytes before its CR (R135).
const LINE_BYTES: usize = 1024;

/// So many bytes of a line are fair for any chunk, and besides twice its content.
const FAIR_BYTES: u64 = 16;

/// So many bytes beyond the fair ones may all lines of a body have: with chunks of one byte and long extensions a peer could
/// make us read a thousand bytes for each that anybody gets to see (CVE-2023-39326 of Go, whose rule this is).
const LARGEST_OVERHEAD: u64 = 16 * 1024;

impl ChunkLine {
    /// Reads on; gives how many bytes were used and the size, once the line is whole.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<u64>), Broken> {
        for (index, &byte) in bytes.iter().enumerate() {
            cost::spend(1);
            let broken = |rule| (rule, index);
            if self.step == Step::LineFeed {
                let size = self.end(byte).map_err(broken)?;
                return Ok((index + 1, Some(size)));
            }
            if self.length == LINE_BYTES && byte != b'\r' {
                return Err(broken(Rule::ChunkLineTooLong));
            }
            self.step = self.after(byte).map_err(broken)?;
            self.length += 1;
        }
        Ok((bytes.len(), None))
    }

    /// The step behind `byte`.
    fn after(&mut self, byte: u8) -> Result<Step, Rule> {
        match (self.step, byte) {
            (Step::Quoted, b'"') => Ok(Step::QuotedEnd),
            (Step::Quoted, b'\\') => Ok(Step::Escaped),
            (Step::Quoted | Step::Escaped, byte) if scan::is_text(byte) => Ok(Step::Quoted),
            (_, b'\n') => Err(Rule::BareLf),
            (Step::Size, byte) if byte.is_ascii_hexdigit() => self.add_digit(byte),
            (Step::Size, _) if self.digits == 0 => Err(Rule::ChunkSize),
            (Step::Size | Step::Name | Step::Token | Step::QuotedEnd, b'\r') => Ok(Step::LineFeed),
            (Step::Size | Step::Name | Step::Token | Step::QuotedEnd, b';') => Ok(Step::NameStart),
            (Step::Size, _) => Err(Rule::ChunkSize),
            (Step::NameStart | Step::Name, byte) if scan::is_token(byte) => Ok(Step::Name),
            (Step::Name, b'=') => Ok(Step::ValueStart),
            (Step::ValueStart, b'"') => Ok(Step::Quoted),
            (Step::ValueStart | Step::Token, byte) if scan::is_token(byte) => Ok(Step::Token),
            _ => Err(Rule::ChunkExtension),
        }
    }

    fn add_digit(&mut self, digit: u8) -> Result<Step, Rule> {
        let value = char::from(digit).to_digit(16).map(u64::from);
        let value = value.expect("it is a hexadecimal digit");
        if self.digits == 16 || self.size > (LARGEST_LENGTH >> 4) {
            return Err(Rule::ChunkSizeTooLarge);
        }
        self.digits += 1;
        self.size = self.size << 4 | value;
        Ok(Step::Size)
    }

    /// Ends the line with the byte behind its CR, and is ready for the next.
    fn end(&mut self, byte: u8) -> Result<u64, Rule> {
        if byte != b'\n' {
            return Err(Rule::BareCr);
        }
        let fair = FAIR_BYTES.saturating_add(self.size.saturating_mul(2));
        let overhead = (self.overhead + self.length as u64).saturating_sub(fair);
        if overhead > LARGEST_OVERHEAD {
            return Err(Rule::ChunkOverhead);
        }
        let size = self.size;
        *self = Self {
            overhead,
            ..Self::default()
        };
        Ok(size)
    }
}
