//! What only this driver does with datagrams; what all drivers do is in the conformance suite.

use std::cell::RefCell;
use std::net::UdpSocket;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::{Bind, DatagramQueue, Driver, Sent};
use ropewalk_core::{Address, DatagramProtocol, DatagramTransport, Reactor};
use ropewalk_mio::MioDriver;

use crate::world::PATIENCE;

type Heard = Rc<RefCell<Vec<(Vec<u8>, Address)>>>;

/// Keeps what it hears, answers each, and pauses after some.
#[derive(Clone, Default)]
struct Echo {
    heard: Heard,
    pause_after: usize,
}

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        self.heard.borrow_mut().push((data.to_vec(), peer.clone()));
        let _ = transport.write_to(data, peer);
        if self.heard.borrow().len() == self.pause_after {
            transport.pause_reading();
        }
    }
}

fn reactor() -> Reactor {
    Reactor::new(MioDriver::new().expect("the kernel gives a poll"))
}

fn turn_until(reactor: &mut Reactor, mut holds: impl FnMut() -> bool) {
    let late = Rc::new(RefCell::new(false));
    let alarm = Rc::clone(&late);
    let timer = reactor.call_later(PATIENCE, move |_| *alarm.borrow_mut() = true);
    while !holds() {
        assert!(!*late.borrow(), "it did not come");
        reactor.turn(Some(Duration::from_millis(1))).unwrap();
    }
    let _ = timer.cancel();
}

fn peer(reactor_port: &DatagramTransport) -> UdpSocket {
    let port = reactor_port.host().socket().unwrap();
    let socket = UdpSocket::bind((port.ip(), 0)).unwrap();
    socket.connect(port).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn answers(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let mut buffer = [0; 2000];
    std::iter::from_fn(|| {
        socket
            .recv(&mut buffer)
            .ok()
            .map(|len| buffer[..len].to_vec())
    })
    .collect()
}

#[test]
fn r085_many_in_a_batch_keep_their_bytes_and_their_peers_in_either_family() {
    let mut reactor = reactor();
    let echoes = ["udp:127.0.0.1:0:limit=300", "udp:[::1]:0"].map(|endpoint| {
        let echo = Echo::default();
        let port = reactor.listen_datagram(endpoint, echo.clone()).unwrap();
        let peers = [peer(&port), peer(&port), peer(&port)];
        (echo, peers)
    });
    // Turn about, so that a batch of one family follows one of the other.
    for round in 0..3_usize {
        for (echo, peers) in &echoes {
            let before = echo.heard.borrow().len();
            for number in 0..100 {
                let text = vec![b'a' + round as u8; (number % 250) + 1];
                peers[number % 3].send(&text).unwrap();
            }
            turn_until(&mut reactor, || echo.heard.borrow().len() == before + 100);
            for (number, peer) in peers.iter().enumerate() {
                let wanted = (0..100).filter(|it| it % 3 == number);
                let wanted: Vec<_> = wanted
                    .map(|it| vec![b'a' + round as u8; (it % 250) + 1])
                    .collect();
                assert_eq!(answers(peer), wanted);
            }
        }
    }
}

#[test]
fn r085_what_came_in_the_batch_of_a_pause_comes_after_it() {
    let mut reactor = reactor();
    let echo = Echo {
        pause_after: 3,
        ..Echo::default()
    };
    let port = reactor
        .listen_datagram("udp:127.0.0.1:0", echo.clone())
        .unwrap();
    let peer = peer(&port);
    for number in 0..50 {
        peer.send(&[number]).unwrap();
    }
    turn_until(&mut reactor, || echo.heard.borrow().len() == 3);
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    assert_eq!(echo.heard.borrow().len(), 3, "paused");
    port.resume_reading();
    turn_until(&mut reactor, || echo.heard.borrow().len() == 50);
    let heard: Vec<u8> = echo
        .heard
        .borrow()
        .iter()
        .map(|(data, _)| data[0])
        .collect();
    assert_eq!(heard, (0..50).collect::<Vec<u8>>());
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ropewalk-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn r088_a_unix_datagram_socket_has_its_mode_and_leaves_no_file() {
    let folder = Folder::new("mode");
    let path = folder.0.join("echo");
    let endpoint = format!("unix-datagram:{}:mode=620", path.display());
    let mut reactor = reactor();
    let port = reactor
        .listen_datagram(endpoint.as_str(), Echo::default())
        .unwrap();
    let file = std::fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o620);
    let busy = reactor
        .listen_datagram(endpoint.as_str(), Echo::default())
        .unwrap_err();
    assert!(busy.to_string().contains("echo"), "{busy}");

    let own = folder.0.join("own");
    let peer = UnixDatagram::bind(&own).unwrap();
    peer.set_nonblocking(true).unwrap();
    peer.send_to(b"hello", &path).unwrap();
    let mut answer = [0; 9];
    turn_until(&mut reactor, || matches!(peer.recv(&mut answer), Ok(5)));
    assert_eq!(&answer[..5], b"hello");

    drop(port.stop_listening());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    assert!(!path.exists());
}

#[test]
fn r088_the_file_of_a_dead_datagram_socket_is_taken_over_with_the_lock_only() {
    let folder = Folder::new("stale");
    let path = folder.0.join("stale");
    drop(UnixDatagram::bind(&path).unwrap()); // leaves its file
    let plain = folder.0.join("plain");
    std::fs::write(&plain, "precious").unwrap();
    let mut reactor = reactor();
    let mut listen = |path: &std::path::Path, options: &str| {
        let endpoint = format!("unix-datagram:{}{options}", path.display());
        let port = reactor.listen_datagram(endpoint.as_str(), Echo::default());
        port.map_err(|error| error.to_string())
    };
    let careful = listen(&path, "").unwrap_err();
    assert!(careful.contains("lock=yes"), "{careful}");
    let port = listen(&path, ":lock=yes").unwrap();
    let second = listen(&path, ":lock=yes").unwrap_err();
    assert!(second.contains("holds the lock"), "{second}");
    for options in ["", ":lock=yes"] {
        let wrong = listen(&plain, options).unwrap_err();
        assert!(wrong.contains("no socket"), "{wrong}");
    }
    assert_eq!(std::fs::read(&plain).unwrap(), b"precious");
    drop(port.stop_listening());
    reactor.turn(Some(Duration::ZERO)).unwrap();
    let left: Vec<_> = std::fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn r088_servers_of_streams_and_of_datagrams_do_not_push_each_other_aside() {
    let folder = Folder::new("kinds");
    let mut reactor = reactor();
    let path = folder.0.join("stream");
    let stream = std::os::unix::net::UnixListener::bind(&path).unwrap();
    stream.set_nonblocking(true).unwrap();
    let error = reactor
        .listen_datagram(
            format!("unix-datagram:{}:lock=yes", path.display()).as_str(),
            Echo::default(),
        )
        .unwrap_err();
    assert!(error.to_string().contains("another server"), "{error}");
    let asked = stream.accept().unwrap_err();
    assert_eq!(
        asked.kind(),
        std::io::ErrorKind::WouldBlock,
        "it was disturbed"
    );
}

#[test]
fn r085_an_unconnected_unix_socket_loses_what_a_full_peer_does_not_take() {
    let folder = Folder::new("full");
    let path = folder.0.join("full");
    let _never_read = UnixDatagram::bind(&path).unwrap();
    let mut reactor = reactor();
    let endpoint = format!("unix-datagram:{}", folder.0.join("own").display());
    let port = reactor
        .listen_datagram(endpoint.as_str(), Echo::default())
        .unwrap();
    let peer = UnixAddress::path(&path);
    for _ in 0..4000 {
        port.write_to(b"x", &peer).unwrap();
    }
    turn_until(&mut reactor, || port.unsent() == 0);
    assert!(port.lost() > 0);
}

/// Runs of one length to one peer leave as one packet on Linux; nobody may notice.
#[test]
fn r085_runs_to_one_peer_arrive_as_they_were_written() {
    let mut reactor = reactor();
    for (endpoint, connected) in [
        ("udp:127.0.0.1:0", false),
        ("udp:[::1]:0", false),
        ("udp:127.0.0.1:0", true),
    ] {
        let port = reactor.listen_datagram(endpoint, Echo::default()).unwrap();
        let (one, two) = (peer(&port), peer(&port));
        let own = one.local_addr().unwrap();
        if connected {
            drop(port.connect(own));
        }
        let mut wanted = Vec::new();
        for (len, count) in [
            (64, 70),
            (0, 5),
            (1452, 9),
            (1453, 9),
            (7, 3),
            (8, 4),
            (6, 1),
        ] {
            for number in 0..count {
                let data = vec![number; len];
                port.write_to(&data, own).unwrap();
                wanted.push(data);
            }
            if !connected {
                port.write_to(b"between", two.local_addr().unwrap())
                    .unwrap();
            }
        }
        let mut heard = Vec::new();
        turn_until(&mut reactor, || {
            heard.extend(answers(&one));
            heard.len() >= wanted.len()
        });
        assert!(heard == wanted, "{endpoint}, connected: {connected}");
        let between = answers(&two);
        assert_eq!(between.len(), if connected { 0 } else { 7 });
        assert!(between.iter().all(|data| data == b"between"));
        assert_eq!(port.lost(), 0);
    }
}

/// `EMSGSIZE`: the port itself refuses what is too long for any kernel, so the driver is asked directly.
#[test]
fn r085_what_is_too_long_for_the_kernel_is_lost_and_nothing_else() {
    let mut driver = MioDriver::new().unwrap();
    let datagrams = driver.datagrams().unwrap();
    let bind = Bind::new(Address::Udp(([127, 0, 0, 1], 0).into()));
    let (port, _) = datagrams.bind(&bind).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_nonblocking(true).unwrap();
    let to = Address::Udp(peer.local_addr().unwrap());
    let mut queue = DatagramQueue::default();
    for len in [3, 65_508, 4, 5, 65_508, 65_508, 6] {
        assert!(queue.push(&vec![1; len], Some(&to)));
    }
    assert!(matches!(datagrams.send(port, &mut queue), Sent::Done));
    assert!(queue.is_empty());
    let (lost, why) = queue.take_lost().unwrap();
    assert_eq!((lost, why.raw_os_error()), (3, Some(libc::EMSGSIZE)));
    let lengths: Vec<usize> = answers(&peer).iter().map(Vec::len).collect();
    assert_eq!(lengths, [3, 4, 5, 6]);
}

/// Keeps what it is told of its writing.
#[derive(Clone, Default)]
struct Writer(Rc<RefCell<Vec<&'static str>>>);

impl DatagramProtocol for Writer {
    fn datagram_received(&mut self, _: &DatagramTransport, _: &[u8], _: &Address) {}

    fn writing_paused(&mut self, _: &DatagramTransport) {
        self.0.borrow_mut().push("paused");
    }

    fn writing_resumed(&mut self, _: &DatagramTransport) {
        self.0.borrow_mut().push("resumed");
    }
}

/// `EAGAIN`, and what follows when there is room: on a connected UNIX socket, because the loopback of UDP takes a datagram off
/// its sender's account before `send` returns, and so never is full.
#[test]
fn r085_a_full_socket_blocks_and_all_of_it_leaves_in_order_when_there_is_room() {
    let folder = Folder::new("blocked");
    let path = folder.0.join("slow");
    let slow = UnixDatagram::bind(&path).unwrap();
    slow.set_nonblocking(true).unwrap();
    let mut reactor = reactor();
    let endpoint = format!("unix-datagram:{}", folder.0.join("own").display());
    let (writer, mut buffer) = (Writer::default(), [0; 2]);
    let port = reactor
        .listen_datagram(endpoint.as_str(), writer.clone())
        .unwrap();
    drop(port.connect(UnixAddress::path(&path)));
    for number in 0..2000_u16 {
        port.write(number.to_be_bytes()).unwrap();
    }
    turn_until(&mut reactor, || !writer.0.borrow().is_empty());
    assert_eq!(*writer.0.borrow(), ["paused"]);
    assert!(port.unsent() > 0);
    let mut heard = Vec::new();
    turn_until(&mut reactor, || {
        while slow.recv(&mut buffer).is_ok() {
            heard.push(u16::from_be_bytes(buffer));
        }
        heard.len() == 2000
    });
    assert!(heard.iter().copied().eq(0..2000));
    assert_eq!(*writer.0.borrow(), ["paused", "resumed"]);
    assert_eq!((port.unsent(), port.lost()), (0, 0));
}

/// `EMSGSIZE` as a user meets it: a UNIX datagram longer than the socket's buffer.
#[test]
fn r085_a_unix_datagram_that_no_buffer_holds_is_lost_and_counted() {
    let folder = Folder::new("long");
    let path = folder.0.join("peer");
    let peer = UnixDatagram::bind(&path).unwrap();
    peer.set_nonblocking(true).unwrap();
    let mut reactor = reactor();
    let endpoint = format!("unix-datagram:{}", folder.0.join("own").display());
    let port = reactor
        .listen_datagram(endpoint.as_str(), Echo::default())
        .unwrap();
    let to = UnixAddress::path(&path);
    port.write_to(vec![0; DatagramQueue::MOST_BYTES - 10], &to)
        .unwrap();
    port.write_to(b"short", &to).unwrap();
    let mut buffer = [0; 10];
    turn_until(&mut reactor, || matches!(peer.recv(&mut buffer), Ok(5)));
    assert_eq!((port.unsent(), port.lost()), (0, 1));
}
