//! Datagram protocols for rules: one that answers, and one that keeps what it hears.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use ropewalk_core::{Address, DatagramProtocol, DatagramTransport};

use super::Stage;

/// Answers every datagram.
pub(super) struct Echo;

impl DatagramProtocol for Echo {
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        transport
            .write_to(data, peer)
            .expect("the peer's own address");
    }
}

/// Its bytes and its sender.
type Datagram = (Vec<u8>, Address);

type OnDatagram = Box<dyn FnMut(&DatagramTransport, &[u8])>;

/// What a [`Listener`] was told. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Heard {
    pub(super) datagrams: Rc<RefCell<Vec<Datagram>>>,
    pub(super) refused: Rc<Cell<usize>>,
    pub(super) life: Rc<RefCell<Vec<&'static str>>>,
}

impl Heard {
    pub(super) fn len(&self) -> usize {
        self.datagrams.borrow().len()
    }

    pub(super) fn data(&self) -> Vec<Vec<u8>> {
        let datagrams = self.datagrams.borrow();
        datagrams.iter().map(|(data, _)| data.clone()).collect()
    }

    pub(super) fn has(&self, data: &[u8]) -> bool {
        self.data().iter().any(|heard| heard == data)
    }
}

/// Keeps what it is told, and does what a rule wants on each datagram.
pub(super) struct Listener {
    pub(super) heard: Heard,
    on_datagram: OnDatagram,
}

impl Listener {
    pub(super) fn new() -> (Self, Heard) {
        Self::doing(|_, _| {})
    }

    pub(super) fn doing(
        on_datagram: impl FnMut(&DatagramTransport, &[u8]) + 'static,
    ) -> (Self, Heard) {
        let heard = Heard::default();
        let listener = Self {
            heard: heard.clone(),
            on_datagram: Box::new(on_datagram),
        };
        (listener, heard)
    }
}

impl DatagramProtocol for Listener {
    fn start_protocol(&mut self, _: &DatagramTransport) {
        self.heard.life.borrow_mut().push("start");
    }
    fn datagram_received(&mut self, transport: &DatagramTransport, data: &[u8], peer: &Address) {
        let datagram = (data.to_vec(), peer.clone());
        self.heard.datagrams.borrow_mut().push(datagram);
        (self.on_datagram)(transport, data);
    }
    fn connection_refused(&mut self, _: &DatagramTransport, error: &io::Error) {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        self.heard.refused.set(self.heard.refused.get() + 1);
    }
    fn stop_protocol(&mut self, _: &DatagramTransport) {
        self.heard.life.borrow_mut().push("stop");
    }
}

#[track_caller]
pub(super) fn open(stage: &mut Stage, protocol: impl DatagramProtocol) -> DatagramTransport {
    let loopback = stage.loopback();
    stage
        .listen_datagram(loopback, protocol)
        .expect("a free port of the loopback can be had")
}

pub(super) fn socket(port: &DatagramTransport) -> SocketAddr {
    port.host()
        .socket()
        .expect("a UDP port has a socket address")
}

/// An address of UDP where nobody is.
pub(super) fn nobody(stage: &mut Stage) -> SocketAddr {
    let port = open(stage, Echo);
    stage
        .wait_for(port.stop_listening())
        .expect("closing does not fail");
    socket(&port)
}
