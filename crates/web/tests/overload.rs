//! Clients that ask for more than their share, or take too little of what they asked for; and a site that stops.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Grace, Handle, Phase, Protocol, Reason, Transport};
use ropewalk_testing::{StringTransport, World};
use ropewalk_web::{
    Body, BodyError, Event, EventStream, EventTopic, Request, Response, Router, Site, SiteLimits,
    StatusCode,
};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

// ── Pipelines ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// Says what it has to say at once, and keeps what it hears.
#[derive(Clone, Default)]
struct Client(Rc<Heard>);

#[derive(Default)]
struct Heard {
    says: RefCell<Vec<u8>>,
    bytes: RefCell<Vec<u8>>,
    transport: RefCell<Option<Transport>>,
    is_lost_cleanly: Cell<Option<bool>>,
}

impl Client {
    fn saying(text: impl Into<Vec<u8>>) -> Self {
        let client = Self::default();
        *client.0.says.borrow_mut() = text.into();
        client
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.bytes.borrow().clone()).unwrap()
    }

    fn connect(&self, world: &mut World) {
        let reactor = world.reactor("client");
        drop(reactor.connect_protocol("tcp:10.0.0.1:80", self.clone()));
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&*self.0.says.borrow());
        *self.0.transport.borrow_mut() = Some(transport.clone());
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.bytes.borrow_mut().extend_from_slice(data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.is_lost_cleanly.set(Some(reason.is_clean()));
    }
}

/// How many requests are answered between two looks around.
#[derive(Clone, Default)]
struct Turns(Rc<(Cell<usize>, Cell<usize>)>);

impl Turns {
    fn served(&self, request: &Request) {
        let (now, most) = &*self.0;
        now.set(now.get() + 1);
        most.set(most.get().max(now.get()));
        if now.get() == 1 {
            let turns = self.clone();
            let next_turn = move |_: &Handle| turns.0.0.set(0);
            request.reactor().call_later(Duration::ZERO, next_turn);
        }
    }
}

#[test]
fn r129_thousands_of_requests_at_once_are_answered_in_order_and_in_shares() {
    const REQUESTS: usize = 10_000;
    let turns = Turns::default();
    let counting = turns.clone();
    let number = move |request: &Request| {
        counting.served(request);
        format!("<{}>", &request.path()[1..])
    };
    let mut world = World::new(4);
    let site = Site::new(Router::new().get("/{number}", number));
    let server = world.reactor("server");
    server.listen("tcp:10.0.0.1:80", site).unwrap();
    let requests = (0..REQUESTS).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let client = Client::saying(requests.collect::<String>());
    client.connect(&mut world);
    world.run_for(secs(60));
    let text = client.text();
    let numbers = text.split("\r\n\r\n<").skip(1);
    let numbers: Vec<usize> = numbers
        .map(|rest| rest.split('>').next().unwrap().parse().unwrap())
        .collect();
    assert!(numbers.into_iter().eq(0..REQUESTS));
    let most = turns.0.1.get();
    assert!(most <= 128, "{most} in one turn");
}

#[test]
fn a_share_goes_on_without_further_bytes_and_to_the_last_request() {
    for requests in [63, 64, 65, 127, 128, 129, 200] {
        let site = Site::new(Router::new().get("/", |_: &Request| "x"));
        let mut client = StringTransport::builder().factory(site);
        client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(requests));
        client.settle();
        let sent = String::from_utf8(client.take_sent()).unwrap();
        assert_eq!(sent.matches("HTTP/1.1 200 ").count(), requests);
        client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(!client.take_sent().is_empty());
        client.eof();
        client.settle();
        assert!(client.lost_reason().unwrap().is_clean());
    }
}

#[test]
fn what_came_before_the_end_is_answered_however_much_it_is() {
    let site = Site::new(Router::new().get("/", |_: &Request| "x"));
    let mut client = StringTransport::builder().factory(site);
    let ends = "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(300);
    client.receive(ends + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.eof();
    client.settle();
    let sent = String::from_utf8(client.take_sent()).unwrap();
    assert_eq!(sent.matches("HTTP/1.1 200 ").count(), 301);
    assert!(client.lost_reason().unwrap().is_clean());
}

// ── Slow readers ────────────────────────────────────────────────────────────────────────────────────────────────────

/// What never ends, as fast as it is taken.
struct Endless;

impl futures_core::Stream for Endless {
    type Item = Result<bytes::Bytes, BodyError>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Ok(vec![b'x'; 10_000].into())))
    }
}

/// After how many seconds a client is let go that takes so many bytes every so many seconds; none if it never is.
fn patience(path: &str, bytes: usize, seconds: u64, limits: SiteLimits) -> Option<u64> {
    let routes = Router::new()
        .get("/large", |_: &Request| vec![b'x'; 10_000_000])
        .get("/endless", |_: &Request| {
            Response::text(Body::stream(Endless))
        });
    let site = Site::new(routes).with_limits(limits);
    let mut client = StringTransport::builder().factory(site);
    client.block_sending();
    client.receive(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    for step in 1..=600 / seconds {
        client.advance(secs(seconds));
        if client.is_disconnected() {
            let reason = client.lost_reason().unwrap();
            assert!(
                client.is_aborted(),
                "what is cut must not look complete: {reason}, {step}"
            );
            return Some(step * seconds);
        }
        client.allow_sending(bytes);
        if client.transport().unsent_bytes() == 0 {
            return None; // it has all
        }
    }
    None
}

#[test]
fn r143_a_client_that_reads_too_slowly_is_let_go() {
    for path in ["/large", "/endless"] {
        let patience = |bytes, seconds| patience(path, bytes, seconds, SiteLimits::default());
        assert_eq!(patience(1, 10), Some(60), "{path}");
        assert_eq!(patience(2_000, 10), Some(60), "{path}");
        assert_eq!(patience(3_000, 10), None, "{path}");
        assert_eq!(patience(20_000, 50), None, "{path}");
        assert_eq!(patience(0, 10), Some(60), "{path}: it reads nothing");
    }
    let mut limits = SiteLimits::default();
    (limits.response_rate, limits.response_window) = (10_000, secs(10));
    assert_eq!(patience("/large", 3_000, 1, limits.clone()), Some(10));
    assert_eq!(patience("/large", 30_000, 1, limits.clone()), None);
    limits.response_rate = 0;
    assert_eq!(patience("/large", 1, 10, limits), None);
}

#[test]
fn a_client_that_has_taken_all_is_not_watched() {
    let site = Site::new(Router::new().get("/", |_: &Request| vec![b'x'; 100_000]));
    let mut limits = SiteLimits::default();
    limits.keep_alive = secs(1000);
    let mut client = StringTransport::builder().factory(site.with_limits(limits));
    client.block_sending();
    client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.advance(secs(30));
    client.unblock_sending();
    client.advance(secs(500));
    assert!(
        !client.is_disconnected(),
        "{}",
        client.lost_reason().unwrap()
    );
    assert!(client.take_sent().len() > 100_000);
}

#[test]
fn a_client_that_reads_slowly_but_steadily_keeps_its_connection() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    for request in [get.to_owned(), post.to_owned() + &"y".repeat(100)] {
        let large = |_: &Request| vec![b'x'; 300_000];
        let site = Site::new(Router::new().get("/", large).post("/", large));
        let mut client = StringTransport::builder().factory(site);
        client.block_sending();
        client.receive(request);
        for _ in 0..62 {
            client.advance(secs(5));
            client.allow_sending(5_000);
        }
        let sent = client.take_sent();
        assert!(sent.len() > 300_000 && !client.is_disconnecting());
        client.unblock_sending();
        client.receive(get);
        assert!(client.take_sent().starts_with(b"HTTP/1.1 200 "));
    }
}

// ── A site that stops ───────────────────────────────────────────────────────────────────────────────────────────────

/// A topic, a stream that somebody keeps, and a poll that waits.
fn waiting(topic: &EventTopic) -> Router {
    let (topic, kept) = (topic.clone(), Rc::new(RefCell::new(Vec::new())));
    let poll = |request: &Request| {
        let asked = request.clone();
        request.respond_later(move |responder| {
            asked.on_shutting_down(move || responder.respond(StatusCode::NO_CONTENT));
        })
    };
    Router::new()
        .get("/topic", move |request: &Request| topic.subscribe(request))
        .get("/stream", move |request: &Request| {
            let kept = Rc::clone(&kept);
            EventStream::open(request, move |stream| kept.borrow_mut().push(stream))
        })
        .get("/poll", poll)
}

#[test]
fn streams_of_events_and_polls_end_when_the_site_stops() {
    let mut world = World::new(1);
    let server = world.reactor("server");
    let topic = EventTopic::new(&server.handle());
    server
        .listen("tcp:10.0.0.1:80", Site::new(waiting(&topic)))
        .unwrap();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let clients = ["/topic", "/stream", "/poll"].map(|path| Client::saying(get(path)));
    let late = Client::saying("GET /stream HTTP/1.1\r\nHos");
    clients
        .iter()
        .chain([&late])
        .for_each(|client| client.connect(&mut world));
    world.run_for(secs(1));
    topic.publish(Event::new("tea"));
    world.run_for(secs(5));
    assert_eq!(topic.subscribers(), 1);
    let ended = Rc::new(Cell::new(None));
    let (handle, end) = (world.reactor("server").handle(), Rc::clone(&ended));
    handle.stop_gracefully(Grace::new(secs(8))).unwrap();
    handle.add_trigger(Phase::AfterShutdown, move |handle| {
        end.set(Some(handle.now()));
    });
    world.run_for(secs(1));
    let [on_topic, on_stream, poll] = &clients;
    assert!(
        on_topic.text().ends_with("data: tea\n\n\r\n0\r\n\r\n"),
        "{}",
        on_topic.text()
    );
    assert!(
        on_stream.text().ends_with("\r\n\r\n0\r\n\r\n"),
        "{}",
        on_stream.text()
    );
    assert!(
        poll.text().starts_with("HTTP/1.1 204 ")
            && poll.text().contains("\r\nConnection: close\r\n"),
        "{}",
        poll.text()
    );
    assert!(
        clients
            .iter()
            .all(|client| client.0.is_lost_cleanly.get() == Some(true))
    );
    assert_eq!(topic.subscribers(), 0);
    // One whose request is whole only now is answered, too, and its stream ends at once.
    assert_eq!((ended.get(), late.text()), (None, String::new()));
    let transport = late.0.transport.borrow().clone().unwrap();
    transport.write("t: a\r\n\r\n");
    world.run_for(secs(1));
    assert!(
        late.text().ends_with("\r\n\r\n0\r\n\r\n"),
        "{}",
        late.text()
    );
    let ended = ended.get().expect("nobody is waited for");
    assert!((secs(6)..secs(8)).contains(&ended), "{ended:?}");
}

#[test]
fn who_is_told_of_the_end_is_forgotten_with_its_request() {
    let told = Rc::new(Cell::new(false));
    let tell = Rc::clone(&told);
    let poll = move |request: &Request| {
        let tell = Rc::clone(&tell);
        request.on_shutting_down(move || tell.set(true));
        "done"
    };
    let mut client = StringTransport::builder().factory(Site::new(Router::new().get("/", poll)));
    client.receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.settle();
    assert_eq!(Rc::strong_count(&told), 2, "only the handler has it");
    assert!(!told.get());
}
