//! Lines of the log that strangers cause, at most one in five seconds.

use std::cell::Cell;
use std::time::Duration;

/// Who connects and sends nonsense all day must not fill the disk.
const EVERY: Duration = Duration::from_secs(5);

/// Counts what is not said.
#[derive(Debug, Default)]
pub(crate) struct Rarely {
    said_at: Cell<Option<Duration>>,
    unsaid: Cell<u64>,
}

impl Rarely {
    /// Whether to say it now: then, how many others were not said since the last time.
    pub(crate) fn say(&self, now: Duration) -> Option<u64> {
        if self.said_at.get().is_some_and(|then| now < then + EVERY) {
            self.unsaid.set(self.unsaid.get() + 1);
            return None;
        }
        self.said_at.set(Some(now));
        Some(self.unsaid.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_five_seconds_tells_of_all() {
        let (rarely, at) = (Rarely::default(), Duration::from_millis);
        assert_eq!(rarely.say(at(0)), Some(0));
        for time in [1, 2000, 4999] {
            assert_eq!(rarely.say(at(time)), None);
        }
        assert_eq!(rarely.say(at(5000)), Some(3));
        assert_eq!(rarely.say(at(20_000)), Some(0));
    }
}
