//! Buffers that connections take turns with, and how large ones are let go.

use bytes::Bytes;

/// The reactor's spare buffers, lent to connections while they have something to send.
///
/// A buffer that grew past 512 KiB is freed instead of kept, one past 64 KiB unless few are kept, and no more than 4 MiB are kept
/// in all, so that a burst leaves little behind (USERS P11: one big message must not leave the buffer big for ever), and
/// answers to two thousand connections still find a buffer for each.
#[derive(Debug, Default)]
pub struct Pool {
    pub(super) spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

/// Frees a large buffer, all but a little first. glibc takes the size of a large block that is freed for the size from which
/// blocks are given back to the system: one answer of 16 MiB would make it keep up to 32 MiB of all that is freed later, and one
/// of 2 MiB some 10 MB of holes, if messages grew in its heap then. Of what is not much larger than it knows already it may learn.
#[cold]
fn let_go(mut buffer: Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(Pool::SMALL_CAPACITY);
}

/// Frees bytes that have left, so that a large block of them leaves nothing behind: as [`Pool`] does with its own.
///
/// Of no use for bytes that others share: whoever drops them last frees them as they are.
#[inline]
pub fn let_go_shared(data: Bytes) {
    if data.len() > Pool::LARGE_CAPACITY && data.is_unique() {
        let_go(Vec::from(data));
    }
}

impl Pool {
    const FIRST_CAPACITY: usize = 2048;
    const SMALL_CAPACITY: usize = 64 * 1024;
    const KEPT_CAPACITY: usize = 512 * 1024;
    const LARGE_CAPACITY: usize = 256 * 1024;
    const KEPT_BYTES: usize = 4 * 1024 * 1024;
    /// So much may be kept, with it, for a buffer that is not small.
    const KEPT_BYTES_LARGE: usize = 1024 * 1024;

    /// An empty buffer with room.
    #[inline]
    pub fn lend(&mut self) -> Vec<u8> {
        let Some(buffer) = self.spare.pop() else {
            return Vec::with_capacity(Self::FIRST_CAPACITY);
        };
        self.spare_bytes -= buffer.capacity();
        buffer
    }

    /// Takes a buffer back for the next borrower.
    #[inline]
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        let capacity = buffer.capacity();
        let most = match capacity <= Self::SMALL_CAPACITY {
            true => Self::KEPT_BYTES,
            false => Self::KEPT_BYTES_LARGE,
        };
        let fits = self.spare_bytes + capacity <= most;
        if capacity != 0 && capacity <= Self::KEPT_CAPACITY && fits {
            self.spare_bytes += capacity;
            buffer.clear();
            self.spare.push(buffer);
        } else if capacity > Self::LARGE_CAPACITY {
            let_go(buffer);
        }
    }
}
