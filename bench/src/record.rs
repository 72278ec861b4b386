//! One run's numbers by name, and how a child process hands them to its parent: a line of text.

use std::collections::BTreeMap;
use std::fmt;

/// The share of one core that others may use before a run is called noisy.
pub(crate) const NOISE_LIMIT: f64 = 0.10;

/// One run's numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(BTreeMap<String, f64>);

impl Record {
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.0.insert(name.to_owned(), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// Reads the last line that looks like a record; `None` if there is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.lines().rev().find_map(Self::parse_line)
    }

    /// Server CPU per operation, in microseconds.
    pub(crate) fn total_us(&self) -> Option<f64> {
        self.per_op("server_us")
    }

    /// Operations per second of wall time.
    pub(crate) fn rate(&self) -> Option<f64> {
        Some(self.get("ops")? / self.get("work_s")?)
    }

    /// The named number divided by the number of operations.
    pub(crate) fn per_op(&self, name: &str) -> Option<f64> {
        let ops = self.get("ops").filter(|ops| *ops > 0.0)?;
        Some(self.get(name)? / ops)
    }

    /// Whether another process, or another guest of the host, used too much of a core meanwhile.
    pub(crate) fn is_noisy(&self) -> bool {
        let over = |name| self.get(name).is_some_and(|share| share > NOISE_LIMIT);
        over("others") || over("stolen")
    }

    fn parse_line(line: &str) -> Option<Self> {
        let mut record = Self::default();
        for word in line.strip_prefix("record ")?.split_whitespace() {
            let (name, value) = word.split_once('=')?;
            record.set(name, value.parse().ok()?);
        }
        Some(record)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("record")?;
        self.0
            .iter()
            .try_for_each(|(name, value)| write!(formatter, " {name}={value}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_being_printed_and_read() {
        let mut record = Record::default();
        record.set("ops", 8.0);
        record.set("server_us", 34.0);
        let text = format!("noise\n{record}\n");
        let read = Record::parse(&text).unwrap();
        assert_eq!(read.total_us(), Some(4.25));
        assert_eq!(read.get("user_us"), None);
    }

    #[test]
    fn others_above_a_tenth_of_a_core_make_a_run_noisy() {
        let mut record = Record::default();
        record.set("others", 0.09);
        assert!(!record.is_noisy());
        record.set("others", 0.11);
        assert!(record.is_noisy());
    }

    #[test]
    fn nothing_per_no_operation() {
        let mut record = Record::default();
        record.set("ops", 0.0);
        record.set("server_us", 1.0);
        assert_eq!(record.total_us(), None);
        assert!(Record::parse("port 5").is_none());
    }
}
