//! cargo run -p ropewalk --example query -- shop.db "SELECT * FROM item"
//!
//! Prints the rows that an SQLite database answers, a line each, with tabs between the values: `cut` and `awk` read them, and
//! so does a person. No value is `NULL`, bytes are `x'0aff'`, and tabs and line breaks within a text are `\t` and `\n`; a text
//! that looks like one of these is quoted as in SQL: `'NULL'`.

use std::path::PathBuf;
use std::process::ExitCode;

use ropewalk::enterprise::{ConnectionPool, Database, Row, Sqlite, Value};
use ropewalk::{Failure, Handle, program};

/// Prints the rows that an SQLite database answers, with tabs between the values.
#[derive(clap::Parser)]
struct Options {
    /// The file of the database, which is only read
    db: PathBuf,
    /// What to ask, in one statement
    sql: String,
}

/// What blocks runs in a thread of the pool: the reactor goes on meanwhile.
async fn query(
    reactor: Handle,
    database: impl Database,
    sql: String,
) -> Result<Vec<String>, Failure> {
    let pool = ConnectionPool::new(&reactor, database);
    let rows = pool.run_query(sql, ()).await?;
    Ok(rows.iter().map(line).collect())
}

fn line(row: &Row) -> String {
    let values: Vec<String> = row.values().iter().map(shown).collect();
    values.join("\t")
}

/// A text that could be taken for something else is quoted.
fn shown(value: &Value) -> String {
    match value {
        Value::Text(text)
            if text == "NULL" || text.starts_with(['\'', 'x']) && text.ends_with('\'') =>
        {
            format!("'{}'", value.to_string().replace('\'', "''"))
        }
        _ => value.to_string(),
    }
}

fn main() -> ExitCode {
    program::run(|options: Options| {
        let database = Sqlite::new(options.db).read_only();
        let mut reactor = ropewalk::reactor()?;
        // When the reactor stops, the pool closes its connections.
        let lines = reactor.run_main(|reactor| query(reactor, database, options.sql))?;
        match lines {
            Some(lines) if !lines.is_empty() => Ok(ropewalk::say(lines.join("\n"))?),
            _ => Ok(()),
        }
    })
}

#[cfg(test)]
#[path = "tests/query.rs"]
mod tests;
