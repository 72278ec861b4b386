//! How long to wait before the next attempt.

use std::time::Duration;

use crate::handle::Handle;

/// Growing, jittered delays: so that a thousand clients of a server that restarts do not come back in the same moment.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_core::BackOff;
///
/// let back_off = BackOff::default();
/// let third = back_off.delay(2, 0.5); // in the middle of the jitter
/// assert_eq!(third.as_millis(), 7389); // 1 s × e²
/// assert_eq!(back_off.delay(50, 0.5), Duration::from_secs(3600));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BackOff {
    /// The first delay.
    pub initial: Duration,
    /// What each delay is multiplied by to get the next.
    pub factor: f64,
    /// How far a delay is moved by chance, as a part of itself: 0.12 is up to 12 % less or more.
    pub jitter: f64,
    /// Added to each delay by chance: from nothing up to this.
    pub spread: Duration,
    /// No delay is longer, jitter and spread aside.
    pub maximum: Duration,
}

impl Default for BackOff {
    /// Twisted's reconnecting factory: 1 s, ×e, ±12 %, at most an hour (R48).
    fn default() -> Self {
        Self {
            initial: Duration::from_secs(1),
            factor: std::f64::consts::E,
            jitter: 0.119_626_565_582,
            spread: Duration::ZERO,
            maximum: Duration::from_secs(3600),
        }
    }
}

impl BackOff {
    /// Twisted's client service: 1.5ⁿ s up to 60 s, plus up to 1 s (R116).
    #[must_use]
    pub fn of_client_service() -> Self {
        Self {
            initial: Duration::from_secs(1),
            factor: 1.5,
            jitter: 0.0,
            spread: Duration::from_secs(1),
            maximum: Duration::from_secs(60),
        }
    }

    /// The delay after so many failures before this one; `chance` is in `0.0..1.0`.
    #[must_use]
    pub fn delay(&self, failures: u32, chance: f64) -> Duration {
        let exponent = i32::try_from(failures).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.maximum.as_secs_f64());
        let jittered = capped * (1.0 + self.jitter * (2.0 * chance - 1.0));
        Duration::try_from_secs_f64(jittered).unwrap_or(self.maximum) + self.spread.mul_f64(chance)
    }

    /// The same, by chance.
    #[must_use]
    pub fn draw(&self, failures: u32, handle: &Handle) -> Duration {
        self.delay(failures, handle.chance())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r048_delays_grow_by_e_within_twelve_percent_up_to_an_hour() {
        let back_off = BackOff::default();
        for failures in 0..20 {
            let middle = f64::from(failures).exp().min(3600.0);
            for chance in [0.0, 0.3, 0.999] {
                let delay = back_off.delay(failures as u32, chance).as_secs_f64();
                assert!(
                    (delay / middle - 1.0).abs() < 0.12,
                    "{failures} {chance} {delay}"
                );
            }
        }
    }

    #[test]
    fn r116_the_client_service_waits_up_to_a_minute_and_a_second() {
        let back_off = BackOff::of_client_service();
        assert_eq!(back_off.delay(0, 0.0), Duration::from_secs(1));
        assert_eq!(back_off.delay(2, 0.0), Duration::from_millis(2250));
        assert_eq!(back_off.delay(u32::MAX, 0.5), Duration::from_millis(60_500));
    }
}
