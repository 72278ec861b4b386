//! UNIX sockets, and descriptors that go over them: rules 47, 88, 89 and 114.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::Listen;
use ropewalk_core::{
    Address, Descriptor, DescriptorError, Factory, Layer, Limits, ListenError, Protocol, Reason,
    Transport,
};

use super::script::{Diary, End, Script};
use super::witness::{Log, Witness};
use super::{Harness, Stage};

fn busy(outcome: Result<ropewalk_core::ListeningPort, ListenError>) -> String {
    match outcome {
        Err(ListenError::Bind { address, error }) => {
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse, "{error}");
            assert!(address.unix().is_some());
            error.to_string()
        }
        other => panic!("it is busy, yet {other:?}"),
    }
}

fn locked(mut listen: Listen) -> Listen {
    listen.unix.lock = true;
    listen
}

/// Rule 88: a path where somebody listens is refused, with the lock and without.
pub fn r088_a_path_is_taken_once(harness: &Harness) {
    for lock in [false, true] {
        let mut stage = Stage::new(harness);
        let mut place = stage.place();
        place.unix.lock = lock;
        let port = stage
            .try_listen(&place, Script::echo)
            .expect("a free path can be had");
        assert_eq!(port.host(), &place.address);
        busy(stage.try_listen(&place, Script::new));
        busy(stage.try_listen(locked(place), Script::new));
        let client = stage.dial(port.host(), Script::new());
        stage.wait("the connection", || client.is_made());
        client.transport().write("still there");
        stage.wait("the echo", || client.received() == 11);
    }
}

/// Rule 88: a port that stops frees its path, and who has connected stays.
pub fn r088_a_path_goes_with_its_port(harness: &Harness) {
    for lock in [false, true] {
        let (mut stage, log) = (Stage::new(harness), Log::new());
        let mut place = stage.place();
        place.unix.lock = lock;
        for _ in 0..3 {
            let port = stage
                .try_listen(&place, Script::echo)
                .expect("the path is free");
            let client = stage.dial(port.host(), Script::new());
            stage.wait("the connection", || client.is_made());
            stage
                .wait_for(port.stop_listening())
                .expect("stopping to listen does not fail");
            client.transport().write("stays");
            stage.wait("the echo", || client.received() == 5);
        }
        stage
            .connect(&place.address, Witness::new(&log, || None))
            .expect("an address can be read");
        stage.wait("the failure", || {
            log.lines().iter().any(|line| line.starts_with("failed"))
        });
    }
}

/// Rule 88: names outside the file system, where the system has them.
pub fn r088_an_abstract_name_is_as_good_as_a_path(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let path = super::fresh_path();
    let name = UnixAddress::abstract_name(path.as_os_str().as_encoded_bytes());
    let place = Listen::new(Address::Unix(name));
    let port = match stage.try_listen(&place, Script::echo) {
        Err(ListenError::Bind { error, .. }) if error.kind() == io::ErrorKind::Unsupported => {
            return;
        }
        port => port.expect("a free name can be had"),
    };
    busy(stage.try_listen(&place, Script::new));
    let client = stage.dial(port.host(), Script::new());
    stage.wait("the connection", || client.is_made());
    assert_eq!(client.transport().peer(), &place.address);
    stage
        .wait_for(port.stop_listening())
        .expect("stopping to listen does not fail");
    stage
        .try_listen(&place, Script::new)
        .expect("the name is free");
}

/// Rule 88: a path too long for the system is an error in words, on both sides.
pub fn r088_a_path_that_is_too_long_is_refused(harness: &Harness) {
    let (mut stage, log) = (Stage::new(harness), Log::new());
    let address = Address::Unix(UnixAddress::path(format!("/tmp/{}", "x".repeat(200))));
    match stage.try_listen(Listen::new(address.clone()), Script::new) {
        Err(ListenError::Bind { error, .. }) => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        }
        other => panic!("it is too long, yet {other:?}"),
    }
    stage
        .connect(&address, Witness::new(&log, || None))
        .expect("an address can be read");
    stage.wait("the failure", || {
        log.lines().iter().any(|line| line.starts_with("failed"))
    });
}

/// Rule 47: both ends know the path; the end that connected has no name.
pub fn r047_both_ends_of_a_unix_socket_know_its_path(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (address, server) = stage.serve(Script::new());
    let client = stage.dial(&address, Script::new());
    stage.wait("the connection", || client.is_made() && server.is_made());
    let (near, far) = (client.transport(), server.transport());
    let unnamed = Address::Unix(UnixAddress::Unnamed);
    assert_eq!((near.peer(), near.host()), (&address, &unnamed));
    assert_eq!((far.host(), far.peer()), (&address, &unnamed));
}

/// What a receiver of descriptors was told, in order: bytes, and how often a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Bytes(Vec<u8>),
    Descriptor,
}

#[derive(Clone, Default)]
struct Inbox {
    came: Rc<RefCell<Vec<Came>>>,
    kept: Rc<RefCell<Vec<Descriptor>>>,
    pauses: Rc<Cell<bool>>,
    transport: Rc<RefCell<Option<Transport>>>,
}

impl Inbox {
    /// Everything, runs of bytes as one.
    fn came(&self) -> Vec<Came> {
        let mut joined: Vec<Came> = Vec::new();
        for came in self.came.borrow().iter() {
            match (joined.last_mut(), came) {
                (Some(Came::Bytes(before)), Came::Bytes(more)) => before.extend(more),
                _ => joined.push(came.clone()),
            }
        }
        joined
    }

    fn bytes(&self) -> usize {
        let came = self.came.borrow();
        let lengths = came.iter().map(|came| match came {
            Came::Bytes(bytes) => bytes.len(),
            Came::Descriptor => 0,
        });
        lengths.sum()
    }

    fn descriptors(&self) -> usize {
        let came = self.came.borrow();
        came.iter()
            .filter(|came| **came == Came::Descriptor)
            .count()
    }
}

struct Receiver(Inbox);

impl Protocol for Receiver {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.transport.borrow_mut() = Some(transport.clone());
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.came.borrow_mut().push(Came::Bytes(data.to_vec()));
        if self.0.pauses.get() {
            transport.pause_reading();
        }
    }
    fn descriptor_received(&mut self, transport: &Transport, descriptor: Descriptor) {
        self.0.came.borrow_mut().push(Came::Descriptor);
        self.0.kept.borrow_mut().push(descriptor);
        if self.0.pauses.get() {
            transport.pause_reading();
        }
    }
    fn connection_lost(&mut self, _transport: &Transport, _reason: &Reason) {}
}

/// Keeps what a port hands over.
#[derive(Clone, Default)]
struct Keeper(Rc<RefCell<Vec<Descriptor>>>);

impl Factory for Keeper {
    fn build_protocol(&mut self, _transport: &Transport) -> Option<Box<dyn Protocol>> {
        None
    }
    fn handed_over(&mut self, descriptor: Descriptor, _host: &Address, _peer: &Address) {
        self.0.borrow_mut().push(descriptor);
    }
}

/// A connection as a descriptor, and the client at its other end.
fn handed(stage: &mut Stage, client: Script) -> (Descriptor, Diary) {
    let (keeper, mut place) = (Keeper::default(), stage.place());
    place.hand_over = true;
    let port = stage
        .try_listen(place, keeper.clone())
        .expect("a free path can be had");
    let client = stage.dial(port.host(), client);
    stage.wait("the descriptor", || {
        client.is_made() && !keeper.0.borrow().is_empty()
    });
    stage
        .wait_for(port.stop_listening())
        .expect("stopping to listen does not fail");
    let descriptor = keeper.0.borrow_mut().pop().expect("it is there");
    (descriptor, client)
}

/// A sender, and the inbox at the other end of its connection.
fn sender(stage: &mut Stage) -> (Transport, Inbox) {
    let inbox = Inbox::default();
    let theirs = inbox.clone();
    let port = stage.listen(move || Receiver(theirs.clone()));
    let client = stage.dial(port.host(), Script::new());
    stage.wait("the connection", || {
        client.is_made() && inbox.transport.borrow().is_some()
    });
    (client.transport(), inbox)
}

/// Rule 89: a descriptor comes before the bytes written after it, and works.
pub fn r089_a_descriptor_comes_before_the_bytes_written_after_it(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (descriptor, client) = handed(&mut stage, Script::new());
    let (sender, inbox) = sender(&mut stage);
    sender.send_descriptor(descriptor).expect("it can be sent");
    stage.linger();
    assert_eq!(inbox.descriptors(), 0, "it goes with a byte");
    sender.write("after");
    stage.wait("all", || inbox.bytes() == 5);
    assert_eq!(
        inbox.came(),
        [Came::Descriptor, Came::Bytes(b"after".to_vec())]
    );
    let descriptor = inbox.kept.borrow_mut().pop().expect("it came");
    let served = stage.adopt_stream(descriptor, Script::echo());
    stage.wait_for(served).expect("it can be served");
    client.transport().write("through three hands");
    stage.wait("the echo", || client.received() == 19);
}

/// Rule 89: with many descriptors between many bytes each comes at its place, and none too late.
pub fn r089_descriptors_keep_their_place_between_bytes(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (sender, inbox) = sender(&mut stage);
    let mut after = Vec::new();
    for round in 0..12_u8 {
        let (descriptor, _client) = handed(&mut stage, Script::new());
        let before: usize = (0..usize::from(round)).map(|round| 1 + round * 1500).sum();
        after.push(before);
        sender.send_descriptor(descriptor).expect("it can be sent");
        sender.write(vec![round; 1 + usize::from(round) * 1500]);
    }
    let all: usize = (0..12).map(|round| 1 + round * 1500).sum();
    stage.wait("all", || inbox.bytes() == all && inbox.descriptors() == 12);
    let (mut bytes, mut descriptors) = (0, 0);
    for came in inbox.came() {
        match came {
            Came::Descriptor => descriptors += 1,
            Came::Bytes(more) => bytes += more.len(),
        }
        let due = after.iter().filter(|&&before| before < bytes).count();
        assert!(
            descriptors >= due,
            "{descriptors} of {due} after {bytes} bytes"
        );
    }
}

/// Rule 89: what the receiver does not want is closed.
pub fn r089_an_unwanted_descriptor_is_closed(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (descriptor, client) = handed(&mut stage, Script::new());
    let (_server, sender) = stage.pair(Script::new(), Script::new());
    sender
        .transport()
        .send_descriptor(descriptor)
        .expect("it can be sent");
    assert!(!client.is_lost());
    sender.transport().write("catch");
    stage.wait("its end", || client.is_lost());
}

/// Rule 89: one that is never sent is closed with the connection.
pub fn r089_a_descriptor_without_a_byte_is_closed_at_the_end(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (descriptor, client) = handed(&mut stage, Script::new());
    let (sender, inbox) = sender(&mut stage);
    sender.send_descriptor(descriptor).expect("it can be sent");
    sender.lose_connection();
    stage.wait("its end", || client.is_lost());
    assert_eq!(inbox.came(), []);
}

/// Rules 63 and 89: who pauses reading gets neither descriptors nor bytes until it resumes, and then in order.
pub fn r089_a_paused_receiver_is_told_nothing(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (sender, inbox) = sender(&mut stage);
    inbox.pauses.set(true);
    for _ in 0..3 {
        let (descriptor, _client) = handed(&mut stage, Script::new());
        sender.send_descriptor(descriptor).expect("it can be sent");
        sender.write("x");
    }
    let transport = inbox.transport.borrow().clone().expect("it is made");
    for told in 1..=6 {
        stage.wait("one thing more", || inbox.came.borrow().len() >= told);
        stage.linger();
        assert_eq!(inbox.came.borrow().len(), told, "one at a time");
        transport.resume_reading();
    }
    let x = || Came::Bytes(b"x".to_vec());
    let one = Came::Descriptor;
    assert_eq!(
        *inbox.came.borrow(),
        [one.clone(), x(), one.clone(), x(), one, x()]
    );
}

/// Rule 89: no more wait than the limit, and a connection of another kind, or with layers, carries none.
pub fn r089_a_descriptor_that_cannot_be_sent_is_refused(harness: &Harness) {
    struct Nothing;
    impl Layer for Nothing {
        fn receive(
            &mut self,
            data: &mut [u8],
            up: &mut dyn FnMut(&mut [u8]),
            _down: &mut Vec<u8>,
        ) -> Result<(), ropewalk_core::layer::LayerError> {
            up(data);
            Ok(())
        }
        fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
            down.extend_from_slice(data);
        }
        fn name(&self) -> &'static str {
            "nothing"
        }
    }
    let mut stage = Stage::new(harness);
    let (sender, _inbox) = sender(&mut stage);
    for _ in 0..ropewalk_core::buffer::MOST_DESCRIPTORS {
        let sent = sender.send_descriptor(Descriptor::new("nobody's"));
        sent.expect("it is within the limit");
    }
    let refused = sender.send_descriptor(Descriptor::new("one too many"));
    assert_eq!(refused, Err(DescriptorError::TooMany));
    sender.push_layer(Nothing);
    let refused = sender.send_descriptor(Descriptor::new("nobody's"));
    assert_eq!(refused, Err(DescriptorError::Layered));
}

/// Rule 114: a connection that was handed over is served like any other, with what came meanwhile.
pub fn r114_a_handed_connection_loses_nothing(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let bulk = stage.bulk();
    let some = bulk.clone();
    let script = Script::new().on_made(move |transport| {
        transport.write(&some);
        transport.lose_connection();
    });
    let (descriptor, client) = handed(&mut stage, script);
    stage.linger();
    let mut script = Some(Script::new());
    let server = script.as_ref().map(Script::diary).expect("it is there");
    let adopter = stage.adopter(Limits::default(), move || script.take().unwrap_or_default());
    adopter.adopt(descriptor);
    stage.wait("both ends", || server.is_lost() && client.is_lost());
    assert!(*server.bytes() == bulk, "{} bytes", server.received());
    let done = Some(End::Done);
    assert_eq!((server.end(), client.end()), (done, done));
}

/// Rule 114: a factory may refuse what is handed over; what nobody adopts is closed.
pub fn r114_a_handed_connection_may_be_refused(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (descriptor, client) = handed(&mut stage, Script::new());
    let log = Log::new();
    let adopter = stage.adopter(Limits::default(), Witness::new(&log, || None));
    adopter.adopt(descriptor);
    stage.wait("its end", || client.is_lost());
    let (descriptor, client) = handed(&mut stage, Script::new());
    drop(descriptor);
    stage.pass(Duration::from_millis(1));
    stage.wait("its end", || client.is_lost());
    drop(adopter);
    stage.wait("the stop", || log.has("stop"));
}
