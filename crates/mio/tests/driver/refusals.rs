//! Datagrams that nobody took, as Linux tells it.

use std::net::UdpSocket;
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{
    Bind, ConnId, DatagramQueue, Datagrams, Demand, Driver, Event, Handler, PortId, Sent,
};
use ropewalk_mio::MioDriver;

/// Pauses a port with its first datagram and wants it closed with the second.
#[derive(Default)]
struct Closing {
    heard: Vec<String>,
}

impl Handler for Closing {
    fn event(&mut self, event: Event<'_>) -> Demand {
        self.heard.push(format!("{event:?}"));
        match event {
            Event::Datagram { data, .. } if *data == *b"pauses" => Demand::Pause,
            Event::Datagram { .. } => Demand::Close,
            _ => Demand::Continue,
        }
    }

    fn flush(&mut self, _: ConnId, _: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) -> Demand {
        Demand::Continue
    }

    fn flush_datagrams(
        &mut self,
        _: PortId,
        _: &mut dyn FnMut(&mut DatagramQueue) -> Sent,
    ) -> Demand {
        Demand::Continue
    }
}

#[test]
fn a_port_that_is_closed_by_a_datagram_hears_no_refusal_after_it() {
    let mut driver = MioDriver::new().unwrap();
    let loopback = Address::Udp("127.0.0.1:0".parse().unwrap());
    let (port, host) = Datagrams::bind(&mut driver, &Bind::new(loopback)).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let there = Address::Udp(peer.local_addr().unwrap());
    Datagrams::connect(&mut driver, port, &there).unwrap();
    let mut closing = Closing::default();
    let mut turn = |driver: &mut MioDriver| {
        let patience = Some(Duration::from_millis(1));
        Driver::poll(driver, patience, &mut closing).unwrap();
    };
    for data in [b"pauses", b"closes"] {
        peer.send_to(data, host.socket().unwrap()).unwrap();
        turn(&mut driver);
    }
    let send = |driver: &mut MioDriver| {
        let mut queue = DatagramQueue::default();
        assert!(queue.push(b"refused", None));
        let _ = Datagrams::send(driver, port, &mut queue);
    };
    drop(peer);
    send(&mut driver);
    // That the first was refused is found by the second, which is not.
    let _peer = UdpSocket::bind(there.socket().unwrap()).unwrap();
    send(&mut driver);
    Datagrams::resume(&mut driver, port);
    turn(&mut driver);
    turn(&mut driver);
    assert_eq!(closing.heard.len(), 2, "{:?}", closing.heard);
}
