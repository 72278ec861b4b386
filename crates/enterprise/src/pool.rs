//! The pool: who waits, who works, and the end.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ropewalk_core::deferred::{DeferredSemaphore, Token};
use ropewalk_core::failure::Cancelled;
use ropewalk_core::{Deferred, Failure, Handle, Phase, Resolver, TriggerId};

use crate::database::{Database, Session};
use crate::params::Params;
use crate::pool_options::PoolOptions;
use crate::row::Rows;
use crate::stack::{Stack, Worked};
use crate::transaction::{Transaction, interact, refuse_control};

/// Runs statements in threads, each on a connection of its own, and brings what comes of them to the reactor's turn.
///
/// Cheap to clone; all clones are the same pool. Threads are the reactor's, so that a simulated reactor runs the work when
/// and in the order its seed says.
///
/// *Guaranteed*:
/// - Never more than [`PoolOptions::max`] connections, each used by one thread at a time; they are opened when they are
///   needed. Work begins in the order in which it was asked for.
/// - A connection that died while it was idle is replaced before work begins on it. Work that has begun is never tried
///   again: only who asked for it knows whether it may happen twice.
/// - Cancelling what waits keeps it from beginning. What has begun goes on, and its result is dropped: so a cancelled
///   interaction may have been committed.
/// - When the reactor stops, what was asked for before the during phase of shutdown is done, then all connections are
///   closed, and the reactor waits for that. A pool that is dropped does its work and closes, too.
#[doc(alias = "adbapi")]
pub struct ConnectionPool<D: Database>(Rc<Inner<D>>);

struct Inner<D: Database> {
    reactor: Handle,
    stack: Arc<Stack<D>>,
    /// One for each connection that there may be.
    turns: DeferredSemaphore,
    options: PoolOptions,
    end: RefCell<End>,
    trigger: Cell<Option<TriggerId>>,
}

enum End {
    /// It is not in sight.
    Open,
    /// These wait for it.
    Closing(Vec<Resolver<()>>),
    Closed,
}

/// The pool did not take the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolError {
    /// So much waits already.
    QueueFull {
        /// As much as may wait: [`PoolOptions::queue`].
        limit: usize,
    },
    /// The pool is closed, or is about to be.
    Closed,
}

impl<D: Database> ConnectionPool<D> {
    /// A pool of 3 to 5 connections to a database. None is opened yet.
    #[must_use]
    pub fn new(reactor: &impl AsRef<Handle>, database: D) -> Self {
        Self::with_options(reactor, database, PoolOptions::default())
    }

    /// A pool with other limits.
    ///
    /// # Panics
    ///
    /// If [`PoolOptions::max`] is 0: no work would ever begin.
    #[must_use]
    pub fn with_options(reactor: &impl AsRef<Handle>, database: D, options: PoolOptions) -> Self {
        assert!(
            options.max > 0,
            "ConnectionPool with a max of 0: no work would ever begin; allow at least 1"
        );
        let reactor = reactor.as_ref().clone();
        let inner = Rc::new(Inner {
            stack: Arc::new(Stack::new(database, options.min)),
            turns: DeferredSemaphore::new(&reactor, options.max),
            options,
            end: RefCell::new(End::Open),
            trigger: Cell::new(None),
            reactor,
        });
        let weak = Rc::downgrade(&inner);
        let trigger = inner
            .reactor
            .add_trigger(Phase::DuringShutdown, move |_: &Handle| {
                weak.upgrade().map(|inner| inner.close())
            });
        inner.trigger.set(Some(trigger));
        Self(inner)
    }

    /// Runs one statement, and gives its rows.
    ///
    /// The Deferred fails with a [`DatabaseError`](crate::DatabaseError) that quotes the statement, or with a [`PoolError`].
    #[doc(alias = "runQuery")]
    #[track_caller]
    pub fn run_query(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: impl Params,
    ) -> Deferred<Rows> {
        let (sql, params, limit) = (
            sql.into(),
            params.into_values(),
            self.0.options.result_bytes,
        );
        self.submit(move |session| {
            Worked::statement(|| {
                refuse_control(&sql)?;
                session.query(&sql, &params, limit)
            })
        })
    }

    /// Runs one statement, and gives the number of rows that it changed.
    ///
    /// The Deferred fails as that of [`run_query`](Self::run_query).
    #[doc(alias = "runOperation")]
    #[track_caller]
    pub fn run_operation(
        &self,
        sql: impl Into<Cow<'static, str>>,
        params: impl Params,
    ) -> Deferred<u64> {
        let (sql, params) = (sql.into(), params.into_values());
        self.submit(move |session| {
            Worked::statement(|| {
                refuse_control(&sql)?;
                session.execute(&sql, &params)
            })
        })
    }

    /// Runs a function in a transaction, in a thread, and gives what it returns. The transaction is committed when the
    /// function returns `Ok`, and rolled back when it fails or panics; a connection that cannot roll back is closed, which
    /// does it.
    ///
    /// The function may block; it must not wait for this same pool, which may have no other connection.
    #[doc(alias = "runInteraction")]
    #[track_caller]
    pub fn run_interaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Deferred<T> {
        let limit = self.0.options.result_bytes;
        self.submit(move |session| interact(session, limit, work))
    }

    /// Runs a function with a connection, in a thread, for what the other ways lack. It begins outside of any transaction,
    /// and one that it leaves open is rolled back.
    #[doc(alias = "runWithConnection")]
    #[track_caller]
    pub fn run_with_connection<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut D::Session) -> Result<T, Failure> + Send + 'static,
    ) -> Deferred<T> {
        self.submit(move |session| Worked::freely(session, work))
    }

    /// Takes no more work, does what it has taken, and closes all connections; then the Deferred fires.
    ///
    /// The reactor does this by itself when it stops.
    #[track_caller]
    pub fn close(&self) -> Deferred<()> {
        self.0.close()
    }

    /// How much work waits for a connection.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.turns.waiting()
    }

    /// How many connections are at work.
    #[must_use]
    pub fn running(&self) -> usize {
        self.0.options.max - self.0.turns.available()
    }

    #[track_caller]
    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut D::Session) -> Worked<T> + Send + 'static,
    ) -> Deferred<T> {
        if let Err(error) = self.0.admit() {
            return Deferred::fail(&self.0.reactor, error);
        }
        let inner = Rc::clone(&self.0);
        let turn = self.0.turns.acquire();
        turn.add_callback(move |turn| inner.start(turn, work))
    }
}

impl<D: Database> Inner<D> {
    fn admit(&self) -> Result<(), PoolError> {
        if !matches!(*self.end.borrow(), End::Open) {
            return Err(PoolError::Closed);
        }
        let limit = self.options.queue;
        if self.turns.available() == 0 && self.turns.waiting() >= limit {
            return Err(PoolError::QueueFull { limit });
        }
        Ok(())
    }

    /// The turn is over when the thread is free, not when the result is no longer wanted. So the Deferred of the job is not
    /// the one that is given out, which may be cancelled.
    fn start<T: Send + 'static>(
        self: Rc<Self>,
        turn: Token,
        work: impl FnOnce(&mut D::Session) -> Worked<T> + Send + 'static,
    ) -> Deferred<T> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let cancel = Arc::clone(&cancelled);
        let canceller = move |_: &Resolver<T>| cancel.store(true, Ordering::Relaxed);
        let (deferred, resolver) = Deferred::with_canceller(&self.reactor, canceller);
        let stack = Arc::clone(&self.stack);
        let job = self.reactor.defer_to_thread(move || {
            if cancelled.load(Ordering::Relaxed) {
                return Err(Cancelled.into());
            }
            stack.lend(work)
        });
        job.on_result(move |result| {
            drop(turn);
            let _was_cancelled = resolver.resolve_with(result);
            drop(self); // not earlier: work that goes on keeps the pool
        });
        deferred
    }

    #[track_caller]
    fn close(self: &Rc<Self>) -> Deferred<()> {
        let (deferred, resolver) = Deferred::new(&self.reactor);
        match &mut *self.end.borrow_mut() {
            End::Closed => {
                let _first_time = resolver.resolve(());
            }
            End::Closing(waiting) => waiting.push(resolver),
            end @ End::Open => {
                *end = End::Closing(vec![resolver]);
                drop(self.reactor.spawn(Rc::clone(self).wind_up()));
            }
        }
        deferred
    }

    /// Stands in line behind all work until it has every turn: then nobody works any more.
    async fn wind_up(self: Rc<Self>) -> Result<(), Failure> {
        let mut turns = Vec::new();
        for _ in 0..self.options.max {
            turns.push(self.turns.acquire().await?);
        }
        let stack = Arc::clone(&self.stack);
        let closed = self.reactor.defer_to_thread(move || {
            stack.close();
            Ok(())
        });
        let closed = closed.await;
        self.forget_trigger();
        if let End::Closing(waiting) = self.end.replace(End::Closed) {
            for resolver in waiting {
                let _nobody_may_wait = resolver.resolve(());
            }
        }
        closed
    }

    fn forget_trigger(&self) {
        if let Some(trigger) = self.trigger.take() {
            let _it_may_be_what_runs = self.reactor.remove_trigger(trigger);
        }
    }
}

impl<D: Database> Drop for Inner<D> {
    /// Nobody works any more: what works holds this.
    fn drop(&mut self) {
        self.forget_trigger();
        if matches!(self.end.get_mut(), End::Open) {
            let stack = Arc::clone(&self.stack);
            self.reactor.run_in_thread(move || stack.close());
        }
    }
}

impl<D: Database> Clone for ConnectionPool<D> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<D: Database> fmt::Debug for ConnectionPool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPool")
            .field("running", &self.running())
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { limit } => write!(
                f,
                "{limit} pieces of work wait for a database connection already: ask for less at once, or raise PoolOptions::queue"
            ),
            Self::Closed => f.write_str("the pool of database connections is closed"),
        }
    }
}

impl std::error::Error for PoolError {}
