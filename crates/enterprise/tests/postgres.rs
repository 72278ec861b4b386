//! The pool on a real PostgreSQL server, where one is installed: it is started on a UNIX socket in a folder of its own.

#![cfg(all(unix, feature = "postgres"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ropewalk::deferred::gather_results;
use ropewalk::failure::Panicked;
use ropewalk::{Failure, Handle};
use ropewalk_enterprise::{ConnectionPool, DatabaseError, PoolOptions, Postgres, Value};

/// A server, ended and deleted at the end.
struct Server {
    folder: tempfile::TempDir,
    process: Child,
}

/// Where the server's programs are: on the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = versions.flatten().map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = debian.chain(std::env::split_paths(&path));
    folders.find(|folder| has_all(folder))
}

fn has_all(folder: &Path) -> bool {
    let programs = ["initdb", "postgres", "pg_isready"];
    programs.iter().all(|program| folder.join(program).exists())
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout == b"0\n")
}

/// As whom the server runs, which refuses root, and whose number that is.
fn number_of(user: &str) -> Option<u32> {
    let id = Command::new("id").args(["-u", user]).output().ok()?;
    String::from_utf8(id.stdout).ok()?.trim().parse().ok()
}

fn command(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

impl Server {
    /// None, and a line that says so, where there is no PostgreSQL.
    fn start() -> Option<Self> {
        let user = if is_root() {
            number_of("postgres")
        } else {
            Some(0)
        };
        let (Some(programs), Some(user)) = (programs(), user) else {
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            chown(folder.path(), Some(user), None).unwrap();
        }
        let data = folder.path().join("data");
        let made = command(&programs.join("initdb"))
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(&data)
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let process = Self::run(&programs, folder.path());
        Some(Self { folder, process })
    }

    /// Starts the process, and returns when its socket answers.
    fn run(programs: &Path, folder: &Path) -> Child {
        let mut process = command(&programs.join("postgres"))
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-k"])
            .arg(folder)
            .arg("-D")
            .arg(folder.join("data"))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = command(&programs.join("pg_isready"));
        ready.args(["--quiet", "--timeout=10", "-h"]).arg(folder);
        while !ready.status().unwrap().success() {
            assert!(process.try_wait().unwrap().is_none(), "the server ended");
        }
        process
    }

    fn database(&self) -> Postgres {
        let folder = self.folder.path().display();
        Postgres::new(&format!("host={folder} user=postgres dbname=postgres")).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The first line of its file is its number; `runuser` is another process.
        let file = self.folder.path().join("data/postmaster.pid");
        if let Ok(text) = fs::read_to_string(file) {
            let number = text.lines().next().unwrap_or_default().to_owned();
            let _it_may_have_ended = Command::new("kill").args(["-INT", &number]).status();
        }
        let _ended = self.process.wait();
    }
}

/// One server for all, as starting it takes seconds: each part has a pool of its own.
#[test]
fn a_real_server_is_worked_with() {
    let Some(server) = Server::start() else {
        return;
    };
    let database = server.database();
    let mut reactor = ropewalk::reactor().unwrap();
    let done = reactor.run_main(move |reactor| async move {
        values_come_back_as_they_went(&reactor, database.clone()).await?;
        interactions_happen_all_or_not_at_all(&reactor, database.clone()).await?;
        what_is_wrong_is_said(&reactor, database.clone()).await?;
        rows_have_a_limit(&reactor, database.clone()).await?;
        a_connection_that_the_server_ended_is_replaced(&reactor, database).await
    });
    assert!(done.unwrap().is_some());
}

async fn values_come_back_as_they_went(
    reactor: &Handle,
    database: Postgres,
) -> Result<(), Failure> {
    let pool = ConnectionPool::new(reactor, database);
    for (kind, value) in [
        ("int8", Value::Integer(i64::MIN)),
        ("int2", Value::Integer(-3)),
        ("int4", Value::Null),
        ("bool", Value::Integer(1)),
        ("float8", Value::Real(1e300)),
        ("float4", Value::Real(0.5)),
        ("text", "'; DROP TABLE item; --ü".into()),
        ("varchar", Value::from("")),
        ("json", "{\"a\": 1}".into()),
        ("bytea", vec![0, 255, b'\\'].into()),
    ] {
        let rows = pool
            .run_query(format!("SELECT $1::{kind} AS it"), [value.clone()])
            .await?;
        assert_eq!(rows[0].value("it")?, &value, "{kind}");
    }
    let at = "SELECT ($1::timestamptz AT TIME ZONE 'UTC')::text";
    let rows = pool.run_query(at, ["2026-01-02T03:04:05Z"]).await?;
    assert_eq!(rows[0].read::<&str>(0)?, "2026-01-02 03:04:05");
    pool.close().await
}

async fn interactions_happen_all_or_not_at_all(
    reactor: &Handle,
    database: Postgres,
) -> Result<(), Failure> {
    let pool = ConnectionPool::new(reactor, database);
    pool.run_operation("CREATE TABLE item (name text UNIQUE, amount int)", ())
        .await?;
    let add = "INSERT INTO item VALUES ($1, $2)";
    let added = pool.run_interaction(move |transaction| {
        Ok(transaction.execute(add, ("rope", 1))? + transaction.execute(add, ("hemp", 2))?)
    });
    assert_eq!(added.await?, 2);
    let again = pool.run_interaction(move |transaction| {
        transaction.execute("DELETE FROM item WHERE name = $1", ["hemp"])?;
        Ok(transaction.execute(add, ("rope", 5))?)
    });
    let failure = again.await.unwrap_err();
    assert_eq!(
        failure.downcast_ref::<DatabaseError>().unwrap().code(),
        Some("23505")
    );

    let panics = pool.run_interaction(|transaction| -> Result<(), Failure> {
        transaction.execute("DELETE FROM item", ())?;
        panic!("on purpose");
    });
    assert!(panics.await.unwrap_err().is::<Panicked>());

    // The server would answer the commit with a rollback, and call it done.
    let ignores = pool.run_interaction(move |transaction| {
        transaction.execute("DELETE FROM item", ())?;
        let _ignored = transaction.execute("SELECT nonsense", ());
        Ok(())
    });
    assert!(ignores.await.unwrap_err().to_string().contains("COMMIT"));

    let saved = pool.run_interaction(move |transaction| {
        transaction.execute("SAVEPOINT here", ())?;
        let _ignored = transaction.execute(add, ("rope", 5));
        transaction.execute("ROLLBACK TO here", ())?;
        Ok(transaction.execute("UPDATE item SET amount = amount + 1", ())?)
    });
    assert_eq!(saved.await?, 2);

    let writers = (0..20).map(|_| pool.run_operation("UPDATE item SET amount = amount + 1", ()));
    gather_results(reactor, writers.collect::<Vec<_>>()).await?;
    let rows = pool
        .run_query("SELECT sum(amount)::int8 AS all FROM item", ())
        .await?;
    assert_eq!(rows[0].read::<i64>("all")?, 1 + 2 + 2 + 40);
    pool.close().await
}

async fn what_is_wrong_is_said(reactor: &Handle, database: Postgres) -> Result<(), Failure> {
    let pool = ConnectionPool::new(reactor, database);
    for (sql, params, said) in [
        (
            "SELECT * FROM nothing",
            0,
            "relation \"nothing\" does not exist",
        ),
        ("SELEKT 1", 0, "syntax error"),
        ("SELECT 1; SELECT 2", 0, "multiple commands"),
        ("SELECT $1::int", 0, "parameter"),
        ("SELECT now()", 0, "timestamptz is not known here: cast it"),
    ] {
        let line = pool
            .run_query(sql, vec![1; params])
            .await
            .unwrap_err()
            .to_string();
        assert!(
            line.starts_with(&format!("cannot run {sql:?}: ")) && line.contains(said),
            "{line}"
        );
    }
    pool.close().await
}

async fn rows_have_a_limit(reactor: &Handle, database: Postgres) -> Result<(), Failure> {
    let options = PoolOptions {
        result_bytes: 10_000,
        ..PoolOptions::default()
    };
    let pool = ConnectionPool::with_options(reactor, database, options);
    let failure = pool
        .run_query("SELECT generate_series(1, 10000)", ())
        .await
        .unwrap_err();
    assert!(
        failure.to_string().contains("more than 10000 bytes"),
        "{failure}"
    );
    assert_eq!(
        pool.run_query("SELECT generate_series(1, 10)", ())
            .await?
            .len(),
        10
    );
    pool.close().await
}

async fn a_connection_that_the_server_ended_is_replaced(
    reactor: &Handle,
    database: Postgres,
) -> Result<(), Failure> {
    let one = PoolOptions {
        min: 1,
        max: 1,
        ..PoolOptions::default()
    };
    let pool = ConnectionPool::with_options(reactor, database, one);
    // Its own end reaches it as a failure, and is not tried again.
    let end = "SELECT pg_terminate_backend(pg_backend_pid())";
    let failure = pool.run_query(end, ()).await.unwrap_err();
    assert!(failure.to_string().starts_with("cannot run"), "{failure}");
    assert_eq!(pool.run_query("SELECT 1", ()).await?.len(), 1);
    pool.close().await
}

#[ropewalk::test]
async fn a_server_that_is_not_there_is_named_without_the_password(
    reactor: Handle,
) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let place = folder.path().display();
    let database = Postgres::new(&format!("host={place} user=me password=secret dbname=shop"))?;
    let pool = ConnectionPool::new(&reactor, database);
    let line = pool
        .run_query("SELECT 1", ())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        line.starts_with("cannot open the database") && line.contains("dbname=shop"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
    let wrong = Postgres::new("host=x nonsense").unwrap_err().to_string();
    assert!(wrong.contains("invalid connection string"), "{wrong}");
    pool.close().await
}
