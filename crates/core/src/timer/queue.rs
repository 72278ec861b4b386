//! The queue of pending timers: what is due next, and cheap change of mind.
//!
//! It knows no clock and runs nothing: the reactor asks what is due and calls it. It is not a general priority queue either: almost
//! every timer of a network program is a time-out that is pushed back or cancelled before it is due, so those two must cost least.
//!
//! ```text
//!   TimerKey (index, generation)      schedule, reset ──► young: entries as they came, unsorted
//!        │                                                  │  when one of them may be the next to run:
//!        ▼                                                  ▼  those still true
//!   slots: [ due, sequence, queued, value ] ◄── index ──  heap of (due, sequence, index), smallest first ──► pop
//! ```
//!
//! A slot tells the truth. An entry is only a promise: each pending slot has exactly one that stands for it (`queued` is its sequence),
//! never later than the slot's due time. All other entries are stale and dropped when met. So:
//!
//! - **schedule** appends one entry. Most timers are cancelled young, and those never cost a move in the heap.
//! - **cancel** empties the slot; the entry stays behind, stale.
//! - **reset to later** (the idle time-out at each message) writes to the slot only. When the early entry is met, a new one is made for
//!   the true time: one entry per period of the time-out, not one per message.
//! - **reset to sooner** appends a second entry, and the first becomes stale.
//! - When three in four entries are stale they are swept out, so memory stays bounded by what is pending.
//!
//! Measured and rejected: one heap for all (at a million pending, a schedule and cancel cost four times as much, nearly all of it spent
//! in sorting what was about to be cancelled). Rejected unmeasured: a hierarchical wheel (the exact order needs sorted buckets, and an
//! exact next due time needs either a scan or a wheel that runs ahead of time); a heap that tracks positions (each move in the heap writes
//! into a slot elsewhere in memory).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Below this many entries a sweep saves nothing worth its trouble.
const SWEEP_FROM: usize = 1024;

/// `queued` of an empty slot: no entry has this sequence.
const NOT_QUEUED: u64 = u64::MAX;

/// Names one timer of one [`TimerQueue`], for ever: a key is never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TimerKey {
    index: u32,
    generation: u32,
}

/// Pending timers in the order of their due time, those of equal time in the order of scheduling.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    pending: usize,
    sequence: u64,
    heap: BinaryHeap<Entry>,
    young: Vec<Entry>,
    /// No entry in `young` is due before this.
    young_earliest: u64,
    /// The length of `young` at which stale ones are swept out of it.
    young_limit: usize,
}

#[derive(Debug)]
struct Slot<T> {
    /// When it is due, in nanoseconds of the driver's clock, and which scheduling or reset said so.
    due: u64,
    sequence: u64,
    /// The one entry that stands for this slot: never later than `due`.
    queued_due: u64,
    queued: u64,
    generation: u32,
    value: Option<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    due: u64,
    sequence: u64,
    index: u32,
}

impl<T> TimerQueue<T> {
    /// An empty queue, without memory of its own until the first timer.
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            pending: 0,
            sequence: 0,
            heap: BinaryHeap::new(),
            young: Vec::new(),
            young_earliest: u64::MAX,
            young_limit: SWEEP_FROM,
        }
    }

    /// Adds a timer. A time beyond 584 years counts as 584 years.
    pub(crate) fn schedule(&mut self, due: Duration, value: T) -> TimerKey {
        let (due, sequence) = (to_nanos(due), self.next_sequence());
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.slots[index as usize];
        slot.due = due;
        slot.sequence = sequence;
        slot.value = Some(value);
        let generation = slot.generation;
        self.pending += 1;
        self.enqueue(index);
        TimerKey { index, generation }
    }

    /// Takes a pending timer out and gives its value back, so that the caller drops it outside any borrow.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let value = self.pending_slot(key)?.value.take();
        self.release(key.index);
        self.sweep_if_mostly_stale();
        value
    }

    /// Moves a pending timer to another time; `false` if it ran or was cancelled. It then stands behind others of the same time.
    pub(crate) fn reset(&mut self, key: TimerKey, due: Duration) -> bool {
        let (due, sequence) = (to_nanos(due), self.next_sequence());
        let Some(slot) = self.pending_slot(key) else {
            return false;
        };
        slot.due = due;
        slot.sequence = sequence;
        if due < slot.queued_due {
            self.enqueue(key.index);
            self.sweep_if_mostly_stale();
        }
        true
    }

    /// When a pending timer is due; `None` if it ran or was cancelled.
    pub(crate) fn due(&self, key: TimerKey) -> Option<Duration> {
        let slot = self.slots.get(key.index as usize)?;
        let pending = slot.generation == key.generation && slot.value.is_some();
        pending.then(|| Duration::from_nanos(slot.due))
    }

    /// The exact time of the earliest pending timer. Takes stale entries off the top, hence `&mut`.
    pub(crate) fn next_due(&mut self) -> Option<Duration> {
        self.earliest().map(|entry| Duration::from_nanos(entry.due))
    }

    /// A point in the order of scheduling, for [`pop_due`](Self::pop_due).
    pub(crate) fn mark(&self) -> u64 {
        self.sequence
    }

    /// Takes the earliest timer if it is due at `now` and was scheduled, or last reset, before the mark.
    ///
    /// A pass takes a mark, then pops until `None`: what the called timers schedule belongs to the next pass (rule 18). It stops at the
    /// first timer from after the mark, never jumps over it: the order of due times holds always.
    pub(crate) fn pop_due(&mut self, now: Duration, before: u64) -> Option<(TimerKey, T)> {
        let entry = self.earliest()?;
        if entry.due > to_nanos(now) || entry.sequence >= before {
            return None;
        }
        self.heap.pop();
        let slot = &mut self.slots[entry.index as usize];
        let key = TimerKey {
            index: entry.index,
            generation: slot.generation,
        };
        let value = slot.value.take()?;
        self.release(entry.index);
        Some((key, value))
    }

    /// How many timers are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending
    }

    /// Whether no timer is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// The pending timers in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerKey, Duration, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let key = TimerKey {
                index: index as u32,
                generation: slot.generation,
            };
            let value = slot.value.as_ref()?;
            Some((key, Duration::from_nanos(slot.due), value))
        })
    }

    /// Cancels all and gives the values back in the order in which they would have run.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let everything = self.mark();
        std::iter::from_fn(|| self.pop_due(Duration::MAX, everything))
            .map(|(_, value)| value)
            .collect()
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }

    /// # Panics
    ///
    /// If more than 4 294 967 295 timers are pending, for which memory ends first.
    fn grow(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len()).expect("at most u32::MAX timers");
        self.slots.push(Slot {
            due: 0,
            sequence: 0,
            queued_due: 0,
            queued: NOT_QUEUED,
            generation: 0,
            value: None,
        });
        index
    }

    fn pending_slot(&mut self, key: TimerKey) -> Option<&mut Slot<T>> {
        self.slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.generation == key.generation && slot.value.is_some())
    }

    /// Makes the entry that stands for a slot; an older one becomes stale.
    fn enqueue(&mut self, index: u32) {
        if self.young.len() >= self.young_limit {
            self.sweep_young();
        }
        let slot = &mut self.slots[index as usize];
        slot.queued_due = slot.due;
        slot.queued = slot.sequence;
        let (due, sequence) = (slot.due, slot.sequence);
        self.young_earliest = self.young_earliest.min(due);
        self.young.push(Entry {
            due,
            sequence,
            index,
        });
    }

    /// Makes an emptied slot free for the next timer. One whose generations are used up stays empty: no key may name two timers.
    fn release(&mut self, index: u32) {
        self.pending -= 1;
        let slot = &mut self.slots[index as usize];
        slot.queued = NOT_QUEUED;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(index);
        }
    }

    /// The top of the heap, once it tells the truth and nothing young can be before it.
    fn earliest(&mut self) -> Option<Entry> {
        loop {
            let top = self.heap.peek().copied();
            if !self.young.is_empty() && top.is_none_or(|top| self.young_earliest <= top.due) {
                self.settle_young();
                continue;
            }
            let entry = top?;
            let slot = &self.slots[entry.index as usize];
            if slot.queued != entry.sequence {
                self.heap.pop();
            } else if slot.sequence != entry.sequence {
                self.heap.pop();
                self.enqueue(entry.index);
            } else {
                return Some(entry);
            }
        }
    }

    /// Moves the young entries that are still true into the heap.
    fn settle_young(&mut self) {
        let slots = &self.slots;
        let entries = self.young.drain(..);
        self.heap
            .extend(entries.filter(|entry| is_true(slots, entry)));
        self.young.shrink_to(SWEEP_FROM);
        self.young_earliest = u64::MAX;
        self.young_limit = SWEEP_FROM;
    }

    /// Drops stale young entries. Twice as many as remain may come before the next time, so each is looked at a bounded number of times.
    fn sweep_young(&mut self) {
        let slots = &self.slots;
        self.young.retain(|entry| is_true(slots, entry));
        self.young_limit = SWEEP_FROM.max(2 * self.young.len());
    }

    fn sweep_if_mostly_stale(&mut self) {
        let entries = self.heap.len() + self.young.len();
        if entries > SWEEP_FROM && entries > 4 * self.pending {
            self.sweep_young();
            let slots = &self.slots;
            self.heap.retain(|entry| is_true(slots, entry));
        }
    }
}

/// Whether the entry is the one that stands for its slot.
fn is_true<T>(slots: &[Slot<T>], entry: &Entry) -> bool {
    slots[entry.index as usize].queued == entry.sequence
}

/// Reversed, because [`BinaryHeap`] has its greatest entry on top.
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.sequence).cmp(&(self.due, self.sequence))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn to_nanos(time: Duration) -> u64 {
    time.as_secs()
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::from(time.subsec_nanos()))
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
