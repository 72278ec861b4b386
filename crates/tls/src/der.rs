//! The few fields of a certificate that rustls does not tell: until when it is valid, and whether it signed itself.
//!
//! Not a parser of certificates: what is trusted is decided by webpki. Nothing here is indexed; odd bytes give `None`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;

/// What RFC 5280 section 4.1.2 calls validity, issuer and subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificateFields {
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) is_self_issued: bool,
}

impl CertificateFields {
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = element(certificate, SEQUENCE)?;
        let (mut body, _) = element(certificate, SEQUENCE)?;
        if body.first() == Some(&VERSION) {
            (_, body) = any(body)?;
        }
        let (_serial, body) = any(body)?;
        let (_algorithm, body) = any(body)?;
        let (issuer, body) = element(body, SEQUENCE)?;
        let (validity, body) = element(body, SEQUENCE)?;
        let (subject, _) = element(body, SEQUENCE)?;
        let (not_before, validity) = time(validity)?;
        let (not_after, _) = time(validity)?;
        Some(Self {
            not_before,
            not_after,
            is_self_issued: issuer == subject,
        })
    }
}

/// A time in words: `2026-11-21 08:48:48 UTC`.
pub(crate) fn in_words(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| age.as_secs());
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The content of the element at the front, which must have this tag, and what follows it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    (bytes.first() == Some(&tag)).then(|| any(bytes))?
}

fn any(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[_tag, first], rest) = bytes.split_first_chunk::<2>()?;
    if first < 0x80 {
        return rest.split_at_checked(first.into());
    }
    let (length, rest) = rest.split_at_checked((first & 0x7f).into())?;
    if length.len() > 4 {
        return None;
    }
    let length = length
        .iter()
        .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

/// RFC 5280 section 4.1.2.5: both forms are in UTC and have seconds.
fn time(bytes: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (&tag, _) = bytes.split_first()?;
    let (text, rest) = any(bytes)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, text) = match tag {
        UTC_TIME => {
            let (year, text) = number(text, 2)?;
            (year + if year < 50 { 2000 } else { 1900 }, text)
        }
        GENERALIZED_TIME => number(text, 4)?,
        _ => return None,
    };
    let (month, text) = number(text, 2)?;
    let (day, text) = number(text, 2)?;
    let (hour, text) = number(text, 2)?;
    let (minute, text) = number(text, 2)?;
    let (second, _) = number(text, 2)?;
    let days = days(year, month, day)?;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some((UNIX_EPOCH + Duration::from_secs(seconds), rest))
}

fn number(text: &str, digits: usize) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at_checked(digits)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Some((digits.parse().ok()?, rest)))?
}

/// Days since 1970, counted in years that begin in March, so that the leap day is the last one.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    Some(days.saturating_sub(719_468)) // what lies before 1970 is long over either way
}

fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn self_signed() -> Vec<u8> {
        let mut parameters = rcgen::CertificateParams::new(["a.example".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(1999, 12, 31);
        parameters.not_after = rcgen::date_time_ymd(2052, 2, 29);
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_fields_of_a_certificate_are_read() {
        let fields = CertificateFields::of(&self_signed()).unwrap();
        assert_eq!(in_words(fields.not_before), "1999-12-31 00:00:00 UTC");
        assert_eq!(in_words(fields.not_after), "2052-02-29 00:00:00 UTC");
        assert!(fields.is_self_issued);
    }

    proptest! {
        #[test]
        fn tls_05_changed_and_cut_certificates_do_not_panic(at in 0_usize..400, with: u8, length in 0_usize..500) {
            let mut bytes = self_signed();
            let at = at % bytes.len();
            bytes[at] = with;
            bytes.truncate(length);
            let _none_or_some = CertificateFields::of(&bytes);
        }

        #[test]
        fn dates_and_days_are_inverse(days_since in 0_u64..100_000) {
            let (year, month, day) = date(days_since);
            prop_assert_eq!(days(year, month, day), Some(days_since));
        }
    }
}
