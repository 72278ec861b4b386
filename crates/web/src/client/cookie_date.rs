//! The dates of cookies (RFC 6265 5.1.1): whatever has a time, a day, a month and a year in it, in this or nearly any order.
//!
//! For: `Expires`, which servers write in many ways, and by which they take cookies back. Not for: the dates of HTTP, which have three forms.

use std::time::{Duration, SystemTime};

/// What was found of a date so far.
#[derive(Default)]
struct Found {
    /// Hour, minute and second.
    time: Option<[u64; 3]>,
    day: Option<u64>,
    /// From 0.
    month: Option<u64>,
    year: Option<u64>,
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The date that the text says; `None` if it says none.
pub(super) fn parse(text: &str) -> Option<SystemTime> {
    let mut found = Found::default();
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        found.take(token);
    }
    found.time_of_day().and_then(|second| {
        let days = found.days()?;
        let seconds = days * 86_400 + i64::try_from(second).ok()?;
        let distance = Duration::from_secs(seconds.unsigned_abs());
        match seconds < 0 {
            true => SystemTime::UNIX_EPOCH.checked_sub(distance),
            false => SystemTime::UNIX_EPOCH.checked_add(distance),
        }
    })
}

impl Found {
    /// A token is the first of these that is still missing and that it can be.
    fn take(&mut self, token: &str) {
        let missing = self.time.is_none();
        if let Some(time) = missing.then(|| time_of(token)).flatten() {
            self.time = Some(time);
        } else if let Some(day) = number_of(token, 1..=2).filter(|_| self.day.is_none()) {
            self.day = Some(day);
        } else if let Some(month) = month_of(token).filter(|_| self.month.is_none()) {
            self.month = Some(month);
        } else if self.year.is_none() {
            self.year = number_of(token, 2..=4);
        }
    }

    fn time_of_day(&self) -> Option<u64> {
        let [hour, minute, second] = self.time?;
        let is_one = hour <= 23 && minute <= 59 && second <= 59;
        is_one.then_some((hour * 60 + minute) * 60 + second)
    }

    /// Days since 1970 in the Gregorian calendar; `None` if there is no such day.
    fn days(&self) -> Option<i64> {
        let (day, month) = (self.day?, self.month?);
        let year = match self.year? {
            short @ 0..=69 => 2000 + short,
            short @ 70..=99 => 1900 + short,
            1601.. => self.year?,
            _ => return None,
        };
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            1 => 28 + u64::from(is_leap),
            3 | 5 | 8 | 10 => 30,
            _ => 31,
        };
        // Years begin with March here, so that the odd day is the last.
        let (from_march, year) = match month {
            0 | 1 => (month + 10, year - 1),
            _ => (month - 2, year),
        };
        let of_years = year * 365 + year / 4 - year / 100 + year / 400;
        let days = of_years + (from_march * 153 + 2) / 5 + day - 1;
        let is_one = (1..=length).contains(&day);
        is_one.then_some(i64::try_from(days).ok()? - 719_468)
    }
}

/// RFC 6265 5.1.1: all visible marks but the colon.
fn is_delimiter(letter: char) -> bool {
    matches!(letter, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// As many digits as are allowed, at the beginning or alone.
fn number_of(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let is_other = |letter: char| !letter.is_ascii_digit();
    let end = token.find(is_other).unwrap_or(token.len());
    let number = digits.contains(&end).then(|| &token[..end])?;
    number.parse().ok()
}

fn month_of(token: &str) -> Option<u64> {
    let start = token.get(..3)?;
    let is_it = |month: &&str| month.eq_ignore_ascii_case(start);
    Some(MONTHS.iter().position(is_it)? as u64)
}

fn time_of(token: &str) -> Option<[u64; 3]> {
    let (hour, rest) = token.split_once(':')?;
    let (minute, second) = rest.split_once(':')?;
    let whole = |text: &str| {
        text.parse()
            .ok()
            .filter(|_| text.len() <= 2 && !text.starts_with('+'))
    };
    Some([whole(hour)?, whole(minute)?, number_of(second, 1..=2)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        let date = parse(text)?;
        Some(
            date.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_secs(),
        )
    }

    /// As servers write them, and as the tests of browsers do.
    #[test]
    fn dates_are_found_in_all_that_servers_write() {
        for text in [
            "Wed, 09 Jun 2021 10:18:14 GMT",
            "Wednesday, 09-Jun-21 10:18:14 GMT",
            "Wed, 09-Jun-21 10:18:14 GMT",
            "Wed, 09-Jun-2021 10:18:14 GMT",
            "Wed Jun  9 10:18:14 2021",
            "9 June 2021 10:18:14",
            "Mon, 09 Jun 2021 10:18:14 UTC",
            "2021 jun 09 10:18:14 +0100",
            "09 Jun 2021 10:18:14pm",
            "Wed,09Jun 10:18:14,jun,2021",
        ] {
            assert_eq!(seconds(text), Some(1_623_233_894), "{text}");
        }
        assert_eq!(seconds("Thu, 01-Jan-70 00:00:01 GMT"), Some(1));
        assert_eq!(seconds("29 Feb 2000 0:0:0"), Some(951_782_400));
        assert_eq!(seconds("31 Dec 9999 23:59:59"), Some(253_402_300_799));
        assert!(parse("1 Jan 1601 00:00:00").unwrap() < SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "0",
            "-1",
            "tomorrow",
            "10:18:14",
            "09 Jun 2021",
            "09 Jun 1600 10:18:14",
            "32 Jan 2021 00:00:00",
            "30 Feb 2021 00:00:00",
            "29 Feb 1900 00:00:00",
            "31 Apr 2021 00:00:00",
            "0 Jan 2021 00:00:00",
            "1 Jan 2021 24:00:00",
            "1 Jan 2021 00:60:00",
            "1 Jan 2021 00:00:60",
            "1 Jan 2021 000:00:00",
            "1 Jan 20210 00:00:00",
            "1 Jan 2021 0:+1:0",
            "1 Jän 2021 00:00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_are_counted_without_a_gap() {
        let mut before = parse("31 Dec 1995 00:00:00").unwrap();
        for year in 1996..2105 {
            for (month, name) in MONTHS.iter().enumerate() {
                for day in 1..=31 {
                    let text = format!("{day} {name} {year} 00:00:00");
                    let Some(date) = parse(&text) else {
                        assert!(day > 28 && month != 0, "{text}");
                        continue;
                    };
                    assert_eq!(date, before + Duration::from_secs(86_400), "{text}");
                    before = date;
                }
            }
        }
    }
}
