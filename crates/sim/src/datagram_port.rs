//! A simulated datagram socket: its address, what came to it, and which of a host's ports a datagram is for.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use ropewalk_core::Address;
use ropewalk_core::driver::{Bind, DatagramOption, Interface, PortId};
use ropewalk_core::slots::Slots;

use crate::wire::Trouble;

#[derive(Debug)]
pub(crate) struct DatagramPort {
    /// Its name in the trace.
    pub(crate) serial: u64,
    pub(crate) address: Address,
    pub(crate) bind: Bind,
    pub(crate) peer: Option<Address>,
    groups: Vec<(IpAddr, Interface)>,
    pub(crate) broadcast: bool,
    pub(crate) loops: bool,
    pub(crate) hops: u8,
    pub(crate) outgoing: Interface,
    pub(crate) incoming: VecDeque<(Address, Vec<u8>)>,
    pub(crate) incoming_bytes: usize,
    pub(crate) refused: Option<Trouble>,
    /// A send was blocked: the driver is owed a `DatagramsWritable`.
    pub(crate) blocked: bool,
    pub(crate) has_room: bool,
    pub(crate) paused: bool,
    /// It is in its host's list of those with something to tell.
    pub(crate) listed: bool,
    pub(crate) sent_bytes: u64,
}

/// What a port is going to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortNotice {
    /// More may be sent.
    Room,
    /// What it sent was answered so.
    Refused(Trouble),
}

impl DatagramPort {
    pub(crate) fn new(serial: u64, address: Address, bind: &Bind) -> Self {
        Self {
            serial,
            address,
            bind: bind.clone(),
            peer: None,
            groups: bind.groups.clone(),
            broadcast: bind.broadcast,
            loops: true,
            hops: 1,
            outgoing: Interface::Default,
            incoming: VecDeque::new(),
            incoming_bytes: 0,
            refused: None,
            blocked: false,
            has_room: false,
            paused: false,
            listed: false,
            sent_bytes: 0,
        }
    }

    pub(crate) fn set_option(&mut self, option: &DatagramOption) -> Result<(), Trouble> {
        match option {
            DatagramOption::Join(group, _) if !group.is_multicast() || !self.is_of(*group) => {
                return Err(Trouble::Kind(std::io::ErrorKind::InvalidInput));
            }
            DatagramOption::Join(group, interface) => {
                self.groups.push((*group, interface.clone()));
            }
            DatagramOption::Leave(group, interface) => {
                let joined = (*group, interface.clone());
                let place = self.groups.iter().position(|other| *other == joined);
                let nowhere = Trouble::Kind(std::io::ErrorKind::AddrNotAvailable);
                self.groups.remove(place.ok_or(nowhere)?);
            }
            DatagramOption::MulticastTtl(hops) => self.hops = *hops,
            DatagramOption::MulticastLoopback(on) => self.loops = *on,
            DatagramOption::MulticastInterface(interface) => self.outgoing = interface.clone(),
            DatagramOption::Broadcast(on) => self.broadcast = *on,
            _ => return Err(Trouble::Kind(std::io::ErrorKind::Unsupported)),
        }
        Ok(())
    }

    fn is_of(&self, ip: IpAddr) -> bool {
        self.address
            .ip()
            .is_some_and(|own| own.is_ipv4() == ip.is_ipv4())
    }

    pub(crate) fn has_something(&self) -> bool {
        self.has_room || self.refused.is_some() || !self.paused && !self.incoming.is_empty()
    }

    /// Whether a datagram from one address to another comes here.
    fn covers(&self, to: &Address, from: &Address) -> bool {
        if self.peer.as_ref().is_some_and(|peer| peer != from) {
            return false;
        }
        match (&self.address, to) {
            (Address::Udp(own), Address::Udp(to)) => {
                own.port() == to.port() && self.covers_ip(*own, to.ip())
            }
            (own, to) => own == to,
        }
    }

    fn covers_ip(&self, own: SocketAddr, to: IpAddr) -> bool {
        if own.is_ipv4() != to.is_ipv4() {
            return false;
        }
        let is_here = own.ip() == to || own.ip().is_unspecified();
        match to.is_multicast() {
            true => is_here && self.groups.iter().any(|(group, _)| *group == to),
            false if is_broadcast(to) => own.ip().is_unspecified(),
            false => is_here,
        }
    }

    /// Whether both cannot be had.
    pub(crate) fn excludes(&self, address: &Address, reuse: bool) -> bool {
        let overlaps = match (&self.address, address) {
            (Address::Udp(own), Address::Udp(other)) => {
                let any = own.ip().is_unspecified() || other.ip().is_unspecified();
                own.port() == other.port()
                    && own.is_ipv4() == other.is_ipv4()
                    && (any || own.ip() == other.ip())
            }
            (own, other) => own == other,
        };
        overlaps && !(reuse && self.bind.reuse_address)
    }
}

/// The ports that a datagram is for: all members of a group and all that hear a broadcast, else the one that names sender
/// and receiver best, the latest of several.
pub(crate) fn receivers(ports: &Slots<DatagramPort>, to: &Address, from: &Address) -> Vec<PortId> {
    let all = ports.iter().filter(|(_, port)| port.covers(to, from));
    if to.ip().is_some_and(is_for_many) {
        return all.map(|(key, _)| PortId(key)).collect();
    }
    let rank = |port: &DatagramPort| {
        (
            port.peer.is_some(),
            port.address.ip() == to.ip(),
            port.serial,
        )
    };
    let best = all.max_by_key(|(_, port)| rank(port));
    best.map(|(key, _)| PortId(key)).into_iter().collect()
}

pub(crate) fn is_for_many(ip: IpAddr) -> bool {
    ip.is_multicast() || is_broadcast(ip)
}

/// The broadcast addresses of all networks, of the loopback, and of the one that hosts are on unless told otherwise.
pub(crate) fn is_broadcast(ip: IpAddr) -> bool {
    const EVERYBODY: [[u8; 4]; 3] = [[255; 4], [127, 255, 255, 255], [10, 255, 255, 255]];
    EVERYBODY.iter().any(|&all| ip == IpAddr::from(all))
}
