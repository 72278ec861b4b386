//! Datagrams that wait to be sent: their bytes one after the other in one buffer, so that none costs an allocation.

use std::collections::VecDeque;
use std::io;

use crate::address::Address;

/// Datagrams in the order in which they were written.
///
/// It is bounded, because the kernel takes nothing while its own buffer is full, and a program that answers what it is
/// asked would then be made to fill its memory by whoever asks much: beyond [`MOST_BYTES`](Self::MOST_BYTES) or
/// [`MOST_DATAGRAMS`](Self::MOST_DATAGRAMS) the newest is not taken.
///
/// ```
/// use ropewalk_core::Address;
/// use ropewalk_core::driver::DatagramQueue;
///
/// let mut queue = DatagramQueue::default();
/// let peer = Address::Udp("192.0.2.1:53".parse().unwrap());
/// assert!(queue.push(b"one", Some(&peer)) && queue.push(b"two", None));
/// let (data, to) = queue.iter().next().unwrap();
/// assert_eq!((data, to), (&b"one"[..], Some(&peer)));
/// queue.remove(1);
/// assert_eq!(queue.len(), 1);
/// ```
#[derive(Debug, Default)]
pub struct DatagramQueue {
    bytes: Vec<u8>,
    /// Where the first begins.
    start: usize,
    entries: VecDeque<Entry>,
    lost: u64,
    why: Option<io::Error>,
}

#[derive(Debug)]
struct Entry {
    len: usize,
    /// `None` is the peer that the port is connected to.
    peer: Option<Address>,
}

/// An empty queue keeps this much memory, so that a steady exchange allocates nothing.
const KEPT_BYTES: usize = 64 * 1024;

impl DatagramQueue {
    /// So many bytes may wait.
    pub const MOST_BYTES: usize = 1024 * 1024;
    /// So many datagrams may wait.
    pub const MOST_DATAGRAMS: usize = 4096;

    /// Appends a datagram, to the connected peer if no other is named; `false` if there is no room, and then it is not
    /// taken.
    #[must_use]
    pub fn push(&mut self, data: &[u8], peer: Option<&Address>) -> bool {
        if self.entries.len() >= Self::MOST_DATAGRAMS
            || self.waiting_bytes() + data.len() > Self::MOST_BYTES
        {
            return false;
        }
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(data);
        self.entries.push_back(Entry {
            len: data.len(),
            peer: peer.cloned(),
        });
        true
    }

    /// Forgets the first `count`: they are sent.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    pub fn remove(&mut self, count: usize) {
        let gone: usize = self.entries.drain(..count).map(|entry| entry.len).sum();
        self.start += gone;
        if self.entries.is_empty() {
            self.clear();
        }
    }

    /// Forgets the first: the kernel does not take it, for this reason.
    pub fn lose(&mut self, why: io::Error) {
        if !self.is_empty() {
            self.remove(1);
            self.lost += 1;
            self.why = Some(why);
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.start = 0;
    }

    /// How many the kernel did not take since this was asked last, and why the last of them.
    pub fn take_lost(&mut self) -> Option<(u64, io::Error)> {
        let why = self.why.take()?;
        Some((std::mem::take(&mut self.lost), why))
    }

    /// The datagrams from the first on, each with its bytes and its peer, `None` being the connected one.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&Address>)> {
        let mut at = self.start;
        self.entries.iter().map(move |entry| {
            let data = &self.bytes[at..at + entry.len];
            at += entry.len;
            (data, entry.peer.as_ref())
        })
    }

    /// The bytes of the first `count` datagrams, which lie one after the other: for kernels that take several as one.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn first_bytes(&self, count: usize) -> &[u8] {
        let len: usize = self.entries.range(..count).map(|entry| entry.len).sum();
        &self.bytes[self.start..self.start + len]
    }

    /// How many datagrams wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many bytes wait.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(queue: &DatagramQueue) -> Vec<Vec<u8>> {
        queue.iter().map(|(data, _)| data.to_vec()).collect()
    }

    #[test]
    fn datagrams_keep_their_order_and_bounds() {
        let mut queue = DatagramQueue::default();
        for text in ["one", "", "three"] {
            assert!(queue.push(text.as_bytes(), None));
        }
        queue.remove(1);
        assert!(queue.push(b"four", None));
        assert_eq!(waiting(&queue), [&b""[..], b"three", b"four"]);
        queue.lose(io::ErrorKind::OutOfMemory.into());
        assert_eq!(waiting(&queue), [&b"three"[..], b"four"]);
        let (count, why) = queue.take_lost().unwrap();
        assert_eq!((count, why.kind()), (1, io::ErrorKind::OutOfMemory));
        assert!(queue.take_lost().is_none());
        assert_eq!((queue.len(), queue.waiting_bytes()), (2, 9));
    }

    #[test]
    fn a_full_queue_takes_no_more() {
        let mut queue = DatagramQueue::default();
        let half = vec![0; DatagramQueue::MOST_BYTES / 2];
        assert!(queue.push(&half, None) && queue.push(&half, None));
        assert!(!queue.push(b"x", None), "too many bytes");
        queue.remove(1);
        assert!(queue.push(b"x", None));
        queue.clear();
        for _ in 0..DatagramQueue::MOST_DATAGRAMS {
            assert!(queue.push(b"", None));
        }
        assert!(!queue.push(b"", None), "too many datagrams");
    }

    #[test]
    fn a_queue_that_is_never_empty_does_not_grow() {
        let mut queue = DatagramQueue::default();
        assert!(queue.push(&[7; 100], None));
        for _ in 0..10_000 {
            assert!(queue.push(&[7; 100], None));
            queue.remove(1);
        }
        assert!(queue.bytes.capacity() < 1000, "{}", queue.bytes.capacity());
    }
}
