//! Messages that wait for a slow peer, or behind one that is sent in fragments.

use std::collections::VecDeque;

use bytes::Bytes;

use super::message::Message;

/// What becomes of messages that are sent faster than the peer reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowPeer {
    /// They wait, all of them; ask [`WebSocket::is_full`](super::WebSocket::is_full), or await
    /// [`ready`](super::WebSocket::ready). Beyond [`Limits::outgoing_bytes`](ropewalk_core::Limits::outgoing_bytes) the
    /// connection is cut (WS-03).
    #[default]
    Wait,
    /// The newest wait, this many at most; older ones are dropped. For what is soon out of date.
    DropOldest(usize),
    /// Of those with the same key ([`send_keyed`](super::WebSocket::send_keyed)) only the newest waits; so many keys at
    /// most, then the oldest is dropped. For the state of many things.
    Coalesce(usize),
    /// The peer is closed with 1013. For what makes no sense with gaps.
    Disconnect,
}

/// What waits, oldest first.
#[derive(Default)]
pub(super) struct Pending {
    messages: VecDeque<(Option<u64>, Waiting)>,
    bytes: usize,
}

/// A message, as it is or framed already.
pub(super) enum Waiting {
    Message(Message),
    Framed(Bytes),
}

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Framed(frame) => frame.len(),
        }
    }
}

impl Pending {
    pub(super) fn push(&mut self, key: Option<u64>, waiting: Waiting, policy: SlowPeer) {
        self.bytes += waiting.len();
        match policy {
            SlowPeer::Coalesce(most) => {
                let same = |slot: &&mut (Option<u64>, Waiting)| key.is_some() && slot.0 == key;
                if let Some(slot) = self.messages.iter_mut().find(same) {
                    self.bytes -= std::mem::replace(&mut slot.1, waiting).len();
                    return;
                }
                self.messages.push_back((key, waiting));
                self.drop_beyond(most);
            }
            SlowPeer::DropOldest(most) => {
                self.messages.push_back((key, waiting));
                self.drop_beyond(most);
            }
            SlowPeer::Wait | SlowPeer::Disconnect => self.messages.push_back((key, waiting)),
        }
    }

    fn drop_beyond(&mut self, most: usize) {
        while self.messages.len() > most.max(1) {
            drop(self.pop());
        }
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let (_, waiting) = self.messages.pop_front()?;
        self.bytes -= waiting.len();
        Some(waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pending: &mut Pending) -> Vec<String> {
        std::iter::from_fn(|| pending.pop())
            .map(|waiting| match waiting {
                Waiting::Message(Message::Text(text)) => text,
                _ => unreachable!("only texts were pushed"),
            })
            .collect()
    }

    fn push_all(policy: SlowPeer) -> Pending {
        let mut pending = Pending::default();
        for (key, text) in [
            (Some(1), "a1"),
            (Some(2), "b1"),
            (None, "c"),
            (Some(1), "a2"),
        ] {
            pending.push(key, Waiting::Message(text.into()), policy);
        }
        pending
    }

    #[test]
    fn ws_03_what_waits_is_bounded_by_the_policy() {
        assert_eq!(
            texts(&mut push_all(SlowPeer::Wait)),
            ["a1", "b1", "c", "a2"]
        );
        assert_eq!(texts(&mut push_all(SlowPeer::DropOldest(2))), ["c", "a2"]);
        assert_eq!(
            texts(&mut push_all(SlowPeer::Coalesce(9))),
            ["a2", "b1", "c"]
        );
        assert_eq!(texts(&mut push_all(SlowPeer::Coalesce(2))), ["c", "a2"]);
        let mut pending = push_all(SlowPeer::Coalesce(9));
        assert_eq!(pending.bytes(), 5);
        texts(&mut pending);
        assert_eq!((pending.bytes(), pending.is_empty()), (0, true));
    }
}
