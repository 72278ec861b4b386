//! The laws of `pubsub_law.rs` on generated streams.

use proptest::collection::vec;
use proptest::prelude::*;
use ropewalk_grammar::resp::command;

use crate::law::Plan;
use crate::pubsub_law;

fn plans() -> impl Strategy<Value = Plan> {
    (vec(1..9usize, 1..8), 0..4usize).prop_map(|(sizes, pause_after)| Plan { sizes, pause_after })
}

fn limits() -> impl Strategy<Value = usize> {
    prop_oneof![0..40usize, Just(1 << 20), Just(usize::MAX)]
}

fn with_payload(head: &'static str) -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..20), 0..30usize).prop_map(move |(payload, off)| {
        // Now and then the length is wrong.
        let length = if off == 0 { 7 } else { payload.len() };
        [format!("{head}{length}\r\n").as_bytes(), &payload, b"\r\n"].concat()
    })
}

fn nats_streams() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![
        Just("PING\r\n"),
        Just("pong \r\n"),
        Just("+OK\r\n"),
        Just("-ERR 'Stale Connection'\r\n"),
        Just("INFO {\"max_payload\":1048576}\r\n"),
        Just("CONNECT {}\r\n"),
        Just("SUB a.* q 1\r\n"),
        Just("SUB a.>\t2\r\n"),
        Just("UNSUB 1 5\r\n"),
        Just("UNSUB 1\r\n"),
        Just("PING x\r\n"),
        Just("PUB a..b 0\r\n\r\n"),
        Just("MSG a 1 007\r\n"),
        Just("\r\n"),
        Just("\n"),
    ];
    let piece = prop_oneof![
        4 => words.prop_map(|word| word.as_bytes().to_vec()),
        3 => with_payload("MSG rooms.hall 1 "),
        2 => with_payload("MSG rooms.hall 1 reply.to "),
        2 => with_payload("PUB rooms.hall  "),
        1 => vec(any::<u8>(), 0..12),
    ];
    vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn resp_streams() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![
        Just("+OK\r\n"),
        Just("-ERR why\r\n"),
        Just(":-12\r\n"),
        Just(":9223372036854775807\r\n"),
        Just("_\r\n"),
        Just("$-1\r\n"),
        Just("*-1\r\n"),
        Just("#t\r\n"),
        Just(",1.5\r\n"),
        Just(",nan\r\n"),
        Just("(123456789012345678901234567890\r\n"),
        Just("=5\r\ntxt:a\r\n"),
        Just("!3\r\nERR\r\n"),
        Just("*2\r\n"),
        Just("*0\r\n"),
        Just(">3\r\n"),
        Just("%1\r\n"),
        Just("~1\r\n"),
        Just("*1\r\n*1\r\n*1\r\n"),
        Just("*9999999999\r\n"),
        Just("$01\r\n"),
        Just(":\r\n"),
        Just("+a\rb\r\n"),
        Just("\n"),
    ];
    let bytes = vec(any::<u8>(), 0..20)
        .prop_map(|body| [format!("${}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat());
    let commands = vec(vec(any::<u8>(), 0..9), 0..5).prop_map(|words| {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        command(&words, &mut out);
        out
    });
    let piece = prop_oneof![
        6 => words.prop_map(|word| word.as_bytes().to_vec()),
        3 => bytes,
        2 => commands,
        1 => vec(any::<u8>(), 0..12),
    ];
    vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn law_nats(data in nats_streams(), limit in limits(), plan in plans()) {
        pubsub_law::nats(&data, limit, &plan);
    }

    #[test]
    fn law_resp(data in resp_streams(), limit in limits(), plan in plans()) {
        pubsub_law::resp(&data, limit, &plan);
    }
}
