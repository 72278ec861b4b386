//! From where to where a connection goes, or why there is no way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ropewalk_core::Address;
use ropewalk_core::address::UnixAddress;
use ropewalk_core::driver::Connect;

use crate::host::{check_name, free_port};
use crate::network::Network;
use crate::wire::{CLIENT, Life, SERVER, Trouble};

/// The way of a connection: its two addresses, and the host of the far one.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) far: usize,
}

impl Route {
    /// For a connection that never will be.
    pub(crate) fn nowhere(host: usize) -> Self {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        Self {
            from: Address::Tcp(address),
            to: Address::Tcp(address),
            far: host,
        }
    }
}

impl Network {
    pub(crate) fn route(&mut self, host: usize, connect: &Connect) -> Result<Route, Trouble> {
        if let Some(name) = connect.address.unix() {
            return self.unix_route(host, name, connect);
        }
        let unsupported = Trouble::Kind(io::ErrorKind::Unsupported);
        let mut to = connect.address.socket().ok_or(unsupported)?;
        if to.ip().is_unspecified() {
            to.set_ip(loopback(to.is_ipv4()));
        }
        let far = if to.ip().is_loopback() {
            host
        } else {
            self.far_host(to.ip())?
        };
        let bind = connect
            .bind
            .as_ref()
            .map(|bind| bind.socket().ok_or(unsupported))
            .transpose()?;
        let from = Address::Tcp(self.source(host, bind, to)?);
        let to = Address::Tcp(to);
        Ok(Route { from, to, far })
    }

    /// To a name of this very host; where nothing is, not even what a dead server left, that is known at once.
    fn unix_route(
        &self,
        host: usize,
        name: &UnixAddress,
        connect: &Connect,
    ) -> Result<Route, Trouble> {
        check_name(name)?;
        if connect.bind.is_some() {
            return Err(Trouble::Kind(io::ErrorKind::Unsupported));
        }
        let to = connect.address.clone();
        let here = &self.hosts[host];
        if here.listeners_at(&to).is_empty() && !here.dead_paths.contains(name) {
            let is_file = name.as_path().is_some();
            return Err(Trouble::Kind(match is_file {
                true => io::ErrorKind::NotFound,
                false => io::ErrorKind::ConnectionRefused,
            }));
        }
        let from = Address::Unix(UnixAddress::Unnamed);
        let far = host;
        Ok(Route { from, to, far })
    }

    fn far_host(&self, ip: IpAddr) -> Result<usize, Trouble> {
        self.routes
            .get(&ip)
            .copied()
            .ok_or(Trouble::Kind(io::ErrorKind::HostUnreachable))
    }

    /// The local address of a connection to `to`, with a port that no connection to there uses.
    fn source(
        &mut self,
        host: usize,
        bind: Option<SocketAddr>,
        to: SocketAddr,
    ) -> Result<SocketAddr, Trouble> {
        let asked = bind
            .filter(|bind| !bind.ip().is_unspecified())
            .map(|bind| bind.ip());
        if asked.is_some_and(|ip| !self.hosts[host].owns(ip)) {
            return Err(Trouble::Kind(io::ErrorKind::AddrNotAvailable));
        }
        let ip = asked.map_or_else(|| self.hosts[host].source(to.ip()), Ok)?;
        let wires = &self.wires;
        let used = |port| {
            let from = SocketAddr::new(ip, port);
            wires.iter().any(|(_, wire)| {
                let end = &wire.ends[CLIENT];
                end.host == host
                    && end.address.socket() == Some(from)
                    && wire.ends[SERVER].address.socket() == Some(to)
                    && end.life != Life::Gone
            })
        };
        let busy = Trouble::Kind(io::ErrorKind::AddrInUse);
        let port = match bind.map_or(0, |bind| bind.port()) {
            0 => free_port(&mut self.hosts[host], used).ok_or(busy)?,
            port if used(port) => return Err(busy),
            port => port,
        };
        Ok(SocketAddr::new(ip, port))
    }
}

fn loopback(v4: bool) -> IpAddr {
    if v4 {
        Ipv4Addr::LOCALHOST.into()
    } else {
        Ipv6Addr::LOCALHOST.into()
    }
}
