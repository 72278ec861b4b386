//! The bytes of one direction of one connection, counted, not yet timed.
//!
//! ```text
//!   read ◄── unread ◄── land ── flying ◄── depart ── unsent ◄── accept
//!            └ receive window ──────┘        (both ≤ send buffer)
//! ```
//!
//! All lie in one queue, oldest first, and only the counters move, so no byte can be doubled or overtaken. When each
//! segment lands is told by the network; this knows no clock.

use std::collections::VecDeque;
use std::time::Duration;

use ropewalk_core::Descriptor;

/// The end of the stream, which travels behind its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fin {
    /// More may be written.
    None,
    /// Behind the unsent bytes.
    Queued,
    /// Under way.
    Flying,
    /// Behind the unread bytes.
    Landed,
}

#[derive(Debug)]
pub(crate) struct Pipe {
    bytes: VecDeque<u8>,
    /// Lengths of what landed and was not read.
    landed: VecDeque<usize>,
    unread: usize,
    flying: VecDeque<Segment>,
    in_flight: usize,
    unsent: usize,
    /// Landed, but the sender has not heard of it.
    unacknowledged: usize,
    fin: Fin,
    /// Nothing lands before this time.
    floor: Duration,
    send_buffer: usize,
    receive_buffer: usize,
    accepted: u64,
    delivered: u64,
    /// Descriptors, each with how many bytes were ever accepted before it.
    passing: VecDeque<(u64, Descriptor)>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    len: usize,
    due: Duration,
}

impl Pipe {
    pub(crate) fn new(send_buffer: usize, receive_buffer: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            landed: VecDeque::new(),
            unread: 0,
            flying: VecDeque::new(),
            in_flight: 0,
            unsent: 0,
            unacknowledged: 0,
            fin: Fin::None,
            floor: Duration::ZERO,
            // A buffer of nothing would stop the world.
            send_buffer: send_buffer.max(1),
            receive_buffer: receive_buffer.max(1),
            accepted: 0,
            delivered: 0,
            passing: VecDeque::new(),
        }
    }

    /// Takes as many bytes as the send buffer has room for; returns how many.
    pub(crate) fn accept(&mut self, data: &[u8]) -> usize {
        let taken = data.len().min(self.room());
        self.bytes.extend(&data[..taken]);
        self.unsent += taken;
        self.accepted += taken as u64;
        taken
    }

    /// Takes descriptors that go with the byte that is accepted next.
    pub(crate) fn pass(&mut self, descriptors: Vec<Descriptor>) {
        let before = self.accepted;
        let passing = descriptors
            .into_iter()
            .map(|descriptor| (before, descriptor));
        self.passing.extend(passing);
    }

    /// Takes out the descriptors that go with the byte that is read next.
    pub(crate) fn take_passed(&mut self) -> Vec<Descriptor> {
        let read = self.delivered - self.unread as u64;
        let next = self
            .passing
            .iter()
            .take_while(|(before, _)| *before <= read);
        let count = next.count();
        self.passing
            .drain(..count)
            .map(|(_, descriptor)| descriptor)
            .collect()
    }

    /// How many bytes may be read before the next descriptor's turn.
    pub(crate) fn until_passed(&self) -> usize {
        let read = self.delivered - self.unread as u64;
        let next = self.passing.front();
        next.map_or(usize::MAX, |(before, _)| (before - read) as usize)
    }

    /// Ends the stream after what was accepted.
    pub(crate) fn finish(&mut self) {
        if self.fin == Fin::None {
            self.fin = Fin::Queued;
        }
    }

    /// How many unsent bytes the receive window lets go.
    pub(crate) fn departable(&self) -> usize {
        let window = self
            .receive_buffer
            .saturating_sub(self.in_flight + self.unread);
        self.unsent.min(window)
    }

    /// Whether only the end of the stream is left to send.
    pub(crate) fn fin_is_next(&self) -> bool {
        self.fin == Fin::Queued && self.unsent == 0
    }

    /// Sends the next `len` unsent bytes on their way, or the end of the stream if `len` is 0.
    ///
    /// A segment never overtakes: one that would is due together with the one before it.
    pub(crate) fn depart(&mut self, len: usize, due: Duration) {
        if len == 0 {
            self.fin = Fin::Flying;
        }
        self.unsent -= len;
        self.in_flight += len;
        self.floor = self.floor.max(due);
        let due = self.floor;
        self.flying.push_back(Segment { len, due });
    }

    /// Nothing lands before `floor`: something else is under way ahead of it.
    pub(crate) fn not_before(&mut self, floor: Duration) {
        self.floor = self.floor.max(floor);
    }

    /// When the first segment under way is due.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        self.flying.front().map(|segment| segment.due)
    }

    /// How long the first segment under way is; 0 is the end of the stream.
    pub(crate) fn next_len(&self) -> Option<usize> {
        self.flying.front().map(|segment| segment.len)
    }

    /// Everything under way is due again, no earlier than `due`: it waited for the link.
    pub(crate) fn delay_until(&mut self, due: Duration) {
        self.floor = self.floor.max(due);
        self.flying
            .iter_mut()
            .for_each(|segment| segment.due = segment.due.max(due));
    }

    /// The first segment under way has come, or only `at_most` bytes of it; the rest flies on.
    pub(crate) fn land(&mut self, at_most: usize) {
        let Some(first) = self.flying.front_mut() else {
            return;
        };
        let is_end = first.len == 0;
        let len = first.len.min(at_most);
        first.len -= len;
        if first.len == 0 {
            self.flying.pop_front();
        }
        if is_end {
            self.fin = Fin::Landed;
        }
        if len == 0 {
            return;
        }
        self.in_flight -= len;
        self.unread += len;
        self.unacknowledged += len;
        self.delivered += len as u64;
        self.landed.push_back(len);
    }

    /// The sender hears of everything that landed.
    pub(crate) fn acknowledge(&mut self) -> bool {
        std::mem::take(&mut self.unacknowledged) > 0
    }

    /// Moves the first segment that landed into `into`, and those after it while `joins` says so and `into` stays
    /// within `limit`.
    pub(crate) fn read(
        &mut self,
        into: &mut Vec<u8>,
        limit: usize,
        mut joins: impl FnMut() -> bool,
    ) {
        let mut len = 0;
        while let Some(first) = self.landed.front_mut() {
            let taken = (*first).min(limit - len);
            len += taken;
            *first -= taken;
            if *first == 0 {
                self.landed.pop_front();
            }
            if len == limit || !joins() {
                break;
            }
        }
        self.unread -= len;
        into.extend(self.bytes.drain(..len));
    }

    /// Throws away what landed: nobody will read it.
    pub(crate) fn discard_unread(&mut self) {
        self.bytes.drain(..self.unread);
        self.unread = 0;
        self.landed.clear();
        let read = self.delivered;
        self.passing.retain(|(before, _)| *before >= read);
    }

    /// Throws away what did not leave yet: its sender is dead.
    pub(crate) fn discard_unsent(&mut self) {
        self.bytes.truncate(self.bytes.len() - self.unsent);
        self.forget_passing_from(self.accepted - self.unsent as u64);
        self.unsent = 0;
        if self.fin == Fin::Queued {
            self.fin = Fin::None;
        }
    }

    /// Throws away what did not land yet, and an end that did not: the connection broke.
    pub(crate) fn cut_off(&mut self) {
        self.bytes.truncate(self.unread);
        self.forget_passing_from(self.delivered);
        self.flying.clear();
        (self.in_flight, self.unsent, self.unacknowledged) = (0, 0, 0);
        if self.fin != Fin::Landed {
            self.fin = Fin::None;
        }
    }

    fn forget_passing_from(&mut self, place: u64) {
        self.passing.retain(|(before, _)| *before < place);
    }

    /// Throws away everything: a reset.
    pub(crate) fn clear(&mut self) {
        self.cut_off();
        self.discard_unread();
    }

    /// How many bytes the send buffer still takes.
    pub(crate) fn room(&self) -> usize {
        self.send_buffer
            .saturating_sub(self.unsent + self.in_flight + self.unacknowledged)
    }

    /// Whether there is so much room that a blocked writer is worth waking (a third, as on Linux).
    pub(crate) fn is_roomy(&self) -> bool {
        self.room() >= self.send_buffer.div_ceil(3)
    }

    /// Whether the sender waits to hear that something arrived.
    pub(crate) fn is_outstanding(&self) -> bool {
        self.unsent + self.in_flight + self.unacknowledged > 0
            || matches!(self.fin, Fin::Queued | Fin::Flying)
    }

    pub(crate) const fn fin(&self) -> Fin {
        self.fin
    }

    pub(crate) const fn unread(&self) -> usize {
        self.unread
    }

    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(crate) const fn unsent(&self) -> usize {
        self.unsent
    }

    /// How many bytes the sender ever gave.
    pub(crate) const fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many bytes ever landed.
    pub(crate) const fn delivered(&self) -> u64 {
        self.delivered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOON: Duration = Duration::from_millis(1);

    fn read(pipe: &mut Pipe, limit: usize, joins: bool) -> Vec<u8> {
        let mut into = Vec::new();
        pipe.read(&mut into, limit, || joins);
        into
    }

    #[test]
    fn buffers_bound_what_waits() {
        let mut pipe = Pipe::new(10, 4);
        assert_eq!(pipe.accept(b"0123456789abc"), 10);
        assert_eq!(pipe.departable(), 4);
        pipe.depart(3, SOON);
        pipe.land(3);
        assert_eq!(
            (pipe.departable(), pipe.room()),
            (1, 0),
            "unread fills the window"
        );
        assert!(pipe.acknowledge() && !pipe.acknowledge());
        assert_eq!((pipe.room(), pipe.is_roomy()), (3, false));
        assert_eq!(read(&mut pipe, 100, true), b"012");
        assert_eq!(pipe.departable(), 4);
    }

    #[test]
    fn segments_stay_apart_unless_joined() {
        let mut pipe = Pipe::new(100, 100);
        pipe.accept(b"abcdef");
        [1, 2, 3].iter().for_each(|&len| pipe.depart(len, SOON));
        (0..3).for_each(|_| pipe.land(usize::MAX));
        assert_eq!(read(&mut pipe, 100, false), b"a");
        assert_eq!(read(&mut pipe, 1, false), b"b");
        assert_eq!(read(&mut pipe, 100, true), b"cdef");
    }

    #[test]
    fn a_segment_never_overtakes() {
        let mut pipe = Pipe::new(100, 100);
        pipe.accept(b"ab");
        pipe.depart(1, SOON * 5);
        pipe.depart(1, SOON);
        pipe.land(usize::MAX);
        assert_eq!(pipe.next_due(), Some(SOON * 5));
    }

    #[test]
    fn the_end_travels_last() {
        let mut pipe = Pipe::new(100, 2);
        pipe.accept(b"abc");
        pipe.finish();
        pipe.depart(2, SOON);
        assert!(!pipe.fin_is_next() && pipe.is_outstanding());
        pipe.land(2);
        read(&mut pipe, 100, true);
        pipe.depart(1, SOON);
        pipe.land(1);
        assert!(pipe.fin_is_next());
        pipe.depart(0, SOON);
        assert_eq!(pipe.next_len(), Some(0));
        pipe.land(usize::MAX);
        pipe.acknowledge();
        assert_eq!((pipe.fin(), pipe.is_outstanding()), (Fin::Landed, false));
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_doubled_or_overtaken(
            steps in proptest::collection::vec((0..4_u8, 1..40_usize), 1..200),
            buffers in (1..50_usize, 1..50_usize),
        ) {
            let mut pipe = Pipe::new(buffers.0, buffers.1);
            let (mut next, mut seen) = (0_u8, Vec::new());
            for (step, count) in steps {
                match step {
                    0 => {
                        let data: Vec<u8> = (0..count).map(|n| next.wrapping_add(n as u8)).collect();
                        next = next.wrapping_add(pipe.accept(&data) as u8);
                    }
                    1 => {
                        let len = pipe.departable().min(count);
                        if len > 0 { pipe.depart(len, SOON) }
                    }
                    2 => if pipe.next_due().is_some() { pipe.land(count); pipe.acknowledge(); },
                    _ => pipe.read(&mut seen, count, || count % 2 == 0),
                }
                let held = pipe.unread() + pipe.in_flight() + pipe.unsent();
                prop_assert_eq!(pipe.accepted(), (seen.len() + held) as u64);
                prop_assert_eq!(pipe.delivered(), (seen.len() + pipe.unread()) as u64);
                prop_assert!(pipe.unread() + pipe.in_flight() <= buffers.1);
                prop_assert!(pipe.in_flight() + pipe.unsent() <= buffers.0);
            }
            let expected: Vec<u8> = (0..seen.len()).map(|n| n as u8).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
