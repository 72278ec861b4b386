//! Several statements that happen all or not at all.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ropewalk_core::Failure;

use crate::database::Session;
use crate::database_error::DatabaseError;
use crate::params::Params;
use crate::row::Rows;
use crate::stack::{Worked, roll_back};

/// What the function given to [`run_interaction`](crate::ConnectionPool::run_interaction) works with, in its thread: it is
/// committed when the function returns, and rolled back when it fails or panics.
pub struct Transaction<'a> {
    session: &'a mut dyn Session,
    result_bytes: usize,
}

impl Transaction<'_> {
    /// Runs one statement and waits for its rows.
    ///
    /// # Errors
    ///
    /// The statement fails, would end the transaction, or its rows are too large.
    pub fn query(&mut self, sql: &str, params: impl Params) -> Result<Rows, DatabaseError> {
        refuse_control(sql)?;
        self.session
            .query(sql, &params.into_values(), self.result_bytes)
    }

    /// Runs one statement and waits for the number of rows that it changed.
    ///
    /// # Errors
    ///
    /// The statement fails, or would end the transaction.
    pub fn execute(&mut self, sql: &str, params: impl Params) -> Result<u64, DatabaseError> {
        refuse_control(sql)?;
        self.session.execute(sql, &params.into_values())
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

/// Runs a function in a transaction.
pub(crate) fn interact<T, S: Session>(
    session: &mut S,
    result_bytes: usize,
    work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure>,
) -> Worked<T> {
    if let Err(error) = session.begin() {
        return Worked {
            result: Ok(Err(error.into())),
            is_at_rest: false,
        };
    }
    let result = catch_unwind(AssertUnwindSafe(|| {
        work(&mut Transaction {
            session,
            result_bytes,
        })
    }));
    let result = match result {
        Ok(Ok(value)) => Ok(session.commit().map(|()| value).map_err(Failure::new)),
        failed => failed,
    };
    let is_committed = matches!(result, Ok(Ok(_)));
    Worked {
        is_at_rest: is_committed || roll_back(session),
        result,
    }
}

/// A statement that begins or ends a transaction behind the pool's back would leave one open for whoever gets the
/// connection next, or commit half of one. Databases take one statement at a time here, so the first word tells.
pub(crate) fn refuse_control(sql: &str) -> Result<(), DatabaseError> {
    let mut words = without_comments(sql)
        .split(|char: char| !char.is_ascii_alphabetic())
        .map(str::to_ascii_uppercase);
    let controls = match words.next().unwrap_or_default().as_str() {
        "BEGIN" | "START" | "COMMIT" | "END" | "ABORT" => true,
        "ROLLBACK" => !words.any(|word| word == "TO"), // a savepoint
        "PREPARE" => words.next().is_some_and(|word| word == "TRANSACTION"),
        _ => false,
    };
    if controls {
        let sql = sql.to_owned();
        return Err(DatabaseError::ControlsTransaction { sql });
    }
    Ok(())
}

/// The statement from its first word on.
fn without_comments(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|char: char| char.is_whitespace() || char == ';');
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            after_comment(comment)
        } else {
            return rest;
        };
    }
}

/// What follows a comment, which may hold others: they nest in PostgreSQL.
fn after_comment(comment: &str) -> &str {
    let (mut depth, mut rest) = (1, comment);
    while depth > 0 {
        let Some(at) = rest.find(['*', '/']) else {
            return "";
        };
        rest = &rest[at..];
        let skipped = if rest.starts_with("*/") {
            depth -= 1;
            2
        } else if rest.starts_with("/*") {
            depth += 1;
            2
        } else {
            1
        };
        rest = &rest[skipped..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_that_begin_or_end_a_transaction_are_refused() {
        for sql in [
            "COMMIT",
            " begin;",
            "Rollback",
            "rollback transaction",
            "start transaction",
            ";;end",
            "-- a\n\t/* b /* c */ * / */abort",
            "PREPARE TRANSACTION 'x'",
        ] {
            let error = refuse_control(sql).unwrap_err().to_string();
            assert!(error.contains("run_interaction"), "{sql}: {error}");
        }
    }

    #[test]
    fn others_are_not() {
        for sql in [
            "",
            "SELECT 'COMMIT'",
            "ROLLBACK TO here",
            "rollback work to savepoint here",
            "SAVEPOINT here",
            "PREPARE plan AS SELECT 1",
            "-- COMMIT",
            "/* COMMIT",
            "commitment",
        ] {
            assert!(refuse_control(sql).is_ok(), "{sql}");
        }
    }
}
