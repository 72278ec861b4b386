//! Certificates in files: what is wrong with them, by name, again and again.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use ropewalk_tls::{
    CertificateFiles, Certificates, ClientCertificates, ClientOptions, Provider, ServerOptions,
    TlsClient, TlsServer,
};

use crate::authority::{Authority, Pair, client_of};
use crate::world::{Actor, Diary, calm, facts, meet, meet_as};

/// A folder of a test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ropewalk-tls-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let (folder, authority) = (Folder::new(), Authority::new("ours"));
    let (pair, other) = (
        authority.issue(&["a.example"]),
        authority.issue(&["b.example"]),
    );
    let cert = folder.write("cert.pem", &pair.cert);
    let key = folder.write("key.pem", &pair.key);
    let missing = folder.0.join("missing.pem");
    let empty = folder.write("empty.pem", "nothing here\n");
    let damaged = folder.write(
        "damaged.pem",
        "-----BEGIN CERTIFICATE-----\n*!\n-----END CERTIFICATE-----\n",
    );
    let mismatched = folder.write("other.pem", &other.key);
    let expired = folder.write("expired.pem", &authority.expired(&["a.example"]).cert);
    let encrypted = folder.write(
        "encrypted.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    for (cert, key, wrong, reason) in [
        (&missing, &key, &missing, "cannot be read: No such file"),
        (&cert, &missing, &missing, "cannot be read: No such file"),
        (&folder.0, &key, &folder.0, "cannot be read: "),
        (&empty, &key, &empty, "no certificate in it"),
        (&key, &key, &key, "no certificate in it"),
        (&damaged, &key, &damaged, "damaged PEM"),
        (&cert, &empty, &empty, "no private key in it"),
        (
            &cert,
            &encrypted,
            &encrypted,
            "the private key is encrypted; decrypt it",
        ),
        (
            &cert,
            &mismatched,
            &cert,
            "is not the one of this certificate",
        ),
        (
            &expired,
            &key,
            &expired,
            "expired on 2020-02-29 00:00:00 UTC; renew it",
        ),
    ] {
        let error = Certificates::from_files(cert, key).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{}: ", wrong.display())),
            "{error}"
        );
        assert!(error.contains(reason) && !error.contains('\n'), "{error}");
    }
    assert!(Certificates::from_files(&cert, &key).is_ok());
}

/// Connects and asks for this name; gives whether the handshake was good, and whether it went on from an earlier one.
fn shake(server: &TlsServer, client: &TlsClient, name: &str) -> Result<bool, String> {
    let tell = |diary: &Diary| {
        let diary = diary.clone();
        Actor::new(&diary.clone())
            .on_made(|transport| transport.write("?"))
            .on_heard(move |transport, _| {
                diary.note(facts(transport).resumed);
                transport.lose_connection();
            })
    };
    let answer = |diary: &Diary| Actor::new(diary).on_heard(|transport, _| transport.write("!"));
    let (_, ours) = meet_as(name, &mut calm(), server, client, answer, tell);
    match ours.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["made", resumed, "heard \"!\", closed cleanly"] => Ok(resumed == "true"),
        _ => Err(format!("{ours:?}")),
    }
}

#[test]
fn p13_a_thousand_swaps_fail_no_handshake_and_a_bad_pair_swaps_nothing() {
    let (folder, authority) = (Folder::new(), Authority::new("ours"));
    let pairs = [
        authority.issue(&["a.example"]),
        authority.issue(&["a.example"]),
    ];
    let write = |pair: &Pair| {
        (
            folder.write("cert.pem", &pair.cert),
            folder.write("key.pem", &pair.key),
        )
    };
    let (cert, key) = write(&pairs[0]);
    let certificates = Certificates::from_files(&cert, &key).unwrap();
    let server =
        TlsServer::new(ServerOptions::new(certificates.clone()).without_resumption()).unwrap();
    let client = client_of(&authority);
    for swap in 0..1000 {
        folder.write("cert.pem", &pairs[swap % 2].cert);
        if swap % 100 == 1 {
            let error = certificates.reload().unwrap_err().to_string(); // half of a new pair
            assert!(error.contains("not the one of this certificate"), "{error}");
            assert_eq!(
                shake(&server, &client, "a.example"),
                Ok(false),
                "swap {swap}"
            );
        }
        folder.write("key.pem", &pairs[swap % 2].key);
        certificates.reload().unwrap();
        if swap % 10 == 0 {
            assert_eq!(
                shake(&server, &client, "a.example"),
                Ok(false),
                "swap {swap}"
            );
        }
    }
    assert!(!certificates.reload_if_changed().unwrap());
    folder.write("cert.pem", "");
    certificates.reload_if_changed().unwrap_err();
    assert!(
        !certificates.reload_if_changed().unwrap(),
        "an error is told once"
    );
    let expired = authority.expired(&["a.example"]);
    write(&expired);
    assert!(
        certificates
            .reload_if_changed()
            .unwrap_err()
            .to_string()
            .contains("expired")
    );
    assert_eq!(shake(&server, &client, "a.example"), Ok(false));
}

#[test]
fn the_name_asked_for_chooses_the_certificate() {
    let (folder, authority) = (Folder::new(), Authority::new("ours"));
    let both = |pair: &Pair| format!("{}{}", pair.cert, pair.key);
    let first = folder.write("first.pem", both(&authority.issue(&["first.example"])));
    folder.write("sni/a.example.pem", both(&authority.issue(&["a.example"])));
    let b = authority.issue(&["b.example"]);
    folder.write("sni/b.example/cert.pem", &b.cert);
    folder.write("sni/b.example/key.pem", &b.key);
    folder.write(
        "sni/*.wild.example.pem",
        both(&authority.issue(&["*.wild.example"])),
    );
    folder.write("sni/README", "not a certificate");
    let files = CertificateFiles::new(&first, &first).directory(folder.0.join("sni"));
    let certificates = Certificates::load(files, Provider::default()).unwrap();
    let server = TlsServer::new(ServerOptions::new(certificates.clone())).unwrap();
    let client = client_of(&authority);
    for name in [
        "a.example",
        "A.Example",
        "b.example",
        "x.wild.example",
        "first.example",
    ] {
        assert!(shake(&server, &client, name).is_ok(), "{name}");
    }
    for name in ["c.example", "x.y.wild.example", "wild.example"] {
        let error = shake(&server, &client, name).unwrap_err();
        assert!(error.contains("it is for first.example"), "{error}");
    }
    folder.write("sni/c.example.pem", "broken");
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains("c.example.pem: no certificate"), "{error}");
    assert!(shake(&server, &client, "a.example").is_ok());
    folder.write("sni/c.example.pem", both(&authority.issue(&["c.example"])));
    certificates.reload().unwrap();
    assert!(shake(&server, &client, "c.example").is_ok());
}

#[test]
fn tls_09_a_session_goes_on_only_under_its_name_and_with_its_server() {
    let authority = Authority::new("ours");
    let pair = authority.issue(&["a.example", "b.example"]);
    let (server, client) = (pair.server(), client_of(&authority));
    assert_eq!(shake(&server, &client, "a.example"), Ok(false));
    assert_eq!(shake(&server, &client, "a.example"), Ok(true));
    assert_eq!(
        shake(&server, &client, "b.example"),
        Ok(false),
        "another name"
    );
    let asking = pair
        .options()
        .client_certificates(ClientCertificates::Optional(authority.roots()));
    let asking = TlsServer::new(asking).unwrap();
    assert_eq!(shake(&server, &client, "a.example"), Ok(true));
    assert_eq!(
        shake(&asking, &client, "a.example"),
        Ok(false),
        "other rules for clients"
    );
    let fresh = ClientOptions::new(authority.roots()).without_resumption();
    let fresh = TlsClient::new(fresh).unwrap();
    assert_eq!(shake(&server, &fresh, "a.example"), Ok(false));
    assert_eq!(shake(&server, &fresh, "a.example"), Ok(false));
}

/// What `openssl req -x509` makes is an authority and a server in one.
#[test]
fn a_self_signed_certificate_that_is_given_as_a_root_is_trusted_for_its_names() {
    for is_ca in [false, true] {
        let pair = Pair::self_signed(&["a.example"], is_ca);
        let roots = ropewalk_tls::Roots::from_pem(&pair.cert).unwrap();
        let client = TlsClient::new(ClientOptions::new(roots)).unwrap();
        assert_eq!(shake(&pair.server(), &client, "a.example"), Ok(false));
        let error = shake(&pair.server(), &client, "b.example").unwrap_err();
        assert!(
            error.contains("wrong host: it is for a.example, not for b.example"),
            "{error}"
        );
    }
}

#[test]
fn r083_small_writes_of_one_turn_leave_in_one_record() {
    let (server, client) = crate::authority::couple();
    let visit = |diary: &Diary| {
        Actor::new(diary).on_made(|transport| {
            (0..100).for_each(|_| transport.write("small"));
            transport.lose_connection();
        })
    };
    let serve = |diary: &Diary| {
        let diary = diary.clone();
        Actor::new(&diary.clone()).on_heard(move |_, heard| diary.note(heard.len()))
    };
    let (theirs, _) = meet(&mut calm(), &server, &client, serve, visit);
    assert_eq!(theirs[..2], ["made", "500"]);
}
