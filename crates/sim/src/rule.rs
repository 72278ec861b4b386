//! What a link between two hosts is like, said rule by rule.
//!
//! A rule names a direction (or all) and some properties; the last one installed wins, property by property. Rules are
//! installed for good or for as long as a [`Guard`](crate::Guard) lives.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::faults::Faults;
use crate::random::Random;

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

    fn apply(&self, link: &mut Link) {
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
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |name: &Option<String>| name.clone().unwrap_or_else(|| "*".to_owned());
        let arrow = if self.both_ways { "<->" } else { "->" };
        write!(f, "rule {} {arrow} {}", host(&self.from), host(&self.to))
    }
}

/// Whether bytes pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    Held,
    Lost,
}

/// How the application at the far end reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    AtOnce,
    Slow(u64),
    Stopped,
}

/// What one direction is like, all rules applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Link {
    pub(crate) delay: Duration,
    jitter: Duration,
    pub(crate) bandwidth: Option<u64>,
    split: Option<(usize, usize)>,
    coalesce: Option<f64>,
    pub(crate) passage: Passage,
    pub(crate) refuse: bool,
    pub(crate) reset_after: Option<u64>,
    pub(crate) vanish_after: Option<u64>,
    pub(crate) reading: Reading,
    buffers: Option<(usize, usize)>,
}

impl Link {
    const LOOPBACK_DELAY: Duration = Duration::from_micros(10);
    const DELAY: Duration = Duration::from_micros(500);
    const BUFFER: usize = 64 * 1024;

    fn new(loopback: bool) -> Self {
        Self {
            delay: if loopback {
                Self::LOOPBACK_DELAY
            } else {
                Self::DELAY
            },
            jitter: Duration::ZERO,
            bandwidth: None,
            split: None,
            coalesce: None,
            passage: Passage::Open,
            refuse: false,
            reset_after: None,
            vanish_after: None,
            reading: Reading::AtOnce,
            buffers: None,
        }
    }

    /// How long a packet travels, jitter included, bandwidth not.
    pub(crate) fn travel(&self, faults: &Faults, random: &mut Random) -> Duration {
        self.delay + random.duration(self.jitter.max(faults.jitter))
    }

    /// How many of `len` bytes, which are at least one, travel together.
    pub(crate) fn segment(&self, len: usize, faults: &Faults, random: &mut Random) -> usize {
        if let Some((least, most)) = self.split {
            (random.between(least as u64..=most as u64) as usize).clamp(1, len)
        } else if random.chance(faults.split) {
            1 + random.skewed(len as u64 - 1) as usize
        } else {
            len
        }
    }

    /// With what probability two segments are read together.
    pub(crate) fn coalesce(&self, faults: &Faults) -> f64 {
        let drawn = if self.split.is_some() {
            0.0
        } else {
            faults.coalesce
        };
        self.coalesce.unwrap_or(drawn)
    }

    /// The send and receive buffer of a new connection.
    pub(crate) fn buffers(&self, faults: &Faults, random: &mut Random) -> (usize, usize) {
        self.buffers.unwrap_or_else(|| {
            if random.chance(faults.small_buffers) {
                let mut draw = || 64 + random.skewed(4032) as usize;
                (draw(), draw())
            } else {
                (Self::BUFFER, Self::BUFFER)
            }
        })
    }
}

/// The rules in force, by number.
#[derive(Debug, Default)]
pub(crate) struct Links {
    rules: Vec<(u64, Scope, Rule)>,
    /// Directions cut by `partition` and not yet healed.
    cut: Vec<Scope>,
    next: u64,
}

/// A direction between hosts, by number; `None` is any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) from: Option<usize>,
    pub(crate) to: Option<usize>,
    pub(crate) both_ways: bool,
}

impl Scope {
    fn covers(self, from: usize, to: usize) -> bool {
        let matches = |from, to| {
            self.from.is_none_or(|own| own == from) && self.to.is_none_or(|own| own == to)
        };
        matches(from, to) || self.both_ways && matches(to, from)
    }
}

impl Links {
    pub(crate) fn install(&mut self, scope: Scope, rule: Rule) -> u64 {
        self.next += 1;
        self.rules.push((self.next, scope, rule));
        self.next
    }

    pub(crate) fn lift(&mut self, number: u64) -> Option<Rule> {
        let place = self.rules.iter().position(|&(own, ..)| own == number)?;
        Some(self.rules.remove(place).2)
    }

    pub(crate) fn cut(&mut self, scope: Scope) {
        self.cut.push(scope);
    }

    pub(crate) fn heal(&mut self, scope: Scope) {
        self.cut.retain(|&cut| cut != scope);
    }

    pub(crate) fn between(&self, from: usize, to: usize) -> Link {
        let mut link = Link::new(from == to);
        let rules = self
            .rules
            .iter()
            .filter(|(_, scope, _)| scope.covers(from, to));
        rules.for_each(|(.., rule)| rule.apply(&mut link));
        if link.passage == Passage::Open && self.cut.iter().any(|cut| cut.covers(from, to)) {
            link.passage = Passage::Held;
        }
        link
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Scope = Scope {
        from: None,
        to: None,
        both_ways: false,
    };
    const BOTH: Scope = Scope {
        from: Some(1),
        to: Some(2),
        both_ways: true,
    };

    #[test]
    fn the_last_rule_wins_property_by_property() {
        let mut links = Links::default();
        links.install(
            ALL,
            Rule::everywhere()
                .delay(Duration::from_secs(1))
                .bandwidth(7),
        );
        let number = links.install(BOTH, Rule::between("a", "b").delay(Duration::from_secs(2)));
        let link = links.between(2, 1);
        assert_eq!(
            (link.delay, link.bandwidth),
            (Duration::from_secs(2), Some(7))
        );
        assert_eq!(links.between(1, 3).delay, Duration::from_secs(1));
        assert!(links.lift(number).is_some() && links.lift(number).is_none());
        assert_eq!(links.between(2, 1).delay, Duration::from_secs(1));
    }

    #[test]
    fn one_way_is_one_way() {
        let mut links = Links::default();
        let scope = Scope {
            both_ways: false,
            ..BOTH
        };
        links.install(scope, Rule::from_to("a", "b").partition());
        assert_eq!(links.between(1, 2).passage, Passage::Held);
        assert_eq!(links.between(2, 1).passage, Passage::Open);
    }

    #[test]
    fn a_cut_holds_until_healed() {
        let mut links = Links::default();
        links.cut(BOTH);
        assert_eq!(links.between(2, 1).passage, Passage::Held);
        links.heal(BOTH);
        assert_eq!(links.between(2, 1).passage, Passage::Open);
    }

    #[test]
    fn splitting_stays_within_the_range() {
        let mut random = Random::new(1);
        let mut link = Link::new(true);
        link.split = Some((2, 3));
        for _ in 0..100 {
            assert!((2..=3).contains(&link.segment(10, &Faults::none(), &mut random)));
            assert_eq!(link.segment(1, &Faults::none(), &mut random), 1);
        }
        assert_eq!(link.coalesce(&Faults::none()), 0.0);
    }
}
