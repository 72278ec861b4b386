//! Bytes on their way out.
//!
//! ```text
//!   small writes ─────────────► head: one Vec, from the reactor's pool ─┐
//!   a chunk while nothing waits ► head: as it is, no copy ──────────────┼─► Driver::send
//!   large chunks ─────────────► rest: queued, no copy ──────────────────┤
//!   ranges of files ──────────► rest: not even read yet ────────────────┘
//! ```
//!
//! Small writes of one turn gather in one buffer and leave in one system call. A connection with nothing to send holds
//! no buffer: it is lent by the reactor's [`Pool`] at the first write and goes back when the last byte is gone.

mod end;
mod file_range;
mod head;
mod passing;
mod pool;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

pub use self::file_range::{FileRange, FileSource};
use self::head::Head;
use self::passing::Passing;
pub use self::pool::{Pool, let_go_shared};
use crate::descriptor::Descriptor;

/// Shared and owned chunks from this size on are queued as they are; smaller ones are copied, which costs less than
/// one more entry in a vectored send, unless nothing else waits. Chosen by measurement (`bench broadcast`).
pub const COPY_BELOW_BYTES: usize = 4096;

/// How many descriptors may wait in one queue, or come with one message. Stops a connection that hands on descriptors
/// to a peer that does not read from taking all that the process may have.
pub const MOST_DESCRIPTORS: usize = 64;

/// A queue of bytes to send, oldest first.
///
/// ```
/// use ropewalk_core::buffer::{Outgoing, Pool};
///
/// let mut pool = Pool::default();
/// let mut outgoing = Outgoing::default();
/// outgoing.write(b"hello, ", &mut pool);
/// outgoing.write(b"world", &mut pool);
/// assert_eq!(outgoing.first(), b"hello, world");
/// outgoing.advance(7, &mut pool);
/// assert_eq!(outgoing.len(), 5);
/// ```
#[derive(Debug, Default)]
pub struct Outgoing {
    head: Head,
    /// How much of the front chunk is gone.
    sent: usize,
    rest: VecDeque<Chunk>,
    len: usize,
    /// Rare, so it takes a word.
    passing: Option<Box<Passing>>,
}

#[derive(Debug)]
enum Chunk {
    Gathered(Vec<u8>),
    Shared(Bytes),
    /// Begins at what was not sent yet.
    File(FileRange),
}

impl Chunk {
    /// What lies in memory.
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
            Self::File(_) => &[],
        }
    }

    fn give_back(self, pool: &mut Pool) {
        match self {
            Self::Gathered(bytes) => pool.give_back(bytes),
            Self::Shared(bytes) => let_go_shared(bytes),
            Self::File(_) => {}
        }
    }

    const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl Outgoing {
    /// How many bytes wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies bytes to the end of the queue.
    #[inline]
    pub fn write(&mut self, data: &[u8], pool: &mut Pool) {
        self.len += data.len();
        match &mut self.head {
            Head::Own(head) if head.capacity() > 0 && self.rest.is_empty() => {
                head.extend_from_slice(data);
            }
            _ => self.write_behind(data, pool),
        }
    }

    fn write_behind(&mut self, data: &[u8], pool: &mut Pool) {
        if data.is_empty() {
            return;
        }
        self.own_head(pool);
        if self.rest.is_empty() {
            self.head.borrowed(pool).extend_from_slice(data);
        } else if let Some(Chunk::Gathered(last)) = self.rest.back_mut() {
            last.extend_from_slice(data);
        } else {
            let mut last = pool.lend();
            last.extend_from_slice(data);
            self.rest.push_back(Chunk::Gathered(last));
        }
    }

    /// Queues a buffer of the pool: as it is when nothing waits, else its content is copied.
    pub(crate) fn write_buffer(&mut self, buffer: Vec<u8>, pool: &mut Pool) {
        if self.is_empty() && !buffer.is_empty() {
            self.release(pool);
            self.len = buffer.len();
            self.head = Head::Own(buffer);
        } else {
            self.write(&buffer, pool);
            pool.give_back(buffer);
        }
    }

    /// Queues a chunk that others may share, without copying it when it is large or nothing else waits.
    pub fn write_shared(&mut self, data: Bytes, pool: &mut Pool) {
        if self.is_empty() && !data.is_empty() {
            self.len = data.len();
            std::mem::replace(&mut self.head, Head::Shared(data)).give_back(pool);
        } else if data.len() < COPY_BELOW_BYTES {
            self.write(&data, pool);
        } else {
            self.len += data.len();
            self.rest.push_back(Chunk::Shared(data));
        }
    }

    /// Bytes are to be written behind a head that is shared: a small one is copied, as its neighbours are.
    #[inline]
    fn own_head(&mut self, pool: &mut Pool) {
        if self.rest.is_empty()
            && let Head::Shared(_) = self.head
        {
            self.queue_head(pool);
        }
    }

    #[cold]
    fn queue_head(&mut self, pool: &mut Pool) {
        if let Head::Shared(data) = std::mem::take(&mut self.head) {
            match data.len() < COPY_BELOW_BYTES {
                true => self.head.borrowed(pool).extend_from_slice(&data),
                false => self.rest.push_back(Chunk::Shared(data)),
            }
        }
    }

    /// Queues a stretch of a file, of which nothing is read before the peer takes it.
    pub fn write_file(&mut self, range: FileRange) {
        if !range.is_empty() {
            self.len += range.len();
            self.rest.push_back(Chunk::File(range));
        }
    }

    /// How many of the bytes that wait lie in memory.
    pub(crate) fn held_bytes(&self) -> usize {
        let in_files = self.rest.iter().map(|chunk| match chunk {
            Chunk::File(range) => range.len(),
            Chunk::Gathered(_) | Chunk::Shared(_) => 0,
        });
        self.len - in_files.sum::<usize>()
    }

    /// The file whose bytes are next, if they are of a file: for drivers that have the kernel send them.
    #[must_use]
    #[inline]
    pub fn first_file(&self) -> Option<&FileRange> {
        match self.rest.front() {
            Some(Chunk::File(range)) if self.head.is_empty() => Some(range),
            _ => None,
        }
    }

    /// Reads the beginning of the file whose bytes are next, if they are of a file, so that [`first`](Self::first) has them:
    /// for layers, and for drivers that cannot send files otherwise.
    ///
    /// # Errors
    ///
    /// The file cannot be read or became shorter; the connection must end, so that the peer sees what it has is not all.
    pub fn read_file(&mut self, pool: &mut Pool) -> io::Result<()> {
        if self.head.is_empty()
            && let Some(Chunk::File(range)) = self.rest.front_mut()
        {
            range.read(self.head.borrowed(pool), file_range::READ_BYTES)?;
            if range.is_empty() {
                self.rest.pop_front();
            }
        }
        Ok(())
    }

    /// Whether bytes in memory are followed by more, of a file.
    #[must_use]
    #[inline]
    pub fn is_before_file(&self) -> bool {
        !self.head.is_empty() && self.rest.front().is_some_and(Chunk::is_file)
    }

    /// The bytes at the front that lie together in memory; empty only when nothing waits, or a [file](Self::first_file) is next.
    #[must_use]
    #[inline]
    pub fn first(&self) -> &[u8] {
        if self.sent < self.head.len() {
            &self.head[self.sent..]
        } else {
            self.rest
                .front()
                .map_or(&[], |chunk| &chunk.as_slice()[self.sent_of_rest()..])
        }
    }

    /// Whether more than [`first`](Self::first) waits, so that a vectored send pays.
    #[must_use]
    #[inline]
    pub fn is_scattered(&self) -> bool {
        !self.rest.is_empty() && self.first().len() < self.len
    }

    /// Fills `slices` with the front of the queue for a vectored send, up to the next file; returns how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let skip_of_rest = self.sent_of_rest();
        let head = self.head.get(self.sent..).filter(|head| !head.is_empty());
        let rest = self.rest.iter().take_while(|chunk| !chunk.is_file());
        let rest = rest.enumerate().map(|(position, chunk)| {
            let skip = if position == 0 { skip_of_rest } else { 0 };
            &chunk.as_slice()[skip..]
        });
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(head.into_iter().chain(rest)) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// Drops `count` bytes from the front: they were sent. Buffers that ran empty go back to the pool.
    ///
    /// # Panics
    ///
    /// If fewer than `count` bytes wait.
    #[inline(always)]
    pub fn advance(&mut self, count: usize, pool: &mut Pool) {
        assert!(
            count <= self.len,
            "a driver sent {count} of {} bytes",
            self.len
        );
        if count == self.len && self.passing.is_none() {
            self.len = 0;
            self.release(pool);
        } else {
            self.advance_partly(count, pool);
        }
    }

    fn advance_partly(&mut self, count: usize, pool: &mut Pool) {
        self.len -= count;
        self.sent += count;
        if let Some(passing) = &mut self.passing {
            passing.sent(count);
            self.forget_passing();
        }
        if self.len == 0 {
            self.release(pool);
        } else if self.sent >= self.head.len() {
            self.drop_sent_chunks(pool);
        }
    }

    /// Moves everything out, for a driver that keeps the buffer until the kernel reports (completion).
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Moves the front out, at most so many bytes, none of them in files any more: what a completion driver holds must be gone
    /// within a while that tells a slow peer from a dead one.
    ///
    /// # Errors
    ///
    /// As [`read_file`](Self::read_file).
    pub fn take_front(&mut self, most: usize, pool: &mut Pool) -> io::Result<Self> {
        if self.len <= most && self.held_bytes() == self.len {
            return Ok(self.take());
        }
        let mut front = Self::default();
        while front.len < most && !self.is_empty() {
            self.read_file(pool)?;
            for descriptor in self.take_descriptors() {
                let before = front.len;
                front.passing_mut().push(before, descriptor);
            }
            let piece = self.first();
            let length = piece.len().min(most - front.len);
            let length = length.min(self.until_descriptor());
            front.write(&piece[..length], pool);
            self.advance(length, pool);
        }
        Ok(front)
    }

    /// Forgets everything, closes descriptors, gives buffers back.
    pub fn clear(&mut self, pool: &mut Pool) {
        self.len = 0;
        self.passing = None;
        self.release(pool);
    }

    /// Queues a descriptor: it goes with the next byte that is written.
    ///
    /// # Errors
    ///
    /// [`MOST_DESCRIPTORS`] wait already; this one comes back.
    pub fn pass(&mut self, descriptor: Descriptor) -> Result<(), Descriptor> {
        let len = self.len;
        if self
            .passing
            .as_ref()
            .is_some_and(|passing| passing.len() >= MOST_DESCRIPTORS)
        {
            return Err(descriptor);
        }
        self.passing_mut().push(len, descriptor);
        Ok(())
    }

    /// Whether descriptors wait, so that a send must look at where.
    #[must_use]
    #[inline]
    pub const fn has_descriptors(&self) -> bool {
        self.passing.is_some()
    }

    /// The descriptors that must go with the next byte. [`advance`](Self::advance) closes them.
    pub fn descriptors(&self) -> impl Iterator<Item = &Descriptor> {
        self.passing.iter().flat_map(|passing| passing.next())
    }

    /// Takes out the descriptors that go with the next byte.
    pub fn take_descriptors(&mut self) -> Vec<Descriptor> {
        let taken = self.passing.as_mut().map(|passing| passing.take_next());
        self.forget_passing();
        taken.unwrap_or_default()
    }

    /// How many bytes may go in one message before a later descriptor has its turn.
    #[must_use]
    pub fn until_descriptor(&self) -> usize {
        let later = self
            .passing
            .as_ref()
            .and_then(|passing| passing.until_later());
        later.unwrap_or(self.len)
    }

    fn passing_mut(&mut self) -> &mut Passing {
        self.passing.get_or_insert_default()
    }

    fn forget_passing(&mut self) {
        if self
            .passing
            .as_ref()
            .is_some_and(|passing| passing.is_empty())
        {
            self.passing = None;
        }
    }

    /// Appends the content of another queue, without copying its large chunks.
    pub fn append(&mut self, mut other: Self, pool: &mut Pool) {
        if let Some(passing) = other.passing.take() {
            let len = self.len;
            self.passing_mut().append(*passing, len);
        }
        match &other.head {
            Head::Shared(data) if other.sent < data.len() => {
                self.write_shared(data.slice(other.sent..), pool);
            }
            head => self.write(head.get(other.sent..).unwrap_or(&[]), pool),
        }
        let mut skip = other.sent_of_rest();
        for chunk in std::mem::take(&mut other.rest) {
            match chunk {
                Chunk::Gathered(bytes) => self.write(&bytes[skip..], pool),
                Chunk::Shared(bytes) => self.write_shared(bytes.slice(skip..), pool),
                Chunk::File(range) => self.write_file(range),
            }
            skip = 0;
        }
        other.head.give_back(pool);
    }

    /// Everything that waits in memory, copied into one vector; for tests and tracing.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = self.head.get(self.sent..).unwrap_or(&[]).to_vec();
        let mut skip = self.sent_of_rest();
        for chunk in &self.rest {
            all.extend_from_slice(&chunk.as_slice()[skip..]);
            skip = 0;
        }
        all
    }

    /// `sent` counts over `head` while it lasts, then over the front of `rest`.
    fn sent_of_rest(&self) -> usize {
        self.sent.saturating_sub(self.head.len())
    }

    fn drop_sent_chunks(&mut self, pool: &mut Pool) {
        self.sent -= self.head.len();
        std::mem::take(&mut self.head).give_back(pool);
        while let Some(front) = self.rest.front_mut() {
            if let Chunk::File(range) = front {
                let of_file = self.sent.min(range.len());
                range.skip(of_file);
                self.sent -= of_file;
                if !range.is_empty() {
                    return;
                }
            } else if self.sent < front.as_slice().len() {
                return;
            }
            self.sent -= front.as_slice().len();
            if let Some(chunk) = self.rest.pop_front() {
                chunk.give_back(pool);
            }
        }
    }

    #[inline]
    fn release(&mut self, pool: &mut Pool) {
        self.sent = 0;
        std::mem::take(&mut self.head).give_back(pool);
        if self.rest.capacity() > 0 {
            self.release_rest(pool);
        }
    }

    #[cold]
    fn release_rest(&mut self, pool: &mut Pool) {
        for chunk in std::mem::take(&mut self.rest) {
            chunk.give_back(pool);
        }
    }
}
