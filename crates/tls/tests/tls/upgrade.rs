//! TLS that begins later, and TLS inside of TLS.

use ropewalk_core::{Address, Factory, Layer, Protocol, Reason, Transport};
use ropewalk_protocols::{LineProtocol, LineReceiver, Lines};
use ropewalk_tls::{TlsClient, TlsFactory, TlsLayer, TlsServer};

use crate::authority::couple;
use crate::world::{ADDRESS, Actor, Diary, gentle, run_for};

fn secure(transport: &Transport, layer: TlsLayer) {
    transport.push_layer(layer);
    transport.write(vec![b'c'; 100_000]);
    transport.write("end");
}

#[test]
fn r082_r084_starttls_in_both_roles_covers_what_is_written_after_it() {
    for (seed, turned) in (0..40).map(|seed| (seed, seed % 2 == 1)) {
        let (server, client) = couple();
        let (theirs, ours) = (Diary::default(), Diary::default());
        let (at_server, at_client) = (theirs.clone(), ours.clone());
        let layers = move |listens: bool| {
            if listens == turned {
                TlsLayer::client(&client, "a.example").unwrap()
            } else {
                TlsLayer::server(&server)
            }
        };
        let (serve, visit) = (layers.clone(), layers);
        let mut reactor = gentle(seed);
        // The side that is TLS's client speaks first: who becomes its server must have pushed the layer by then.
        let listen = move || {
            let layer = serve.clone();
            Actor::new(&at_server).on_heard(move |transport, heard| match heard {
                b"upgrade" => {
                    if !turned {
                        transport.write("go");
                    }
                    transport.push_layer(layer(true));
                    transport.write(vec![b's'; 100_000]);
                }
                _ if heard.ends_with(b"end") => transport.lose_connection(),
                _ => {}
            })
        };
        let connect = move || {
            let (first, layer) = (visit.clone(), visit.clone());
            Actor::new(&at_client)
                .on_made(move |transport| {
                    transport.write("upgrade");
                    if turned {
                        secure(transport, first(false));
                    }
                })
                .on_heard(move |transport, heard| {
                    if heard == b"go" {
                        secure(transport, layer(false));
                    }
                })
        };
        reactor.listen(ADDRESS, listen).unwrap();
        reactor.connect(ADDRESS, connect).unwrap();
        run_for(&mut reactor, std::time::Duration::from_secs(600));
        assert_eq!(
            theirs.take(),
            ["made", "heard \"100010 bytes\", closed cleanly"],
            "seed {seed}"
        );
        let heard = if turned {
            "heard \"100000 bytes\", closed cleanly"
        } else {
            "heard \"100002 bytes\", closed cleanly"
        };
        assert_eq!(ours.take(), ["made", "eof", heard], "seed {seed}");
    }
}

/// Bytes that came in clear behind the command are the handshake's, and no message of the new, safe stream.
#[test]
fn tls_11_what_was_slipped_in_before_starttls_is_not_heard_after_it() {
    let (server, _) = couple();
    let theirs = Diary::default();
    let at_server = theirs.clone();
    let mut reactor = gentle(1);
    let listen = move || {
        let server = server.clone();
        Actor::new(&at_server).on_heard(move |transport, heard| {
            if heard == b"upgrade" {
                transport.push_layer(TlsLayer::server(&server));
            }
        })
    };
    let slip = || {
        Actor::new(&Diary::default()).on_made(|transport| {
            transport.write("upgrade");
            let later = transport.clone();
            let soon = std::time::Duration::from_secs(5);
            transport
                .reactor()
                .call_later(soon, move |_| later.write("slipped in"));
        })
    };
    reactor.listen(ADDRESS, listen).unwrap();
    reactor.connect(ADDRESS, slip).unwrap();
    run_for(&mut reactor, std::time::Duration::from_secs(60));
    let theirs = theirs.take();
    assert!(
        theirs[1].starts_with("heard \"upgrade\", the peer misbehaved: these are not"),
        "{theirs:?}"
    );
}

/// A server of lines that can begin TLS.
struct Lined(TlsServer, Diary);

impl LineProtocol for Lined {
    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        self.1.note(String::from_utf8_lossy(line));
        if line == b"STARTTLS" {
            lines.send_line("220 go ahead").unwrap();
            lines.push_layer(TlsLayer::server(&self.0));
        }
    }
    fn connection_lost(&mut self, _: &Lines, reason: &Reason) {
        self.1.note(reason);
    }
}

/// What a server of lines hears from a client that says this, begins TLS, and says `EHLO` under it.
fn lined(in_clear: &'static str, seed: u64) -> Vec<String> {
    let (server, client) = couple();
    let diary = Diary::default();
    let at_server = diary.clone();
    let mut reactor = gentle(seed);
    let serve = move || LineReceiver::new(Lined(server.clone(), at_server.clone()));
    reactor.listen(ADDRESS, serve).unwrap();
    let visit = move || {
        let client = client.clone();
        Actor::new(&Diary::default())
            .on_made(move |transport| transport.write(in_clear))
            .on_heard(move |transport, heard| {
                if heard == b"220 go ahead\r\n" {
                    transport.push_layer(TlsLayer::client(&client, "a.example").unwrap());
                    transport.write("EHLO\r\n");
                    transport.lose_connection();
                }
            })
    };
    reactor.connect(ADDRESS, visit).unwrap();
    run_for(&mut reactor, std::time::Duration::from_secs(60));
    diary.take()
}

#[test]
fn tls_11_a_server_of_lines_hears_nothing_that_was_slipped_in_behind_starttls() {
    for seed in 0..30 {
        assert_eq!(
            lined("STARTTLS\r\n", seed),
            ["STARTTLS", "EHLO", "closed cleanly"],
            "seed {seed}"
        );
        // In one piece they are refused as what they are; cut apart they come as the handshake's, which they are not.
        for early in ["STARTTLS\r\nRCPT TO:<victim>\r\n", "STARTTLS\r\nR"] {
            let told = lined(early, seed);
            assert_eq!(told.len(), 2, "seed {seed}: {told:?}");
            assert_eq!(told[0], "STARTTLS");
            assert_ne!(told[1], "closed cleanly", "seed {seed}");
        }
    }
}

/// Puts a second TLS on top of what the inner factory wants.
struct Twice<F>(TlsServer, TlsClient, bool, F);

impl<F: Factory> Factory for Twice<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.3.build_protocol(transport)
    }
    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.3)
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        vec![if self.2 {
            Box::new(TlsLayer::server(&self.0))
        } else {
            Box::new(TlsLayer::client(&self.1, "a.example").unwrap())
        }]
    }
}

#[test]
fn tls_runs_over_tls() {
    for seed in 0..12 {
        let ((server, client), (theirs, ours)) = (couple(), (Diary::default(), Diary::default()));
        let (at_server, at_client) = (theirs.clone(), ours.clone());
        let serve = move || {
            Actor::new(&at_server).on_heard(|transport, heard| {
                if heard.len() == 200_000 {
                    transport.write("all");
                }
            })
        };
        let visit = move || {
            Actor::new(&at_client)
                .on_made(|transport| transport.write(vec![1; 200_000]))
                .on_heard(|transport, _| transport.lose_connection())
        };
        let serve = Twice(server.clone(), client.clone(), true, serve);
        let visit = Twice(server.clone(), client.clone(), false, visit);
        let mut reactor = gentle(seed);
        reactor
            .listen(ADDRESS, TlsFactory::server(&server, serve))
            .unwrap();
        let visit = TlsFactory::client(&client, "a.example", visit).unwrap();
        reactor.connect(ADDRESS, visit).unwrap();
        run_for(&mut reactor, std::time::Duration::from_secs(600));
        assert_eq!(
            theirs.take(),
            ["made", "eof", "heard \"200000 bytes\", closed cleanly"],
            "seed {seed}"
        );
        let ours = ours.take();
        assert!(ours[1].ends_with("closed cleanly"), "seed {seed}: {ours:?}");
    }
}
