//! Descriptors that the driver did not open: pipes, files, terminals, listeners, and those that are only watched.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ropewalk_core::driver::Interest;
use ropewalk_core::{Deferred, Descriptor, Failure, Protocol, Reactor, Reason, Transport};
use ropewalk_mio::MioDriver;

use crate::world::PATIENCE;

#[derive(Clone, Default)]
struct Story {
    bytes: Rc<RefCell<Vec<u8>>>,
    eof: Rc<Cell<bool>>,
    end: Rc<RefCell<Option<String>>>,
    transport: Rc<RefCell<Option<Transport>>>,
}

/// Notes everything; half-closes when told the end.
struct Noter(Story);

impl Protocol for Noter {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.transport.borrow_mut() = Some(transport.clone());
    }
    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.0.bytes.borrow_mut().extend_from_slice(data);
    }
    fn eof_received(&mut self, _transport: &Transport) {
        self.0.eof.set(true);
    }
    fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
        *self.0.end.borrow_mut() = Some(reason.to_string());
    }
}

impl Story {
    fn transport(&self) -> Transport {
        self.transport.borrow().clone().unwrap()
    }
}

fn reactor() -> Reactor {
    Reactor::new(MioDriver::new().unwrap())
}

#[track_caller]
fn wait(reactor: &mut Reactor, what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "no {what}");
        reactor.turn(Some(Duration::from_millis(100))).unwrap();
    }
}

fn wait_for<T: 'static>(reactor: &mut Reactor, deferred: Deferred<T>) -> Result<T, Failure> {
    let result = Rc::new(RefCell::new(None));
    let answer = Rc::clone(&result);
    deferred.on_result(move |outcome| *answer.borrow_mut() = Some(outcome));
    wait(reactor, "result", || result.borrow().is_some());
    result.take().unwrap()
}

fn descriptor(of: impl Into<OwnedFd>) -> Descriptor {
    Descriptor::new(of.into())
}

fn flags(of: impl AsFd) -> rustix::fs::OFlags {
    rustix::fs::fcntl_getfl(of).unwrap()
}

#[test]
fn two_pipes_are_a_connection() {
    let mut reactor = reactor();
    let ((read, mut to_us), (mut from_us, write)) =
        (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let story = Story::default();
    let made = reactor.adopt_pair(descriptor(read), descriptor(write), Noter(story.clone()));
    let transport = wait_for(&mut reactor, made).unwrap();
    assert_eq!(transport.peer().to_string(), "pipe:");
    to_us.write_all(b"in").unwrap();
    wait(&mut reactor, "bytes", || *story.bytes.borrow() == b"in");
    transport.write("out");
    transport.lose_write_connection();
    let mut said = String::new();
    let reader = std::thread::spawn(move || from_us.read_to_string(&mut said).map(|_| said));
    wait(&mut reactor, "end of our half", || reader.is_finished());
    assert_eq!(reader.join().unwrap().unwrap(), "out");
    to_us.write_all(b" and on").unwrap();
    drop(to_us);
    wait(&mut reactor, "end", || story.end.borrow().is_some());
    assert_eq!(*story.bytes.borrow(), b"in and on");
    assert!(story.eof.get());
    assert_eq!(story.end.borrow().as_deref(), Some("closed cleanly"));
}

#[test]
fn much_goes_through_small_pipes() {
    let mut reactor = reactor();
    let ((read, mut to_us), (mut from_us, write)) =
        (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let story = Story::default();
    let made = reactor.adopt_pair(descriptor(read), descriptor(write), Noter(story.clone()));
    let transport = wait_for(&mut reactor, made).unwrap();
    let bulk: Vec<u8> = (0..2_000_000).map(|n| (n % 251) as u8).collect();
    let sent = bulk.clone();
    let writer = std::thread::spawn(move || to_us.write_all(&sent));
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        from_us.read_to_end(&mut all).map(|_| all)
    });
    transport.write(&bulk);
    transport.lose_write_connection();
    wait(&mut reactor, "end", || story.end.borrow().is_some());
    writer.join().unwrap().unwrap();
    assert!(reader.join().unwrap().unwrap() == bulk);
    assert!(*story.bytes.borrow() == bulk);
}

#[test]
fn files_and_the_null_device_are_served_without_edges() {
    let mut reactor = reactor();
    let path = std::env::temp_dir().join(format!("ropewalk-file-{}", std::process::id()));
    let bulk: Vec<u8> = (0..700_000).map(|n| (n % 253) as u8).collect();
    std::fs::write(&path, &bulk).unwrap();
    let file = File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let null = File::options().write(true).open("/dev/null").unwrap();
    let story = Story::default();
    let made = reactor.adopt_pair(descriptor(file), descriptor(null), Noter(story.clone()));
    let transport = wait_for(&mut reactor, made).unwrap();
    transport.write("to nowhere");
    wait(&mut reactor, "end of the file", || story.eof.get());
    assert!(*story.bytes.borrow() == bulk);
    transport.lose_connection();
    wait(&mut reactor, "end", || story.end.borrow().is_some());
    assert_eq!(story.end.borrow().as_deref(), Some("closed cleanly"));
}

#[test]
fn pausing_stops_a_file() {
    struct Pauser(Story);
    impl Protocol for Pauser {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            self.0.bytes.borrow_mut().extend_from_slice(data);
            transport.pause_reading();
        }
    }
    let mut reactor = reactor();
    let zero = || File::options().read(true).write(true).open("/dev/zero");
    let story = Story::default();
    let (read, write) = (descriptor(zero().unwrap()), descriptor(zero().unwrap()));
    let made = reactor.adopt_pair(read, write, Pauser(story.clone()));
    let transport = wait_for(&mut reactor, made).unwrap();
    wait(&mut reactor, "bytes", || !story.bytes.borrow().is_empty());
    let once = story.bytes.borrow().len();
    for _ in 0..10 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(story.bytes.borrow().len(), once);
    transport.resume_reading();
    wait(&mut reactor, "more", || story.bytes.borrow().len() > once);
}

#[test]
fn flags_that_others_share_are_set_back() {
    let mut reactor = reactor();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let shared = ours.try_clone().unwrap();
    let before = flags(&shared);
    // Both directions name the same thing, as with a terminal.
    let story = Story::default();
    let (read, write) = (descriptor(ours.try_clone().unwrap()), descriptor(ours));
    let made = reactor.adopt_pair(read, write, Noter(story.clone()));
    let transport = wait_for(&mut reactor, made).unwrap();
    let nonblocking = rustix::fs::OFlags::NONBLOCK;
    assert!(flags(&shared).contains(nonblocking));
    transport.lose_write_connection();
    let (mut theirs, mut end) = (theirs, Vec::new());
    let reader = std::thread::spawn(move || theirs.read_to_end(&mut end).map(|_| theirs));
    wait(&mut reactor, "half-close", || reader.is_finished());
    assert!(flags(&shared).contains(nonblocking), "it is read on");
    drop(reader.join().unwrap().unwrap());
    wait(&mut reactor, "end", || story.end.borrow().is_some());
    assert_eq!(flags(&shared), before);
}

#[test]
fn a_pipe_that_nobody_reads_ends_the_connection() {
    let mut reactor = reactor();
    let ((read, _to_us), (from_us, write)) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let story = Story::default();
    let made = reactor.adopt_pair(descriptor(read), descriptor(write), Noter(story.clone()));
    wait_for(&mut reactor, made).unwrap();
    drop(from_us);
    wait(&mut reactor, "end", || story.end.borrow().is_some());
    let end = story.end.borrow().clone().unwrap();
    assert!(end.contains("pipe"), "{end}");
}

#[test]
fn what_cannot_be_served_is_refused_in_words() {
    let mut reactor = reactor();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let file = File::open("/dev/null").unwrap();
    let cases: [(Descriptor, &str); 3] = [
        (descriptor(udp), "datagrams"),
        (descriptor(file), "no socket"),
        (Descriptor::new("simulated"), "another driver"),
    ];
    for (case, said) in cases {
        let served = reactor.adopt_stream(case, Noter(Story::default()));
        let error = wait_for(&mut reactor, served).err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
    let (read, write) = std::io::pipe().unwrap();
    let (wrong, way) = (descriptor(write), descriptor(read));
    let served = reactor.adopt_pair(wrong, way, Noter(Story::default()));
    let error = wait_for(&mut reactor, served).err().unwrap().to_string();
    assert!(error.contains("not open to be"), "{error}");
}

#[test]
fn r114_an_adopted_listener_serves_and_tells_its_address() {
    let mut reactor = reactor();
    let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = theirs.local_addr().unwrap();
    let story = Story::default();
    let kept = story.clone();
    let shared = descriptor(theirs.try_clone().unwrap());
    let port = reactor.adopt_port(shared, move || Noter(kept.clone()));
    let port = wait_for(&mut reactor, port).unwrap();
    assert_eq!(port.host().socket(), Some(address));
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"hello").unwrap();
    wait(&mut reactor, "bytes", || *story.bytes.borrow() == b"hello");
    wait_for(&mut reactor, port.stop_listening()).unwrap();
    // The socket lives on where it came from, and no longer wakes us.
    let _peer = TcpStream::connect(address).unwrap();
    assert_eq!(story.transport().host().socket(), Some(address));
    theirs.set_nonblocking(false).unwrap();
    theirs.accept().unwrap();
}

#[test]
fn r015_a_watch_hears_while_there_is_something_and_no_longer() {
    let mut reactor = reactor();
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let told = Rc::new(Cell::new(0));
    let kept: Rc<RefCell<Option<ropewalk_core::Watch>>> = Rc::default();
    let (count, watching) = (Rc::clone(&told), Rc::clone(&kept));
    let watched = descriptor(ours.try_clone().unwrap());
    let watch = reactor.watch(watched, Interest::READABLE, move |_, ready| {
        assert!(ready.readable && !ready.writable);
        count.set(count.get() + 1);
        if count.get() == 5 {
            drop(watching.borrow().as_ref().unwrap().unwatch());
        }
    });
    *kept.borrow_mut() = Some(wait_for(&mut reactor, watch).unwrap());
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(told.get(), 0);
    theirs.write_all(b"x").unwrap();
    wait(&mut reactor, "five tellings of what nobody reads", || {
        told.get() == 5
    });
    for _ in 0..5 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(told.get(), 5, "it is watched no more");
    let mut byte = [0];
    (&ours).read_exact(&mut byte).unwrap();
}

#[test]
fn a_watch_gives_its_descriptor_back() {
    let mut reactor = reactor();
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let told = Rc::new(Cell::new(false));
    let seen = Rc::clone(&told);
    let watch = reactor.watch(descriptor(ours), Interest::WRITABLE, move |_, ready| {
        assert!(ready.writable);
        seen.set(true);
    });
    let watch = wait_for(&mut reactor, watch).unwrap();
    wait(&mut reactor, "room", || told.get());
    assert!(watch.is_watching());
    let back = wait_for(&mut reactor, watch.unwatch()).unwrap().unwrap();
    assert!(back.into_inner::<OwnedFd>().is_ok() && !watch.is_watching());
    assert!(wait_for(&mut reactor, watch.unwatch()).unwrap().is_none());
    let file = descriptor(File::open("/proc/self/exe").unwrap());
    let refused = reactor.watch(file, Interest::READABLE, |_, _| ());
    let error = wait_for(&mut reactor, refused).err().unwrap().to_string();
    assert!(error.contains("always ready"), "{error}");
}

/// The other half of the tests of standard input and output: a process that echoes and says what became of it.
#[test]
fn echo_in_a_child() {
    struct Echo;
    impl Protocol for Echo {
        fn data_received(&mut self, transport: &Transport, data: &[u8]) {
            transport.write(data);
        }
        fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
            std::io::stderr()
                .write_all(format!("@ended: {reason}\n").as_bytes())
                .unwrap();
        }
    }
    if !crate::child::is_child() {
        return;
    }
    let mut reactor = reactor();
    let made = reactor.standard_io(Echo);
    let transport = wait_for(&mut reactor, made).unwrap();
    assert_eq!(transport.host().to_string(), "stdio:");
    std::io::stdout().write_all(b"@printed\n").unwrap();
    std::io::stdout().flush().unwrap();
    let again = reactor.standard_io(Echo);
    let error = wait_for(&mut reactor, again).err().unwrap().to_string();
    assert!(error.contains("taken already"), "{error}");
    wait(&mut reactor, "end", || !transport.is_open());
}

/// Runs the echo in a shell, `$0` being it; what came out, and what it said.
fn in_shell(line: &str) -> (String, String) {
    let output = std::process::Command::new("sh")
        .args(["-c", line])
        .arg(std::env::current_exe().unwrap())
        .env("ROPEWALK_TEST_CHILD", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

const ECHO: &str = "\"$0\" --exact adopt::echo_in_a_child --nocapture";

#[test]
fn standard_io_echoes_through_pipes_files_and_the_null_device() {
    let lines = [
        format!("printf hello | {ECHO} | cat"),
        format!(
            "echo hello > /tmp/ropewalk-in-$$; {ECHO} < /tmp/ropewalk-in-$$; rm /tmp/ropewalk-in-$$"
        ),
        format!(
            "printf hello | {ECHO} > /tmp/ropewalk-out-$$; cat /tmp/ropewalk-out-$$; rm /tmp/ropewalk-out-$$"
        ),
    ];
    for line in lines {
        let (out, said) = in_shell(&line);
        assert!(out.contains("hello"), "{line}: {out} {said}");
        assert!(said.contains("test result: ok"), "{line}: {said}");
        assert!(said.contains("@ended: closed cleanly"), "{line}: {said}");
        assert!(
            said.contains("@printed") && !out.contains("@printed"),
            "{line}: {said}"
        );
    }
    let (_, said) = in_shell(&format!("{ECHO} < /dev/null > /dev/null"));
    assert!(said.contains("@ended: closed cleanly"), "{said}");
}

#[test]
fn standard_io_ends_when_nobody_reads_its_output() {
    let (_, said) = in_shell(&format!("{ECHO} < /dev/zero | head -c 1000000 > /dev/null"));
    assert!(
        said.contains("@ended: ") && said.contains("test result: ok"),
        "{said}"
    );
}
