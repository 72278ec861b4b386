//! The laws of endpoint strings, for texts in which what matters is frequent.

mod law;

use proptest::prelude::*;

/// Pieces of endpoint strings, right and wrong, in any order.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "tcp", "host", "unix", "udp", "unix-datagram", "tpc", ":", ":", ":", "=", "[", "]", "\\", "80", "0", "localhost", "127.0.0.1", "::1",
            "[::1]", "@", "/run/x", "backlog=", "timeout=", "reuse_port=yes", "interface=", "bind=", "path=", "host=", "%3",
        ]).prop_map(str::to_owned),
        1 => ".{0,3}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_text_is_understood_or_its_fault_is_shown(text in text()) {
        law::every_text_is_understood_or_its_fault_is_shown(&text);
    }

    #[test]
    fn a_quoted_text_is_one_field(text in text()) {
        law::a_quoted_text_is_one_field(&text);
    }
}

#[test]
fn a_name_with_odd_bytes_is_understood() {
    law::every_text_is_understood_or_its_fault_is_shown("unix:@a\0\t\u{e9}");
}
