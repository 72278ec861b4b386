//! The laws of `law.rs`, on generated texts.

use proptest::collection::vec;
use proptest::prelude::*;

use super::law;

/// Texts out of the pieces that URLs and cookies are made of.
fn texts(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        12 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => "\\PC|\r|\n|\0",
    ];
    vec(pieces, 0..16).prop_map(|pieces| pieces.concat())
}

const URL: &[&str] = &[
    "a",
    "b.example",
    "10.0.0.1",
    "0x7f.1",
    "[::1]",
    ":",
    ":80",
    ":443",
    ":0",
    "@",
    "/",
    "//",
    "\\",
    "?",
    "#",
    ".",
    "..",
    "/../",
    "%2e",
    "%2f",
    "%0d%0a",
    "%",
    " ",
    "\t",
    "http:",
    "https:",
    "ws:",
    "wss:",
    "javascript:",
    "\u{e9}",
    "\u{3002}",
    "\u{ad}",
    "!",
    "*",
    ";",
];
const COOKIE: &[&str] = &[
    "a",
    "__Host-x",
    "__secure-x",
    "=",
    "=",
    "1",
    "; ",
    ";",
    "Path=/",
    "path=/b",
    "Path",
    "Domain=a.example",
    "Domain=.www.a.example",
    "domain=example",
    "Domain=",
    "Secure",
    "secure=x",
    " SECURE ",
    "max-age=1;",
    "Max-Age=-1",
    "Max-Age=99999999999999999999",
    "Expires=Thu, 01-Jan-70 00:00:09 GMT",
    "expires=31 Dec 9999 23:59:59",
    ",",
    "\"",
    "\u{e9}",
    "\t",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn law_r171_urls_can_be_asked_for(scheme in "(http|https|ws|wss)://", rest in texts(URL)) {
        law::urls_can_be_asked_for(&format!("{scheme}{rest}"));
        law::urls_can_be_asked_for(&rest);
    }

    #[test]
    fn law_r170_redirects_lead_to_what_can_be_asked_for(from in texts(URL), location in texts(URL)) {
        law::redirects_lead_to_what_can_be_asked_for(&format!("http://{from}"), location.as_bytes());
    }

    #[test]
    fn law_cl_01_cookies_go_where_they_belong(field in texts(COOKIE)) {
        law::cookies_go_where_they_belong(&field);
        law::cookies_go_back_as_they_came(&field);
    }

    #[test]
    fn law_all_survive_all(one in "(\\PC|[\0-~]){0,60}", other in "(\\PC|[\0-~]){0,60}") {
        law::all(&one, other.as_bytes());
    }
}
