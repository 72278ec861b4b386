//! What holds for whatever a peer writes into a target, a field or a form.
//!
//! For: the property tests beside this file and the fuzz target `web_fields`, which includes it. Not for: single rules.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ropewalk_web::{
    Access, AccessFormat, AccessLog, ByteRange, Conditions, Cookies, ETag, Encoding, Escaped, Form,
    HttpDate, MOST_RANGES, Page, Selection, SetCookie, TargetPath, Validators, choose_encoding,
    choose_media_type,
};

/// All of them, on one text.
pub(crate) fn all(text: &str, size: u64) {
    ranges_are_inside_and_apart(text, size);
    paths_stay_below_the_root(text);
    cookies_can_be_sent_back(text);
    forms_are_read_as_they_are_written(text);
    conditions_know_their_own(text);
    choices_are_among_what_is_offered(text);
    log_lines_are_lines(text.as_bytes());
    pages_hold_no_tags_of_others(text);
}

/// H1-22.
pub(crate) fn ranges_are_inside_and_apart(value: &str, size: u64) {
    let ranges = match Selection::of(value, size) {
        Selection::One(range) => vec![range],
        Selection::Many(ranges) => ranges,
        Selection::Whole | Selection::Unsatisfiable => vec![],
    };
    assert!(ranges.len() <= MOST_RANGES);
    for (index, range) in ranges.iter().enumerate() {
        assert!(range.first <= range.last && range.last < size);
        let is_apart = |other: &ByteRange| {
            other.last.saturating_add(1) < range.first || range.last.saturating_add(1) < other.first
        };
        assert!(ranges[..index].iter().all(is_apart), "{ranges:?}");
        let alone = Selection::of(&format!("bytes={range}"), size);
        assert_eq!(alone, Selection::One(*range));
    }
}

/// R145, H1-23.
pub(crate) fn paths_stay_below_the_root(path: &str) {
    let Ok(target) = TargetPath::parse(path) else {
        return;
    };
    let segments: Vec<_> = target.segments().collect();
    assert_eq!(segments.len(), path.matches('/').count());
    assert!(segments.iter().all(|segment| !segment.contains('\0')));
    let redirect = target.with_slash(None);
    assert!(redirect.starts_with('/') && !redirect[1..].starts_with(['/', '\\']));
    if let Ok(file) = target.file_path() {
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        assert!(file.as_str().is_empty() || file.as_str().split('/').all(is_name));
    }
}

pub(crate) fn cookies_can_be_sent_back(field: &str) {
    for (name, value) in Cookies::new(field).iter() {
        assert!(!name.is_empty() && !value.contains([';', '\r', '\n', '\0']));
        if let Ok(set) = SetCookie::new(name, value)
            .dangerous_without_secure()
            .to_field()
        {
            let pair = set.split_once("; ").expect("there is a path").0;
            assert_eq!(Cookies::new(pair).value(name), Some(value));
        }
    }
}

/// R140.
pub(crate) fn forms_are_read_as_they_are_written(text: &str) {
    if let Ok(form) = Form::parse(text) {
        let written = form.to_string();
        assert_eq!(Form::parse(&written), Ok(form.clone().into_owned()));
    }
}

pub(crate) fn conditions_know_their_own(text: &str) {
    let conditions = Conditions {
        if_match: Some(text),
        if_none_match: Some(text),
        if_modified_since: Some(text),
        if_unmodified_since: Some(text),
        if_range: Some(text),
    };
    let etag = ETag::strong("a").expect("it is one");
    let now = Validators {
        etag: Some(&etag),
        modified: Some(SystemTime::UNIX_EPOCH),
    };
    conditions.judge(&now, true);
    if conditions.allows_range(&now) {
        let is_date = HttpDate::parse(text).is_some();
        assert!(is_date || text == "\"a\"", "{text:?}");
    }
    if let Some(date) = HttpDate::parse(text) {
        assert_eq!(HttpDate::parse(&date.to_string()), Some(date));
    }
}

/// R151.
pub(crate) fn choices_are_among_what_is_offered(text: &str) {
    if let Encoding::Coded(name) = choose_encoding(Some(text), &["br", "gzip"]) {
        let said = text.to_ascii_lowercase();
        assert!(said.contains(name) || said.contains('*'));
    }
    let offered = ["text/html;a=b", "application/json"];
    if let Some(chosen) = choose_media_type(Some(text), &offered) {
        assert!(offered.contains(&chosen));
    }
}

/// H1-18.
pub(crate) fn log_lines_are_lines(bytes: &[u8]) {
    for format in [AccessFormat::Combined, AccessFormat::Json] {
        let access = Access {
            peer: None,
            user: std::str::from_utf8(bytes).ok(),
            time: UNIX_EPOCH,
            method: "GET",
            target: bytes,
            version: "HTTP/1.1",
            host: Some(bytes),
            status: 200,
            bytes: 0,
            duration: Duration::ZERO,
            referer: Some(bytes),
            user_agent: Some(bytes),
        };
        let mut out = Vec::new();
        AccessLog::new(format).write(&access, &mut out);
        let line = String::from_utf8(out).expect("a line is text");
        let line = line.strip_suffix('\n').expect("a line ends");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
}

/// H1-19.
pub(crate) fn pages_hold_no_tags_of_others(text: &str) {
    let escaped = Escaped(text).to_string();
    assert!(!escaped.contains(['<', '>', '"', '\'', '\0']));
    let tags = |page: Page| page.to_string().matches('<').count();
    assert_eq!(
        tags(Page::new("a").text(text)),
        tags(Page::new("a").text("b"))
    );
}
