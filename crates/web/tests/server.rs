//! A site on a connection that a test feeds.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_testing::StringTransport;
use ropewalk_web::{
    Body, Branch, Bytes, Failure, Headers, Methods, Reply, Request, Resource, Responder, Response,
    Router, Site, StatusCode,
};

fn client(root: impl Resource) -> StringTransport {
    StringTransport::builder().factory(Site::new(root))
}

fn sent(client: &mut StringTransport) -> String {
    client.settle();
    String::from_utf8(client.take_sent()).unwrap()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")
}

struct Page;

impl Resource for Page {
    fn methods(&self) -> Methods {
        Methods::GET
    }
    fn render_get(&self, request: &Request) -> Reply {
        format!("{} and {}", request.passed(), request.rest()).into()
    }
}

struct Leaf;

impl Resource for Leaf {
    fn methods(&self) -> Methods {
        Methods::GET.and(Methods::POST)
    }
    fn is_leaf(&self) -> bool {
        true
    }
    fn render_get(&self, request: &Request) -> Reply {
        Page.render_get(request)
    }
    fn render_post(&self, request: &Request) -> Reply {
        let request = request.clone();
        Reply::from_future(async move { Ok::<_, Failure>(request.bytes().await?) })
    }
}

fn tree() -> Branch {
    Branch::new()
        .with_child("page", Page)
        .with_child("leaf", Leaf)
}

#[test]
fn a_response_has_its_length_its_date_and_its_body() {
    let mut client = client(tree());
    client.receive(get("/page"));
    assert_eq!(
        sent(&mut client),
        "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\n\r\n/page and "
    );
}

#[test]
fn r146_a_leaf_sees_the_rest_of_the_path() {
    let mut client = client(tree());
    client.receive(get("/leaf/a%2Fb/c?d"));
    assert!(sent(&mut client).ends_with("\r\n\r\n/leaf and /a%2Fb/c"));
}

#[test]
fn r147_what_is_not_there_not_allowed_or_not_known() {
    for (line, status) in [
        ("GET /nowhere", "404 Not Found"),
        ("GET /page/below", "404 Not Found"),
        ("POST /page", "405 Method Not Allowed"),
        ("BREW /page", "501 Not Implemented"),
        ("OPTIONS /page", "204 No Content"),
        ("OPTIONS *", "200 OK"),
    ] {
        let mut client = client(tree());
        client.receive(format!(
            "{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        ));
        let sent = sent(&mut client);
        assert!(
            sent.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{line}: {sent}"
        );
        let has_allow = sent.contains("\r\nAllow: GET, HEAD, OPTIONS\r\n");
        assert_eq!(
            has_allow,
            line.ends_with("/page") && !line.starts_with("BREW"),
            "{sent}"
        );
    }
}

#[test]
fn r137_head_is_get_without_body() {
    let mut client = client(tree());
    client.receive("HEAD /page HTTP/1.1\r\nHost: a\r\n\r\n");
    let sent = sent(&mut client);
    assert!(
        sent.contains("Content-Length: 10\r\n") && sent.ends_with("\r\n\r\n"),
        "{sent}"
    );
}

#[test]
fn r129_pipelined_requests_are_answered_in_order() {
    let waiting = Rc::new(RefCell::new(Vec::<Responder>::new()));
    let shelf = Rc::clone(&waiting);
    let later = move |request: &Request| {
        request.respond_later(|responder| shelf.borrow_mut().push(responder))
    };
    let mut client = client(
        Router::new()
            .get("/later", later)
            .get("/now", |_: &Request| "now"),
    );
    client.receive(get("/later") + &get("/now") + &get("/later"));
    assert_eq!(sent(&mut client), "");
    assert_eq!(waiting.borrow().len(), 1, "the third is not even told");
    waiting.borrow_mut().remove(0).respond("first");
    let first = sent(&mut client);
    assert!(
        first.find("first").unwrap() < first.find("now").unwrap(),
        "{first}"
    );
    waiting.borrow_mut().remove(0).respond("third");
    assert!(sent(&mut client).ends_with("third"));
}

#[test]
fn a_client_that_sends_no_more_gets_all_its_answers() {
    let waiting = Rc::new(RefCell::new(Vec::<Responder>::new()));
    let shelf = Rc::clone(&waiting);
    let later = move |request: &Request| {
        request.respond_later(|responder| shelf.borrow_mut().push(responder))
    };
    let mut client = client(Router::new().get("/", later));
    client.receive(get("/") + &get("/") + "GET / HT");
    client.eof();
    for name in ["first", "second"] {
        assert!(!client.is_disconnecting(), "before the {name}");
        let responder = waiting.borrow_mut().pop();
        responder.unwrap().respond(name);
        assert!(sent(&mut client).ends_with(name));
    }
    assert!(client.is_disconnecting() || client.is_disconnected());
}

#[test]
fn r130_too_much_behind_an_unanswered_request_pauses_reading() {
    let kept = Rc::new(RefCell::new(None));
    let place = Rc::clone(&kept);
    let later = move |request: &Request| {
        request.respond_later(|responder| *place.borrow_mut() = Some(responder))
    };
    let mut client = client(
        Router::new()
            .get("/", later)
            .post("/", |_: &Request| "posted"),
    );
    client.receive(get("/"));
    client.receive(format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n{}",
        "x".repeat(20_000)
    ));
    client.settle();
    assert!(client.is_reading_paused());
    kept.take().unwrap().respond("got");
    assert!(sent(&mut client).ends_with("posted"));
    assert!(!client.is_reading_paused());
}

#[test]
fn r136_a_client_is_told_to_go_on_when_its_body_is_wanted() {
    let head =
        "POST /leaf HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut client = client(tree());
    client.receive(head);
    assert_eq!(sent(&mut client), "HTTP/1.1 100 Continue\r\n\r\n");
    client.receive("tea");
    assert!(sent(&mut client).ends_with("\r\n\r\ntea"));
    client.receive(head.replace("/leaf", "/page"));
    let refused = sent(&mut client);
    assert!(
        refused.starts_with("HTTP/1.1 405 ") && refused.contains("Connection: close"),
        "{refused}"
    );
}

#[test]
fn h1_16_a_body_beyond_the_limit_is_answered_413() {
    let mut client = client(tree());
    client.receive("POST /leaf HTTP/1.1\r\nHost: a\r\nContent-Length: 2097153\r\n\r\n");
    let answer = sent(&mut client);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(client.is_disconnecting());
}

#[test]
fn r149_a_star_is_the_server_as_a_whole_and_for_options_only() {
    let mut client = client(tree());
    client.receive("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = sent(&mut client);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\r\nContent-Length: 0\r\n"), "{answer}");
    client.receive("GET * HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = sent(&mut client);
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("\r\nAllow: OPTIONS\r\n"), "{answer}");
}

#[test]
fn h1_13_a_body_that_nobody_reads_is_drained_or_ends_the_connection() {
    for (length, lives) in [(1_000, true), (1_000_000, false)] {
        let mut client = client(tree());
        client.receive(format!(
            "POST /page HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        ));
        client.receive("x".repeat(length));
        client.receive(get("/page"));
        let answers = sent(&mut client).matches("HTTP/1.1 ").count();
        assert_eq!(answers, if lives { 2 } else { 1 });
        assert_eq!(
            client.is_disconnecting() || client.is_disconnected(),
            !lives
        );
    }
}

#[test]
fn a_stream_is_chunked_and_a_sender_has_trailers() {
    let pieces = |request: &Request| {
        request.respond_later(|responder| {
            let mut sender = responder.respond_in_pieces(Response::text(Body::empty()));
            let reactor = sender.request().reactor().clone();
            drop(reactor.spawn(async move {
                sender.send("one").await?;
                sender.send("three").await?;
                let mut trailers = Headers::new();
                trailers.set("x-count", "2")?;
                sender.finish_with(trailers);
                Ok::<(), Failure>(())
            }));
        })
    };
    let mut client = client(Router::new().get("/", pieces));
    client.receive(get("/"));
    let sent = sent(&mut client);
    assert!(sent.contains("Transfer-Encoding: chunked\r\n"), "{sent}");
    assert!(
        sent.ends_with("\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\nX-Count: 2\r\n\r\n"),
        "{sent}"
    );
}

#[test]
fn a_stream_that_is_ready_at_once_comes_whole() {
    let pieces = |request: &Request| {
        request.respond_later(|responder| {
            let mut sender = responder.respond_in_pieces(Response::text(Body::empty()));
            let reactor = sender.request().reactor().clone();
            drop(reactor.spawn(async move {
                for _ in 0..100 {
                    sender.send(vec![b'z'; 10_000]).await?;
                }
                sender.finish();
                Ok::<(), Failure>(())
            }));
        })
    };
    let mut client = client(Router::new().get("/", pieces));
    client.receive(get("/"));
    let sent = sent(&mut client);
    assert_eq!(sent.matches('z').count(), 1_000_000);
    assert!(sent.ends_with("0\r\n\r\n"));
}

#[test]
fn a_large_body_is_shared_and_comes_whole() {
    let large = Bytes::from(vec![b'x'; 100_000]);
    let page = large.clone();
    let mut client = client(Router::new().get("/", move |_: &Request| page.clone()));
    client.receive(get("/"));
    client.settle();
    let sent = client.take_sent();
    assert!(sent.ends_with(&large[..]) && sent.len() < 100_300);
}

#[test]
fn r148_a_panic_and_a_failure_are_500_without_detail() {
    for path in ["/panic", "/filter", "/fail", "/later"] {
        let mut client = client(failing());
        client.receive(get(path));
        client.receive(get("/fine"));
        let sent = sent(&mut client);
        assert!(
            sent.starts_with("HTTP/1.1 500 ") && !sent.contains("secret"),
            "{path}: {sent}"
        );
        assert!(sent.ends_with("\r\n\r\nfine"), "{path}: {sent}");
    }
}

#[test]
fn a_request_that_comes_again_begins_anew() {
    let seen = |request: &Request| {
        let before = request.get::<u8>().is_some();
        request.set(1_u8);
        request.on_response(|_, response| response.with_status(StatusCode::ACCEPTED));
        let name: String = request.param("name").unwrap_or_default();
        format!("{before} {name} {} {}", request.passed(), request.path())
    };
    let mut client = client(
        Router::new()
            .get("/plain", |_: &Request| "plain")
            .get("/seen/{name}", seen),
    );
    let (seen, plain) = (get("/seen/a"), get("/plain"));
    client.receive([&seen[..], &seen, &plain, &plain, &seen, &seen].concat());
    let sent = sent(&mut client);
    let answers: Vec<_> = sent.split("HTTP/1.1 ").skip(1).collect();
    let ends = ["202", "202", "200", "200", "202", "202"].map(|status| match status {
        "202" => (status, "false a /seen/a /seen/a"),
        _ => (status, "plain"),
    });
    for (answer, (status, end)) in answers.iter().zip(ends) {
        assert!(
            answer.starts_with(status) && answer.ends_with(end),
            "{answer}"
        );
    }
    assert_eq!(answers.len(), ends.len());
}

fn failing() -> Router {
    let filter = |request: &Request| {
        request.on_response(|_, _| panic!("secret"));
        "never seen"
    };
    Router::new()
        .get("/fine", |_: &Request| "fine")
        .get("/panic", |_: &Request| -> &'static str { panic!("secret") })
        .get("/filter", filter)
        .get("/fail", |_: &Request| {
            Err::<&str, _>(Failure::message("secret"))
        })
        .get("/later", |_: Request| async {
            Err::<&str, _>(Failure::message("secret"))
        })
}

#[test]
fn r141_those_who_wait_hear_that_the_client_left() {
    let told = Rc::new(RefCell::new(None));
    let place = Rc::clone(&told);
    let later = move |request: &Request| {
        let place = Rc::clone(&place);
        request
            .finished()
            .on_result(move |result| *place.borrow_mut() = Some(result.is_ok()));
        request.respond_later(std::mem::forget)
    };
    let mut client = client(Router::new().get("/", later));
    client.receive(get("/"));
    client.fail(std::io::ErrorKind::ConnectionReset);
    client.settle();
    assert_eq!(*told.borrow(), Some(false));
}

#[test]
fn r132_broken_rules_are_answered_and_the_connection_closed() {
    for request in ["GET / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "\0"] {
        let mut client = client(tree());
        client.receive(request);
        client.receive(get("/page"));
        let sent = sent(&mut client);
        assert!(sent.starts_with("HTTP/1.1 400 "), "{request:?}: {sent}");
        assert!(sent.contains("\r\nDate: "), "RFC 9110 6.6.1: {sent}");
        assert_eq!(sent.matches("HTTP/1.1 ").count(), 1);
        assert!(client.is_disconnecting() || client.is_disconnected());
    }
}

#[test]
fn r143_slow_heads_slow_bodies_and_idle_clients_are_let_go() {
    for (bytes, seconds, status) in [
        ("", 11, ""),
        ("GET / HTTP", 31, "HTTP/1.1 408 "),
        (
            "POST /leaf HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx",
            11,
            "HTTP/1.1 408 ",
        ),
        ("GET /page HTTP/1.1\r\nHost: a\r\n\r\n", 76, "HTTP/1.1 200 "),
    ] {
        let mut client = client(tree());
        client.receive(bytes);
        client.advance(Duration::from_secs(seconds - 2));
        assert!(!client.is_disconnecting(), "{bytes:?}");
        client.advance(Duration::from_secs(2));
        assert!(sent(&mut client).starts_with(status), "{bytes:?}");
        assert!(
            client.is_disconnecting() || client.is_disconnected(),
            "{bytes:?}"
        );
    }
}

#[test]
fn r143_the_clock_does_not_run_while_we_prepare() {
    let kept = Rc::new(RefCell::new(None));
    let place = Rc::clone(&kept);
    let later = move |request: &Request| {
        request.respond_later(|responder| *place.borrow_mut() = Some(responder))
    };
    let mut client = client(Router::new().get("/", later));
    client.receive(get("/"));
    client.advance(Duration::from_secs(3600));
    kept.take()
        .unwrap()
        .respond((StatusCode::CREATED, "at last"));
    assert!(sent(&mut client).starts_with("HTTP/1.1 201 "));
}

#[test]
fn every_split_gets_the_same_answers() {
    let stream = get("/page")
        + "POST /leaf HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\ntea"
        + &get("/no");
    let mut whole = client(tree());
    whole.receive(&stream);
    let whole = sent(&mut whole);
    for cut in 1..stream.len() {
        let mut client = client(tree());
        client.receive(&stream[..cut]);
        client.settle();
        client.receive(&stream[cut..]);
        assert_eq!(sent(&mut client), whole, "cut at {cut}");
    }
}
