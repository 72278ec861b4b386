//! R73 to R84.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Limits, Producer, Transport};
use ropewalk_tls::{
    ClientCertificates, ClientOptions, TlsClient, TlsFactory, TlsServer, TlsVersion,
};

use crate::authority::{Authority, Pair, client_of, couple};
use crate::forger::{BareServer, bare_server};
use crate::world::{ADDRESS, Actor, Diary, Noting, calm, facts, gentle, meet, meet_as, run_for};

fn echo(diary: &Diary) -> Actor {
    Actor::new(diary).on_heard(|transport, heard| {
        if heard.ends_with(b"?") {
            transport.write("hello!");
        }
    })
}

fn ask(diary: &Diary) -> Actor {
    Actor::new(diary)
        .on_made(|transport| transport.write("hello?"))
        .on_heard(|transport, heard| {
            if heard.ends_with(b"!") {
                transport.lose_connection();
            }
        })
}

#[test]
fn r073_the_protocol_is_made_once_the_handshake_is_over_whatever_the_split() {
    let (server, client) = couple();
    for seed in 0..60 {
        let (theirs, ours) = meet(&mut gentle(seed), &server, &client, echo, ask);
        assert_eq!(
            ours,
            ["made", "heard \"hello!\", closed cleanly"],
            "seed {seed}"
        );
        assert_eq!(
            theirs,
            ["made", "eof", "heard \"hello?\", closed cleanly"],
            "seed {seed}"
        );
    }
}

#[test]
fn r074_connection_made_and_the_factory_see_what_the_handshake_found_out() {
    let (server, client) = couple();
    let visit = |diary: &Diary| {
        Actor::new(diary).on_made(|transport| {
            let facts = facts(transport);
            assert_eq!(facts.version, TlsVersion::Tls13);
            assert_eq!(facts.server_name.as_deref(), Some("a.example"));
            assert_eq!(facts.peer_certificates.len(), 1);
            assert_eq!(facts.key_exchange.as_deref(), Some("X25519MLKEM768"));
            assert!(facts.cipher_suite.starts_with("TLS13_"), "{facts:?}");
            assert!(!facts.resumed && facts.alpn.is_none());
            transport.lose_connection();
        })
    };
    let serve = |diary: &Diary| {
        let diary = diary.clone();
        Actor::new(&diary.clone()).on_made(move |transport| {
            let facts = facts(transport);
            diary.note(format!(
                "{:?} {}",
                facts.server_name,
                facts.peer_certificates.len()
            ));
        })
    };
    let (theirs, ours) = meet(&mut calm(), &server, &client, serve, visit);
    assert_eq!(theirs[..2], ["made", "Some(\"a.example\") 0"]);
    assert_eq!(ours, ["made", "heard \"\", closed cleanly"]);
}

/// Connects to a server with this certificate; gives why it failed, and what the server was told.
fn refused(pair: &Pair, client: &TlsClient, name: &str) -> String {
    let (theirs, ours) = meet_as(name, &mut calm(), &pair.server(), client, echo, ask);
    assert!(
        theirs.is_empty(),
        "no protocol is told of a failed handshake: {theirs:?}"
    );
    assert_eq!(ours.len(), 1, "{ours:?}");
    ours.into_iter().next().unwrap()
}

/// The same with a server of bare rustls, which takes any certificate.
fn refused_by_bare(pair: &Pair, client: &TlsClient) -> String {
    let (diary, pair) = (Diary::default(), pair.clone());
    let (made, failed) = (diary.clone(), diary.clone());
    let mut reactor = calm();
    let serve = move || BareServer(bare_server(&pair, &rustls::version::TLS13));
    reactor.listen(ADDRESS, serve).unwrap();
    let visit = TlsFactory::client(client, "a.example", move || Actor::new(&made)).unwrap();
    reactor.connect(ADDRESS, Noting(failed, visit)).unwrap();
    run_for(&mut reactor, Duration::from_secs(60));
    let told = diary.take();
    assert_eq!(told.len(), 1, "{told:?}");
    told.into_iter().next().unwrap()
}

#[test]
fn r075_tls_08_a_wrong_certificate_fails_the_connect_with_a_reason_that_says_which() {
    let authority = Authority::new("ours");
    let client = client_of(&authority);
    let stranger = Authority::new("theirs").issue(&["a.example"]);
    let cases = [
        (
            authority.issue(&["b.example"]),
            "wrong host: it is for b.example, not for a.example",
        ),
        (
            authority.expired(&["a.example"]),
            "it expired on 2020-02-29 00:00:00 UTC",
        ),
        (
            Pair::self_signed(&["a.example"], false),
            "it is self-signed and not among the trusted roots",
        ),
        (
            Pair::self_signed(&["a.example"], true),
            "it is self-signed and not among the trusted roots",
        ),
        (
            stranger,
            "unknown root: it was issued by nobody who is trusted here",
        ),
    ];
    for (pair, reason) in cases {
        let error = if reason.contains("expired") {
            refused_by_bare(&pair, &client) // our own server refuses to start with it
        } else {
            refused(&pair, &client, "a.example")
        };
        assert!(error.ends_with(reason), "{error}");
        assert!(
            error.contains("10.0.0.1:443: the handshake failed"),
            "{error}"
        );
    }
}

#[test]
fn r076_writes_after_lose_connection_are_dropped() {
    let (server, client) = couple();
    let visit = |diary: &Diary| {
        Actor::new(diary).on_made(|transport| {
            transport.write("before");
            transport.lose_connection();
            transport.write("after");
        })
    };
    let (theirs, _) = meet(&mut calm(), &server, &client, Actor::new, visit);
    assert_eq!(theirs, ["made", "eof", "heard \"before\", closed cleanly"]);
}

#[test]
fn r077_the_close_alert_comes_after_all_data_and_the_peers_is_waited_for() {
    let (server, client) = couple();
    for seed in 0..20 {
        let visit = |diary: &Diary| {
            Actor::new(diary).on_made(|transport| {
                transport.write(vec![7; 300_000]);
                transport.lose_connection();
            })
        };
        let (theirs, ours) = meet(&mut gentle(seed), &server, &client, Actor::new, visit);
        assert_eq!(
            theirs,
            ["made", "eof", "heard \"300000 bytes\", closed cleanly"],
            "seed {seed}"
        );
        assert_eq!(ours, ["made", "heard \"\", closed cleanly"], "seed {seed}");
    }
}

#[test]
fn r077_a_peer_that_never_answers_the_close_alert_is_left_after_a_while() {
    let (server, client) = couple();
    let stubborn = |diary: &Diary| Actor::new(diary).stays_at_eof();
    let leave = |diary: &Diary| {
        let diary = diary.clone();
        Actor::new(&diary.clone()).on_made(move |transport| {
            transport.lose_connection();
            let (diary, watched) = (diary.clone(), transport.clone());
            for seconds in [9, 11] {
                let (diary, watched) = (diary.clone(), watched.clone());
                let after = Duration::from_secs(seconds);
                transport.reactor().call_later(after, move |_| {
                    diary.note(format!("after {seconds} s, {}", watched.unsent_bytes()));
                });
            }
        })
    };
    let (_, ours) = meet(&mut calm(), &server, &client, stubborn, leave);
    assert_eq!(
        ours,
        [
            "made",
            "after 9 s, 0",
            "heard \"\", closed cleanly",
            "after 11 s, 0"
        ]
    );
}

#[test]
fn r059_half_a_connection_may_close_and_the_other_half_goes_on() {
    let (server, client) = couple();
    let serve = |diary: &Diary| {
        Actor::new(diary)
            .stays_at_eof()
            .on_heard(|transport, heard| {
                assert_eq!(heard, b"question");
                let transport = transport.clone();
                let late = transport.clone();
                transport
                    .reactor()
                    .call_later(Duration::from_secs(1), move |_| {
                        late.write("the late answer");
                        late.lose_connection();
                    });
            })
    };
    let visit = |diary: &Diary| {
        Actor::new(diary).on_made(|transport| {
            transport.write("question");
            transport.lose_write_connection();
        })
    };
    let (theirs, ours) = meet(&mut calm(), &server, &client, serve, visit);
    assert_eq!(
        theirs,
        ["made", "eof", "heard \"question\", closed cleanly"]
    );
    assert_eq!(
        ours,
        ["made", "eof", "heard \"the late answer\", closed cleanly"]
    );
}

/// Told to pause and to resume, in turns.
struct Source(Diary, Rc<Cell<bool>>);

impl Producer for Source {
    fn pause_producing(&mut self, _: &Transport) {
        assert!(!self.1.replace(true), "paused twice");
        self.0.note("pause");
    }
    fn resume_producing(&mut self, _: &Transport) {
        assert!(self.1.replace(false), "resumed twice");
        self.0.note("resume");
    }
    fn stop_producing(&mut self, _: &Transport) {
        self.0.note("stop");
    }
}

const PIECE_BYTES: usize = 20_000;

/// Writes a piece every 10 ms, unless paused.
fn produce(transport: &Transport, left: usize, paused: Rc<Cell<bool>>) {
    if left == 0 {
        transport.unregister_producer();
        transport.lose_connection();
        return;
    }
    let piece = if paused.get() { 0 } else { PIECE_BYTES };
    transport.write(vec![3; piece]);
    let most = Limits::default().high_water_bytes + 2 * PIECE_BYTES;
    assert!(transport.unsent_bytes() < most, "told too late to pause");
    let (later, soon) = (transport.clone(), Duration::from_millis(10));
    let handle = transport.reactor();
    handle.call_later(soon, move |_| produce(&later, left - piece, paused));
}

#[test]
fn r084_a_producer_over_tls_is_paused_and_resumed_once_per_need() {
    const PIECES: usize = 100;
    let (server, client) = couple();
    for seed in 0..20 {
        let (told, times) = (Diary::default(), Rc::new(Cell::new(0)));
        let notes = told.clone();
        let visit = move |diary: &Diary| {
            let notes = notes.clone();
            Actor::new(diary).on_made(move |transport| {
                let paused = Rc::new(Cell::new(false));
                let source = Source(notes.clone(), paused.clone());
                transport.register_producer(source, true).unwrap();
                produce(transport, PIECES * PIECE_BYTES, paused);
            })
        };
        // The peer rests for 20 s whenever it has read a quarter.
        let rests = times.clone();
        let serve = move |diary: &Diary| {
            let rests = rests.clone();
            Actor::new(diary).on_heard(move |transport, heard| {
                if heard.len() > (rests.get() + 1) * PIECES * PIECE_BYTES / 4 {
                    rests.set(rests.get() + 1);
                    transport.pause_reading();
                    let rested = transport.clone();
                    let later = Duration::from_secs(20);
                    let handle = transport.reactor();
                    handle.call_later(later, move |_| rested.resume_reading());
                }
            })
        };
        let (theirs, ours) = meet(&mut gentle(seed), &server, &client, serve, visit);
        let heard = ["made", "eof", "heard \"2000000 bytes\", closed cleanly"];
        assert_eq!(theirs, heard, "seed {seed}");
        assert_eq!(ours, ["made", "heard \"\", closed cleanly"], "seed {seed}");
        let told = told.take();
        let needs = ["pause", "resume"].repeat(told.len());
        assert_eq!(told, needs[..told.len()], "seed {seed}");
        assert!(times.get() == 3 && told.len() >= 4, "seed {seed}: {told:?}");
    }
}

#[test]
fn r078_an_end_without_close_alert_is_lost_not_done() {
    let (server, client) = couple();
    let visit = |diary: &Diary| {
        Actor::new(diary)
            .on_made(|transport| transport.write("hello?"))
            .on_heard(|transport, _| transport.abort_connection())
    };
    let (theirs, _) = meet(&mut calm(), &server, &client, echo, visit);
    assert!(theirs[1].contains("lost: "), "{theirs:?}");
}

#[test]
fn r079_addresses_are_checked_too_and_names_are_told_but_not_addresses() {
    let (server, client) = couple();
    let serve = |diary: &Diary| {
        let diary = diary.clone();
        Actor::new(&diary.clone())
            .on_made(move |transport| diary.note(format!("{:?}", facts(transport).server_name)))
    };
    let (theirs, ours) = meet_as("10.0.0.1", &mut calm(), &server, &client, serve, |diary| {
        Actor::new(diary).on_made(|transport| transport.lose_connection())
    });
    assert_eq!(theirs[..2], ["made", "None"]);
    assert_eq!(ours, ["made", "heard \"\", closed cleanly"]);
    let (_, ours) = meet_as("10.0.0.2", &mut calm(), &server, &client, echo, ask);
    assert!(ours[0].contains("wrong host"), "{ours:?}");
}

#[test]
fn r080_versions_can_be_raised_and_the_oldest_is_1_2() {
    let authority = Authority::new("ours");
    let pair = authority.issue(&["a.example"]);
    for oldest in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let server = TlsServer::new(pair.options().oldest(oldest)).unwrap();
        let (theirs, ours) = meet(&mut calm(), &server, &client_of(&authority), echo, ask);
        assert_eq!((theirs.len(), ours.len()), (3, 2), "{oldest}");
    }
}

#[test]
fn r081_alpn_picks_the_first_common_by_the_servers_order_and_none_leaves_the_connection_up() {
    let authority = Authority::new("ours");
    let pair = authority.issue(&["a.example"]);
    let server = TlsServer::new(pair.options().alpn(["h2", "http/1.1"])).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&["http/1.1", "h2"], "Some(\"h2\")"),
        (&["imap", "http/1.1"], "Some(\"http/1.1\")"),
        (&["imap"], "None"),
        (&[], "None"),
    ];
    for (offered, chosen) in cases {
        for seed in 0..5 {
            let options = ClientOptions::new(authority.roots()).alpn(offered.iter().copied());
            let client = TlsClient::new(options).unwrap();
            let tell = |diary: &Diary| {
                let diary = diary.clone();
                Actor::new(&diary.clone()).on_made(move |transport| {
                    diary.note(format!("{:?}", facts(transport).alpn));
                    transport.lose_connection();
                })
            };
            let (theirs, ours) = meet(&mut gentle(seed), &server, &client, tell, tell);
            assert_eq!(theirs[..2], ["made", chosen], "{offered:?}, seed {seed}");
            assert_eq!(ours[..2], ["made", chosen], "{offered:?}, seed {seed}");
        }
    }
}

#[test]
fn clients_show_certificates_where_they_are_asked() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let pair = ours.issue(&["a.example"]);
    let shows = |authority: Option<&Authority>| {
        let options = ClientOptions::new(ours.roots());
        TlsClient::new(match authority {
            Some(authority) => options.identity(authority.issue(&["client"]).identity()),
            None => options,
        })
        .unwrap()
    };
    let required = ClientCertificates::Required(ours.roots());
    let optional = ClientCertificates::Optional(ours.roots());
    for (clients, shown, expected) in [
        (&required, Some(&ours), Some("1")),
        (&required, None, None),
        (&required, Some(&theirs), None),
        (&optional, Some(&ours), Some("1")),
        (&optional, None, Some("0")),
        (&optional, Some(&theirs), None),
    ] {
        let server = TlsServer::new(pair.options().client_certificates(clients.clone())).unwrap();
        let tell = |diary: &Diary| {
            let diary = diary.clone();
            Actor::new(&diary.clone()).on_made(move |transport| {
                diary.note(facts(transport).peer_certificates.len());
                transport.lose_connection();
            })
        };
        let (at_server, at_client) = meet(&mut calm(), &server, &shows(shown), tell, |diary| {
            Actor::new(diary)
        });
        assert_eq!(
            at_server.get(1).map(String::as_str),
            expected,
            "{clients:?}"
        );
        if expected.is_none() {
            // TLS 1.3: the client is open before the server has looked at what it shows.
            assert!(
                at_client.last().unwrap().contains("it refuses us"),
                "{at_client:?}"
            );
        }
    }
}
