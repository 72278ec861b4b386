//! A pool of database connections whose work runs in threads: the loop never waits for a database.
//!
//! ```text
//!   reactor ── run_query ─► line of those who wait ─► a thread, with a connection from the stack ─► the database
//!      ▲                                                                │
//!      └────────────── Deferred: rows, or a failure that quotes the statement ◄──┘
//! ```
//!
//! The [`ConnectionPool`] works for whatever implements [`Database`] and [`Session`]; [`Sqlite`] (feature `sqlite`, on by
//! default) and `Postgres` (feature `postgres`) do. It is not an SQL builder and maps no objects: statements are SQL,
//! values are [`Value`]s, and they meet only as parameters.
//!
//! ```
//! use ropewalk_core::{Failure, Reactor};
//! use ropewalk_enterprise::{ConnectionPool, Sqlite};
//! use ropewalk_sim::SimDriver;
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1));
//! reactor.run_main(|reactor| async move {
//!     let pool = ConnectionPool::new(&reactor, Sqlite::in_memory()?);
//!     pool.run_operation("CREATE TABLE person (name TEXT, age INTEGER)", ()).await?;
//!     let added = pool.run_interaction(|transaction| {
//!         let add = "INSERT INTO person VALUES (?1, ?2)";
//!         Ok(transaction.execute(add, ("Ada", 36))? + transaction.execute(add, ("Grace", 85))?)
//!     });
//!     assert_eq!(added.await?, 2);
//!     for row in pool.run_query("SELECT name FROM person WHERE age < ?1", [40]).await? {
//!         assert_eq!(row.read::<&str>("name")?, "Ada");
//!     }
//!     pool.close().await
//! })?;
//! # Ok::<(), Failure>(())
//! ```

mod database;
mod database_error;
mod from_value;
mod params;
mod pool;
mod pool_options;
#[cfg(feature = "postgres")]
mod postgres;
mod row;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stack;
mod transaction;
mod value;

pub use database::{Database, OnOpen, Session};
pub use database_error::DatabaseError;
pub use from_value::FromValue;
pub use params::Params;
pub use pool::{ConnectionPool, PoolError};
pub use pool_options::PoolOptions;
#[cfg(feature = "postgres")]
pub use postgres::{Postgres, PostgresSession};
pub use row::{Column, Row, RowError, Rows, TooLarge};
#[cfg(feature = "sqlite")]
pub use sqlite::{Sqlite, SqliteSession};
pub use transaction::Transaction;
pub use value::Value;
