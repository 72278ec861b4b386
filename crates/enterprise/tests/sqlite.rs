//! The pool on SQLite, in memory and in files.

#![cfg(feature = "sqlite")]

use std::time::Duration;

use ropewalk::deferred::gather_results;
use ropewalk::failure::Panicked;
use ropewalk::{Failure, Handle};
use ropewalk_enterprise::{
    ConnectionPool, Database, DatabaseError, PoolOptions, Session, Sqlite, Value,
};

async fn shop(reactor: &Handle) -> Result<ConnectionPool<Sqlite>, Failure> {
    let pool = ConnectionPool::new(reactor, Sqlite::in_memory()?);
    pool.run_operation("CREATE TABLE item (name TEXT UNIQUE, amount)", ())
        .await?;
    Ok(pool)
}

async fn amount(pool: &ConnectionPool<Sqlite>, name: &str) -> Result<Option<i64>, Failure> {
    let rows = pool
        .run_query("SELECT amount FROM item WHERE name = ?1", [name])
        .await?;
    Ok(rows.first().map(|row| row.read("amount")).transpose()?)
}

#[ropewalk::test]
async fn every_kind_of_value_comes_back_as_it_went(reactor: Handle) -> Result<(), Failure> {
    let pool = shop(&reactor).await?;
    let values = [
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Real(-0.5),
        Value::Text("'; DROP TABLE item; --\0ü".to_owned()),
        Value::Text(String::new()),
        Value::Blob(vec![0, 255]),
        Value::Blob(Vec::new()),
    ];
    for value in values {
        let rows = pool
            .run_query("SELECT ?1 AS it, typeof(?1)", [value.clone()])
            .await?;
        assert_eq!(rows.columns(), ["it", "typeof(?1)"]);
        assert_eq!(rows[0].value("it")?, &value);
        assert_eq!(rows[0].read::<&str>(1)?, value.kind());
    }
    pool.close().await
}

#[ropewalk::test(seeds = 10)]
async fn interactions_happen_all_or_not_at_all(reactor: Handle) -> Result<(), Failure> {
    let pool = shop(&reactor).await?;
    let add = "INSERT INTO item VALUES (?1, ?2)";
    assert_eq!(pool.run_operation(add, ("rope", 1)).await?, 1);

    let taken = pool.run_interaction(move |transaction| {
        transaction.execute("UPDATE item SET amount = amount + 1", ())?;
        transaction.execute(add, ("rope", 5))?;
        Ok(())
    });
    let error = taken.await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("UNIQUE constraint failed: item.name"),
        "{error}"
    );
    assert_eq!(
        error.downcast_ref::<DatabaseError>().unwrap().code(),
        Some("2067")
    );

    let panics = pool.run_interaction(|transaction| {
        transaction.execute("DELETE FROM item", ())?;
        if transaction.query("SELECT * FROM item", ())?.is_empty() {
            panic!("on purpose");
        }
        Ok(())
    });
    assert!(panics.await.unwrap_err().is::<Panicked>());
    assert_eq!(amount(&pool, "rope").await?, Some(1));

    // Each reads what the one before wrote, on whatever connection.
    let counted = (0..20).map(|_| {
        pool.run_interaction(|transaction| {
            let rows = transaction.query("SELECT amount FROM item WHERE name = 'rope'", ())?;
            let more = rows[0].read::<i64>(0)? + 1;
            Ok(transaction.execute("UPDATE item SET amount = ?1", [more])?)
        })
    });
    gather_results(&reactor, counted.collect::<Vec<_>>()).await?;
    assert_eq!(amount(&pool, "rope").await?, Some(21));
    pool.close().await
}

/// Where several threads really write at once: each waits for the lock, none fails.
#[test]
fn writers_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let database = Sqlite::new(folder.path().join("shop.db"));
    let mut reactor = ropewalk::reactor().unwrap();
    let counted = reactor.run_main(move |reactor| async move {
        let database =
            database.on_open(|session| session.execute("PRAGMA journal_mode = WAL", &[]).map(drop));
        let pool = ConnectionPool::new(&reactor, database);
        pool.run_operation("CREATE TABLE count (n)", ()).await?;
        pool.run_operation("INSERT INTO count VALUES (0)", ())
            .await?;
        let writers = (0..30).map(|_| {
            pool.run_interaction(|transaction| {
                let n = transaction.query("SELECT n FROM count", ())?[0].read::<i64>("n")?;
                Ok(transaction.execute("UPDATE count SET n = ?1", [n + 1])?)
            })
        });
        gather_results(&reactor, writers.collect::<Vec<_>>()).await?;
        let rows = pool.run_query("SELECT n FROM count", ()).await?;
        Ok::<i64, Failure>(rows[0].read(0)?)
    });
    assert_eq!(counted.unwrap(), Some(30));
}

#[ropewalk::test]
async fn changed_rows_are_counted_and_nothing_else(reactor: Handle) -> Result<(), Failure> {
    let pool = shop(&reactor).await?;
    let add = "INSERT INTO item VALUES ('a', 1), ('b', 2), ('c', 3)";
    assert_eq!(pool.run_operation(add, ()).await?, 3);
    assert_eq!(pool.run_operation("CREATE TABLE other (x)", ()).await?, 0);
    assert_eq!(pool.run_operation("SELECT * FROM item", ()).await?, 0);
    assert_eq!(
        pool.run_operation("DELETE FROM item WHERE amount > ?1", [1])
            .await?,
        2
    );
    pool.close().await
}

#[ropewalk::test]
async fn what_is_wrong_is_said_in_one_line(reactor: Handle) -> Result<(), Failure> {
    let pool = shop(&reactor).await?;
    for (sql, params, said) in [
        ("SELECT * FROM missing", 0, "no such table: missing"),
        ("SELEKT 1", 0, "near \"SELEKT\": syntax error (at byte 0)"),
        ("SELECT 1; DELETE FROM item", 0, "Multiple statements"),
        ("SELECT ?1", 0, "Got 0, needed 1"),
        ("SELECT ?1", 2, "Got 2, needed 1"),
        ("SELECT CAST(x'ff' AS TEXT)", 0, "utf-8"),
    ] {
        let failure = pool.run_query(sql, vec![1; params]).await.unwrap_err();
        let line = failure.to_string();
        assert!(
            line.starts_with(&format!("cannot run {sql:?}: ")) && line.contains(said),
            "{line}"
        );
        assert!(!line.contains('\n'), "{line}");
    }
    pool.close().await
}

#[ropewalk::test]
async fn rows_have_a_limit(reactor: Handle) -> Result<(), Failure> {
    let options = PoolOptions {
        result_bytes: 10_000,
        ..PoolOptions::default()
    };
    let pool = ConnectionPool::with_options(&reactor, Sqlite::in_memory()?, options);
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let failure = pool.run_query(many, ()).await.unwrap_err();
    assert!(
        failure.to_string().contains("more than 10000 bytes"),
        "{failure}"
    );
    let few = pool.run_query(format!("{many} LIMIT 10"), ()).await?;
    assert_eq!(few.len(), 10);
    pool.close().await
}

#[ropewalk::test]
async fn a_transaction_left_open_does_not_reach_the_next(reactor: Handle) -> Result<(), Failure> {
    let pool = shop(&reactor).await?;
    pool.run_with_connection(|session| {
        session.begin()?;
        session.execute("INSERT INTO item VALUES ('ghost', 1)", &[])?;
        Ok(())
    })
    .await?;
    pool.run_operation("SAVEPOINT here", ()).await?;
    pool.run_operation("INSERT INTO item VALUES ('rope', 1)", ())
        .await?;
    let rows = pool.run_query("SELECT name FROM item", ()).await?;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].read::<&str>("name")?, "rope");
    pool.close().await
}

#[ropewalk::test]
async fn files_are_made_found_or_refused(reactor: Handle) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let (path, text) = (folder.path().join("shop.db"), folder.path().join("text"));
    std::fs::write(
        &text,
        "this is no database, and has more than a header's worth of text ".repeat(20),
    )?;
    let ask = |database: Sqlite, sql: &'static str| {
        let pool = ConnectionPool::new(&reactor, database);
        async move {
            let result = pool.run_operation(sql, ()).await;
            pool.close().await?;
            result
        }
    };
    for (database, said) in [
        (Sqlite::new(&path).must_exist(), "shop.db"),
        (Sqlite::new(&path).read_only(), "shop.db"),
        (Sqlite::new(folder.path()), "unable to open"),
        (Sqlite::new(&text), "not a database"),
        (Sqlite::new(":memory:"), "Sqlite::in_memory()"),
        (Sqlite::new(""), "Sqlite::in_memory()"),
    ] {
        let line = ask(database, "SELECT 1").await.unwrap_err().to_string();
        assert!(
            line.starts_with("cannot open the database") && line.contains(said),
            "{line}"
        );
    }
    ask(Sqlite::new(&path), "CREATE TABLE item (name)").await?;
    ask(
        Sqlite::new(&path).must_exist(),
        "INSERT INTO item VALUES ('rope')",
    )
    .await?;
    let refused = ask(Sqlite::new(&path).read_only(), "DELETE FROM item")
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("readonly"), "{refused}");
    Ok(())
}

#[ropewalk::test]
async fn a_lock_is_waited_for_no_longer_than_said(reactor: Handle) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let database = Sqlite::new(folder.path().join("shop.db")).busy_timeout(Duration::ZERO);
    let mut other = database.open()?;
    other.execute("CREATE TABLE item (name)", &[])?;
    other.begin()?;
    let pool = ConnectionPool::new(&reactor, database);
    let work = pool.run_interaction(|_| Ok(()));
    let failure = work.await.unwrap_err();
    assert!(failure.to_string().contains("locked"), "{failure}");
    other.rollback()?;
    pool.run_interaction(|_| Ok(())).await?;
    pool.close().await
}
