//! How much one guest may make the room do.
//!
//! **The attack.** A line costs its sender little, and the server as much as there are listeners. A guest who sends as fast
//! as the network allows would keep the reactor busy with nothing but his lines. So each has a budget of bytes that reach
//! others, which refills with time; who has spent it is not read from until it is refilled. Nothing is lost by that: TCP
//! makes the sender wait.

use std::time::Duration;

/// What may be spent at once: a few milliseconds of the reactor's time, and less than a listener's kernel buffers hold, so
/// that nobody who reads is dropped because somebody else talks much.
const BURST_BYTES: u64 = 4 * 1024 * 1024;

/// What is refilled in a second.
const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// What a line costs beyond its bytes: sending one takes about as long as copying so many.
const LINE_BYTES: u64 = 256;

/// Who has to wait for so long is told why; shorter pauses nobody notices.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// He is told so again after this.
const TELLING_INTERVAL: Duration = Duration::from_secs(60);

/// The budget of one guest: a bucket that fills as time goes by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// What is in it, less what is owed: the last line may cost more than was left.
    left: i64,
    as_of: Duration,
    told: Option<Duration>,
}

impl Default for Budget {
    /// A full one.
    fn default() -> Self {
        Self {
            left: BURST_BYTES.cast_signed(),
            as_of: Duration::ZERO,
            told: None,
        }
    }
}

impl Budget {
    /// Pays for a line of so many bytes to so many listeners. Returns how long to read nothing more.
    pub(crate) fn spend(
        &mut self,
        bytes: usize,
        listeners: usize,
        now: Duration,
    ) -> Option<Duration> {
        self.refill(now);
        let cost = (bytes as u64 + LINE_BYTES).saturating_mul(listeners.max(1) as u64);
        self.left = self.left.saturating_sub_unsigned(cost);
        let owed = u64::try_from(-self.left).ok().filter(|owed| *owed > 0)?;
        Some(Duration::from_secs_f64(
            owed as f64 / BYTES_PER_SECOND as f64,
        ))
    }

    /// Whether now is the time to tell him that he is read more slowly: he has to wait for so long, or `too_fast` says it.
    pub(crate) fn should_tell(
        &mut self,
        wait: Option<Duration>,
        too_fast: bool,
        now: Duration,
    ) -> bool {
        let is_long = too_fast || wait.is_some_and(|wait| wait >= LONG_WAIT);
        let is_new = self.told.is_none_or(|told| now >= told + TELLING_INTERVAL);
        if is_long && is_new {
            self.told = Some(now);
        }
        is_long && is_new
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.as_of).as_secs_f64();
        let refill = (passed * BYTES_PER_SECOND as f64) as u64;
        self.left = self
            .left
            .saturating_add_unsigned(refill)
            .min(BURST_BYTES.cast_signed());
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn talking_costs_no_time_and_flooding_does() {
        let mut budget = Budget::default();
        for _ in 0..1000 {
            assert_eq!(budget.spend(80, 10, Duration::ZERO), None);
        }
        let wait = (0..100_000)
            .find_map(|_| budget.spend(80, 10, Duration::ZERO))
            .unwrap();
        assert!(
            wait < Duration::from_millis(1),
            "one line's worth: {wait:?}"
        );
    }

    #[test]
    fn who_has_to_wait_long_is_told_so_once_a_minute() {
        let (mut budget, second) = (Budget::default(), Duration::from_secs(1));
        assert!(!budget.should_tell(Some(second / 2), false, Duration::ZERO));
        assert!(budget.should_tell(Some(second), false, second));
        assert!(!budget.should_tell(Some(second), true, 60 * second));
        assert!(budget.should_tell(None, true, 61 * second));
    }

    #[test]
    fn it_refills_with_time_but_not_over_the_brim() {
        let mut budget = Budget::default();
        let wait = budget.spend(16_384, 1000, Duration::ZERO).unwrap();
        assert!(
            wait > Duration::from_secs(1) && wait < Duration::from_secs(2),
            "{wait:?}"
        );
        assert_eq!(budget.spend(1, 1, wait + Duration::from_millis(1)), None);
        let much_later = Duration::from_secs(3600);
        assert_eq!(budget.spend(1, 1, much_later), None);
        assert!(budget.spend(16_384, 1000, much_later).is_some());
    }
}
