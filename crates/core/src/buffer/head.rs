//! The front of a queue.

use std::ops::Deref;

use bytes::Bytes;

use super::{Pool, let_go_shared};

/// Bytes that lie together: gathered in a buffer of the pool, or a chunk that was queued while nothing waited, so that what
/// is sent to many connections is copied for none.
#[derive(Debug)]
pub(super) enum Head {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Head {
    /// The buffer to append to, lent by the pool if there is none; a shared chunk is lost.
    #[inline]
    pub(super) fn borrowed(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.capacity() == 0 {
            *self = Self::Own(pool.lend());
        }
        match self {
            Self::Own(buffer) => buffer,
            Self::Shared(_) => unreachable!("its capacity is 0"),
        }
    }

    /// Takes out the buffer, which is empty and without memory if there is none.
    #[inline]
    pub(super) fn take(&mut self) -> Vec<u8> {
        match std::mem::take(self) {
            Self::Own(buffer) => buffer,
            Self::Shared(_) => Vec::new(),
        }
    }

    #[inline]
    pub(super) fn give_back(self, pool: &mut Pool) {
        match self {
            Self::Own(buffer) => pool.give_back(buffer),
            Self::Shared(data) => let_go_shared(data),
        }
    }

    /// Whether it is nothing at all.
    #[inline]
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Own(buffer) if buffer.capacity() == 0)
    }

    /// Of its own memory.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        match self {
            Self::Own(buffer) => buffer.capacity(),
            Self::Shared(_) => 0,
        }
    }
}

impl Default for Head {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl Deref for Head {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(buffer) => buffer,
            Self::Shared(data) => data,
        }
    }
}
