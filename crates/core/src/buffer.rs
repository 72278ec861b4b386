//! Bytes on their way out.
//!
//! ```text
//!   small writes ──► head: one Vec, from the reactor's pool ─┐
//!   large owned, shared chunks ──► rest: queued, no copy ────┴─► Driver::send
//! ```
//!
//! Small writes of one turn gather in one buffer and leave in one system call. A connection with nothing to send holds
//! no buffer: it is lent by the reactor's [`Pool`] at the first write and goes back when the last byte is gone.

mod passing;

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::Bytes;

use self::passing::Passing;
use crate::descriptor::Descriptor;

/// Shared and owned chunks from this size on are queued as they are; smaller ones are copied, which costs less than
/// one more entry in a vectored send. Chosen by measurement (`bench broadcast`).
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
    head: Vec<u8>,
    /// How much of the front chunk is gone.
    sent: usize,
    rest: VecDeque<Chunk>,
    len: usize,
    /// Rare, so it takes a word.
    passing: Option<Box<Passing>>,
}

/// The end of a queue, taken out to be appended to.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) buffer: Vec<u8>,
    written: usize,
    /// How many descriptors wait before what will be appended.
    passing: usize,
    /// Whether it is the whole queue; else it is a new buffer, to be copied behind the chunks.
    is_head: bool,
}

#[derive(Debug)]
enum Chunk {
    Gathered(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Gathered(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
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
        if data.is_empty() {
            return;
        }
        self.len += data.len();
        if self.rest.is_empty() {
            if self.head.capacity() == 0 {
                self.head = pool.lend();
            }
            self.head.extend_from_slice(data);
        } else if let Some(Chunk::Gathered(last)) = self.rest.back_mut() {
            last.extend_from_slice(data);
        } else {
            let mut last = pool.lend();
            last.extend_from_slice(data);
            self.rest.push_back(Chunk::Gathered(last));
        }
    }

    /// Takes out the buffer at the end of the queue, so that bytes can be appended right where they shall lie.
    ///
    /// [`put_back`](Self::put_back) must follow. What is written meanwhile comes behind it.
    #[inline]
    pub(crate) fn take_end(&mut self, pool: &mut Pool) -> End {
        let is_head = self.rest.is_empty();
        let mut buffer = if is_head {
            std::mem::take(&mut self.head)
        } else {
            Vec::new()
        };
        self.len -= buffer.len() - if is_head { self.sent } else { 0 };
        if buffer.capacity() == 0 {
            buffer = pool.lend();
        }
        End {
            written: buffer.len(),
            passing: self.passing.as_ref().map_or(0, |passing| passing.len()),
            is_head,
            buffer,
        }
    }

    /// Puts back what [`take_end`](Self::take_end) took, longer by what was appended.
    #[inline]
    pub(crate) fn put_back(&mut self, end: End, pool: &mut Pool) {
        let End {
            buffer,
            written,
            passing,
            is_head,
        } = end;
        assert!(
            buffer.len() >= written,
            "Transport::write_with: the closure took bytes away; it may only append"
        );
        if !is_head {
            self.write(&buffer, pool);
            return pool.give_back(buffer);
        }
        let newer = std::mem::replace(&mut self.head, buffer);
        let before = self.head.len() - self.sent;
        self.len += before;
        if let Some(newer) = &mut self.passing {
            newer.move_back(passing, before);
        }
        self.head.extend_from_slice(&newer);
        pool.give_back(newer);
        if self.head.is_empty() {
            pool.give_back(std::mem::take(&mut self.head));
        }
    }

    /// Queues a buffer of the pool: as it is when nothing waits, else its content is copied.
    pub(crate) fn write_buffer(&mut self, buffer: Vec<u8>, pool: &mut Pool) {
        if self.is_empty() && !buffer.is_empty() {
            self.release(pool);
            self.len = buffer.len();
            self.head = buffer;
        } else {
            self.write(&buffer, pool);
            pool.give_back(buffer);
        }
    }

    /// Queues a chunk that others may share, without copying it when it is large.
    pub fn write_shared(&mut self, data: Bytes, pool: &mut Pool) {
        if data.len() < COPY_BELOW_BYTES {
            self.write(&data, pool);
        } else {
            self.len += data.len();
            self.rest.push_back(Chunk::Shared(data));
        }
    }

    /// The bytes at the front that lie together; empty only when nothing waits.
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

    /// Fills `slices` with the front of the queue for a vectored send; returns how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let skip_of_rest = self.sent_of_rest();
        let head = self.head.get(self.sent..).filter(|head| !head.is_empty());
        let rest = self.rest.iter().enumerate().map(|(position, chunk)| {
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
    #[inline]
    pub fn advance(&mut self, count: usize, pool: &mut Pool) {
        assert!(
            count <= self.len,
            "a driver sent {count} of {} bytes",
            self.len
        );
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

    /// Moves the front out, at most so many bytes: what a completion driver holds must be gone within a while that tells a slow
    /// peer from a dead one.
    #[must_use]
    pub fn take_front(&mut self, most: usize, pool: &mut Pool) -> Self {
        if self.len <= most {
            return self.take();
        }
        let mut front = Self::default();
        while front.len < most {
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
        front
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
        self.write(other.head.get(other.sent..).unwrap_or(&[]), pool);
        let mut skip = other.sent_of_rest();
        for chunk in std::mem::take(&mut other.rest) {
            match chunk {
                Chunk::Gathered(bytes) => self.write(&bytes[skip..], pool),
                Chunk::Shared(bytes) => self.write_shared(bytes.slice(skip..), pool),
            }
            skip = 0;
        }
        pool.give_back(other.head);
    }

    /// Everything that waits, copied into one vector; for tests and tracing.
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
        pool.give_back(std::mem::take(&mut self.head));
        while let Some(front) = self.rest.front()
            && self.sent >= front.as_slice().len()
        {
            self.sent -= front.as_slice().len();
            if let Some(Chunk::Gathered(bytes)) = self.rest.pop_front() {
                pool.give_back(bytes);
            }
        }
    }

    fn release(&mut self, pool: &mut Pool) {
        self.sent = 0;
        pool.give_back(std::mem::take(&mut self.head));
        if self.rest.capacity() > 0 {
            for chunk in std::mem::take(&mut self.rest) {
                if let Chunk::Gathered(bytes) = chunk {
                    pool.give_back(bytes);
                }
            }
        }
    }
}

/// The reactor's spare buffers, lent to connections while they have something to send.
///
/// A buffer that grew past 64 KiB is freed instead of kept, and no more than 4 MiB are kept in all, so that a burst leaves
/// little behind (USERS P11: one big message must not leave the buffer big for ever), and a broadcast to two thousand
/// connections still finds a buffer for each.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    spare_bytes: usize,
}

impl Pool {
    const FIRST_CAPACITY: usize = 2048;
    const KEPT_CAPACITY: usize = 64 * 1024;
    const KEPT_BYTES: usize = 4 * 1024 * 1024;

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
        let fits = self.spare_bytes + capacity <= Self::KEPT_BYTES;
        if capacity != 0 && capacity <= Self::KEPT_CAPACITY && fits {
            self.spare_bytes += capacity;
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Step {
        Write(usize),
        Share(usize),
        Advance(usize),
        TakeAndAppend,
        TakeFront(usize),
        Fill(usize, usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3000_usize).prop_map(Step::Write),
            (0..3 * COPY_BELOW_BYTES).prop_map(Step::Share),
            (0..9000_usize).prop_map(Step::Advance),
            Just(Step::TakeAndAppend),
            (1..9000_usize).prop_map(Step::TakeFront),
            (0..3000_usize, 0..2 * COPY_BELOW_BYTES)
                .prop_map(|(n, meanwhile)| Step::Fill(n, meanwhile)),
        ]
    }

    proptest! {
        #[test]
        fn bytes_leave_in_the_order_of_writes(steps in proptest::collection::vec(step(), 0..60)) {
            let (mut outgoing, mut pool, mut model) = (Outgoing::default(), Pool::default(), Vec::new());
            for (number, step) in steps.into_iter().enumerate() {
                let byte = number as u8;
                match step {
                    Step::Write(n) => { outgoing.write(&vec![byte; n], &mut pool); model.extend(vec![byte; n]); }
                    Step::Share(n) => { outgoing.write_shared(vec![byte; n].into(), &mut pool); model.extend(vec![byte; n]); }
                    Step::Advance(n) => { let n = n.min(model.len()); outgoing.advance(n, &mut pool); model.drain(..n); }
                    Step::TakeFront(n) => {
                        let front = outgoing.take_front(n, &mut pool).to_vec();
                        let expected: Vec<u8> = model.drain(..n.min(model.len())).collect();
                        prop_assert_eq!(front, expected);
                    }
                    Step::TakeAndAppend => { let taken = outgoing.take(); outgoing.append(taken, &mut pool); }
                    Step::Fill(n, meanwhile) => {
                        let was_scattered = !outgoing.rest.is_empty();
                        let mut end = outgoing.take_end(&mut pool);
                        end.buffer.extend(vec![byte; n]);
                        if was_scattered { model.extend(vec![byte; n]); outgoing.put_back(end, &mut pool); }
                        else {
                            model.extend(vec![byte; n]);
                            model.extend(vec![!byte; meanwhile]);
                            outgoing.write_shared(vec![!byte; meanwhile].into(), &mut pool);
                            outgoing.put_back(end, &mut pool);
                        }
                    }
                }
                let mut slices = [IoSlice::new(&[]); 64];
                let filled = outgoing.slices(&mut slices);
                let seen: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert_eq!(&seen, &model);
                prop_assert_eq!(&outgoing.to_vec(), &model);
                prop_assert_eq!(outgoing.len(), model.len());
                prop_assert!(model.is_empty() || !outgoing.first().is_empty());
                prop_assert_eq!(outgoing.is_scattered(), outgoing.first().len() < model.len());
            }
        }
    }

    #[derive(Clone, Debug)]
    enum Passed {
        Write(usize),
        Share(usize),
        Fill(usize, usize),
        Pass,
        Send(usize),
        Requeue(usize),
    }

    fn passed() -> impl Strategy<Value = Passed> {
        prop_oneof![
            (0..5_usize).prop_map(Passed::Write),
            (0..2 * COPY_BELOW_BYTES).prop_map(Passed::Share),
            (0..5_usize, 0..3_usize).prop_map(|(n, late)| Passed::Fill(n, late)),
            Just(Passed::Pass),
            (1..9_usize).prop_map(Passed::Send),
            (1..9000_usize).prop_map(Passed::Requeue),
        ]
    }

    proptest! {
        /// Rule 89: each descriptor goes with the first byte written after it, whatever becomes of the queue meanwhile.
        #[test]
        fn r089_a_descriptor_goes_with_the_next_byte(steps in proptest::collection::vec(passed(), 0..80)) {
            let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
            // What is owed, in order: bytes, and descriptors by number.
            let (mut owed, mut next) = (VecDeque::<Option<usize>>::new(), 0);
            for step in steps {
                match step {
                    Passed::Write(n) => { outgoing.write(&vec![0; n], &mut pool); owed.extend(vec![None; n]); }
                    Passed::Share(n) => { outgoing.write_shared(vec![0; n].into(), &mut pool); owed.extend(vec![None; n]); }
                    Passed::Fill(n, late) => {
                        let mut end = outgoing.take_end(&mut pool);
                        end.buffer.extend(vec![0; n]);
                        let was_head = end.is_head;
                        if was_head && outgoing.pass(Descriptor::new(next)).is_ok() {
                            outgoing.write(&vec![0; late], &mut pool);
                            owed.extend(vec![None; n]);
                            owed.push_back(Some(next));
                            owed.extend(vec![None; late]);
                            next += 1;
                        } else {
                            owed.extend(vec![None; n]);
                        }
                        outgoing.put_back(end, &mut pool);
                    }
                    Passed::Pass => if outgoing.pass(Descriptor::new(next)).is_ok() { owed.push_back(Some(next)); next += 1; },
                    Passed::Requeue(n) => {
                        let mut front = outgoing.take_front(n, &mut pool);
                        front.append(outgoing.take(), &mut pool);
                        outgoing = front;
                    }
                    Passed::Send(n) => while !outgoing.is_empty() {
                        let count = outgoing.first().len().min(outgoing.until_descriptor()).min(n * 1000);
                        for descriptor in outgoing.descriptors() {
                            prop_assert_eq!(owed.pop_front(), Some(descriptor.inner::<usize>().copied()));
                        }
                        outgoing.advance(count, &mut pool);
                        let sent: Vec<_> = owed.drain(..count).collect();
                        prop_assert!(sent.iter().all(Option::is_none));
                        if n % 2 == 0 { break }
                    },
                }
            }
            let waiting = owed.iter().flatten().count();
            prop_assert_eq!(waiting > 0, outgoing.has_descriptors());
        }
    }

    #[test]
    fn no_more_descriptors_wait_than_the_limit() {
        let mut outgoing = Outgoing::default();
        for number in 0..MOST_DESCRIPTORS {
            assert!(outgoing.pass(Descriptor::new(number)).is_ok());
        }
        assert!(outgoing.pass(Descriptor::new("one too many")).is_err());
    }

    #[test]
    fn a_drained_queue_owns_no_memory() {
        let (mut outgoing, mut pool) = (Outgoing::default(), Pool::default());
        outgoing.write(&[0; 100_000], &mut pool);
        outgoing.write_shared(vec![0; 100_000].into(), &mut pool);
        outgoing.advance(200_000, &mut pool);
        assert_eq!((outgoing.head.capacity(), outgoing.rest.capacity()), (0, 0));
        assert!(
            pool.spare.is_empty(),
            "a buffer that grew large is not kept"
        );
    }
}
