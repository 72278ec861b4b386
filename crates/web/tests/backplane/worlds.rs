//! Two machines and a server between them, in worlds whose network does what it likes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{Handle, ListeningPort, Protocol, Transport};
use ropewalk_sim::Faults;
use ropewalk_testing::{TestCase, World, run_test, take_errors};
use ropewalk_web::backplane::{Backplane, backplane};
use ropewalk_web::websocket::{Gap, Message, Topic, Topics};

use super::fake::{Clients, FakeNats, FakeRedis};

const BOTH: [&str; 2] = ["nats", "redis"];

fn listen(world: &mut World, kind: &str, clients: &Clients) -> ListeningPort {
    let clients = clients.clone();
    let server = world.reactor("server");
    match kind {
        "nats" => server.listen("tcp:10.0.0.1:4222", move || FakeNats::new(&clients)),
        _ => server.listen("tcp:10.0.0.1:4222", move || FakeRedis::new(&clients)),
    }
    .unwrap()
}

fn plane(kind: &str) -> Box<dyn Backplane> {
    backplane(&format!("{kind}:tcp:10.0.0.1:4222")).unwrap()
}

/// What a topic heard, and was told.
#[derive(Clone, Default)]
struct Notes {
    numbers: Rc<RefCell<Vec<u64>>>,
    gaps: Rc<RefCell<Vec<Gap>>>,
}

impl Notes {
    fn of(topic: &Topic) -> Self {
        let notes = Self::default();
        let numbers = Rc::clone(&notes.numbers);
        topic.on_message_from_elsewhere(move |_, message| {
            let text = message.as_text().expect("it was sent as a text");
            numbers.borrow_mut().push(text.parse().unwrap());
        });
        let gaps = Rc::clone(&notes.gaps);
        topic.on_gap(move |_, gap| gaps.borrow_mut().push(gap));
        notes
    }

    fn heard(&self, number: u64) -> bool {
        self.numbers.borrow().contains(&number)
    }
}

fn topics(world: &mut World, host: &str, kind: &str) -> (Topics, Topic, Notes) {
    let topics = Topics::new(world.reactor(host)).with_backplane(plane(kind));
    let topic = topics.topic("the hall").unwrap();
    let notes = Notes::of(&topic);
    (topics, topic, notes)
}

/// Sends numbers from 0 on, one every 100 ms, until told to stop.
fn send_numbers(reactor: &Handle, topic: Topic, next: Rc<Cell<u64>>, stops: Rc<Cell<bool>>) {
    if stops.get() {
        return;
    }
    topic.send(next.replace(next.get() + 1).to_string());
    let handle = reactor.clone();
    reactor.call_later(Duration::from_millis(100), move |_| {
        send_numbers(&handle, topic, next, stops);
    });
}

/// Whatever happens, nothing comes twice or out of order; what is missing was told; in the end all comes again.
fn at_most_once_in(world: &mut World, kind: &str, faults: Faults, cuts: bool) {
    world.set_faults(faults);
    let clients = Clients::default();
    let port = listen(world, kind, &clients);
    let (one, hall, own) = topics(world, "one", kind);
    let (two, _there, notes) = topics(world, "two", kind);
    let (next, stops) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let handle = world.reactor("one").handle();
    send_numbers(&handle, hall, Rc::clone(&next), Rc::clone(&stops));
    for _ in 0..4 {
        world.run_for(Duration::from_secs(5));
        if cuts {
            clients.cut();
        }
    }
    world.set_faults(Faults::none());
    world.run_for(Duration::from_secs(90)); // connections that are half dead are found out
    let from = next.get();
    world.wait_until(|| notes.heard(from + 20));
    stops.set(true);
    let numbers = notes.numbers.borrow();
    assert!(
        numbers.is_sorted_by(|a, b| a < b),
        "twice, or out of order: {numbers:?}"
    );
    let since = numbers.iter().filter(|&&number| number >= from).count();
    assert!(since > 20, "{since} of 20 came in a world without faults");
    let gaps = notes.gaps.borrow();
    let told = own
        .gaps
        .borrow()
        .iter()
        .chain(&*gaps)
        .any(|gap| *gap != Gap::Back);
    let missing = numbers[numbers.len() - 1] - numbers[0] + 1 - numbers.len() as u64;
    assert!(
        missing == 0 || told,
        "{missing} are missing and nobody was told"
    );
    assert!(gaps.contains(&Gap::Back));
    assert!(own.numbers.borrow().is_empty(), "our own came back");
    world.run_for(Duration::from_millis(100));
    for topics in [one, two] {
        world.wait_for(topics.stop()).unwrap();
    }
    clients.cut(); // the server does not know of those that vanished without a word
    port.stop_listening();
}

#[test]
fn in_a_gentle_world_all_comes_once_and_in_order() {
    for kind in BOTH {
        run_test(TestCase::new("gentle").seeds(6), |world: &mut World| {
            at_most_once_in(world, kind, Faults::gentle(), false);
        });
    }
}

#[test]
fn connections_that_are_cut_come_back_and_what_is_missing_was_told() {
    for kind in BOTH {
        run_test(TestCase::new("cuts").seeds(6), |world: &mut World| {
            at_most_once_in(world, kind, Faults::gentle(), true);
        });
    }
}

#[test]
fn in_a_hostile_world_nothing_comes_twice() {
    for kind in BOTH {
        run_test(TestCase::new("hostile").seeds(6), |world: &mut World| {
            at_most_once_in(world, kind, Faults::all(), true);
        });
    }
}

/// The server is away: what is sent waits, the newest of it, and goes when the server is there.
#[test]
fn what_is_sent_while_the_server_is_away_waits_within_bounds() {
    for kind in BOTH {
        run_test(TestCase::new("away"), |world: &mut World| {
            world.reactor("server"); // the first has the address 10.0.0.1
            let (one, hall, own) = topics(world, "one", kind);
            let send = |number: u64| {
                hall.send(number.to_string());
            };
            (0..1000).for_each(send);
            world.run_for(Duration::from_secs(60));
            assert_eq!(*own.gaps.borrow(), []);
            (1000..1100).for_each(send);
            world.settle();
            assert_eq!(*own.gaps.borrow(), [Gap::Unsent(76)]);
            let (two, _there, notes) = topics(world, "two", kind);
            let clients = Clients::default();
            let port = listen(world, kind, &clients);
            // Whoever comes later does not hear what was sent before: let the listener be first.
            world.wait_until(|| own.gaps.borrow().contains(&Gap::Back));
            world.wait_until(|| notes.gaps.borrow().contains(&Gap::Back));
            hall.send("2000");
            world.wait_until(|| notes.heard(2000));
            for topics in [one, two] {
                world.wait_for(topics.stop()).unwrap();
            }
            port.stop_listening();
        });
    }
}

/// A server that stops reading: what waits for it is bounded, and told.
#[test]
fn a_slow_server_fills_no_memory() {
    for kind in BOTH {
        run_test(TestCase::new("slow"), |world: &mut World| {
            let clients = Clients::default();
            let port = listen(world, kind, &clients);
            let (one, hall, own) = topics(world, "one", kind);
            world.wait_until(|| own.gaps.borrow().contains(&Gap::Back));
            clients.pause(true);
            let unsent = || {
                let gaps = own.gaps.borrow();
                gaps.iter().any(|gap| matches!(gap, Gap::Unsent(_)))
            };
            for _ in 0..300 {
                hall.send("7".repeat(100_000));
                world.run_for(Duration::from_millis(1));
            }
            assert!(unsent(), "30 MB fit nowhere");
            clients.pause(false);
            world.run_for(Duration::from_secs(1));
            world.wait_for(one.stop()).unwrap();
            port.stop_listening();
        });
    }
}

/// Says what a test wants it to say.
struct Babbler(&'static [u8]);

impl Protocol for Babbler {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.0);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
}

/// Servers that speak something else, refuse us, or say nothing: each is left and tried again, less and less often.
#[test]
fn a_server_that_makes_no_sense_is_left_and_tried_again() {
    let words: [(&str, &[u8], &str); 8] = [
        (
            "nats",
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "no operation of NATS",
        ),
        ("nats", b"INFO {]}\r\n", "no JSON"),
        (
            "nats",
            b"INFO {}\r\n-ERR 'Authorization Violation'\r\n",
            "Authorization Violation",
        ),
        ("nats", b"", ""),
        ("redis", b"INFO {}\r\n", "no value begins with I"),
        (
            "redis",
            b"-ERR unknown command 'HELLO'\r\n",
            "Redis 6 or newer is needed",
        ),
        (
            "redis",
            b"-WRONGPASS invalid username-password pair\r\n",
            "WRONGPASS",
        ),
        ("redis", b"", ""),
    ];
    for (kind, words, why) in words {
        run_test(TestCase::new("babble"), |world: &mut World| {
            let made = Rc::new(Cell::new(0));
            let count = Rc::clone(&made);
            let factory = move || {
                count.set(count.get() + 1);
                Babbler(words)
            };
            let server = world.reactor("server");
            let port = server.listen("tcp:10.0.0.1:4222", factory).unwrap();
            let (one, _hall, own) = topics(world, "one", kind);
            world.run_for(Duration::from_secs(60));
            assert!(
                (3..=180).contains(&made.get()),
                "{} attempts in a minute",
                made.get()
            );
            assert_eq!(*own.gaps.borrow(), []);
            let errors = take_errors();
            assert_eq!(errors.is_empty(), why.is_empty());
            for error in errors {
                assert!(error.to_string().contains(why), "{error}");
            }
            world.wait_for(one.stop()).unwrap();
            port.stop_listening();
        });
    }
}

/// Who is let in and then hears garbage comes back, and is told that something may be missing.
#[test]
fn garbage_after_a_good_beginning_is_a_gap() {
    for (kind, garbage) in [
        ("nats", &b"MSG x\r\n"[..]),
        ("redis", b"$9\r\nshort\r\n\r\n"),
    ] {
        run_test(TestCase::new("garbage"), |world: &mut World| {
            let clients = Clients::default();
            let port = listen(world, kind, &clients);
            let (one, _hall, own) = topics(world, "one", kind);
            world.wait_until(|| own.gaps.borrow().len() == 1);
            clients.say(garbage);
            world.wait_until(|| own.gaps.borrow().len() == 3);
            assert_eq!(*own.gaps.borrow(), [Gap::Back, Gap::Lost, Gap::Back]);
            assert_eq!(take_errors().len(), 1);
            world.wait_for(one.stop()).unwrap();
            port.stop_listening();
        });
    }
}

/// A server that vanishes without a word is missed within half a minute.
#[test]
fn a_server_that_is_dead_is_found_out() {
    for kind in BOTH {
        run_test(TestCase::new("dead"), |world: &mut World| {
            let clients = Clients::default();
            let port = listen(world, kind, &clients);
            let (one, _hall, own) = topics(world, "one", kind);
            world.wait_until(|| own.gaps.borrow().len() == 1);
            clients.pause(true);
            let before = world.now();
            world.wait_until(|| own.gaps.borrow().len() == 2);
            assert_eq!(own.gaps.borrow()[1], Gap::Lost);
            assert!(world.now() - before <= Duration::from_secs(30));
            world.wait_for(one.stop()).unwrap();
            clients.pause(false);
            port.stop_listening();
        });
    }
}

/// Topics that nobody wants any more are not subscribed to for ever, whoever chose their names.
#[test]
fn subscriptions_end_with_who_wanted_them() {
    for kind in BOTH {
        run_test(TestCase::new("sweep"), |world: &mut World| {
            let clients = Clients::default();
            let port = listen(world, kind, &clients);
            let (one, hall, own) = topics(world, "one", kind);
            world.wait_until(|| own.gaps.borrow().len() == 1);
            for number in 0..1000 {
                let _room = one.topic(&format!("room {number}")).unwrap();
            }
            world.run_for(Duration::from_secs(1));
            let count = clients.subscriptions();
            assert!(
                count <= 70,
                "{count} subscriptions, and one topic is wanted"
            );
            // What comes to a topic that nobody wants ends its subscription.
            let (two, _there, _) = topics(world, "two", kind);
            (900..1000).for_each(|number| {
                two.topic(&format!("room {number}")).unwrap().send("hi");
            });
            world.run_for(Duration::from_secs(1));
            world.wait_for(two.stop()).unwrap();
            world.run_for(Duration::from_secs(1));
            assert_eq!((clients.count(), clients.subscriptions()), (1, 1));
            world.wait_for(one.stop()).unwrap();
            drop(hall);
            port.stop_listening();
        });
    }
}

/// What other programs publish is heard, whatever it is.
#[test]
fn other_programs_are_heard() {
    run_test(TestCase::new("foreign"), |world: &mut World| {
        let clients = Clients::default();
        let port = listen(world, "nats", &clients);
        let topics = Topics::new(world.reactor("one")).with_backplane(plane("nats"));
        let topic = topics.topic("hall").unwrap();
        let heard = Rc::new(RefCell::new(Vec::new()));
        let notes = Rc::clone(&heard);
        topic.on_message_from_elsewhere(move |_, message| notes.borrow_mut().push(message.clone()));
        world.wait_until(|| clients.subscriptions() == 1);
        clients.say(b"MSG hall 1 2\r\nhi\r\nMSG hall 1 1\r\n\xff\r\nMSG hall 1 4\r\n\0RW1\r\nMSG hall 2 2\r\nno\r\n");
        world.run_for(Duration::from_secs(1));
        let expected = [Message::from("hi"), Message::from(vec![0xff])];
        assert_eq!(*heard.borrow(), expected);
        world.wait_for(topics.stop()).unwrap();
        port.stop_listening();
    });
}
