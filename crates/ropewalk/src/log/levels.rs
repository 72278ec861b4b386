//! Which events are logged: `info,ropewalk_core=debug`.

use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

/// From which level on events are logged: for all, and for targets (modules, as a rule) by the beginning of their name.
///
/// ```
/// use ropewalk::log::Levels;
///
/// let levels: Levels = "warn,ropewalk_core=debug".parse()?;
/// assert_eq!(levels.to_string(), "warn,ropewalk_core=debug");
/// let error = "wran".parse::<Levels>().unwrap_err();
/// assert!(error.to_string().contains("'wran'"));
/// # Ok::<(), ropewalk::log::LevelsError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    default: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

/// A text that is no list of levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelsError {
    part: String,
}

const NAMES: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

impl Levels {
    /// What the environment variable `RUST_LOG` says; `info` if there is none, or it cannot be understood.
    #[must_use]
    pub fn from_env() -> Self {
        let asked = std::env::var("RUST_LOG").ok();
        asked.and_then(|text| text.parse().ok()).unwrap_or_default()
    }

    /// As a filter for `tracing-subscriber`.
    #[must_use]
    pub fn into_filter(self) -> Targets {
        Targets::new()
            .with_default(self.default)
            .with_targets(self.targets)
    }
}

/// `info`.
impl Default for Levels {
    fn default() -> Self {
        Self {
            default: LevelFilter::INFO,
            targets: Vec::new(),
        }
    }
}

/// A level, or `TARGET=LEVEL`, or several of these with commas; where no level is for all, that is `off`.
impl FromStr for Levels {
    type Err = LevelsError;

    fn from_str(text: &str) -> Result<Self, LevelsError> {
        let mut levels = Self {
            default: LevelFilter::OFF,
            targets: Vec::new(),
        };
        for part in text.split(',').map(str::trim) {
            let wrong = || LevelsError {
                part: part.to_owned(),
            };
            match part.split_once('=') {
                None => levels.default = level(part).ok_or_else(wrong)?,
                Some(("", _)) => return Err(wrong()),
                Some((target, name)) => {
                    let level = level(name).ok_or_else(wrong)?;
                    levels.targets.push((target.to_owned(), level));
                }
            }
        }
        Ok(levels)
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.default)?;
        let mut targets = self.targets.iter();
        targets.try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

impl fmt::Display for LevelsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = self.part.replace(char::is_control, "\u{fffd}");
        write!(
            f,
            "'{part}' is no level: error, warn, info, debug, trace or off, also for one target, as in \
             info,ropewalk_core=debug"
        )
    }
}

impl std::error::Error for LevelsError {}

fn level(name: &str) -> Option<LevelFilter> {
    let known = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_target_has_its_own_level() {
        let levels: Levels = "warn, ropewalk_core=DEBUG,noise=off".parse().unwrap();
        let filter = levels.into_filter();
        assert!(filter.would_enable("anybody", &Level::WARN));
        assert!(!filter.would_enable("anybody", &Level::INFO));
        assert!(filter.would_enable("ropewalk_core::engine", &Level::DEBUG));
        assert!(!filter.would_enable("noise", &Level::ERROR));
    }

    #[test]
    fn what_is_no_level_is_quoted() {
        for wrong in ["debgu", "", "x=", "x=loud", "=info", "info,,warn", "a=b=c"] {
            let error = wrong.parse::<Levels>().unwrap_err().to_string();
            assert!(error.contains("is no level"), "{wrong}: {error}");
        }
        let error = "info,\u{1b}[31m".parse::<Levels>().unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
    }
}
