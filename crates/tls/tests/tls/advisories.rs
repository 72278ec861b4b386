//! Advisories (SECURITY.md section 2.5) that are about chains of certificates and about time.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, NameConstraints,
};
use ropewalk_core::layer::LayerError;
use ropewalk_core::{Layer, Protocol, Transport};
use ropewalk_tls::{Roots, TlsClient, TlsFactory, TlsLayer};

use crate::authority::{Authority, Pair, client_of, couple};
use crate::forger::{VERSIONS, bare_server};
use crate::world::{ADDRESS, Actor, Diary, Noting, calm, run_for};

/// Whom an authority trusts to sign, and how far.
struct Between {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn root() -> Between {
    let (params, key) = (named("root"), KeyPair::generate().unwrap());
    let pem = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    Between { pem, issuer }
}

impl Between {
    fn signs(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { pem, issuer }
    }

    fn server(&self, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        Pair {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// What our client makes of a server that shows these certificates: open, or why not.
fn shown(root: &Between, pair: &Pair, chain: &[&Between]) -> Result<(), String> {
    let chain: String = chain.iter().map(|between| between.pem.as_str()).collect();
    let pair = Pair {
        cert: format!("{}{chain}", pair.cert),
        key: pair.key.clone(),
    };
    let options = ropewalk_tls::ClientOptions::new(Roots::from_pem(&root.pem).unwrap());
    let client = TlsClient::new(options).unwrap();
    let mut layer = TlsLayer::client(&client, "a.example").unwrap();
    let mut server = bare_server(&pair, VERSIONS[1]);
    let mut down = Vec::new();
    layer.start(&mut down).unwrap();
    while !layer.is_open() {
        let mut said = down.as_slice();
        while !said.is_empty() {
            server.read_tls(&mut said).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        assert!(!answer.is_empty(), "both wait");
        down.clear();
        match layer.receive(&mut answer, &mut |_| {}, &mut down) {
            Ok(()) => {}
            Err(LayerError::Misbehaved(error)) => return Err(error.to_string()),
            Err(error) => panic!("{error:?}"),
        }
    }
    Ok(())
}

#[test]
fn tls_06_a_chain_that_is_made_to_be_costly_is_given_up() {
    let (root, stranger) = (root(), root());
    // Each could have signed each: there are more ways through than anybody can try.
    let same: Vec<Between> = (0..60).map(|_| stranger.signs(named("the same"))).collect();
    let others: Vec<Between> = same
        .iter()
        .map(|one| one.signs(named("the same")))
        .collect();
    let chain: Vec<&Between> = others.iter().chain(&same).collect();
    let error = shown(&root, &others[0].server(|_| {}), &chain).unwrap_err();
    assert!(error.contains("its certificate is refused"), "{error}");
}

#[test]
fn tls_07_what_the_certificates_of_a_chain_allow_is_obeyed() {
    let root = root();
    let constrained = |constraints: NameConstraints| {
        let mut params = named("between");
        params.name_constraints = Some(constraints);
        root.signs(params)
    };
    let subtree = |name: &str| vec![GeneralSubtree::DnsName(name.to_owned())];
    let permits = |name| {
        constrained(NameConstraints {
            permitted_subtrees: subtree(name),
            excluded_subtrees: Vec::new(),
        })
    };
    let excludes = |name| {
        constrained(NameConstraints {
            permitted_subtrees: Vec::new(),
            excluded_subtrees: subtree(name),
        })
    };
    let is_ca = |is_ca| {
        let mut params = named("between");
        params.is_ca = is_ca;
        root.signs(params)
    };
    let any = |_: &mut CertificateParams| {};
    let over = |between: &Between| shown(&root, &between.server(any), &[between]);
    for (index, good) in [
        is_ca(IsCa::Ca(BasicConstraints::Unconstrained)),
        is_ca(IsCa::Ca(BasicConstraints::Constrained(0))),
        permits("a.example"),
        permits("example"),
        excludes("b.example"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(over(good), Ok(()), "good chain {index}");
    }
    for (index, bad) in [
        is_ca(IsCa::NoCa),
        is_ca(IsCa::ExplicitNoCa),
        permits("b.example"),
        excludes("a.example"),
        excludes("example"),
    ]
    .iter()
    .enumerate()
    {
        let error = over(bad).expect_err(&format!("bad chain {index}"));
        assert!(error.contains("its certificate is refused"), "{error}");
    }
    // One more authority than the first allows.
    let short = is_ca(IsCa::Ca(BasicConstraints::Constrained(0)));
    let longer = short.signs(named("one more"));
    assert!(shown(&root, &longer.server(any), &[&longer, &short]).is_err());
    // A certificate for clients only, and one whose chain is not shown.
    let for_clients = root.server(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    assert!(shown(&root, &for_clients, &[]).is_err());
    assert!(shown(&root, &longer.server(any), &[]).is_err());
    assert_eq!(shown(&root, &root.server(any), &[]), Ok(()));
}

#[test]
fn tls_01_every_alert_ends_a_client_that_waits_for_an_answer() {
    let client = client_of(&Authority::new("ours"));
    for level in [0, 1, 2, 255] {
        for description in 0..=255 {
            let mut layer = TlsLayer::client(&client, "a.example").unwrap();
            layer.start(&mut Vec::new()).unwrap();
            let mut alerts = [21, 3, 3, 0, 2, level, description].repeat(20);
            let (mut down, mut up) = (Vec::new(), 0);
            let heard = layer.receive(&mut alerts, &mut |_| up += 1, &mut down);
            assert!(heard.is_err(), "level {level}, {description}");
            assert!(up == 0 && down.len() < 100 && layer.is_closed());
        }
    }
}

/// Says something, and never again.
struct Staller(Vec<u8>);

impl Protocol for Staller {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.0.clone());
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

#[test]
fn tls_03_whoever_stalls_in_the_handshake_is_left_after_a_while() {
    let (server, client) = couple();
    let mut hello = Vec::new();
    let mut layer = TlsLayer::client(&client, "a.example").unwrap();
    layer.start(&mut hello).unwrap();
    let all = hello.len();
    for said in [0, 1, 5, 6, all / 2, all - 1, all] {
        for (seconds, is_left) in [(9, false), (12, true)] {
            let (mut reactor, diary) = (calm(), Diary::default());
            let serve = TlsFactory::server(&server, || Staller(Vec::new()));
            let _port = reactor.listen(ADDRESS, serve).unwrap();
            let (noted, said) = (diary.clone(), hello[..said].to_vec());
            let visit = move || {
                let said = said.clone();
                Actor::new(&noted).on_made(move |transport| transport.write(&said))
            };
            reactor.connect(ADDRESS, visit).unwrap();
            run_for(&mut reactor, Duration::from_secs(seconds));
            let told = diary.take().concat();
            let stays = told.contains("the reactor stopped");
            assert_eq!(stays, !is_left, "{seconds} s: {told}");
        }
    }
    // And a server that says nothing.
    let (mut reactor, diary) = (calm(), Diary::default());
    let _port = reactor.listen(ADDRESS, || Staller(Vec::new())).unwrap();
    let visit = TlsFactory::client(&client, "a.example", || Staller(Vec::new())).unwrap();
    reactor
        .connect(ADDRESS, Noting(diary.clone(), visit))
        .unwrap();
    run_for(&mut reactor, Duration::from_secs(12));
    let told = diary.take();
    assert!(
        told.len() == 1 && told[0].contains("the handshake took longer than 10s"),
        "{told:?}"
    );
}
