//! What the pool wants of a database: to be implemented for others than those that come along.

use crate::database_error::DatabaseError;
use crate::row::Rows;
use crate::value::Value;

/// A database that sessions can be opened with: where it is, and who asks.
///
/// Only called in threads, of which several may open at once.
pub trait Database: Send + Sync + 'static {
    /// A connection to it.
    type Session: Session;

    /// Opens a connection. May block, for a time that it bounds itself.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Open`], which names the database.
    fn open(&self) -> Result<Self::Session, DatabaseError>;

    /// The same database, whose sessions each begin with a function: for pragmas, a search path, a time-out of statements.
    /// If it fails, the session is not used.
    ///
    /// ```
    /// use ropewalk_enterprise::{Database, Session, Sqlite};
    ///
    /// let database = Sqlite::new("shop.db").on_open(|session| {
    ///     session.execute("PRAGMA synchronous = NORMAL", &[]).map(drop)
    /// });
    /// ```
    #[doc(alias = "cp_openfun")]
    fn on_open<F>(self, hook: F) -> OnOpen<Self, F>
    where
        Self: Sized,
        F: Fn(&mut Self::Session) -> Result<(), DatabaseError> + Send + Sync + 'static,
    {
        OnOpen {
            database: self,
            hook,
        }
    }
}

/// One connection to a database, used by one thread at a time; which thread may change from one use to the next.
///
/// All of it blocks, and runs in threads only. Dropping it closes the connection. Outside of [`begin`](Self::begin) …
/// [`commit`](Self::commit) each statement is a transaction of its own.
pub trait Session: Send + 'static {
    /// Runs one statement, and gathers its rows as long as they take no more memory than this.
    ///
    /// # Errors
    ///
    /// The statement fails, or its rows are too large ([`DatabaseError::TooLarge`]).
    fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        limit_bytes: usize,
    ) -> Result<Rows, DatabaseError>;

    /// Runs one statement, drops its rows if it has any, and says how many rows it changed.
    ///
    /// # Errors
    ///
    /// The statement fails.
    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DatabaseError>;

    /// Begins a transaction.
    ///
    /// # Errors
    ///
    /// It cannot be begun. The connection is closed then.
    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.execute("BEGIN", &[]).map(drop)
    }

    /// Commits the transaction.
    ///
    /// # Errors
    ///
    /// It cannot be committed. It is rolled back then.
    fn commit(&mut self) -> Result<(), DatabaseError> {
        self.execute("COMMIT", &[]).map(drop)
    }

    /// Rolls the transaction back; does nothing if none is open.
    ///
    /// # Errors
    ///
    /// It is not known to be rolled back. The connection is closed then.
    fn rollback(&mut self) -> Result<(), DatabaseError>;

    /// Whether the connection works and is at rest, so that work may begin on it. Asked each time before, so it should be
    /// cheap; a connection of which it is not true is closed, and another opened.
    fn is_alive(&mut self) -> bool;
}

/// A database whose sessions each begin with a function; see [`Database::on_open`].
#[derive(Clone, Debug)]
pub struct OnOpen<D, F> {
    database: D,
    hook: F,
}

impl<D, F> Database for OnOpen<D, F>
where
    D: Database,
    F: Fn(&mut D::Session) -> Result<(), DatabaseError> + Send + Sync + 'static,
{
    type Session = D::Session;

    fn open(&self) -> Result<D::Session, DatabaseError> {
        let mut session = self.database.open()?;
        (self.hook)(&mut session)?;
        Ok(session)
    }
}
