//! A host and maybe a port, as `Host`, absolute targets and CONNECT have them.

use std::net::Ipv6Addr;

use super::scan;

/// A host and maybe a port (RFC 9110 7.2, RFC 3986 3.2), without user information.
///
/// ```
/// use ropewalk_grammar::http1::Authority;
///
/// let authority = Authority::parse("[2001:db8::1]:8080").unwrap();
/// assert_eq!((authority.host(), authority.port()), ("[2001:db8::1]", Some(8080)));
/// assert_eq!(Authority::parse("user@example.com"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Authority<'a> {
    text: &'a str,
    host: usize,
    port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Takes `text` apart; `None` when it is not a host with at most a port.
    ///
    /// The host is a name, an IPv4 address or an IPv6 address in brackets, and not empty. A port is at most 65535; a
    /// colon without one means none (RFC 3986 3.2.3).
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::of(text.as_bytes())
    }

    /// The same for bytes that need not be text.
    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (host, port) = split(bytes)?;
        let text = scan::ascii(bytes);
        Some(Self { text, host, port })
    }

    /// Whether bytes that need not be text are one.
    pub(super) fn is_one(bytes: &[u8]) -> bool {
        split(bytes).is_some()
    }

    /// All of it, as it was sent.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    /// The host, as it was sent: names compare without case, an IPv6 address keeps its brackets.
    pub fn host(&self) -> &'a str {
        &self.text[..self.host]
    }

    /// The port, if there is one.
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

/// Where the host ends, and the port.
fn split(bytes: &[u8]) -> Option<(usize, Option<u16>)> {
    let host = match bytes {
        [b'[', rest @ ..] => literal_end(rest)?,
        _ => name_end(bytes)?,
    };
    let port = match &bytes[host..] {
        [] => None,
        [b':', digits @ ..] => port(digits)?,
        _ => return None,
    };
    Some((host, port))
}

/// Where an IPv6 address ends whose bracket was opened before `rest`, counted from the bracket.
fn literal_end(rest: &[u8]) -> Option<usize> {
    let length = memchr::memchr(b']', rest)?;
    let address = std::str::from_utf8(&rest[..length]).ok()?;
    address.parse::<Ipv6Addr>().ok()?;
    Some(length + 2)
}

/// Where a name or an IPv4 address ends; it is not empty, and percent signs are followed by two digits.
fn name_end(bytes: &[u8]) -> Option<usize> {
    let mut at = scan::host_end(bytes, 0);
    while let Some(b'%') = bytes.get(at) {
        let encoded = bytes.get(at + 1..at + 3)?;
        if !encoded.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        at = scan::host_end(bytes, at + 3);
    }
    (at > 0).then_some(at)
}

/// The port that `digits` say: none if there are none.
fn port(digits: &[u8]) -> Option<Option<u16>> {
    let mut port: Option<u16> = None;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u16::from(digit - b'0'))?;
        port = Some(port.unwrap_or(0).checked_mul(10)?.checked_add(digit)?);
    }
    Some(port)
}
