//! The PROXY protocol of HAProxy, versions 1 (a line of text) and 2 (binary): for whom a proxy made a connection.
//!
//! For: whoever stands behind a proxy that sends the header, or sends it itself, by the specification
//! <https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>. Not for: whom to believe it from; a
//! header says what its sender likes, so take it only from proxies that you know.
//!
//! ```text
//!   bytes ── receive ──► ProxyDecoder ──► ProxyHeader, and where its bytes end
//!   ProxyHeader ── send_v1, send_v2 ──► bytes appended to a Vec
//! ```
//!
//! Strict, as a header that two readers understand differently is a hole: nothing is guessed, the first
//! byte that breaks a rule ends it, and the rule is named with the byte's place.
//!
//! ```
//! use ropewalk_grammar::proxy::{ProxyAddress, ProxyDecoder, ProxyHeader};
//!
//! let mut decoder = ProxyDecoder::new();
//! assert_eq!(decoder.receive(b"PROXY TCP4 192.0.2.1 198.51.100.7 5")?, None);
//! let (header, used) = decoder.receive(b"6324 443\r\nGET /")?.unwrap();
//! assert_eq!(used, b"6324 443\r\n".len());
//! let ProxyHeader::Forwarded(forwarded) = header else { panic!("it is forwarded") };
//! assert_eq!(forwarded.source, ProxyAddress::Tcp("192.0.2.1:56324".parse().unwrap()));
//! assert_eq!(forwarded.destination, ProxyAddress::Tcp("198.51.100.7:443".parse().unwrap()));
//! # Ok::<(), ropewalk_grammar::proxy::ProxyError>(())
//! ```

mod checksum;
mod decoder;
mod error;
mod text;
mod tlv;
mod wire;

use std::net::SocketAddr;

pub use self::decoder::ProxyDecoder;
pub use self::error::ProxyError;
pub use self::tlv::{Ssl, Tlv, TlvList};

/// What a proxy says before the first byte of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The proxy speaks for itself, as in a health check: the addresses of the connection are the true ones. Version 2 only.
    Local,
    /// Somebody's connection whose addresses the proxy cannot say: those of the connection must do.
    Unknown,
    /// The connection of somebody else.
    Forwarded(Forwarded),
}

/// For whom a connection was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Who connected to the proxy.
    pub source: ProxyAddress,
    /// Which address they connected to; of the same kind and family as the source.
    pub destination: ProxyAddress,
    /// What else the proxy tells; nothing in version 1.
    pub tlvs: TlvList,
}

/// One end of a forwarded connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProxyAddress {
    /// TCP over IPv4 or IPv6.
    Tcp(SocketAddr),
    /// UDP over IPv4 or IPv6; version 2 only.
    Udp(SocketAddr),
    /// A stream between UNIX sockets; version 2 only. The path, or NUL and the abstract name, or nothing.
    Unix(Box<[u8]>),
    /// Datagrams between UNIX sockets; version 2 only. The name as for a stream.
    UnixDatagram(Box<[u8]>),
}

impl ProxyHeader {
    /// The header for a connection from `source` to `destination`, with nothing else to tell.
    pub fn forwarded(source: ProxyAddress, destination: ProxyAddress) -> Self {
        Self::Forwarded(Forwarded {
            source,
            destination,
            tlvs: TlvList::default(),
        })
    }

    /// Appends the header as a line of text (version 1).
    ///
    /// Version 1 has no word for [`ProxyHeader::Local`]: it becomes `UNKNOWN`, which means the same to the receiver.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Unsayable`], and `out` is unchanged: the addresses are not both TCP of one family, or there
    /// are TLVs.
    pub fn send_v1(&self, out: &mut Vec<u8>) -> Result<(), ProxyError> {
        match self {
            Self::Local | Self::Unknown => text::write_unknown(out),
            Self::Forwarded(forwarded) => text::write(forwarded, out)?,
        }
        Ok(())
    }

    /// Appends the header in binary (version 2).
    ///
    /// # Errors
    ///
    /// [`ProxyError::Unsayable`], and `out` is unchanged: the addresses are not of one kind and family, a UNIX
    /// name is longer than 108 bytes, or the TLVs are longer than a header can be.
    pub fn send_v2(&self, out: &mut Vec<u8>) -> Result<(), ProxyError> {
        match self {
            Self::Local => wire::write_without_addresses(wire::LOCAL, out),
            Self::Unknown => wire::write_without_addresses(wire::PROXY, out),
            Self::Forwarded(forwarded) => wire::write(forwarded, out)?,
        }
        Ok(())
    }
}
