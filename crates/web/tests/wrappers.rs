//! Resources around resources: who may ask, how often, from where, and by which name.

use std::time::Duration;

use ropewalk_core::{Deferred, Handle};
use ropewalk_cred::{
    AnonymousChecker, AvatarId, PasswordChecker, PasswordCost, PasswordHash, PasswordTable, Portal,
    TokenChecker,
};
use ropewalk_testing::StringTransport;
use ropewalk_web::{
    Cors, Guard, HttpsOnly, Methods, NameVirtualHost, Request, Resource, Response, Rewrite, Router,
    SecureHeaders, Site, TrustedProxies, User,
};

/// A client of a tree, which asks on one connection.
struct Client(StringTransport);

impl Client {
    fn of(root: impl Resource) -> Self {
        Self::at(Site::new(root))
    }

    fn at(site: Site) -> Self {
        Self(StringTransport::builder().factory(site))
    }

    fn ask(&mut self, line: &str, fields: &str) -> String {
        self.0
            .receive(format!("{line} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"));
        self.0.settle();
        String::from_utf8(self.0.take_sent()).unwrap()
    }
}

fn page() -> Router {
    Router::new().get("/", |_: &Request| "tea")
}

#[track_caller]
fn has(answer: &str, header: &str) {
    assert!(answer.contains(&format!("\r\n{header}\r\n")), "{answer}");
}

#[track_caller]
fn lacks(answer: &str, text: &str) {
    assert!(!answer.contains(text), "{answer}");
}

// ── CORS ────────────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn cors_names_the_origins_that_may_read() {
    let cors = Cors::new(page())
        .with_origin("https://Example.com")
        .with_exposed_header("x-count")
        .with_credentials();
    let mut client = Client::of(cors);
    let allowed = client.ask("GET /", "Origin: https://example.com\r\n");
    has(&allowed, "Access-Control-Allow-Origin: https://example.com");
    has(&allowed, "Access-Control-Allow-Credentials: true");
    has(&allowed, "Access-Control-Expose-Headers: X-Count");
    has(&allowed, "Vary: Origin");
    for origin in [
        "https://example.com.evil",
        "http://example.com",
        "https://example.com:444",
        "null",
    ] {
        let refused = client.ask("GET /", &format!("Origin: {origin}\r\n"));
        lacks(&refused, "Access-Control");
        has(&refused, "Vary: Origin");
    }
    let same_site = client.ask("GET /", "");
    lacks(&same_site, "Access-Control");
    has(&same_site, "Vary: Origin");
    let missing = client.ask("GET /missing", "Origin: https://example.com\r\n");
    has(&missing, "Access-Control-Allow-Origin: https://example.com");
}

#[test]
fn cors_answers_preflights_without_asking_the_resource() {
    let cors = Cors::new(Router::new())
        .with_origin("https://example.com")
        .with_methods(Methods::GET.and(Methods::PUT))
        .with_header("content-type")
        .with_header("x-key");
    let mut client = Client::of(cors);
    let ask = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-key\r\n";
    let allowed = client.ask(
        "OPTIONS /",
        &format!("Origin: https://example.com\r\n{ask}"),
    );
    assert!(allowed.starts_with("HTTP/1.1 204 "), "{allowed}");
    has(&allowed, "Access-Control-Allow-Origin: https://example.com");
    has(
        &allowed,
        "Access-Control-Allow-Methods: GET, HEAD, OPTIONS, PUT",
    );
    has(
        &allowed,
        "Access-Control-Allow-Headers: Content-Type, X-Key",
    );
    has(&allowed, "Access-Control-Max-Age: 600");
    has(
        &allowed,
        "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    );
    let refused = client.ask(
        "OPTIONS /",
        &format!("Origin: https://evil.example\r\n{ask}"),
    );
    lacks(&refused, "Access-Control-Allow");
    // OPTIONS that is no preflight is the resource's.
    assert!(client.ask("OPTIONS /", "").starts_with("HTTP/1.1 404 "));
}

#[test]
fn cors_for_all_has_no_credentials_and_does_not_vary() {
    let mut client = Client::of(Cors::new(page()).with_any_origin());
    let answer = client.ask("GET /", "Origin: https://anybody.example\r\n");
    has(&answer, "Access-Control-Allow-Origin: *");
    lacks(&answer, "Credentials");
    lacks(&answer, "Vary");
}

#[test]
#[should_panic = "with credentials the origins must be named"]
fn cors_for_all_with_credentials_is_refused() {
    let _ = Cors::new(page()).with_credentials().with_any_origin();
}

#[test]
#[should_panic = "an origin is like https://example.com"]
fn what_is_no_origin_is_refused() {
    let _ = Cors::new(page()).with_origin("https://example.com/");
}

// ── Hosts, paths, https, headers ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn hosts_are_told_apart_without_port_case_or_last_dot() {
    let named = |name: &'static str| Router::new().get("/", move |_: &Request| name);
    let hosts = || {
        NameVirtualHost::new()
            .with_host("Tea.example.", named("tea"))
            .with_host("[2001:db8::1]", named("six"))
    };
    let ask = |hosts: NameVirtualHost, host: &str| {
        let mut client = StringTransport::builder().factory(Site::new(hosts));
        client.receive(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        String::from_utf8(client.take_sent()).unwrap()
    };
    for host in [
        "tea.example",
        "TEA.EXAMPLE:8080",
        "tea.example.",
        "tea.example.:80",
    ] {
        assert!(ask(hosts(), host).ends_with("\r\n\r\ntea"), "{host}");
    }
    assert!(ask(hosts(), "[2001:DB8::1]:80").ends_with("\r\n\r\nsix"));
    assert!(ask(hosts(), "other.example").starts_with("HTTP/1.1 404 "));
    let with_default = hosts().with_default(named("other"));
    assert!(ask(with_default, "x.tea.example").ends_with("\r\n\r\nother"));
}

#[test]
fn a_rewritten_path_is_forgotten_with_its_request() {
    let echo = Router::new().get("/{rest*}", |request: &Request| {
        format!("{} {}", request.path(), request.target())
    });
    let rewrite = Rewrite::new(echo, |path: &str| {
        path.strip_prefix("/old/")
            .map(|rest| format!("/new/{rest}"))
    });
    let mut client = Client::of(rewrite);
    assert!(
        client
            .ask("GET /old/a%2Fb?c", "")
            .ends_with("/new/a%2Fb /old/a%2Fb?c")
    );
    assert!(client.ask("GET /other", "").ends_with("/other /other"));
}

#[test]
fn https_is_insisted_on_for_every_method_and_trusted_proxies_are_believed() {
    let secret = || HttpsOnly::new(page()).with_strict_transport(Duration::from_secs(60));
    let mut client = Client::of(secret().with_port(8443));
    for line in [
        "GET //evil.example/%0d%0a?a=b",
        "POST //evil.example/%0d%0a?a=b",
    ] {
        let answer = client.ask(line, "Content-Length: 0\r\n");
        assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
        has(&answer, "Location: https://a:8443//evil.example/%0d%0a?a=b");
        lacks(&answer, "Strict-Transport");
    }
    let anybody = TrustedProxies::x_forwarded("0.0.0.0/0".parse().unwrap());
    let mut client = Client::at(Site::new(secret()).with_trusted_proxies(anybody));
    let answer = client.ask("GET /", "X-Forwarded-Proto: https\r\n");
    has(&answer, "Strict-Transport-Security: max-age=60");
    assert!(answer.ends_with("\r\n\r\ntea"), "{answer}");
}

#[test]
fn secure_headers_leave_alone_what_a_response_says_itself() {
    let page = Router::new().get("/", |_: &Request| {
        Response::text("framed")
            .with_header("x-frame-options", "DENY")
            .unwrap()
    });
    let mut client = Client::of(SecureHeaders::new(page));
    let answer = client.ask("GET /", "");
    has(&answer, "X-Frame-Options: DENY");
    has(&answer, "X-Content-Type-Options: nosniff");
    has(&answer, "Referrer-Policy: strict-origin-when-cross-origin");
    lacks(&answer, "SAMEORIGIN");
    has(
        &client.ask("GET /missing", ""),
        "X-Frame-Options: SAMEORIGIN",
    );
}

// ── Logins ──────────────────────────────────────────────────────────────────────────────────────────────────────────

struct Reader(AvatarId);

type ReaderRealm = fn(&Handle, AvatarId) -> Deferred<Reader>;

fn portal() -> Portal<ReaderRealm> {
    let hash = PasswordHash::of(
        "tea: time",
        *b"16 bytes of salt",
        PasswordCost::dangerous_tiny(),
    );
    let table = PasswordTable::new().with_user("ann", hash.unwrap());
    let realm: ReaderRealm = |reactor, id| Deferred::succeed(reactor, Reader(id));
    Portal::new(realm)
        .with_checker(PasswordChecker::new(table))
        .with_checker(TokenChecker::new().with_token("s3cret", "builder"))
}

fn guarded(portal: Portal<ReaderRealm>) -> Client {
    let library = Router::new().get("/", |request: &Request| {
        let user = request.get::<User>();
        let name = user.as_deref().map_or("-", User::name).to_owned();
        format!("{} {name}", request.get::<Reader>().unwrap().0)
    });
    let guard = Guard::new(portal, library);
    Client::of(guard.with_basic("the \"library\"").with_bearer("builds"))
}

#[test]
fn who_proves_nothing_is_asked_by_each_scheme() {
    let mut client = guarded(portal());
    for fields in [
        "",
        "Authorization: Basic YW5uOmNvZmZlZQ==\r\n", // ann:coffee
        "Authorization: Basic Ym9iOnRlYTogdGltZQ==\r\n", // bob:tea: time
        "Authorization: Basic !!!\r\n",
        "Authorization: Basic YW5u\r\n", // no colon
        "Authorization: Basic\r\n",
        "Authorization: Digest a=b\r\n",
        "Authorization: Bearer guess\r\n",
        "Authorization: Bearer s3cret\r\nAuthorization: Bearer s3cret\r\n",
    ] {
        let answer = client.ask("GET /", fields);
        assert!(answer.starts_with("HTTP/1.1 401 "), "{fields}: {answer}");
        has(
            &answer,
            "WWW-Authenticate: Basic realm=\"the \\\"library\\\"\", charset=\"UTF-8\"",
        );
        has(&answer, "WWW-Authenticate: Bearer realm=\"builds\"");
    }
}

#[test]
fn who_is_right_gets_in_with_padding_or_without() {
    let mut client = guarded(portal());
    // ann:tea: time, whose padding is one sign
    for proof in [
        "YW5uOnRlYTogdGltZQ==",
        "YW5uOnRlYTogdGltZQ",
        "YW5uOnRlYTogdGltZQ=",
    ] {
        let answer = client.ask("GET /", &format!("Authorization: basic {proof}\r\n"));
        assert!(answer.ends_with("\r\n\r\nann ann"), "{proof}: {answer}");
    }
    let answer = client.ask("GET /", "Authorization: BEARER  s3cret\r\n");
    assert!(answer.ends_with("\r\n\r\nbuilder -"), "{answer}");
}

#[test]
fn a_portal_may_let_everybody_in_who_shows_nothing() {
    let mut client = guarded(portal().with_checker(AnonymousChecker));
    assert!(client.ask("GET /", "").ends_with("\r\n\r\nanonymous -"));
    let wrong = client.ask("GET /", "Authorization: Bearer guess\r\n");
    assert!(wrong.starts_with("HTTP/1.1 401 "), "{wrong}");
}

#[test]
fn who_fails_often_must_wait() {
    let mut client = guarded(portal());
    for _ in 0..10 {
        let answer = client.ask("GET /", "Authorization: Bearer guess\r\n");
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    }
    for fields in [
        "Authorization: Bearer guess\r\n",
        "Authorization: Bearer s3cret\r\n",
    ] {
        let answer = client.ask("GET /", fields);
        assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
        has(&answer, "Retry-After: 6");
    }
    client.0.advance(Duration::from_secs(6));
    let answer = client.ask("GET /", "Authorization: Bearer s3cret\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
