//! What must come back over a WebSocket: the very frames, or compressed ones of the same text.

use flate2::{Decompress, FlushDecompress};

use super::ws::head;
use crate::Outcome;

/// What a client waits for, over and over.
pub(crate) enum Answers {
    /// A frame as it must be, and where in it the next byte lies.
    Same {
        frame: Vec<u8>,
        at: usize,
    },
    Deflated(Box<Deflated>),
}

/// A text whose frames are compressed, or not, as the server likes.
pub(crate) struct Deflated {
    text: Vec<u8>,
    /// None if each message is compressed by itself.
    context: Option<Decompress>,
    /// What has come of frames that are not whole.
    partial: Vec<u8>,
    /// The last payload that was right: where messages stand for themselves, the same bytes mean the same.
    right: Vec<u8>,
    plain: Vec<u8>,
}

const OTHER_BYTES: &str = "other bytes than expected";

impl Answers {
    /// The message itself, binary and in one frame.
    pub(crate) fn same(payload: &[u8]) -> Self {
        let frame = [&head(0x82, payload.len(), 0)[..], payload].concat();
        Self::Same { frame, at: 0 }
    }

    pub(crate) fn deflated(text: &[u8], takes_over: bool) -> Self {
        Self::Deflated(Box::new(Deflated {
            text: text.to_vec(),
            context: takes_over.then(|| Decompress::new(false)),
            partial: Vec::new(),
            right: Vec::new(),
            plain: Vec::new(),
        }))
    }

    /// Compares what came; how many messages are whole now.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Outcome<usize> {
        match self {
            Self::Same { frame, at } => compare(frame, at, bytes),
            Self::Deflated(deflated) => deflated.receive(bytes),
        }
    }
}

fn compare(frame: &[u8], at: &mut usize, bytes: &[u8]) -> Outcome<usize> {
    let (mut rest, mut whole) = (bytes, 0);
    while !rest.is_empty() {
        let length = rest.len().min(frame.len() - *at);
        if rest[..length] != frame[*at..*at + length] {
            return Err(OTHER_BYTES.into());
        }
        *at += length;
        rest = &rest[length..];
        if *at == frame.len() {
            (*at, whole) = (0, whole + 1);
        }
    }
    Ok(whole)
}

impl Deflated {
    fn receive(&mut self, bytes: &[u8]) -> Outcome<usize> {
        let mut partial = std::mem::take(&mut self.partial);
        partial.extend_from_slice(bytes);
        let (mut at, mut whole) = (0, 0);
        while let Some((head, length)) = read_head(&partial[at..])?
            && partial.len() - at >= head + length
        {
            let payload = &partial[at + head..at + head + length];
            let is_compressed = partial[at] & 0x40 != 0;
            if !self.is_right(payload, is_compressed)? {
                return Err(OTHER_BYTES.into());
            }
            at += head + length;
            whole += 1;
        }
        partial.drain(..at);
        self.partial = partial;
        Ok(whole)
    }

    fn is_right(&mut self, payload: &[u8], is_compressed: bool) -> Outcome<bool> {
        if !is_compressed {
            return Ok(payload == self.text);
        }
        if self.context.is_none() && payload == self.right {
            return Ok(true);
        }
        let mut alone = None;
        let context = match &mut self.context {
            Some(context) => context,
            None => alone.insert(Decompress::new(false)),
        };
        self.plain.clear();
        for piece in [payload, &[0, 0, 0xff, 0xff]] {
            inflate(context, piece, &mut self.plain)?;
        }
        let is_right = self.plain == self.text;
        if is_right && self.context.is_none() {
            self.right = payload.to_vec();
        }
        Ok(is_right)
    }
}

fn inflate(context: &mut Decompress, mut piece: &[u8], plain: &mut Vec<u8>) -> Outcome<()> {
    loop {
        let before = context.total_in();
        plain.reserve(64 * 1024);
        context.decompress_vec(piece, plain, FlushDecompress::Sync)?;
        piece = &piece[(context.total_in() - before) as usize..];
        if piece.is_empty() && plain.len() < plain.capacity() {
            return Ok(());
        }
    }
}

/// How long the head is, and the payload; none if not all of the head is there.
fn read_head(bytes: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let &[first, second, ..] = bytes else {
        return Ok(None);
    };
    if !matches!(first & 0xbf, 0x81 | 0x82) || second & 0x80 != 0 {
        return Err(format!("no whole message, unmasked: {first:#x} {second:#x}").into());
    }
    Ok(match second {
        126 => bytes[2..]
            .first_chunk()
            .map(|length| (4, usize::from(u16::from_be_bytes(*length)))),
        127 => bytes[2..]
            .first_chunk()
            .map(|length| (10, u64::from_be_bytes(*length) as usize)),
        short => Some((2, usize::from(short))),
    })
}
