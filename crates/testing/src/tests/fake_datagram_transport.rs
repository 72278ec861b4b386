//! The fake port behaves like a port.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::driver::DatagramQueue;
use ropewalk_core::{Address, DatagramError, DatagramProtocol, DatagramTransport};

use crate::FakeDatagramTransport;

#[derive(Clone, Default)]
struct Diary(Rc<RefCell<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.0.borrow_mut().push(line.into());
    }
    fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

impl DatagramProtocol for Diary {
    fn start_protocol(&mut self, transport: &DatagramTransport) {
        self.note("start");
        transport.call_later(Duration::from_secs(1), |this: &mut Self, _| {
            this.note("later");
        });
    }
    fn datagram_received(&mut self, _: &DatagramTransport, data: &[u8], peer: &Address) {
        self.note(format!("{} from {peer}", String::from_utf8_lossy(data)));
    }
    fn connection_refused(&mut self, _: &DatagramTransport, error: &io::Error) {
        self.note(error.to_string());
    }
    fn writing_paused(&mut self, _: &DatagramTransport) {
        self.note("paused");
    }
    fn writing_resumed(&mut self, transport: &DatagramTransport) {
        self.note("resumed");
        transport.write_to("at last", "192.0.2.9:9").unwrap();
    }
    fn stop_protocol(&mut self, _: &DatagramTransport) {
        self.note("stop");
    }
}

#[test]
fn a_port_lives_from_start_to_stop() {
    let diary = Diary::default();
    let mut port = FakeDatagramTransport::new(diary.clone());
    port.receive("hello", "192.0.2.2:5");
    port.advance(Duration::from_secs(1));
    port.refuse();
    let wanted = ["start", "hello from udp:192.0.2.2:5", "later"];
    assert_eq!(diary.take(), wanted, "refusals are for connected ports");
    drop(port.transport().connect("192.0.2.2:5"));
    port.transport().write("connected").unwrap();
    let sent = port.take_sent();
    assert_eq!(sent[0].1.to_string(), "udp:192.0.2.2:5");
    port.refuse();
    drop(port.transport().stop_listening());
    port.settle();
    port.receive("too late", "192.0.2.2:5");
    assert_eq!(diary.take(), ["connection refused", "stop"]);
    assert!(port.is_closed());
}

#[test]
fn what_finds_the_queue_full_is_dropped_and_counted() {
    let diary = Diary::default();
    let mut port = FakeDatagramTransport::new(diary.clone());
    port.block_sending();
    let write = |port: &FakeDatagramTransport| port.transport().write_to([7; 1], "192.0.2.2:5");
    write(&port).unwrap();
    port.settle();
    assert_eq!(diary.take(), ["start", "paused"]);
    for _ in 1..DatagramQueue::MOST_DATAGRAMS {
        write(&port).unwrap();
    }
    let error = write(&port).unwrap_err();
    assert!(
        matches!(error, DatagramError::Full { waiting: 4096, .. }),
        "{error}"
    );
    assert_eq!(
        (port.transport().lost(), port.transport().unsent()),
        (1, 4096)
    );
    port.allow_sending();
    let sent = port.take_sent();
    assert_eq!(sent.len(), 4097);
    assert_eq!(sent[4096].0, b"at last");
    assert_eq!(diary.take(), ["resumed"]);
}
