//! What the client's agent does for a WebSocket: credentials, cookies, proxies, redirects, refusals.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Failure, Handle, Protocol, Reactor, Transport};
use ropewalk_grammar::http1::Name;
use ropewalk_sim::SimDriver;
use ropewalk_web::websocket::{
    Conversation, Message, Refusal, Refused, WebSocket, WebSocketClient, WebSocketConnectError,
    WebSocketServer,
};
use ropewalk_web::{Agent, AgentProblem, CookieJar, Proxies, Redirects};

use super::journal::{Echo, Journal};

/// Answers each request with what a function says of it, and notes it.
struct Scripted<A> {
    journal: Journal,
    answer: Rc<A>,
    heard: Vec<u8>,
}

impl<A: Fn(&str) -> String + 'static> Protocol for Scripted<A> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard.extend_from_slice(data);
        while let Some(end) = self.heard.windows(4).position(|four| four == b"\r\n\r\n") {
            let request: Vec<u8> = self.heard.drain(..end + 4).collect();
            let request = String::from_utf8(request).unwrap();
            self.journal.note(request.clone());
            transport.write((self.answer)(&request));
        }
    }
}

/// A reactor with an echo server of `/echo` at 10.0.0.1:80, and a server that plays a part at 10.0.0.1:81.
fn stage(answer: impl Fn(&str) -> String + 'static) -> (Reactor, Journal, Journal) {
    let (journal, heads) = (Journal::default(), Journal::default());
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let kept = heads.clone();
    let echo = WebSocketServer::fallible(move |opening| {
        let field = |name| opening.head().value(name).map(|value| value.escape_ascii());
        let field = |name| field(name).map_or("-".to_owned(), |value| value.to_string());
        kept.note(format!(
            "{} {} {} {}",
            opening.path(),
            field(Name::Authorization),
            field(Name::Cookie),
            field(Name::SecWebsocketKey)
        ));
        match opening.path() {
            "/echo" => Ok(Echo(Journal::default())),
            _ => Err(Refusal::new(404, "no such room")),
        }
    });
    reactor.listen("tcp:10.0.0.1:80", echo).unwrap();
    let (noted, answer) = (journal.clone(), Rc::new(answer));
    let scripted = move || Scripted {
        journal: noted.clone(),
        answer: Rc::clone(&answer),
        heard: Vec::new(),
    };
    reactor.listen("tcp:10.0.0.1:81", scripted).unwrap();
    (reactor, journal, heads)
}

fn run<T: 'static, F: Future<Output = T> + 'static>(
    reactor: &mut Reactor,
    visit: impl FnOnce(Handle) -> F + 'static,
) -> T {
    let visit = |handle: Handle| {
        let visit = visit(handle);
        async { Ok::<_, Failure>(visit.await) }
    };
    reactor.run_main(visit).unwrap().unwrap()
}

async fn open(agent: &Agent, client: WebSocketClient) -> Result<WebSocket, WebSocketConnectError> {
    let opened = client.connect(agent, Echo(Journal::default())).await;
    opened.map_err(|failure| failure.downcast().expect("it is our error"))
}

fn client(url: &str) -> WebSocketClient {
    WebSocketClient::new(url).unwrap()
}

fn refusal(outcome: Result<WebSocket, WebSocketConnectError>) -> Refused {
    match outcome {
        Err(WebSocketConnectError::Refused(refused)) => *refused,
        other => panic!("{other:?}"),
    }
}

fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 5\r\n\r\nthere")
}

#[test]
fn r166_a_redirect_is_a_refusal_unless_it_is_followed() {
    let (mut reactor, _, heads) = stage(|_| moved("ws://10.0.0.1/echo"));
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle).with_redirects(Redirects::browser_like());
        let refused = refusal(open(&agent, client("ws://10.0.0.1:81/")).await);
        assert_eq!(refused.status, 302);
        assert_eq!(refused.field("location"), Some(&b"ws://10.0.0.1/echo"[..]));
        assert_eq!(refused.body, b"there");
        let following = client("ws://10.0.0.1:81/").with_redirects(Redirects::strict());
        let socket = open(&agent, following).await.unwrap();
        assert!(socket.is_open());
    });
    assert!(heads.take()[0].starts_with("/echo - - "));
}

#[test]
fn cl_01_credentials_stay_at_their_origin_and_each_request_has_a_key_of_its_own() {
    let (mut reactor, journal, heads) = stage(|request| match request.starts_with("GET /there ") {
        true => moved("ws://10.0.0.1:80/echo"),
        false => moved("/there"),
    });
    run(&mut reactor, async |handle| {
        let client = client("ws://10.0.0.1:81/").with_basic_auth("ann", "secret");
        let client = client.with_header("Cookie", "a=b").unwrap();
        let client = client.with_redirects(Redirects::strict());
        open(&Agent::new(&handle), client).await.unwrap();
    });
    let field = |request: &str, name: &str| {
        let mut lines = request.lines();
        let line = lines.find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start_matches(": ").to_owned())
    };
    let (asked, arrived) = (journal.take(), heads.take());
    assert_eq!(asked.len(), 2);
    for request in &asked {
        assert_eq!(
            field(request, "Authorization").as_deref(),
            Some("Basic YW5uOnNlY3JldA==")
        );
        assert_eq!(field(request, "Cookie").as_deref(), Some("a=b"));
    }
    let key = "Sec-WebSocket-Key";
    assert_ne!(field(&asked[0], key), field(&asked[1], key));
    assert!(arrived[0].starts_with("/echo - - "), "{arrived:?}");
    assert!(!arrived[0].ends_with(&field(&asked[1], key).unwrap()));
}

#[test]
fn redirects_are_bounded_and_lead_only_to_websockets() {
    for (location, told) in [
        ("/again", "more than 3 redirects"),
        ("gopher://10.0.0.1/", "leads nowhere"),
    ] {
        let (mut reactor, _, _) = stage(move |_| moved(location));
        run(&mut reactor, move |handle| async move {
            let client = client("ws://10.0.0.1:81/");
            let client = client.with_redirects(Redirects::strict().at_most(3));
            let error = open(&Agent::new(&handle), client).await.unwrap_err();
            assert!(error.to_string().contains(told), "{error}");
        });
    }
}

#[test]
fn cookies_are_sent_and_those_of_the_answer_kept() {
    let refusal = "HTTP/1.1 401 x\r\nSet-Cookie: who=ann\r\nContent-Length: 0\r\n\r\n";
    let (mut reactor, _, heads) = stage(move |_| refusal.to_owned());
    run(&mut reactor, async |handle| {
        let jar = CookieJar::new();
        let agent = Agent::new(&handle).with_cookies(jar);
        open(&agent, client("ws://10.0.0.1:81/")).await.unwrap_err();
        // Cookies know no ports (RFC 6265 8.5).
        open(&agent, client("ws://10.0.0.1/echo")).await.unwrap();
    });
    assert!(heads.take()[0].starts_with("/echo - who=ann "));
}

#[test]
fn credentials_of_the_url_and_tokens_are_sent() {
    let (mut reactor, _, heads) = stage(|_| String::new());
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        open(&agent, client("ws://a:b@10.0.0.1/echo"))
            .await
            .unwrap();
        let token = client("ws://10.0.0.1/echo")
            .with_bearer_auth("t0k")
            .unwrap();
        open(&agent, token).await.unwrap();
        let error = open(&agent, client("ws://10.0.0.1/no")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the server refused with 404: no such room"
        );
        assert_eq!(refusal(Err(error)).body, b"no such room\n");
    });
    let heads = heads.take();
    assert!(heads[0].starts_with("/echo Basic YTpi - "), "{heads:?}");
    assert!(heads[1].starts_with("/echo Bearer t0k - "), "{heads:?}");
}

/// A proxy that connects whom it is asked to.
struct Proxy {
    journal: Journal,
    heard: Vec<u8>,
    other: Option<Transport>,
}

struct Inside(Transport);

impl Protocol for Proxy {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        if let Some(other) = &self.other {
            return other.write(data);
        }
        self.heard.extend_from_slice(data);
        if !self.heard.ends_with(b"\r\n\r\n") {
            return;
        }
        self.journal.note(String::from_utf8_lossy(&self.heard));
        let inside = Inside(transport.clone());
        let reactor = transport.reactor();
        let connected = reactor.connect_protocol("tcp:10.0.0.1:80", inside);
        transport.when(connected, |this: &mut Self, transport, other| {
            this.other = Some(other.unwrap());
            transport.write("HTTP/1.1 200 OK\r\n\r\n");
        });
    }
}

impl Protocol for Inside {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.write(data);
    }
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_told_nothing_else() {
    let (mut reactor, _, heads) = stage(|_| String::new());
    let journal = Journal::default();
    let noted = journal.clone();
    let proxy = move || Proxy {
        journal: noted.clone(),
        heard: Vec::new(),
        other: None,
    };
    reactor.listen("tcp:10.0.0.1:3128", proxy).unwrap();
    run(&mut reactor, async |handle| {
        let proxies = Proxies::all("http://me:pass@10.0.0.1:3128").unwrap();
        let agent = Agent::new(&handle).with_proxies(proxies);
        let client = client("ws://rooms.example/echo").with_basic_auth("a", "b");
        let echoed = Rc::new(RefCell::new(Vec::new()));
        let heard = Rc::clone(&echoed);
        let talk = Conversation::new(|mut socket| async move {
            socket.send_text("hi");
            let message = socket.recv().await;
            heard.borrow_mut().extend(message);
        });
        let socket = client.connect(&agent, talk).await.unwrap();
        socket.closed().await;
        assert_eq!(echoed.take(), [Message::from("hi")]);
    });
    let asked = journal.take();
    assert!(
        asked[0].starts_with("CONNECT rooms.example:80 HTTP/1.1\r\n"),
        "{asked:?}"
    );
    assert!(asked[0].contains("Proxy-Authorization: Basic bWU6cGFzcw==\r\n"));
    assert!(!asked[0].contains("\r\nAuthorization"));
    assert!(heads.take()[0].starts_with("/echo Basic YTpi - "));
}

#[test]
fn a_proxy_that_refuses_is_told() {
    let answer = "HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n";
    let (mut reactor, _, _) = stage(move |_| answer.to_owned());
    run(&mut reactor, async |handle| {
        let proxies = Proxies::all("http://10.0.0.1:81").unwrap();
        let agent = Agent::new(&handle).with_proxies(proxies);
        let error = open(&agent, client("ws://rooms.example/"))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("the proxy wants a name"),
            "{error}"
        );
    });
}

#[test]
fn a_refusal_is_kept_as_far_as_it_may_be_and_comes_in_time() {
    let endless = |length: usize, sent: usize| {
        let body = "x".repeat(sent);
        format!("HTTP/1.1 503 x\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let (mut reactor, _, _) = stage(move |request| match request.starts_with("GET /long ") {
        true => endless(1 << 20, 1 << 20),
        false => endless(100, 3),
    });
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let refused = refusal(open(&agent, client("ws://10.0.0.1:81/long")).await);
        assert_eq!(refused.body.len(), 64 * 1024);
        let began = handle.now();
        let refused = refusal(open(&agent, client("ws://10.0.0.1:81/slow")).await);
        assert_eq!((refused.status, &*refused.body), (503, &b"xxx"[..]));
        assert_eq!((handle.now() - began).as_secs(), 10);
    });
}

#[test]
fn nobody_there_is_an_error_that_says_where() {
    let (mut reactor, _, _) = stage(|_| String::new());
    run(&mut reactor, async |handle| {
        let error = open(&Agent::new(&handle), client("ws://10.0.0.1:9/")).await;
        let error = error.unwrap_err();
        let WebSocketConnectError::Request(inner) = &error else {
            panic!("{error:?}");
        };
        assert!(matches!(inner.problem(), AgentProblem::Connect(_)));
        assert!(error.to_string().contains("10.0.0.1:9"), "{error}");
    });
}

#[test]
fn an_attempt_that_is_given_up_leaves_nothing() {
    let (mut reactor, journal, _) = stage(|_| String::new());
    run(&mut reactor, async |handle| {
        let agent = Agent::new(&handle);
        let asked = client("ws://10.0.0.1:81/").connect(&agent, Echo(Journal::default()));
        sleep(&handle, Duration::from_secs(1)).await.unwrap();
        assert_eq!(agent.connections(), 1);
        let asked = asked.cancel();
        drop(asked.await.unwrap_err());
        sleep(&handle, Duration::from_secs(1)).await.unwrap();
        assert_eq!(agent.connections(), 0);
    });
    assert_eq!(journal.take().len(), 1);
}
