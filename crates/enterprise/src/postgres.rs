//! PostgreSQL, by the blocking driver `postgres`.
//!
//! Parameters travel as text, and the server reads each as the type that its place has. So a text can be given where a
//! timestamp or a UUID is wanted, and no type has to be known here. Rows travel as the server's bytes, of which the common
//! types are known; the others say that they want to be cast to text.

use std::error::Error as StdError;
use std::fmt::{self, Write};
use std::time::{Duration, Instant};

use ::postgres::config::Host;
use ::postgres::fallible_iterator::FallibleIterator;
use ::postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use ::postgres::{Client, Config, Error, NoTls, Row, RowIter};
use bytes::BytesMut;

use crate::database::{Database, Session};
use crate::database_error::DatabaseError;
use crate::row::Rows;
use crate::value::Value;

/// How long connecting may take unless the connection string says otherwise.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that did well less long ago than this is taken to be alive without asking.
const FRESH: Duration = Duration::from_millis(500);

/// How long a server may take to say that a connection is alive.
const PULSE: Duration = Duration::from_secs(5);

/// A PostgreSQL server and a database on it.
///
/// Parameters are `$1`, `$2` …: the server reads them as the type of their place, so a text may be given for a `timestamptz`.
/// Columns of type `bool` (as 0 or 1), `int2` to `int8`, `oid`, `float4`, `float8`, `bytea`, `json` and all kinds of text can
/// be read; others must be cast, as in `SELECT at::text`. If there is no row, the columns' names are not known.
///
/// *Today* without TLS: over a UNIX socket, the loopback, or a network that is trusted.
#[derive(Clone)]
pub struct Postgres {
    config: Config,
}

/// A connection to a PostgreSQL server.
pub struct PostgresSession {
    client: Client,
    /// When it last did as it was told; none if what it was told last failed.
    answered: Option<Instant>,
    /// A statement of this transaction failed: all that the server will do is roll it back.
    is_failed: bool,
}

/// An error with its causes: the driver tells only the kind of what happened.
#[derive(Debug)]
struct Told(Error);

impl Postgres {
    /// The database that a connection string tells, such as `host=127.0.0.1 user=shop dbname=shop`, `host=/run/postgresql` or
    /// `postgresql://shop@127.0.0.1/shop`. Connecting may take 10 s, unless it says `connect_timeout`; for a limit of
    /// statements it may say `options='-c statement_timeout=30s'`.
    ///
    /// # Errors
    ///
    /// The connection string cannot be understood. It is not quoted: there may be a password in it.
    pub fn new(connection: &str) -> Result<Self, DatabaseError> {
        let config = connection.parse::<Config>();
        config
            .map(Self::with_config)
            .map_err(|error| DatabaseError::open("PostgreSQL", Told(error)))
    }

    /// The database that a configuration tells, in the driver's words.
    #[must_use]
    pub fn with_config(mut config: Config) -> Self {
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        Self { config }
    }
}

impl Database for Postgres {
    type Session = PostgresSession;

    fn open(&self) -> Result<PostgresSession, DatabaseError> {
        let client = self
            .config
            .connect(NoTls)
            .map_err(|error| DatabaseError::open(self, Told(error)))?;
        Ok(PostgresSession {
            client,
            answered: Some(Instant::now()),
            is_failed: false,
        })
    }
}

impl PostgresSession {
    /// The connection itself, in the driver's words.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Runs one statement in one round trip, and keeps note of what it means for the transaction.
    fn run<T>(
        &mut self,
        sql: &str,
        params: &[Value],
        take: impl FnOnce(RowIter<'_>) -> Result<T, DatabaseError>,
    ) -> Result<T, DatabaseError> {
        // The type `unknown` is for the server to find out.
        let params = params
            .iter()
            .map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN));
        let answer = self.client.query_typed_raw(sql, params);
        let result = answer.map_err(|error| failed(sql, error)).and_then(take);
        self.answered = result.is_ok().then(Instant::now);
        match &result {
            Ok(_) => self.is_failed = false,
            Err(error) => self.is_failed |= error.code().is_some(),
        }
        result
    }

    fn control(&mut self, sql: &str) -> Result<(), DatabaseError> {
        let done = self.client.batch_execute(sql);
        self.answered = done.is_ok().then(Instant::now);
        self.is_failed = false;
        done.map_err(|error| failed(sql, error))
    }
}

impl Session for PostgresSession {
    fn query(
        &mut self,
        sql: &str,
        params: &[Value],
        limit_bytes: usize,
    ) -> Result<Rows, DatabaseError> {
        self.run(sql, params, |answer| gather(sql, answer, limit_bytes))
    }

    fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, DatabaseError> {
        let fail = |error| failed(sql, error);
        self.run(sql, params, |mut answer| {
            while answer.next().map_err(fail)?.is_some() {}
            Ok(answer.rows_affected().unwrap_or(0))
        })
    }

    fn begin(&mut self) -> Result<(), DatabaseError> {
        self.control("BEGIN")
    }

    /// The server answers a commit after a failure with a rollback, and calls that a success.
    fn commit(&mut self) -> Result<(), DatabaseError> {
        if self.is_failed {
            let cause =
                "a statement of this transaction failed before, so that nothing of it can be kept";
            return Err(DatabaseError::statement("COMMIT", None, cause));
        }
        self.control("COMMIT")
    }

    /// Without a transaction it is a warning, which nobody hears.
    fn rollback(&mut self) -> Result<(), DatabaseError> {
        self.control("ROLLBACK")
    }

    fn is_alive(&mut self) -> bool {
        let is_fresh = self.answered.is_some_and(|when| when.elapsed() < FRESH);
        !self.client.is_closed() && (is_fresh || self.client.is_valid(PULSE).is_ok())
    }
}

fn gather(sql: &str, mut answer: RowIter<'_>, limit_bytes: usize) -> Result<Rows, DatabaseError> {
    let fail = |error| failed(sql, error);
    let mut rows: Option<Rows> = None;
    while let Some(row) = answer.next().map_err(fail)? {
        let rows = rows.get_or_insert_with(|| Rows::new(names(&row), limit_bytes));
        let values: Result<Vec<Value>, Error> = (0..row.len())
            .map(|number| row.try_get::<_, Value>(number))
            .collect();
        rows.push(values.map_err(fail)?)
            .map_err(|error| DatabaseError::too_large(sql, error))?;
    }
    Ok(rows.unwrap_or_default())
}

fn names(row: &Row) -> Vec<String> {
    let columns = row.columns().iter();
    columns.map(|column| column.name().to_owned()).collect()
}

fn failed(sql: &str, error: Error) -> DatabaseError {
    let code = error.code().map(|code| code.code().to_owned());
    DatabaseError::statement(sql, code, Told(error))
}

/// As text, whatever type is wanted.
impl ToSql for Value {
    fn to_sql(
        &self,
        _type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Integer(number) => write!(out, "{number}")?,
            Self::Real(number) => write!(out, "{number:?}")?,
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Blob(bytes) => {
                out.write_str("\\x")?;
                bytes
                    .iter()
                    .try_for_each(|byte| write!(out, "{byte:02x}"))?;
            }
        }
        Ok(IsNull::No)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    fn encode_format(&self, _type: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(match *kind {
            Type::BOOL => bool::from_sql(kind, raw)?.into(),
            Type::INT2 => i16::from_sql(kind, raw)?.into(),
            Type::INT4 => i32::from_sql(kind, raw)?.into(),
            Type::INT8 => i64::from_sql(kind, raw)?.into(),
            Type::OID => u32::from_sql(kind, raw)?.into(),
            Type::FLOAT4 => f32::from_sql(kind, raw)?.into(),
            Type::FLOAT8 => f64::from_sql(kind, raw)?.into(),
            Type::BYTEA => raw.into(),
            Type::JSON => std::str::from_utf8(raw)?.into(),
            Type::VOID => Self::Null,
            _ if <&str as FromSql<'_>>::accepts(kind) => <&str>::from_sql(kind, raw)?.into(),
            _ => {
                return Err(
                    format!("the type {kind} is not known here: cast it, as in x::text").into(),
                );
            }
        })
    }

    fn from_sql_null(_type: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}

/// What is no secret: who, where and which.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        for host in self.config.get_hosts() {
            words.push(match host {
                Host::Tcp(name) => format!("host={name}"),
                #[cfg(unix)]
                Host::Unix(path) => format!("host={}", path.display()),
            });
        }
        let ports = self.config.get_ports().iter();
        words.extend(ports.map(|port| format!("port={port}")));
        words.extend(self.config.get_user().map(|user| format!("user={user}")));
        words.extend(
            self.config
                .get_dbname()
                .map(|name| format!("dbname={name}")),
        );
        f.write_str(&words.join(" "))
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Postgres({self})")
    }
}

impl fmt::Debug for PostgresSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSession").finish_non_exhaustive()
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = &self.0;
        if let Some(said) = error.as_db_error() {
            return write!(f, "{said}");
        }
        write!(f, "{error}")?;
        let mut causes = std::iter::successors(error.source(), |cause| (*cause).source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl StdError for Told {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}
