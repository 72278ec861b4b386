//! The options of a datagram socket: groups, interfaces, broadcast.

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use ropewalk_core::driver::{DatagramOption, Interface};
use socket2::{InterfaceIndexOrAddress, SockRef};

/// Sets an option of a UDP socket over IPv4, or else over IPv6.
pub(crate) fn set_option(
    socket: &SockRef<'_>,
    is_v4: bool,
    option: &DatagramOption,
) -> io::Result<()> {
    match option {
        DatagramOption::Join(group, interface) => join(socket, *group, interface),
        DatagramOption::Leave(group, interface) => leave(socket, *group, interface),
        DatagramOption::MulticastTtl(hops) if is_v4 => socket.set_multicast_ttl_v4((*hops).into()),
        DatagramOption::MulticastTtl(hops) => socket.set_multicast_hops_v6((*hops).into()),
        DatagramOption::MulticastLoopback(on) if is_v4 => socket.set_multicast_loop_v4(*on),
        DatagramOption::MulticastLoopback(on) => socket.set_multicast_loop_v6(*on),
        DatagramOption::MulticastInterface(interface) if is_v4 => {
            socket.set_multicast_if_v4(&address_of(interface)?)
        }
        DatagramOption::MulticastInterface(interface) => {
            socket.set_multicast_if_v6(index_of(interface)?)
        }
        DatagramOption::Broadcast(on) => socket.set_broadcast(*on),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub(crate) fn join(socket: &SockRef<'_>, group: IpAddr, interface: &Interface) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &place_of(interface)?),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index_of(interface)?),
    }
}

fn leave(socket: &SockRef<'_>, group: IpAddr, interface: &Interface) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => socket.leave_multicast_v4_n(&group, &place_of(interface)?),
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, index_of(interface)?),
    }
}

fn place_of(interface: &Interface) -> io::Result<InterfaceIndexOrAddress> {
    match interface {
        Interface::Address(address) => Ok(InterfaceIndexOrAddress::Address(*address)),
        other => index_of(other).map(InterfaceIndexOrAddress::Index),
    }
}

/// Its number; 0 leaves it to the kernel.
fn index_of(interface: &Interface) -> io::Result<u32> {
    match interface {
        Interface::Default => Ok(0),
        Interface::Index(index) => Ok(*index),
        Interface::Name(name) => index_of_name(name),
        other => Err(wrong(&format!(
            "{other} is no name or number of an interface"
        ))),
    }
}

/// IPv4 knows the outgoing interface by its address.
fn address_of(interface: &Interface) -> io::Result<Ipv4Addr> {
    match interface {
        Interface::Default => Ok(Ipv4Addr::UNSPECIFIED),
        Interface::Address(address) => Ok(*address),
        other => {
            let what = format!("IPv4 sends at an interface known by its address, not {other}");
            Err(wrong(&what))
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn index_of_name(name: &str) -> io::Result<u32> {
    nix::net::if_::if_nametoindex(name)
        .map_err(|error| io::Error::other(format!("no interface {name:?}: {error}")))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn index_of_name(name: &str) -> io::Result<u32> {
    Err(wrong(&format!("give the number of the interface {name:?}")))
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}
