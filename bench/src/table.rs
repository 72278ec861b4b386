//! Tables in Markdown, aligned, so that what is on the screen can go into RESULTS.md as it is.

use std::fmt;

/// A table under construction.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let head = columns.iter().map(|column| (*column).to_owned()).collect();
        Self {
            title: title.into(),
            rows: vec![head],
        }
    }

    /// # Panics
    ///
    /// If there are not as many cells as columns.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.rows[0].len(), "one cell for each column");
        self.rows.push(cells);
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows
                .iter()
                .map(|row| row[column].chars().count())
                .max()
        };
        (0..columns)
            .map(|column| width(column).unwrap_or(0))
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        writeln!(formatter, "\n**{}**\n", self.title)?;
        for (index, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(formatter, "| {cell:<width$} |")?,
                    _ => write!(formatter, " {cell:>width$} |")?,
                }
            }
            writeln!(formatter)?;
            if index == 0 {
                write_rule(formatter, &widths)?;
            }
        }
        Ok(())
    }
}

/// A number with `digits` after the point, or a dash.
pub(crate) fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A large whole number with thin groups of three.
pub(crate) fn grouped(value: Option<f64>) -> String {
    let Some(value) = value else {
        return "–".to_owned();
    };
    let digits = format!("{:.0}", value.max(0.0));
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn write_rule(formatter: &mut fmt::Formatter<'_>, widths: &[usize]) -> fmt::Result {
    for (column, width) in widths.iter().enumerate() {
        let dashes = "-".repeat(*width);
        match column {
            0 => write!(formatter, "| {dashes} |")?,
            _ => write!(formatter, " {}: |", &dashes[..width.saturating_sub(1)])?,
        }
    }
    writeln!(formatter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_in_threes() {
        assert_eq!(grouped(Some(1_234_567.4)), "1 234 567");
        assert_eq!(grouped(Some(123.0)), "123");
        assert_eq!(grouped(None), "–");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new("t", &["server", "÷ bare"]);
        table.row(vec!["bare".into(), cell(Some(1.0), 2)]);
        let lines: Vec<usize> = table
            .to_string()
            .lines()
            .skip(3)
            .map(|line| line.chars().count())
            .collect();
        assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
    }
}
