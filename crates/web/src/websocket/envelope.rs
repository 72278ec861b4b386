//! A message on its way over a backplane.
//!
//! ```text
//!   "\0RW1"  origin, 8 bytes  kind: bit 0 binary, bit 1 keyed  [key, 8 bytes]  the message
//! ```
//!
//! What does not begin so was published by another program: a text if it is UTF-8, else bytes.

use bytes::{BufMut, Bytes};

use super::message::Message;

const MAGIC: &[u8] = b"\0RW1";

const BINARY: u8 = 1;
const KEYED: u8 = 2;

/// What came out of an envelope.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Who sent it; none for other programs.
    pub(super) origin: Option<u64>,
    pub(super) key: Option<u64>,
    pub(super) message: Message,
}

pub(super) fn seal(origin: u64, key: Option<u64>, message: &Message) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 21);
    out.extend_from_slice(MAGIC);
    out.put_u64(origin);
    let binary = if message.as_text().is_none() {
        BINARY
    } else {
        0
    };
    out.push(binary | if key.is_some() { KEYED } else { 0 });
    if let Some(key) = key {
        out.put_u64(key);
    }
    out.extend_from_slice(message.as_bytes());
    out.into()
}

/// `None` if it begins as an envelope and is none.
pub(super) fn open(data: &[u8]) -> Option<Opened> {
    let Some(rest) = data.strip_prefix(MAGIC) else {
        let message = match str::from_utf8(data) {
            Ok(text) => text.into(),
            Err(_) => data.to_vec().into(),
        };
        return Some(Opened {
            origin: None,
            key: None,
            message,
        });
    };
    let (origin, rest) = rest.split_first_chunk()?;
    let (&kind, mut rest) = rest.split_first()?;
    let mut key = None;
    if kind & KEYED != 0 {
        let bytes;
        (bytes, rest) = rest.split_first_chunk()?;
        key = Some(u64::from_be_bytes(*bytes));
    }
    let message = match kind & !KEYED {
        0 => str::from_utf8(rest).ok()?.into(),
        BINARY => rest.to_vec().into(),
        _ => return None,
    };
    Some(Opened {
        origin: Some(u64::from_be_bytes(*origin)),
        key,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_as_it_was() {
        for message in [
            Message::from("grüße"),
            Message::from(b"\xff\0".to_vec()),
            Message::from(""),
        ] {
            for key in [None, Some(7)] {
                let sealed = seal(42, key, &message);
                let origin = Some(42);
                let message = message.clone();
                assert_eq!(
                    open(&sealed),
                    Some(Opened {
                        origin,
                        key,
                        message
                    })
                );
            }
        }
    }

    #[test]
    fn what_others_publish_is_understood_and_damage_is_not() {
        let foreign = |data: &[u8]| open(data).map(|opened| (opened.origin, opened.message));
        assert_eq!(foreign(b"hi"), Some((None, "hi".into())));
        assert_eq!(foreign(b"\xff"), Some((None, vec![0xff].into())));
        let sealed = seal(1, Some(2), &"a".into());
        for end in 4..sealed.len() - 1 {
            assert_eq!(open(&sealed[..end]), None);
        }
        assert_eq!(open(b"\0RW1\0\0\0\0\0\0\0\x01\x04"), None);
        assert_eq!(open(b"\0RW1\0\0\0\0\0\0\0\x01\0\xff"), None);
    }
}
