//! Addresses of the PROXY protocol as the engine's, and the way back.

use ropewalk_core::Address;
use ropewalk_core::address::UnixAddress;
use ropewalk_grammar::proxy::ProxyAddress;

pub(crate) fn to_address(address: &ProxyAddress) -> Address {
    match address {
        ProxyAddress::Tcp(socket) => Address::Tcp(*socket),
        ProxyAddress::Udp(socket) => Address::Udp(*socket),
        ProxyAddress::Unix(name) | ProxyAddress::UnixDatagram(name) => {
            Address::Unix(match &**name {
                [] => UnixAddress::Unnamed,
                [0, name @ ..] => UnixAddress::abstract_name(name),
                path => UnixAddress::path(String::from_utf8_lossy(path).as_ref()),
            })
        }
    }
}

/// `None` for what the PROXY protocol has no word for.
pub(crate) fn of_address(address: &Address) -> Option<ProxyAddress> {
    match address {
        Address::Tcp(socket) => Some(ProxyAddress::Tcp(*socket)),
        Address::Udp(socket) => Some(ProxyAddress::Udp(*socket)),
        Address::Unix(name) => Some(ProxyAddress::Unix(match name {
            UnixAddress::Path(path) => path.to_str()?.as_bytes().into(),
            UnixAddress::Abstract(name) => [b"\0", &**name].concat().into(),
            UnixAddress::Unnamed => [].into(),
            _ => return None,
        })),
        _ => None,
    }
}
