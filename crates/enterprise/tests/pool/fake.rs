//! A database that only counts, and fails as it is told.

use std::sync::{Arc, Mutex, MutexGuard};

use ropewalk_enterprise::{Database, DatabaseError, Rows, Session, Value};

/// Clones are the same database.
#[derive(Clone, Default)]
pub(crate) struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    /// Connections that were ever opened.
    pub(crate) opened: usize,
    /// Connections that are open now, and the most that ever were.
    pub(crate) open: usize,
    pub(crate) most_open: usize,
    /// Statements, in the order in which they ran; `open` and `close` too.
    pub(crate) log: Vec<String>,
    /// Connections up to this number are dead.
    pub(crate) dead_up_to: usize,
    /// What fails, by its word.
    pub(crate) failing: Vec<&'static str>,
}

pub(crate) struct FakeSession {
    fake: Fake,
    number: usize,
}

impl Fake {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    pub(crate) fn fails(self, what: &'static str) -> Self {
        self.state().failing.push(what);
        self
    }

    fn note(&self, what: &str) -> Result<(), DatabaseError> {
        let mut state = self.state();
        state.log.push(what.to_owned());
        match state.failing.contains(&what) {
            true => Err(DatabaseError::statement(what, None, "on purpose")),
            false => Ok(()),
        }
    }
}

impl Database for Fake {
    type Session = FakeSession;

    fn open(&self) -> Result<FakeSession, DatabaseError> {
        self.note("open")?;
        let mut state = self.state();
        state.opened += 1;
        state.open += 1;
        state.most_open = state.most_open.max(state.open);
        Ok(FakeSession {
            fake: self.clone(),
            number: state.opened,
        })
    }
}

impl Session for FakeSession {
    fn query(&mut self, sql: &str, _: &[Value], limit_bytes: usize) -> Result<Rows, DatabaseError> {
        self.fake.note(sql)?;
        Ok(Rows::new([], limit_bytes))
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DatabaseError> {
        self.fake.note(sql)?;
        Ok(params.len() as u64)
    }

    fn rollback(&mut self) -> Result<(), DatabaseError> {
        self.fake.note("ROLLBACK")
    }

    fn is_alive(&mut self) -> bool {
        self.number > self.fake.state().dead_up_to
    }
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        let _cannot_fail = self.fake.note("close");
        self.fake.state().open -= 1;
    }
}
