//! The connections of a pool, and how a thread works on one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use ropewalk_core::Failure;

use crate::database::{Database, Session};
use crate::database_error::DatabaseError;

/// The connections that nobody uses, the last used on top. All of it runs in threads.
pub(crate) struct Stack<D: Database> {
    database: D,
    /// So many stay open.
    kept: usize,
    idle: Mutex<Vec<D::Session>>,
}

/// How a piece of work ended.
pub(crate) struct Worked<T> {
    /// Its result, or its panic.
    pub(crate) result: thread::Result<Result<T, Failure>>,
    /// Whether no transaction is open on the connection, for all we know.
    pub(crate) is_at_rest: bool,
}

impl<D: Database> Stack<D> {
    pub(crate) fn new(database: D, kept: usize) -> Self {
        Self {
            database,
            kept,
            idle: Mutex::default(),
        }
    }

    /// Works on a connection, which is opened if none is idle, and closed if it is not at rest afterwards.
    ///
    /// # Panics
    ///
    /// If the work does.
    pub(crate) fn lend<T>(
        &self,
        work: impl FnOnce(&mut D::Session) -> Worked<T>,
    ) -> Result<T, Failure> {
        let mut session = self.take()?;
        let worked = work(&mut session);
        if worked.is_at_rest {
            self.give_back(session);
        } else {
            drop(session);
        }
        worked.result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Closes all connections that are idle.
    pub(crate) fn close(&self) {
        let idle = std::mem::take(&mut *self.lock());
        drop(idle); // which may block: not under the lock
    }

    /// A connection that works. One that died while it was idle is replaced, before anything was begun on it.
    fn take(&self) -> Result<D::Session, DatabaseError> {
        let top = self.lock().pop();
        if let Some(mut session) = top {
            if session.is_alive() {
                return Ok(session);
            }
            tracing::info!("a database connection died while it was idle: another is opened");
        }
        self.database.open()
    }

    fn give_back(&self, session: D::Session) {
        let mut idle = self.lock();
        if idle.len() < self.kept {
            idle.push(session);
        } else {
            drop(idle);
            drop(session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<D::Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Worked<T> {
    /// Runs one statement outside of a transaction: whether it fails or not, none is open afterwards.
    pub(crate) fn statement(run: impl FnOnce() -> Result<T, DatabaseError>) -> Self {
        Self {
            result: Ok(run().map_err(Failure::new)),
            is_at_rest: true,
        }
    }

    /// Lets a function do what it likes with a connection, and rolls back what it leaves open.
    pub(crate) fn freely<S: Session>(
        session: &mut S,
        work: impl FnOnce(&mut S) -> Result<T, Failure>,
    ) -> Self {
        let result = catch_unwind(AssertUnwindSafe(|| work(session)));
        Self {
            result,
            is_at_rest: roll_back(session),
        }
    }
}

/// Rolls back; whether that went well.
pub(crate) fn roll_back(session: &mut impl Session) -> bool {
    let rolled_back = session.rollback();
    if let Err(error) = &rolled_back {
        tracing::warn!(%error, "cannot roll back: the database connection is closed");
    }
    rolled_back.is_ok()
}
