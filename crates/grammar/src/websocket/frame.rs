//! Heads of frames (RFC 6455 5.2).

use super::mask::Key;
use super::{Role, Rule};

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) is_final: bool,
    /// The first reserved bit, which RFC 7692 gives a meaning.
    pub(super) is_compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) key: Key,
    pub(super) length: u64,
}

/// No head is longer.
pub(super) const HEAD_BYTES: usize = 14;

const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;

impl Opcode {
    #[inline]
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    #[inline]
    pub(super) const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

impl Head {
    /// Reads a head as sent to `role`, and how many bytes it has; `None` while it is unfinished.
    ///
    /// What only the first bytes break is told as soon as they are there.
    #[inline]
    pub(super) fn read(bytes: &[u8], role: Role) -> Result<Option<(Self, usize)>, Rule> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        if first & 0x30 != 0 {
            return Err(Rule::ReservedBits);
        }
        let opcode = Opcode::of(first & 0xf).ok_or(Rule::Opcode)?;
        let is_final = first & FINAL != 0;
        if opcode.is_control() && !is_final {
            return Err(Rule::FragmentedControl);
        }
        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        let is_masked = second & MASKED != 0;
        match role {
            Role::Server if !is_masked => return Err(Rule::Unmasked),
            Role::Client if is_masked => return Err(Rule::Masked),
            _ => {}
        }
        if opcode.is_control() && second & 0x7f > 125 {
            return Err(Rule::ControlTooLong);
        }
        let Some((length, at)) = read_length(second & 0x7f, bytes)? else {
            return Ok(None);
        };
        let (key, end) = match is_masked {
            false => ([0; 4], at),
            true => match bytes[at..].first_chunk() {
                Some(key) => (*key, at + 4),
                None => return Ok(None),
            },
        };
        let head = Self {
            is_final,
            is_compressed: first & COMPRESSED != 0,
            opcode,
            key,
            length,
        };
        Ok(Some((head, end)))
    }

    /// Appends the head; with a key if `is_masked`.
    #[inline(always)]
    pub(super) fn send(&self, is_masked: bool, out: &mut Vec<u8>) {
        let flag = |is: bool, bit| if is { bit } else { 0 };
        let first =
            flag(self.is_final, FINAL) | flag(self.is_compressed, COMPRESSED) | self.opcode.bits();
        let masked = flag(is_masked, MASKED);
        match self.length {
            length @ 0..126 => out.extend_from_slice(&[first, masked | length as u8]),
            length @ 126..0x1_0000 => {
                let [high, low] = (length as u16).to_be_bytes();
                out.extend_from_slice(&[first, masked | 126, high, low]);
            }
            length => {
                out.extend_from_slice(&[first, masked | 127]);
                out.extend_from_slice(&length.to_be_bytes());
            }
        }
        if is_masked {
            out.extend_from_slice(&self.key);
        }
    }
}

/// The length, and where it ends.
#[inline]
fn read_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, Rule> {
    let (length, at, least) = match short {
        126 => match bytes[2..].first_chunk() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4, 126),
            None => return Ok(None),
        },
        127 => match bytes[2..].first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 10, 0x1_0000),
            None => return Ok(None),
        },
        short => (u64::from(short), 2, 0),
    };
    if length < least {
        return Err(Rule::LengthNotMinimal);
    }
    if length > i64::MAX as u64 {
        return Err(Rule::LengthTooLarge);
    }
    Ok(Some((length, at)))
}
