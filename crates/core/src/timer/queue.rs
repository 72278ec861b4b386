//! The queue of pending timers: what is due next, and cheap change of mind.
//!
//! It knows no clock and runs nothing: the reactor asks what is due and calls it. It is not a general priority queue either: almost
//! every timer of a network program is a time-out that is pushed back or cancelled before it is due, so those two must cost least.
//!
//! ```text
//!   TimerKey (index, generation)             heap of (due, sequence, index), smallest first
//!        │                                        │  may be stale: its slot was cancelled,
//!        ▼                                        │  or moved, since the entry was pushed
//!   slots: [ due, sequence, queued_*, value ] ◄───┘
//! ```
//!
//! A slot tells the truth; the heap only promises that each pending slot has exactly one entry that names it (`queued_sequence`) and
//! that this entry is not later than the slot's due time. So:
//!
//! - **schedule** pushes one entry. Times mostly rise, so it rarely moves in the heap.
//! - **cancel** empties the slot and leaves the entry, now stale, in the heap.
//! - **reset to later** (the idle time-out at each message) writes to the slot only. When the early entry reaches the top, it is pushed
//!   again at the true time: one push per period of the time-out, not one per message.
//! - **reset to sooner** pushes a second entry, and the first becomes stale.
//! - When more than half of the entries are stale the heap is rebuilt without them, so memory stays within twice of what is pending.
//!
//! Rejected: a hierarchical wheel (its buckets need sorting to keep the exact order, and unlinking touches two neighbours, each a cache
//! miss at a million timers); a heap that tracks positions (each move writes into a slot elsewhere in memory).

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Below this many entries a rebuild saves nothing worth its trouble.
const COMPACT_FROM: usize = 64;

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
    heap: BinaryHeap<Entry>,
    sequence: u64,
    stale: usize,
}

#[derive(Debug)]
struct Slot<T> {
    /// When it is due, in nanoseconds of the driver's clock, and which scheduling or reset said so.
    due: u64,
    sequence: u64,
    /// The one heap entry that stands for this slot: never later than `due`.
    queued_due: u64,
    queued_sequence: u64,
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
            heap: BinaryHeap::new(),
            sequence: 0,
            stale: 0,
        }
    }

    /// Adds a timer. A time beyond 584 years counts as 584 years.
    pub(crate) fn schedule(&mut self, due: Duration, value: T) -> TimerKey {
        let (due, sequence) = (to_nanos(due), self.next_sequence());
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let slot = &mut self.slots[index as usize];
        slot.due = due;
        slot.sequence = sequence;
        slot.queued_due = due;
        slot.queued_sequence = sequence;
        slot.value = Some(value);
        let generation = slot.generation;
        self.heap.push(Entry {
            due,
            sequence,
            index,
        });
        TimerKey { index, generation }
    }

    /// Takes a pending timer out and gives its value back, so that the caller drops it outside any borrow.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        let value = self.pending_slot(key)?.value.take();
        self.release(key.index);
        self.stale += 1;
        self.compact();
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
            slot.queued_due = due;
            slot.queued_sequence = sequence;
            self.heap.push(Entry {
                due,
                sequence,
                index: key.index,
            });
            self.stale += 1;
            self.compact();
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
        self.heap.len() - self.stale
    }

    /// Whether no timer is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pending timers in no particular order, for reports.
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
            queued_sequence: 0,
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

    /// Makes an emptied slot free for the next timer. One whose generations are used up stays empty: no key may name two timers.
    fn release(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.queued_sequence = u64::MAX;
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(index);
        }
    }

    /// The first entry that tells the truth; stale ones above it are dropped, early ones pushed back to their time.
    fn earliest(&mut self) -> Option<Entry> {
        loop {
            let entry = *self.heap.peek()?;
            let slot = &mut self.slots[entry.index as usize];
            if slot.queued_sequence != entry.sequence {
                self.heap.pop();
                self.stale -= 1;
            } else if slot.sequence != entry.sequence {
                slot.queued_due = slot.due;
                slot.queued_sequence = slot.sequence;
                let moved = Entry {
                    due: slot.due,
                    sequence: slot.sequence,
                    index: entry.index,
                };
                if let Some(mut top) = self.heap.peek_mut() {
                    *top = moved;
                }
            } else {
                return Some(entry);
            }
        }
    }

    fn compact(&mut self) {
        if self.stale > COMPACT_FROM && self.stale > self.heap.len() / 2 {
            let slots = &self.slots;
            self.heap
                .retain(|entry| slots[entry.index as usize].queued_sequence == entry.sequence);
            self.stale = 0;
        }
    }
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
