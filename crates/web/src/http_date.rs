//! Dates as HTTP writes them (RFC 9110 5.6.7), for any time that a file system gives.
//!
//! Not for: telling the time; that is the driver's. The header `Date` is made once a second, by `date.rs`.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time, to the second, as `Sun, 06 Nov 1994 08:49:37 GMT`.
///
/// Times before 1970 and after 9999, which HTTP need not write and broken file systems have, become the nearest that it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpDate(u64);

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

impl HttpDate {
    /// The second in which `time` lies.
    pub fn new(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(since.as_secs().min(LAST))
    }

    /// Reads any of the three formats that are in use.
    ///
    /// ```
    /// use ropewalk_web::HttpDate;
    ///
    /// let date = HttpDate::parse("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
    /// assert_eq!(HttpDate::parse("Sunday, 06-Nov-94 08:49:37 GMT"), Some(date));
    /// assert_eq!(HttpDate::parse("Sun Nov  6 08:49:37 1994"), Some(date));
    /// assert_eq!(HttpDate::parse("1994-11-06"), None);
    /// assert_eq!(date.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        httpdate::parse_http_date(text).ok().map(Self::new)
    }

    /// Whole seconds since 1970.
    pub fn as_secs(self) -> u64 {
        self.0
    }

    /// The point in time.
    pub fn time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0)
    }
}

impl fmt::Display for HttpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        httpdate::HttpDate::from(self.time()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_http_cannot_write_are_no_panic() {
        let before = UNIX_EPOCH - Duration::from_secs(86_400);
        let after = UNIX_EPOCH + Duration::from_secs(LAST * 2);
        assert_eq!(
            HttpDate::new(before).to_string(),
            "Thu, 01 Jan 1970 00:00:00 GMT"
        );
        assert_eq!(
            HttpDate::new(after).to_string(),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
    }
}
