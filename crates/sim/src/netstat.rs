//! A look inside: which sockets there are, in which state, with how many bytes where.

use std::fmt;

use ropewalk_core::Address;

use crate::datagram_port::DatagramPort;
use crate::network::Network;
use crate::wire::{Life, Wire, other};

/// One socket of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The host it is on.
    pub host: String,
    /// Its own address.
    pub local: Address,
    /// The peer's; none for a listener or an unconnected datagram port.
    pub peer: Option<Address>,
    /// `listening`, `open for datagrams`, `connecting`, `in the backlog`, `open`, `lingering` or `orphaned`, and what is special about it.
    pub state: String,
    /// Bytes received and not read.
    pub unread_bytes: usize,
    /// Bytes on their way to the peer.
    pub in_flight_bytes: usize,
    /// Bytes in the send buffer that have not left, and those that a completion-like driver holds.
    pub unsent_bytes: usize,
    /// All bytes that the send buffer ever took.
    pub sent_bytes: u64,
    /// All bytes that ever came to the peer.
    pub delivered_bytes: u64,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.local)?;
        if let Some(peer) = &self.peer {
            write!(f, " to {peer}")?;
        }
        write!(f, " is {}", self.state)?;
        let queues = [
            (self.unread_bytes, "unread"),
            (self.in_flight_bytes, "in flight"),
            (self.unsent_bytes, "unsent"),
        ];
        let filled = queues.iter().filter(|(count, _)| *count > 0);
        filled
            .into_iter()
            .try_for_each(|(count, what)| write!(f, ", {count} bytes {what}"))
    }
}

impl Network {
    pub(crate) fn netstat(&self) -> Vec<Socket> {
        let mut sockets = Vec::new();
        for (number, host) in self.hosts.iter().enumerate() {
            sockets.extend(host.listening().map(|local| listening(&host.name, local)));
            sockets.extend(
                host.ports
                    .iter()
                    .map(|(_, port)| datagrams(&host.name, port)),
            );
            for (_, wire) in self.wires.iter() {
                let own = [0, 1].into_iter().filter(|&side| {
                    wire.ends[side].host == number && wire.ends[side].life != Life::Gone
                });
                sockets.extend(own.map(|side| self.connected(&host.name, wire, side)));
            }
        }
        sockets
    }

    fn connected(&self, host: &str, wire: &Wire, side: usize) -> Socket {
        let (end, out) = (&wire.ends[side], &wire.pipes[side]);
        Socket {
            host: host.to_owned(),
            local: end.address.clone(),
            peer: Some(wire.ends[other(side)].address.clone()),
            state: self.state(wire, side),
            unread_bytes: wire.pipes[other(side)].unread(),
            in_flight_bytes: out.in_flight(),
            unsent_bytes: out.unsent() + end.held.len(),
            sent_bytes: out.accepted(),
            delivered_bytes: out.delivered(),
        }
    }

    fn state(&self, wire: &Wire, side: usize) -> String {
        let end = &wire.ends[side];
        let unheard = !self.passes(wire, side) || !self.passes(wire, other(side));
        let special = [
            (end.paused, "paused"),
            (end.wants_room, "blocked in writing"),
            (end.eof_told, "at the end of reading"),
            (unheard, "cut from its peer"),
            (wire.is_dead_end(side), "unknown to its peer"),
        ];
        let special = special
            .into_iter()
            .filter(|&(is, _)| is)
            .map(|(_, what)| what);
        std::iter::once(end.life.to_string())
            .chain(special.map(str::to_owned))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Who waits for what, a line each.
    pub(crate) fn waiting(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.netstat().iter().map(ToString::to_string).collect();
        for host in &self.hosts {
            let name = &host.name;
            let lookups = host.lookups.iter();
            lines.extend(lookups.map(|(_, lookup)| {
                format!("{name}: the look-up of {} has no answer", lookup.name)
            }));
            lines.extend(
                host.threads
                    .waiting()
                    .into_iter()
                    .map(|what| format!("{name}: {what}")),
            );
        }
        lines
    }
}

fn datagrams(host: &str, port: &DatagramPort) -> Socket {
    let paused = if port.paused { ", paused" } else { "" };
    Socket {
        peer: port.peer.clone(),
        state: format!("open for datagrams{paused}"),
        unread_bytes: port.incoming_bytes,
        sent_bytes: port.sent_bytes,
        ..listening(host, &port.address)
    }
}

fn listening(host: &str, local: &Address) -> Socket {
    Socket {
        host: host.to_owned(),
        local: local.clone(),
        peer: None,
        state: "listening".to_owned(),
        unread_bytes: 0,
        in_flight_bytes: 0,
        unsent_bytes: 0,
        sent_bytes: 0,
        delivered_bytes: 0,
    }
}
