//! Descriptors on their way out, between the bytes of a queue.

use std::collections::VecDeque;

use crate::descriptor::Descriptor;

/// Descriptors in the order they were queued, each with how many bytes of the queue go before it.
#[derive(Debug, Default)]
pub(super) struct Passing(VecDeque<(usize, Descriptor)>);

impl Passing {
    pub(super) fn push(&mut self, before: usize, descriptor: Descriptor) {
        self.0.push_back((before, descriptor));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that go with the next byte.
    pub(super) fn next(&self) -> impl Iterator<Item = &Descriptor> {
        self.0
            .iter()
            .take_while(|(before, _)| *before == 0)
            .map(|(_, descriptor)| descriptor)
    }

    /// Takes out those that go with the next byte.
    pub(super) fn take_next(&mut self) -> Vec<Descriptor> {
        let count = self.next().count();
        self.0
            .drain(..count)
            .map(|(_, descriptor)| descriptor)
            .collect()
    }

    /// How many bytes go before the first that does not go with the next one.
    pub(super) fn until_later(&self) -> Option<usize> {
        let mut places = self.0.iter().map(|(before, _)| *before);
        places.find(|&before| before > 0)
    }

    /// So many bytes are gone, and with the first of them those that waited for it.
    pub(super) fn sent(&mut self, count: usize) {
        if count > 0 {
            self.take_next();
            self.0
                .iter_mut()
                .for_each(|(before, _)| *before = before.saturating_sub(count));
        }
    }

    /// So many bytes more go before those from `first` on.
    pub(super) fn move_back(&mut self, first: usize, bytes: usize) {
        self.0
            .iter_mut()
            .skip(first)
            .for_each(|(before, _)| *before += bytes);
    }

    /// Puts those of another queue behind, whose bytes follow after `bytes` of ours.
    pub(super) fn append(&mut self, mut other: Self, bytes: usize) {
        other.move_back(0, bytes);
        self.0.append(&mut other.0);
    }
}
