//! The room for line clients: `nc`, telnet, anything that sends lines.
//!
//! ```text
//!   bytes ─► lines (LF or CRLF) ─► name? ─► command or talk ─► Room ─► the others' transports
//!                 │ too long: refused, skipped    │ too much: not read for a while
//! ```
//!
//! A guest who does not read is dropped once [`SLOW_BYTES`] wait for it; the others notice nothing of that.

use std::time::Duration;

use ropewalk::grammar::LineGrammar;
use ropewalk::protocols::{Delimiter, LineError, LineProtocol, LineReceiver, Lines};
use ropewalk::timer::DelayedCall;
use ropewalk::{Bytes, Reason, Transport};

use super::budget::Budget;
use super::room::{Guest, Room, Seat};
use super::text::{Name, printable};

/// So much may wait for a guest, beyond what the kernel buffers: the high-water mark of its connection.
pub(crate) const SLOW_BYTES: usize = 256 * 1024;

/// How long a client may take to say its name. Stops those who connect only to hold a connection.
const NAMING_TIME: Duration = Duration::from_secs(120);

/// How many lines that are no name are answered. Stops those who do not talk to us at all.
const NAMING_TRIES: u32 = 10;

const WELCOME: &str = "Welcome to the chat. What is your name?\n";

const HELP: &str = "\
Every line that you send goes to all others, except:
  /who   lists who is here
  /quit  leaves
  /help  shows this
A line that begins with // is sent with one slash.
";

/// One connection.
pub(crate) struct LineGuest {
    room: Room,
    /// There once the name is known.
    guest: Option<Guest>,
    naming: Option<DelayedCall>,
    tries: u32,
    budget: Budget,
}

struct LineSeat(Transport);

impl Seat for LineSeat {
    fn hear(&self, line: &Bytes) {
        self.0.write_owned(line.clone());
    }
}

impl LineProtocol for LineGuest {
    fn connection_made(&mut self, lines: &Lines) {
        lines.write(WELCOME);
        self.naming = Some(lines.call_later(NAMING_TIME, |this: &mut Self, lines| {
            this.give_up_naming(lines, "You did not say your name. Goodbye.\n");
        }));
    }

    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        self.hear(lines, line.strip_suffix(b"\r").unwrap_or(line));
    }

    /// Skips the line, up to its end, in raw mode.
    fn line_length_exceeded(&mut self, lines: &Lines, error: LineError, _rest: &[u8]) {
        tracing::info!(peer = %lines.peer(), %error, "refused a line");
        let limit = LineGrammar::DEFAULT_LIMIT_BYTES;
        lines.write(format!(
            "That line has more than {limit} bytes; nobody got it.\n"
        ));
        lines.set_raw_mode();
    }

    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        self.pay(lines, data.len(), 1);
        if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            lines.set_line_mode(data.len() - end - 1);
        }
    }

    /// More waits than [`SLOW_BYTES`], after the kernel took what it would.
    fn writing_paused(&mut self, lines: &Lines) {
        let (unsent_bytes, peer) = (lines.unsent_bytes(), lines.peer());
        if let Some(guest) = self.guest.take() {
            tracing::warn!(name = %guest.name(), %peer, unsent_bytes, "dropped a guest that does not read");
            guest.leave("was dropped: it did not read");
        } else {
            tracing::warn!(%peer, unsent_bytes, "dropped a client that does not read");
        }
        lines.abort_connection();
    }

    fn connection_lost(&mut self, lines: &Lines, reason: &Reason) {
        self.end_naming();
        if let Some(guest) = self.guest.take() {
            tracing::info!(name = %guest.name(), peer = %lines.peer(), %reason, "left");
            guest.leave("left");
        }
    }
}

impl LineGuest {
    /// A client that is not in the room yet.
    pub(crate) fn new(room: Room) -> LineReceiver<Self> {
        let guest = Self {
            room,
            guest: None,
            naming: None,
            tries: 0,
            budget: Budget::default(),
        };
        LineReceiver::new(guest).with_delimiter(Delimiter::LF)
    }

    fn hear(&mut self, lines: &Lines, line: &[u8]) {
        let (bytes, listeners) = match (line, &self.guest) {
            ([b'/', b'/', ..], Some(guest)) => {
                (guest.say(&printable(&line[1..])), self.room.count())
            }
            ([b'/', command @ ..], _) => (self.obey(lines, command), 1),
            (line, None) => (self.introduce(lines, line), self.room.count()),
            (line, Some(_)) if line.trim_ascii().is_empty() => (0, 1),
            (line, Some(guest)) => (guest.say(&printable(line)), self.room.count()),
        };
        self.pay(lines, bytes, listeners);
    }

    /// Answers a command; returns how many bytes the answer has.
    fn obey(&mut self, lines: &Lines, command: &[u8]) -> usize {
        let answer = match command.trim_ascii().to_ascii_lowercase().as_slice() {
            b"who" => self.room.who() + "\n",
            b"help" => HELP.to_owned(),
            b"quit" => {
                lines.write("Goodbye.\n");
                lines.lose_connection();
                return 0;
            }
            unknown => {
                let shown: String = printable(unknown).chars().take(20).collect();
                format!("There is no command /{shown}; /help lists what there is.\n")
            }
        };
        lines.write(&answer);
        answer.len()
    }

    /// Takes a line as the name; asks again if that cannot be. Returns how many bytes that costs.
    fn introduce(&mut self, lines: &Lines, line: &[u8]) -> usize {
        let problem = match Name::parse(line) {
            Err(problem) => problem.to_string(),
            Ok(name) => match self
                .room
                .enter(name.clone(), LineSeat(Transport::clone(lines)))
            {
                Err(_) => format!("Somebody here is called {name} already."),
                Ok(guest) => {
                    tracing::info!(%name, peer = %lines.peer(), "joined");
                    self.guest = Some(guest);
                    self.end_naming();
                    let count = self.room.count();
                    lines.write(format!(
                        "You are in: {count} here. /help says what you can do.\n"
                    ));
                    return line.len();
                }
            },
        };
        self.tries += 1;
        if self.tries < NAMING_TRIES {
            lines.write(format!("{problem} What is your name?\n"));
        } else {
            self.give_up_naming(lines, "That is no name either. Goodbye.\n");
        }
        line.len()
    }

    fn give_up_naming(&mut self, lines: &Lines, goodbye: &str) {
        tracing::info!(peer = %lines.peer(), "sent away a client without a name");
        self.end_naming();
        lines.write(goodbye);
        lines.lose_connection();
    }

    fn end_naming(&mut self) {
        if let Some(naming) = self.naming.take() {
            let _it_may_have_run = naming.cancel();
        }
    }

    /// Reads on only when the budget allows it.
    fn pay(&mut self, lines: &Lines, bytes: usize, listeners: usize) {
        let now = lines.reactor().now();
        if let Some(wait) = self.budget.spend(bytes, listeners, now) {
            lines.pause_reading();
            lines.call_later(wait, |_: &mut Self, lines| lines.resume_reading());
        }
    }
}
