//! The body of a message that is being sent, held to what its head says (R169).

use super::encode::{send_chunk, send_chunk_start, send_last_chunk};
use super::{BodyLength, SendError, SendName};

/// How much of a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// Nothing of it.
    Unsent,
    /// Its head; so many bytes are to come.
    Length(u64),
    /// Its head; chunks are to come.
    Chunks,
    /// Its head; bytes are to come until the connection ends.
    UntilClose,
    /// Its head; the peer sees no body, whatever the owner says (HEAD, 204, 304).
    Unseen,
    /// All of it.
    Whole,
}

impl Outgoing {
    /// The head is sent and announces `body`.
    pub(super) fn announced(body: BodyLength) -> Self {
        match body {
            BodyLength::Empty => Self::Length(0),
            BodyLength::Known(length) => Self::Length(length),
            BodyLength::Chunked => Self::Chunks,
            BodyLength::UntilClose => Self::UntilClose,
        }
    }

    pub(super) fn send(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), SendError> {
        match self {
            Self::Chunks => send_chunk(data, out),
            Self::Unseen => {}
            _ => {
                self.count(data.len() as u64)?;
                out.extend_from_slice(data);
            }
        }
        Ok(())
    }

    /// What must stand before `length` bytes that are sent otherwise; gives what must stand behind them, or `None` where they
    /// must not be sent.
    pub(super) fn send_apart(
        &mut self,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<Option<&'static [u8]>, SendError> {
        match self {
            Self::Unseen => Ok(None),
            Self::Chunks if length > 0 => {
                send_chunk_start(length, out);
                Ok(Some(b"\r\n"))
            }
            Self::Chunks => Ok(Some(b"")),
            _ => self.count(length).map(|()| Some(&b""[..])),
        }
    }

    fn count(&mut self, length: u64) -> Result<(), SendError> {
        match self {
            Self::Length(left) => *left = left.checked_sub(length).ok_or(SendError::Length)?,
            Self::UntilClose => {}
            _ => {
                return Err(SendError::Order(
                    "a body is sent behind its head and before its end",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn end<N: SendName, V: AsRef<[u8]>>(
        &mut self,
        trailers: impl IntoIterator<Item = (N, V)>,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self {
            Self::Chunks => send_last_chunk(trailers, out)?,
            Self::Length(0) | Self::UntilClose | Self::Unseen => {}
            Self::Length(_) => return Err(SendError::Length),
            Self::Unsent | Self::Whole => {
                return Err(SendError::Order("a message is ended once, behind its head"));
            }
        }
        *self = Self::Whole;
        Ok(())
    }
}
