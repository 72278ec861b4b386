//! Conditions on a request (RFC 9110 13): whether what the client has is still right.
//!
//! Not for: when a resource changed, or which tag it has; the resource knows.

use std::error::Error;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::HttpDate;

/// A name for one state of a resource (RFC 9110 8.8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag {
    /// With its quotes, without `W/`.
    quoted: String,
    is_weak: bool,
}

/// A text has a character that no tag may have: a quote, a space or a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ETagError {
    at: usize,
}

/// What a client made its request depend on: the values of five fields. Several lines of one field are joined by commas.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    /// `If-Match`
    pub if_match: Option<&'a str>,
    /// `If-Unmodified-Since`
    pub if_unmodified_since: Option<&'a str>,
    /// `If-None-Match`
    pub if_none_match: Option<&'a str>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<&'a str>,
    /// `If-Range`
    pub if_range: Option<&'a str>,
}

/// What the resource is now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// Its tag.
    pub etag: Option<&'a ETag>,
    /// When it last changed.
    pub modified: Option<SystemTime>,
}

/// What follows from the conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do what was asked.
    Proceed,
    /// 304: what the client has is right.
    NotModified,
    /// 412: the resource is not what the client believed.
    PreconditionFailed,
}

impl ETag {
    /// A tag that changes whenever a byte does.
    ///
    /// # Errors
    ///
    /// When `text` has a quote, a space or a control character.
    pub fn strong(text: &str) -> Result<Self, ETagError> {
        match text.bytes().position(|byte| !is_tag(byte)) {
            Some(at) => Err(ETagError { at }),
            None => Ok(Self {
                quoted: format!("\"{text}\""),
                is_weak: false,
            }),
        }
    }

    /// A tag that changes whenever the meaning does; no ranges can be asked for by it.
    ///
    /// # Errors
    ///
    /// As [`strong`](Self::strong).
    pub fn weak(text: &str) -> Result<Self, ETagError> {
        Self::strong(text).map(Self::into_weak)
    }

    /// The tag of a file, strong: it changes with its length and the nanosecond of its last change.
    pub fn of_file(length: u64, modified: SystemTime) -> Self {
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            quoted: format!("\"{:x}-{length:x}\"", since.as_nanos()),
            is_weak: false,
        }
    }

    /// The same, weak: for content that is compressed on its way.
    #[must_use]
    pub fn into_weak(self) -> Self {
        Self {
            is_weak: true,
            ..self
        }
    }

    /// Whether it is weak.
    pub fn is_weak(&self) -> bool {
        self.is_weak
    }

    /// RFC 9110 8.8.3.2.
    fn matches(&self, written: &Written<'_>, is_strong: bool) -> bool {
        self.quoted == written.quoted && !(is_strong && (self.is_weak || written.is_weak))
    }
}

/// As it stands in the field.
impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_weak { "W/" } else { "" })?;
        f.write_str(&self.quoted)
    }
}

impl<'a> Conditions<'a> {
    /// Judges in the order of RFC 9110 13.2.2. `is_read` for GET and HEAD; a request without any condition proceeds.
    ///
    /// For a resource that is not there, ask [`judge_absent`](Self::judge_absent). Dates that cannot be read are ignored (R157); tags that
    /// cannot be read match nothing.
    pub fn judge(&self, now: &Validators<'_>, is_read: bool) -> Verdict {
        if let Some(tags) = self.if_match {
            if !matches_any(tags, now.etag, true) {
                return Verdict::PreconditionFailed;
            }
        } else if let (Some(since), Some(modified)) = (date(self.if_unmodified_since), now.modified)
            && HttpDate::new(modified) > since
        {
            return Verdict::PreconditionFailed;
        }
        if let Some(tags) = self.if_none_match {
            return match matches_any(tags, now.etag, false) {
                true if is_read => Verdict::NotModified,
                true => Verdict::PreconditionFailed,
                false => Verdict::Proceed,
            };
        }
        match (date(self.if_modified_since), now.modified) {
            (Some(since), Some(modified)) if is_read && HttpDate::new(modified) <= since => {
                Verdict::NotModified
            }
            _ => Verdict::Proceed,
        }
    }

    /// Judges for a resource that is not there: whoever wants it to be fails.
    pub fn judge_absent(&self) -> Verdict {
        match self.if_match {
            Some(_) => Verdict::PreconditionFailed,
            None => Verdict::Proceed,
        }
    }

    /// Whether a `Range` counts (RFC 9110 13.1.5): there is no `If-Range`, or it names exactly this state, by a strong tag or by the date.
    pub fn allows_range(&self, now: &Validators<'_>) -> bool {
        let Some(wanted) = self.if_range else {
            return true;
        };
        match Written::read(wanted) {
            Some((tag, "")) => now.etag.is_some_and(|etag| etag.matches(&tag, true)),
            Some(_) => false,
            None => {
                let modified = now.modified.map(HttpDate::new);
                modified.is_some() && HttpDate::parse(wanted) == modified
            }
        }
    }
}

/// A tag as it was received.
struct Written<'a> {
    quoted: &'a str,
    is_weak: bool,
}

impl<'a> Written<'a> {
    /// The tag at the beginning of `text`, and what follows it.
    fn read(text: &'a str) -> Option<(Self, &'a str)> {
        let (is_weak, quoted) = match text.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, text),
        };
        let end = quoted.strip_prefix('"')?.find('"')? + 2;
        let (quoted, rest) = quoted.split_at(end);
        let inside = &quoted.as_bytes()[1..end - 1];
        let written = Self { quoted, is_weak };
        inside
            .iter()
            .all(|&byte| is_tag(byte))
            .then_some((written, rest))
    }
}

/// Whether a list of tags, or `*`, names the tag. A resource without a tag is meant by `*` only.
fn matches_any(list: &str, etag: Option<&ETag>, is_strong: bool) -> bool {
    let separators = [' ', '\t', ','];
    let mut rest = list.trim_matches(separators);
    if rest == "*" {
        return true;
    }
    let Some(etag) = etag else {
        return false;
    };
    while let Some((tag, behind)) = Written::read(rest) {
        if etag.matches(&tag, is_strong) {
            return true;
        }
        rest = behind.trim_start_matches(separators);
    }
    false
}

fn date(value: Option<&str>) -> Option<HttpDate> {
    value.and_then(HttpDate::parse)
}

/// RFC 9110 8.8.3: etagc.
fn is_tag(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'~' | 0x80..)
}

impl fmt::Display for ETagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "byte {} of the tag is a quote, a space or a control character; leave it out",
            self.at
        )
    }
}

impl Error for ETagError {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const OLD: &str = "Thu, 01 Jan 1970 00:01:39 GMT";
    const NOW: &str = "Thu, 01 Jan 1970 00:01:40 GMT";
    const LATER: &str = "Thursday, 01-Jan-70 00:01:41 GMT";

    /// The state is "a", of second 100.6.
    fn judged(conditions: Conditions<'_>, is_read: bool) -> Verdict {
        let etag = ETag::strong("a").unwrap();
        conditions.judge(&state(&etag), is_read)
    }

    fn state(etag: &ETag) -> Validators<'_> {
        Validators {
            etag: Some(etag),
            modified: Some(UNIX_EPOCH + Duration::from_millis(100_600)),
        }
    }

    #[test]
    fn if_match_compares_strongly_and_goes_before_the_date() {
        for (tags, verdict) in [
            ("*", Verdict::Proceed),
            ("\"a\"", Verdict::Proceed),
            (" \"b,\", ,W/\"a\",\"a\"", Verdict::Proceed),
            ("W/\"a\"", Verdict::PreconditionFailed),
            ("\"b\"", Verdict::PreconditionFailed),
            ("a", Verdict::PreconditionFailed),
            ("\"b\" garbage \"a\"", Verdict::PreconditionFailed),
            ("", Verdict::PreconditionFailed),
        ] {
            let conditions = Conditions {
                if_match: Some(tags),
                if_unmodified_since: Some(OLD),
                ..Conditions::default()
            };
            assert_eq!(judged(conditions, false), verdict, "{tags}");
        }
    }

    #[test]
    fn if_unmodified_since_fails_when_it_was() {
        let since = |text| Conditions {
            if_unmodified_since: Some(text),
            ..Conditions::default()
        };
        assert_eq!(judged(since(OLD), true), Verdict::PreconditionFailed);
        assert_eq!(judged(since(NOW), true), Verdict::Proceed);
        assert_eq!(judged(since("yesterday"), true), Verdict::Proceed);
    }

    #[test]
    fn if_none_match_compares_weakly_and_goes_before_the_date() {
        for (tags, read) in [
            ("*", Verdict::NotModified),
            ("W/\"a\"", Verdict::NotModified),
            ("\"x\",\"a\"", Verdict::NotModified),
            ("\"x\"", Verdict::Proceed),
            ("a", Verdict::Proceed),
        ] {
            let conditions = Conditions {
                if_none_match: Some(tags),
                if_modified_since: Some(LATER),
                ..Conditions::default()
            };
            assert_eq!(judged(conditions, true), read, "{tags}");
            let written = match read {
                Verdict::NotModified => Verdict::PreconditionFailed,
                other => other,
            };
            assert_eq!(judged(conditions, false), written, "{tags}");
        }
    }

    #[test]
    fn r157_if_modified_since_is_for_reading_and_by_the_second() {
        let since = |text| Conditions {
            if_modified_since: Some(text),
            ..Conditions::default()
        };
        assert_eq!(judged(since(OLD), true), Verdict::Proceed);
        assert_eq!(judged(since(NOW), true), Verdict::NotModified);
        assert_eq!(judged(since(LATER), true), Verdict::NotModified);
        assert_eq!(judged(since(LATER), false), Verdict::Proceed);
        assert_eq!(judged(since("100"), true), Verdict::Proceed);
        assert_eq!(judged(Conditions::default(), true), Verdict::Proceed);
    }

    #[test]
    fn if_range_needs_exactly_this_state() {
        let etag = ETag::strong("a").unwrap();
        let allows = |text| {
            let conditions = Conditions {
                if_range: text,
                ..Conditions::default()
            };
            conditions.allows_range(&state(&etag))
        };
        assert!(allows(None) && allows(Some("\"a\"")) && allows(Some(NOW)));
        for odd in ["W/\"a\"", "\"b\"", "\"a\", \"b\"", OLD, LATER, "a", ""] {
            assert!(!allows(Some(odd)), "{odd}");
        }
        let weak = Validators {
            etag: Some(&etag.clone().into_weak()),
            modified: None,
        };
        let conditions = Conditions {
            if_range: Some("\"a\""),
            ..Conditions::default()
        };
        assert!(!conditions.allows_range(&weak));
    }

    #[test]
    fn what_is_not_there_matches_nothing() {
        let conditions = Conditions {
            if_match: Some("*"),
            ..Conditions::default()
        };
        assert_eq!(conditions.judge_absent(), Verdict::PreconditionFailed);
        let conditions = Conditions {
            if_none_match: Some("*"),
            ..Conditions::default()
        };
        assert_eq!(conditions.judge_absent(), Verdict::Proceed);
    }

    #[test]
    fn h1_15_tags_cannot_inject() {
        assert_eq!(ETag::strong("a\r\nb"), Err(ETagError { at: 1 }));
        assert_eq!(ETag::weak("\""), Err(ETagError { at: 0 }));
        assert_eq!(ETag::weak("v1").unwrap().to_string(), "W/\"v1\"");
        let file = ETag::of_file(255, UNIX_EPOCH + Duration::from_nanos(16));
        assert_eq!(
            (file.to_string(), file.is_weak()),
            ("\"10-ff\"".to_owned(), false)
        );
    }
}
