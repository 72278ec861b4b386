//! SQLite, compiled in.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, MAIN_DB, OpenFlags, params_from_iter};

use crate::database::{Database, Session};
use crate::database_error::DatabaseError;
use crate::row::Rows;
use crate::value::Value;

/// An SQLite database: a file, or memory that all connections of a pool share.
///
/// Parameters are `?1`, `?2` … Foreign keys are enforced. A lock that another holds is waited for, in the thread, for 5 s.
#[derive(Clone)]
pub struct Sqlite {
    path: PathBuf,
    flags: OpenFlags,
    busy_timeout: Duration,
    /// Memory is there as long as a connection to it is.
    _anchor: Option<Arc<Mutex<Connection>>>,
}

/// A connection to an SQLite database.
pub struct SqliteSession {
    connection: Connection,
    is_read_only: bool,
}

impl Sqlite {
    /// The database in a file, which is made if there is none.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
            flags: OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            busy_timeout: Duration::from_secs(5),
            _anchor: None,
        }
    }

    /// A new database in memory, empty, and gone with this value, its clones and all sessions. Each call makes another.
    ///
    /// # Errors
    ///
    /// There is no memory for it.
    pub fn in_memory() -> Result<Self, DatabaseError> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut database = Self::new(format!("file:/ropewalk-{number}?vfs=memdb"));
        database.flags |= OpenFlags::SQLITE_OPEN_URI;
        let anchor = database.connect()?;
        database._anchor = Some(Arc::new(Mutex::new(anchor)));
        Ok(database)
    }

    /// Only if the file is there.
    #[must_use]
    pub fn must_exist(mut self) -> Self {
        self.flags.remove(OpenFlags::SQLITE_OPEN_CREATE);
        self
    }

    /// Only to read, and only if the file is there.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.flags
            .remove(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE);
        self.flags |= OpenFlags::SQLITE_OPEN_READ_ONLY;
        self
    }

    /// Waits so long for a lock that another holds.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    fn connect(&self) -> Result<Connection, DatabaseError> {
        let fail = |error: Error| DatabaseError::open(self.path.display(), error);
        if self.path.as_os_str().is_empty() || self.path == Path::new(":memory:") {
            let remedy =
                "each connection would have a database of its own: use Sqlite::in_memory()";
            return Err(DatabaseError::open(self.path.display(), remedy));
        }
        let connection = Connection::open_with_flags(&self.path, self.flags).map_err(fail)?;
        connection.busy_timeout(self.busy_timeout).map_err(fail)?;
        // SQLite looks into the file only when it is asked something: a file that is no database is found out here.
        connection
            .query_row("PRAGMA schema_version", (), |_| Ok(()))
            .map_err(fail)?;
        Ok(connection)
    }
}

impl Database for Sqlite {
    type Session = SqliteSession;

    fn open(&self) -> Result<SqliteSession, DatabaseError> {
        let connection = self.connect()?;
        let is_read_only = connection
            .is_readonly(MAIN_DB)
            .map_err(|error| DatabaseError::open(self.path.display(), error))?;
        Ok(SqliteSession {
            connection,
            is_read_only,
        })
    }
}

impl SqliteSession {
    /// The connection itself, in `rusqlite`'s words.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    fn run(&self, sql: &str, params: &[Value], limit_bytes: usize) -> Result<Rows, DatabaseError> {
        let fail = |error| failed(sql, error);
        let mut statement = self.connection.prepare(sql).map_err(fail)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let mut rows = Rows::new(columns, limit_bytes);
        let mut answer = statement.query(params_from_iter(params)).map_err(fail)?;
        while let Some(row) = answer.next().map_err(fail)? {
            let values: Result<Vec<Value>, Error> = (0..width)
                .map(|number| value(number, row.get_ref(number)?))
                .collect();
            rows.push(values.map_err(fail)?)
                .map_err(|error| DatabaseError::too_large(sql, error))?;
        }
        Ok(rows)
    }

    /// Runs a statement to its end and drops its rows.
    fn finish(&self, sql: &str, params: &[Value]) -> Result<(), Error> {
        let mut statement = self.connection.prepare(sql)?;
        let mut answer = statement.query(params_from_iter(params))?;
        while answer.next()?.is_some() {}
        Ok(())
    }
}

impl Session for SqliteSession {
    fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        limit_bytes: usize,
    ) -> Result<Rows, DatabaseError> {
        self.run(sql, params, limit_bytes)
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DatabaseError> {
        let before = self.connection.total_changes();
        self.finish(sql, params)
            .map_err(|error| failed(sql, error))?;
        // `changes` speaks of the last statement that changed any.
        let has_changed = self.connection.total_changes() != before;
        Ok(if has_changed {
            self.connection.changes()
        } else {
            0
        })
    }

    /// With the lock to write, where writing is allowed: one that asks for it after it has read fails if another wrote
    /// meanwhile, and no waiting helps.
    fn begin(&mut self) -> Result<(), DatabaseError> {
        let begin = if self.is_read_only {
            "BEGIN"
        } else {
            "BEGIN IMMEDIATE"
        };
        self.execute(begin, &[]).map(drop)
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.execute("ROLLBACK", &[]).map(drop)
    }

    fn is_alive(&mut self) -> bool {
        self.connection.is_autocommit()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(column: usize, value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => std::str::from_utf8(text)
            .map_err(|error| Error::Utf8Error(column, error))?
            .into(),
        ValueRef::Blob(bytes) => bytes.into(),
    })
}

fn failed(sql: &str, error: Error) -> DatabaseError {
    let code = error
        .sqlite_error()
        .map(|error| error.extended_code.to_string());
    match error {
        // Its own text would quote the statement once more.
        Error::SqlInputError { msg, offset, .. } if offset >= 0 => {
            DatabaseError::statement(sql, code, format!("{msg} (at byte {offset})"))
        }
        error => DatabaseError::statement(sql, code, error),
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sqlite").field(&self.path).finish()
    }
}

impl fmt::Debug for SqliteSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteSession")
            .field(&self.connection.path())
            .finish()
    }
}
