//! The laws of WebSocket as properties.

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::websocket::{Decoder, Encoder, Role};
#[cfg(feature = "deflate")]
use ropewalk_grammar::websocket::{Deflate, DeflateAgreed, Extension};

use super::law::Plan;
use super::websocket_law as law;

fn plan() -> impl Strategy<Value = Plan> {
    (vec(1..40_usize, 1..4), 0..3_usize)
        .prop_map(|(sizes, pause_after)| Plan { sizes, pause_after })
}

/// Frames that are nearly right: few opcodes and bits, lengths that fit mostly.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let opcode = prop_oneof![
        Just(0_u8),
        Just(1),
        Just(2),
        Just(8),
        Just(9),
        Just(10),
        0..16_u8
    ];
    let bits = prop_oneof![8 => Just(0x80_u8), 4 => Just(0), 1 => Just(0xc0), 1 => any::<u8>()];
    let payload = prop_oneof![
        vec(any::<u8>(), 0..6),
        "[a-zü漢😀]{0,40}".prop_map(String::into_bytes),
        Just(b"\x03\xe8bye".to_vec()),
        vec(Just(b'x'), 120..140),
    ];
    let frame =
        (opcode, bits, payload, any::<bool>()).prop_map(|(opcode, bits, payload, masked)| {
            let mut frame = vec![(bits & 0xf0) | opcode];
            let mask = if masked || opcode < 12 { 0x80 } else { 0 };
            match payload.len() {
                length @ 0..126 => frame.push(mask | length as u8),
                length => frame.extend([mask | 126, 0, length as u8]),
            }
            if mask != 0 {
                frame.extend([0; 4]);
            }
            frame.extend(payload);
            frame
        });
    vec(frame, 0..8).prop_map(|frames| frames.concat())
}

fn decoder() -> Decoder {
    Decoder::new(Role::Server)
}

#[cfg(feature = "deflate")]
pub(crate) fn agreed(takes_over: bool, bits: u8) -> (Deflate, DeflateAgreed) {
    let deflate = Deflate::new()
        .with_compress_from_bytes(0)
        .with_context_takeover(takes_over)
        .with_window_bits(bits);
    let offer = Extension::parse(b"permessage-deflate; client_max_window_bits").next();
    let agreed = deflate.agree(offer.flatten()).expect("it is a right offer");
    (deflate, agreed)
}

proptest! {
    #[test]
    fn law_any_split_tells_the_same_frames(data in frames(), plan in plan()) {
        law::any_split_tells_the_same(&decoder, &data, &plan);
        law::any_split_tells_the_same(&|| decoder().with_limit_bytes(30), &data, &plan);
    }

    #[test]
    fn law_any_split_tells_the_same_noise(data in vec(any::<u8>(), 0..200), plan in plan()) {
        law::any_split_tells_the_same(&decoder, &data, &plan);
        law::any_split_tells_the_same(&|| Decoder::new(Role::Client), &data, &plan);
    }

    #[test]
    fn law_what_is_heard_can_be_said(data in frames(), plan in plan()) {
        law::what_is_heard_can_be_said(&decoder, &data, &plan);
    }

    #[test]
    fn law_round_trip_of_messages(messages in vec(vec(any::<u8>(), 0..300), 0..8), plan in plan()) {
        law::sent_messages_are_heard(Encoder::client([1; 16]), decoder(), &messages, &plan);
        law::sent_messages_are_heard(Encoder::server(), Decoder::new(Role::Client), &messages, &plan);
    }
}

#[cfg(feature = "deflate")]
proptest! {
    #[test]
    fn law_any_split_tells_the_same_compressed_frames(data in frames(), plan in plan(), over: bool) {
        let (_, agreed) = agreed(over, 15);
        law::any_split_tells_the_same(&|| decoder().with_deflate(agreed).with_limit_bytes(100), &data, &plan);
    }

    #[test]
    fn law_round_trip_of_compressed_messages(
        messages in vec("[a-c]{0,400}".prop_map(String::into_bytes), 0..8),
        plan in plan(),
        over: bool,
        bits in 9..16_u8,
    ) {
        let (deflate, agreed) = agreed(over, bits);
        let encoder = Encoder::client([1; 16]).with_deflate(agreed, &deflate);
        law::sent_messages_are_heard(encoder, decoder().with_deflate(agreed), &messages, &plan);
        let encoder = Encoder::server().with_deflate(agreed, &deflate);
        let decoder = Decoder::new(Role::Client).with_deflate(agreed);
        law::sent_messages_are_heard(encoder, decoder, &messages, &plan);
    }
}
