//! Version 1: a line of text (section 2.1 of the specification).

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Forwarded, ProxyAddress, ProxyError, ProxyHeader};

const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, its end included.
const LONGEST: usize = 107;

/// Judges the last of `bytes`, all before which are right; gives the length once the line has ended.
pub(super) fn judge(bytes: &[u8]) -> Result<Option<usize>, ProxyError> {
    let offset = bytes.len() - 1;
    let found = bytes[offset];
    if let Some(&right) = SIGNATURE.get(offset) {
        return match found == right {
            true => Ok(None),
            false => Err(ProxyError::NotProxy { offset, found }),
        };
    }
    match (bytes[offset - 1] == b'\r', found == b'\n') {
        (true, true) => Ok(Some(bytes.len())),
        (true, false) => Err(ProxyError::LineEnd { offset: offset - 1 }),
        (false, true) => Err(ProxyError::LineEnd { offset }),
        (false, false) if bytes.len() == LONGEST => Err(ProxyError::LineTooLong),
        (false, false) => Ok(None),
    }
}

/// Reads a whole line, its end included.
pub(super) fn decode(bytes: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let line = &bytes[..bytes.len() - 2];
    let mut fields = Fields {
        line,
        start: SIGNATURE.len(),
    };
    match fields.next() {
        Some((b"UNKNOWN", _)) => Ok(ProxyHeader::Unknown),
        Some((b"TCP4", _)) => decode_addresses::<Ipv4Addr>(fields, "an IPv4 address"),
        Some((b"TCP6", _)) => decode_addresses::<Ipv6Addr>(fields, "an IPv6 address"),
        _ => Err(ProxyError::Field {
            offset: SIGNATURE.len(),
            expected: "TCP4, TCP6 or UNKNOWN",
        }),
    }
}

fn decode_addresses<Ip: FromStr + Into<IpAddr>>(
    mut fields: Fields<'_>,
    family: &'static str,
) -> Result<ProxyHeader, ProxyError> {
    let source: IpAddr = fields.parse::<Ip>(family)?.into();
    let destination: IpAddr = fields.parse::<Ip>(family)?.into();
    let source = SocketAddr::new(source, fields.port()?);
    let destination = SocketAddr::new(destination, fields.port()?);
    match fields.next() {
        None => Ok(ProxyHeader::forwarded(
            ProxyAddress::Tcp(source),
            ProxyAddress::Tcp(destination),
        )),
        Some((_, offset)) => Err(ProxyError::Field {
            offset: offset - 1,
            expected: "its end",
        }),
    }
}

pub(super) fn write_unknown(out: &mut Vec<u8>) {
    out.extend_from_slice(b"PROXY UNKNOWN\r\n");
}

pub(super) fn write(forwarded: &Forwarded, out: &mut Vec<u8>) -> Result<(), ProxyError> {
    let (ProxyAddress::Tcp(source), ProxyAddress::Tcp(destination)) =
        (&forwarded.source, &forwarded.destination)
    else {
        return Err(ProxyError::Unsayable(
            "version 1 knows TCP only; send version 2",
        ));
    };
    if !forwarded.tlvs.is_empty() {
        return Err(ProxyError::Unsayable(
            "version 1 has no TLVs; send version 2",
        ));
    }
    let family = match (source, destination) {
        (SocketAddr::V4(_), SocketAddr::V4(_)) => 4,
        (SocketAddr::V6(_), SocketAddr::V6(_)) => 6,
        _ => return Err(ProxyError::Unsayable(super::wire::MIXED)),
    };
    let _never_fails = write!(
        out,
        "PROXY TCP{family} {} {} {} {}\r\n",
        source.ip(),
        destination.ip(),
        source.port(),
        destination.port(),
    );
    Ok(())
}

/// The fields of a line, parted by exactly one space each.
struct Fields<'a> {
    line: &'a [u8],
    /// Where the next field begins; one beyond the end when there is none.
    start: usize,
}

impl<'a> Fields<'a> {
    /// The next field and where it begins.
    fn next(&mut self) -> Option<(&'a [u8], usize)> {
        let start = self.start;
        let rest = self.line.get(start..)?;
        let length = rest.iter().position(|&byte| byte == b' ');
        let field = &rest[..length.unwrap_or(rest.len())];
        self.start = start + field.len() + 1;
        Some((field, start))
    }

    fn parse<T: FromStr>(&mut self, expected: &'static str) -> Result<T, ProxyError> {
        let offset = self.start.min(self.line.len());
        let field = self
            .next()
            .and_then(|(field, _)| str::from_utf8(field).ok());
        field
            .and_then(|text| text.parse().ok())
            .ok_or(ProxyError::Field { offset, expected })
    }

    /// Digits alone, without leading zeros.
    fn port(&mut self) -> Result<u16, ProxyError> {
        let offset = self.start.min(self.line.len());
        let expected = "a port without sign or leading zeros, at most 65535,";
        let port: u16 = self.parse(expected)?;
        let as_written = &self.line[offset..self.start - 1];
        if as_written.len() != port.to_string().len() {
            return Err(ProxyError::Field { offset, expected });
        }
        Ok(port)
    }
}
