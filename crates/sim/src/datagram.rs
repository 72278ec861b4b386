//! How datagrams get from port to port: at once or late, twice, out of order or never.
//!
//! ```text
//!   send ─► launch, for each host that it is for ─► fly ─► arrive ─► queue of each port, or: unreachable ─► the sender
//!              └── lost, twice, held up: by rule, or drawn from the plan of faults
//! ```
//!
//! A link that is cut loses datagrams, where it only delays streams: nobody sends them again.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::{Bind, DatagramOption, DatagramQueue, Interface, PortId, Sent};
use ropewalk_core::slots::Key;

use crate::datagram_port::{DatagramPort, PortNotice, is_broadcast, is_for_many, receivers};
use crate::host::Ready;
use crate::link::Passage;
use crate::network::Network;
use crate::schedule::Happening;
use crate::trace::Digest;
use crate::traffic::occupy;
use crate::wire::Trouble;

/// A datagram under way.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    from: Address,
    to: Address,
    /// The host and port that sent it.
    sender: (usize, PortId),
    /// The host that it is going to.
    host: usize,
    data: Vec<u8>,
}

/// Something to tell about a port.
#[derive(Debug)]
pub(crate) enum PortTold {
    Writable,
    Refused(io::Error),
    Datagram(Address, Vec<u8>),
}

/// How much a port keeps until it is read: what Linux gives a socket.
const RECEIVE_BUFFER: usize = 212_992;

/// By how much others may overtake a datagram.
const HELD_UP: Duration = Duration::from_millis(100);

/// What drivers ask.
impl Network {
    pub(crate) fn bind(&mut self, host: usize, bind: &Bind) -> Result<(PortId, Address), Trouble> {
        let address = self.free_datagram_address(host, bind)?;
        self.hosts[host].take_descriptor()?;
        self.serial += 1;
        let mut port = DatagramPort::new(self.serial, address.clone(), bind);
        for (group, interface) in &bind.groups {
            let join = DatagramOption::Join(*group, interface.clone());
            if let Err(trouble) = port.set_option(&join) {
                self.hosts[host].descriptors -= 1;
                return Err(trouble);
            }
        }
        let key = self.hosts[host].ports.insert(port);
        let serial = self.serial;
        self.note(host, format_args!("u{serial} is opened at {address}"));
        Ok((PortId(key), address))
    }

    fn free_datagram_address(&mut self, host: usize, bind: &Bind) -> Result<Address, Trouble> {
        let own = &mut self.hosts[host];
        let busy = Trouble::Kind(io::ErrorKind::AddrInUse);
        let mut address = match &bind.address {
            Address::Unix(UnixAddress::Unnamed) => return Ok(bind.address.clone()),
            Address::Unix(name) => return own.free_name(name, bind.unix.lock, false),
            Address::Udp(asked) => {
                own.check_local(*asked)?;
                bind.address.clone()
            }
            _ => return Err(Trouble::Kind(io::ErrorKind::Unsupported)),
        };
        for _ in 0..=u16::MAX {
            if let (Address::Udp(socket), Some(0)) = (&mut address, bind.address.port()) {
                socket.set_port(own.next_port());
            }
            let mut ports = own.ports.iter();
            if !ports.any(|(_, port)| port.excludes(&address, bind.reuse_address)) {
                return Ok(address);
            }
            if bind.address.port() != Some(0) {
                break;
            }
        }
        Err(busy)
    }

    pub(crate) fn close_port(&mut self, host: usize, port: PortId) {
        if let Some(port) = self.hosts[host].ports.remove(port.0) {
            self.hosts[host].descriptors -= 1;
            self.note(host, format_args!("u{} is closed", port.serial));
        }
    }

    pub(crate) fn connect_port(
        &mut self,
        host: usize,
        port: PortId,
        peer: &Address,
    ) -> Result<(), Trouble> {
        self.port(host, port)?.peer = Some(peer.clone());
        Ok(())
    }

    pub(crate) fn port(&mut self, host: usize, port: PortId) -> Result<&mut DatagramPort, Trouble> {
        let gone = Trouble::Kind(io::ErrorKind::NotConnected);
        self.hosts[host].ports.get_mut(port.0).ok_or(gone)
    }

    pub(crate) fn pause_port(&mut self, host: usize, port: PortId, paused: bool) {
        if let Ok(it) = self.port(host, port) {
            it.paused = paused;
            self.mark_port(host, port);
        }
    }

    pub(crate) fn send_datagrams(
        &mut self,
        host: usize,
        id: PortId,
        queue: &mut DatagramQueue,
    ) -> Sent {
        const FULL_FOR: Duration = Duration::from_millis(1);
        while !queue.is_empty() {
            if self.random.chance(self.faults.short_send) {
                let after = self.random.duration(FULL_FOR);
                self.plan_notice(after, host, id, PortNotice::Room);
                if let Ok(port) = self.port(host, id) {
                    port.blocked = true;
                }
                return Sent::Blocked;
            }
            let first = queue.iter().next();
            let sent = first.map(|(data, peer)| self.send_datagram(host, id, data, peer));
            match sent.unwrap_or(Ok(())) {
                Ok(()) => queue.remove(1),
                Err(trouble) => queue.lose(trouble.into()),
            }
        }
        Sent::Done
    }

    /// The next thing to tell of a port.
    pub(crate) fn take_port_told(&mut self, host: usize, id: PortId) -> Option<PortTold> {
        let port = self.hosts[host].ports.get_mut(id.0)?;
        port.listed = false;
        if std::mem::take(&mut port.has_room) {
            return Some(PortTold::Writable);
        }
        if let Some(trouble) = port.refused.take() {
            return Some(PortTold::Refused(trouble.into()));
        }
        if port.paused {
            return None;
        }
        let (peer, data) = port.incoming.pop_front()?;
        port.incoming_bytes -= data.len();
        let serial = port.serial;
        self.note(
            host,
            format_args!("u{serial} receives {} from {peer}", Digest(&data)),
        );
        Some(PortTold::Datagram(peer, data))
    }
}

/// On the way.
impl Network {
    fn send_datagram(
        &mut self,
        host: usize,
        id: PortId,
        data: &[u8],
        to: Option<&Address>,
    ) -> Result<(), Trouble> {
        let port = self.port(host, id)?;
        let unnamed = Trouble::Kind(io::ErrorKind::NotConnected);
        let mut to = to.or(port.peer.as_ref()).cloned().ok_or(unnamed)?;
        if to.ip().is_some_and(is_broadcast) && !port.broadcast {
            return Err(Trouble::Kind(io::ErrorKind::PermissionDenied));
        }
        port.sent_bytes += data.len() as u64;
        let serial = port.serial;
        if let Address::Udp(socket) = &mut to
            && socket.ip().is_unspecified()
        {
            socket.set_ip(loopback(socket.is_ipv4()));
        }
        let from = self.datagram_source(host, id, &to)?;
        self.note(
            host,
            format_args!("u{serial} sends {} to {to}", Digest(data)),
        );
        for far in self.datagram_hosts(host, id, &to)? {
            self.launch(Packet {
                from: from.clone(),
                to: to.clone(),
                sender: (host, id),
                host: far,
                data: data.to_vec(),
            });
        }
        Ok(())
    }

    /// The address that the receiver sees.
    fn datagram_source(
        &mut self,
        host: usize,
        id: PortId,
        to: &Address,
    ) -> Result<Address, Trouble> {
        let port = self.port(host, id)?;
        let stays = is_loopback(&port.outgoing);
        let (Address::Udp(own), Address::Udp(to)) = (port.address.clone(), to) else {
            return Ok(port.address.clone());
        };
        if !own.ip().is_unspecified() {
            return Ok(Address::Udp(own));
        }
        let ip = if is_for_many(to.ip()) && (stays || is_loopback_broadcast(to.ip())) {
            loopback(to.is_ipv4())
        } else if is_for_many(to.ip()) {
            let some_peer = match to {
                SocketAddr::V4(_) => Ipv4Addr::new(10, 255, 255, 254).into(),
                SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
            };
            self.hosts[host].source(some_peer)?
        } else {
            self.hosts[host].source(to.ip())?
        };
        Ok(Address::Udp(SocketAddr::new(ip, own.port())))
    }

    /// The hosts that a datagram goes to.
    fn datagram_hosts(
        &mut self,
        host: usize,
        id: PortId,
        to: &Address,
    ) -> Result<Vec<usize>, Trouble> {
        let port = self.port(host, id)?;
        let Some(ip) = to.ip() else {
            return Ok(vec![host]);
        };
        if !is_for_many(ip) {
            if ip.is_loopback() {
                return Ok(vec![host]);
            }
            let far = self.routes.get(&ip).copied();
            if far.is_none() {
                let trouble = Trouble::Kind(io::ErrorKind::HostUnreachable);
                self.plan_notice(HELD_UP, host, id, PortNotice::Refused(trouble));
            }
            return Ok(far.into_iter().collect());
        }
        let (loops, hops) = (port.loops || is_broadcast(ip), port.hops);
        let stays = is_loopback(&port.outgoing) && ip.is_multicast()
            || ip.is_multicast() && hops == 0
            || is_loopback_broadcast(ip);
        let all = 0..self.hosts.len();
        Ok(all
            .filter(|&far| if far == host { loops } else { !stays })
            .collect())
    }

    /// Draws what befalls a datagram, and sends it on its way.
    fn launch(&mut self, packet: Packet) {
        let direction = (packet.sender.0, packet.host);
        let link = self.links.between(direction.0, direction.1);
        let (faults, by_rule) = (self.faults, link.datagrams);
        let local = matches!(packet.to, Address::Unix(_));
        let loss = by_rule.loss.unwrap_or(faults.datagram_loss);
        let too_long = by_rule.mtu.is_some_and(|mtu| packet.data.len() > mtu);
        if !local && (too_long || link.passage != Passage::Open || self.random.chance(loss)) {
            return self.lose_packet(&packet, "is lost");
        }
        let duplicate = by_rule.duplicate.unwrap_or(faults.datagram_duplicate);
        let copies = 1 + usize::from(!local && self.random.chance(duplicate));
        for _ in 0..copies {
            let gone = occupy(
                &mut self.busy_until,
                direction,
                self.now.get(),
                packet.data.len(),
                &link,
            );
            let mut lands = gone + link.travel(&faults, &mut self.random);
            let reorder = by_rule.reorder.unwrap_or(faults.datagram_reorder);
            if !local && self.random.chance(reorder) {
                lands += self.random.duration(HELD_UP);
            } else {
                let last = self.in_order.entry(direction).or_default();
                *last = lands.max(*last);
                lands = *last;
            }
            let packet = self.packets.insert(packet.clone());
            self.schedule.plan(lands, Happening::Datagram { packet });
        }
    }

    fn lose_packet(&mut self, packet: &Packet, why: &str) {
        let (to, digest) = (&packet.to, Digest(&packet.data));
        self.note(packet.host, format_args!("{digest} to {to} {why}"));
    }

    /// A datagram is there: those it is for get it, and if there are none the sender may learn of it.
    pub(crate) fn datagram_arrives(&mut self, packet: Key) {
        let Some(packet) = self.packets.remove(packet) else {
            return;
        };
        let link = self.links.between(packet.sender.0, packet.host);
        if !self.hosts[packet.host].up || link.passage != Passage::Open {
            return self.lose_packet(&packet, "is lost");
        }
        let ports = match link.refuse {
            true => Vec::new(),
            false => receivers(&self.hosts[packet.host].ports, &packet.to, &packet.from),
        };
        if ports.is_empty() && !packet.to.ip().is_some_and(is_for_many) {
            return self.bounce_packet(&packet);
        }
        let buffer = link.buffers.map_or(RECEIVE_BUFFER, |(_, receive)| receive);
        for port in ports {
            self.queue_datagram(port, &packet, buffer);
        }
    }

    fn queue_datagram(&mut self, id: PortId, packet: &Packet, buffer: usize) {
        let Some(port) = self.hosts[packet.host].ports.get_mut(id.0) else {
            return;
        };
        let len = packet.data.len().min(port.bind.limit_bytes);
        if port.incoming_bytes + len > buffer || port.incoming.len() >= buffer {
            return self.lose_packet(packet, "finds the port full");
        }
        port.incoming_bytes += len;
        let data = packet.data[..len].to_vec();
        port.incoming.push_back((packet.from.clone(), data));
        self.mark_port(packet.host, id);
    }

    /// Nobody is there: the network says so, if the way back is open.
    fn bounce_packet(&mut self, packet: &Packet) {
        self.lose_packet(packet, "finds nobody");
        let (host, port) = packet.sender;
        let link = self.links.between(packet.host, host);
        if link.passage == Passage::Open {
            let after = link.travel(&self.faults, &mut self.random);
            let refused = Trouble::Kind(io::ErrorKind::ConnectionRefused);
            self.plan_notice(after, host, port, PortNotice::Refused(refused));
        }
    }

    fn plan_notice(&mut self, after: Duration, host: usize, port: PortId, notice: PortNotice) {
        self.plan(after, Happening::PortReady { host, port, notice });
    }

    /// Kernels tell refusals only where it is clear what was refused: on connected ports (R87).
    pub(crate) fn port_notice(&mut self, host: usize, id: PortId, notice: PortNotice) {
        let Ok(port) = self.port(host, id) else {
            return;
        };
        match notice {
            PortNotice::Room => port.has_room = std::mem::take(&mut port.blocked),
            PortNotice::Refused(trouble) if port.peer.is_some() => port.refused = Some(trouble),
            PortNotice::Refused(_) => {}
        }
        self.mark_port(host, id);
    }

    /// Puts a port in its host's list, if it has something to tell.
    pub(crate) fn mark_port(&mut self, host: usize, id: PortId) {
        if let Some(port) = self.hosts[host].ports.get_mut(id.0)
            && port.has_something()
            && !port.listed
        {
            port.listed = true;
            self.hosts[host].ready.push_back(Ready::Port(id));
            self.steps += 1;
        }
    }
}

fn is_loopback(interface: &Interface) -> bool {
    match interface {
        Interface::Address(address) => address.is_loopback(),
        Interface::Index(index) => *index == 1,
        Interface::Name(name) => name == "lo",
        _ => false,
    }
}

fn is_loopback_broadcast(ip: IpAddr) -> bool {
    ip.is_loopback() && is_broadcast(ip)
}

fn loopback(v4: bool) -> IpAddr {
    if v4 {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    }
}
