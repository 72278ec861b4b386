//! Topics across cores: real threads, and simulated ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ropewalk_core::Remote;
use ropewalk_cores::{Core, Cores, Hub, Sharing};
use ropewalk_testing::World;
use ropewalk_web::websocket::{
    Deflate, Gap, Published, Topic, Topics, WebSocket, WebSocketOptions, WebSocketProtocol,
    WebSocketServer,
};

const CORES: usize = 3;
const MESSAGES: usize = 2000;

/// Each core publishes; each hears what all others do, in the order of each.
#[test]
fn messages_of_each_core_reach_all_others_in_order() {
    let finished = Arc::new(AtomicUsize::new(0));
    Cores::new(CORES)
        .run(move |reactor, core: &Core<Published>| {
            let topics = Topics::on_core(core);
            let hall = topics.topic("hall")?;
            let next = RefCell::new(BTreeMap::<usize, usize>::new());
            let (finished, handle) = (Arc::clone(&finished), reactor.handle());
            hall.on_message_from_elsewhere(move |_, message| {
                let text = message.as_text().unwrap();
                let (from, number) = text.split_once(' ').unwrap();
                let mut next = next.borrow_mut();
                let expected = next.entry(from.parse().unwrap()).or_default();
                assert_eq!(number.parse::<usize>().unwrap(), *expected);
                *expected += 1;
                let is_all = next.len() == CORES - 1 && next.values().all(|&n| n == MESSAGES);
                if is_all && finished.fetch_add(1, Ordering::SeqCst) == CORES - 1 {
                    handle.stop().unwrap();
                }
            });
            hall.on_gap(|_, gap| panic!("{gap:?}: the mailboxes have room for all"));
            let index = core.index();
            core.on_message(move |_, _, published| topics.receive(&published));
            reactor.call_when_running(move |_| {
                (0..MESSAGES).for_each(|number| {
                    hall.send(format!("{index} {number}"));
                });
            });
            Ok(())
        })
        .unwrap();
}

struct Member(Topic);

impl WebSocketProtocol for Member {
    fn opened(&mut self, socket: &WebSocket) {
        self.0.subscribe(socket);
        socket.send_text("in");
    }
    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        self.0.send_to_others(socket, text);
    }
}

fn read_exactly(stream: &mut TcpStream, expected: &[u8]) {
    let mut read = vec![0; expected.len()];
    stream.read_exact(&mut read).unwrap();
    assert_eq!(read, expected, "{}", read.escape_ascii());
}

fn join(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // A message that never comes fails the test; no other time is measured.
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    read_exactly(&mut stream, b"\x81\x02in");
    stream
}

/// Browsers on different cores are in one room.
#[test]
fn receivers_on_all_cores_get_the_message_once() {
    let (told, ports) = channel::<(u16, Remote)>();
    let told = Mutex::new(told);
    let running = thread::spawn(move || {
        Cores::new(CORES)
            .run(move |reactor, core: &Core<Published>| {
                let topics = Topics::on_core(core);
                let hall = topics.topic("hall")?;
                core.on_message(move |_, _, published| topics.receive(&published));
                let options = WebSocketOptions {
                    deflate: Some(Deflate::new()),
                    ..WebSocketOptions::default()
                };
                let server = WebSocketServer::new(move |_| Member(hall.clone()));
                let server = server.with_options(options);
                let sharing = Sharing::Kernel;
                let port = core.listen(reactor, "tcp:127.0.0.1:0", sharing, server)?;
                if let Some(port) = port {
                    let number = port.host().port().unwrap();
                    told.lock()
                        .unwrap()
                        .send((number, reactor.remote()))
                        .unwrap();
                }
                Ok(())
            })
            .unwrap();
    });
    let (port, remote) = ports.recv().unwrap();
    let mut members: Vec<_> = (0..2 * CORES).map(|_| join(port)).collect();
    for sender in 0..members.len() {
        let text = format!("from {sender}");
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        members[sender].write_all(&frame).unwrap();
        let expected = [&[0x81, text.len() as u8], text.as_bytes()].concat();
        for (at, member) in members.iter_mut().enumerate() {
            if at != sender {
                read_exactly(member, &expected);
            }
        }
    }
    remote.call(|handle| handle.stop().unwrap()).unwrap();
    running.join().unwrap();
}

/// A core that is slower than another is told how much it missed, though nothing more is sent to it.
#[test]
fn what_a_full_mailbox_does_not_take_is_told() {
    for seed in 0..5 {
        let world = &mut World::new(seed);
        let hub = Hub::<Published>::with_mailboxes(2, 4);
        let zero = hub.join(0, world.reactor("zero"));
        let one = hub.join(1, world.reactor("one"));
        let (here, there) = (Topics::on_core(&zero), Topics::on_core(&one));
        let hall = there.topic("hall").unwrap();
        let told = Rc::new(RefCell::new(Vec::new()));
        let (heard, gaps) = (Rc::clone(&told), Rc::clone(&told));
        hall.on_message_from_elsewhere(move |_, message| {
            heard
                .borrow_mut()
                .push(message.as_text().unwrap().to_owned());
        });
        hall.on_gap(move |_, gap| {
            let Gap::Missed(messages) = gap else {
                panic!("{gap:?}")
            };
            gaps.borrow_mut().push(format!("missed {messages}"));
        });
        let sender = here.topic("hall").unwrap();
        (0..10).for_each(|number| {
            sender.send(number.to_string());
        });
        // Only now does it read.
        one.on_message(move |_, _, published| there.receive(&published));
        world.run_for(Duration::from_secs(1));
        assert_eq!(*told.borrow(), ["0", "1", "2", "3", "missed 6"]);
        told.borrow_mut().clear();
        sender.send("again");
        world.run_for(Duration::from_secs(1));
        assert_eq!(*told.borrow(), ["again"]);
    }
}

/// All cores of a hub call themselves by one number, so that a backplane brings none of them its own.
#[test]
fn cores_are_one_group() {
    let world = &mut World::new(1);
    let (one, other) = (Hub::<()>::new(2), Hub::<()>::new(1));
    let first = one.join(0, world.reactor("a")).group();
    assert_eq!(one.join(1, world.reactor("b")).group(), first);
    assert_ne!(other.join(0, world.reactor("c")).group(), first);
}
