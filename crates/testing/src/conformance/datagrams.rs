//! Datagrams: rules 85 to 87, and what a port promises beyond them.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::Bind;
use ropewalk_core::{Address, DatagramError, Reactor};

use super::ear::{Echo, Listener, nobody, open, socket};
use super::script::Script;
use super::{Harness, Stage};
use crate::journal::take_errors;

/// Rule 85: each datagram, an empty one and the longest too, is one callback with the address of its sender.
pub fn r085_each_datagram_comes_whole_with_its_sender(harness: &Harness) {
    const LENGTHS: [usize; 7] = [0, 1, 1400, 8192, 9000, 65_000, 65_507];
    let mut stage = Stage::new(harness);
    let bind = Bind {
        limit_bytes: Bind::LARGEST_LIMIT_BYTES,
        ..Bind::new(Address::Udp(stage.loopback()))
    };
    let server = stage
        .listen_datagram(bind.clone(), Echo)
        .expect("a free port");
    let (listener, heard) = Listener::new();
    let client = stage.listen_datagram(bind, listener).expect("a free port");
    for (count, len) in LENGTHS.into_iter().enumerate() {
        let data: Vec<u8> = (0..len).map(|place| (place % 251) as u8).collect();
        client
            .write_to(&data, server.host())
            .expect("it is not too long");
        stage.wait("the echo", || heard.len() > count);
        let (echo, from) = heard.datagrams.borrow()[count].clone();
        assert!(echo == data, "{len} bytes came back as {}", echo.len());
        assert_eq!(&from, server.host());
    }
}

/// Rule 85: what is longer than the limit is cut.
pub fn r085_a_longer_datagram_is_cut_to_the_limit(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::new();
    let server = open(&mut stage, listener);
    let client = open(&mut stage, Echo);
    assert_eq!(server.limit_bytes(), 8192);
    for len in [8193, 60_000, 5] {
        let before = heard.len();
        client
            .write_to(vec![7; len], server.host())
            .expect("it is not too long");
        stage.wait("a datagram", || heard.len() > before);
    }
    let lengths: Vec<usize> = heard.data().iter().map(Vec::len).collect();
    assert_eq!(lengths, [8192, 8192, 5]);
}

/// Rule 85: a protocol that panics is logged, and its port lives on.
pub fn r085_a_panic_is_logged_and_the_port_lives_on(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::doing(|transport, data| {
        assert!(data != b"panic", "on purpose");
        transport.call_soon(|_: &mut Listener, _| panic!("also on purpose"));
    });
    let server = open(&mut stage, listener);
    let client = open(&mut stage, Echo);
    for data in ["panic", "go on", "panic", "and on"] {
        let before = heard.len();
        client
            .write_to(data, server.host())
            .expect("a short datagram");
        stage.wait("a datagram", || heard.len() > before);
        stage.linger();
    }
    let errors = take_errors();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors.iter().all(|error| error.contains("on purpose")));
    assert!(server.is_open());
}

/// Rule 86: a host name, a wrong family and too long a datagram are errors at once.
pub fn r086_what_cannot_be_sent_is_an_error_at_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let port = open(&mut stage, Echo);
    let error = port.write_to("x", "localhost:9").unwrap_err();
    assert!(
        matches!(&error, DatagramError::HostName(name) if name == "localhost:9"),
        "{error}"
    );
    let other = if harness.loopback.is_ipv4() {
        "[::1]:9"
    } else {
        "127.0.0.1:9"
    };
    let error = port.write_to("x", other).unwrap_err();
    assert!(
        matches!(error, DatagramError::WrongFamily { .. }),
        "{error}"
    );
    assert!(error.to_string().contains(other), "{error}");
    let tcp = Address::Tcp(socket(&port));
    assert!(matches!(
        port.write_to("x", &tcp),
        Err(DatagramError::WrongFamily { .. })
    ));
    let error = port.write_to(vec![0; 65_536], port.host()).unwrap_err();
    assert!(
        matches!(error, DatagramError::TooLong { len: 65_536, .. }),
        "{error}"
    );
    assert!(matches!(
        port.write("x"),
        Err(DatagramError::NotConnected(_))
    ));
    stage
        .wait_for(port.stop_listening())
        .expect("closing does not fail");
    let own = port.host().clone();
    assert!(matches!(
        port.write_to("x", &own),
        Err(DatagramError::Closed(_))
    ));
}

/// Rule 87: that nobody listens there is told on a connected port.
pub fn r087_a_connected_port_is_told_that_nobody_listens(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let nobody = nobody(&mut stage);
    let (listener, heard) = Listener::new();
    let port = open(&mut stage, listener);
    let connecting = port.connect(nobody);
    port.write("is anybody there?").expect("it has a peer");
    stage
        .wait_for(connecting)
        .expect("connecting a datagram port sends nothing");
    stage.wait("the refusal", || heard.refused.get() > 0);
    assert!(port.is_open() && heard.len() == 0);
    port.write("and now?").expect("the port lives on");
    let before = heard.refused.get();
    stage.wait("another refusal", || heard.refused.get() > before);
}

/// Rule 87: and on no other.
pub fn r087_an_unconnected_port_is_not_told(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let nobody = nobody(&mut stage);
    let (listener, heard) = Listener::new();
    let port = open(&mut stage, listener);
    for _ in 0..3 {
        port.write_to("is anybody there?", nobody)
            .expect("an address of its family");
        stage.linger();
    }
    let server = open(&mut stage, Echo);
    port.write_to("here", server.host())
        .expect("an address of its family");
    stage.wait("the echo", || heard.len() == 1);
    assert_eq!(heard.refused.get(), 0);
}

/// Rule 87: a connected port hears its peer only, and reaches no other.
pub fn r087_a_connected_port_has_one_peer(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let server = open(&mut stage, Echo);
    let stranger = open(&mut stage, Echo);
    let (listener, heard) = Listener::new();
    let port = open(&mut stage, listener);
    stage
        .wait_for(port.connect(server.host()))
        .expect("an address of its family");
    assert_eq!(port.peer().as_deref(), Some(server.host()));
    stranger
        .write_to("listen to me", port.host())
        .expect("an address of its family");
    stage.linger();
    port.write("one").expect("it has a peer");
    port.write_to("two", server.host())
        .expect("that is its peer");
    stage.wait("two echoes", || heard.len() == 2);
    assert_eq!(heard.data(), [b"one", b"two"]);
    let error = port.write_to("x", stranger.host()).unwrap_err();
    assert!(matches!(error, DatagramError::Connected(_)), "{error}");
    let again = stage.wait_for(port.connect(stranger.host())).unwrap_err();
    assert!(again.is::<DatagramError>(), "{again}");
}

/// A quiet network keeps the order, within a batch and beyond it.
pub fn r085_datagrams_come_in_order_where_none_is_lost(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::new();
    let server = open(&mut stage, listener);
    let client = open(&mut stage, Echo);
    let wanted: Vec<Vec<u8>> = (0..200_u8)
        .map(|number| vec![number; usize::from(number) % 7])
        .collect();
    for chunk in wanted.chunks(50) {
        let before = heard.len();
        for data in chunk {
            client
                .write_to(data, server.host())
                .expect("a short datagram");
        }
        stage.wait("the datagrams", || heard.len() == before + chunk.len());
    }
    assert_eq!(heard.data(), wanted);
}

/// A port that is paused is told nothing, not even the rest of a batch, and everything afterwards.
pub fn r085_a_paused_port_is_told_nothing(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::doing(|transport, _| transport.pause_reading());
    let server = open(&mut stage, listener);
    let client = open(&mut stage, Echo);
    for number in 0..10 {
        client
            .write_to([number], server.host())
            .expect("a short datagram");
    }
    for number in 0..10 {
        stage.wait("a datagram", || heard.len() == number + 1);
        stage.linger();
        assert_eq!(heard.len(), number + 1);
        server.resume_reading();
    }
    assert_eq!(
        heard.data(),
        (0..10).map(|number| vec![number]).collect::<Vec<_>>()
    );
}

/// A protocol is started once, stopped once, and told nothing after it asked for that.
pub fn r085_a_protocol_is_started_and_stopped_once(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::doing(|transport, _| drop(transport.stop_listening()));
    let server = open(&mut stage, listener);
    let client = open(&mut stage, Echo);
    for _ in 0..5 {
        client
            .write_to("x", server.host())
            .expect("a short datagram");
    }
    stage.wait("the end", || heard.life.borrow().len() == 2);
    stage.linger();
    stage
        .wait_for(server.stop_listening())
        .expect("to stop twice is harmless");
    assert_eq!(*heard.life.borrow(), ["start", "stop"]);
    assert_eq!(heard.len(), 1);
}

/// Rule 45: a closed port's address is free at once, and a busy one is an error that names it.
pub fn r045_a_closed_datagram_port_can_be_had_again(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, _) = Listener::new();
    let first = open(&mut stage, listener);
    let address = socket(&first);
    let error = stage
        .listen_datagram(address, Echo)
        .expect_err("it is busy");
    assert!(
        error.to_string().contains(&first.host().to_string()),
        "{error}"
    );
    stage
        .wait_for(first.stop_listening())
        .expect("closing does not fail");
    assert!(!first.is_open());
    let again = stage.listen_datagram(address, Echo).expect("it is free");
    assert_eq!(again.host(), first.host());
}

/// Rule 9: a reactor that stops closes its ports.
pub fn r009_a_stop_closes_datagram_ports(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::new();
    open(&mut stage, listener);
    let reactor: &Reactor = &stage;
    reactor.call_when_running(|handle| handle.stop().expect("it runs"));
    stage.run();
    assert_eq!(*heard.life.borrow(), ["start", "stop"]);
}

/// A flood on a port does not keep a stream from its turn.
pub fn r085_a_flooded_port_starves_nobody(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let flooded = open(&mut stage, Echo);
    // Answers go back and forth for ever, so there is always more.
    let partner = open(&mut stage, Echo);
    for number in 0..100 {
        partner
            .write_to([number], flooded.host())
            .expect("a short datagram");
    }
    let (_, client) = stage.pair(Script::echo(), Script::new());
    for number in 1..=20 {
        client.transport().write("x");
        stage.wait("the echo of the stream", || client.received() == number);
    }
    for port in [flooded, partner] {
        stage
            .wait_for(port.stop_listening())
            .expect("closing does not fail");
    }
}

/// The protocol is lent to closures, until its port is closed.
pub fn closures_are_lent_the_protocol_of_a_port(harness: &Harness) {
    let mut stage = Stage::new(harness);
    let (listener, heard) = Listener::new();
    let port = open(&mut stage, listener);
    let told = Rc::new(RefCell::new(BTreeSet::new()));
    for (name, delay) in [("soon", 1), ("late", 1000)] {
        let told = Rc::clone(&told);
        port.call_later(
            Duration::from_millis(delay),
            move |this: &mut Listener, _| {
                this.heard.life.borrow_mut().push("lent");
                told.borrow_mut().insert(name);
            },
        );
    }
    stage.wait("the first", || told.borrow().contains("soon"));
    let name = stage.resolve("127.0.0.1");
    port.when(name, |this: &mut Listener, _, result| {
        assert!(result.is_ok());
        this.heard.life.borrow_mut().push("when");
    });
    stage.wait("the result", || heard.life.borrow().last() == Some(&"when"));
    stage
        .wait_for(port.stop_listening())
        .expect("closing does not fail");
    stage.pass(Duration::from_millis(1100));
    assert_eq!(*heard.life.borrow(), ["start", "lent", "when", "stop"]);
}
