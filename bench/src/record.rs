//! One run's numbers by name, and how a child process hands them to its parent: a line of text.

use std::collections::BTreeMap;
use std::fmt;

/// The share of one core that others may use before a lap is called noisy.
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

    /// What part of a core other processes, or other guests of the host, used meanwhile.
    pub(crate) fn noise(&self) -> f64 {
        let share = |name| self.get(name).unwrap_or(0.0);
        share("others").max(share("stolen"))
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
    fn nothing_per_no_operation() {
        let mut record = Record::default();
        record.set("ops", 0.0);
        record.set("server_us", 1.0);
        assert_eq!(record.total_us(), None);
        assert!(Record::parse("port 5").is_none());
    }
}
