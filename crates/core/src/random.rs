//! Chance, for jitter: not for secrets. The driver gives the seed, so that a simulated world repeats itself.

use std::cell::Cell;

/// SplitMix64 (Steele, Lea and Flood, 2014): small, fast, and good enough to spread clients.
pub(crate) struct Chance(Cell<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In `0.0..1.0`.
    pub(crate) fn draw(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_evenly_and_repeats_with_its_seed() {
        let draw = |seed| {
            (0..10_000)
                .map(|_| 0.0)
                .scan(Chance::new(seed), |chance, _: f64| Some(chance.draw()))
                .collect::<Vec<_>>()
        };
        let drawn = draw(1);
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        assert!(drawn.iter().all(|chance| (0.0..1.0).contains(chance)));
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
    }
}
