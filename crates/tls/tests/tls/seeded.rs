//! Worlds that repeat, keys and all, and what holds in every one of them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use ropewalk_core::{Protocol, Reactor, Reason, Transport};
use ropewalk_sim::{Faults, Recording, SimDriver};
use ropewalk_tls::{
    CertificateFiles, Certificates, ClientOptions, Provider, Roots, ServerOptions, TlsClient,
    TlsFactory, TlsServer,
};

use crate::authority::Pair;
use crate::world::{ADDRESS, run_for};

const ECHO_BYTES: usize = 60_000;

/// A certificate whose signatures are the same for the same words.
fn ed25519() -> Pair {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let params = CertificateParams::new(["a.example".to_owned()]).unwrap();
    Pair {
        cert: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn seeded(pair: &Pair, seed: u64) -> (TlsServer, TlsClient) {
    let provider = Provider::dangerous_seeded(seed);
    let files = CertificateFiles::from_pem(&pair.cert, &pair.key);
    let certificates = Certificates::load(files, provider.clone()).unwrap();
    let options = ServerOptions::new(certificates);
    let server = TlsServer::new(options).unwrap();
    let options = ClientOptions::new(Roots::from_pem(&pair.cert).unwrap()).provider(provider);
    (server, TlsClient::new(options).unwrap())
}

/// What happened at both ends.
#[derive(Default)]
struct Account {
    made: Cell<usize>,
    lost: Cell<usize>,
    complete: Cell<usize>,
}

fn byte_at(place: usize) -> u8 {
    (place % 251) as u8
}

/// Checks that what comes is the beginning of what was sent, and nothing twice.
struct Checked {
    account: Rc<Account>,
    heard: usize,
    asks: bool,
    has_ended: bool,
}

impl Checked {
    fn new(account: &Rc<Account>, asks: bool) -> Self {
        Self {
            account: account.clone(),
            heard: 0,
            asks,
            has_ended: false,
        }
    }
}

fn count(cell: &Cell<usize>) {
    cell.set(cell.get() + 1);
}

impl Protocol for Checked {
    fn connection_made(&mut self, transport: &Transport) {
        count(&self.account.made);
        if self.asks {
            let all: Vec<u8> = (0..ECHO_BYTES).map(byte_at).collect();
            all.chunks(7000).for_each(|piece| transport.write(piece));
        }
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        assert!(!self.has_ended, "data after the end");
        for &byte in data {
            assert_eq!(byte, byte_at(self.heard), "at byte {}", self.heard);
            self.heard += 1;
        }
        if !self.asks {
            transport.write(data);
        } else if self.heard == ECHO_BYTES {
            transport.lose_connection();
        }
    }
    fn eof_received(&mut self, transport: &Transport) {
        assert!(!self.has_ended, "two ends of the stream");
        self.has_ended = true;
        transport.lose_connection();
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        count(&self.account.lost);
        assert!(self.heard <= ECHO_BYTES);
        if matches!(reason, Reason::Done) {
            assert_eq!(self.heard, ECHO_BYTES, "a clean end, and bytes are missing");
            count(&self.account.complete);
        }
    }
}

/// Echoes over TLS in a world of this seed; gives its trace and how many ends were complete.
fn world(pair: &Pair, seed: u64, keys: u64) -> (String, usize) {
    let driver = SimDriver::alone(seed);
    let world = driver.world().clone();
    world.set_faults(Faults::all());
    world.record(Recording::Kept);
    let mut reactor = Reactor::new(driver);
    let (server, client) = seeded(pair, keys);
    let account = Rc::new(Account::default());
    let (serving, asking) = (account.clone(), account.clone());
    let serve = TlsFactory::server(&server, move || Checked::new(&serving, false));
    let visit = move || Checked::new(&asking, true);
    if reactor.listen(ADDRESS, serve).is_ok() {
        for _ in 0..3 {
            let visit = TlsFactory::client(&client, "a.example", visit.clone()).unwrap();
            reactor.connect(ADDRESS, visit).unwrap();
        }
    }
    run_for(&mut reactor, Duration::from_secs(3600));
    drop(reactor);
    assert_eq!(account.made.get(), account.lost.get(), "ends are told once");
    (world.trace().text().to_owned(), account.complete.get())
}

#[test]
fn the_same_seed_is_the_same_world_byte_for_byte_with_tls_in_it() {
    let pair = ed25519();
    for seed in 0..10 {
        let (first, _) = world(&pair, seed, seed);
        let (again, _) = world(&pair, seed, seed);
        let place = first.lines().zip(again.lines()).find(|(a, b)| a != b);
        assert_eq!(place, None, "seed {seed}: the first difference");
        assert!(first == again, "seed {seed}: one is longer");
    }
    let of_keys = |keys| world(&pair, 4, keys).0;
    assert_ne!(of_keys(4), of_keys(5), "other keys are other bytes");
}

#[test]
fn an_echo_over_tls_loses_and_doubles_nothing_whatever_happens_to_the_network() {
    let pair = ed25519();
    let complete: usize = (0..200).map(|seed| world(&pair, seed, seed).1).sum();
    // Of three connections with two ends each, in two hundred worlds.
    assert!(complete > 300, "only {complete} ends were complete");
}
