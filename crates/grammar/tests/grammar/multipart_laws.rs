//! The laws of `multipart_law.rs`, on generated bodies.

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::multipart::{Limits, MultipartDecoder};

use crate::law::Plan;
use crate::multipart_law as law;

fn plans() -> impl Strategy<Value = Plan> {
    (vec(1..40usize, 1..8), 0..4usize).prop_map(|(sizes, pause_after)| Plan { sizes, pause_after })
}

/// Pieces of bodies, right and wrong, so that most get somewhere before they break.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let good = prop::sample::select(vec![
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n",
        "--b\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;name=n;filename=\"C:\\\\f\\\"\"\r\n\r\n",
        "--b\r\nContent-Disposition: form-data; name=\"%22\"; filename*=utf-8''%e2%82%ac\r\n\r\ntwo\r\nlines\r\n",
        "some\r\n--data\r\r\n",
        "\r\n",
    ]);
    let odd = prop::sample::select(vec![
        "--b",
        "--b--",
        "--b\r\n",
        "\r\n--b",
        "-",
        "--b\r\nContent-Disposition: form-data; name=\"\u{e9}\r\n\r\n",
        "--b\r\nno colon\r\n\r\n",
        "\u{fffd}",
    ]);
    let pieces = prop_oneof![4 => good, 1 => odd].prop_map(|text| text.as_bytes().to_vec());
    (vec(pieces, 0..7), any::<bool>()).prop_map(|(pieces, ends)| {
        let end: &[u8] = if ends { b"\r\n--b--\r\n" } else { b"" };
        [pieces.concat(), end.to_vec()].concat()
    })
}

fn decoders() -> impl Strategy<Value = MultipartDecoder> {
    (any::<bool>(), any::<bool>(), 10..90u64).prop_map(|(is_form, is_tight, bytes)| {
        let decoder = match is_form {
            true => MultipartDecoder::form(law::boundary()),
            false => MultipartDecoder::mixed(law::boundary()),
        };
        let mut limits = Limits::default();
        if is_tight {
            (limits.parts, limits.name_bytes, limits.part_bytes) = (2, 4, bytes / 8);
            (limits.head_bytes, limits.total_bytes) = (bytes as usize, 3 * bytes);
        }
        decoder.with_limits(limits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn law_any_split_tells_the_same_parts(decoder in decoders(), data in bodies(), plan in plans()) {
        law::any_split_tells_the_same_parts(&decoder, &data, &plan);
    }

    #[test]
    fn law_any_bytes_tell_the_same_parts(decoder in decoders(), data in vec(any::<u8>(), 0..90), plan in plans()) {
        let data = [b"--b\r\n", &data[..]].concat();
        law::any_split_tells_the_same_parts(&decoder, &data, &plan);
    }

    #[test]
    fn law_understood_parts_can_be_sent(decoder in decoders(), data in bodies()) {
        law::what_is_understood_can_be_sent(&decoder, &data);
    }

    #[test]
    fn law_sent_parts_are_received(
        names in vec("[ -~]{0,9}|\\PC{0,5}|a\r\n\"\\\\|\0", 0..5),
        contents in vec(vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'-'), any::<u8>()], 0..60), 5),
        plan in plans(),
    ) {
        law::sent_parts_are_received(&names, &contents, &plan);
    }
}
