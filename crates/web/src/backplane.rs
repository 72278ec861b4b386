//! Topics across machines: what is published on one is received on all that subscribed.
//!
//! ```text
//!   Topics ── publish, subscribe ──► Backplane ──► server ──► Backplane ── received, lost, back ──► Topics elsewhere
//! ```
//!
//! For: [`Topics`](crate::websocket::Topics), and others who have messages for many machines. Not for: keeping messages, or
//! delivering them for certain.
//!
//! | backplane | string | feature |
//! | --- | --- | --- |
//! | [`InProcess`] | | |
//! | [NATS](https://nats.io) | `nats:tcp:HOST:PORT` | `nats` |
//! | [Redis](https://redis.io) 6 and newer, Valkey | `redis:tcp:HOST:PORT` | `redis` |
//!
//! # What is guaranteed
//!
//! A message arrives **at most once** at each subscriber, and those of one publisher in the order in which they were published.
//! Nothing is kept for who is not there: while the connection to the server is [lost](BackplaneListener::lost), what others
//! publish is missed. [`back`](BackplaneListener::back) says when that is over: who needs all must then ask for what was missed
//! where it is kept, such as in a database. What we publish meanwhile waits, at most 1024 messages or 4 MiB, and then the
//! oldest are dropped, and [told](BackplaneListener::dropped). What was on its way when the connection broke may be lost
//! without a word.

#[cfg(any(feature = "nats", feature = "redis"))]
mod client;
mod in_process;
#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "nats", feature = "redis"))]
mod outbox;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "redis"))]
mod talk;

use std::rc::Rc;

use bytes::Bytes;
use ropewalk_core::endpoint::{Description, EndpointError};
use ropewalk_core::{Deferred, Handle};

pub use self::in_process::InProcess;
#[cfg(feature = "nats")]
pub use self::nats::Nats;
#[cfg(feature = "redis")]
pub use self::redis::Redis;

/// A way to other machines, for messages by topic.
///
/// *Guaranteed* by each: the listener is never called within a call of these methods, but on a turn of its own. Nothing here
/// blocks, and all that waits has a limit.
pub trait Backplane: 'static {
    /// Begins, on this reactor. It is called once, before all others.
    fn start(&self, reactor: &Handle, listener: Rc<dyn BackplaneListener>);

    /// Wants what others publish to a topic. Names have 1 to 256 bytes.
    fn subscribe(&self, topic: &str);

    /// Wants it no more.
    fn unsubscribe(&self, topic: &str);

    /// Sends to all who subscribed. It may come back to ourselves.
    fn publish(&self, topic: &str, payload: Bytes);

    /// Ends; fires once the connection is gone.
    fn stop(&self) -> Deferred<()>;
}

/// Who is told what a backplane has.
pub trait BackplaneListener {
    /// Somebody published to a topic.
    fn received(&self, topic: &str, payload: &[u8]);

    /// The connection is lost: nothing comes until it is back.
    fn lost(&self);

    /// From now on all comes: what is published to this topic, which is new; or, without a topic, to all that are subscribed
    /// to, as the connection is there (for the first time, or again).
    fn back(&self, topic: Option<&str>);

    /// So many of our messages were dropped: the server is away, or slower than we are, or does not take what is so large.
    fn dropped(&self, messages: u64);
}

impl Backplane for Box<dyn Backplane> {
    fn start(&self, reactor: &Handle, listener: Rc<dyn BackplaneListener>) {
        (**self).start(reactor, listener);
    }
    fn subscribe(&self, topic: &str) {
        (**self).subscribe(topic);
    }
    fn unsubscribe(&self, topic: &str) {
        (**self).unsubscribe(topic);
    }
    fn publish(&self, topic: &str, payload: Bytes) {
        (**self).publish(topic, payload);
    }
    fn stop(&self) -> Deferred<()> {
        (**self).stop()
    }
}

/// The backplane that a string names: `nats:…` or `redis:…`, with its options before the endpoint of the server, as in
/// `redis:password=secret:tls:redis.example.com:6380`.
///
/// # Errors
///
/// There is no such backplane (its feature may be off), or it does not understand the string.
#[doc(alias = "from_string")]
pub fn backplane(text: &str) -> Result<Box<dyn Backplane>, EndpointError> {
    let description = Description::parse(text)?;
    match description.kind() {
        #[cfg(feature = "nats")]
        "nats" => Ok(Box::new(Nats::from_description(description)?)),
        #[cfg(feature = "redis")]
        "redis" => Ok(Box::new(Redis::from_description(description)?)),
        _ => Err(description.unknown_type(KINDS)),
    }
}

const KINDS: &[&str] = &[
    #[cfg(feature = "nats")]
    "nats",
    #[cfg(feature = "redis")]
    "redis",
];
