//! A message that came in several pieces.
//!
//! Texts are checked as they grow, so that a bad one is refused at its first bad byte (RFC 6455 8.1), and never again.

use super::Rule;
use crate::cost;
use crate::memory::{self, Growth};

/// What has come of a message. It holds no memory while it is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly {
    /// The characters of a text that are whole.
    text: String,
    /// The beginning of the next character, at most three bytes.
    partial: [u8; 4],
    partial_length: u8,
    /// The bytes of a binary message.
    bytes: Vec<u8>,
}

impl Assembly {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && self.bytes.is_empty() && self.partial_length == 0
    }

    pub(super) fn len(&self) -> usize {
        self.text.len() + self.bytes.len() + usize::from(self.partial_length)
    }

    /// Appends bytes, of which `more` are known to follow soon: room is made for as many as have come, not more.
    pub(super) fn push_bytes(&mut self, piece: &[u8], more: u64) {
        cost::spend(piece.len());
        if self.bytes.capacity() - self.bytes.len() < piece.len() {
            let more = more_than(self.bytes.len() + piece.len(), more);
            memory::reserve(&mut self.bytes, piece.len() + more);
        }
        self.bytes.extend_from_slice(piece);
    }

    /// Appends bytes of a text; see [`push_bytes`](Self::push_bytes).
    pub(super) fn push_text(&mut self, piece: &[u8], more: u64) -> Result<(), Rule> {
        cost::spend(piece.len());
        if self.text.capacity() - self.text.len() < piece.len() {
            let more = more_than(self.text.len() + piece.len(), more);
            self.reserve_text(piece.len() + more);
        }
        let piece = self.complete(piece)?;
        match simdutf8::compat::from_utf8(piece) {
            Ok(text) => self.text.push_str(text),
            Err(error) => {
                let (whole, rest) = piece.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    return Err(Rule::Utf8);
                }
                let whole = simdutf8::compat::from_utf8(whole);
                self.text.push_str(whole.map_err(|_never| Rule::Utf8)?);
                self.partial[..rest.len()].copy_from_slice(rest);
                self.partial_length = rest.len() as u8;
            }
        }
        Ok(())
    }

    fn reserve_text(&mut self, more: usize) {
        match memory::growth(self.text.len(), self.text.capacity(), more) {
            Growth::None => {}
            Growth::Reserve(room) => self.text.reserve(room),
            Growth::Move(block) => {
                let mut text = String::from_utf8(block).unwrap_or_default();
                text.reserve(self.text.len() + more);
                text.push_str(&self.text);
                self.text = text;
            }
        }
    }

    /// Completes the character that was cut; gives what is behind it.
    fn complete<'p>(&mut self, piece: &'p [u8]) -> Result<&'p [u8], Rule> {
        let mut rest = piece;
        while self.partial_length > 0
            && let Some((&byte, behind)) = rest.split_first()
        {
            self.partial[usize::from(self.partial_length)] = byte;
            self.partial_length += 1;
            rest = behind;
            match std::str::from_utf8(&self.partial[..usize::from(self.partial_length)]) {
                Ok(character) => {
                    self.text.push_str(character);
                    self.partial_length = 0;
                }
                Err(error) if error.error_len().is_some() => return Err(Rule::Utf8),
                Err(_unfinished) => {}
            }
        }
        Ok(rest)
    }

    /// A text ends here.
    pub(super) fn end_text(&self) -> Result<(), Rule> {
        match self.partial_length {
            0 => Ok(()),
            _ => Err(Rule::Utf8),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a decompressor puts the bytes of a binary message.
    #[cfg(feature = "deflate")]
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    pub(super) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Forgets the message, and keeps its memory for the next one of the same batch.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.bytes.clear();
        self.partial_length = 0;
    }

    /// Lets go of memory.
    pub(super) fn release(&mut self) {
        let Self { text, bytes, .. } = std::mem::take(self);
        memory::give_back(text.into_bytes());
        memory::give_back(bytes);
    }

    /// How many bytes of memory it holds.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.text.capacity() + self.bytes.capacity()
    }
}

/// How many of those that are known to follow are to have room, when so many have arrived.
fn more_than(arrived: usize, more: u64) -> usize {
    usize::try_from(more).unwrap_or(usize::MAX).min(arrived)
}
