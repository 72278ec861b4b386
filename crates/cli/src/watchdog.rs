//! `--watchdog`: when the reactor counts as slow, stuck and lost.

use std::str::FromStr;
use std::time::Duration;

use ropewalk::Watchdog;
use ropewalk::endpoint::Value;

/// Who looks whether a callback blocks the reactor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Process")]
pub struct WatchdogOptions {
    /// Log callbacks that block all others, when they end (slow) and while they do not (stuck), and abort the process for
    /// its manager to restart (abort), in seconds; or off [default: slow=0.1,stuck=5]
    #[arg(long, value_name = "TIMES")]
    #[arg(global = true, hide_short_help = true)]
    pub watchdog: Option<Times>,
}

/// What an option or a section says of the times; `Some(None)` is never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// [`Watchdog::slow`].
    pub slow: Option<Option<Duration>>,
    /// [`Watchdog::stuck`].
    pub stuck: Option<Option<Duration>>,
    /// [`Watchdog::abort`].
    pub abort: Option<Option<Duration>>,
}

impl WatchdogOptions {
    /// These options, and where they say nothing, those.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (ours, theirs) = (
            self.watchdog.unwrap_or_default(),
            other.watchdog.unwrap_or_default(),
        );
        Self {
            watchdog: Some(Times {
                slow: ours.slow.or(theirs.slow),
                stuck: ours.stuck.or(theirs.stuck),
                abort: ours.abort.or(theirs.abort),
            }),
        }
    }

    /// The times; where a service manager waits for a sign of life, the log says what is stuck before that ends us.
    pub(crate) fn watchdog(self, manager: Option<Duration>) -> Watchdog {
        let times = self.watchdog.unwrap_or_default();
        let usual = Watchdog::default();
        let usual_stuck = usual.stuck.into_iter().chain(manager).min();
        Watchdog {
            slow: times.slow.unwrap_or(usual.slow),
            stuck: times.stuck.unwrap_or(usual_stuck),
            abort: times.abort.unwrap_or(usual.abort),
        }
    }
}

impl FromStr for Times {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut times = Self::default();
        if text == "off" {
            let never = Some(None);
            (times.slow, times.stuck, times.abort) = (never, never, never);
            return Ok(times);
        }
        for part in text.split(',') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let time = match name {
                "slow" => &mut times.slow,
                "stuck" => &mut times.stuck,
                "abort" => &mut times.abort,
                _ => {
                    return Err(format!(
                        "{part:?} is neither slow=, stuck= nor abort=, nor off"
                    ));
                }
            };
            *time =
                Some(match value {
                    "off" => None,
                    _ => Some(seconds(value).ok_or_else(|| {
                        format!("{name} must be seconds, such as 5 or 0.5, or off")
                    })?),
                });
        }
        Ok(times)
    }
}

/// More than none.
fn seconds(text: &str) -> Option<Duration> {
    Duration::from_text(text).filter(|time| !time.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn options(text: &str) -> WatchdogOptions {
        let watchdog = Some(text.parse().unwrap());
        WatchdogOptions { watchdog }
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let watchdog = options("abort=30,slow=0.5").watchdog(None);
        assert_eq!(watchdog.slow, Some(SECOND / 2));
        assert_eq!(watchdog.stuck, Watchdog::default().stuck);
        assert_eq!(watchdog.abort, Some(SECOND * 30));
        assert_eq!(options("off").watchdog(Some(SECOND)), Watchdog::OFF);
        let quiet = options("slow=off").watchdog(None);
        assert_eq!(quiet.slow, None);
    }

    #[test]
    fn a_manager_that_waits_is_told_what_is_stuck_in_time() {
        let stuck = |manager| WatchdogOptions::default().watchdog(manager).stuck;
        assert_eq!(stuck(Some(SECOND * 2)), Some(SECOND * 2));
        assert_eq!(stuck(Some(SECOND * 60)), Some(SECOND * 5));
        assert_eq!(
            options("stuck=9").watchdog(Some(SECOND)).stuck,
            Some(SECOND * 9)
        );
    }

    #[test]
    fn the_command_line_comes_before_the_file_time_by_time() {
        let both = options("slow=1")
            .or(options("slow=2,abort=3"))
            .watchdog(None);
        assert_eq!((both.slow, both.abort), (Some(SECOND), Some(SECOND * 3)));
    }

    #[test]
    fn what_is_wrong_is_quoted() {
        for (wrong, told) in [
            ("", "\"\""),
            ("5", "\"5\""),
            ("fast=1", "\"fast=1\""),
            ("slow", "slow must be"),
            ("slow=0", "slow must be"),
            ("stuck=-1", "stuck must be"),
            ("slow=1,", "\"\""),
        ] {
            let error = wrong.parse::<Times>().unwrap_err();
            assert!(error.contains(told), "{wrong}: {error}");
        }
    }
}
