//! `WrappingFactory` and `Protocol::wrapped` by R124.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::{
    ConnectError, Connector, Factory, Limits, Producer, Protocol, Reason, Transport,
};
use ropewalk_protocols::WrappingFactory;
use ropewalk_testing::StringTransport;

use crate::net::Net;

type Log = Rc<RefCell<Vec<String>>>;

/// Writes down everything that it is told.
struct Inner(Log);

impl Inner {
    fn note(&self, what: &str) {
        self.0.borrow_mut().push(what.into());
    }
}

impl Protocol for Inner {
    fn connection_made(&mut self, transport: &Transport) {
        self.note(&format!("made {} {}", transport.host(), transport.peer()));
        transport.set_timeout(Some(Duration::from_secs(5)));
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.note(&format!("data {}", data.escape_ascii()));
        match data {
            b"half" => transport.lose_write_connection(),
            b"pause" => {
                transport.pause_reading();
                let soon = Duration::from_secs(1);
                transport.call_later(soon, |this: &mut Self, transport| {
                    this.note("lent");
                    transport.resume_reading();
                });
            }
            b"fill" => transport.write([0; 100]),
            _ => {}
        }
    }
    fn eof_received(&mut self, _: &Transport) {
        self.note("eof");
    }
    fn write_connection_lost(&mut self, _: &Transport) {
        self.note("write lost");
    }
    fn writing_paused(&mut self, _: &Transport) {
        self.note("writing paused");
    }
    fn writing_resumed(&mut self, _: &Transport) {
        self.note("writing resumed");
    }
    fn reading_resumed(&mut self, _: &Transport) {
        self.note("reading resumed");
    }
    fn timed_out(&mut self, transport: &Transport) {
        self.note("timed out");
        transport.lose_connection();
    }
    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.note(&format!("lost {reason}"));
    }
}

/// Changes nothing.
struct Wrapper(Box<dyn Protocol>);

impl Protocol for Wrapper {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.data_received(transport, data);
    }
    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        Some(&mut *self.0)
    }
}

fn wrapped_twice(log: &Log) -> impl Factory + use<> {
    let log = log.clone();
    WrappingFactory::new(
        WrappingFactory::new(move || Inner(log.clone()), Wrapper),
        Wrapper,
    )
}

#[test]
fn r124_every_callback_and_lent_closure_passes_through() {
    let log = Log::default();
    let limits = Limits {
        high_water_bytes: 50,
        ..Limits::default()
    };
    let mut peer = StringTransport::builder()
        .limits(limits)
        .factory(wrapped_twice(&log));
    peer.receive("pause");
    peer.advance(Duration::from_secs(1));
    peer.block_sending();
    peer.receive("fill");
    peer.unblock_sending();
    peer.receive("half");
    peer.advance(Duration::from_secs(5));
    let expected = [
        "made tcp:192.0.2.1:8000 tcp:192.0.2.2:54321",
        "data pause",
        "lent",
        "reading resumed",
        "data fill",
        "writing paused",
        "writing resumed",
        "data half",
        "write lost",
        "timed out",
        "lost closed cleanly",
    ];
    assert_eq!(*log.borrow(), expected);
}

#[test]
fn r124_the_end_of_the_peer_passes_through() {
    let log = Log::default();
    let mut peer = StringTransport::builder().factory(wrapped_twice(&log));
    peer.eof();
    assert_eq!(log.borrow().last().unwrap(), "eof");
    assert!(!peer.is_disconnecting(), "the inner protocol decides");
}

#[test]
fn r124_producers_pass_through() {
    struct Three(u32);
    impl Producer for Three {
        fn resume_producing(&mut self, transport: &Transport) {
            self.0 -= 1;
            transport.write(self.0.to_string());
            if self.0 == 0 {
                transport.unregister_producer();
            }
        }
    }
    struct Starter;
    impl Protocol for Starter {
        fn connection_made(&mut self, transport: &Transport) {
            transport.register_producer(Three(3), false).unwrap();
        }
        fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    }
    let mut peer = StringTransport::builder().factory(WrappingFactory::new(|| Starter, Wrapper));
    assert_eq!(peer.take_sent(), b"210");
}

/// Writes down what factories are told.
struct Told(Log, bool);

impl Told {
    fn note(&self, what: &str) {
        self.0.borrow_mut().push(what.into());
    }
}

impl Factory for Told {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        self.note("build");
        self.1
            .then(|| Box::new(ropewalk_protocols::wire::Qotd::new("")) as Box<dyn Protocol>)
    }
    fn connected(&mut self, _: &Transport) {
        self.note("connected");
    }
    fn start_factory(&mut self) {
        self.note("start");
    }
    fn stop_factory(&mut self) {
        self.note("stop");
    }
    fn started_connecting(&mut self, _: &Connector) {
        self.note("started connecting");
    }
    fn connection_failed(&mut self, _: &Connector, error: ConnectError) {
        self.note(&format!("failed: {error}"));
    }
    fn connection_lost(&mut self, _: &Connector, reason: &Reason) {
        self.note(&format!("lost: {reason}"));
    }
}

fn told_of_a_client(listens: bool, builds: bool) -> Vec<String> {
    let (mut net, log) = (Net::new(124), Log::default());
    if listens {
        net.listen(|| ropewalk_protocols::wire::Echo);
    }
    let factory = WrappingFactory::new(Told(log.clone(), builds), Wrapper);
    net.reactor.connect("tcp:10.0.0.1:7000", factory).unwrap();
    net.run_for(Duration::from_secs(1));
    log.take()
}

#[test]
fn r124_the_callbacks_of_a_client_factory_pass_through() {
    assert_eq!(
        told_of_a_client(true, true),
        [
            "start",
            "started connecting",
            "build",
            "connected",
            "lost: closed cleanly",
            "stop"
        ]
    );
    let failed = told_of_a_client(false, true);
    assert_eq!(failed[..2], ["start", "started connecting"]);
    assert!(
        failed[2].starts_with("failed: cannot connect to tcp:10.0.0.1:7000"),
        "{failed:?}"
    );
    assert_eq!(failed[3..], ["stop"]);
}

#[test]
fn r124_a_factory_that_builds_nothing_may_be_wrapped() {
    let told = told_of_a_client(true, false);
    assert!(
        told[3].starts_with("failed") && told[3].ends_with("no protocol"),
        "{told:?}"
    );
}
