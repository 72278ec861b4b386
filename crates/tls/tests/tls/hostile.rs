//! Peers that break the rules: the layer alone, fed by hand.

use proptest::prelude::*;
use ropewalk_core::Layer;
use ropewalk_core::layer::LayerError;
use ropewalk_tls::{TlsLayer, TlsServer};

use crate::authority::{Authority, couple};
use crate::law;

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;

/// A server's layer, once without and once with ALPN: then it looks at the hello before it answers.
fn servers() -> [TlsServer; 2] {
    let pair = Authority::new("ours").issue(&["a.example"]);
    [
        pair.server(),
        TlsServer::new(pair.options().alpn(["h2"])).unwrap(),
    ]
}

fn started(server: &TlsServer) -> TlsLayer {
    let mut layer = TlsLayer::server(server);
    layer.start(&mut Vec::new()).unwrap();
    layer
}

fn hello() -> Vec<u8> {
    let (_, client) = couple();
    let mut hello = Vec::new();
    let mut layer = TlsLayer::client(&client, "a.example").unwrap();
    layer.start(&mut hello).unwrap();
    hello
}

/// Feeds bytes in pieces of this size; gives what the layer says, and why it failed.
fn feed(layer: &mut TlsLayer, bytes: &[u8], size: usize) -> (Vec<u8>, Option<String>) {
    let mut down = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        let mut piece = piece.to_vec();
        let outcome = layer.receive(&mut piece, &mut |_| panic!("nothing may go up"), &mut down);
        match outcome {
            Ok(()) => {}
            Err(LayerError::Misbehaved(error)) => return (down, Some(error.to_string())),
            Err(error) => panic!("{error:?}"),
        }
    }
    (down, None)
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1], &length[..], payload].concat()
}

#[test]
fn tls_01_every_alert_in_every_state_comes_to_an_end() {
    let hello = hello();
    for server in servers() {
        for after in [0, 3, hello.len() / 2, hello.len()] {
            for level in [0, 1, 2, 255] {
                for description in 0..=255 {
                    let mut layer = started(&server);
                    let _answer = feed(&mut layer, &hello[..after], usize::MAX);
                    let alerts = record(ALERT, &[level, description]).repeat(20);
                    let (down, error) = feed(&mut layer, &alerts, usize::MAX);
                    assert!(down.len() < 2000, "{} bytes of answer", down.len());
                    let in_a_record = after == 3 || after == hello.len() / 2;
                    assert!(
                        in_a_record || error.is_some(),
                        "level {level}, {description}"
                    );
                    let mut down = Vec::new();
                    layer.close(&mut down);
                    assert!(layer.is_closed());
                }
            }
        }
    }
}

#[test]
fn tls_02_a_hello_in_records_of_one_byte_is_answered() {
    let hello = hello();
    let cut: Vec<u8> = hello[5..]
        .iter()
        .flat_map(|&byte| record(HANDSHAKE, &[byte]))
        .collect();
    for server in servers() {
        for size in [1, 6, 7, 100, usize::MAX] {
            let (answer, error) = feed(&mut started(&server), &cut, size);
            assert_eq!(
                (error, answer.first()),
                (None, Some(&HANDSHAKE)),
                "pieces of {size}"
            );
            let (answer, error) = feed(&mut started(&server), &hello, size);
            assert_eq!(
                (error, answer.first()),
                (None, Some(&HANDSHAKE)),
                "pieces of {size}"
            );
        }
    }
}

#[test]
fn tls_03_a_hello_that_announces_16_mib_is_refused_at_once() {
    let announced = record(HANDSHAKE, &[1, 255, 255, 255, 3, 3]);
    for server in servers() {
        for size in [1, usize::MAX] {
            let (alert, error) = feed(&mut started(&server), &announced, size);
            assert!(error.is_some());
            assert_eq!(alert.first(), Some(&ALERT));
        }
    }
}

#[test]
fn tls_04_a_hello_that_never_ends_is_cut_off() {
    let mut endless = record(HANDSHAKE, &[1, 0, 255, 0]);
    endless.extend(record(HANDSHAKE, &[0]).repeat(40_000));
    for server in servers() {
        let (_, error) = feed(&mut started(&server), &endless, 1000);
        let error = error.expect("an end");
        assert!(error.contains("its handshake message is"), "{error}");
    }
    let empty = record(HANDSHAKE, &[]).repeat(1000);
    for server in servers() {
        assert!(feed(&mut started(&server), &empty, 7).1.is_some());
    }
}

#[test]
fn plain_bytes_to_a_tls_port_are_called_that_and_get_an_alert() {
    for server in servers() {
        for plain in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "EHLO me\r\n",
            "\0\0\0\0\0\0\0\0",
        ] {
            let (alert, error) = feed(&mut started(&server), plain.as_bytes(), usize::MAX);
            let error = error.expect("an error");
            assert!(error.contains("not the bytes of TLS"), "{error}");
            assert_eq!(alert.first(), Some(&ALERT), "{plain:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, and however it is cut: no panic, the same end, no more memory than there are bytes.
    #[test]
    fn tls_05_changed_hellos_end_the_same_for_any_split(
        at in 0_usize..2000, with in proptest::collection::vec(any::<u8>(), 0..4), size in 1_usize..50,
    ) {
        let mut bytes = hello();
        let at = at % bytes.len();
        bytes.splice(at..(at + with.len()).min(bytes.len()), with);
        for server in servers() {
            let whole = feed(&mut started(&server), &bytes, usize::MAX);
            let cut = feed(&mut started(&server), &bytes, size);
            prop_assert_eq!(whole.1, cut.1);
        }
    }

    /// Whatever comes, before the handshake and after it.
    #[test]
    fn tls_05_the_laws_of_a_layer_hold_for_any_bytes(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), size in 1_usize..50,
    ) {
        let (server, client) = couple();
        law::any_split_of_a_hello_is_the_same(&server, &bytes, &[size]);
        law::changed_hellos_end_the_same(&server, &client, &bytes, &[size]);
        law::any_answer_to_a_hello_is_survived(&client, &bytes, &[size]);
        law::changed_records_bring_nothing_up(&server, &client, &bytes, &[size]);
        law::raw_bytes_bring_nothing_up(&server, &client, &bytes, &[size]);
    }
}
