//! Memory for what is long: a message that is put together, and what comes out of a codec.
//!
//! For: buffers that grow to 128 KiB and are let go again. Not for: short ones, which are the allocator's own affair.
//!
//! glibc takes a block of 128 KiB or more straight from the system and gives it back when it is freed; but then it takes the
//! size of that block, up to 32 MiB, for the size from which it does so. All that is shorter is from then on cut out of its heap, where
//! it leaves holes that nobody gives back. Two habits keep it from learning that, and cost other allocators nothing:
//!
//! - what grows to 128 KiB becomes at once so long that it is a block of its own, of which the system counts what is used;
//! - such a block is shrunk before it is freed, or kept by the thread for the next message, up to 2 MiB in all.

use std::cell::RefCell;

/// What is shorter is left to the allocator, which has it in its heap in any case: messages of 64 KiB need no block of their own.
const SMALL_BYTES: usize = 128 * 1024;

/// To so much a block is shrunk before it is freed, which teaches nothing.
const SHRUNK_BYTES: usize = 64 * 1024;

/// What is not has at least this, which is a block of its own also where blocks of 256 KiB were freed.
const LARGE_BYTES: usize = 512 * 1024;

/// A thread keeps so much of large blocks: a server of messages of 1 MiB does not pay for its pages with each of them.
const KEPT_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { blocks: Vec::new(), bytes: 0 }) };
}

/// Large blocks, empty.
struct Kept {
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

/// How a buffer comes to more room.
pub(crate) enum Growth {
    /// It has enough.
    None,
    /// By so much room behind its content.
    Reserve(usize),
    /// Its content moves into this empty one, which may have to grow further.
    Move(Vec<u8>),
}

/// How a buffer with this content and capacity comes to room for `more` bytes.
#[inline]
pub(crate) fn growth(length: usize, capacity: usize, more: usize) -> Growth {
    match capacity - length >= more {
        true => Growth::None,
        false => growth_to(length, capacity, length.saturating_add(more)),
    }
}

fn growth_to(length: usize, capacity: usize, wanted: usize) -> Growth {
    if wanted < SMALL_BYTES || capacity >= LARGE_BYTES {
        return Growth::Reserve(wanted - length);
    }
    match KEPT.with_borrow_mut(Kept::take) {
        Some(block) => Growth::Move(block),
        None => Growth::Reserve(wanted.max(LARGE_BYTES) - length),
    }
}

/// Makes room for `more` bytes behind what `buffer` has.
#[inline]
pub(crate) fn reserve(buffer: &mut Vec<u8>, more: usize) {
    match growth(buffer.len(), buffer.capacity(), more) {
        Growth::None => {}
        Growth::Reserve(room) => buffer.reserve(room),
        Growth::Move(mut block) => {
            block.reserve(buffer.len() + more);
            block.extend_from_slice(buffer);
            *buffer = block;
        }
    }
}

/// Lets go of a buffer.
#[inline]
pub(crate) fn give_back(buffer: Vec<u8>) {
    if buffer.capacity() > SMALL_BYTES {
        KEPT.with_borrow_mut(|kept| kept.give_back(buffer));
    }
}

impl Kept {
    fn take(&mut self) -> Option<Vec<u8>> {
        let block = self.blocks.pop()?;
        self.bytes -= block.capacity();
        Some(block)
    }

    fn give_back(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        buffer.clear();
        if capacity >= LARGE_BYTES && self.bytes + capacity <= KEPT_BYTES {
            self.bytes += capacity;
            self.blocks.push(buffer);
        } else {
            buffer.shrink_to(SHRUNK_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_moves_along_and_what_is_kept_is_bounded() {
        let mut buffers: Vec<Vec<u8>> = (0..8).map(|byte| vec![byte; 1000]).collect();
        for (byte, buffer) in (0..).zip(&mut buffers) {
            reserve(buffer, SMALL_BYTES);
            assert!(buffer.capacity() >= LARGE_BYTES);
            assert_eq!(*buffer, [byte; 1000]);
        }
        let places: Vec<_> = buffers.iter().map(|buffer| buffer.as_ptr()).collect();
        buffers.into_iter().for_each(give_back);
        let kept = KEPT.with_borrow(|kept| (kept.bytes, kept.blocks.len()));
        assert_eq!(kept, (4 * LARGE_BYTES, 4));
        let mut again = vec![7; 10];
        reserve(&mut again, 3 * LARGE_BYTES);
        assert!(again == [7; 10] && again.capacity() >= 3 * LARGE_BYTES + 10);
        reserve(&mut Vec::new(), LARGE_BYTES);
        let mut small = Vec::new();
        reserve(&mut small, SMALL_BYTES - 1);
        assert!(small.capacity() < LARGE_BYTES && !places.contains(&small.as_ptr()));
        KEPT.with_borrow(|kept| assert_eq!(kept.bytes, 2 * LARGE_BYTES));
    }

    #[test]
    fn what_is_very_large_is_not_kept() {
        let mut buffer = Vec::new();
        reserve(&mut buffer, KEPT_BYTES + 1);
        give_back(buffer);
        KEPT.with_borrow(|kept| assert_eq!(kept.bytes, 0));
    }
}
