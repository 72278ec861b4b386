//! Failures that nobody looked at.

use std::collections::VecDeque;
use std::panic::Location;

use crate::failure::Failure;

/// How many are kept for whoever asks. A server that nobody asks must not grow by them; each was logged when it happened.
const KEPT: usize = 100;

/// A failure that nobody looked at before its Deferred was dropped, or a panic where there was no Deferred to fail.
#[derive(Debug)]
pub struct Unhandled {
    /// What went wrong, and where.
    pub failure: Failure,
    /// Where the Deferred was made, the task spawned, or the call queued.
    pub made: &'static Location<'static>,
}

/// The newest unhandled failures and the number of all.
#[derive(Debug, Default)]
pub(crate) struct Record {
    kept: VecDeque<Unhandled>,
    count: u64,
}

impl Record {
    /// Adds one; gives back the oldest if there are too many, to be dropped outside any borrow.
    pub(crate) fn add(&mut self, unhandled: Unhandled) -> Option<Unhandled> {
        self.count += 1;
        self.kept.push_back(unhandled);
        if self.kept.len() > KEPT {
            self.kept.pop_front()
        } else {
            None
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Unhandled> {
        self.kept.drain(..).collect()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }
}
