//! Version 2: binary (section 2.2 of the specification).
//!
//! ```text
//!   0          12        13         14       16
//!   signature  version,  family,    length   addresses   TLVs
//!              command   transport
//! ```

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Forwarded, ProxyAddress, ProxyError, ProxyHeader, TlvList};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// How many bytes come before the addresses.
const FIXED: usize = 16;

/// The byte of version and command.
pub(super) const LOCAL: u8 = 0x20;
pub(super) const PROXY: u8 = 0x21;

/// The longest name of a UNIX socket, and what each takes.
const UNIX: usize = 108;

pub(super) const MIXED: &str = "source and destination must be of one kind and family";

/// Judges the last of `bytes`, all before which are right; gives the length of the header once it is known.
pub(super) fn judge(bytes: &[u8], limit: usize) -> Result<Option<usize>, ProxyError> {
    let offset = bytes.len() - 1;
    let found = bytes[offset];
    match offset {
        0..12 if found == SIGNATURE[offset] => Ok(None),
        0..12 => Err(ProxyError::NotProxy { offset, found }),
        12 if found >> 4 != 2 => Err(ProxyError::Version { found }),
        12 if found != LOCAL && found != PROXY => Err(ProxyError::Command { found }),
        // What a LOCAL header says of addresses is ignored, the family too.
        13 if bytes[12] == PROXY && (found >> 4 > 3 || found & 0xF > 2) => {
            Err(ProxyError::Family { found })
        }
        12..15 => Ok(None),
        _ => {
            let declared = usize::from(u16::from_be_bytes([bytes[14], found]));
            let needed = addresses_length(bytes);
            if declared > limit {
                Err(ProxyError::TooLong { declared, limit })
            } else if declared < needed {
                Err(ProxyError::TooShort { declared, needed })
            } else {
                Ok(Some(FIXED + declared))
            }
        }
    }
}

/// How many bytes the addresses take that this header is understood to have.
fn addresses_length(bytes: &[u8]) -> usize {
    match (bytes[12], bytes[13]) {
        (PROXY, 0x11 | 0x12) => 2 * (4 + 2),
        (PROXY, 0x21 | 0x22) => 2 * (16 + 2),
        (PROXY, 0x31 | 0x32) => 2 * UNIX,
        _ => 0,
    }
}

/// Reads a whole header. Of one without addresses that we know, the rest is ignored: what it means is not known either.
pub(super) fn decode(bytes: &[u8]) -> Result<ProxyHeader, ProxyError> {
    if bytes[12] == LOCAL {
        return Ok(ProxyHeader::Local);
    }
    let tlvs_at = FIXED + addresses_length(bytes);
    let addresses = &bytes[FIXED..tlvs_at];
    let (source, destination) = match bytes[13] {
        0x11 | 0x12 => sockets::<4>(addresses),
        0x21 | 0x22 => sockets::<16>(addresses),
        0x31 | 0x32 => (unix(&addresses[..UNIX]), unix(&addresses[UNIX..])),
        _ => return Ok(ProxyHeader::Unknown),
    };
    let datagrams = bytes[13] & 0xF == 2;
    Ok(ProxyHeader::Forwarded(Forwarded {
        source: source.of_datagrams(datagrams),
        destination: destination.of_datagrams(datagrams),
        tlvs: TlvList::decode(bytes, tlvs_at)?,
    }))
}

fn sockets<const IP: usize>(addresses: &[u8]) -> (ProxyAddress, ProxyAddress)
where
    [u8; IP]: IpBytes,
{
    let ip = |at: usize| {
        let mut bytes = [0; IP];
        bytes.copy_from_slice(&addresses[at..at + IP]);
        bytes
    };
    let port = |at: usize| u16::from_be_bytes([addresses[at], addresses[at + 1]]);
    let source = ip(0).socket(port(2 * IP));
    let destination = ip(IP).socket(port(2 * IP + 2));
    (ProxyAddress::Tcp(source), ProxyAddress::Tcp(destination))
}

/// The bytes of an IP address.
trait IpBytes {
    fn socket(self, port: u16) -> SocketAddr;
}

impl IpBytes for [u8; 4] {
    fn socket(self, port: u16) -> SocketAddr {
        (Ipv4Addr::from(self), port).into()
    }
}

impl IpBytes for [u8; 16] {
    fn socket(self, port: u16) -> SocketAddr {
        (Ipv6Addr::from(self), port).into()
    }
}

/// A path ends at its first NUL; an abstract name begins with one and ends before the padding.
fn unix(padded: &[u8]) -> ProxyAddress {
    let end = match padded[0] {
        0 => padded
            .iter()
            .rposition(|&byte| byte != 0)
            .map(|last| last + 1),
        _ => padded.iter().position(|&byte| byte == 0).or(Some(UNIX)),
    };
    ProxyAddress::Unix(padded[..end.unwrap_or(0)].into())
}

impl ProxyAddress {
    fn of_datagrams(self, datagrams: bool) -> Self {
        match self {
            Self::Tcp(socket) if datagrams => Self::Udp(socket),
            Self::Unix(name) if datagrams => Self::UnixDatagram(name),
            other => other,
        }
    }
}

pub(super) fn write_without_addresses(command: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[command, 0, 0, 0]);
}

pub(super) fn write(forwarded: &Forwarded, out: &mut Vec<u8>) -> Result<(), ProxyError> {
    let start = out.len();
    let written = write_at_end(forwarded, out);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_at_end(forwarded: &Forwarded, out: &mut Vec<u8>) -> Result<(), ProxyError> {
    use ProxyAddress::{Tcp, Udp, Unix, UnixDatagram};
    let start = out.len();
    write_without_addresses(PROXY, out);
    out[start + 13] = match (&forwarded.source, &forwarded.destination) {
        (Tcp(source), Tcp(destination)) => write_sockets(source, destination, out)? | 1,
        (Udp(source), Udp(destination)) => write_sockets(source, destination, out)? | 2,
        (Unix(source), Unix(destination)) => write_names(source, destination, out)? | 1,
        (UnixDatagram(source), UnixDatagram(destination)) => {
            write_names(source, destination, out)? | 2
        }
        _ => return Err(ProxyError::Unsayable(MIXED)),
    };
    let tlvs_at = out.len();
    out.extend_from_slice(forwarded.tlvs.as_bytes());
    let length = u16::try_from(out.len() - start - FIXED)
        .map_err(|_| ProxyError::Unsayable("its TLVs are too long: 65535 bytes are the most"))?;
    out[start + 14..start + FIXED].copy_from_slice(&length.to_be_bytes());
    forwarded.tlvs.seal(&mut out[start..], tlvs_at - start);
    Ok(())
}

/// Appends addresses and ports; gives the family's bits.
fn write_sockets(
    source: &SocketAddr,
    destination: &SocketAddr,
    out: &mut Vec<u8>,
) -> Result<u8, ProxyError> {
    let family = match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
            0x10
        }
        (SocketAddr::V6(source), SocketAddr::V6(destination)) => {
            out.extend_from_slice(&source.ip().octets());
            out.extend_from_slice(&destination.ip().octets());
            0x20
        }
        _ => return Err(ProxyError::Unsayable(MIXED)),
    };
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
    Ok(family)
}

/// Appends two names, padded; gives the family's bits.
fn write_names(source: &[u8], destination: &[u8], out: &mut Vec<u8>) -> Result<u8, ProxyError> {
    for name in [source, destination] {
        let padding = UNIX
            .checked_sub(name.len())
            .ok_or(ProxyError::Unsayable("a UNIX name has 108 bytes at most"))?;
        out.extend_from_slice(name);
        out.resize(out.len() + padding, 0);
    }
    Ok(0x30)
}
