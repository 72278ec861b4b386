//! What a database says when something is wrong.

use std::error::Error;
use std::fmt;

use crate::row::TooLarge;

/// Why a database did not do as it was told.
///
/// Shown in one line, which quotes the database or the statement, never a parameter: those may be secret.
#[derive(Debug)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The database cannot be opened.
    Open {
        /// Which one: a path, or host and name. Never with a password.
        database: String,
        /// Why.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// A statement failed.
    Statement {
        /// The statement.
        sql: String,
        /// What the database calls this error: PostgreSQL's SQLSTATE such as `40001`, SQLite's extended result code such as
        /// `5`. None if it did not come from the database.
        code: Option<String>,
        /// Why.
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The rows of a statement take too much memory.
    TooLarge {
        /// The statement.
        sql: String,
        /// What they may take.
        limit_bytes: usize,
    },
    /// A statement would begin or end a transaction where the pool does that.
    ControlsTransaction {
        /// The statement.
        sql: String,
    },
}

/// So much of a statement is quoted.
const QUOTED: usize = 200;

impl DatabaseError {
    /// The database cannot be opened.
    pub fn open(
        database: impl fmt::Display,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Open {
            database: database.to_string(),
            cause: cause.into(),
        }
    }

    /// A statement failed.
    pub fn statement(
        sql: &str,
        code: Option<String>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Statement {
            sql: sql.to_owned(),
            code,
            cause: cause.into(),
        }
    }

    /// The rows of a statement are too large.
    #[must_use]
    pub fn too_large(sql: &str, error: TooLarge) -> Self {
        Self::TooLarge {
            sql: sql.to_owned(),
            limit_bytes: error.limit_bytes,
        }
    }

    /// What the database calls the error, if it came from there.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Statement { code, .. } => code.as_deref(),
            _ => None,
        }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { database, cause } => {
                write!(
                    f,
                    "cannot open the database {database:?}: {}",
                    one_line(cause)
                )
            }
            Self::Statement { sql, cause, .. } => {
                write!(f, "cannot run {}: {}", quoted(sql), one_line(cause))
            }
            Self::TooLarge { sql, limit_bytes } => {
                let error = TooLarge {
                    limit_bytes: *limit_bytes,
                };
                write!(f, "cannot run {}: {error}", quoted(sql))
            }
            Self::ControlsTransaction { sql } => write!(
                f,
                "cannot run {}: transactions are begun and ended by run_interaction",
                quoted(sql)
            ),
        }
    }
}

impl Error for DatabaseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open { cause, .. } | Self::Statement { cause, .. } => Some(&**cause),
            Self::TooLarge { .. } | Self::ControlsTransaction { .. } => None,
        }
    }
}

fn quoted(sql: &str) -> String {
    match sql.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?} …", &sql[..end]),
        None => format!("{sql:?}"),
    }
}

/// Servers say things in several lines.
fn one_line(cause: &dyn fmt::Display) -> String {
    let text = cause.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ").replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_quotes_the_statement() {
        let said = DatabaseError::statement("SELECT\n\u{1b}1", None, "no\nway\u{1b}").to_string();
        assert_eq!(said, "cannot run \"SELECT\\n\\u{1b}1\": no way\u{fffd}");
        let long = DatabaseError::statement(&"ü".repeat(1000), None, "no").to_string();
        assert_eq!(
            long.chars().count(),
            "cannot run \"\" …: no".chars().count() + QUOTED
        );
    }
}
