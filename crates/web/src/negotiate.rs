//! What a client would rather have (RFC 9110 12.5): of encodings and of media types.
//!
//! Not for: languages and charsets; the first is a matter of taste, the second is UTF-8.
//!
//! Each look goes once through the field for each thing on offer, and allocates nothing. What cannot be read is passed over.

/// Which encoding a response should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding<'a> {
    /// This one of those on offer.
    Coded(&'a str),
    /// None.
    Identity,
    /// None is on offer that the client accepts, and it refuses a plain response too. Most servers send it all the same.
    NotAcceptable,
}

/// Weights are counted in thousandths; so much has what is not weighed.
const FULL: u16 = 1000;

/// Chooses by `Accept-Encoding` among `offered`, the best for the server first (R151).
///
/// The client's weights go before the server's order; no encoding at all is worse than any that is accepted, unless the client weighs it higher.
/// `x-gzip` is `gzip`.
///
/// ```
/// use ropewalk_web::{Encoding, choose_encoding};
///
/// let offered = ["br", "gzip"];
/// assert_eq!(choose_encoding(Some("gzip, br"), &offered), Encoding::Coded("br"));
/// assert_eq!(choose_encoding(Some("gzip;q=1, br;q=0.2"), &offered), Encoding::Coded("gzip"));
/// assert_eq!(choose_encoding(Some("identity, *;q=0.5"), &offered), Encoding::Identity);
/// assert_eq!(choose_encoding(None, &offered), Encoding::Identity);
/// ```
pub fn choose_encoding<'a>(accept: Option<&str>, offered: &[&'a str]) -> Encoding<'a> {
    // Whoever says nothing may be anybody, also one who cannot decode.
    let Some(accept) = accept else {
        return Encoding::Identity;
    };
    let best = best(offered.iter().copied(), |name| {
        encoding_weight(accept, name).unwrap_or(0)
    });
    match (best, encoding_weight(accept, "identity")) {
        (Some((_, weight)), Some(plain)) if is_named(accept, "identity") && plain > weight => {
            Encoding::Identity
        }
        (Some((name, _)), _) => Encoding::Coded(name),
        (None, Some(0)) => Encoding::NotAcceptable,
        (None, _) => Encoding::Identity,
    }
}

/// Chooses by `Accept` among the media types `offered`, the best for the server first; `None` if the client accepts none (406).
///
/// What is said of the type exactly goes before what is said of `text/*`, and that before `*/*` (RFC 9110 12.5.1).
///
/// ```
/// use ropewalk_web::choose_media_type;
///
/// let offered = ["text/html; charset=utf-8", "application/json"];
/// let choose = |accept| choose_media_type(accept, &offered);
/// assert_eq!(choose(None), Some(offered[0]));
/// assert_eq!(choose(Some("application/json, text/*;q=0.9")), Some("application/json"));
/// assert_eq!(choose(Some("*/*;q=0.1, text/html;q=0")), Some("application/json"));
/// assert_eq!(choose(Some("image/*")), None);
/// ```
pub fn choose_media_type<'a>(accept: Option<&str>, offered: &[&'a str]) -> Option<&'a str> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return offered.first().copied();
    };
    best(offered.iter().copied(), |media_type| {
        media_weight(accept, media_type)
    })
    .map(|(media_type, _)| media_type)
}

/// Adds the name of a request field to the value of `Vary`, unless it is there: caches must know what the response depends on.
pub fn add_vary(vary: &mut String, name: &str) {
    let mut named = vary.split(',').map(str::trim);
    if named.any(|named| named == "*" || named.eq_ignore_ascii_case(name)) {
        return;
    }
    if !vary.is_empty() {
        vary.push_str(", ");
    }
    vary.push_str(name);
}

/// The first of those that weigh most, and more than nothing.
fn best<'a>(
    offered: impl Iterator<Item = &'a str>,
    weight: impl Fn(&str) -> u16,
) -> Option<(&'a str, u16)> {
    let weighed = offered.map(|name| (name, weight(name)));
    weighed.fold(None, |best, (name, weight)| match best {
        Some((_, most)) if most >= weight => best,
        _ if weight == 0 => best,
        _ => Some((name, weight)),
    })
}

/// What is said of an encoding by name, or else by `*`; `None` if nothing is.
fn encoding_weight(accept: &str, name: &str) -> Option<u16> {
    let mut any = None;
    for (said, parameters) in members(accept) {
        if is_encoding(said, name) {
            return Some(weight(parameters));
        }
        if said == "*" {
            any = any.or(Some(weight(parameters)));
        }
    }
    any
}

fn is_named(accept: &str, name: &str) -> bool {
    members(accept).any(|(said, _)| is_encoding(said, name))
}

/// RFC 9110 8.4.1.
fn is_encoding(said: &str, name: &str) -> bool {
    let said = match said.split_at_checked(2) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case("x-") => rest,
        _ => said,
    };
    said.eq_ignore_ascii_case(name)
}

/// What the most specific range that matches says of a media type.
fn media_weight(accept: &str, media_type: &str) -> u16 {
    let mut found = (0, 0);
    for (range, parameters) in members(accept) {
        if let Some(specificity) = specificity(range, parameters, media_type)
            && specificity > found.0
        {
            found = (specificity, weight(parameters));
        }
    }
    found.1
}

/// How exactly a range names a media type: 1 for `*/*`, more for each parameter; `None` if it does not.
fn specificity(range: &str, parameters: &str, media_type: &str) -> Option<usize> {
    let (essence, own) = split_parameters(media_type);
    let (kind, subtype) = range.split_once('/')?;
    let (own_kind, own_subtype) = essence.split_once('/')?;
    let base = match (kind, subtype) {
        ("*", "*") => 1,
        (kind, "*") if kind.eq_ignore_ascii_case(own_kind) => 2,
        _ if kind.eq_ignore_ascii_case(own_kind) && subtype.eq_ignore_ascii_case(own_subtype) => 3,
        _ => return None,
    };
    let mut count = 0;
    for wanted in pieces(parameters, b';').take_while(|wanted| !is_weight(wanted)) {
        let has = pieces(own, b';').any(|own| own.eq_ignore_ascii_case(wanted));
        if !has {
            return None;
        }
        count += 1;
    }
    Some(base + count)
}

/// What a list names, each with its parameters.
fn members(list: &str) -> impl Iterator<Item = (&str, &str)> {
    pieces(list, b',').map(split_parameters)
}

fn split_parameters(member: &str) -> (&str, &str) {
    let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
    (name.trim(), parameters)
}

/// The pieces of a text between separators that are not in quotes, trimmed, without empty ones.
fn pieces(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let split = text.split(move |char: char| {
        let is_end = char == char::from(separator) && !is_quoted;
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        is_end
    });
    split.map(str::trim).filter(|piece| !piece.is_empty())
}

fn is_weight(parameter: &str) -> bool {
    parameter
        .split_once('=')
        .is_some_and(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
}

/// The weight among parameters; one that cannot be read is none, so that nothing is chosen by mistake.
fn weight(parameters: &str) -> u16 {
    match pieces(parameters, b';').find(|parameter| is_weight(parameter)) {
        None => FULL,
        Some(parameter) => {
            let value = parameter.split_once('=').map_or("", |(_, value)| value);
            thousandths(value.trim()).unwrap_or(0)
        }
    }
}

/// RFC 9110 12.4.2: `0`, `1`, and up to three digits behind a point.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    let is_right = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let places = [100, 10, 1].into_iter().zip(digits.bytes());
    let part = places.map(|(place, digit)| place * u16::from(digit.wrapping_sub(b'0') % 10));
    let part: u16 = part.sum();
    match whole {
        "0" if is_right => Some(part),
        "1" if is_right && part == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r151_encodings_are_chosen_by_weight_then_by_the_server() {
        let offered = ["br", "gzip"];
        for (accept, encoding) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Coded("gzip")),
            ("GZIP;Q=1.000", Encoding::Coded("gzip")),
            ("x-gzip", Encoding::Coded("gzip")),
            ("deflate", Encoding::Identity),
            ("gzip;q=0", Encoding::Identity),
            ("gzip;q=0.001", Encoding::Coded("gzip")),
            ("*", Encoding::Coded("br")),
            ("*, br;q=0", Encoding::Coded("gzip")),
            ("br;q=0.5,gzip;q=0.50", Encoding::Coded("br")),
            ("gzip;q=0.5, identity", Encoding::Identity),
            ("gzip;q=0.5, identity;q=0.5", Encoding::Coded("gzip")),
            ("identity;q=0", Encoding::NotAcceptable),
            ("*;q=0", Encoding::NotAcceptable),
            ("*;q=0, identity", Encoding::Identity),
            ("gzip;q=1.1", Encoding::Identity),
            ("gzip;q=x, br;q=", Encoding::Identity),
            (", ,gzip ; q=1;", Encoding::Coded("gzip")),
            ("\u{e9}", Encoding::Identity),
        ] {
            assert_eq!(
                choose_encoding(Some(accept), &offered),
                encoding,
                "{accept}"
            );
        }
    }

    #[test]
    fn media_types_are_chosen_by_the_most_specific_range() {
        let offered = ["text/html", "text/plain;format=flowed", "application/json"];
        for (accept, chosen) in [
            ("*/*", Some(0)),
            ("text/plain;format=flowed, */*;q=0.5", Some(1)),
            ("text/plain;format=fixed", None),
            ("text/*;q=0.3, text/html;q=0.2, */*;q=0.1", Some(1)),
            ("text/*;q=0, application/*", Some(2)),
            ("APPLICATION/JSON;q=0.4", Some(2)),
            (
                "text/plain;x=\"a,b;q=1\";format=flowed, */*;q=0.001",
                Some(0),
            ),
            ("*", None),
            (" ", Some(0)),
        ] {
            let found = choose_media_type(Some(accept), &offered);
            assert_eq!(found, chosen.map(|at: usize| offered[at]), "{accept}");
        }
    }

    #[test]
    fn vary_names_each_field_once() {
        let mut vary = String::new();
        for name in ["Accept-Encoding", "Cookie", "accept-encoding"] {
            add_vary(&mut vary, name);
        }
        assert_eq!(vary, "Accept-Encoding, Cookie");
        let mut all = "*".to_owned();
        add_vary(&mut all, "Cookie");
        assert_eq!(all, "*");
    }
}
