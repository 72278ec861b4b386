//! Seeded randomness: the only source of chance in a simulated world.
//!
//! Not for secrets: who knows the seed knows every draw, which is the point.

use std::fmt;
use std::num::ParseIntError;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// What a world, or a test, grows from: the same seed, the same trace.
///
/// It is shown as a decimal number and read from one, so that a failing seed can be given back.
///
/// ```
/// use ropewalk_sim::Seed;
///
/// let seed = Seed(42);
/// assert_eq!(seed.to_string().parse(), Ok(seed));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Seed {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl From<u64> for Seed {
    fn from(seed: u64) -> Self {
        Self(seed)
    }
}

/// A stream of numbers drawn from a seed (xoshiro256++ by Blackman and Vigna).
///
/// ```
/// use ropewalk_sim::{Random, Seed};
///
/// let mut random = Random::new(Seed(1));
/// let dice = random.between(1..=6);
/// assert_eq!(dice, Random::new(Seed(1)).between(1..=6));
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of that seed.
    #[must_use]
    pub fn new(seed: impl Into<Seed>) -> Self {
        let mut mixed = seed.into().0;
        Self {
            state: [(); 4].map(|()| split_mix(&mut mixed)),
        }
    }

    /// A stream of its own, so that what is drawn there moves nothing here.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.number())
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }

    /// A number of the range, each as likely; its start if the range is empty.
    pub fn between(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (start, end) = range.into_inner();
        match end.checked_sub(start).and_then(|span| span.checked_add(1)) {
            Some(count) => start + ((u128::from(self.number()) * u128::from(count)) >> 64) as u64,
            None if end < start => start,
            None => self.number(),
        }
    }

    /// A place in a list of `len`; 0 if the list is empty.
    pub fn index(&mut self, len: usize) -> usize {
        self.between(0..=(len as u64).saturating_sub(1)) as usize
    }

    /// True with that probability; for 0 and less nothing is drawn.
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what a double can tell apart.
        probability > 0.0 && ((self.number() >> 11) as f64) < probability * (1_u64 << 53) as f64
    }

    /// A time up to `longest`, that included; for zero nothing is drawn.
    pub fn duration(&mut self, longest: Duration) -> Duration {
        let nanos = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        if nanos == 0 {
            longest
        } else {
            Duration::from_nanos(self.between(0..=nanos))
        }
    }

    /// A number from 0 to `most`, each order of magnitude as likely: small ones often, great ones too.
    pub fn skewed(&mut self, most: u64) -> u64 {
        let bits = u64::from(u64::BITS - most.leading_zeros());
        let bits = self.between(0..=bits) as u32;
        let top = 1_u64.checked_shl(bits).map_or(u64::MAX, |top| top - 1);
        self.between(0..=top.min(most))
    }

    /// Puts a list in any order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for place in (1..list.len()).rev() {
            list.swap(place, self.index(place + 1));
        }
    }
}

/// One step of SplitMix64, which spreads seeds that differ in one bit over the whole state.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The reference implementation's first outputs for the state 1, 2, 3, 4.
        let mut random = Random {
            state: [1, 2, 3, 4],
        };
        let drawn = [(); 3].map(|()| random.number());
        assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
    }

    #[test]
    fn ranges_are_kept_and_reached() {
        let mut random = Random::new(Seed(7));
        let mut seen = [0_u32; 6];
        (0..600).for_each(|_| seen[random.between(0..=5) as usize] += 1);
        assert!(
            seen.iter().all(|&count| (50..150).contains(&count)),
            "{seen:?}"
        );
        let (start, end) = (5, 3);
        assert_eq!(random.between(start..=end), 5);
        assert_eq!(random.index(0), 0);
        random.between(0..=u64::MAX);
    }

    #[test]
    fn chance_follows_its_probability() {
        let mut random = Random::new(Seed(7));
        let hits = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2200..2800).contains(&hits), "{hits}");
        let before = random.clone().number();
        assert!(!random.chance(0.0) && random.duration(Duration::ZERO).is_zero());
        assert_eq!(
            random.number(),
            before,
            "nothing was drawn for what cannot be"
        );
        assert!((0..100).all(|_| random.chance(1.0)));
    }

    #[test]
    fn skewed_reaches_both_ends() {
        let mut random = Random::new(Seed(7));
        let drawn: Vec<u64> = (0..2000).map(|_| random.skewed(1000)).collect();
        assert!(drawn.contains(&0) && drawn.iter().any(|&n| n > 900));
        assert!(drawn.iter().all(|&n| n <= 1000));
        assert!(drawn.iter().filter(|&&n| n < 10).count() > 400);
    }

    #[test]
    fn a_shuffle_loses_nothing() {
        let mut list: Vec<u32> = (0..50).collect();
        Random::new(Seed(3)).shuffle(&mut list);
        assert_ne!(list, (0..50).collect::<Vec<_>>());
        list.sort_unstable();
        assert_eq!(list, (0..50).collect::<Vec<_>>());
    }
}
