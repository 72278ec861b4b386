//! All slices of one case, and what is read from them: medians, and ratios taken within each lap.

use crate::record::{NOISE_LIMIT, Record};
use crate::server::Peer;
use crate::stats::{median, paired_ratios, spread};

/// A median of fewer laps says nothing, nor does one of fewer than a third of all: rather take noisy ones, and say so.
const FEWEST_LAPS: usize = 5;

/// One number of a record.
pub(crate) trait Number: Fn(&Record) -> Option<f64> {}
impl<F: Fn(&Record) -> Option<f64>> Number for F {}

/// The records of every peer, lap by lap.
pub(crate) struct Results {
    /// `None` where a slice failed.
    columns: Vec<(Peer, Vec<Option<Record>>)>,
    probe: (f64, f64),
}

impl Results {
    pub(crate) fn new(peers: impl Iterator<Item = Peer>) -> Self {
        Self {
            columns: peers.map(|peer| (peer, Vec::new())).collect(),
            probe: (0.0, 0.0),
        }
    }

    /// Adds the next lap's record of the peer at that place.
    pub(crate) fn push(&mut self, index: usize, record: Option<Record>) {
        self.columns[index].1.push(record);
    }

    /// What the raw probe said before and after.
    pub(crate) fn set_probe(&mut self, before: f64, after: f64) {
        self.probe = (before, after);
    }

    /// The peers, in the order they were given.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.columns.iter().map(|(peer, _)| peer)
    }

    /// Laps in which nothing else ran beside any peer; a peer that failed is not waited for.
    pub(crate) fn quiet_laps(&self) -> usize {
        (0..self.laps())
            .filter(|lap| self.noise(*lap) <= NOISE_LIMIT)
            .count()
    }

    fn laps(&self) -> usize {
        self.columns
            .iter()
            .map(|(_, records)| records.len())
            .min()
            .unwrap_or(0)
    }

    /// The most that others used of a core beside any peer in that lap.
    fn noise(&self, lap: usize) -> f64 {
        let records = self
            .columns
            .iter()
            .filter_map(|(_, records)| records[lap].as_ref());
        records.map(Record::noise).fold(0.0, f64::max)
    }

    /// The laps that count: the quiet ones or, if there are too few, the least noisy.
    fn counted(&self) -> Vec<bool> {
        let mut noises: Vec<f64> = (0..self.laps()).map(|lap| self.noise(lap)).collect();
        let all = noises.clone();
        noises.sort_by(f64::total_cmp);
        let fewest = FEWEST_LAPS.max(noises.len() / 3).min(noises.len());
        let limit = fewest
            .checked_sub(1)
            .map_or(0.0, |last| noises[last])
            .max(NOISE_LIMIT);
        all.into_iter().map(|noise| noise <= limit).collect()
    }

    /// One number of each lap, or nothing where a lap does not count.
    fn values(&self, index: usize, number: impl Number) -> Vec<Option<f64>> {
        let counted = self.counted();
        let records = self.columns[index].1.iter().zip(counted);
        records
            .map(|(record, counts)| number(record.as_ref().filter(|_| counts)?))
            .collect()
    }

    /// The median of one number of the peer at that place.
    pub(crate) fn median(&self, index: usize, number: impl Number) -> Option<f64> {
        let values: Vec<f64> = self.values(index, number).into_iter().flatten().collect();
        median(&values)
    }

    /// The median, over the laps, of `number` at one place divided by `base_number` at another.
    pub(crate) fn ratio(
        &self,
        index: usize,
        number: impl Number,
        base: usize,
        base_number: impl Number,
    ) -> Option<f64> {
        median(&paired_ratios(
            &self.values(index, number),
            &self.values(base, base_number),
        ))
    }

    /// The place of that peer.
    pub(crate) fn place(&self, peer: &Peer) -> Option<usize> {
        self.peers().position(|other| other == peer)
    }

    /// The sum of one number over all laps that count, divided by the sum of another.
    pub(crate) fn share(&self, index: usize, part: &str, whole: &str) -> Option<f64> {
        let sum = |name: &str| -> f64 {
            self.values(index, |record| record.get(name))
                .into_iter()
                .flatten()
                .sum()
        };
        let whole = sum(whole);
        (whole > 0.0).then(|| sum(part) / whole)
    }

    /// What the numbers are worth: how far the laps' ratios of `number` to the first peer's lie apart, and
    /// how many laps count.
    pub(crate) fn remarks(&self, index: usize, number: impl Number + Copy) -> String {
        let ratios = paired_ratios(&self.values(index, number), &self.values(0, number));
        let spread = spread(&ratios).map_or(0.0, |spread| spread * 100.0);
        let counted = self.counted().into_iter().filter(|counts| *counts).count();
        let noisy = if self.quiet_laps() < counted {
            ", NOISY"
        } else {
            ""
        };
        format!("±{spread:.0} %, {counted} of {}{noisy}", self.laps())
    }

    /// What the raw probe said before and after.
    pub(crate) fn probe_line(&self) -> String {
        let (before, after) = self.probe;
        let change = (after / before - 1.0) * 100.0;
        format!("probe (bare loop) before and after: {before:.2}, {after:.2} µs ({change:+.0} %)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(laps: &[(f64, f64)]) -> Results {
        let mut results = Results::new([Peer::Bare].into_iter());
        for (others, value) in laps {
            let mut record = Record::default();
            record.set("others", *others);
            record.set("value", *value);
            results.push(0, Some(record));
        }
        results
    }

    #[test]
    fn noisy_laps_are_left_out() {
        let quiet = [(0.0, 1.0), (0.1, 2.0), (0.02, 3.0), (0.0, 4.0), (0.05, 5.0)];
        let results = results(&[&quiet[..], &[(0.5, 900.0), (0.11, 900.0)]].concat());
        assert_eq!(results.quiet_laps(), 5);
        assert_eq!(results.median(0, |record| record.get("value")), Some(3.0));
        assert!(
            results
                .remarks(0, |record| record.get("value"))
                .ends_with("5 of 7")
        );
    }

    #[test]
    fn with_too_few_quiet_laps_the_least_noisy_count_and_it_is_said() {
        let laps = [
            (0.0, 1.0),
            (0.9, 99.0),
            (0.2, 2.0),
            (0.3, 3.0),
            (0.4, 4.0),
            (0.5, 5.0),
        ];
        let results = results(&laps);
        assert_eq!(results.median(0, |record| record.get("value")), Some(3.0));
        assert!(
            results
                .remarks(0, |record| record.get("value"))
                .ends_with("5 of 6, NOISY")
        );
    }
}
