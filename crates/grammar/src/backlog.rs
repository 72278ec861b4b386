//! The bytes a grammar has received and not yet delivered.
//!
//! For: [`Framing`](crate::Framing) implementations, which own one each. Not for: reading them;
//! that is what [`Input`](crate::Input) does.

use crate::cost;

/// What a grammar keeps between two calls of `receive`: the unfinished frame, or everything behind
/// the event at which its owner paused.
///
/// Guaranteed: memory is in proportion to the bytes kept (at most four times as much), and none is
/// held when nothing is kept. Moving bytes within it costs no more than receiving them did.
///
/// A framing of your own holds one (`Backlog::default()`) and gives it out by
/// [`Framing::backlog`](crate::Framing::backlog); it has nothing else to do with it.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    bytes: Vec<u8>,
    /// Everything before it is delivered and waits for the next compaction.
    start: usize,
    /// Position in the stream of the first byte not delivered, counted from 0.
    offset: u64,
    /// A rule was broken: nothing more is delivered, nothing more is kept.
    failed: bool,
}

impl Backlog {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(crate) fn set_failed(&mut self, failed: bool) {
        self.failed = failed;
    }

    /// Adds bytes behind those that wait.
    pub(crate) fn push(&mut self, more: &[u8]) {
        if self.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
        cost::spend(more.len());
        self.bytes.extend_from_slice(more);
    }

    /// Takes back the last `length` bytes that were added, for they are read where they came.
    pub(crate) fn unpush(&mut self, length: usize) {
        self.bytes.truncate(self.bytes.len() - length);
    }

    /// Counts `length` bytes as delivered that never came through here.
    pub(crate) fn pass_by(&mut self, length: usize) {
        self.offset += length as u64;
    }

    /// Takes back `length` bytes that passed by.
    pub(crate) fn pass_back(&mut self, length: usize) {
        self.offset -= length as u64;
    }

    /// Counts the first `length` bytes as delivered; they stay in place until the next change.
    pub(crate) fn take(&mut self, length: usize) {
        self.start += length;
        self.pass_by(length);
    }

    /// The last `length` bytes that were taken, if nothing else has happened since.
    pub(crate) fn taken(&self, length: usize) -> &[u8] {
        &self.bytes[self.start - length..self.start]
    }

    /// Brings back the last `length` bytes that were taken; nothing else may have happened since.
    pub(crate) fn put_back(&mut self, length: usize) {
        self.start -= length;
        self.pass_back(length);
    }

    /// Gives everything away and holds no memory.
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        self.offset += self.len() as u64;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.drain(..std::mem::take(&mut self.start));
        bytes
    }

    /// Ends one `receive`: keeps `rest` behind what waits, and lets go of memory not needed.
    ///
    /// What waits is moved only when at least as much has been delivered before it, so each
    /// delivered byte pays for at most one moved byte.
    pub(crate) fn settle(&mut self, rest: &[u8]) {
        if self.bytes.capacity() == 0 && rest.is_empty() {
            // Nothing came of this receive but events lent from its data: the usual case.
        } else if self.failed {
            self.take_all();
            self.pass_by(rest.len());
        } else if self.start >= self.len() {
            let mut kept = Vec::with_capacity(self.len() + rest.len());
            kept.extend_from_slice(self.as_slice());
            kept.extend_from_slice(rest);
            cost::spend(kept.len());
            (self.bytes, self.start) = (kept, 0);
        } else {
            self.push(rest);
        }
    }

    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
