//! All slices of one case, and what is read from them: medians, and ratios taken within each lap.

use crate::record::Record;
use crate::server::Peer;
use crate::stats::{median, paired_ratio, spread};

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
        let laps = self
            .columns
            .iter()
            .map(|(_, records)| records.len())
            .min()
            .unwrap_or(0);
        let noisy = |lap: usize| {
            let records = self
                .columns
                .iter()
                .filter_map(|(_, records)| records[lap].as_ref());
            records.into_iter().any(Record::is_noisy)
        };
        (0..laps).filter(|lap| !noisy(*lap)).count()
    }

    /// One number of each lap; noisy slices are left out, unless all of the peer's are noisy.
    fn values(&self, index: usize, number: impl Number) -> Vec<Option<f64>> {
        let records = &self.columns[index].1;
        let all_noisy = records.iter().flatten().all(Record::is_noisy);
        let counts = |record: &&Record| all_noisy || !record.is_noisy();
        records
            .iter()
            .map(|record| record.as_ref().filter(counts).and_then(&number))
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
        paired_ratio(&self.values(index, number), &self.values(base, base_number))
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

    /// How far apart the laps are, and how many count: what the numbers are worth.
    pub(crate) fn remarks(&self, index: usize, number: impl Number) -> String {
        let values: Vec<f64> = self.values(index, number).into_iter().flatten().collect();
        let spread = spread(&values).map_or(0.0, |spread| spread * 100.0);
        let records = &self.columns[index].1;
        let quiet = records
            .iter()
            .flatten()
            .filter(|record| !record.is_noisy())
            .count();
        let noisy = if quiet == 0 && !values.is_empty() {
            ", ALL NOISY"
        } else {
            ""
        };
        format!("±{spread:.0} %, {quiet} of {}{noisy}", records.len())
    }

    /// What the raw probe said before and after.
    pub(crate) fn probe_line(&self) -> String {
        let (before, after) = self.probe;
        let change = (after / before - 1.0) * 100.0;
        format!("probe (bare loop) before and after: {before:.2}, {after:.2} µs ({change:+.0} %)")
    }
}
