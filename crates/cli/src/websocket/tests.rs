//! The tools in a simulated network.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use ropewalk::sim::SimDriver;
use ropewalk::testing::World;
use ropewalk::web::websocket::WebSocket as Socket;
use ropewalk::web::websocket::{
    CloseCode, Refusal, SlowPeer, WebSocketClient, WebSocketProtocol, WebSocketServer,
};
use ropewalk::{Deferred, Exit, Failure, Protocol, Reactor, Transport};

use super::chat::Rooms;
use super::echo::EchoProtocol;
use super::session::Outcome;
use super::{Tool, WebSocket};
use crate::setup::Setup;

fn tool(arguments: &[&str]) -> Tool {
    let arguments = ["websocket"].iter().chain(arguments);
    WebSocket::try_parse_from(arguments).unwrap().tool
}

/// Somebody at a terminal: says all at once, and hears.
#[derive(Clone, Default)]
struct Person {
    says: &'static str,
    stays: bool,
    transport: Rc<RefCell<Option<Transport>>>,
    heard: Rc<RefCell<Vec<u8>>>,
}

impl Person {
    fn saying(says: &'static str) -> Self {
        Self {
            says,
            ..Self::default()
        }
    }

    fn heard(&self) -> String {
        String::from_utf8(self.heard.borrow().clone()).unwrap()
    }
}

impl Protocol for Person {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.says);
        *self.transport.borrow_mut() = Some(transport.clone());
        if !self.stays {
            transport.lose_write_connection();
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.heard.borrow_mut().extend_from_slice(data);
    }
}

/// A server that does to each message what a function says.
struct Odd(fn(&Socket, &str));

impl WebSocketProtocol for Odd {
    fn text_received(&mut self, socket: &Socket, text: &str) {
        (self.0)(socket, text);
    }
}

fn odd(answer: fn(&Socket, &str)) -> WebSocketServer<Odd> {
    WebSocketServer::new(move |_| Odd(answer))
}

/// Runs `connect` with these options against a server.
fn connect<P: WebSocketProtocol>(
    world: &mut World,
    server: WebSocketServer<P>,
    person: &Person,
    options: &[&str],
) -> Deferred<Outcome> {
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", server)
        .unwrap();
    let at_desk = person.clone();
    let person = move || at_desk.clone();
    world
        .reactor("desk")
        .listen("tcp:10.0.0.2:23", person)
        .unwrap();
    let arguments = [&["connect", "10.0.0.1/room", "--proxy", "none"], options].concat();
    let Tool::Connect(tool) = tool(&arguments) else {
        unreachable!("it was asked for");
    };
    let handle = world.reactor("client").handle();
    let reactor = handle.clone();
    let is_terminal = person_is_terminal(options);
    let open = move |console| reactor.connect_protocol("tcp:10.0.0.2:23", console);
    handle.spawn(tool.talk(handle.clone(), is_terminal, open))
}

/// A person looks at hexadecimal digits through a pipe.
fn person_is_terminal(options: &[&str]) -> bool {
    !options.contains(&"--hex")
}

fn finish(world: &mut World) {
    for host in ["server", "desk", "client"] {
        let _there_may_be_no_desk = world.reactor(host).handle().stop();
    }
    world.run_for(Duration::from_secs(1));
}

#[ropewalk::test(seeds = 5)]
fn lines_become_messages_and_messages_lines(world: &mut World) {
    let person = Person::saying("hi\n\nthere ü\nlast");
    let echo = WebSocketServer::new(|_| EchoProtocol);
    let talked = connect(world, echo, &person, &[]);
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Done);
    assert_eq!(person.heard(), "hi\n\nthere ü\nlast\n");
    finish(world);
}

#[ropewalk::test(seeds = 5)]
fn the_whole_input_can_be_one_message(world: &mut World) {
    let person = Person::saying("one\n\ntwo\n");
    let count = odd(|socket, text| socket.send_text(format!("{text:?}")));
    let talked = connect(world, count, &person, &["--whole", "--hex"]);
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Done);
    assert_eq!(person.heard(), "\"one\\n\\ntwo\\n\"\n");
    finish(world);
}

#[ropewalk::test]
fn a_terminal_is_not_at_the_mercy_of_the_peer(world: &mut World) {
    let person = Person::saying("x\n");
    let evil = odd(|socket, _| socket.send_text("\x1b[2Jok\ttab\u{9b}1m"));
    let talked = connect(world, evil, &person, &[]);
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Done);
    assert_eq!(person.heard(), "\\u{1b}[2Jok\ttab\\u{9b}1m\n");
    finish(world);
}

#[ropewalk::test]
fn bytes_are_shown_as_wanted(world: &mut World) {
    let person = Person::saying("az\n");
    let echo = WebSocketServer::new(|_| EchoProtocol);
    let talked = connect(world, echo, &person, &["--binary", "--hex", "--one"]);
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Done);
    assert_eq!(person.heard(), "617a\n");
    finish(world);
}

#[ropewalk::test]
fn how_the_server_closes_is_the_outcome(world: &mut World) {
    let person = Person::saying("x\n");
    let rude = odd(|socket, _| socket.close(CloseCode::POLICY, "no"));
    let talked = connect(world, rude, &person, &[]);
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Parted);
    finish(world);
}

#[ropewalk::test]
fn a_refusal_is_status_1(world: &mut World) {
    let person = Person::saying("x\n");
    let closed =
        WebSocketServer::<EchoProtocol>::fallible(|_| Err(Refusal::new(401, "who are you?")));
    let talked = connect(world, closed, &person, &[]);
    let failure = world.wait_for(talked).unwrap_err();
    assert_eq!(failure.find::<Exit>(), Some(&Exit(1)));
    finish(world);
}

#[ropewalk::test]
fn a_line_that_is_no_text_is_told(world: &mut World) {
    /// Says what is no UTF-8.
    struct Garbled;
    impl Protocol for Garbled {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write(b"a\xff\n");
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:24", || Garbled)
        .unwrap();
    let echo = WebSocketServer::new(|_| EchoProtocol);
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", echo)
        .unwrap();
    let Tool::Connect(tool) = tool(&["connect", "ws://10.0.0.1/", "--proxy", "none"]) else {
        unreachable!("it was asked for");
    };
    let handle = world.reactor("client").handle();
    let reactor = handle.clone();
    let open = move |console| reactor.connect_protocol("tcp:10.0.0.1:24", console);
    let talked = handle.spawn(tool.talk(handle.clone(), false, open));
    match world.wait_for(talked).unwrap() {
        Outcome::Failed(why) => assert!(why.contains("byte 1"), "{why}"),
        other => panic!("{other:?}"),
    }
    finish(world);
}

#[ropewalk::test]
fn what_is_typed_while_the_server_is_away_is_sent_when_it_is_back(world: &mut World) {
    let person = Person {
        stays: true,
        ..Person::saying("one\n")
    };
    let echo = WebSocketServer::new(|_| EchoProtocol);
    let talked = connect(world, echo, &person, &["--reconnect"]);
    let heard = Rc::clone(&person.heard);
    world.wait_until(|| heard.borrow().ends_with(b"one\n"));
    world.reset("server", "client");
    let transport = person.transport.borrow().clone().unwrap();
    transport.write("two\n");
    world.wait_until(|| heard.borrow().ends_with(b"two\n"));
    transport.lose_write_connection();
    assert_eq!(world.wait_for(talked).unwrap(), Outcome::Done);
    finish(world);
}

fn bench<P: WebSocketProtocol>(
    server: Option<WebSocketServer<P>>,
    options: &[&str],
) -> (Result<(), Failure>, Vec<String>) {
    let mut reactor = Reactor::new(SimDriver::alone(1));
    if let Some(server) = server {
        reactor.listen("tcp:10.0.0.1:80", server).unwrap();
    }
    let basic = [
        "bench",
        "ws://10.0.0.1/",
        "--proxy",
        "none",
        "-t",
        "0.0002",
        "-c",
        "3",
        "-d",
        "2",
    ];
    let Tool::Bench(bench) = tool(&[&basic, options].concat()) else {
        unreachable!("it was asked for");
    };
    let lines: Rc<RefCell<Vec<String>>> = Rc::default();
    let said = Rc::clone(&lines);
    let say = move |line: &str| {
        said.borrow_mut().push(line.to_owned());
        Ok(())
    };
    let ran = reactor.run_main(move |handle| bench.run(handle, say));
    (ran.map(drop), lines.take())
}

#[test]
fn an_echo_server_is_measured() {
    for options in [&["--text"][..], &["-z", "0"], &["-z", "3000", "--compress"]] {
        let (ran, lines) = bench(Some(WebSocketServer::new(|_| EchoProtocol)), options);
        ran.unwrap();
        assert!(
            lines[0].starts_with("3 connections, on each 2 "),
            "{lines:?}"
        );
        assert!(lines[1].contains("messages/s"), "{lines:?}");
        assert_eq!(lines[3], "errors: none");
    }
}

#[test]
fn a_server_that_answers_otherwise_is_found_out() {
    let liar = odd(|socket, text| socket.send_text(text.replace('0', "1")));
    let (ran, lines) = bench(Some(liar), &["--text"]);
    assert_eq!(ran.unwrap_err().find::<Exit>(), Some(&Exit(1)));
    assert_eq!(
        lines[3],
        "errors: 3: another message came back than was sent"
    );
    let silent = odd(|_, _| {});
    let (ran, lines) = bench(Some(silent), &["--text"]);
    assert!(ran.is_err());
    assert!(
        lines[3].contains("errors: 6: answers were still to come"),
        "{lines:?}"
    );
}

#[test]
fn nobody_there_is_one_clear_error() {
    let (ran, lines) = bench::<EchoProtocol>(None, &[]);
    let error = ran.unwrap_err().to_string();
    assert!(error.contains("tcp:10.0.0.1:80"), "{error}");
    assert!(lines.is_empty());
    let too_much = tool(&["bench", "ws://a/", "-c", "65536", "-d", "1024"]);
    let Tool::Bench(too_much) = too_much else {
        unreachable!("it was asked for");
    };
    let reactor = Reactor::new(SimDriver::alone(1));
    let error = too_much
        .start(&mut Setup::new(&reactor))
        .unwrap_err()
        .to_string();
    assert!(error.contains("--connections"), "{error}");
}

/// Writes down what comes.
#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<String>>>);

impl WebSocketProtocol for Notes {
    fn text_received(&mut self, _: &Socket, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
    fn binary_received(&mut self, _: &Socket, data: &[u8]) {
        self.0.borrow_mut().push(format!("{data:?}"));
    }
}

#[ropewalk::test(seeds = 5)]
fn a_room_is_all_who_are_at_a_path(world: &mut World) {
    let rooms = Rooms::new(SlowPeer::Wait);
    let kept = rooms.clone();
    let server = WebSocketServer::new(move |opening| kept.member(opening.path(), false));
    world
        .reactor("server")
        .listen("tcp:10.0.0.1:80", server)
        .unwrap();
    let enter = |world: &mut World, path: &str| {
        let notes = Notes::default();
        let client = WebSocketClient::new(format!("ws://10.0.0.1{path}")).unwrap();
        let opened = client.connect(world.reactor("client"), notes.clone());
        (world.wait_for(opened).unwrap(), notes)
    };
    let (ann, ann_heard) = enter(world, "/tea");
    let (bob, bob_heard) = enter(world, "/tea");
    let (cat, cat_heard) = enter(world, "/milk");
    ann.send_text("{\"as\": \"it is\"}");
    ann.send_binary([1, 2]);
    world.wait_until(|| bob_heard.0.borrow().len() == 2);
    assert_eq!(bob_heard.0.take(), ["{\"as\": \"it is\"}", "[1, 2]"]);
    world.run_for(Duration::from_secs(1));
    assert!(ann_heard.0.borrow().is_empty() && cat_heard.0.borrow().is_empty());
    assert_eq!(rooms.len(), 2);
    for socket in [ann, bob, cat] {
        socket.close(CloseCode::NORMAL, "");
    }
    world.run_for(Duration::from_secs(15));
    assert_eq!(rooms.len(), 0, "a room in which nobody is is forgotten");
    finish(world);
}
