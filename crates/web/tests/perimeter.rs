//! What stands around a site: its log, its limits, and whom it believes.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Address, Factory};
use ropewalk_testing::StringTransport;
use ropewalk_web::{
    AccessFormat, Body, Failure, Request, Responder, Response, Router, Site, SiteLimits,
    StatusCode, TrustedProxies, User,
};

type Lines = Rc<RefCell<Vec<u8>>>;
type Shelf = Rc<RefCell<Vec<Responder>>>;

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

/// What is answered at once, later, in pieces, and not at all.
fn routes(shelf: &Shelf) -> Router {
    let shelf = Rc::clone(shelf);
    let later = move |request: &Request| {
        request.respond_later(|responder| shelf.borrow_mut().push(responder))
    };
    let pieces = |request: &Request| {
        request.respond_later(|responder| {
            let mut sender = responder.respond_in_pieces(Response::text(Body::empty()));
            sender.push("one").unwrap();
            sender.push("three").unwrap();
            sender.finish();
        })
    };
    let broken = |request: &Request| {
        request.respond_later(|responder| {
            let mut sender = responder.respond_in_pieces(Response::text(Body::empty()));
            sender.push("one").unwrap();
            sender.fail(Failure::message("out of tea"));
        })
    };
    Router::new()
        .get("/now", |_: &Request| "now")
        .get("/large", |_: &Request| vec![b'x'; 100_000])
        .get("/user", |request: &Request| {
            request.set(User::new("ann\"\n"));
            "hello"
        })
        .get("/later", later)
        .get("/pieces", pieces)
        .get("/broken", broken)
        .get("/who", |request: &Request| {
            format!("{:?} {}", request.client().unwrap(), request.scheme())
        })
}

struct Logged {
    client: StringTransport,
    lines: Lines,
    shelf: Shelf,
}

impl Logged {
    fn new(format: AccessFormat) -> Self {
        let (lines, shelf) = (Lines::default(), Shelf::default());
        let log = Rc::clone(&lines);
        let site = Site::new(routes(&shelf))
            .with_access_log(format, move |line| log.borrow_mut().extend_from_slice(line));
        let client = StringTransport::builder().factory(site);
        Self {
            client,
            lines,
            shelf,
        }
    }

    fn receive(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.client.receive(bytes);
        self.client.settle();
        self
    }

    /// The lines so far, from the request on.
    fn take(&mut self) -> Vec<String> {
        let text = String::from_utf8(self.lines.take()).unwrap();
        let rest = |line: &str| line.split_once("] ").unwrap().1.to_owned();
        text.lines().map(rest).collect()
    }
}

#[test]
fn r152_each_request_has_one_line_whatever_became_of_it() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive(get("/now") + &get("/nowhere?a=%22") + &get("/large") + &get("/pieces"));
    logged.receive("HEAD /large HTTP/1.1\r\nHost: a\r\nReferer: b\r\nUser-Agent: c\x07\"\r\n\r\n");
    let not_found = "404 Not Found\n".len();
    let lines = logged.take();
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert_eq!(lines[0], r#""GET /now HTTP/1.1" 200 3 "-" "-""#);
    assert!(
        lines[1].starts_with(r#""GET /nowhere?a=%22 HTTP/1.1" 404 "#),
        "{not_found}"
    );
    assert_eq!(lines[2], r#""GET /large HTTP/1.1" 200 100000 "-" "-""#);
    assert_eq!(lines[3], r#""GET /pieces HTTP/1.1" 200 8 "-" "-""#);
    assert!(
        lines[4].starts_with(r#""-" 400 "#),
        "a control byte is no header: {}",
        lines[4]
    );
}

#[test]
fn r152_head_has_no_bytes_and_names_are_told() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive("HEAD /large HTTP/1.0\r\nReferer: http://b/\r\nUser-Agent: c \"d\"\r\n\r\n");
    let lines = logged.take();
    assert_eq!(
        lines,
        [r#""HEAD /large HTTP/1.0" 200 0 "http://b/" "c \"d\"""#]
    );
}

#[test]
fn h1_18_a_name_cannot_write_lines() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive(get("/user"));
    let text = String::from_utf8(logged.lines.take()).unwrap();
    assert!(text.contains(r#" - ann\"\x0a ["#), "{text}");
    assert_eq!(text.matches('\n').count(), 1);
}

#[test]
fn r152_a_client_that_left_is_told_apart() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive(get("/later"));
    assert_eq!(logged.take(), [""; 0]);
    logged.client.fail(std::io::ErrorKind::ConnectionReset);
    logged.client.settle();
    assert_eq!(logged.take(), [r#""GET /later HTTP/1.1" 499 0 "-" "-""#]);
    logged.shelf.take();
    assert_eq!(
        logged.take(),
        [""; 0],
        "the answer to nobody is no second line"
    );
}

#[test]
fn r152_what_was_cut_short_has_the_bytes_that_were_sent() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive(get("/broken"));
    assert_eq!(logged.take(), [r#""GET /broken HTTP/1.1" 200 3 "-" "-""#]);
}

#[test]
fn r152_what_broke_the_rules_or_was_slow_has_a_line() {
    for (bytes, seconds, wanted) in [
        ("GET  /now HTTP/1.1\r\n\r\n", 0, r#""-" 400 "#),
        ("GET /now HTTP", 31, r#""-" 408 "#),
        ("", 11, ""),
        (
            "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
            11,
            r#""POST /now HTTP/1.1" 405 "#,
        ),
    ] {
        let mut logged = Logged::new(AccessFormat::Combined);
        logged.receive(bytes);
        logged.client.advance(Duration::from_secs(seconds));
        logged.client.settle();
        let lines = logged.take();
        match wanted {
            "" => assert_eq!(lines, [""; 0]),
            _ => assert!(
                lines.len() == 1 && lines[0].starts_with(wanted),
                "{bytes:?}: {lines:?}"
            ),
        }
    }
}

#[test]
fn r152_json_has_the_time_it_took() {
    let mut logged = Logged::new(AccessFormat::Json);
    logged.receive(get("/later"));
    logged.client.advance(Duration::from_millis(1500));
    logged.shelf.borrow_mut().remove(0).respond("at last");
    logged.client.settle();
    let line = String::from_utf8(logged.lines.take()).unwrap();
    assert!(
        line.starts_with(r#"{"time":"2026-01-01T00:00:01Z","#),
        "{line}"
    );
    assert!(
        line.ends_with("\"status\":200,\"bytes\":7,\"seconds\":1.500000}\n"),
        "{line}"
    );
}

// ── Limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────

fn limited(change: impl FnOnce(&mut SiteLimits)) -> (Site, Shelf) {
    let (mut limits, shelf) = (SiteLimits::default(), Shelf::default());
    change(&mut limits);
    (Site::new(routes(&shelf)).with_limits(limits), shelf)
}

fn sent(client: &mut StringTransport) -> String {
    client.settle();
    String::from_utf8(client.take_sent()).unwrap()
}

#[test]
fn requests_above_the_limit_are_answered_503_until_others_are_over() {
    let (site, shelf) = limited(|limits| limits.requests = 2);
    let mut clients = [(); 3].map(|()| StringTransport::builder().factory(site.clone()));
    for client in &mut clients[..2] {
        client.receive(get("/later"));
    }
    let [first, second, third] = &mut clients;
    third.receive(get("/now"));
    let refused = sent(third);
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nRetry-After: 5\r\n"), "{refused}");
    assert!(!third.is_disconnecting(), "it may ask again");
    // One is answered, the other leaves: both make room.
    shelf.borrow_mut().remove(0).respond("done");
    assert!(sent(first).ends_with("done"));
    third.receive(get("/now"));
    assert!(sent(third).ends_with("now"));
    first.receive(get("/later"));
    second.fail(std::io::ErrorKind::ConnectionReset);
    third.receive(get("/now"));
    assert!(sent(third).ends_with("now"));
}

#[test]
fn a_client_has_its_own_limit_and_behind_a_proxy_too() {
    let (site, _shelf) = limited(|limits| limits.requests_by_peer = Some(1));
    let proxies = TrustedProxies::x_forwarded("0.0.0.0/0".parse().unwrap());
    let site = site.with_trusted_proxies(proxies);
    let ask = |path: &str, from: &str| {
        let mut client = StringTransport::builder().factory(site.clone());
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {from}\r\n\r\n");
        client.receive(head);
        let sent = sent(&mut client);
        (client, sent)
    };
    let (_waits, nothing) = ask("/later", "2001:db8::1");
    assert_eq!(nothing, "");
    assert!(
        ask("/now", "2001:db8::2").1.starts_with("HTTP/1.1 503 "),
        "one network is one peer"
    );
    assert!(
        ask("/now", "2001:db8:0:1::2")
            .1
            .starts_with("HTTP/1.1 200 ")
    );
}

#[test]
fn connections_above_the_limit_are_told_so_and_closed() {
    let (site, _) = limited(|limits| limits.connections = 1);
    let connected = || {
        let mut factory = site.clone();
        assert!(factory.accepts(&Address::Tcp(([192, 0, 2, 1], 80).into())));
        StringTransport::builder().factory(factory)
    };
    let mut first = connected();
    first.receive(get("/now"));
    let mut second = connected();
    second.receive(get("/now") + &get("/now"));
    let refused = sent(&mut second);
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("\r\nConnection: close\r\n"), "{refused}");
    assert_eq!(refused.matches("HTTP/1.1 ").count(), 1);
    assert!(second.is_disconnecting() || second.is_disconnected());
    assert!(sent(&mut first).ends_with("now"));
}

// ── Whom a site believes ────────────────────────────────────────────────────────────────────────────────────────────

fn who(proxies: Option<TrustedProxies>, fields: &str) -> String {
    let mut site = limited(|_| {}).0;
    if let Some(proxies) = proxies {
        site = site.with_trusted_proxies(proxies);
    }
    let mut client = StringTransport::builder().factory(site);
    client.receive(format!("GET /who HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
    let answer = sent(&mut client);
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn only_trusted_proxies_say_for_whom_they_ask() {
    let nobody = who(None, "");
    let peer = nobody.strip_suffix(" http").unwrap();
    let x = |list: &str| Some(TrustedProxies::x_forwarded(list.parse().unwrap()));
    let forwarded = |list: &str| Some(TrustedProxies::forwarded(list.parse().unwrap()));
    let claim = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n";
    assert_eq!(who(None, claim), nobody);
    assert_eq!(
        who(x("198.51.100.0/24"), claim),
        nobody,
        "the peer is another"
    );
    assert_eq!(who(x(peer), claim), "192.0.2.9 https");
    assert_eq!(who(x(peer), ""), nobody);
    assert_eq!(
        who(forwarded(peer), claim),
        nobody,
        "the other field is a claim of the client"
    );
    // What stands before the last that is no proxy is a claim as well.
    let chain = format!("X-Forwarded-For: 192.0.2.66, 192.0.2.9\r\nX-Forwarded-For: {peer}\r\n");
    assert_eq!(who(x(peer), &chain), "192.0.2.9 http");
    assert_eq!(
        who(x(peer), "X-Forwarded-For: 192.0.2.9, unknown\r\n"),
        nobody
    );
    let fields = "Forwarded: for=192.0.2.66, for=\"192.0.2.9:80\";proto=https\r\n";
    assert_eq!(who(forwarded(peer), fields), "192.0.2.9 https");
}

#[test]
fn r142_an_answer_to_nobody_is_ignored() {
    let mut logged = Logged::new(AccessFormat::Combined);
    logged.receive(get("/later"));
    logged.client.fail(std::io::ErrorKind::ConnectionReset);
    logged.client.settle();
    let responder = logged.shelf.borrow_mut().remove(0);
    assert!(responder.is_abandoned());
    responder.respond(StatusCode::OK);
    logged.client.settle();
    assert_eq!(logged.take().len(), 1);
}
