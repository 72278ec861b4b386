//! Worlds with seeds: whatever handlers do and however late, answers come in order and whole (H1-12).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Protocol, Transport};
use ropewalk_sim::Faults;
use ropewalk_testing::{Chunks, StringTransport, TestCase, World};
use ropewalk_web::{Body, Failure, Reply, Request, Response, Router, Site};

/// Numbers that repeat with their seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

const KINDS: [&str; 8] = [
    "now",
    "future",
    "later",
    "pieces",
    "fail",
    "late-fail",
    "panic",
    "dropped",
];

/// Answers a request by what its path says: `/kind/number/milliseconds`.
fn answer(request: &Request) -> Reply {
    let param = |name| request.param::<String>(name).unwrap_or_default();
    let (kind, text) = (param("kind"), format!("<{}>", param("number")));
    let wait = Duration::from_millis(request.param("wait").unwrap_or(0));
    let (reactor, kept) = (request.reactor().clone(), request.clone());
    match &*kind {
        "now" => text.into(),
        "fail" => Reply::from(Err::<&str, _>(Failure::message("on purpose"))),
        "panic" => panic!("on purpose"),
        "future" => Reply::from_future(async move {
            sleep(&reactor, wait).await?;
            let body = kept.text().await?;
            Ok::<_, Failure>(format!("{text}{body}"))
        }),
        "late-fail" => Reply::from_future(async move {
            sleep(&reactor, wait).await?;
            Err::<&str, _>(Failure::message("on purpose"))
        }),
        "dropped" => request.respond_later(|responder| {
            reactor.call_later(wait, |_| drop(responder));
        }),
        "later" => request.respond_later(|responder| {
            reactor.call_later(wait, |_| responder.respond(text));
        }),
        _ => request.respond_later(|responder| {
            let mut sender = responder.respond_in_pieces(Response::text(Body::empty()));
            drop(reactor.clone().spawn(async move {
                for piece in text.chars() {
                    sleep(&reactor, wait / 4).await?;
                    sender.send(piece.to_string()).await?;
                }
                sender.finish();
                Ok::<_, Failure>(())
            }));
        }),
    }
}

/// The body of the next response, and what is behind it; `None` if it is not whole.
fn next_response(sent: &str) -> Option<(u16, String, &str)> {
    let (head, rest) = sent.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("Content-Length: "));
    if let Some(length) = length {
        let (body, rest) = rest.split_at_checked(length.parse().ok()?)?;
        return Some((status, body.to_owned(), rest));
    }
    let (mut body, mut rest) = (String::new(), rest);
    loop {
        let (size, behind) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let (chunk, behind) = behind.split_at_checked(size)?;
        rest = behind.strip_prefix("\r\n")?;
        body += chunk;
        if size == 0 {
            return Some((status, body, rest));
        }
    }
}

/// What is to be answered.
fn expected(kind: &str, number: u64, body: &str) -> (u16, String) {
    match kind {
        "now" | "later" | "pieces" => (200, format!("<{number}>")),
        "future" => (200, format!("<{number}>{body}")),
        _ => (500, "500 Internal Server Error\n".to_owned()),
    }
}

/// Requests in one stream, and what is to be answered.
fn requests(dice: &mut Dice) -> (String, Vec<(u16, String)>) {
    let (mut stream, mut wanted) = (String::new(), Vec::new());
    for number in 0..1 + dice.roll(12) {
        let kind = KINDS[dice.roll(KINDS.len() as u64) as usize];
        let body = "x".repeat(dice.roll(3) as usize * 10);
        let wait = dice.roll(300);
        stream += &format!(
            "POST /{kind}/{number}/{wait} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        wanted.push(expected(kind, number, &body));
    }
    (stream, wanted)
}

fn site() -> Site {
    Site::new(Router::new().post("/{kind}/{number}/{wait}", answer))
}

fn play(seed: u64) {
    let mut dice = Dice(seed);
    let (stream, wanted) = requests(&mut dice);
    let mut client = StringTransport::builder().factory(site());
    let leaves = dice.roll(4) == 0;
    client.receive_in_pieces(&stream, Chunks::seeded(seed));
    let turns = if leaves { dice.roll(20) } else { 200 };
    for _ in 0..turns {
        if dice.roll(5) == 0 {
            client.allow_sending(dice.roll(100) as usize);
        }
        client.advance(Duration::from_millis(1 + dice.roll(100)));
    }
    match leaves {
        true => client.fail(std::io::ErrorKind::ConnectionReset),
        false => client.unblock_sending(),
    }
    client.settle();
    let sent = String::from_utf8(client.take_sent()).unwrap();
    judge(seed, &sent, &wanted, leaves);
    client.advance(Duration::from_secs(5));
}

/// What came is what was wanted, in order, and all of it if nobody left.
fn judge(seed: u64, sent: &str, wanted: &[(u16, String)], leaves: bool) {
    let (mut rest, mut seen) = (sent, Vec::new());
    while let Some((status, body, behind)) = next_response(rest) {
        seen.push((status, body));
        rest = behind;
    }
    assert_eq!(
        seen,
        wanted[..seen.len().min(wanted.len())],
        "seed {seed}: {sent}"
    );
    assert!(
        leaves || seen.len() == wanted.len() && rest.is_empty(),
        "seed {seed}: {sent}"
    );
}

/// Says its stream at once, half-closes if it is told to, and keeps what it hears.
struct Pipeliner {
    stream: String,
    half_closes: bool,
    heard: Rc<RefCell<Vec<u8>>>,
}

impl Protocol for Pipeliner {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(std::mem::take(&mut self.stream));
        if self.half_closes {
            transport.lose_write_connection();
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.heard.borrow_mut().extend_from_slice(data);
    }
}

/// Several clients at once, in a network that loses nothing or one that does.
fn play_in_network(seed: u64) {
    let mut dice = Dice(seed);
    let mut world = World::new(seed);
    let is_cruel = dice.roll(3) == 0;
    let mut faults = Faults::gentle();
    if is_cruel {
        (faults.reset, faults.vanish, faults.half_open) = (0.2, 0.1, 0.1);
    }
    world.set_faults(faults);
    let server = world.reactor("server");
    server.listen("tcp:10.0.0.1:80", site()).unwrap();
    let clients: Vec<_> = (0..1 + dice.roll(3))
        .map(|_| {
            let (stream, wanted) = requests(&mut dice);
            let heard = Rc::default();
            let client = Pipeliner {
                stream,
                half_closes: dice.roll(2) == 0,
                heard: Rc::clone(&heard),
            };
            let reactor = world.reactor("client");
            drop(reactor.connect_protocol("tcp:10.0.0.1:80", client));
            (heard, wanted)
        })
        .collect();
    world.run_for(Duration::from_secs(60));
    for (heard, wanted) in clients {
        let heard = String::from_utf8(heard.take()).unwrap();
        judge(seed, &heard, &wanted, is_cruel);
    }
}

/// Panics on purpose are not shown.
fn hush() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref() != Some(&"on purpose") {
            usual(info);
        }
    }));
}

#[test]
fn h1_12_answers_are_in_order_and_whole() {
    hush();
    let seeds = if cfg!(debug_assertions) { 300 } else { 10_000 };
    let case = TestCase::new("order").seeds(seeds);
    case.seeds_to_run().for_each(play);
}

#[test]
fn h1_12_answers_are_in_order_and_whole_over_networks_full_of_faults() {
    hush();
    let seeds = if cfg!(debug_assertions) { 60 } else { 10_000 };
    let case = TestCase::new("network").seeds(seeds);
    case.seeds_to_run().for_each(play_in_network);
}
