//! Messages that wait for a slow peer, or behind one that is sent in fragments.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::message::Message;

/// What becomes of messages that are sent faster than the peer reads.
///
/// ```
/// use ropewalk_web::websocket::{SlowPeer, Topic, WebSocketOptions};
///
/// // All that is sent to a connection, but for topics that say otherwise:
/// let options = WebSocketOptions { slow_peer: SlowPeer::Disconnect, ..WebSocketOptions::default() };
/// // Prices by `send_keyed`: whoever reads slowly gets the newest of each, of a hundred at most.
/// let prices = Topic::new().with_slow_peer(SlowPeer::Coalesce(100));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SlowPeer {
    /// They wait, all of them; ask [`WebSocket::is_full`](super::WebSocket::is_full), or await
    /// [`ready`](super::WebSocket::ready). Beyond [`Limits::outgoing_bytes`](ropewalk_core::Limits::outgoing_bytes) the
    /// connection is cut (WS-03).
    #[default]
    Wait,
    /// The newest wait, this many at most; older ones are dropped. For what is soon out of date.
    DropOldest(usize),
    /// Of those with the same key ([`send_keyed`](super::WebSocket::send_keyed)) only the newest waits, in the place of the one
    /// before it; so many messages at most, then the oldest is dropped. For the state of many things.
    Coalesce(usize),
    /// The peer is closed with 1013. For what makes no sense with gaps.
    Disconnect,
}

/// What waits, oldest first.
///
/// Messages wait in lanes, in each of which the oldest is dropped first and the newest comes last: so whatever the policy, a
/// message costs no look at the others that wait. Which lane has the oldest message of all is known by age.
#[derive(Default)]
pub(super) struct Pending {
    lanes: BTreeMap<usize, Lane>,
    /// The lane of each oldest message, by its age.
    oldest: BTreeMap<u64, usize>,
    /// How many were ever pushed: the age of the next.
    pushed: u64,
    messages: usize,
    bytes: usize,
}

/// Never empty.
#[derive(Default)]
struct Lane {
    entries: VecDeque<Entry>,
    /// How many left it: the place of the first.
    left: u64,
    /// The place of the newest message of each key that was pushed to be found again.
    places: BTreeMap<u64, u64>,
}

struct Entry {
    age: u64,
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
        let key = key.filter(|_| matches!(policy, SlowPeer::Coalesce(_)));
        let entries = self.lanes.entry(lane).or_default();
        if let Some(older) = entries.find(key) {
            let older = std::mem::replace(&mut older.waiting, waiting);
            self.bytes -= older.len();
            return;
        }
        let age = self.pushed;
        self.pushed += 1;
        if entries.entries.is_empty() {
            self.oldest.insert(age, lane);
        }
        entries.push(Entry { age, key, waiting });
        self.messages += 1;
        if let SlowPeer::Coalesce(most) | SlowPeer::DropOldest(most) = policy {
            while self.lanes[&lane].entries.len() > most.max(1) {
                self.take_first(lane);
            }
        }
    }

    /// Takes the oldest message out of a lane.
    fn take_first(&mut self, lane: usize) -> Option<Waiting> {
        let entries = self.lanes.get_mut(&lane)?;
        let first = entries.pop()?;
        self.messages -= 1;
        self.bytes -= first.waiting.len();
        self.oldest.remove(&first.age);
        match entries.entries.front() {
            Some(next) => drop(self.oldest.insert(next.age, lane)),
            None => drop(self.lanes.remove(&lane)),
        }
        Some(first.waiting)
    }

    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let (_, &lane) = self.oldest.first_key_value()?;
        self.take_first(lane)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Whether no message for many may be added that nothing else bounds.
    pub(super) fn is_over(&self, queueing: Queueing) -> bool {
        let is_long = self.messages >= MOST_WAITING || self.bytes >= MOST_WAITING_BYTES;
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
        self.bytes + self.messages * size_of::<Entry>()
    }
}

impl Lane {
    fn push(&mut self, entry: Entry) {
        if let Some(key) = entry.key {
            let place = self.left + self.entries.len() as u64;
            self.places.insert(key, place);
        }
        self.entries.push_back(entry);
    }

    fn pop(&mut self) -> Option<Entry> {
        let first = self.entries.pop_front()?;
        self.left += 1;
        if let Some(key) = first.key {
            self.places.remove(&key);
        }
        Some(first)
    }

    /// What waits about the thing `key`.
    fn find(&mut self, key: Option<u64>) -> Option<&mut Entry> {
        let place = self.places.get(&key?)? - self.left;
        self.entries.get_mut(place as usize)
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
    /// What waits, as it would be if each message were compared with all others.
    #[derive(Default)]
    struct Model(Vec<(usize, Option<u64>, String)>);

    impl Model {
        fn push(&mut self, queueing: Queueing, text: &str) {
            let Queueing {
                lane, key, policy, ..
            } = queueing;
            let is_same = |other: &&mut (usize, Option<u64>, String)| {
                (other.0, other.1) == (lane, key) && key.is_some()
            };
            if let SlowPeer::Coalesce(_) = policy
                && let Some(older) = self.0.iter_mut().find(is_same)
            {
                older.2 = text.to_owned();
                return;
            }
            self.0.push((lane, key, text.to_owned()));
            if let SlowPeer::Coalesce(most) | SlowPeer::DropOldest(most) = policy {
                let count = self.0.iter().filter(|other| other.0 == lane).count();
                for _ in most..count {
                    let oldest = self.0.iter().position(|other| other.0 == lane);
                    self.0.remove(oldest.expect("it was counted"));
                }
            }
        }
    }

    proptest::proptest! {
        /// Lanes have one policy each, as topics and connections do.
        #[test]
        fn what_waits_is_what_the_policies_say(
            steps in proptest::collection::vec((0..4_usize, proptest::option::of(0..4_u64), 0..6_usize), 0..200)
        ) {
            let policies = [SlowPeer::Wait, SlowPeer::DropOldest(3), SlowPeer::Coalesce(9), SlowPeer::Coalesce(2)];
            let (mut pending, mut model) = (Pending::default(), Model::default());
            for (number, (lane, key, pops)) in steps.into_iter().enumerate() {
                let queueing = Queueing { lane, key, policy: policies[lane], is_for_many: false };
                let text = format!("{number}");
                model.push(queueing, &text);
                pending.push(queueing, Waiting::Message(text.into()));
                for _ in 4..pops {
                    let expected = (!model.0.is_empty()).then(|| model.0.remove(0).2);
                    let popped = pending.pop().map(|waiting| match waiting {
                        Waiting::Message(Message::Text(text)) => text,
                        _ => unreachable!("only texts were pushed"),
                    });
                    proptest::prop_assert_eq!(popped, expected);
                }
                let bytes: usize = model.0.iter().map(|other| other.2.len()).sum();
                proptest::prop_assert_eq!(pending.bytes(), bytes);
                proptest::prop_assert_eq!(pending.is_empty(), model.0.is_empty());
            }
            let left: Vec<String> = model.0.into_iter().map(|other| other.2).collect();
            proptest::prop_assert_eq!(texts(&mut pending), left);
            proptest::prop_assert!(pending.lanes.is_empty() && pending.oldest.is_empty());
        }
    }
}
