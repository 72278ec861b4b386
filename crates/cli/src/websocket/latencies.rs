//! How long answers took: counted by size, in memory that does not grow.

use std::time::Duration;

/// Counts of times, to within 3 %.
///
/// Up to 64 ns each nanosecond has its own count; above, each power of two is cut into 32.
pub(super) struct Latencies {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

const FINE: u64 = 64;
const PARTS: u64 = 32;

impl Default for Latencies {
    fn default() -> Self {
        let slots = slot(u64::MAX) + 1;
        Self {
            counts: vec![0; slots],
            total: 0,
            longest: Duration::ZERO,
        }
    }
}

impl Latencies {
    pub(super) fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[slot(nanoseconds)] += 1;
        self.total += 1;
        self.longest = self.longest.max(time);
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    /// The time that so many of a hundred did not exceed.
    pub(super) fn percentile(&self, hundredths: u64) -> Duration {
        let wanted = (self.total * hundredths).div_ceil(100).max(1);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        let end = found.map_or(0, end_of);
        Duration::from_nanos(end).min(self.longest)
    }
}

fn slot(nanoseconds: u64) -> usize {
    let slot = match nanoseconds {
        0..FINE => nanoseconds,
        _ => {
            let power = u64::from(nanoseconds.ilog2());
            let part = (nanoseconds >> (power - 5)) % PARTS;
            FINE + (power - 6) * PARTS + part
        }
    };
    slot as usize
}

/// The last nanosecond that is counted in a slot.
fn end_of(slot: usize) -> u64 {
    let slot = slot as u64;
    if slot < FINE {
        return slot;
    }
    let (power, part) = ((slot - FINE) / PARTS + 6, (slot - FINE) % PARTS);
    let begin = (PARTS + part) << (power - 5);
    begin + ((1 << (power - 5)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_its_slot_to_within_three_percent() {
        for shift in 0..64 {
            for near in [0, 1, 7, 31, 100] {
                let time = (1u64 << shift).saturating_add(near << (shift / 2));
                let end = end_of(slot(time));
                assert!(end >= time, "{time} {end}");
                assert!((end - time) as f64 <= time as f64 * 0.032, "{time} {end}");
            }
        }
        assert_eq!(end_of(slot(u64::MAX)), u64::MAX);
    }

    #[test]
    fn percentiles_are_of_what_was_counted() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(50), Duration::ZERO);
        for microseconds in 1..=1000 {
            latencies.add(Duration::from_micros(microseconds));
        }
        let about = |hundredths, expected: f64| {
            let found = latencies.percentile(hundredths).as_secs_f64() * 1e6;
            assert!((found / expected - 1.0).abs() < 0.04, "{found} {expected}");
        };
        about(50, 500.0);
        about(99, 990.0);
        assert_eq!(latencies.percentile(100), Duration::from_millis(1));
        assert_eq!(latencies.longest(), Duration::from_millis(1));
    }
}
