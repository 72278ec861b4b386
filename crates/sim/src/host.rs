//! A simulated machine: addresses, ports, descriptors, and what it has to tell its driver.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ropewalk_core::Address;
use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::{ConnId, Listen, ListenerId, LookupId, PortId, Signal};
use ropewalk_core::slots::{Key, Slots};
use ropewalk_core::watchdog::Lookout;

use crate::datagram_port::DatagramPort;
use crate::driver::Mood;
use crate::name::Lookup;
use crate::thread::Threads;
use crate::wire::Trouble;

#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
    /// Powered; a host that is down answers nothing.
    pub(crate) up: bool,
    /// Counts crashes and processes, so that a driver of an earlier life is told from today's.
    pub(crate) life: u64,
    /// A driver is attached: somebody will read.
    pub(crate) driven: bool,
    pub(crate) mood: Mood,
    pub(crate) listeners: Slots<Listener>,
    /// Paths of UNIX sockets that servers left when they crashed.
    pub(crate) dead_paths: Vec<UnixAddress>,
    /// Where the connections of the driver are: wire and side.
    pub(crate) conns: Slots<(Key, usize)>,
    pub(crate) ports: Slots<DatagramPort>,
    pub(crate) lookups: Slots<Lookup>,
    pub(crate) threads: Threads,
    pub(crate) ready: VecDeque<Ready>,
    pub(crate) catches_signals: bool,
    /// Who looks whether the reactor is blocked.
    pub(crate) lookout: Option<Lookout>,
    pub(crate) forbidden_below: u16,
    pub(crate) descriptor_limit: usize,
    pub(crate) descriptors: usize,
    next_port: u16,
    shed_unsaid: u64,
    shed_said_at: Option<Duration>,
}

/// Who has something to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    Listener(ListenerId),
    Conn(ConnId),
    Port(PortId),
    Lookup(LookupId),
    Signal(Signal),
}

#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: Address,
    pub(crate) listen: Listen,
    /// Connections that wait to be accepted.
    pub(crate) backlog: VecDeque<Key>,
    /// Requests that found the backlog full and are repeated when there is room.
    pub(crate) turned_away: Vec<Key>,
    pub(crate) listed: bool,
}

/// The first port for outgoing connections and for port 0 (RFC 6335, section 6).
const FIRST_EPHEMERAL: u16 = 49_152;

/// One line of log in this time, however many peers are turned away.
const SHED_LOG_EVERY: Duration = Duration::from_secs(5);

impl Host {
    pub(crate) fn new(name: &str, addresses: Vec<IpAddr>) -> Self {
        Self {
            name: name.to_owned(),
            addresses,
            up: true,
            life: 0,
            driven: false,
            mood: Mood::Readiness,
            listeners: Slots::new(),
            dead_paths: Vec::new(),
            conns: Slots::new(),
            ports: Slots::new(),
            lookups: Slots::new(),
            threads: Threads::default(),
            ready: VecDeque::new(),
            catches_signals: false,
            lookout: None,
            forbidden_below: 0,
            descriptor_limit: usize::MAX,
            descriptors: 0,
            next_port: FIRST_EPHEMERAL,
            shed_unsaid: 0,
            shed_said_at: None,
        }
    }

    /// Everything that a process had is gone.
    pub(crate) fn forget_process(&mut self) {
        self.life += 1;
        self.driven = false;
        forget(&mut self.listeners);
        forget(&mut self.conns);
        forget(&mut self.ports);
        forget(&mut self.lookups);
        self.threads = Threads::default();
        self.ready.clear();
        self.catches_signals = false;
        self.lookout = None;
        self.descriptors = 0;
    }

    pub(crate) fn owns(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses.contains(&ip)
    }

    /// The address from which this host reaches `peer`.
    pub(crate) fn source(&self, peer: IpAddr) -> Result<IpAddr, Trouble> {
        if peer.is_loopback() {
            return Ok(peer);
        }
        let fits = self
            .addresses
            .iter()
            .find(|own| own.is_ipv4() == peer.is_ipv4());
        fits.copied()
            .ok_or(Trouble::Kind(io::ErrorKind::NetworkUnreachable))
    }

    /// Takes a descriptor, if the limit allows.
    pub(crate) fn take_descriptor(&mut self) -> Result<(), Trouble> {
        if self.descriptors >= self.descriptor_limit {
            return Err(Trouble::NoDescriptor);
        }
        self.descriptors += 1;
        Ok(())
    }

    pub(crate) fn listen(&mut self, listen: &Listen) -> Result<(ListenerId, Address), Trouble> {
        let address = match &listen.address {
            Address::Unix(name) => self.free_name(name, listen.unix.lock, true)?,
            address => {
                let unsupported = Trouble::Kind(io::ErrorKind::Unsupported);
                self.free_socket(address.socket().ok_or(unsupported)?, listen)?
            }
        };
        self.take_descriptor()?;
        let key = self.listeners.insert(Listener {
            address: address.clone(),
            listen: listen.clone(),
            backlog: VecDeque::new(),
            turned_away: Vec::new(),
            listed: false,
        });
        Ok((ListenerId(key), address))
    }

    /// A name that nobody has; with the lock also one that a dead server left.
    /// Streams and datagrams have abstract names of their own, but the same paths.
    pub(crate) fn free_name(
        &mut self,
        name: &UnixAddress,
        lock: bool,
        for_streams: bool,
    ) -> Result<Address, Trouble> {
        check_name(name)?;
        let address = Address::Unix(name.clone());
        let is_file = name.as_path().is_some();
        let listens = !self.listeners_at(&address).is_empty();
        let receives = self.ports.iter().any(|(_, port)| port.address == address);
        let is_taken = listens && (is_file || for_streams) || receives && (is_file || !for_streams);
        if is_taken || self.dead_paths.contains(name) && !lock {
            return Err(Trouble::Kind(io::ErrorKind::AddrInUse));
        }
        self.dead_paths.retain(|path| path != name);
        Ok(address)
    }

    fn free_socket(&mut self, asked: SocketAddr, listen: &Listen) -> Result<Address, Trouble> {
        self.check_local(asked)?;
        self.free_address(asked, listen.reuse_port)
            .map(Address::Tcp)
    }

    /// The paths of its servers stay when nobody is left to remove them.
    pub(crate) fn leave_paths(&mut self) {
        let listeners = self.listeners.iter().map(|(_, listener)| &listener.address);
        let ports = self.ports.iter().map(|(_, port)| &port.address);
        let names = listeners.chain(ports).filter_map(|address| address.unix());
        let files = names.filter(|name| name.as_path().is_some());
        self.dead_paths.extend(files.cloned());
    }

    /// Whether this address may be had at all.
    pub(crate) fn check_local(&self, asked: SocketAddr) -> Result<(), Trouble> {
        if !asked.ip().is_unspecified() && !self.owns(asked.ip()) && !asked.ip().is_multicast() {
            return Err(Trouble::Kind(io::ErrorKind::AddrNotAvailable));
        }
        if asked.port() != 0 && asked.port() < self.forbidden_below {
            return Err(Trouble::Kind(io::ErrorKind::PermissionDenied));
        }
        Ok(())
    }

    fn free_address(&mut self, asked: SocketAddr, shared: bool) -> Result<SocketAddr, Trouble> {
        let mut address = asked;
        let tries = if asked.port() == 0 {
            u16::MAX - FIRST_EPHEMERAL
        } else {
            0
        };
        for _ in 0..=tries {
            if asked.port() == 0 {
                address.set_port(self.next_port());
            }
            if !self.is_busy(address, shared && asked.port() != 0) {
                return Ok(address);
            }
        }
        Err(Trouble::Kind(io::ErrorKind::AddrInUse))
    }

    fn is_busy(&self, address: SocketAddr, shared: bool) -> bool {
        self.listeners.iter().any(|(_, listener)| {
            listener.overlaps(address) && !(shared && listener.listen.reuse_port)
        })
    }

    /// The next port of the ephemeral range, round and round.
    pub(crate) fn next_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_EPHEMERAL);
        port
    }

    /// Those who listen on `address`: several if they share it.
    pub(crate) fn listeners_at(&self, address: &Address) -> Vec<ListenerId> {
        let there = || {
            self.listeners
                .iter()
                .filter(|(_, listener)| listener.covers(address))
        };
        let is_exact = |listener: &Listener| listener.address.ip() == address.ip();
        // The more specific socket gets the connection, as on every kernel.
        let only_exact = there().any(|(_, listener)| is_exact(listener));
        there()
            .filter(|(_, listener)| !only_exact || is_exact(listener))
            .map(|(key, _)| ListenerId(key))
            .collect()
    }

    /// The names of those who listen, for a deadlock's report.
    pub(crate) fn listening(&self) -> impl Iterator<Item = &Address> {
        self.listeners.iter().map(|(_, listener)| &listener.address)
    }

    /// Counts a peer that was accepted and closed for want of a descriptor; says how many when a line is due.
    pub(crate) fn shed(&mut self, now: Duration) -> Option<u64> {
        self.shed_unsaid += 1;
        if self
            .shed_said_at
            .is_some_and(|said| now < said + SHED_LOG_EVERY)
        {
            return None;
        }
        self.shed_said_at = Some(now);
        Some(std::mem::take(&mut self.shed_unsaid))
    }
}

impl Listener {
    pub(crate) fn is_full(&self) -> bool {
        self.backlog.len() >= self.listen.backlog.max(1) as usize
    }

    /// Whether a connection to `address` comes here.
    fn covers(&self, address: &Address) -> bool {
        match (self.address.socket(), address.socket()) {
            (Some(own), Some(address)) => covers(own, address),
            _ => self.address == *address,
        }
    }

    /// Whether both cannot listen.
    fn overlaps(&self, address: SocketAddr) -> bool {
        let own = self.address.socket();
        own.is_some_and(|own| covers(own, address) || covers(address, own))
    }
}

/// Whether a connection to `address` comes to who listens at `own`.
fn covers(own: SocketAddr, address: SocketAddr) -> bool {
    own.port() == address.port()
        && own.is_ipv4() == address.is_ipv4()
        && (own.ip().is_unspecified() || own.ip() == address.ip())
}

/// Whether a UNIX socket may be called so: as on Linux.
pub(crate) fn check_name(name: &UnixAddress) -> Result<(), Trouble> {
    const LONGEST: usize = 107;
    let length = match name {
        UnixAddress::Path(path) => path.as_os_str().len(),
        UnixAddress::Abstract(name) => name.len(),
        _ => 0,
    };
    if (1..=LONGEST).contains(&length) {
        return Ok(());
    }
    Err(Trouble::Kind(io::ErrorKind::InvalidInput))
}

/// The addresses of the host with that number, if none were given: 10.0.0.1 and fd00::1 for the first.
pub(crate) fn default_addresses(number: usize) -> Vec<IpAddr> {
    let number = u32::try_from(number).expect("fewer hosts than addresses") + 1;
    let v4 = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + number);
    let v6 = Ipv6Addr::from_bits((0xfd00_u128 << 112) + u128::from(number));
    vec![v4.into(), v6.into()]
}

/// Empties a table; its keys, which the schedule may still hold, name nothing from now on.
fn forget<T>(slots: &mut Slots<T>) {
    for key in slots.keys() {
        slots.remove(key);
    }
}

/// Which wires use which pair of addresses is the network's to know; this finds a free one.
pub(crate) fn free_port(host: &mut Host, mut is_used: impl FnMut(u16) -> bool) -> Option<u16> {
    let tries = FIRST_EPHEMERAL..=u16::MAX;
    tries.map(|_| host.next_port()).find(|&port| !is_used(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listen(address: &str, reuse_port: bool) -> Listen {
        let address = Address::Tcp(address.parse().unwrap());
        Listen {
            backlog: 1,
            reuse_port,
            ..Listen::new(address)
        }
    }

    fn host() -> Host {
        Host::new("here", default_addresses(0))
    }

    #[test]
    fn busy_and_foreign_addresses_are_refused() {
        let mut host = host();
        host.forbidden_below = 1024;
        let mut kind = |address| host.listen(&listen(address, false)).err();
        assert_eq!(kind("10.0.0.1:8000"), None);
        assert_eq!(
            kind("0.0.0.0:8000"),
            Some(Trouble::Kind(io::ErrorKind::AddrInUse))
        );
        assert_eq!(
            kind("10.0.0.1:8000"),
            Some(Trouble::Kind(io::ErrorKind::AddrInUse))
        );
        assert_eq!(kind("127.0.0.1:8000"), None);
        assert_eq!(kind("[::]:8000"), None, "the families are apart");
        assert_eq!(
            kind("[::1]:8000"),
            Some(Trouble::Kind(io::ErrorKind::AddrInUse))
        );
        assert_eq!(
            kind("10.0.0.9:1"),
            Some(Trouble::Kind(io::ErrorKind::AddrNotAvailable))
        );
        assert_eq!(
            kind("127.0.0.1:80"),
            Some(Trouble::Kind(io::ErrorKind::PermissionDenied))
        );
    }

    #[test]
    fn port_zero_takes_a_free_one() {
        let mut host = host();
        let (_, first) = host.listen(&listen("127.0.0.1:0", false)).unwrap();
        let (_, second) = host.listen(&listen("127.0.0.1:0", false)).unwrap();
        assert_ne!(first, second);
        assert!(first.port().unwrap() >= FIRST_EPHEMERAL);
    }

    #[test]
    fn shared_ports_have_several_listeners() {
        let mut host = host();
        host.listen(&listen("0.0.0.0:80", true)).unwrap();
        host.listen(&listen("0.0.0.0:80", true)).unwrap();
        assert!(host.listen(&listen("0.0.0.0:80", false)).is_err());
        assert_eq!(
            host.listeners_at(&Address::Tcp("10.0.0.1:80".parse().unwrap()))
                .len(),
            2
        );
        host.listen(&listen("10.0.0.1:80", true)).unwrap();
        assert_eq!(
            host.listeners_at(&Address::Tcp("10.0.0.1:80".parse().unwrap()))
                .len(),
            1
        );
        assert_eq!(
            host.listeners_at(&Address::Tcp("[::1]:80".parse().unwrap()))
                .len(),
            0
        );
    }

    #[test]
    fn turned_away_peers_are_counted_in_one_line() {
        let mut host = host();
        let said: Vec<_> = [0, 1, 2, 6]
            .map(|s| host.shed(Duration::from_secs(s)))
            .into();
        assert_eq!(said, [Some(1), None, None, Some(3)]);
    }

    #[test]
    fn hosts_have_addresses_of_both_families() {
        assert_eq!(
            default_addresses(0),
            ["10.0.0.1", "fd00::1"].map(|ip| ip.parse::<IpAddr>().unwrap())
        );
        assert_eq!(
            default_addresses(299)[0],
            "10.0.1.44".parse::<IpAddr>().unwrap()
        );
    }
}
