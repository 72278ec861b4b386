//! The queue of pending timers: what is due next, and cheap change of mind.
//!
//! It knows no clock and runs nothing: the reactor asks what is due and calls it. It is not a general priority queue either: almost
//! every timer of a network program is a time-out that is pushed back or cancelled before it is due, so those two must cost least.
//!
//! ```text
//!   TimerKey (index, generation)      schedule, reset ──► young: entries as they came, unsorted
//!        │                                                  │  when one of them may be the next to run:
//!        ▼                                                  ▼  those still true
//!   slots: [ due, sequence, … ] ◄──────── index ──────── heap of (due, sequence, index), smallest first ──► pop
//!   values: [ what to do ]                                 (an array of its own, so that a reset touches little memory)
//! ```
//!
//! A slot tells the truth. An entry is only a promise: each pending slot has exactly one that stands for it (it has the slot's `version`),
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

/// A slot that has come to this generation is not used again.
const LAST_GENERATION: u32 = u32::MAX;

/// Names one timer of one [`TimerQueue`], for ever: a key is never given out twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TimerKey {
    index: u32,
    generation: u32,
}

impl TimerKey {
    /// The name of no timer: no slot comes to this generation.
    pub(crate) const NONE: Self = Self {
        index: u32::MAX,
        generation: LAST_GENERATION,
    };
}

/// Pending timers in the order of their due time, those of equal time in the order of scheduling.
#[derive(Debug)]
pub(crate) struct TimerQueue<T> {
    slots: Vec<Slot>,
    values: Vec<Option<T>>,
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
struct Slot {
    /// When it is due, in nanoseconds of the driver's clock, and which scheduling or reset said so.
    due: u64,
    sequence: u64,
    generation: u32,
    /// The version of the entry that stands for this slot, if any does. It may wrap: an entry taken for true has the slot's sequence, too,
    /// and that is never used twice.
    version: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    due: u64,
    sequence: u64,
    index: u32,
    version: u32,
}

impl<T> TimerQueue<T> {
    /// An empty queue, without memory of its own until the first timer.
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            values: Vec::new(),
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
        let generation = slot.generation;
        self.values[index as usize] = Some(value);
        self.pending += 1;
        self.enqueue(index);
        TimerKey { index, generation }
    }

    /// Takes a pending timer out and gives its value back, so that the caller drops it outside any borrow.
    pub(crate) fn cancel(&mut self, key: TimerKey) -> Option<T> {
        self.pending_slot(key)?;
        let value = self.release(key.index);
        self.sweep_if_mostly_stale();
        value
    }

    /// Moves a pending timer to another time; `false` if it ran or was cancelled. It then stands behind others of the same time.
    pub(crate) fn reset(&mut self, key: TimerKey, due: Duration) -> bool {
        let (due, sequence) = (to_nanos(due), self.next_sequence());
        let Some(slot) = self.pending_slot(key) else {
            return false;
        };
        let is_sooner = due < slot.due;
        slot.due = due;
        slot.sequence = sequence;
        if is_sooner {
            self.enqueue(key.index);
            self.sweep_if_mostly_stale();
        }
        true
    }

    /// When a pending timer is due; `None` if it ran or was cancelled.
    pub(crate) fn due(&self, key: TimerKey) -> Option<Duration> {
        let slot = self.slots.get(key.index as usize)?;
        (slot.generation == key.generation).then(|| Duration::from_nanos(slot.due))
    }

    /// The exact time of the earliest pending timer. Takes stale entries off the top, hence `&mut`.
    pub(crate) fn next_due(&mut self) -> Option<Duration> {
        self.earliest().map(|entry| Duration::from_nanos(entry.due))
    }

    /// Whether a timer may be due at `now`; if not, none is. Cheaper than the exact answer, which most turns do not need.
    #[inline]
    pub(crate) fn may_be_due(&self, now: Duration) -> bool {
        let top = self.heap.peek().map_or(u64::MAX, |entry| entry.due);
        top.min(self.young_earliest) <= to_nanos(now)
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
        let key = self.key(entry.index);
        let value = self.release(entry.index)?;
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
        self.values.iter().enumerate().filter_map(|(index, value)| {
            let key = self.key(index as u32);
            Some((key, self.due(key)?, value.as_ref()?))
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
            generation: 0,
            version: 0,
        });
        self.values.push(None);
        index
    }

    fn key(&self, index: u32) -> TimerKey {
        let generation = self.slots[index as usize].generation;
        TimerKey { index, generation }
    }

    /// A key is given out when its slot is filled, and the slot's generation changes when it is emptied: the same generation means pending.
    fn pending_slot(&mut self, key: TimerKey) -> Option<&mut Slot> {
        self.slots
            .get_mut(key.index as usize)
            .filter(|slot| slot.generation == key.generation)
    }

    /// Makes the entry that stands for a slot; an older one becomes stale.
    fn enqueue(&mut self, index: u32) {
        if self.young.len() >= self.young_limit {
            self.sweep_young();
        }
        let slot = &mut self.slots[index as usize];
        slot.version = slot.version.wrapping_add(1);
        self.young_earliest = self.young_earliest.min(slot.due);
        self.young.push(Entry {
            due: slot.due,
            sequence: slot.sequence,
            index,
            version: slot.version,
        });
    }

    /// Empties a slot and makes it free for the next timer. One whose generations are used up stays empty: no key may name two timers.
    fn release(&mut self, index: u32) -> Option<T> {
        self.pending -= 1;
        let slot = &mut self.slots[index as usize];
        slot.version = slot.version.wrapping_add(1);
        slot.generation += 1;
        if slot.generation < LAST_GENERATION {
            self.free.push(index);
        }
        self.values[index as usize].take()
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
            if slot.version != entry.version {
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
            self.heap.shrink_to(SWEEP_FROM.max(2 * self.heap.len()));
        }
    }
}

/// Whether the entry is the one that stands for its slot.
fn is_true(slots: &[Slot], entry: &Entry) -> bool {
    slots[entry.index as usize].version == entry.version
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
