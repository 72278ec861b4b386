//! Finding lines that end with CR LF, for grammars that mix lines and counted bytes.

use memchr::memchr;

use crate::{Pending, cost};

/// How far the bytes from a place on were searched for the end of a line.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LineSearch {
    /// The first byte that nobody looked at yet, counted from where the search began.
    searched: usize,
}

impl LineSearch {
    /// How long the line at `start` is, with its LF; `None` if that has not come. `Err` if the line, without CR LF, has more
    /// than `limit` bytes.
    pub(crate) fn find(
        &mut self,
        pending: &Pending<'_>,
        start: usize,
        limit: usize,
    ) -> Result<Option<usize>, TooLong> {
        let end = pending
            .len()
            .min(start.saturating_add(limit).saturating_add(2));
        let mut at = start + self.searched;
        for piece in pending.pieces_from(at.min(pending.len())) {
            let piece = &piece[..piece.len().min(end.saturating_sub(at))];
            if let Some(found) = memchr(b'\n', piece) {
                cost::spend(found + 1);
                return Ok(Some(at + found + 1 - start));
            }
            cost::spend(piece.len());
            at += piece.len();
        }
        self.searched = at - start;
        match self.searched >= limit.saturating_add(2) {
            true => Err(TooLong),
            false => Ok(None),
        }
    }
}

/// No line ends within the limit.
pub(crate) struct TooLong;

/// The decimal number that `text` is, without sign or needless zeros.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let is_short = matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.len() <= 18;
    let add = |sum: u64, digit: &u8| {
        digit
            .is_ascii_digit()
            .then(|| sum * 10 + u64::from(digit - b'0'))
    };
    is_short.then(|| text.iter().try_fold(0, add)).flatten()
}
