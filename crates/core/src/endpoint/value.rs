//! What the text of one argument may mean: numbers, switches, durations, addresses.

use std::net::IpAddr;
use std::time::Duration;

/// A type that an argument or option of an endpoint string can be read as.
///
/// Implement it for a type of your own to use it with
/// [`Description::positional`](super::Description::positional) and
/// [`Description::option`](super::Description::option).
///
/// ```
/// use ropewalk_core::endpoint::{Description, Value};
///
/// struct Mode(u32);
///
/// impl Value for Mode {
///     const MEANING: &'static str = "an octal mode such as 660";
///
///     fn from_text(text: &str) -> Option<Self> {
///         u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).map(Mode)
///     }
/// }
///
/// let mut unix = Description::parse("unix:/run/chat:mode=668")?;
/// let error = unix.option::<Mode>("mode").err().unwrap();
/// assert!(error.to_string().ends_with("mode must be an octal mode such as 660"));
/// # Ok::<(), ropewalk_core::endpoint::EndpointError>(())
/// ```
pub trait Value: Sized {
    /// What the text must be, to stand behind "must be" in an error.
    const MEANING: &'static str;

    /// Reads the text, already without its quoting. `None` when it is not what [`Self::MEANING`] says.
    fn from_text(text: &str) -> Option<Self>;
}

impl Value for String {
    const MEANING: &'static str = "text";

    fn from_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl Value for u16 {
    const MEANING: &'static str = "a whole number from 0 to 65535";

    fn from_text(text: &str) -> Option<Self> {
        whole_number(text)?.try_into().ok()
    }
}

impl Value for u32 {
    const MEANING: &'static str = "a whole number from 0 to 4294967295";

    fn from_text(text: &str) -> Option<Self> {
        whole_number(text)?.try_into().ok()
    }
}

impl Value for u64 {
    const MEANING: &'static str = "a whole number";

    fn from_text(text: &str) -> Option<Self> {
        whole_number(text)
    }
}

impl Value for bool {
    const MEANING: &'static str = "yes or no";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "yes" | "true" | "1" => Some(true),
            "no" | "false" | "0" => Some(false),
            _ => None,
        }
    }
}

impl Value for IpAddr {
    const MEANING: &'static str = "an IP address such as 192.0.2.1 or [2001:db8::1]";

    fn from_text(text: &str) -> Option<Self> {
        unbracketed(text).parse().ok()
    }
}

/// Thirty-one years: adding it to any clock overflows nothing.
const LONGEST_SECONDS: u64 = 1_000_000_000;

impl Value for Duration {
    const MEANING: &'static str = "seconds such as 30 or 0.5, at most 1000000000";

    fn from_text(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let nanoseconds = whole_number(fraction).filter(|_| fraction.len() <= 9)?;
        let scale = 10u64.pow(9 - u32::try_from(fraction.len()).ok()?);
        let whole = Self::from_secs(whole_number(seconds)?);
        let duration = whole.checked_add(Self::from_nanos(nanoseconds * scale))?;
        (duration <= Self::from_secs(LONGEST_SECONDS)).then_some(duration)
    }
}

/// Digits and nothing else: no sign, no space, no underscore.
fn whole_number(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// `[::1]` as `::1`; anything else as it is.
pub(super) fn unbracketed(text: &str) -> &str {
    text.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text)
}

/// A duration as [`Duration::from_text`] reads it, to the nanosecond.
pub(super) fn seconds(duration: Duration) -> String {
    let text = format!("{}.{:09}", duration.as_secs(), duration.subsec_nanos());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(u16::from_text("0"), Some(0));
        assert_eq!(u16::from_text("65535"), Some(65535));
        assert_eq!(u32::from_text("4294967295"), Some(u32::MAX));
        for wrong in [
            "", "65536", "-1", "+1", " 1", "1 ", "1_0", "0x1", "1e3", "١",
        ] {
            assert_eq!(u16::from_text(wrong), None, "{wrong:?}");
        }
        assert_eq!(u64::from_text("18446744073709551616"), None);
    }

    #[test]
    fn switches_are_yes_or_no() {
        for (text, on) in [
            ("yes", true),
            ("true", true),
            ("1", true),
            ("no", false),
            ("false", false),
            ("0", false),
        ] {
            assert_eq!(bool::from_text(text), Some(on));
        }
        assert_eq!(bool::from_text("on"), None);
        assert_eq!(bool::from_text(""), None);
    }

    #[test]
    fn durations_are_decimal_seconds() {
        assert_eq!(Duration::from_text("30"), Some(Duration::from_secs(30)));
        assert_eq!(Duration::from_text("0.5"), Some(Duration::from_millis(500)));
        assert_eq!(
            Duration::from_text("0.000000001"),
            Some(Duration::from_nanos(1))
        );
        assert_eq!(
            Duration::from_text("1000000000"),
            Some(Duration::from_secs(LONGEST_SECONDS))
        );
        for wrong in [
            "",
            ".",
            ".5",
            "1.",
            "-1",
            "inf",
            "nan",
            "1e3",
            "1.0000000001",
            "1000000000.1",
            "1.5.5",
            "30s",
        ] {
            assert_eq!(Duration::from_text(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn addresses_may_stand_in_brackets() {
        assert_eq!(IpAddr::from_text("[::1]"), IpAddr::from_text("::1"));
        assert!(IpAddr::from_text("127.0.0.1").is_some());
        assert_eq!(IpAddr::from_text("localhost"), None);
        assert_eq!(IpAddr::from_text("[::1"), None);
    }

    proptest! {
        #[test]
        fn durations_round_trip(nanoseconds in 0..LONGEST_SECONDS * 1_000_000_000) {
            let duration = Duration::from_nanos(nanoseconds);
            prop_assert_eq!(Duration::from_text(&seconds(duration)), Some(duration));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = (u16::from_text(&text), Duration::from_text(&text), IpAddr::from_text(&text));
        }
    }
}
