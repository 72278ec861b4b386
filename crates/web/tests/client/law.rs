//! What holds for whatever is given as a URL, and whatever a server sets as a cookie or redirects to.
//!
//! For: the property tests beside this file and the fuzz target `web_client`, which includes it. Not for: single rules.

use std::time::SystemTime;

use ropewalk_grammar::http1::{Event, RequestDecoder, Target};
use ropewalk_web::{CookieJar, Cookies, IntoUrl, Redirects, Url};

/// All of them, on a text, and on a place that a server redirects to.
pub(crate) fn all(one: &str, other: &[u8]) {
    urls_can_be_asked_for(one);
    redirects_lead_to_what_can_be_asked_for(one, other);
    cookies_go_where_they_belong(one);
    cookies_go_back_as_they_came(one);
}

/// R171, CL-02: a URL is taken apart in one way, by us and by whoever reads what is sent.
pub(crate) fn urls_can_be_asked_for(text: &str) {
    let Ok(url) = text.into_url() else { return };
    assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    let again = url.as_str().into_url();
    let again = again.unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(again, url);
    is_heard_as_it_is_said(&url);
}

/// What is sent for a URL is one request, for that path of that host.
fn is_heard_as_it_is_said(url: &Url) {
    let host = url.host_str().expect("the web has hosts");
    let port = url
        .port()
        .map_or_else(String::new, |port| format!(":{port}"));
    let authority = &format!("{host}{port}");
    let query = url
        .query()
        .map_or_else(String::new, |query| format!("?{query}"));
    let path = &format!("{}{query}", url.path());
    let said = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    let mut decoder = RequestDecoder::new();
    let mut input = decoder.receive(said.as_bytes());
    let head = match input.next_event() {
        Some(Ok(Event::Head(head))) => head,
        // Too long, or a host such as `a!b`, which no resolver knows.
        Some(Err(error)) => return assert!(is_tolerable(&error, authority), "{said:?}: {error}"),
        other => panic!("{said:?}: {other:?}"),
    };
    assert!(matches!(head.target(), Target::Origin { .. }));
    assert_eq!(head.target_text(), path);
    assert_eq!(head.authority().unwrap().as_str(), authority);
    assert_eq!(head.fields().len(), 1);
}

fn is_tolerable(error: &ropewalk_grammar::http1::Http1Error, authority: &str) -> bool {
    let is_odd = authority.contains(|letter: char| "!$&'()*+,;=\"`{}~".contains(letter));
    is_odd || matches!(error.status(), 414 | 431)
}

/// R170: what a server says leads somewhere on the web or nowhere, and a path of its own stays there.
pub(crate) fn redirects_lead_to_what_can_be_asked_for(from: &str, location: &[u8]) {
    for from in [from, "https://a.example/b/c?d#e"] {
        let Ok(from) = from.into_url() else { continue };
        let keeping = Redirects::strict().keeping_tls();
        if let Ok(url) = keeping.target_of(&from, location) {
            assert!(from.scheme() == "http" || url.scheme() == "https", "{url}");
        }
        let Ok(url) = Redirects::none().target_of(&from, location) else {
            continue;
        };
        is_heard_as_it_is_said(&url);
        let text = std::str::from_utf8(location).expect("else it led nowhere");
        let text = text.trim_start_matches(' ');
        let is_path = text.starts_with('/') && !text[1..].starts_with(['/', '\\']);
        if is_path || text.is_empty() || text.starts_with(['?', '#', '.']) {
            assert_eq!(url.origin(), from.origin(), "{text:?}");
            assert_eq!(url.username(), from.username());
        }
    }
}

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

/// CL-01: what one host sets reaches no stranger, and what is secure no line in clear.
pub(crate) fn cookies_go_where_they_belong(field: &str) {
    let sent = |from: &str, to: &str| {
        let jar = CookieJar::new();
        jar.store(&from.into_url().unwrap(), field, NOW);
        jar.header(&to.into_url().unwrap(), NOW)
    };
    let (at, sibling) = ("https://www.a.example/b/c", "https://other.a.example/b/c");
    for stranger in [
        "https://b.example/b/c",
        "https://xa.example/b/c",
        "https://example/b/c",
        "https://a.example.b.com/b/c",
        "https://10.0.0.1/b/c",
    ] {
        assert_eq!(sent(at, stranger), None, "{field:?} to {stranger}");
    }
    if !has(field, "domain") {
        assert_eq!(sent(at, sibling), None, "{field:?}");
    }
    if has(field, "secure") {
        assert_eq!(sent(at, "http://www.a.example/b/c"), None, "{field:?}");
        assert_eq!(sent("http://a.example/", "https://a.example/"), None);
    }
    for prefix in ["__host-", "__secure-"] {
        let is_plain = !has(field, "secure");
        if is_plain && field.trim_start().to_ascii_lowercase().starts_with(prefix) {
            assert_eq!(sent(at, at), None, "{field:?}");
        }
    }
}

/// Whether there is an attribute of this name.
fn has(field: &str, attribute: &str) -> bool {
    let attributes = field.split(';').skip(1);
    let names = attributes.map(|text| text.split('=').next().unwrap_or_default());
    names
        .map(str::trim)
        .any(|name| name.eq_ignore_ascii_case(attribute))
}

/// What is sent back is one field of pairs, each of which was set.
pub(crate) fn cookies_go_back_as_they_came(field: &str) {
    let at = "https://www.a.example/b/c".into_url().unwrap();
    let jar = CookieJar::new();
    jar.store(&at, "first=1; Path=/", NOW);
    jar.store(&at, field, NOW);
    let Some(sent) = jar.header(&at, NOW) else {
        return;
    };
    assert!(!sent.contains(['\r', '\n', '\0']), "{sent:?}");
    for pair in sent.split("; ") {
        let is_set = pair == "first=1" || is_pair_of(field, pair);
        assert!(is_set, "{field:?}: {sent:?}");
    }
    assert!(Cookies::new(&sent).iter().count() <= jar.len(), "{sent:?}");
}

fn is_pair_of(field: &str, pair: &str) -> bool {
    let set = field.split(';').next().unwrap_or_default();
    let Some((name, value)) = set.split_once('=') else {
        return false;
    };
    pair == format!("{}={}", name.trim(), value.trim())
}
