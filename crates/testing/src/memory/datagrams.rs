//! Datagram ports of the memory driver: what they receive and what becomes of what they send is the test's to say.

use std::collections::VecDeque;
use std::io;

use ropewalk_core::Address;
use ropewalk_core::driver::{
    Bind, DatagramOption, DatagramQueue, Datagrams, Demand, Event, Handler, PortId, Sent,
};
use ropewalk_core::slots::Key;

use super::{Memory, MemoryDriver};

/// One port, as the test sees it.
#[derive(Default)]
pub(crate) struct Port {
    limit_bytes: usize,
    arriving: VecDeque<PortArrival>,
    sent: Vec<(Vec<u8>, Address)>,
    peer: Option<Address>,
    blocked: bool,
    wants_room: bool,
    paused: bool,
    closed: bool,
}

/// What comes next to a port.
pub(crate) enum PortArrival {
    Datagram(Vec<u8>, Address),
    Refused,
}

impl Memory {
    pub(crate) fn arrive_at_port(&self, arrival: PortArrival) {
        self.with_port(|port| port.arriving.push_back(arrival));
    }

    pub(crate) fn take_datagrams(&self) -> Vec<(Vec<u8>, Address)> {
        self.with_port(|port| std::mem::take(&mut port.sent))
    }

    pub(crate) fn block_port(&self, blocked: bool) {
        self.with_port(|port| port.blocked = blocked);
    }

    pub(crate) fn is_port_closed(&self) -> bool {
        self.with_port(|port| port.closed)
    }

    /// The latest port.
    fn with_port<R>(&self, look: impl FnOnce(&mut Port) -> R) -> R {
        let mut state = self.state();
        let port = state.ports.last_mut();
        look(port.expect("the harness opens a port before it looks"))
    }
}

impl Port {
    pub(super) fn has_news(&self) -> bool {
        let comes = !self.paused && !self.arriving.is_empty();
        !self.closed && (comes || self.wants_room && !self.blocked)
    }

    fn send(&mut self, queue: &mut DatagramQueue) -> Sent {
        if self.blocked && !queue.is_empty() {
            self.wants_room = true;
            return Sent::Blocked;
        }
        for (data, peer) in queue.iter() {
            let peer = peer.or(self.peer.as_ref()).cloned();
            self.sent.extend(peer.map(|peer| (data.to_vec(), peer)));
        }
        queue.clear();
        Sent::Done
    }
}

impl MemoryDriver {
    /// Tells what each port has.
    pub(super) fn tell_ports(&mut self, handler: &mut dyn Handler) {
        let count = self.0.state().ports.len();
        for place in 0..count {
            let port = name(place);
            while self.0.state().ports[place].has_news() {
                self.tell_port(port, handler);
            }
        }
    }

    fn tell_port(&mut self, port: PortId, handler: &mut dyn Handler) {
        let has_room = self.port(port, |it| !it.blocked && std::mem::take(&mut it.wants_room));
        let demand = if has_room {
            handler.event(Event::DatagramsWritable { port })
        } else {
            match self.port(port, |it| it.arriving.pop_front()) {
                None => return,
                Some(PortArrival::Refused) => {
                    let error = io::ErrorKind::ConnectionRefused.into();
                    handler.event(Event::DatagramsRefused { port, error })
                }
                Some(PortArrival::Datagram(mut data, peer)) => {
                    data.truncate(self.port(port, |it| it.limit_bytes));
                    let (peer, data) = (&peer, &mut data[..]);
                    handler.event(Event::Datagram { port, peer, data })
                }
            }
        };
        self.obey_port(port, demand);
        let memory = self.0.clone();
        let demand = handler.flush_datagrams(port, &mut |queue| {
            memory.state().ports[port.0.index() as usize].send(queue)
        });
        self.obey_port(port, demand);
    }

    fn obey_port(&mut self, port: PortId, demand: Demand) {
        match demand {
            Demand::Continue => {}
            Demand::Pause => Datagrams::pause(self, port),
            Demand::Close => Datagrams::close(self, port),
        }
    }

    fn port<R>(&self, port: PortId, look: impl FnOnce(&mut Port) -> R) -> R {
        look(&mut self.0.state().ports[port.0.index() as usize])
    }
}

fn name(place: usize) -> PortId {
    let place = u32::try_from(place).expect("a test has fewer than 2^32 ports");
    PortId(Key::new(place, 0))
}

impl Datagrams for MemoryDriver {
    fn bind(&mut self, bind: &Bind) -> io::Result<(PortId, Address)> {
        let mut state = self.0.state();
        state.ports.push(Port {
            limit_bytes: bind.limit_bytes,
            ..Port::default()
        });
        Ok((name(state.ports.len() - 1), bind.address.clone()))
    }

    fn close(&mut self, port: PortId) {
        self.port(port, |it| it.closed = true);
    }

    fn send(&mut self, port: PortId, queue: &mut DatagramQueue) -> Sent {
        self.port(port, |it| it.send(queue))
    }

    fn connect(&mut self, port: PortId, peer: &Address) -> io::Result<()> {
        self.port(port, |it| it.peer = Some(peer.clone()));
        Ok(())
    }

    fn set_option(&mut self, _port: PortId, _option: &DatagramOption) -> io::Result<()> {
        Ok(())
    }

    fn pause(&mut self, port: PortId) {
        self.port(port, |it| it.paused = true);
    }

    fn resume(&mut self, port: PortId) {
        self.port(port, |it| it.paused = false);
    }
}
