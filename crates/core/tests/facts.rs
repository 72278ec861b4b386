//! What layers find out reaches the protocol before anything else does.

use std::cell::RefCell;
use std::rc::Rc;

use ropewalk_core::layer::LayerError;
use ropewalk_core::{Address, Factory, Facts, Layer, Protocol, Reactor, Transport};
use ropewalk_sim::SimDriver;

/// Opens with the first byte, which is the last byte of the true peer's address.
#[derive(Default)]
struct Forwarded(Option<u8>);

#[derive(Debug, PartialEq)]
struct Told(u8);

impl Layer for Forwarded {
    fn name(&self) -> &'static str {
        "forwarded"
    }
    fn is_open(&self) -> bool {
        self.0.is_some()
    }
    fn facts(&self, facts: &mut Facts) {
        let last = self.0.unwrap_or_default();
        facts.set_peer(Address::Tcp(([192, 0, 2, last], 7).into()));
        facts.add(Told(0));
        facts.add(Told(last));
    }
    fn receive(
        &mut self,
        data: &mut [u8],
        up: &mut dyn FnMut(&mut [u8]),
        _down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        let header = usize::from(self.0.is_none());
        self.0.get_or_insert(data[0]);
        up(&mut data[header..]);
        Ok(())
    }
    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) {
        down.extend_from_slice(data);
    }
}

type Seen = Rc<RefCell<Vec<String>>>;

struct Witness(Seen);

impl Protocol for Witness {
    fn connection_made(&mut self, transport: &Transport) {
        let told = transport.fact::<Told>();
        let line = format!("{} {told:?} {:?}", transport.peer(), transport.fact::<u8>());
        self.0.borrow_mut().push(line);
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.0.borrow_mut().push(format!("{data:?}"));
        transport.lose_connection();
    }
}

struct Behind(Seen);

impl Factory for Behind {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.0
            .borrow_mut()
            .push(format!("for {}", transport.peer()));
        Some(Box::new(Witness(Rc::clone(&self.0))))
    }
    fn layers(&mut self, _: &Address) -> Vec<Box<dyn Layer>> {
        vec![Box::new(Forwarded::default())]
    }
}

struct Caller;

impl Protocol for Caller {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write([9, 1, 2]);
    }
    fn data_received(&mut self, _: &Transport, _: &[u8]) {}
    fn connection_lost(&mut self, transport: &Transport, _: &ropewalk_core::Reason) {
        let _ = transport.reactor().stop();
    }
}

#[test]
fn factory_and_protocol_see_the_forwarded_peer_and_typed_facts() {
    let seen = Seen::default();
    let mut reactor = Reactor::new(SimDriver::alone(1));
    let port = reactor
        .listen("tcp:127.0.0.1:0", Behind(Rc::clone(&seen)))
        .unwrap();
    reactor.connect(port.host(), || Caller).unwrap();
    reactor.run().unwrap();
    let expected = [
        "for tcp:192.0.2.9:7",
        "tcp:192.0.2.9:7 Some(Told(9)) None",
        "[1, 2]",
    ];
    assert_eq!(*seen.borrow(), expected);
}
