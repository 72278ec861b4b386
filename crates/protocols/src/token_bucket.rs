//! A measure of how fast bytes may pass, which several connections may share.
//!
//! For: [`ThrottlingFactory`](crate::ThrottlingFactory), and shapers of your own. Not for: holding bytes or time.
//!
//! # How it stays smooth
//!
//! The usual bucket counts tokens that drip in, and whoever finds too few waits until there are enough. When many wait for
//! the same drip, all wake at once, and whoever is first takes all. So this one keeps the tokens' mirror image, one point in
//! time: *when the bytes let pass so far will have passed at the rate*. Who wants to pass takes the next slot behind that
//! point and waits for it; the next one's slot lies behind. Waiters are thus served one after the other, each at its own
//! moment, in the order in which they came. A slot is short (20 ms at the rate), so one large message is many slots and
//! bytes flow rather than burst. An idle bucket's point may lie in the past, but not by more than the burst: that much
//! passes without waiting.
//!
//! Rejected: a timer per bucket that shares out tokens (a turn for every bucket, idle ones too); a debt paid after the
//! fact (a chunk of 64 KiB at 1 KiB/s is one burst and a minute of silence).

use std::time::Duration;

/// Lets bytes pass at a rate.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_protocols::TokenBucket;
///
/// let mut bucket = TokenBucket::new(1000).with_burst_bytes(0);
/// let second = Duration::from_secs(1);
/// assert_eq!(bucket.reserve(500, second), (20, second), "a slot of 20 ms, at once");
/// assert_eq!(bucket.reserve(500, second), (20, second + Duration::from_millis(20)));
/// ```
#[derive(Clone, Debug)]
pub struct TokenBucket {
    bytes_per_second: u64,
    /// The most bytes of one slot.
    slot_bytes: usize,
    /// How far the point may lie in the past.
    burst: Duration,
    /// When everything let pass so far will have passed at the rate.
    free_at: Duration,
}

/// How long a slot lasts at the rate: short enough to look like a flow, long enough that timers cost little.
const SLOT: Duration = Duration::from_millis(20);
/// How much passes without waiting, at first and after a pause: enough that a late timer loses nothing.
const BURST: Duration = Duration::from_millis(100);
/// No slot is longer than what a driver reads at once.
const MAX_SLOT_BYTES: u64 = 64 * 1024;

impl TokenBucket {
    /// Lets so many bytes pass per second, and a tenth of that at once.
    ///
    /// # Panics
    ///
    /// If that is none: a connection that may say nothing is better refused.
    #[must_use]
    pub fn new(bytes_per_second: u64) -> Self {
        assert!(
            bytes_per_second > 0,
            "TokenBucket::new(0): let at least one byte pass per second"
        );
        let slot = u128::from(bytes_per_second) * SLOT.as_millis() / 1000;
        let slot_bytes = slot.clamp(1, u128::from(MAX_SLOT_BYTES)) as usize;
        Self {
            bytes_per_second,
            slot_bytes,
            burst: BURST,
            free_at: Duration::ZERO,
        }
    }

    /// Lets so many bytes pass at once after a pause.
    #[must_use]
    pub fn with_burst_bytes(mut self, bytes: usize) -> Self {
        self.burst = self.time_of(bytes);
        self
    }

    /// Reserves a slot for some of `want` bytes: how many, and when they may pass.
    pub fn reserve(&mut self, want: usize, now: Duration) -> (usize, Duration) {
        let count = want.min(self.slot_bytes);
        let at = self.free_at.max(now.saturating_sub(self.burst));
        self.free_at = at.saturating_add(self.time_of(count));
        (count, at.max(now))
    }

    /// Counts bytes that have passed without asking.
    pub fn spend(&mut self, count: usize, now: Duration) {
        let at = self.free_at.max(now.saturating_sub(self.burst));
        self.free_at = at.saturating_add(self.time_of(count));
    }

    /// Gives back what was reserved and never passed.
    pub fn give_back(&mut self, count: usize) {
        self.free_at = self.free_at.saturating_sub(self.time_of(count));
    }

    /// How long so many bytes take, rounded up, so that the rate is never exceeded.
    fn time_of(&self, bytes: usize) -> Duration {
        let nanos = (bytes as u128 * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many bytes pass in a time, for one who always wants more.
    fn passed(bucket: &mut TokenBucket, from: Duration, time: Duration) -> (usize, Duration) {
        let (mut now, mut bytes, mut longest) = (from, 0, Duration::ZERO);
        loop {
            let (count, at) = bucket.reserve(usize::MAX, now);
            if at >= from + time {
                return (bytes, longest);
            }
            longest = longest.max(at - now);
            now = at;
            bytes += count;
        }
    }

    #[test]
    fn r128_the_rate_is_kept_from_a_byte_to_a_gigabyte_per_second() {
        let hour = Duration::from_secs(3600);
        for rate in [1, 7, 1000, 123_456, 10_000_000, 1_000_000_000] {
            let mut bucket = TokenBucket::new(rate);
            let time = Duration::from_secs(10);
            let (bytes, longest) = passed(&mut bucket, hour, time);
            let (least, most) = (
                rate as usize * 10,
                rate as usize * 102 / 10 + bucket.slot_bytes,
            );
            assert!(
                (least..=most).contains(&bytes),
                "{bytes} bytes at {rate} per second"
            );
            assert!(
                longest <= SLOT.max(bucket.time_of(1)) + Duration::from_nanos(1),
                "{longest:?} of silence"
            );
        }
    }

    #[test]
    fn those_who_wait_pass_one_after_the_other() {
        let mut bucket = TokenBucket::new(1000).with_burst_bytes(0);
        let slots: Vec<Duration> = (0..4).map(|_| bucket.reserve(5, SLOT).1).collect();
        assert_eq!(slots, [20, 25, 30, 35].map(Duration::from_millis));
    }

    #[test]
    fn what_is_given_back_is_there_for_others() {
        let mut bucket = TokenBucket::new(1000).with_burst_bytes(0);
        let now = Duration::from_secs(1);
        for _ in 0..100 {
            let (count, _) = bucket.reserve(20, now);
            bucket.give_back(count);
        }
        assert_eq!(bucket.reserve(20, now), (20, now));
    }
}
