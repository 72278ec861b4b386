//! What a proxy tells beside addresses: type, length, value (section 2.2 of the specification).

use super::ProxyError;
use super::checksum::crc32c;

/// What a version 2 header tells beside the addresses; its types and values obey the rules.
///
/// ```
/// use ropewalk_grammar::proxy::{Tlv, TlvList};
///
/// let mut tlvs = TlvList::default();
/// tlvs.push(Tlv::AUTHORITY, b"example.com")?;
/// tlvs.push_checksum()?;
/// assert_eq!(tlvs.authority(), Some("example.com"));
/// assert_eq!(tlvs.iter().count(), 2);
/// # Ok::<(), ropewalk_grammar::proxy::ProxyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlvList {
    bytes: Vec<u8>,
}

/// One thing that a proxy tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The type, such as [`Tlv::ALPN`]; 0xE0 to 0xEF are for applications.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

/// What a proxy tells of the TLS connection that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssl<'a> {
    /// Bit 0: the client came over TLS. Bit 1: with a certificate, over this connection; bit 2: over this session.
    pub client: u8,
    /// 0 if the client's certificate was verified, or it had none to verify.
    pub verify: u32,
    inner: &'a [u8],
}

impl Tlv<'_> {
    /// The application protocol (RFC 7301), such as `h2`.
    pub const ALPN: u8 = 0x01;
    /// The host name that the client asked for, in UTF-8.
    pub const AUTHORITY: u8 = 0x02;
    /// A checksum of the header.
    pub const CRC32C: u8 = 0x03;
    /// Nothing; fills up.
    pub const NOOP: u8 = 0x04;
    /// The proxy's own name for the connection: at most 128 bytes.
    pub const UNIQUE_ID: u8 = 0x05;
    /// The TLS connection of the client.
    pub const SSL: u8 = 0x20;
    /// The network namespace.
    pub const NETNS: u8 = 0x30;

    /// Within [`Tlv::SSL`].
    const SSL_VERSION: u8 = 0x21;
    const SSL_COMMON_NAME: u8 = 0x22;
    const SSL_CIPHER: u8 = 0x23;

    const LONGEST_ID: usize = 128;
    /// Type and length.
    const HEAD: usize = 3;
}

impl TlvList {
    /// Adds one thing to tell. The value of a checksum is not kept, for it is computed when the header is sent.
    ///
    /// # Errors
    ///
    /// The value is not what the type must have, the type must come once and is there already, or the value is longer
    /// than 65 535 bytes.
    pub fn push(&mut self, kind: u8, value: &[u8]) -> Result<(), ProxyError> {
        let length = u16::try_from(value.len())
            .map_err(|_| ProxyError::Unsayable("a TLV has 65535 bytes at most"))?;
        let offset = self.bytes.len();
        Tlv { kind, value }.check(offset)?;
        if is_single(kind) && self.find(kind).is_some() {
            return Err(ProxyError::Repeated { offset, kind });
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        let is_computed = kind == Tlv::CRC32C;
        self.bytes
            .extend_from_slice(if is_computed { &[0; 4] } else { value });
        Ok(())
    }

    /// Lets the header carry a checksum, computed when it is sent.
    ///
    /// # Errors
    ///
    /// It carries one already.
    pub fn push_checksum(&mut self) -> Result<(), ProxyError> {
        self.push(Tlv::CRC32C, &[0; 4])
    }

    /// All, in the order of the header.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'_>> {
        // Only what obeys the rules comes into a list.
        walk(&self.bytes, 0).map_while(|(_, tlv)| tlv.ok())
    }

    /// The first value of this type.
    pub fn find(&self, kind: u8) -> Option<&[u8]> {
        let mut all = self.iter();
        all.find(|tlv| tlv.kind == kind).map(|tlv| tlv.value)
    }

    /// The application protocol that the client speaks, such as `h2`.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.find(Tlv::ALPN)
    }

    /// The host name that the client asked for.
    pub fn authority(&self) -> Option<&str> {
        str::from_utf8(self.find(Tlv::AUTHORITY)?).ok()
    }

    /// The proxy's own name for the connection.
    pub fn unique_id(&self) -> Option<&[u8]> {
        self.find(Tlv::UNIQUE_ID)
    }

    /// The TLS connection of the client.
    pub fn ssl(&self) -> Option<Ssl<'_>> {
        Ssl::decode(self.find(Tlv::SSL)?)
    }

    /// Whether the header carries a checksum; a received one was right.
    pub fn has_checksum(&self) -> bool {
        self.find(Tlv::CRC32C).is_some()
    }

    /// Whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads what stands in a whole header from `start` on, and checks all of it.
    pub(super) fn decode(header: &[u8], start: usize) -> Result<Self, ProxyError> {
        let mut seen = 0u64;
        let mut bytes = header[start..].to_vec();
        for (offset, tlv) in walk(&header[start..], start) {
            let tlv = tlv?;
            tlv.check(offset)?;
            if is_single(tlv.kind) {
                let bit = 1 << tlv.kind;
                if seen & bit != 0 {
                    let kind = tlv.kind;
                    return Err(ProxyError::Repeated { offset, kind });
                }
                seen |= bit;
            }
            if tlv.kind == Tlv::CRC32C {
                if tlv.value != checksum(header, offset).to_be_bytes() {
                    return Err(ProxyError::Checksum { offset });
                }
                // It has served: the list is again as its sender made it.
                bytes[offset - start + Tlv::HEAD..][..4].fill(0);
            }
        }
        Ok(Self { bytes })
    }

    /// Puts the checksum into a finished header, whose list begins at `start`, if it is to carry one.
    pub(super) fn seal(&self, header: &mut [u8], start: usize) {
        let place =
            walk(&self.bytes, start).find(|(_, tlv)| tlv.is_ok_and(|tlv| tlv.kind == Tlv::CRC32C));
        if let Some((offset, _)) = place {
            let sum = checksum(header, offset).to_be_bytes();
            header[offset + Tlv::HEAD..][..sum.len()].copy_from_slice(&sum);
        }
    }
}

impl<'a> Tlv<'a> {
    /// Whether the value is what the type must have.
    fn check(&self, offset: usize) -> Result<(), ProxyError> {
        let expected = match self.kind {
            Self::AUTHORITY if str::from_utf8(self.value).is_err() => "a name in UTF-8",
            Self::CRC32C if self.value.len() != 4 => "a checksum of 4 bytes",
            Self::UNIQUE_ID if self.value.len() > Self::LONGEST_ID => "an id of at most 128 bytes",
            Self::SSL if Ssl::decode(self.value).is_none() => "flags, a verdict and whole TLVs",
            _ => return Ok(()),
        };
        Err(ProxyError::Value { offset, expected })
    }
}

impl<'a> Ssl<'a> {
    /// The version of TLS, such as `TLSv1.3`.
    pub fn version(&self) -> Option<&'a [u8]> {
        self.find(Tlv::SSL_VERSION)
    }

    /// The common name in the client's certificate, which proves nothing unless [`verify`](Self::verify) is 0.
    pub fn common_name(&self) -> Option<&'a [u8]> {
        self.find(Tlv::SSL_COMMON_NAME)
    }

    /// The cipher, such as `ECDHE-RSA-AES128-GCM-SHA256`.
    pub fn cipher(&self) -> Option<&'a [u8]> {
        self.find(Tlv::SSL_CIPHER)
    }

    /// Whether the client showed a certificate, and it was verified.
    pub fn is_verified(&self) -> bool {
        self.client & 0b110 != 0 && self.verify == 0
    }

    /// The first value of this inner type.
    pub fn find(&self, kind: u8) -> Option<&'a [u8]> {
        walk(self.inner, 0)
            .filter_map(|(_, tlv)| tlv.ok())
            .find(|tlv| tlv.kind == kind)
            .map(|tlv| tlv.value)
    }

    fn decode(value: &'a [u8]) -> Option<Self> {
        let (&[client, a, b, c, d], inner) = value.split_first_chunk()?;
        let is_whole = walk(inner, 0).all(|(_, tlv)| tlv.is_ok());
        is_whole.then_some(Self {
            client,
            verify: u32::from_be_bytes([a, b, c, d]),
            inner,
        })
    }
}

/// The types that stand for one thing: two of them would be understood differently by different readers.
fn is_single(kind: u8) -> bool {
    kind <= Tlv::NETNS && kind != Tlv::NOOP
}

/// The checksum of a header, whose own four bytes count as zeros.
fn checksum(header: &[u8], offset: usize) -> u32 {
    let (before, value) = header.split_at(offset + Tlv::HEAD);
    crc32c([before, &[0; 4], &value[4..]])
}

/// The TLVs of `bytes`, each with its offset, of which the first is `start`; an error is the last.
fn walk<'a>(
    bytes: &'a [u8],
    start: usize,
) -> impl Iterator<Item = (usize, Result<Tlv<'a>, ProxyError>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let offset = start + at;
        match first(rest) {
            Some(tlv) => {
                at += Tlv::HEAD + tlv.value.len();
                Some((offset, Ok(tlv)))
            }
            None => {
                at = bytes.len();
                Some((offset, Err(ProxyError::Overrun { offset })))
            }
        }
    })
}

fn first(bytes: &[u8]) -> Option<Tlv<'_>> {
    let (&[kind, high, low], rest) = bytes.split_first_chunk()?;
    let value = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    Some(Tlv { kind, value })
}
