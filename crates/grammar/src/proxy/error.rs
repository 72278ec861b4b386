//! The rules of the PROXY protocol that can be broken.

use std::error::Error;
use std::fmt;

/// A rule of the PROXY protocol that was broken, by the peer or (the last one) by you.
///
/// Offsets are counted from 0, the first byte of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// The stream begins with neither `PROXY ` nor the signature of version 2.
    NotProxy {
        /// Where.
        offset: usize,
        /// The byte found there.
        found: u8,
    },
    /// A carriage return and a line feed, together and nothing less, end a line of version 1.
    LineEnd {
        /// Where there is one without the other.
        offset: usize,
    },
    /// A line of version 1 is longer than 107 bytes.
    LineTooLong,
    /// A field of a line of version 1 is missing, malformed, or of another family than the line says.
    Field {
        /// Where the field begins.
        offset: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// The binary header is of another version than 2.
    Version {
        /// The byte of version and command, at offset 12.
        found: u8,
    },
    /// The command is neither LOCAL nor PROXY.
    Command {
        /// The byte of version and command, at offset 12.
        found: u8,
    },
    /// There is no such address family or transport.
    Family {
        /// The byte of family and transport, at offset 13.
        found: u8,
    },
    /// More bytes are declared than are accepted.
    TooLong {
        /// How many follow the first sixteen bytes, by the two bytes at offset 14.
        declared: usize,
        /// How many are accepted.
        limit: usize,
    },
    /// Fewer bytes are declared than the addresses take.
    TooShort {
        /// How many follow the first sixteen bytes, by the two bytes at offset 14.
        declared: usize,
        /// How many the addresses of that family take.
        needed: usize,
    },
    /// A TLV reaches beyond what holds it.
    Overrun {
        /// Where the TLV begins.
        offset: usize,
    },
    /// A TLV of a type that stands for one thing comes a second time.
    Repeated {
        /// Where the second begins.
        offset: usize,
        /// Its type.
        kind: u8,
    },
    /// The value of a TLV is not what its type must have.
    Value {
        /// Where the TLV begins.
        offset: usize,
        /// What the value must be.
        expected: &'static str,
    },
    /// The checksum is not that of the header.
    Checksum {
        /// Where its TLV begins.
        offset: usize,
    },
    /// You asked to send what this version cannot say.
    Unsayable(&'static str),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProxy { offset, found } => write!(
                f,
                "a PROXY header must come first, but byte {offset} is {}; is the sender told to send one?",
                found.escape_ascii(),
            ),
            Self::LineEnd { offset } => write!(
                f,
                "CR and LF together end a PROXY line, but byte {offset} is one without the other",
            ),
            Self::LineTooLong => {
                f.write_str("a PROXY line ends within 107 bytes, but byte 106 does not end it")
            }
            Self::Field { offset, expected } => {
                write!(f, "the PROXY line must have {expected} at byte {offset}")
            }
            Self::Version { found } => write!(
                f,
                "only version 2 of the binary PROXY header is known, but byte 12 is {found:#04x}",
            ),
            Self::Command { found } => write!(
                f,
                "a PROXY header's command is LOCAL (0x20) or PROXY (0x21), but byte 12 is {found:#04x}",
            ),
            Self::Family { found } => write!(
                f,
                "no address family and transport of the PROXY protocol is {found:#04x}, as byte 13 says",
            ),
            Self::TooLong { declared, limit } => write!(
                f,
                "the PROXY header declares {declared} bytes at byte 14 where {limit} are accepted; \
                 if such headers are right, raise the limit",
            ),
            Self::TooShort { declared, needed } => write!(
                f,
                "the PROXY header declares {declared} bytes at byte 14, but its addresses take {needed}",
            ),
            Self::Overrun { offset } => write!(
                f,
                "the TLV at byte {offset} of the PROXY header reaches beyond what holds it",
            ),
            Self::Repeated { offset, kind } => write!(
                f,
                "the TLV at byte {offset} of the PROXY header is the second of type {kind:#04x}",
            ),
            Self::Value { offset, expected } => write!(
                f,
                "the TLV at byte {offset} of the PROXY header must be {expected}",
            ),
            Self::Checksum { offset } => write!(
                f,
                "the checksum at byte {offset} is not that of the PROXY header",
            ),
            Self::Unsayable(why) => write!(f, "the PROXY header cannot be sent: {why}"),
        }
    }
}

impl Error for ProxyError {}
