//! What was said, on disk: an SQLite file, written and read by a thread.
//!
//! One connection, so that what is kept is kept in order; all that waits goes into one transaction, so that a slow disk means
//! larger transactions and not a longer queue. A transaction is on disk before anybody is told of it (`synchronous = FULL`).
//!
//! What is in memory follows from what is in the file only if nobody else writes there: so who serves a file holds its [`Lock`].

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use ropewalk::enterprise::{
    ConnectionPool, Database, DatabaseError, OnOpen, PoolOptions, Session, Sqlite, SqliteSession,
    Transaction,
};
use ropewalk::{Deferred, Failure, Handle};

use super::hall::{Message, Room};
use super::text::{Name, printable};

/// By which a file of ours is known (`PRAGMA application_id`): `rwch`.
const APPLICATION: i64 = 0x7277_6368;

/// Of which form the tables are (`PRAGMA user_version`). Another one would be read wrongly.
const VERSION: i64 = 1;

/// The latest time that browsers know, in milliseconds since 1970.
const LATEST: i64 = 8_640_000_000_000_000;

/// More than the hall keeps.
const RESULT_BYTES: usize = 512 * 1024 * 1024;

/// The file, open.
pub(crate) struct Journal(ConnectionPool<OnOpen<Sqlite, Prepare>>);

type Prepare = fn(&mut SqliteSession) -> Result<(), DatabaseError>;

/// What is to be kept, and what may go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Names and ids of the rooms of these messages, by number.
    pub(crate) rooms: BTreeMap<i64, (String, String)>,
    pub(crate) messages: Vec<(i64, Message)>,
    /// Rooms that are no more.
    pub(crate) gone: Vec<i64>,
    /// Messages up to this number are forgotten.
    pub(crate) pruned: BTreeMap<i64, u64>,
}

/// What was kept before.
pub(crate) struct Kept {
    /// In the order in which they were opened.
    pub(crate) rooms: Vec<Room>,
}

/// A room as the thread reads it.
struct Row {
    number: i64,
    name: String,
    id: String,
    messages: Vec<Message>,
}

/// The right to serve a file, until it is dropped. Others may read it meanwhile, as SQLite has locks of another kind.
pub(crate) struct Lock(#[allow(dead_code, reason = "it is held for its end")] File);

impl Lock {
    /// Takes it, and makes the file if there is none.
    ///
    /// # Errors
    ///
    /// Another holds it, or the file can be neither opened to write nor made.
    pub(crate) fn take(path: &Path) -> Result<Self, Failure> {
        look(path)?;
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::message(
                "another chat keeps its history there; stop it, or name another file",
            )),
            // Some file systems have no locks.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Self(file)),
        }
    }
}

impl Journal {
    /// The journal in a file, which is made if there is none.
    pub(crate) fn new(handle: &Handle, path: &Path) -> Self {
        Self::of(handle, Sqlite::new(path))
    }

    /// The journal in a database.
    pub(crate) fn of(handle: &Handle, database: Sqlite) -> Self {
        let options = PoolOptions {
            min: 1,
            max: 1,
            result_bytes: RESULT_BYTES,
            ..PoolOptions::default()
        };
        let database = database.on_open(prepare as Prepare);
        Self(ConnectionPool::with_options(handle, database, options))
    }

    /// Says whether there can be a journal in that file, which is not made nor changed.
    ///
    /// # Errors
    ///
    /// It is something else, or in no folder, or is known not to be ours to write.
    pub(crate) fn check(path: &Path) -> Result<(), Failure> {
        if look(path)? {
            let mut session = Sqlite::new(path).read_only().open()?;
            identify(&mut session)?;
        }
        Ok(())
    }

    /// Reads all.
    pub(crate) fn load(&self) -> Deferred<Kept> {
        let rows = self.0.run_interaction(|transaction| {
            create(transaction)?;
            read(transaction)
        });
        rows.add_callback(|rows| {
            let rooms: Result<Vec<Room>, Failure> = rows.into_iter().map(Row::into_room).collect();
            rooms.map(|rooms| Kept { rooms })
        })
    }

    /// Keeps all of it or nothing; fires when it is on disk.
    pub(crate) fn keep(&self, batch: Batch) -> Deferred<()> {
        self.0
            .run_interaction(move |transaction| Ok(write(transaction, batch)?))
    }

    /// Finishes what is under way, and closes the file.
    pub(crate) fn close(&self) -> Deferred<()> {
        self.0.close()
    }
}

/// Tells whether there is a file at a path where there may be one of ours, without opening it: that of a pipe would take for ever.
fn look(path: &Path) -> Result<bool, Failure> {
    let wrong = match path.metadata() {
        Ok(file) if file.is_dir() => "it is a folder; name a file in it",
        Ok(file) if !file.is_file() => "it is no ordinary file; name another",
        Ok(file) if file.permissions().readonly() => {
            "it may not be written; let it be, or name another file"
        }
        Ok(_) => return Ok(true),
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
        Err(_) => {
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            if folder.is_none_or(Path::is_dir) {
                return Ok(false);
            }
            "there is no such folder; make it first"
        }
    };
    Err(Failure::message(wrong))
}

/// Makes sure that the file is ours before anything in it is changed.
fn prepare(session: &mut SqliteSession) -> Result<(), DatabaseError> {
    if identify(session)? == 0 {
        session.execute(&format!("PRAGMA application_id = {APPLICATION}"), &[])?;
        session.execute(&format!("PRAGMA user_version = {VERSION}"), &[])?;
    }
    session.execute("PRAGMA journal_mode = WAL", &[])?;
    session.execute("PRAGMA synchronous = FULL", &[])?;
    Ok(())
}

/// Gives the number by which it is known, 0 if it is new.
fn identify(session: &mut SqliteSession) -> Result<i64, DatabaseError> {
    let number = |session: &mut SqliteSession, sql: &str| {
        let rows = session.query(sql, &[], RESULT_BYTES)?;
        let number = rows.first().map(|row| row.read::<i64>(0));
        let number = number.and_then(Result::ok);
        Ok::<i64, DatabaseError>(number.unwrap_or_default())
    };
    let application = number(session, "PRAGMA application_id")?;
    let version = number(session, "PRAGMA user_version")?;
    let tables = number(session, "SELECT count(*) FROM sqlite_schema")?;
    let cause = match (application, tables, version) {
        (APPLICATION, _, ..=VERSION) | (0, 0, _) => return Ok(application),
        (APPLICATION, ..) => "a newer ropewalk made it; use that, or name another file",
        _ => "it is another program's; name a file of its own for the chat",
    };
    let path = session.connection().path().unwrap_or_default().to_owned();
    Err(DatabaseError::open(path, cause))
}

fn create(transaction: &mut Transaction<'_>) -> Result<(), DatabaseError> {
    for sql in [
        "CREATE TABLE IF NOT EXISTS room (number INTEGER PRIMARY KEY, name TEXT NOT NULL, id TEXT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS message (room INTEGER NOT NULL, seq INTEGER NOT NULL, key TEXT, \
         name TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (room, seq)) WITHOUT ROWID",
        "CREATE UNIQUE INDEX IF NOT EXISTS message_key ON message (room, key) WHERE key IS NOT NULL",
    ] {
        transaction.execute(sql, ())?;
    }
    Ok(())
}

fn read(transaction: &mut Transaction<'_>) -> Result<Vec<Row>, Failure> {
    let mut rooms = BTreeMap::new();
    for row in transaction
        .query("SELECT number, name, id FROM room", ())?
        .iter()
    {
        let number = row.read::<i64>(0)?;
        let room = Row {
            number,
            name: row.read(1)?,
            id: row.read(2)?,
            messages: Vec::new(),
        };
        rooms.insert(number, room);
    }
    let all = "SELECT room, seq, key, name, text, at FROM message ORDER BY room, seq";
    for row in transaction.query(all, ())?.iter() {
        if let Some(room) = rooms.get_mut(&row.read::<i64>(0)?) {
            // Others may have written into the file: nothing of it is shown that a terminal would obey, or that is no number or
            // time to a browser.
            let shown =
                |column: usize| Ok::<_, Failure>(printable(row.read::<&str>(column)?.as_bytes()));
            let seq = u64::try_from(row.read::<i64>(1)?).unwrap_or_default();
            if seq == 0 {
                let problem = format!("the room {:?} has a message without a number", room.name);
                return Err(Failure::message(problem));
            }
            room.messages.push(Message {
                seq,
                key: row.read(2)?,
                name: shown(3)?,
                text: shown(4)?,
                at: row.read::<i64>(5)?.clamp(0, LATEST).cast_unsigned(),
            });
        }
    }
    Ok(rooms.into_values().collect())
}

fn write(transaction: &mut Transaction<'_>, batch: Batch) -> Result<(), DatabaseError> {
    for number in batch.gone {
        transaction.execute("DELETE FROM message WHERE room = ?1", [number])?;
        transaction.execute("DELETE FROM room WHERE number = ?1", [number])?;
    }
    for (number, seq) in batch.pruned {
        let forget = "DELETE FROM message WHERE room = ?1 AND seq <= ?2";
        transaction.execute(forget, [number, seq.cast_signed()])?;
    }
    for (number, (name, id)) in batch.rooms {
        let add = "INSERT OR IGNORE INTO room VALUES (?1, ?2, ?3)";
        transaction.execute(add, (number, name, id))?;
    }
    for (room, message) in batch.messages {
        let Message {
            seq,
            key,
            name,
            text,
            at,
        } = message;
        let add = "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (seq, at) = (seq.cast_signed(), at.cast_signed());
        transaction.execute(add, (room, seq, key, name, text, at))?;
    }
    Ok(())
}

impl Row {
    fn into_room(self) -> Result<Room, Failure> {
        let name = Name::parse(self.name.as_bytes());
        let name =
            name.map_err(|_| Failure::message(format!("the room {:?} has a bad name", self.name)))?;
        let mut room = Room::new(name, self.number, self.id);
        self.messages
            .into_iter()
            .for_each(|message| room.push(message));
        Ok(room)
    }
}
