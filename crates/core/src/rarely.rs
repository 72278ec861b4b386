//! Lines of the log that strangers cause, at most a few in five seconds.

use std::cell::Cell;
use std::time::Duration;

/// Who connects and sends nonsense all day must not fill the disk…
const WINDOW: Duration = Duration::from_secs(5);
/// …but who tries things out sees the reason of each try.
const LINES: u32 = 8;

/// Counts what is not said.
#[derive(Debug, Default)]
pub(crate) struct Rarely {
    began: Cell<Option<Duration>>,
    said: Cell<u32>,
    unsaid: Cell<u64>,
}

impl Rarely {
    /// Whether to say it now: then, how many others were not said since the last time.
    pub(crate) fn say(&self, now: Duration) -> Option<u64> {
        if self.began.get().is_none_or(|then| now >= then + WINDOW) {
            self.began.set(Some(now));
            self.said.set(0);
        }
        if self.said.get() == LINES {
            self.unsaid.set(self.unsaid.get() + 1);
            return None;
        }
        self.said.set(self.said.get() + 1);
        Some(self.unsaid.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_lines_in_five_seconds_tell_of_all() {
        let (rarely, at) = (Rarely::default(), Duration::from_millis);
        for time in 0..u64::from(LINES) {
            assert_eq!(rarely.say(at(time)), Some(0));
        }
        for time in [100, 2000, 4999] {
            assert_eq!(rarely.say(at(time)), None);
        }
        assert_eq!(rarely.say(at(5000)), Some(3));
        assert_eq!(rarely.say(at(5001)), Some(0));
        assert_eq!(rarely.say(at(20_000)), Some(0));
    }
}
