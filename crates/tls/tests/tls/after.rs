//! Peers that shake hands well and break the rules after it, which takes their keys.

use ropewalk_core::Layer;

use crate::forger::{Meeting, Ours, VERSIONS, feed};

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// Every role of ours with every version.
fn meetings() -> impl Iterator<Item = (String, Meeting)> {
    let roles = [Ours::Server, Ours::Client];
    let all = roles.map(|ours| VERSIONS.map(|version| (ours, version)));
    all.into_iter().flatten().map(|(ours, version)| {
        let name = format!("ours is the {ours:?}, {:?}", version.version);
        (name, Meeting::new(ours, version))
    })
}

/// Nothing more than a few alerts is said to whoever sends so much.
const FEW_BYTES: usize = 500;

#[test]
fn tls_01_every_encrypted_alert_comes_to_an_end() {
    const CLOSE_NOTIFY: u8 = 0;
    for level in [0, 1, 2, 255] {
        for description in (0..=120).chain([255]) {
            for (name, meeting) in meetings() {
                let (mut layer, mut forger) = meeting.forge();
                let mut over = false;
                for _ in 0..20 {
                    let alert = forger.record(ALERT, &[level, description]);
                    let heard = feed(&mut layer, &alert);
                    assert!(heard.up.is_empty() && heard.down.len() < FEW_BYTES);
                    over |= heard.error.is_some() || layer.is_ended();
                    if layer.is_ended() {
                        assert_eq!(description, CLOSE_NOTIFY, "{name}, level {level}");
                    }
                }
                assert!(
                    over,
                    "{name}: level {level}, {description} may come for ever"
                );
            }
        }
    }
}

#[test]
fn tls_01_alerts_of_wrong_size_end_it() {
    for wrong in [&[][..], &[1], &[1, 0, 0], &[2; 300]] {
        for (name, meeting) in meetings() {
            let (mut layer, mut forger) = meeting.forge();
            let heard = feed(&mut layer, &forger.record(ALERT, wrong));
            assert!(heard.error.is_some(), "{name}: {wrong:?}");
        }
    }
}

#[test]
fn tls_01_alerts_in_clear_do_not_count_once_there_are_keys() {
    for description in [0, 10, 90, 100] {
        for (name, mut meeting) in meetings() {
            let heard = meeting.feed(&[ALERT, 3, 3, 0, 2, 1, description]);
            assert!(heard.error.is_some(), "{name}: {description}");
            assert!(!meeting.layer.is_ended(), "{name}: anybody could end it");
        }
    }
}

#[test]
fn tls_04_floods_of_key_updates_are_cut_off_and_answered_once_each() {
    const REQUESTED: u8 = 1;
    for (name, mut meeting) in meetings() {
        if !meeting.is_tls13() {
            continue;
        }
        let mut updates = 0;
        let error = loop {
            meeting.peer.refresh_traffic_keys().unwrap();
            let said = meeting.said();
            let heard = meeting.feed(&said);
            assert!(heard.down.len() < 100, "{name}: {}", heard.down.len());
            if heard.error.is_some() {
                break heard.error;
            }
            updates += 1;
            assert!(updates < 100, "{name}: updates come for ever");
        };
        assert!(updates > 2, "{name}: honest updates are refused: {error:?}");
    }
    // Many in one record are refused at once: what follows a change of keys begins a record (RFC 8446 section 5.1).
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let many = forger.record(HANDSHAKE, &[24, 0, 0, 1, REQUESTED].repeat(1000));
        let heard = feed(&mut layer, &many);
        assert!(
            heard.error.is_some() && heard.down.len() < FEW_BYTES,
            "{name}"
        );
    }
}

#[test]
fn keys_may_be_updated_between_messages_as_often_as_anybody_likes() {
    for (_, mut meeting) in meetings().filter(|(_, meeting)| meeting.is_tls13()) {
        for _ in 0..100 {
            meeting.peer.refresh_traffic_keys().unwrap();
            let said = meeting.said();
            let heard = meeting.feed(&said);
            assert_eq!(heard.error, None);
            meeting.hear(&heard.down);
            meeting.both_are_well();
        }
    }
}

#[test]
fn tls_04_empty_records_are_allowed_but_not_for_ever() {
    const IN_A_ROW: usize = 20;
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let mut empty = |count: usize| -> Vec<u8> {
            let records = (0..count).map(|_| forger.record(DATA, &[]));
            records.collect::<Vec<_>>().concat()
        };
        let (few, many) = (empty(IN_A_ROW), empty(1000));
        let heard = feed(&mut layer, &few);
        assert_eq!(
            (heard.error, heard.up.len(), heard.down.len()),
            (None, 0, 0),
            "{name}"
        );
        let heard = feed(&mut layer, &many);
        assert!(
            heard.error.is_some() && heard.down.len() < FEW_BYTES,
            "{name}"
        );
    }
    // Only data should be empty (RFC 8446 section 5.4, RFC 5246 section 6.2.1).
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let empty = (0..100).map(|_| forger.record(HANDSHAKE, &[]));
        let heard = feed(&mut layer, &empty.collect::<Vec<_>>().concat());
        assert!(heard.error.is_some(), "{name}: empty handshake records");
    }
}

#[test]
fn tls_05_oversize_records_are_refused_by_their_header() {
    const MOST: u16 = 16 * 1024 + 2048;
    for (name, mut meeting) in meetings() {
        let [high, low] = (MOST + 1).to_be_bytes();
        let heard = meeting.feed(&[DATA, 3, 3, high, low]);
        assert!(
            heard.error.is_some(),
            "{name}: waits for a record of {}",
            MOST + 1
        );
        assert!(!heard.down.is_empty(), "{name}: no alert");
    }
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let whole = feed(&mut layer, &forger.record(DATA, &[7; 16 * 1024]));
        assert_eq!((whole.error, whole.up.len()), (None, 16 * 1024), "{name}");
        let heard = feed(&mut layer, &forger.record(DATA, &[7; 16 * 1024 + 1]));
        assert!(heard.error.is_some() && heard.up.is_empty(), "{name}");
    }
}

#[test]
fn renegotiation_is_refused_and_cannot_be_asked_for_ever() {
    let client_hello = [1, 0, 0, 2, 3, 3];
    let hello_request = [0, 0, 0, 0];
    for message in [&client_hello[..], &hello_request] {
        for (name, meeting) in meetings() {
            let (mut layer, mut forger) = meeting.forge();
            let (mut error, mut said) = (None, 0);
            for _ in 0..5 {
                let heard = feed(&mut layer, &forger.record(HANDSHAKE, message));
                said += heard.down.len();
                error = error.or(heard.error);
            }
            assert!(error.is_some(), "{name}: {message:?}");
            assert!(said < FEW_BYTES, "{name}: {said} bytes of answers");
        }
    }
}

#[test]
fn tls_05_messages_that_belong_to_the_handshake_end_it_later() {
    for kind in 0..=25 {
        for (name, meeting) in meetings() {
            let (mut layer, mut forger) = meeting.forge();
            let message = forger.record(HANDSHAKE, &[kind, 0, 0, 3, 1, 2, 3]);
            let again = forger.record(HANDSHAKE, &[kind, 0, 0, 3, 1, 2, 3]);
            let (first, second) = (feed(&mut layer, &message), feed(&mut layer, &again));
            let said = first.down.len() + second.down.len();
            assert!(said < FEW_BYTES, "{name}: {kind}");
            assert!(first.error.or(second.error).is_some(), "{name}: {kind}");
        }
    }
}

#[test]
fn tls_05_records_of_other_types_and_in_clear_end_it() {
    for kind in [CHANGE_CIPHER_SPEC, HEARTBEAT, 0, 255] {
        for (name, meeting) in meetings() {
            let (mut layer, mut forger) = meeting.forge();
            let mut error = None;
            for _ in 0..5 {
                error = error.or(feed(&mut layer, &forger.record(kind, &[1])).error);
            }
            assert!(error.is_some(), "{name}: type {kind}");
        }
    }
    for kind in [CHANGE_CIPHER_SPEC, HANDSHAKE, DATA, HEARTBEAT] {
        for (name, mut meeting) in meetings() {
            let heard = meeting.feed(&[kind, 3, 3, 0, 1, 1].repeat(5));
            assert!(
                heard.error.is_some() && heard.up.is_empty(),
                "{name}: type {kind}"
            );
        }
    }
}

#[test]
fn a_handshake_message_that_never_ends_is_cut_off_after_the_handshake_too() {
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let mut error = feed(&mut layer, &forger.record(HANDSHAKE, &[24, 0, 255, 255])).error;
        let mut fed = 0;
        while error.is_none() {
            let more = forger.record(HANDSHAKE, &[0; 1000]);
            fed += more.len();
            assert!(fed < 300_000, "{name}: {fed} bytes are kept");
            error = feed(&mut layer, &more).error;
        }
    }
}

#[test]
fn records_that_come_again_or_changed_end_it() {
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let record = forger.record(DATA, b"once");
        assert_eq!(feed(&mut layer, &record).up, b"once");
        let heard = feed(&mut layer, &record);
        assert!(heard.error.is_some() && heard.up.is_empty(), "{name}");
    }
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let mut record = forger.record(DATA, b"changed");
        *record.last_mut().unwrap() ^= 1;
        let heard = feed(&mut layer, &record);
        assert!(heard.error.is_some() && heard.up.is_empty(), "{name}");
        assert!(
            !heard.down.is_empty(),
            "{name}: bad_record_mac is told (RFC 8446 section 5.2)"
        );
    }
}

#[test]
fn what_follows_the_close_alert_is_nobodys() {
    for (name, meeting) in meetings() {
        let (mut layer, mut forger) = meeting.forge();
        let mut last = forger.record(DATA, b"last");
        last.extend(forger.record(ALERT, &[1, 0]));
        for _ in 0..100 {
            last.extend(forger.record(DATA, &[9; 10_000]));
        }
        let heard = feed(&mut layer, &last);
        assert_eq!((heard.error, heard.up), (None, b"last".to_vec()), "{name}");
        let more = forger.record(DATA, b"more");
        let heard = feed(&mut layer, &more[..7]);
        assert!(
            layer.is_ended() && heard.up.is_empty() && heard.error.is_none(),
            "{name}"
        );
    }
}
