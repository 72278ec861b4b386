//! The chat without a network, and in a simulated one.

mod browser;
mod history;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::sim::Faults;
use ropewalk::testing::{Chunks, StringTransport, World};
use ropewalk::{Protocol, Transport};

use super::hall::{Hall, LOBBY};
use super::limits;
use super::lines::{LineGuest, SLOW_BYTES};

fn connect(hall: &Hall) -> StringTransport {
    let mut client = StringTransport::builder()
        .limits(limits())
        .protocol(LineGuest::new(hall.clone()));
    assert!(heard(&mut client).starts_with("* Welcome"));
    client
}

fn join(hall: &Hall, name: &str) -> StringTransport {
    let mut client = connect(hall);
    client.receive(format!("{name}\n"));
    assert!(heard(&mut client).starts_with("* You are in"));
    client
}

/// What the client got since the last time.
fn heard(client: &mut StringTransport) -> String {
    client.settle(); // others may have said it
    String::from_utf8(client.take_sent()).expect("only text goes out")
}

#[test]
fn what_one_says_the_others_hear_however_it_is_cut() {
    for size in 1..20 {
        let hall = Hall::in_memory();
        let (mut ann, mut bob) = (join(&hall, "ann"), connect(&hall));
        bob.receive_in_pieces("bob\r\nhello, ann\n\r\n\nyes\r\n", Chunks::of(size));
        assert_eq!(heard(&mut ann), "* bob joined\nbob: hello, ann\nbob: yes\n");
        assert_eq!(
            heard(&mut bob),
            "* You are in: 2 here. /help says what you can do.\n"
        );
    }
}

#[test]
fn commands_are_answered_to_the_asker_alone() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    heard(&mut ann);
    bob.receive("/who\n");
    assert_eq!(heard(&mut bob), "* 2 here: ann, bob\n");
    bob.receive("/HELP \r\n");
    assert!(heard(&mut bob).contains("/quit"));
    bob.receive("/wh\x1b[31mo\n");
    assert_eq!(
        heard(&mut bob),
        "* There is no command /wh␛[31mo; /help lists what there is.\n"
    );
    assert_eq!(heard(&mut ann), "");
    bob.receive("//etc/passwd\n");
    assert_eq!(heard(&mut ann), "bob: /etc/passwd\n");
    bob.receive("/quit\nnot said\n");
    assert_eq!(
        (heard(&mut bob), heard(&mut ann)),
        ("* Goodbye.\n".into(), "* bob left\n".into())
    );
    assert!(bob.lost_reason().unwrap().is_clean());
}

#[test]
fn lines_have_rooms_and_see_what_was_said_there() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    bob.receive("/join #Harbour\nhello, ships\n/rooms\n");
    let answers = heard(&mut bob);
    assert!(
        answers.starts_with("* You are in Harbour. 1 here: bob\n"),
        "{answers}"
    );
    assert!(
        answers.ends_with("* 2 rooms: Harbour (1 here), lobby (1 here)\n"),
        "{answers}"
    );
    assert_eq!(heard(&mut ann), "* bob joined\n* bob left\n");
    ann.receive("/join harbour\n/join a/b\n/join\n");
    let answers = heard(&mut ann);
    let mut lines = answers.lines();
    assert_eq!(lines.next(), Some("* You are in Harbour. 2 here: ann, bob"));
    let earlier = lines.next().unwrap();
    assert!(
        earlier.starts_with("| ") && earlier.ends_with(" bob: hello, ships"),
        "{earlier}"
    );
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("* A name has no / in it.")
    );
    assert!(
        lines
            .next()
            .unwrap()
            .starts_with("* A name has at least one letter.")
    );
    assert_eq!(heard(&mut bob), "* ann joined\n");
}

#[test]
fn who_asks_for_it_hears_his_own_lines_and_the_past() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    bob.receive("unheard\n/echo on\nheard\n/echo off\nunheard again\n/history\n");
    let answers = heard(&mut bob);
    assert!(answers.contains("\nbob: heard\n"), "{answers}");
    assert_eq!(answers.matches("\nbob: ").count(), 1, "{answers}");
    assert_eq!(answers.matches("\n| ").count(), 3, "{answers}");
    assert_eq!(lines_of("bob", &heard(&mut ann)).lines().count(), 3);
    let known = |line: &str| line.starts_with("* ") || line.starts_with("| ");
    bob.receive("/help\n/who\n/rooms\n/echo\n");
    assert!(heard(&mut bob).lines().all(known));
}

#[test]
fn a_client_that_speaks_telnet_is_heard() {
    let hall = Hall::in_memory();
    let (mut ann, mut putty) = (join(&hall, "ann"), connect(&hall));
    putty.receive(b"\xff\xfb\x1f\xff\xfd\x03putty\r\nhi\xff\xf1\r\n");
    assert_eq!(heard(&mut ann), "* putty joined\nputty: hi\n");
}

#[test]
fn one_may_look_before_one_enters() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), connect(&hall));
    bob.receive("/who\n/quit\n");
    assert_eq!(heard(&mut bob), "* 1 here: ann\n* Goodbye.\n");
    assert_eq!(heard(&mut ann), "");
}

#[test]
fn who_has_no_good_name_is_asked_again_and_then_sent_away() {
    let hall = Hall::in_memory();
    let (_ann, mut bob) = (join(&hall, "Ann"), connect(&hall));
    for (name, problem) in [
        ("", "letter"),
        ("aNN", "already"),
        ("a\x1bb", "seen"),
        ("x: y", ":"),
        (&"x".repeat(99), "32"),
    ] {
        bob.receive(format!("{name}\n"));
        let answer = heard(&mut bob);
        assert!(
            answer.contains(problem) && answer.ends_with("What is your name?\n"),
            "{answer}"
        );
    }
    bob.receive("\n".repeat(5000));
    assert!(heard(&mut bob).len() < 1000, "he is not answered for ever");
    assert!(bob.is_disconnected());
    assert_eq!(hall.count(LOBBY), 1);
}

#[test]
fn who_says_no_name_at_all_is_sent_away() {
    let hall = Hall::in_memory();
    let (mut named, mut silent) = (join(&hall, "ann"), connect(&hall));
    silent.advance(Duration::from_secs(119));
    assert!(!silent.is_disconnecting());
    silent.advance(Duration::from_secs(1));
    assert!(heard(&mut silent).contains("Goodbye"));
    assert!(silent.is_disconnected());
    named.advance(Duration::from_secs(3600));
    assert!(!named.is_disconnecting());
}

#[test]
fn a_line_that_is_too_long_is_refused_and_the_next_one_heard() {
    for size in [1000, 16_384, 20_000, 100_000] {
        let hall = Hall::in_memory();
        let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
        heard(&mut ann);
        let long = "x".repeat(50_000);
        bob.receive_in_pieces(format!("{long}\nshort\n"), Chunks::of(size));
        assert_eq!(
            heard(&mut bob),
            "* That line has more than 16384 bytes; nobody got it.\n"
        );
        assert_eq!(heard(&mut ann), "bob: short\n");
    }
}

#[test]
fn who_is_cut_off_has_left_once() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    bob.fail(ErrorKind::ConnectionReset);
    drop(bob);
    assert_eq!(heard(&mut ann), "* bob joined\n* bob left\n");
}

#[test]
fn who_does_not_read_is_dropped_and_the_others_are_not() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob, mut slow) =
        (join(&hall, "ann"), join(&hall, "bob"), join(&hall, "slow"));
    slow.block_sending();
    heard(&mut ann);
    let line = "x".repeat(1000) + "\n";
    let mut said = 0;
    while !slow.is_disconnected() {
        bob.receive(&line);
        slow.settle();
        said += line.len();
        assert!(said < 2 * SLOW_BYTES, "it is still there");
    }
    assert!(
        said > SLOW_BYTES - 2 * line.len(),
        "it was given no time: {said}"
    );
    assert!(slow.is_aborted());
    assert_eq!(heard(&mut ann).matches("bob: x").count(), said / line.len());
    assert!(heard(&mut bob).ends_with("* slow was dropped: it did not read\n"));
    bob.receive("/who\n");
    assert_eq!(heard(&mut bob), "* 2 here: ann, bob\n");
}

#[test]
fn a_flood_is_slowed_down_and_nothing_of_it_lost() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    heard(&mut ann);
    let (lines, mut got) = (20_000, String::new());
    let flood: String = (0..lines)
        .map(|number| format!("{number} {}\n", "x".repeat(500)))
        .collect();
    for piece in Chunks::of(65_536).cut(flood.as_bytes()) {
        bob.receive(piece);
        got += &heard(&mut ann);
    }
    assert!(bob.is_reading_paused() && got.lines().count() < lines / 2);
    for _ in 0..100 {
        bob.advance(Duration::from_millis(100));
        got += &heard(&mut ann);
    }
    let numbers: Vec<&str> = got
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .collect();
    assert!(
        numbers
            .iter()
            .copied()
            .eq((0..lines).map(|number| number.to_string()))
    );
}

#[test]
fn everybody_is_told_when_the_chat_is_over() {
    let hall = Hall::in_memory();
    let (mut ann, mut bob) = (join(&hall, "ann"), join(&hall, "bob"));
    heard(&mut ann);
    hall.close("The chat is over.");
    bob.fail(ErrorKind::ConnectionReset);
    assert_eq!(heard(&mut ann), "* The chat is over.\n");
}

/// A person at a terminal: says a name and some lines, and writes down what comes.
struct Person {
    name: &'static str,
    heard: Rc<RefCell<String>>,
}

const LINES: usize = 20;

impl Protocol for Person {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(format!("{}\n", self.name));
    }

    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.heard
            .borrow_mut()
            .push_str(std::str::from_utf8(data).expect("ASCII"));
    }
}

#[ropewalk::test(seeds = 50)]
fn in_a_network_that_cuts_and_delays_each_line_arrives_once_and_in_order(world: &mut World) {
    world.set_faults(Faults::gentle());
    let hall = Hall::in_memory();
    let server = world.reactor("server");
    let port = server.listen_with("tcp:10.0.0.1:8001", limits(), move || {
        LineGuest::new(hall.clone())
    });
    let people = ["ann", "bob", "eve", "joe"].map(|name| {
        let heard = Rc::<RefCell<String>>::default();
        let person = Person {
            name,
            heard: heard.clone(),
        };
        let transport = world
            .reactor(name)
            .connect_protocol("tcp:10.0.0.1:8001", person);
        (name, world.wait_for(transport).unwrap(), heard)
    });
    world.wait_until(|| {
        people
            .iter()
            .all(|(_, _, heard)| heard.borrow().contains("You are in"))
    });
    for number in 0..LINES {
        for (_, transport, _) in &people {
            transport.write(format!("line {number}\n"));
        }
        world.run_for(Duration::from_millis(5));
    }
    for (name, _, heard) in &people {
        for (other, ..) in people.iter().filter(|(other, ..)| other != name) {
            let said = |number| format!("{other}: line {number}\n");
            let wanted: String = (0..LINES).map(said).collect();
            world.wait_until(|| heard.borrow().contains(&said(LINES - 1)));
            assert_eq!(lines_of(other, &heard.borrow()), wanted);
        }
    }
    people
        .iter()
        .for_each(|(_, transport, _)| transport.write("/quit\n"));
    world.wait_for(port.unwrap().stop_listening()).unwrap();
}

/// Only what one of them said.
fn lines_of(name: &str, heard: &str) -> String {
    let start = format!("{name}: ");
    heard
        .split_inclusive('\n')
        .filter(|line| line.starts_with(&start))
        .collect()
}
