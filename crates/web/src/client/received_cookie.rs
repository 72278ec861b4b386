//! Reading `Set-Cookie` (RFC 6265 5.2), as strict as the web bears.

use std::time::{Duration, SystemTime};

use super::cookie_date;

/// What a server wants kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ReceivedCookie {
    pub(super) name: String,
    pub(super) value: String,
    /// In small letters, without the dot that some put before it; empty if none was given.
    pub(super) domain: String,
    pub(super) path: Option<String>,
    pub(super) is_secure: bool,
    /// Until when; none is until the program ends.
    pub(super) expires: Option<SystemTime>,
}

/// What is longer is not kept, as in browsers.
const MOST_BYTES: usize = 4096;

/// Nothing is kept longer (RFC 6265bis 5.6.2).
const LONGEST: Duration = Duration::from_secs(400 * 86_400);

impl ReceivedCookie {
    /// Reads the field; `None` for what is not to be kept.
    pub(super) fn read(text: &str, now: SystemTime) -> Option<Self> {
        if text.contains(|letter: char| letter.is_control() && letter != '\t') {
            return None;
        }
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || name.len() + value.len() > MOST_BYTES {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            ..Self::default()
        };
        let mut max_age = None;
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "domain" => cookie.domain = domain_of(value),
                "path" => cookie.path = value.starts_with('/').then(|| value.to_owned()),
                "secure" => cookie.is_secure = true,
                "expires" => cookie.expires = cookie_date::parse(value).or(cookie.expires),
                "max-age" => max_age = seconds_of(value).or(max_age),
                _ => {}
            }
        }
        if let Some(max_age) = max_age {
            cookie.expires = Some(now + max_age.min(LONGEST));
        }
        cookie.expires = cookie.expires.map(|expires| expires.min(now + LONGEST));
        Some(cookie)
    }
}

fn domain_of(text: &str) -> String {
    text.strip_prefix('.').unwrap_or(text).to_ascii_lowercase()
}

/// Negative is none at all.
fn seconds_of(text: &str) -> Option<Duration> {
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match is_negative {
        true => 0,
        false => digits.parse().unwrap_or(u64::MAX),
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<ReceivedCookie> {
        ReceivedCookie::read(text, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn attributes_are_read_in_any_case_and_order() {
        let cookie = read("a = b=c ; PATH=/x; domain=.Example.COM; secure; HttpOnly; Max-Age=5");
        let cookie = cookie.unwrap();
        assert_eq!((cookie.name.as_str(), cookie.value.as_str()), ("a", "b=c"));
        assert_eq!(cookie.domain, "example.com");
        assert_eq!(cookie.path.as_deref(), Some("/x"));
        assert!(cookie.is_secure);
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        assert_eq!(cookie.expires, Some(until));
    }

    #[test]
    fn dates_of_all_kinds_end_a_cookie_and_max_age_goes_before() {
        let expires = |text: &str| {
            let cookie = read(&format!("a=b; {text}")).unwrap();
            let expires = cookie.expires?;
            Some(
                expires
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .as_secs(),
            )
        };
        assert_eq!(expires("Expires=Thu, 01 Jan 1970 00:00:09 GMT"), Some(9));
        assert_eq!(expires("Expires=Thu, 01-Jan-1970 00:00:09 GMT"), Some(9));
        assert_eq!(expires("Expires=Thursday, 01-Jan-70 00:00:09 GMT"), Some(9));
        assert_eq!(expires("Expires=tomorrow"), None);
        assert_eq!(
            expires("Max-Age=-1; Expires=Thu, 01 Jan 1970 00:00:09 GMT"),
            Some(0)
        );
        assert_eq!(
            expires("Max-Age=99999999999999999999999"),
            Some(400 * 86_400)
        );
        assert_eq!(expires("Max-Age=1x"), None);
    }

    #[test]
    fn what_is_no_cookie_is_not_kept() {
        for text in ["", "a", "=b", ";a=b", "a=b\0c", "a=\r\nb"] {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&format!("a={}", "x".repeat(4096))), None);
    }
}
