//! One message to many WebSockets.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use super::frames::Frames;
use super::gap::Gap;
use super::members::Members;
use super::message::Message;
use super::pending::{Queueing, SlowPeer};
use super::published::Carried;
use super::socket::WebSocket;
use super::topics::Elsewhere;

/// A set of WebSockets that get the same messages. Clones are the same topic.
///
/// A message is framed once, and compressed once for each size of window that receivers agreed to, whatever their number;
/// large ones are one piece of memory in all their queues. (What a *client* sends is masked with a key of its own for each
/// receiver, so only that is made anew.) One that is closed leaves by itself.
///
/// A receiver that reads slowly is treated as the topic [says](Self::with_slow_peer), else as its own
/// [`slow_peer`](super::WebSocketOptions::slow_peer) does. Where that is to wait, 1024 messages or 4 MiB wait for it beside
/// what its connection takes; then it is closed with 1013 (WS-03). Stops receivers that never read from filling the memory.
///
/// ```
/// use ropewalk_web::websocket::{Topic, WebSocket, WebSocketProtocol, WebSocketServer};
///
/// struct Member(Topic);
/// impl WebSocketProtocol for Member {
///     fn opened(&mut self, socket: &WebSocket) {
///         self.0.subscribe(socket);
///     }
///     fn text_received(&mut self, socket: &WebSocket, text: &str) {
///         self.0.send_to_others(socket, text);
///     }
/// }
///
/// let room = Topic::new(); // or that of a name, on all cores and machines: see Topics
/// let server = WebSocketServer::new(move |_| Member(room.clone()));
/// ```
#[derive(Clone, Default)]
pub struct Topic(Rc<Inner>);

#[derive(Default)]
struct Inner {
    members: RefCell<Members>,
    slow_peer: Cell<Option<SlowPeer>>,
    elsewhere: Option<Elsewhere>,
    on_message: RefCell<Option<OnMessage>>,
    on_gap: RefCell<Option<OnGap>>,
}

type OnMessage = Rc<dyn Fn(&Topic, &Message)>;
type OnGap = Rc<dyn Fn(&Topic, Gap)>;

impl Topic {
    /// A topic without receivers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A topic with receivers elsewhere too.
    pub(super) fn elsewhere(elsewhere: Elsewhere) -> Self {
        Self(Rc::new(Inner {
            elsewhere: Some(elsewhere),
            ..Inner::default()
        }))
    }

    /// Its name, if it has one (see [`Topics`](super::Topics)).
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let elsewhere = self.0.elsewhere.as_ref()?;
        Some(&elsewhere.name)
    }

    /// With a policy of its own for receivers that read slowly. It is about this topic's messages only: what else waits for a
    /// receiver is neither counted nor dropped.
    #[must_use]
    pub fn with_slow_peer(self, policy: SlowPeer) -> Self {
        self.0.slow_peer.set(Some(policy));
        self
    }

    /// Adds a receiver, once.
    pub fn subscribe(&self, socket: &WebSocket) {
        self.0.members.borrow_mut().add(socket);
    }

    /// Removes a receiver; tells whether it was one.
    pub fn unsubscribe(&self, socket: &WebSocket) -> bool {
        self.0.members.borrow_mut().remove(socket)
    }

    /// Calls a function for each message that comes from another core or machine, before the receivers here get it: for those
    /// who listen otherwise than by WebSocket. It takes the place of an earlier one. It gets the topic, and need not hold it.
    pub fn on_message_from_elsewhere(&self, call: impl Fn(&Self, &Message) + 'static) {
        self.0.on_message.replace(Some(Rc::new(call)));
    }

    /// Calls a function when messages may have been missed, and when from now on all come: for asking what was missed where it is
    /// kept. It takes the place of an earlier one. It gets the topic, and need not hold it.
    pub fn on_gap(&self, call: impl Fn(&Self, Gap) + 'static) {
        self.0.on_gap.replace(Some(Rc::new(call)));
    }

    /// How many receivers there are here.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut members = self.0.members.borrow_mut();
        members.sweep();
        members.all().len()
    }

    /// Whether there is no receiver here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sends to all; tells to how many here.
    #[doc(alias = "publish")]
    pub fn send(&self, message: impl Into<Message>) -> usize {
        self.publish(message.into(), None, None)
    }

    /// Sends to all; tells to how many here. While a receiver is slow, only the newest message about each thing waits for it, if that is the policy
    /// ([`SlowPeer::Coalesce`]).
    pub fn send_keyed(&self, key: u64, message: impl Into<Message>) -> usize {
        self.publish(message.into(), Some(key), None)
    }

    /// Sends to all but one; tells to how many here.
    pub fn send_to_others(&self, sender: &WebSocket, message: impl Into<Message>) -> usize {
        self.publish(message.into(), None, Some(sender))
    }

    fn publish(&self, message: Message, key: Option<u64>, except: Option<&WebSocket>) -> usize {
        let frames = Frames::new(message);
        let sent = self.deliver(&frames, key, except);
        if let Some(elsewhere) = &self.0.elsewhere
            && let Some(topics) = elsewhere.topics.upgrade()
        {
            let topic = elsewhere.name.clone();
            topics.publish(Carried { topic, key, frames });
        }
        sent
    }

    /// What was sent on another core or machine.
    pub(super) fn deliver_from_elsewhere(&self, frames: &Frames, key: Option<u64>) {
        let call = self.0.on_message.borrow().clone();
        if let Some(call) = call {
            call(self, &frames.message);
        }
        self.deliver(frames, key, None);
    }

    pub(super) fn tell(&self, gap: Gap) {
        let call = self.0.on_gap.borrow().clone();
        if let Some(call) = call {
            call(self, gap);
        }
    }

    /// Whether somebody listens, or has a handle beside so many.
    pub(super) fn is_wanted(&self, handles: usize) -> bool {
        let listens = self.0.on_message.borrow().is_some() || self.0.on_gap.borrow().is_some();
        listens || Rc::strong_count(&self.0) > handles || !self.is_empty()
    }

    fn deliver(&self, frames: &Frames, key: Option<u64>, except: Option<&WebSocket>) -> usize {
        let mut members = self.0.members.borrow_mut();
        let own_policy = self.0.slow_peer.get();
        let lane = own_policy.map_or(0, |_| Rc::as_ptr(&self.0).addr());
        let (mut sent, mut is_any_closed) = (0, false);
        for receiver in members.all() {
            if !receiver.is_open() {
                is_any_closed = true;
            } else if except != Some(receiver) {
                let policy = own_policy.unwrap_or(receiver.0.options.slow_peer);
                let queueing = Queueing {
                    lane,
                    key,
                    policy,
                    is_for_many: true,
                };
                send(receiver, frames, queueing);
                sent += 1;
            }
        }
        if is_any_closed {
            members.sweep();
        }
        sent
    }
}

fn send(receiver: &WebSocket, frames: &Frames, queueing: Queueing) {
    let shared = &receiver.0;
    match shared.is_client() {
        true => shared.send_masked(&frames.message, queueing),
        false => {
            let deflate = shared.shares_deflated(frames.message.len());
            shared.send_framed(frames.get(deflate), queueing);
        }
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Topic({} receivers)",
            self.0.members.borrow().all().len()
        )
    }
}

#[cfg(test)]
mod tests {
    use ropewalk_testing::StringTransport;

    use super::*;
    use crate::websocket::{WebSocketProtocol, WebSocketServer};

    struct Member(Topic);
    impl WebSocketProtocol for Member {
        fn opened(&mut self, socket: &WebSocket) {
            self.0.subscribe(socket);
        }
    }

    fn join(topic: &Topic) -> StringTransport {
        let topic = topic.clone();
        let server = WebSocketServer::new(move |_| Member(topic.clone()));
        let mut member = StringTransport::builder().factory(server);
        member.receive(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        );
        member.take_sent();
        member
    }

    fn is_unique(frames: &Frames) -> bool {
        frames.get(None).is_unique()
    }

    /// Fifty receivers hold the same bytes, while they wait in the connection, behind others, and until all are sent.
    #[test]
    fn a_large_message_is_one_piece_of_memory_in_all_queues() {
        let topic = Topic::new();
        let mut members: Vec<_> = (0..50).map(|_| join(&topic)).collect();
        members.iter_mut().for_each(StringTransport::block_sending);
        let frames: Vec<_> = (0..5)
            .map(|_| {
                let frames = Frames::new(vec![7; 100_000].into());
                assert_eq!(topic.deliver(&frames, None, None), 50);
                frames
            })
            .collect();
        for member in &mut members {
            member.settle();
            assert!(!frames.iter().any(is_unique));
            member.unblock_sending();
            member.settle();
            assert_eq!(member.take_sent().len(), 5 * 100_010);
        }
        assert!(frames.iter().all(is_unique), "somebody still holds some");
    }

    /// Whoever has not sent it yet holds the one piece, and no copy.
    #[test]
    fn a_small_message_that_is_all_that_waits_is_copied_for_none() {
        let topic = Topic::new();
        let mut members: Vec<_> = (0..20).map(|_| join(&topic)).collect();
        for slow in 0..members.len() {
            members[slow].block_sending();
            let frames = Frames::new("a".repeat(100).into());
            assert_eq!(topic.deliver(&frames, None, None), 20);
            for member in &mut members {
                member.settle();
            }
            assert!(!is_unique(&frames), "receiver {slow} has a copy");
            members[slow].unblock_sending();
            assert!(is_unique(&frames), "somebody still holds it");
            for member in &mut members {
                assert_eq!(member.take_sent().len(), 102);
            }
        }
    }

    #[test]
    fn a_message_is_framed_once_in_each_way() {
        let frames = Frames::new("a".repeat(2000).into());
        let deflate = ropewalk_grammar::websocket::Deflate::new();
        for way in [None, Some((deflate, 9)), Some((deflate, 15))] {
            assert_eq!(frames.get(way).as_ptr(), frames.get(way).as_ptr());
        }
    }
}
