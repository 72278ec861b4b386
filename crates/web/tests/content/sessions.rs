//! Sessions, on the server and in the browser.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Encrypted, Factory, Facts, Layer, Protocol, Transport};
use ropewalk_testing::StringTransport;
use ropewalk_web::{
    CookieKeys, Failure, Request, Resource, Router, SealedSessions, Sessions, Site,
};

use crate::{client, sent};

const MINUTE: Duration = Duration::from_secs(60);

fn visit(request: &Request) -> Result<String, Failure> {
    let session = request.session()?;
    let visits = session.get::<u32>().map_or(1, |visits| *visits + 1);
    session.set(visits);
    assert_eq!(request.session()?.id(), session.id());
    Ok(format!("visit {visits}"))
}

fn login(request: &Request) -> Result<&'static str, Failure> {
    request.session()?.renew_id(request);
    Ok("in")
}

fn logout(request: &Request) -> Result<&'static str, Failure> {
    request.session()?.expire();
    Ok("out")
}

fn site(sessions: &Sessions) -> impl Resource + use<> {
    let look = |request: &Request| {
        let session = request.existing_session()?;
        Ok::<_, Failure>(if session.is_some() {
            "known"
        } else {
            "unknown"
        })
    };
    let router = Router::new()
        .get("/", visit)
        .get("/login", login)
        .get("/logout", logout);
    sessions.wrap(router.get("/look", look))
}

fn ask(client: &mut StringTransport, path: &str, cookie: &str) -> String {
    client.receive(format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n"
    ));
    sent(client)
}

/// The cookie that a response sets, whole.
fn set_cookie(response: &str) -> Option<&str> {
    let (_, field) = response.split_once("\r\nSet-Cookie: ")?;
    field.split("\r\n").next()
}

fn pair(response: &str) -> &str {
    set_cookie(response).unwrap().split(';').next().unwrap()
}

#[test]
fn r150_a_session_is_a_random_cookie_that_expires_15_minutes_after_its_last_use() {
    let sessions = Sessions::new();
    let mut client = client(site(&sessions));
    assert!(
        set_cookie(&ask(&mut client, "/look", "")).is_none(),
        "nobody asked for one"
    );
    let first = ask(&mut client, "/", "");
    let cookie = set_cookie(&first).unwrap();
    let id = cookie
        .strip_prefix("session=")
        .unwrap()
        .strip_suffix("; Path=/; HttpOnly; SameSite=Lax")
        .unwrap();
    assert!(
        id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{cookie}"
    );
    assert!(first.contains("Cache-Control: private\r\n"));
    let cookie = pair(&first);
    let mut visits = 1;
    for _ in 0..3 {
        client.advance(MINUTE);
        visits += 1;
        let next = ask(&mut client, "/", cookie);
        assert!(
            next.ends_with(&format!("visit {visits}")) && set_cookie(&next).is_none(),
            "{next}"
        );
    }
    drop(client);
    assert_eq!(sessions.len(), 1);
}

#[test]
fn r150_callbacks_tell_of_the_expiry() {
    let (sessions, told) = (Sessions::new(), Rc::new(Cell::new(false)));
    let place = Rc::clone(&told);
    let watch = move |request: &Request| {
        let place = Rc::clone(&place);
        request.session()?.on_expired(move || place.set(true));
        Ok::<_, Failure>("watched")
    };
    let router = Router::new().get("/watch", watch).get("/", visit);
    let mut client = client(sessions.wrap(router));
    let first = ask(&mut client, "/watch", "");
    let cookie = pair(&first).to_owned();
    client.advance(MINUTE);
    assert!(ask(&mut client, "/", &cookie).ends_with("visit 1"));
    client.advance(15 * MINUTE - Duration::from_secs(1));
    assert!(!told.get() && sessions.len() == 1);
    client.advance(Duration::from_secs(1));
    client.settle();
    assert!(told.get() && sessions.is_empty());
}

/// Says that the connection is encrypted.
struct Veil;

impl Layer for Veil {
    fn name(&self) -> &'static str {
        "veil"
    }
    fn facts(&self, facts: &mut Facts) {
        facts.add(Encrypted);
    }
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        up(data);
        Ok(())
    }
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }
}

/// A site behind it.
struct Veiled(Site);

impl Factory for Veiled {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.0.build_protocol(transport)
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        vec![Box::new(Veil)]
    }
}

#[test]
fn r150_plain_and_encrypted_pages_have_different_sessions() {
    let sessions = Sessions::new();
    let site = Site::new(site(&sessions));
    let mut plain = StringTransport::builder().factory(site.clone());
    let mut secure = StringTransport::builder().factory(Veiled(site));
    let first = ask(&mut secure, "/", "");
    let cookie = set_cookie(&first).unwrap();
    assert!(
        cookie.starts_with("__Host-session=")
            && cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    let stolen = pair(&first).to_owned();
    let _else_both_draw_the_same: [u8; 32] = plain.reactor().random_bytes();
    assert!(ask(&mut secure, "/", &stolen).ends_with("visit 2"));
    assert!(ask(&mut plain, "/", &stolen).ends_with("visit 1"));
    let renamed = stolen.replace("__Host-session", "session");
    assert!(ask(&mut plain, "/", &renamed).ends_with("visit 1"));
    let plain_cookie = pair(&ask(&mut plain, "/", "")).replace("session", "__Host-session");
    assert!(ask(&mut secure, "/", &plain_cookie).ends_with("visit 1"));
}

#[test]
fn a_login_changes_the_id_and_a_logout_ends_it() {
    let sessions = Sessions::new();
    let mut client = client(site(&sessions));
    let first = ask(&mut client, "/", "");
    let second = ask(&mut client, "/login", pair(&first));
    assert_ne!(pair(&second), pair(&first));
    assert!(ask(&mut client, "/look", pair(&first)).ends_with("unknown"));
    assert!(ask(&mut client, "/", pair(&second)).ends_with("visit 2"));
    assert!(ask(&mut client, "/logout", pair(&second)).ends_with("out"));
    assert!(ask(&mut client, "/look", pair(&second)).ends_with("unknown"));
    assert!(sessions.is_empty());
    for forged in [
        "session=",
        "session=x",
        &format!("session={}", "A".repeat(64)),
        &format!("session={}", "\u{e9}".repeat(32)),
    ] {
        assert!(ask(&mut client, "/look", forged).ends_with("unknown"));
    }
}

#[test]
fn floods_of_new_sessions_end_no_session_that_is_used() {
    let sessions = Sessions::new().with_limit(3);
    let mut client = client(site(&sessions));
    let honest = pair(&ask(&mut client, "/", "")).to_owned();
    assert!(ask(&mut client, "/", &honest).ends_with("visit 2"));
    let mut last = String::new();
    for _ in 0..20 {
        last = pair(&ask(&mut client, "/", "")).to_owned();
        assert!(sessions.len() <= 3);
    }
    assert!(ask(&mut client, "/", &honest).ends_with("visit 3"));
    assert!(ask(&mut client, "/", &last).ends_with("visit 2"));
    let third = pair(&ask(&mut client, "/", "")).to_owned();
    assert!(ask(&mut client, "/", &third).ends_with("visit 2"));
    let refused = ask(&mut client, "/", "");
    assert!(
        refused.starts_with("HTTP/1.1 503 ") && !refused.contains("with_limit"),
        "{refused}"
    );
    assert!(ask(&mut client, "/logout", &third).ends_with("out"));
    assert!(ask(&mut client, "/", "").ends_with("visit 1"));
}

#[test]
fn a_resource_without_sessions_says_so_in_the_log_alone() {
    let mut client = client(Router::new().get("/", visit));
    let sent = ask(&mut client, "/", "");
    assert!(
        sent.starts_with("HTTP/1.1 500 ") && !sent.contains("wrap"),
        "{sent}"
    );
}

fn sealed(sessions: &SealedSessions) -> impl Resource + use<> {
    let visit = |request: &Request| {
        let session = request.sealed_session()?;
        let visits: u32 = session.get("visits").unwrap_or(0) + 1;
        session.set("visits", &visits)?;
        Ok::<_, Failure>(format!("visit {visits}"))
    };
    let look = |request: &Request| {
        let visits: Option<u32> = request.sealed_session()?.get("visits");
        Ok::<_, Failure>(format!("{visits:?}"))
    };
    let clear = |request: &Request| {
        request.sealed_session()?.clear();
        Ok::<_, Failure>("cleared")
    };
    let large = |request: &Request| {
        let session = request.sealed_session()?;
        let refused = session.set("large", &"x".repeat(3000)).is_err();
        Ok::<_, Failure>(format!("{refused} {:?}", session.get::<String>("large")))
    };
    let router = Router::new().get("/", visit).get("/look", look);
    sessions.wrap(router.get("/clear", clear).get("/large", large))
}

fn keys(byte: u8) -> CookieKeys {
    CookieKeys::new(&[byte; 32]).unwrap()
}

#[test]
fn a_sealed_session_is_in_the_browser_and_nobody_else_writes_it() {
    let mut client = client(sealed(&SealedSessions::new(keys(1))));
    let first = ask(&mut client, "/", "");
    assert!(
        set_cookie(&first)
            .unwrap()
            .ends_with("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax"),
        "{first}"
    );
    let cookie = pair(&first).to_owned();
    assert!(!cookie.contains("visits"));
    assert!(ask(&mut client, "/", &cookie).ends_with("visit 2"));
    let seen = ask(&mut client, "/look", &cookie);
    assert!(
        seen.ends_with("Some(1)") && set_cookie(&seen).is_none(),
        "what is not changed is not sent"
    );
    let forged = format!("{}A", &cookie[..cookie.len() - 1]);
    for cookie in [&*forged, "sealed=", "sealed=x", ""] {
        assert!(
            ask(&mut client, "/look", cookie).ends_with("None"),
            "{cookie}"
        );
    }
    let cleared = ask(&mut client, "/clear", &cookie);
    assert!(
        set_cookie(&cleared)
            .unwrap()
            .starts_with("sealed=; Path=/; Max-Age=0"),
        "{cleared}"
    );
    assert!(ask(&mut client, "/large", &cookie).ends_with("true None"));
}

#[test]
fn sealed_sessions_change_their_keys_and_renew_themselves() {
    let mut old = client(sealed(&SealedSessions::new(keys(1))));
    let cookie = pair(&ask(&mut old, "/", "")).to_owned();
    let rotated = keys(2).with_old(&[1; 32]).unwrap();
    let mut new = client(sealed(&SealedSessions::new(rotated)));
    let seen = ask(&mut new, "/look", &cookie);
    assert!(seen.ends_with("Some(1)"), "{seen}");
    let renewed = pair(&seen).to_owned();
    let mut only_new = client(sealed(&SealedSessions::new(keys(2))));
    assert!(ask(&mut only_new, "/look", &cookie).ends_with("None"));
    assert!(ask(&mut only_new, "/look", &renewed).ends_with("Some(1)"));
    let hour = SealedSessions::new(keys(1)).with_lifetime(2 * MINUTE);
    let mut client = client(sealed(&hour));
    let cookie = pair(&ask(&mut client, "/", "")).to_owned();
    client.advance(MINUTE + Duration::from_secs(1));
    let seen = ask(&mut client, "/look", &cookie);
    assert!(
        seen.ends_with("Some(1)") && set_cookie(&seen).is_some(),
        "{seen}"
    );
    client.advance(MINUTE);
    assert!(ask(&mut client, "/look", &cookie).ends_with("None"));
}
