//! Layers, proven by a small one that has everything TLS has: a handshake, records, an end of its own, and rules to break.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Layer, Protocol, Reactor, Reason, Timeout, Transport};
use ropewalk_sim::{Faults, SimDriver};

const HELLO: u8 = b'K';

/// The client says `K`, the server answers `K`; then records of a length byte and so many bytes, each turned by a key; an empty record is the end.
struct Knock {
    key: u8,
    role: Role,
    heard: bool,
    ended: bool,
    partial: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Server,
}

impl Knock {
    fn new(key: u8, role: Role) -> Self {
        Self {
            key,
            role,
            heard: false,
            ended: false,
            partial: Vec::new(),
        }
    }
}

impl Layer for Knock {
    fn name(&self) -> &'static str {
        "knock"
    }

    fn start(&mut self, down: &mut Vec<u8>) -> Result<(), LayerError> {
        if self.role == Role::Client {
            down.push(HELLO);
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.heard
    }

    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        self.partial.extend_from_slice(data);
        if !self.heard && !self.partial.is_empty() {
            if self.partial.remove(0) != HELLO {
                return Err(LayerError::Misbehaved("no knock".into()));
            }
            self.heard = true;
            if self.role == Role::Server {
                down.push(HELLO);
            }
        }
        while let Some(&length) = self.partial.first() {
            let end = 1 + usize::from(length);
            if self.partial.len() < end || self.ended {
                break;
            }
            let mut record: Vec<u8> = self.partial.drain(..end).skip(1).collect();
            record.iter_mut().for_each(|byte| *byte ^= self.key);
            self.ended = record.is_empty();
            up(&mut record);
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        for record in data.chunks(200) {
            down.push(record.len() as u8);
            down.extend(record.iter().map(|byte| byte ^ self.key));
        }
    }

    fn close(&mut self, down: &mut Vec<u8>) {
        down.push(0);
    }

    fn is_closed(&self) -> bool {
        self.ended || !self.heard
    }

    fn is_ended(&self) -> bool {
        self.ended
    }

    fn eof(&mut self) -> Result<(), LayerError> {
        if self.ended {
            Ok(())
        } else {
            Err(LayerError::Truncated)
        }
    }
}

/// What happened at one end, in order.
type Diary = Rc<RefCell<Vec<String>>>;

/// Builds protocols on layers with these keys.
struct Layered<F>(Role, Vec<u8>, F);

impl<F: FnMut() -> P + 'static, P: Protocol> Factory for Layered<F> {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        Some(Box::new(self.2()))
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        self.1
            .iter()
            .map(|key| Box::new(Knock::new(*key, self.0)) as Box<dyn Layer>)
            .collect()
    }
}

/// Writes its text when made, gathers what comes, says goodbye when it has as much as it wants.
struct Talker {
    says: Vec<u8>,
    wants: usize,
    heard: Vec<u8>,
    diary: Diary,
}

impl Talker {
    fn new(says: &[u8], wants: usize, diary: &Diary) -> Self {
        Self {
            says: says.to_vec(),
            wants,
            heard: Vec::new(),
            diary: Rc::clone(diary),
        }
    }

    fn note(&self, line: impl Into<String>) {
        self.diary.borrow_mut().push(line.into());
    }
}

impl Protocol for Talker {
    fn connection_made(&mut self, transport: &Transport) {
        self.note("made");
        transport.write(&self.says);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard.extend_from_slice(data);
        if self.heard.len() >= self.wants {
            transport.lose_connection();
        }
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.note(format!(
            "{} then {reason}",
            String::from_utf8_lossy(&self.heard)
        ));
        stop_soon(transport);
    }
}

/// Stops once the other end has had time to hear of it.
fn stop_soon(transport: &Transport) {
    let later = Duration::from_secs(600);
    transport.reactor().call_later(later, |handle| {
        let _the_other_end_may_have = handle.stop();
    });
}

fn gentle(seed: u64) -> Reactor {
    let driver = SimDriver::alone(seed);
    driver.world().set_faults(Faults::gentle());
    Reactor::new(driver)
}

/// Runs two talkers on layers with these keys; gives both diaries.
fn talk(
    mut reactor: Reactor,
    server_keys: &[u8],
    client_keys: &[u8],
) -> (Vec<String>, Vec<String>) {
    let (server, client) = (Diary::default(), Diary::default());
    let (theirs, ours) = (Rc::clone(&server), Rc::clone(&client));
    let serve = Layered(Role::Server, server_keys.to_vec(), move || {
        Talker::new(b"welcome", usize::MAX, &theirs)
    });
    let connect = Layered(Role::Client, client_keys.to_vec(), move || {
        Talker::new(b"", 7, &ours)
    });
    reactor.listen("tcp:10.0.0.1:1", serve).unwrap();
    reactor.connect("tcp:10.0.0.1:1", connect).unwrap();
    reactor.run().unwrap();
    (server.take(), client.take())
}

#[test]
fn r073_the_protocol_is_made_once_every_layer_is_open_whatever_the_split() {
    for seed in 0..200 {
        let (_, client) = talk(gentle(seed), &[7, 99], &[7, 99]);
        assert_eq!(
            client,
            ["made", "welcome then closed cleanly"],
            "seed {seed}"
        );
    }
}

#[test]
fn r075_a_failed_handshake_tells_no_protocol() {
    struct Liar;
    impl Protocol for Liar {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write("I do not knock");
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
            transport.reactor().stop().unwrap();
        }
    }
    let diary = Diary::default();
    let theirs = Rc::clone(&diary);
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor
        .listen(
            "tcp:10.0.0.1:1",
            Layered(Role::Server, vec![7], move || Talker::new(b"", 1, &theirs)),
        )
        .unwrap();
    reactor.connect("tcp:10.0.0.1:1", || Liar).unwrap();
    reactor.run().unwrap();
    assert!(diary.borrow().is_empty(), "{diary:?}");
}

#[test]
fn a_handshake_that_never_ends_times_out() {
    struct Silent(Diary);
    impl Protocol for Silent {
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
        fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
            let now = transport.reactor().now();
            self.0.borrow_mut().push(format!("{}", now.as_secs()));
            transport.reactor().stop().unwrap();
        }
    }
    let diary = Diary::default();
    let theirs = Rc::clone(&diary);
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let unused = Diary::default();
    reactor
        .listen(
            "tcp:10.0.0.1:1",
            Layered(Role::Server, vec![7], move || Talker::new(b"", 1, &unused)),
        )
        .unwrap();
    reactor
        .connect("tcp:10.0.0.1:1", move || Silent(Rc::clone(&theirs)))
        .unwrap();
    reactor.run().unwrap();
    assert_eq!(diary.take(), ["10"]);
    assert_eq!(
        Timeout::Handshake(Duration::from_secs(10)).to_string(),
        "the handshake took longer than 10s"
    );
}

#[test]
fn r078_an_end_without_goodbye_is_lost_not_done() {
    struct Cut;
    impl Protocol for Cut {
        fn connection_made(&mut self, transport: &Transport) {
            transport.write("K"); // knocks, then leaves without the empty record
            transport.lose_connection();
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let server = Diary::default();
    let theirs = Rc::clone(&server);
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor
        .listen(
            "tcp:10.0.0.1:1",
            Layered(Role::Server, vec![7], move || Talker::new(b"", 9, &theirs)),
        )
        .unwrap();
    reactor.connect("tcp:10.0.0.1:1", || Cut).unwrap();
    reactor.run().unwrap();
    let server = server.take();
    assert!(
        server.len() == 2 && server[1].contains("lost: unexpected end of file"),
        "{server:?}"
    );
}

/// Writes its text, says goodbye, and tells when it was lost.
struct Leaver(Vec<u8>, Diary);

impl Protocol for Leaver {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(&self.0);
        transport.lose_connection();
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {
        panic!("who asked to end it hears no more (R52)");
    }
    fn eof_received(&mut self, _: &Transport) {
        panic!("who asked to end it hears no more (R52)");
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        let seconds = transport.reactor().now().as_secs();
        self.1.borrow_mut().push(format!("{seconds} s, {reason}"));
        stop_soon(transport);
    }
}

fn leave(peer: impl Factory, writes: usize) -> Vec<String> {
    let diary = Diary::default();
    let ours = Rc::clone(&diary);
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("tcp:10.0.0.1:1", peer).unwrap();
    let leave = Layered(Role::Client, vec![7], move || {
        Leaver(vec![b'x'; writes], Rc::clone(&ours))
    });
    reactor.connect("tcp:10.0.0.1:1", leave).unwrap();
    reactor.run().unwrap();
    diary.take()
}

/// A peer that knocks and says a little, and goes on or leaves, without ever saying goodbye.
struct Rude(bool);

impl Protocol for Rude {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(b"K\x01a\x01b");
        if self.0 {
            let late = transport.clone();
            let after = Duration::from_secs(3);
            transport
                .reactor()
                .call_later(after, move |_| late.abort_connection());
        }
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn eof_received(&mut self, _: &Transport) {}
}

#[test]
fn r077_the_answer_to_our_goodbye_is_waited_for_but_not_for_ever() {
    let polite = || {
        Layered(Role::Server, vec![7], || {
            Talker::new(b"", usize::MAX, &Diary::default())
        })
    };
    assert_eq!(leave(polite(), 10), ["0 s, closed cleanly"]);
    assert_eq!(leave(polite(), 500_000), ["0 s, closed cleanly"]);
    assert_eq!(leave(|| Rude(false), 10), ["10 s, closed cleanly"]);
}

/// All our bytes are gone: a peer that leaves in anger then takes nothing with it.
#[test]
fn r077_a_reset_instead_of_the_answer_is_no_loss() {
    assert_eq!(leave(|| Rude(true), 10), ["3 s, closed cleanly"]);
}

#[test]
fn the_peers_goodbye_is_told_as_the_end_after_all_bytes_also_of_a_paused_reader() {
    struct Pauser(Diary);
    impl Protocol for Pauser {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            let heard = String::from_utf8_lossy(data).into_owned();
            self.0.borrow_mut().push(heard);
            transport.pause_reading();
            let later = transport.clone();
            transport
                .reactor()
                .call_later(Duration::from_secs(1), move |_| later.resume_reading());
        }
        fn eof_received(&mut self, transport: &Transport) {
            self.0.borrow_mut().push("eof".to_owned());
            transport.lose_connection();
        }
    }
    for size in [1, 150, 1500] {
        let diary = Diary::default();
        let theirs = Rc::clone(&diary);
        let serve = Layered(Role::Server, vec![7], move || Pauser(Rc::clone(&theirs)));
        assert_eq!(
            leave(serve, size),
            [format!(
                "{} s, closed cleanly",
                if size == 1500 { 2 } else { 1 }
            )]
        );
        let heard = diary.take();
        assert_eq!(heard.last().map(String::as_str), Some("eof"));
        assert_eq!(heard[..heard.len() - 1].concat().len(), size);
    }
}

/// Both ends write more than the high-water mark right after pushing, and pause reading: the handshake goes on.
#[test]
fn r082_a_handshake_of_a_pushed_layer_needs_no_reading_protocol() {
    struct Pushing(Role, Diary);
    impl Protocol for Pushing {
        fn connection_made(&mut self, transport: &Transport) {
            transport.push_layer(Knock::new(42, self.0));
            transport.write(vec![b'x'; 200_000]);
            if self.0 == Role::Client {
                transport.lose_connection();
            }
        }
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            self.1.borrow_mut().push(data.len().to_string());
        }
        fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
            self.1.borrow_mut().push(reason.to_string());
            stop_soon(transport);
        }
    }
    let (server, client) = (Diary::default(), Diary::default());
    let (theirs, ours) = (Rc::clone(&server), Rc::clone(&client));
    let mut reactor = gentle(3);
    reactor
        .listen("tcp:10.0.0.1:1", move || {
            Pushing(Role::Server, Rc::clone(&theirs))
        })
        .unwrap();
    reactor
        .connect("tcp:10.0.0.1:1", move || {
            Pushing(Role::Client, Rc::clone(&ours))
        })
        .unwrap();
    reactor.run().unwrap();
    let mut heard = server.take();
    assert_eq!(heard.pop().as_deref(), Some("closed cleanly"));
    let heard: usize = heard
        .iter()
        .map(|length| length.parse::<usize>().unwrap())
        .sum();
    assert_eq!(heard, 200_000);
    assert_eq!(client.take(), ["closed cleanly"]);
}

/// The heart of STARTTLS: writes and pushes share one order, in both directions.
#[test]
fn r082_a_layer_pushed_later_covers_what_is_written_after_it_and_nothing_before() {
    struct StartTls {
        role: Role,
        diary: Diary,
        heard: Vec<u8>,
    }
    impl StartTls {
        fn upgrade(&mut self, transport: &Transport) {
            transport.push_layer(Knock::new(42, self.role));
            transport.write(if self.role == Role::Server {
                "server secret"
            } else {
                "client secret"
            });
        }
    }
    impl Protocol for StartTls {
        fn connection_made(&mut self, transport: &Transport) {
            if self.role == Role::Client {
                transport.write("upgrade");
            }
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.heard.extend_from_slice(data);
            match (&*self.heard, self.role) {
                (b"upgrade", Role::Server) => {
                    transport.write("go");
                    self.upgrade(transport);
                }
                (b"go", Role::Client) => self.upgrade(transport),
                (heard, _) if heard.ends_with(b" secret") => {
                    self.diary
                        .borrow_mut()
                        .push(String::from_utf8_lossy(heard).into_owned());
                    if self.role == Role::Client {
                        transport.lose_connection();
                    }
                }
                _ => {}
            }
        }
        fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
            assert!(reason.is_clean(), "{reason}");
            if self.role == Role::Server {
                transport.reactor().stop().unwrap();
            }
        }
    }
    for seed in 0..200 {
        let diary = Diary::default();
        let (theirs, ours) = (Rc::clone(&diary), Rc::clone(&diary));
        let mut reactor = gentle(seed);
        let end = |role, diary: &Diary| StartTls {
            role,
            diary: Rc::clone(diary),
            heard: Vec::new(),
        };
        reactor
            .listen("tcp:10.0.0.1:1", move || end(Role::Server, &theirs))
            .unwrap();
        reactor
            .connect("tcp:10.0.0.1:1", move || end(Role::Client, &ours))
            .unwrap();
        reactor.run().unwrap();
        let mut heard = diary.take();
        heard.sort();
        assert_eq!(
            heard,
            ["goserver secret", "upgradeclient secret"],
            "seed {seed}"
        );
    }
}

#[test]
fn no_byte_that_came_with_an_upgrade_is_lost() {
    struct First;
    struct Second(Diary);
    thread_local! { static DIARY: Diary = Diary::default(); }
    impl Protocol for First {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            let unread = data.strip_prefix(b"up").expect("it comes whole");
            transport.switch_protocol(Second(DIARY.with(Rc::clone)), unread);
        }
        fn connection_lost(&mut self, _: &Transport, _: &Reason) {
            panic!("a protocol that was switched away hears no more");
        }
    }
    impl Protocol for Second {
        fn connection_made(&mut self, _: &Transport) {
            self.0.borrow_mut().push("made".to_owned());
        }
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.0
                .borrow_mut()
                .push(String::from_utf8_lossy(data).into_owned());
            transport.lose_connection();
        }
        fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
            transport.reactor().stop().unwrap();
        }
    }
    let mut reactor = Reactor::new(SimDriver::alone(1));
    reactor.listen("tcp:10.0.0.1:1", || First).unwrap();
    let unused = Diary::default();
    reactor
        .connect("tcp:10.0.0.1:1", move || {
            Talker::new(b"upgraded", usize::MAX, &unused)
        })
        .unwrap();
    let _stopped_by_either = reactor.run();
    assert_eq!(DIARY.with(|diary| diary.take()), ["made", "graded"]);
}
