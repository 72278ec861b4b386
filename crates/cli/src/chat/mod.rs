//! `ropewalk chat`: rooms for browsers and for everybody who can send lines.
//!
//! ```text
//!   browser ─ page ─ wire, over WebSocket ─┐
//!                                          ├─ hall: rooms, people, what was said ─ journal, in SQLite
//!   nc, telnet ─ lines ────────────────────┘
//! ```
//!
//! To read it: `lines` is the simplest client, `wire` says how nothing is lost, `hall/outbox` keeps one order for all.

mod browser;
mod budget;
mod hall;
mod journal;
mod lines;
mod page;
#[cfg(test)]
mod tests;
mod text;
mod wire;
#[cfg(test)]
mod world;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use ropewalk::service::Service;
use ropewalk::{Deferred, Failure, Handle, Limits, ListeningPort, Phase};

use self::hall::Hall;
use self::journal::{Journal, Lock};
use self::lines::{LineGuest, SLOW_BYTES};
use crate::setup::Setup;
use crate::web;

/// Rooms to chat in, for browsers and for nc
#[derive(clap::Parser)]
#[command(
    name = "chat",
    after_help = "\
Examples:
  ropewalk chat                      a page at http://127.0.0.1:8080/, the same rooms by: nc 127.0.0.1 8001
  ropewalk chat --history chat.db    what was said is still there after a restart
  ropewalk chat --web tcp:0.0.0.0:8080 --lines tcp:0.0.0.0:8001
                                     for other machines too
  ropewalk chat --web tls:443:cert=chat.pem:key=chat.key
                                     by https, and no lines
  ropewalk chat tcp:127.0.0.1:7000   for lines alone

Of --web and --lines only those are served that are given, and both if none is. The first line that a line client sends is
its name; /help says what else there is.

What is said is told to others, and acknowledged, once it is kept: with --history it then survives a kill and a loss of power \
(SQLite's WAL with synchronous=FULL), as far as the disk keeps its word. A page sends again what was not acknowledged. A script \
that sends lines waits for the goodbye after /quit, or sees its own lines come back after /echo on. One chat at a time has a \
file; others may read it meanwhile.

Names belong to who is here, and to nobody who left; one that looks like another's is refused.

Limits: names of 32 characters, messages of 16 KiB, 200 rooms, 10000 people; 10000 messages are kept of a room, and 32 MiB of \
all rooms. An address that sends more than 2000 messages a second is read more slowly, and told so; it opens 20 rooms, and then \
one every 30 s. Who does not read is cut off, and the page comes back by itself."
)]
pub(crate) struct Options {
    /// Where line clients such as nc connect, as with --lines
    #[arg(value_name = "ENDPOINT")]
    endpoints: Vec<String>,
    /// Where browsers connect [default: tcp:127.0.0.1:8080]
    #[arg(long, value_name = "ENDPOINT", num_args = 1..)]
    web: Vec<String>,
    /// Where line clients such as nc connect [default: tcp:127.0.0.1:8001]
    #[arg(long, value_name = "ENDPOINT", num_args = 1..)]
    lines: Vec<String>,
    /// Keep what is said in this file, an SQLite database, which is made if there is none; else it is kept in memory
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
}

/// Opens the rooms.
pub(crate) fn start(options: Options, setup: &mut Setup) -> Result<(), Failure> {
    let (web, lines) = options.ports();
    let first_for_lines = web.len();
    let hall = match options.history {
        None => Hall::in_memory(),
        Some(path) => History::add(path, setup)?,
    };
    if !web.is_empty() {
        setup.say_of_ports(web::url);
        setup.listen_with(web, limits(), page::site(hall.clone()))?;
        setup.say_of_ports(|_| None);
    }
    if !lines.is_empty() {
        let guests = hall.clone();
        setup.listen_with(lines, limits(), move || LineGuest::new(guests.clone()))?;
    }
    setup.hint(move |ports| hint(ports.get(first_for_lines)));
    setup
        .reactor()
        .add_trigger(Phase::BeforeShutdown, move |_| {
            hall.close("The chat is over. Goodbye.");
        });
    Ok(())
}

impl Options {
    /// Where to listen for browsers, and where for lines.
    fn ports(&self) -> (Vec<String>, Vec<String>) {
        let (web, lines) = (self.web.clone(), [&*self.endpoints, &*self.lines].concat());
        if web.is_empty() && lines.is_empty() {
            let defaults = ["tcp:127.0.0.1:8080", "tcp:127.0.0.1:8001"];
            let [web, lines] = defaults.map(|endpoint| vec![endpoint.to_owned()]);
            return (web, lines);
        }
        (web, lines)
    }
}

/// The history as a service: opens the hall when it is read, and is closed after everything that could say something.
struct History {
    path: Rc<PathBuf>,
    hall: Hall,
    open: Option<(Rc<Journal>, Lock)>,
}

impl History {
    fn add(path: PathBuf, setup: &mut Setup) -> Result<Hall, Failure> {
        if setup.sees_files() {
            Journal::check(&path).map_err(|failure| explain(&path, &failure))?;
        }
        let hall = Hall::closed();
        let history = Self {
            path: Rc::new(path),
            hall: hall.clone(),
            open: None,
        };
        setup.add("history", history)?;
        Ok(hall)
    }

    fn open(&mut self, handle: &Handle) -> Result<Rc<Journal>, Failure> {
        let lock = Lock::take(&self.path)?;
        let journal = Rc::new(Journal::new(handle, &self.path));
        self.open = Some((Rc::clone(&journal), lock));
        Ok(journal)
    }
}

impl Service for History {
    fn start(&mut self, handle: &Handle) -> Deferred<()> {
        let (hall, path) = (self.hall.clone(), Rc::clone(&self.path));
        match self.open(handle) {
            Err(failure) => Deferred::fail(handle, explain(&path, &failure)),
            Ok(journal) => journal.load().add_both(move |kept| {
                let kept = kept.map_err(|failure| explain(&path, &failure))?;
                hall.open(journal, kept);
                Ok(())
            }),
        }
    }

    /// What was said is kept first.
    fn stop(&mut self, handle: &Handle) -> Deferred<()> {
        let Some((journal, lock)) = self.open.take() else {
            return Deferred::succeed(handle, ());
        };
        let settled = self.hall.settled(handle);
        let closed = settled.add_both(move |_| journal.close());
        closed.add_both(move |closed| {
            drop(lock);
            closed
        })
    }
}

fn explain(path: &Path, failure: &Failure) -> Failure {
    const REMEDIES: [(&str, &str); 7] = [
        (
            "malformed",
            "nothing was changed: `sqlite3 FILE .recover` writes down what can still be read",
        ),
        (
            "is locked",
            "another program writes to it; stop that, or name another file",
        ),
        ("not a database", "name another file"),
        ("unable to open", "the chat must be able to read it"),
        (
            "Permission denied",
            "the chat must be able to write it and to make files in its folder",
        ),
        (
            "readonly database",
            "the chat must be able to make files in its folder, too",
        ),
        ("is full", "make room, or name a file elsewhere"),
    ];
    let problem = failure.to_string();
    let remedy = REMEDIES.iter().find(|(sign, _)| problem.contains(sign));
    let remedy = remedy.map_or(String::new(), |(_, remedy)| format!("; {remedy}"));
    Failure::message(format!("--history {path:?}: {problem}{remedy}"))
}

/// A guest for which more than this waits is dropped.
fn limits() -> Limits {
    Limits {
        high_water_bytes: SLOW_BYTES,
        ..Limits::default()
    }
}

/// Tells a person what to do next; programs read stdout.
fn hint(lines: Option<&ListeningPort>) -> Option<String> {
    let address = lines?.host().socket()?;
    let (ip, port) = (address.ip().to_canonical(), address.port());
    let ip = match (ip.is_unspecified(), ip.is_ipv4()) {
        (false, _) => ip.to_string(),
        (true, true) => "127.0.0.1".to_owned(),
        (true, false) => "::1".to_owned(),
    };
    Some(format!(
        "join in another terminal with: nc {ip} {port}    (stop the chat with Ctrl-C)"
    ))
}
