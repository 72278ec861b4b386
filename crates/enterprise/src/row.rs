//! What a query answers.

use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use crate::from_value::FromValue;
use crate::value::Value;

/// The rows of an answer, in order, and the names of their columns. It derefs to nothing: iterate, index, or ask for `len`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    columns: Arc<[String]>,
    rows: Vec<Row>,
    bytes: usize,
    limit_bytes: usize,
}

/// One row of an answer. Its values are found by number, from 0 on, or by the name of their column.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    columns: Arc<[String]>,
    values: Vec<Value>,
}

/// An answer takes more memory than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// What it may take.
    pub limit_bytes: usize,
}

/// A row does not hold what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowError {
    /// No column has this number or name.
    NoSuchColumn {
        /// What was asked for.
        column: String,
        /// The columns that there are.
        columns: Vec<String>,
    },
    /// The value is of another kind, or does not fit.
    WrongKind {
        /// Which column.
        column: String,
        /// What was asked for.
        wanted: &'static str,
        /// What is there: its kind, and the number if it is one.
        found: String,
    },
}

/// A number or a name of a column. Of several columns with one name, the first is meant.
pub trait Column: fmt::Debug {
    /// Its number among these columns.
    fn number(&self, columns: &[String]) -> Option<usize>;
}

impl Rows {
    /// An answer without rows yet, which refuses to take more than so much memory. For implementors of
    /// [`Session`](crate::Session).
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = String>, limit_bytes: usize) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// The rows would take too much memory.
    ///
    /// # Panics
    ///
    /// If the row has not one value per column.
    pub fn push(&mut self, values: Vec<Value>) -> Result<(), TooLarge> {
        assert_eq!(
            values.len(),
            self.columns.len(),
            "Rows::push with one value per column"
        );
        let bytes = size_of::<Row>() + values.iter().map(Value::bytes).sum::<usize>();
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > self.limit_bytes {
            let limit_bytes = self.limit_bytes;
            return Err(TooLarge { limit_bytes });
        }
        let columns = Arc::clone(&self.columns);
        self.rows.push(Row { columns, values });
        Ok(())
    }

    /// The names of the columns, also when there is no row.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The first row, if there is any.
    #[must_use]
    pub fn first(&self) -> Option<&Row> {
        self.rows.first()
    }

    /// The rows, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Row> {
        self.rows.iter()
    }
}

impl Row {
    /// The value in a column.
    ///
    /// # Errors
    ///
    /// There is no such column.
    pub fn value(&self, column: impl Column) -> Result<&Value, RowError> {
        let number = column.number(&self.columns);
        let value = number.and_then(|number| self.values.get(number));
        value.ok_or_else(|| RowError::NoSuchColumn {
            column: format!("{column:?}"),
            columns: self.columns.to_vec(),
        })
    }

    /// The value in a column, as a type of Rust: `i64` and smaller, `f64`, `bool`, `&str`, `String`, `&[u8]`, `Vec<u8>`, and
    /// an `Option` of each for what may be null.
    ///
    /// # Errors
    ///
    /// There is no such column, or its value is of another kind or does not fit: nothing is converted silently, except that an
    /// integer is also a real.
    pub fn read<'a, T: FromValue<'a>>(&'a self, column: impl Column) -> Result<T, RowError> {
        let value = self.value(&column)?;
        T::from_value(value).ok_or_else(|| RowError::WrongKind {
            column: format!("{column:?}"),
            wanted: T::WANTED,
            found: match value {
                Value::Integer(number) => format!("integer {number}"),
                other => other.kind().to_owned(),
            },
        })
    }

    /// All values, in the order of their columns.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The names of the columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }
}

impl Column for usize {
    fn number(&self, _columns: &[String]) -> Option<usize> {
        Some(*self)
    }
}

impl Column for str {
    fn number(&self, columns: &[String]) -> Option<usize> {
        columns.iter().position(|name| name == self)
    }
}

impl<C: Column + ?Sized> Column for &C {
    fn number(&self, columns: &[String]) -> Option<usize> {
        (**self).number(columns)
    }
}

impl Index<usize> for Rows {
    type Output = Row;

    fn index(&self, number: usize) -> &Row {
        &self.rows[number]
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = std::vec::IntoIter<Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit_bytes;
        write!(
            f,
            "the rows take more than {limit} bytes: ask for fewer, or raise PoolOptions::result_bytes"
        )
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchColumn { column, columns } => {
                write!(f, "no column {column}; there are {columns:?}")
            }
            Self::WrongKind {
                column,
                wanted,
                found,
            } => write!(f, "column {column} holds {found}, not {wanted}"),
        }
    }
}

impl std::error::Error for TooLarge {}
impl std::error::Error for RowError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let mut rows = Rows::new(["id", "name", "id"].map(str::to_owned), 1000);
        rows.push(vec![300.into(), Value::Null, 2.into()]).unwrap();
        rows[0].clone()
    }

    #[test]
    fn values_are_found_by_number_and_by_name() {
        let row = row();
        assert_eq!(row.read::<i64>("id"), Ok(300));
        assert_eq!(row.read::<u8>(2), Ok(2));
        assert_eq!(row.read::<Option<&str>>("name"), Ok(None));
        assert_eq!(row.value(1), Ok(&Value::Null));
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_what_is() {
        let said = |result: Result<u8, RowError>| result.unwrap_err().to_string();
        assert_eq!(
            said(row().read("nme")),
            r#"no column "nme"; there are ["id", "name", "id"]"#
        );
        assert_eq!(
            said(row().read(3)),
            r#"no column 3; there are ["id", "name", "id"]"#
        );
        assert_eq!(
            said(row().read("id")),
            r#"column "id" holds integer 300, not an integer from 0 to 255"#
        );
        assert_eq!(
            said(row().read("name")),
            r#"column "name" holds null, not an integer from 0 to 255"#
        );
    }

    #[test]
    fn rows_refuse_to_take_more_memory_than_they_may() {
        let mut rows = Rows::new(["text".to_owned()], 1000);
        let mut taken = 0;
        while rows.push(vec!["x".repeat(100).into()]).is_ok() {
            taken += 1;
        }
        assert!((3..10).contains(&taken), "{taken}");
        assert_eq!(rows.len(), taken);
    }
}
