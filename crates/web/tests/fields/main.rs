//! The laws of `law.rs`, on generated texts.

mod law;

use proptest::collection::vec;
use proptest::prelude::*;

/// Texts out of the pieces that one kind of field is made of.
fn texts(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => "\\PC|\r|\n|\0",
    ];
    vec(pieces, 0..20).prop_map(|pieces| pieces.concat())
}

const RANGE: &[&str] = &[
    "bytes=",
    "0",
    "1",
    "9",
    "99",
    "18446744073709551615",
    "-",
    "-",
    "-",
    ",",
    ",",
    " ",
];
const PATH: &[&str] = &[
    "/", "/", "/", "a", ".", "..", "%2e", "%2f", "%5c", "\\", "%c3", "%a9", "%00", "%", "//",
];
const COOKIE: &[&str] = &[
    "a", "__Host-", "=", "=", ";", "; ", "\"", "%", ",", "\u{e9}",
];
const FORM: &[&str] = &["a", "=", "&", ";", "+", "%20", "%ff", "%", "\u{e9}"];
const TAGS: &[&str] = &[
    "\"a\"",
    "W/",
    "\"b\"",
    ",",
    " ",
    "*",
    "\"",
    "Thu, 01 Jan 1970 00:00:00 GMT",
];
const CHOICE: &[&str] = &[
    "gzip",
    "br",
    "*",
    "identity",
    "text/html",
    "*/*",
    ";",
    "q=",
    "0.5",
    "0",
    "1",
    ",",
    "\"",
    "\\",
    "a=b",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn law_h1_22_ranges_are_inside_and_apart(text in texts(RANGE), size in prop_oneof![0..200u64, Just(u64::MAX)]) {
        law::ranges_are_inside_and_apart(&format!("bytes={text}"), size);
    }

    #[test]
    fn law_h1_23_paths_stay_below_the_root(text in texts(PATH)) {
        law::paths_stay_below_the_root(&format!("/{text}"));
    }

    #[test]
    fn law_cookies_can_be_sent_back(text in texts(COOKIE)) {
        law::cookies_can_be_sent_back(&text);
    }

    #[test]
    fn law_r140_forms_are_read_as_they_are_written(text in texts(FORM)) {
        law::forms_are_read_as_they_are_written(&text);
    }

    #[test]
    fn law_conditions_know_their_own(text in texts(TAGS)) {
        law::conditions_know_their_own(&text);
    }

    #[test]
    fn law_r151_choices_are_among_what_is_offered(text in texts(CHOICE)) {
        law::choices_are_among_what_is_offered(&text);
    }

    #[test]
    fn law_h1_18_log_lines_are_lines(bytes in vec(any::<u8>(), 0..40)) {
        law::log_lines_are_lines(&bytes);
    }

    #[test]
    fn law_h1_19_pages_hold_no_tags_of_others(text in "([<>&\"'a]|\\PC|\0){0,20}") {
        law::pages_hold_no_tags_of_others(&text);
    }

    #[test]
    fn law_all_survive_all(text in "(\\PC|[\0-~]){0,60}", size in any::<u64>()) {
        law::all(&text, size);
    }
}
