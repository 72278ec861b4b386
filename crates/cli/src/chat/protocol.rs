//! The room for line clients: `nc`, telnet, anything that sends lines.
//!
//! ```text
//!   bytes ─► lines (LF or CRLF) ─► name? ─► command or talk ─► Room ─► the others' transports
//!                 │ too long: refused, skipped    │ too much: not read for a while
//! ```
//!
//! A guest who does not read is dropped once [`SLOW_BYTES`] wait for it; the others notice nothing of that.

use std::time::Duration;

use ropewalk::grammar::{Delimiter, Framing, LineEvent, LineGrammar};
use ropewalk::timer::DelayedCall;
use ropewalk::{Bytes, Protocol, Reason, Transport};

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
    lines: LineGrammar,
    talk: Talk,
}

/// What is made of the lines.
struct Talk {
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

impl LineGuest {
    /// A client that is not in the room yet.
    pub(crate) fn new(room: Room) -> Self {
        let lines = LineGrammar::new().with_delimiter(Delimiter::LF);
        let talk = Talk {
            room,
            guest: None,
            naming: None,
            tries: 0,
            budget: Budget::default(),
        };
        Self { lines, talk }
    }

    /// Takes lines until there is none, or reading is paused; then the rest waits in the grammar.
    fn read(&mut self, transport: &Transport, data: &[u8]) {
        let mut input = self.lines.receive(data);
        while transport.wants_data() {
            match input.next_event() {
                None => return,
                Some(Ok(LineEvent::Line(line))) => {
                    self.talk
                        .hear(transport, line.strip_suffix(b"\r").unwrap_or(line));
                }
                // In raw mode we skip a line that was refused, up to its end.
                Some(Ok(LineEvent::Raw(skipped))) => {
                    self.talk.pay(transport, skipped.len(), 1);
                    if let Some(end) = skipped.iter().position(|byte| *byte == b'\n') {
                        let unread = skipped.len() - end - 1;
                        input.set_line(unread);
                    }
                }
                Some(Err(too_long)) => {
                    input.set_raw();
                    tracing::info!(peer = %transport.peer(), %too_long, "refused a line");
                    let limit = LineGrammar::DEFAULT_LIMIT_BYTES;
                    transport.write(format!(
                        "That line has more than {limit} bytes; nobody got it.\n"
                    ));
                }
            }
        }
    }
}

impl Protocol for LineGuest {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(WELCOME);
        self.talk.naming = Some(
            transport.call_later(NAMING_TIME, |this: &mut Self, transport| {
                this.talk
                    .give_up_naming(transport, "You did not say your name. Goodbye.\n");
            }),
        );
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.read(transport, data);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.read(transport, &[]);
    }

    /// More waits than [`SLOW_BYTES`], after the kernel took what it would.
    fn writing_paused(&mut self, transport: &Transport) {
        let unsent_bytes = transport.unsent_bytes();
        let peer = transport.peer();
        if let Some(guest) = self.talk.guest.take() {
            tracing::warn!(name = %guest.name(), %peer, unsent_bytes, "dropped a guest that does not read");
            guest.leave("was dropped: it did not read");
        } else {
            tracing::warn!(%peer, unsent_bytes, "dropped a client that does not read");
        }
        transport.abort_connection();
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.talk.end_naming();
        if let Some(guest) = self.talk.guest.take() {
            tracing::info!(name = %guest.name(), peer = %transport.peer(), %reason, "left");
            guest.leave("left");
        }
    }
}

impl Talk {
    fn hear(&mut self, transport: &Transport, line: &[u8]) {
        let (bytes, listeners) = match (line, &self.guest) {
            ([b'/', b'/', ..], Some(guest)) => {
                (guest.say(&printable(&line[1..])), self.room.count())
            }
            ([b'/', command @ ..], _) => (self.obey(transport, command), 1),
            (line, None) => (self.introduce(transport, line), self.room.count()),
            (line, Some(_)) if line.trim_ascii().is_empty() => (0, 1),
            (line, Some(guest)) => (guest.say(&printable(line)), self.room.count()),
        };
        self.pay(transport, bytes, listeners);
    }

    /// Answers a command; returns how many bytes the answer has.
    fn obey(&mut self, transport: &Transport, command: &[u8]) -> usize {
        let answer = match command.trim_ascii().to_ascii_lowercase().as_slice() {
            b"who" => self.room.who() + "\n",
            b"help" => HELP.to_owned(),
            b"quit" => {
                transport.write("Goodbye.\n");
                transport.lose_connection();
                return 0;
            }
            unknown => {
                let shown: String = printable(unknown).chars().take(20).collect();
                format!("There is no command /{shown}; /help lists what there is.\n")
            }
        };
        transport.write(&answer);
        answer.len()
    }

    /// Takes a line as the name; asks again if that cannot be. Returns how many bytes that costs.
    fn introduce(&mut self, transport: &Transport, line: &[u8]) -> usize {
        let problem = match Name::parse(line) {
            Err(problem) => problem.to_string(),
            Ok(name) => match self.room.enter(name.clone(), LineSeat(transport.clone())) {
                Err(_) => format!("Somebody here is called {name} already."),
                Ok(guest) => {
                    tracing::info!(%name, peer = %transport.peer(), "joined");
                    self.guest = Some(guest);
                    self.end_naming();
                    let count = self.room.count();
                    transport.write(format!(
                        "You are in: {count} here. /help says what you can do.\n"
                    ));
                    return line.len();
                }
            },
        };
        self.tries += 1;
        if self.tries < NAMING_TRIES {
            transport.write(format!("{problem} What is your name?\n"));
        } else {
            self.give_up_naming(transport, "That is no name either. Goodbye.\n");
        }
        line.len()
    }

    fn give_up_naming(&mut self, transport: &Transport, goodbye: &str) {
        tracing::info!(peer = %transport.peer(), "sent away a client without a name");
        self.end_naming();
        transport.write(goodbye);
        transport.lose_connection();
    }

    fn end_naming(&mut self) {
        if let Some(naming) = self.naming.take() {
            let _it_may_have_run = naming.cancel();
        }
    }

    /// Reads on only when the budget allows it.
    fn pay(&mut self, transport: &Transport, bytes: usize, listeners: usize) {
        let now = transport.reactor().now();
        if let Some(wait) = self.budget.spend(bytes, listeners, now) {
            transport.pause_reading();
            transport.call_later(wait, |_: &mut LineGuest, transport| {
                transport.resume_reading()
            });
        }
    }
}
