//! What a link between two hosts is like, said rule by rule.
//!
//! A rule names a direction (or all) and some properties; the last one installed wins, property by property. Rules are
//! installed for good or for as long as a [`Guard`](crate::Guard) lives.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::link::{Link, Passage, Reading, Unkindness};

/// Properties of the links it names; those not named stay as they are.
///
/// ```
/// use std::time::Duration;
/// use ropewalk_sim::{Rule, World};
///
/// let world = World::new(1);
/// world.host("client");
/// world.host("server");
/// world.install(Rule::everywhere().delay(Duration::from_millis(40)));
/// world.install(Rule::from_to("server", "client").bandwidth(10_000).split(1..=7));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a rule does nothing until it is installed"]
pub struct Rule {
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) both_ways: bool,
    delay: Option<Duration>,
    jitter: Option<Duration>,
    bandwidth: Option<u64>,
    split: Option<(usize, usize)>,
    coalesce: Option<f64>,
    passage: Option<Passage>,
    refuse: Option<bool>,
    reset_after: Option<u64>,
    vanish_after: Option<u64>,
    reading: Option<Reading>,
    buffers: Option<(usize, usize)>,
    datagrams: Unkindness,
}

impl Rule {
    /// A rule for both directions between two hosts, which may be one host's loopback.
    pub fn between(a: &str, b: &str) -> Self {
        Self {
            both_ways: true,
            ..Self::from_to(a, b)
        }
    }

    /// A rule for one direction.
    pub fn from_to(from: &str, to: &str) -> Self {
        let (from, to) = (Some(from.to_owned()), Some(to.to_owned()));
        Self {
            from,
            to,
            ..Self::everywhere()
        }
    }

    /// A rule for all links, loopback too.
    pub const fn everywhere() -> Self {
        Self {
            from: None,
            to: None,
            both_ways: false,
            delay: None,
            jitter: None,
            bandwidth: None,
            split: None,
            coalesce: None,
            passage: None,
            refuse: None,
            reset_after: None,
            vanish_after: None,
            reading: None,
            buffers: None,
            datagrams: Unkindness {
                loss: None,
                duplicate: None,
                reorder: None,
                mtu: None,
            },
        }
    }

    /// How long a byte travels: by default 500 µs, and 10 µs within a host.
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// Each segment comes up to this much later (never out of order).
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// How many bytes a second pass, shared by all connections of that direction.
    pub const fn bandwidth(mut self, bytes_per_second: u64) -> Self {
        self.bandwidth = Some(bytes_per_second);
        self
    }

    /// Bytes travel, and are received, in pieces of a length drawn from this range.
    pub const fn split(mut self, lengths: RangeInclusive<usize>) -> Self {
        self.split = Some((*lengths.start(), *lengths.end()));
        self
    }

    /// With what probability a piece that is there to be read comes together with the next: by default 1, and 0 where
    /// a rule splits.
    pub const fn coalesce(mut self, probability: f64) -> Self {
        self.coalesce = Some(probability);
        self
    }

    /// Nothing passes; what is under way, and what is sent meanwhile, waits until the link is whole again, as TCP does.
    /// Time-outs go on.
    #[doc(alias = "hold")]
    pub const fn partition(mut self) -> Self {
        self.passage = Some(Passage::Held);
        self
    }

    /// Bytes vanish without an error. A connection that lost any stays silent in that direction when the rule is lifted,
    /// as behind a middlebox that forgot it; attempts to connect are repeated then.
    #[doc(alias = "drop")]
    pub const fn lose(mut self) -> Self {
        self.passage = Some(Passage::Lost);
        self
    }

    /// Attempts to connect are refused.
    pub const fn refuse(mut self) -> Self {
        self.refuse = Some(true);
        self
    }

    /// Connections made from now on are reset, on both sides, once the receiver has this many bytes.
    pub const fn reset_after(mut self, bytes: u64) -> Self {
        self.reset_after = Some(bytes);
        self
    }

    /// Connections made from now on fall silent, in both directions, once the receiver has this many bytes.
    pub const fn vanish_after(mut self, bytes: u64) -> Self {
        self.vanish_after = Some(bytes);
        self
    }

    /// The receiver takes only so many bytes a second (at least 1), so that buffers fill up and the sender is blocked.
    pub const fn slow_reader(mut self, bytes_per_second: u64) -> Self {
        self.reading = Some(Reading::Slow(bytes_per_second));
        self
    }

    /// The receiver takes nothing.
    pub const fn stopped_reader(mut self) -> Self {
        self.reading = Some(Reading::Stopped);
        self
    }

    /// How many bytes the send and the receive buffer of connections made from now on hold: by default 64 KiB each.
    pub const fn buffers(mut self, send: usize, receive: usize) -> Self {
        self.buffers = Some((send, receive));
        self
    }

    /// With what probability a datagram is lost.
    pub const fn lose_datagrams(mut self, probability: f64) -> Self {
        self.datagrams.loss = Some(probability);
        self
    }

    /// With what probability a datagram comes twice.
    pub const fn duplicate_datagrams(mut self, probability: f64) -> Self {
        self.datagrams.duplicate = Some(probability);
        self
    }

    /// With what probability later datagrams may overtake one, by up to 100 ms.
    pub const fn reorder_datagrams(mut self, probability: f64) -> Self {
        self.datagrams.reorder = Some(probability);
        self
    }

    /// Datagrams with more bytes do not pass, as where fragments are dropped.
    pub const fn mtu(mut self, bytes: usize) -> Self {
        self.datagrams.mtu = Some(bytes);
        self
    }

    pub(crate) fn apply(&self, link: &mut Link) {
        link.delay = self.delay.unwrap_or(link.delay);
        link.jitter = self.jitter.unwrap_or(link.jitter);
        link.bandwidth = self.bandwidth.or(link.bandwidth);
        link.split = self.split.or(link.split);
        link.coalesce = self.coalesce.or(link.coalesce);
        link.passage = self.passage.unwrap_or(link.passage);
        link.refuse = self.refuse.unwrap_or(link.refuse);
        link.reset_after = self.reset_after.or(link.reset_after);
        link.vanish_after = self.vanish_after.or(link.vanish_after);
        link.reading = self.reading.unwrap_or(link.reading);
        link.buffers = self.buffers.or(link.buffers);
        let (own, datagrams) = (&self.datagrams, &mut link.datagrams);
        datagrams.loss = own.loss.or(datagrams.loss);
        datagrams.duplicate = own.duplicate.or(datagrams.duplicate);
        datagrams.reorder = own.reorder.or(datagrams.reorder);
        datagrams.mtu = own.mtu.or(datagrams.mtu);
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        let arrow = if self.both_ways { "<->" } else { "->" };
        write!(f, "rule {} {arrow} {}", host(&self.from), host(&self.to))
    }
}
