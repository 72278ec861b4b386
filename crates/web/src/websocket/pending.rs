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
    messages: VecDeque<Entry>,
    bytes: usize,
}

struct Entry {
    lane: usize,
    key: Option<u64>,
    waiting: Waiting,
}

/// A message, as it is or framed already.
pub(super) enum Waiting {
    Message(Message),
    Framed(Bytes),
}

/// How a message waits.
#[derive(Clone, Copy)]
pub(super) struct Queueing {
    /// Only messages of the same lane are dropped for it: those of one topic, or (0) of all who have no policy of their own.
    pub(super) lane: usize,
    /// What it is about.
    pub(super) key: Option<u64>,
    pub(super) policy: SlowPeer,
    /// It is one of many receivers: of those that are slow none may cost much.
    pub(super) is_for_many: bool,
}

/// So many messages for many wait for one that is slow, and bytes, before it is closed. The attack: thousands that
/// subscribe and never read (WS-03).
const MOST_WAITING: usize = 1024;
const MOST_WAITING_BYTES: usize = 4 * 1024 * 1024;

impl Waiting {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::Framed(frame) => frame.len(),
        }
    }
}

impl Pending {
    pub(super) fn push(&mut self, queueing: Queueing, waiting: Waiting) {
        let Queueing {
            lane, key, policy, ..
        } = queueing;
        self.bytes += waiting.len();
        if let SlowPeer::Coalesce(_) = policy
            && let Some(older) = self.find(lane, key)
        {
            let older = std::mem::replace(&mut older.waiting, waiting);
            self.bytes -= older.len();
            return;
        }
        self.messages.push_back(Entry { lane, key, waiting });
        if let SlowPeer::Coalesce(most) | SlowPeer::DropOldest(most) = policy {
            self.drop_beyond(most, lane);
        }
    }

    fn find(&mut self, lane: usize, key: Option<u64>) -> Option<&mut Entry> {
        let key = key?;
        let mut entries = self.messages.iter_mut();
        entries.find(|entry| entry.lane == lane && entry.key == Some(key))
    }

    fn drop_beyond(&mut self, most: usize, lane: usize) {
        let of_lane = |entry: &&Entry| entry.lane == lane;
        let count = self.messages.iter().filter(of_lane).count();
        for _ in most.max(1)..count {
            let oldest = self.messages.iter().position(|entry| entry.lane == lane);
            if let Some(entry) = oldest.and_then(|at| self.messages.remove(at)) {
                self.bytes -= entry.waiting.len();
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let Entry { waiting, .. } = self.messages.pop_front()?;
        self.bytes -= waiting.len();
        Some(waiting)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether no message for many may be added that nothing else bounds.
    pub(super) fn is_over(&self, queueing: Queueing) -> bool {
        let is_long = self.messages.len() >= MOST_WAITING || self.bytes >= MOST_WAITING_BYTES;
        let is_bounded = matches!(
            queueing.policy,
            SlowPeer::DropOldest(_) | SlowPeer::Coalesce(_)
        );
        queueing.is_for_many && !is_bounded && is_long
    }

    /// How many bytes wait to be sent.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How much memory that takes, about.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.messages.len() * size_of::<Entry>()
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
            let queueing = Queueing {
                lane: 0,
                key,
                policy,
                is_for_many: false,
            };
            pending.push(queueing, Waiting::Message(text.into()));
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

    #[test]
    fn a_lane_drops_only_its_own() {
        let mut pending = Pending::default();
        let queueing = |lane, policy| Queueing {
            lane,
            key: Some(1),
            policy,
            is_for_many: true,
        };
        let mut push = |lane, policy, text: &str| {
            pending.push(queueing(lane, policy), Waiting::Message(text.into()));
        };
        push(0, SlowPeer::Wait, "first");
        push(1, SlowPeer::DropOldest(1), "old");
        push(2, SlowPeer::Coalesce(3), "a");
        push(1, SlowPeer::DropOldest(1), "new");
        push(2, SlowPeer::Coalesce(3), "b");
        assert_eq!(pending.bytes(), 9);
        assert_eq!(texts(&mut pending), ["first", "b", "new"]);
    }
}
