//! The rooms for line clients: `nc`, telnet, anything that sends lines.
//!
//! ```text
//!   bytes ─► lines (LF or CRLF) ─► name? ─► command or talk ─► Hall ─► the others' seats
//!                 │ too long: refused, skipped    │ too much: not read for a while
//! ```
//!
//! Nobody can say something that looks like the chat's own words: those begin with `*`, what was said before with `|`, and all
//! else is `NAME: TEXT`, where no name has such a sign in it.
//!
//! A guest who does not read is dropped once [`SLOW_BYTES`] wait for it; the others notice nothing of that.

mod command;

use std::rc::Rc;
use std::time::Duration;

use ropewalk::protocols::{Delimiter, LineError, LineProtocol, LineReceiver, Lines};
use ropewalk::timer::DelayedCall;
use ropewalk::{Bytes, Failure, Reason, Transport};

use super::budget::Budget;
use super::hall::{Ear, Guest, Hall, LOBBY, Seat, TEXT_BYTES};
use super::text::{Name, printable, without_telnet};

/// So much may wait for a guest, beyond what the kernel buffers: the high-water mark of its connection.
pub(crate) const SLOW_BYTES: usize = 256 * 1024;

/// How long a client may take to say its name. Stops those who connect only to hold a connection.
const NAMING_TIME: Duration = Duration::from_secs(120);

/// When the chat stops, lines that are on the way are heard until none came for so long; but for so many such times at most, so
/// that nobody can talk on for ever.
const LAST_WORDS: Duration = Duration::from_millis(100);
const MOST_LAST_WORDS: u32 = 20;

/// Who has not read all by then, after the stop began, is cut off. Stops who does not read from keeping the chat for long.
const PARTING_TIME: Duration = Duration::from_secs(3);

/// How many lines that are no name are answered. Stops those who do not talk to us at all.
const NAMING_TRIES: u32 = 10;

const SLOW: &str = "You send more than the chat passes on at once. It is read more slowly for a while; nothing is lost.";

const WELCOME: &str = "Welcome to the chat. What is your name?";

/// One connection.
pub(crate) struct LineGuest {
    hall: Hall,
    /// There once the name is known.
    guest: Option<Guest>,
    naming: Option<DelayedCall>,
    tries: u32,
    /// Whether a line came lately.
    has_heard: bool,
    is_leaving: bool,
    budget: Budget,
}

struct LineSeat(Transport);

impl Ear for LineSeat {
    fn hear(&self, line: &Bytes) {
        self.0.write_owned(line.clone());
    }
}

impl LineProtocol for LineGuest {
    fn connection_made(&mut self, lines: &Lines) {
        lines.write(own(WELCOME));
        self.naming = Some(lines.call_later(NAMING_TIME, |this: &mut Self, lines| {
            this.give_up_naming(lines, "You did not say your name. Goodbye.");
        }));
        self.rest(lines, None);
    }

    fn line_received(&mut self, lines: &Lines, line: &[u8]) {
        self.has_heard = true;
        if !self.is_leaving {
            let line = without_telnet(line);
            self.hear(lines, line.strip_suffix(b"\r").unwrap_or(&line));
        }
    }

    /// Skips the line, up to its end, in raw mode.
    fn line_length_exceeded(&mut self, lines: &Lines, error: LineError, _rest: &[u8]) {
        tracing::info!(peer = %lines.peer(), %error, "refused a line");
        let refusal = format!("That line has more than {TEXT_BYTES} bytes; nobody got it.");
        lines.write(own(&refusal));
        lines.set_raw_mode();
    }

    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        self.pay(lines, data.len(), 1);
        if let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            lines.set_line_mode(data.len() - end - 1);
        }
    }

    fn eof_received(&mut self, lines: &Lines) {
        self.leave(lines, String::new());
    }

    /// Everybody was told already. What was sent before is still heard.
    fn shutting_down(&mut self, lines: &Lines) {
        self.has_heard = true;
        self.hear_last_words(lines, MOST_LAST_WORDS);
        lines.call_later(PARTING_TIME, |_: &mut Self, lines| lines.abort_connection());
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
    /// A client that is not in the hall yet.
    pub(crate) fn new(hall: Hall) -> LineReceiver<Self> {
        let guest = Self {
            hall,
            guest: None,
            naming: None,
            tries: 0,
            has_heard: false,
            is_leaving: false,
            budget: Budget::default(),
        };
        LineReceiver::new(guest)
            .with_delimiter(Delimiter::LF)
            .with_limit_bytes(TEXT_BYTES)
    }

    fn hear(&mut self, lines: &Lines, line: &[u8]) {
        let (bytes, listeners) = match (line, &self.guest) {
            ([b'/', b'/', ..], Some(guest)) => self.say(guest, &line[1..]),
            ([b'/', command @ ..], _) => self.obey(lines, command),
            (line, None) => (self.introduce(lines, line), self.hall.count(LOBBY)),
            (line, Some(_)) if line.trim_ascii().is_empty() => (0, 1),
            (line, Some(guest)) => self.say(guest, line),
        };
        self.pay(lines, bytes, listeners);
    }

    /// Says a line to all others in the room; gives how many bytes they are, and how many hear it.
    fn say(&self, guest: &Guest, line: &[u8]) -> (usize, usize) {
        let text = printable(line);
        let bytes = text.len();
        guest.say(text);
        (bytes, self.hall.count(&self.room()))
    }

    /// The room where it is, folded; the first one for who is in none yet.
    fn room(&self) -> String {
        let room = self.guest.as_ref().and_then(Guest::room);
        room.unwrap_or_else(|| LOBBY.to_owned())
    }

    fn hear_last_words(&mut self, lines: &Lines, left: u32) {
        let goes_on = std::mem::take(&mut self.has_heard) || lines.is_reading_paused();
        match left.checked_sub(1).filter(|_| goes_on) {
            None => self.leave(lines, String::new()),
            Some(left) => drop(lines.call_later(LAST_WORDS, move |this: &mut Self, lines| {
                this.hear_last_words(lines, left);
            })),
        }
    }

    /// Ends the connection once all that was said is kept, with this goodbye: who hears it need not ask whether it was.
    fn leave(&mut self, lines: &Lines, goodbye: String) {
        self.is_leaving = true;
        lines.pause_reading();
        let settled = self.hall.settled(lines.reactor());
        lines.when(settled, |_: &mut Self, lines, _: Result<(), Failure>| {
            lines.write(goodbye);
            lines.lose_connection();
        });
    }

    /// Takes a line as the name; asks again if that cannot be. Returns how many bytes that costs.
    fn introduce(&mut self, lines: &Lines, line: &[u8]) -> usize {
        let entered = Name::parse(line)
            .map_err(|problem| problem.to_string())
            .and_then(|name| self.enter(lines, name));
        let problem = match entered {
            Err(problem) => problem,
            Ok(guest) => {
                tracing::info!(name = %guest.name(), peer = %lines.peer(), "joined");
                self.guest = Some(guest);
                self.end_naming();
                let count = self.hall.count(LOBBY);
                let welcome = format!("You are in: {count} here. /help says what you can do.");
                lines.write(own(&welcome) + &self.recent(LOBBY));
                return line.len();
            }
        };
        self.tries += 1;
        if self.tries < NAMING_TRIES {
            lines.write(own(&format!("{problem} What is your name?")));
        } else {
            self.give_up_naming(lines, "That is no name either. Goodbye.");
        }
        line.len()
    }

    fn enter(&self, lines: &Lines, name: Name) -> Result<Guest, String> {
        let seat = Seat::Lines(Rc::new(LineSeat(Transport::clone(lines))));
        let (reactor, peer) = (lines.reactor(), lines.peer());
        let entered = self.hall.enter(reactor, peer, name, None, seat);
        let guest = entered.map_err(|problem| problem.to_string())?;
        let lobby = Name::parse(LOBBY.as_bytes()).map_err(|problem| problem.to_string())?;
        let joined = guest.join(&lobby);
        joined.map_err(|problem| problem.to_string())?;
        Ok(guest)
    }

    fn give_up_naming(&mut self, lines: &Lines, goodbye: &str) {
        tracing::info!(peer = %lines.peer(), "sent away a client without a name");
        self.end_naming();
        lines.write(own(goodbye));
        lines.lose_connection();
    }

    fn end_naming(&mut self) {
        if let Some(naming) = self.naming.take() {
            let _it_may_have_run = naming.cancel();
        }
    }

    fn pay(&mut self, lines: &Lines, bytes: usize, listeners: usize) {
        let now = lines.reactor().now();
        let wait = self.budget.spend(bytes, listeners, now);
        let guest = self.guest.as_ref();
        let too_fast = guest.and_then(|guest| self.hall.too_fast(guest.peer(), now));
        if self.budget.should_tell(wait, too_fast.is_some(), now) {
            lines.write(own(SLOW));
        }
        self.rest(lines, wait.max(too_fast));
    }

    /// Reads on after so long, and when the hall allows it.
    fn rest(&mut self, lines: &Lines, wait: Option<Duration>) {
        if let Some(wait) = wait {
            lines.pause_reading();
            lines.call_later(wait, |this: &mut Self, lines| this.go_on(lines));
        } else if let Some(calm) = self.hall.busy(lines.reactor()) {
            lines.pause_reading();
            lines.when(calm, |this: &mut Self, lines, _: Result<(), Failure>| {
                this.go_on(lines);
            });
        }
    }

    fn go_on(&mut self, lines: &Lines) {
        if self.is_leaving {
            return;
        }
        match self.hall.busy(lines.reactor()) {
            None => lines.resume_reading(),
            Some(calm) => lines.when(calm, |this: &mut Self, lines, _: Result<(), Failure>| {
                this.go_on(lines);
            }),
        }
    }
}

/// What the chat itself says.
fn own(text: &str) -> String {
    text.lines().map(|line| format!("* {line}\n")).collect()
}
