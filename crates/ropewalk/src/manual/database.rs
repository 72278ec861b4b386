//! Databases: blocking drivers in threads, results on the reactor's turn. Feature `enterprise`; with `postgres` PostgreSQL too.
//!
//! ```
//! use ropewalk::enterprise::{ConnectionPool, Database, Session, Sqlite};
//! use ropewalk::{Reactor, sim::SimDriver};
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("shop.db");
//!
//! let mut reactor = Reactor::new(SimDriver::alone(1)); // or ropewalk::reactor()?
//! reactor.run_main(|reactor| async move {
//!     let database = Sqlite::new(path)
//!         .on_open(|session| session.execute("PRAGMA journal_mode = WAL", &[]).map(drop));
//!     let pool = ConnectionPool::new(&reactor, database); // opens nothing yet
//!
//!     pool.run_operation("CREATE TABLE item (name TEXT, amount INTEGER)", ()).await?;
//!     let sold = pool.run_interaction(|transaction| {
//!         transaction.execute("INSERT INTO item VALUES (?1, ?2)", ("rope", 3))?;
//!         transaction.execute("UPDATE item SET amount = amount - 1 WHERE name = ?1", ["rope"])?;
//!         let rows = transaction.query("SELECT amount FROM item", ())?;
//!         Ok(rows[0].read::<i64>("amount")?) // an error, or a panic, would undo it all
//!     });
//!     assert_eq!(sold.await?, 2);
//!
//!     for row in pool.run_query("SELECT name FROM item WHERE amount > ?1", [1]).await? {
//!         println!("{}", row.read::<&str>("name")?);
//!     }
//!     Ok(()) // the reactor stops: the pool does what it has taken, and closes
//! })?;
//! # Ok::<(), ropewalk::Failure>(())
//! ```
//!
//! - **Values are parameters**, never part of the SQL: `?1` with SQLite, `$1` with PostgreSQL. So nobody can inject any.
//! - **One statement or a transaction**: `run_query` and `run_operation` are each a transaction of one statement;
//!   `run_interaction` is one of several. `BEGIN` and `COMMIT` by hand are refused. `run_with_connection` has the driver itself.
//! - **A protocol** gets its answer by `transport.when(pool.run_query(…), |this, transport, rows| …)`: if the connection is lost
//!   first, the answer is dropped.
//! - **What waits is bounded**: 5 connections, 1 000 pieces of work in line, 64 MiB of rows; see
//!   [`PoolOptions`](crate::enterprise::PoolOptions). Tell a peer that it is too much instead of letting it wait.
//! - **Nothing is tried twice.** A connection that died while idle is replaced before work begins; work that failed is yours
//!   to repeat. [`DatabaseError::code`](crate::enterprise::DatabaseError::code) says whether that may help.
//! - **In a simulated world** the threads are simulated: the same seed runs the work in the same order. `Sqlite::in_memory()`
//!   is a database for a test.
//! - **Another database** is two traits, [`Database`](crate::enterprise::Database) and
//!   [`Session`](crate::enterprise::Session), over its blocking driver.
