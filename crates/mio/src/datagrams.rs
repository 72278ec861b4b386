//! Every datagram port of a driver, and what happens to each when it is ready.
//!
//! ```text
//!   event ─► Writable? ─► batch ─► Datagram, Datagram, … ─► flush ─► next batch while the last one was full
//!                           │
//!            budget used up ┴─► list: served in the next poll, after the others
//! ```

use std::io;

use ropewalk_core::address::Address;
use ropewalk_core::driver::{
    Bind, DatagramOption, DatagramQueue, Datagrams, Demand, Event, PortId, Sent,
};
use ropewalk_core::slots::{Key, Slots};

use crate::batch::Batch;
use crate::datagram_port::{Port, Socket, is_refusal};
use crate::driver::MioDriver;
use crate::multicast;
use crate::sockets::Turn;
use crate::stream::Readiness;
use crate::token::Target;

/// How many full batches one port may deliver before the others have their turn, so that a flood starves nobody.
const BATCHES_PER_TURN: usize = 4;

#[derive(Default)]
pub(crate) struct DatagramPorts {
    ports: Slots<Port>,
    /// Those that want to be served without an edge; a key may be stale.
    list: Vec<Key>,
    /// Receive memory, from the first port on.
    batch: Option<Batch>,
}

impl DatagramPorts {
    /// Whether something is to be done without waiting for the kernel.
    pub(crate) fn has_work(&self) -> bool {
        !self.list.is_empty()
    }

    /// Serves those that are listed, once each.
    pub(crate) fn serve_list(&mut self, turn: &mut Turn<'_>) {
        let listed = self.list.len();
        for position in 0..listed {
            let key = self.list[position];
            if let Some(port) = self.ports.get_mut(key) {
                port.listed = false;
                self.serve(key, Readiness::default(), turn);
            }
        }
        self.list.drain(..listed);
    }

    /// Does what a readiness event calls for.
    pub(crate) fn serve(&mut self, key: Key, readiness: Readiness, turn: &mut Turn<'_>) {
        let Some(port) = self.ports.get_mut(key) else {
            return;
        };
        port.unread |= readiness.readable;
        let batch = self.batch.get_or_insert_default();
        let mut service = Service {
            id: PortId(key),
            port,
            batch,
            turn,
        };
        let demand = service.serve(readiness.writable);
        if demand == Demand::Close {
            self.ports.remove(key);
        } else {
            self.list(key);
        }
    }

    /// Lists a port that has work left.
    fn list(&mut self, key: Key) {
        if let Some(port) = self.ports.get_mut(key)
            && port.has_work()
            && !port.listed
        {
            port.listed = true;
            self.list.push(key);
        }
    }

    fn get_mut(&mut self, port: PortId) -> io::Result<&mut Port> {
        self.ports
            .get_mut(port.0)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

/// One port having its turn.
struct Service<'a, 'b> {
    id: PortId,
    port: &'a mut Port,
    batch: &'a mut Batch,
    turn: &'a mut Turn<'b>,
}

impl Service<'_, '_> {
    /// Nothing is told of a port after one of its events closed it.
    fn serve(&mut self, writable: bool) -> Demand {
        if writable
            && std::mem::take(&mut self.port.blocked)
            && self.tell(Event::DatagramsWritable { port: self.id }) == Demand::Close
        {
            return Demand::Close;
        }
        if self.deliver_kept() == Demand::Close {
            return Demand::Close;
        }
        for _ in 0..BATCHES_PER_TURN {
            if !self.port.wants_read() {
                break;
            }
            if self.read() == Demand::Close {
                return Demand::Close;
            }
        }
        match self.port.refused.take() {
            Some(error) => self.refused(error),
            None => Demand::Continue,
        }
    }

    /// One batch, and the answers to it.
    fn read(&mut self) -> Demand {
        match self.batch.receive(&self.port.socket, self.port.limit) {
            Ok(emptied) => self.port.unread = !emptied || self.port.connected,
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => return Demand::Continue,
                io::ErrorKind::WouldBlock => {
                    self.port.unread = false;
                    return Demand::Continue;
                }
                _ => return self.refused(error),
            },
        }
        for index in 0..self.batch.len() {
            let (peer, data) = self.batch.get_mut(index);
            let port = self.id;
            match self
                .turn
                .handler
                .event(Event::Datagram { port, peer, data })
            {
                Demand::Continue => {}
                Demand::Pause => {
                    self.port.paused = true;
                    self.keep_from(index + 1);
                    break;
                }
                Demand::Close => return Demand::Close,
            }
        }
        self.flush()
    }

    /// The rest of a batch whose port wants no more for now. There is room: a batch is a quarter of what a queue holds.
    fn keep_from(&mut self, first: usize) {
        for index in first..self.batch.len() {
            let (peer, data) = self.batch.get_mut(index);
            if !self.port.kept.push(data, Some(peer)) {
                tracing::warn!("more datagrams in a batch than can be kept");
            }
        }
    }

    fn deliver_kept(&mut self) -> Demand {
        while !self.port.paused && !self.port.kept.is_empty() {
            let Some((data, Some(peer))) = self.port.kept.iter().next() else {
                break;
            };
            let (mut data, peer) = (data.to_vec(), peer.clone());
            self.port.kept.remove(1);
            let port = self.id;
            let event = Event::Datagram {
                port,
                peer: &peer,
                data: &mut data,
            };
            if self.tell(event) == Demand::Close {
                return Demand::Close;
            }
        }
        Demand::Continue
    }

    /// An error that the socket had for us. On a port without a peer nobody knows what it is about.
    fn refused(&mut self, error: io::Error) -> Demand {
        if self.port.connected && is_refusal(&error) {
            let port = self.id;
            return self.tell(Event::DatagramsRefused { port, error });
        }
        tracing::debug!(%error, "cannot receive a datagram");
        Demand::Continue
    }

    fn tell(&mut self, event: Event<'_>) -> Demand {
        let demand = self.turn.handler.event(event);
        self.port.paused |= demand == Demand::Pause;
        match demand {
            Demand::Close => demand,
            _ => self.flush(),
        }
    }

    fn flush(&mut self) -> Demand {
        let Self { id, port, turn, .. } = self;
        let (registry, token) = (turn.registry, Target::Datagrams(id.0).token());
        let demand = turn
            .handler
            .flush_datagrams(*id, &mut |queue| port.send(queue, registry, token));
        port.paused |= demand == Demand::Pause;
        demand
    }
}

impl Datagrams for MioDriver {
    fn bind(&mut self, bind: &Bind) -> io::Result<(PortId, Address)> {
        let (port, address) = Port::open(bind)?;
        let key = self.datagrams.ports.insert(port);
        let registry = self.poll.registry();
        if let Some(port) = self.datagrams.ports.get_mut(key)
            && let Err(error) = port.register(registry, Target::Datagrams(key).token())
        {
            self.datagrams.ports.remove(key);
            return Err(error);
        }
        Ok((PortId(key), address))
    }

    fn close(&mut self, port: PortId) {
        self.datagrams.ports.remove(port.0);
    }

    fn send(&mut self, id: PortId, queue: &mut DatagramQueue) -> Sent {
        let registry = self.poll.registry();
        let sent = match self.datagrams.get_mut(id) {
            Ok(port) => port.send(queue, registry, Target::Datagrams(id.0).token()),
            Err(error) => return Sent::Failed(error),
        };
        self.datagrams.list(id.0);
        sent
    }

    fn connect(&mut self, port: PortId, peer: &Address) -> io::Result<()> {
        self.datagrams.get_mut(port)?.connect(peer)
    }

    fn set_option(&mut self, port: PortId, option: &DatagramOption) -> io::Result<()> {
        match &self.datagrams.get_mut(port)?.socket {
            Socket::Udp(socket, family) => {
                let is_v4 = *family == crate::batch::Family::V4;
                multicast::set_option(&socket2::SockRef::from(socket), is_v4, option)
            }
            Socket::Unix(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a UNIX socket has no such option",
            )),
        }
    }

    fn pause(&mut self, port: PortId) {
        if let Ok(port) = self.datagrams.get_mut(port) {
            port.paused = true;
        }
    }

    fn resume(&mut self, port: PortId) {
        if let Ok(it) = self.datagrams.get_mut(port) {
            it.paused = false;
            self.datagrams.list(port.0);
        }
    }
}
