//! What one direction between two hosts is like now: all rules applied, and nothing drawn yet.

use std::time::Duration;

use crate::faults::Faults;
use crate::random::Random;
use crate::rule::Rule;

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
    pub(crate) jitter: Duration,
    pub(crate) bandwidth: Option<u64>,
    pub(crate) split: Option<(usize, usize)>,
    pub(crate) coalesce: Option<f64>,
    pub(crate) passage: Passage,
    pub(crate) refuse: bool,
    pub(crate) reset_after: Option<u64>,
    pub(crate) vanish_after: Option<u64>,
    pub(crate) reading: Reading,
    pub(crate) buffers: Option<(usize, usize)>,
    pub(crate) datagrams: Unkindness,
}

/// What befalls datagrams by rule, each on top of the plan of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Unkindness {
    pub(crate) loss: Option<f64>,
    pub(crate) duplicate: Option<f64>,
    pub(crate) reorder: Option<f64>,
    pub(crate) mtu: Option<usize>,
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
            datagrams: Unkindness::default(),
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
