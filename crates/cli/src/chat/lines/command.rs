//! What a line client can ask for, with a line that begins with a slash.

use ropewalk::protocols::Lines;

use super::super::hall::Message;
use super::super::text::{Name, printable};
use super::{LineGuest, own};

/// So much of what was said before is shown to who joins; less than may wait for a guest.
const RECENT_MESSAGES: usize = 20;
const RECENT_BYTES: usize = 32 * 1024;

const HELP: &str = "\
Every line that you send goes to all others in your room, except:
  /who        lists who is here
  /rooms      lists the rooms
  /join ROOM  goes to a room, or makes it
  /history    shows what was said here lately
  /echo on    shows you your own lines, too, once they are kept; or off
  /quit       leaves, once what you said is kept
  /help       shows this
A line that begins with // is sent with one slash.
What begins with * is from the chat, and with | was said before, at that time in UTC. All else is NAME: TEXT.";

impl LineGuest {
    /// Answers a command; gives how many bytes the answer has, and how many hear of it.
    pub(super) fn obey(&mut self, lines: &Lines, command: &[u8]) -> (usize, usize) {
        let end = command.iter().position(u8::is_ascii_whitespace);
        let (word, rest) = command.split_at(end.unwrap_or(command.len()));
        let answer = match (word.to_ascii_lowercase().as_slice(), rest.trim_ascii()) {
            (b"who", b"") => own(&self.hall.who(&self.room())),
            (b"rooms", b"") => own(&self.hall.rooms()),
            (b"history", b"") => self.recent(&self.room()),
            (b"help", b"") => own(HELP),
            (b"echo", b"on") => self.set_echo(true),
            (b"echo", b"off") => self.set_echo(false),
            (b"join", room) => {
                let (answer, listeners) = self.join(room);
                lines.write(&answer);
                return (answer.len(), listeners);
            }
            (b"quit", b"") => {
                self.leave(lines, own("Goodbye."));
                return (0, 1);
            }
            _ => {
                let shown: String = printable(command.trim_ascii()).chars().take(20).collect();
                own(&format!(
                    "There is no command /{shown}; /help lists what there is."
                ))
            }
        };
        lines.write(&answer);
        (answer.len(), 1)
    }

    fn set_echo(&self, echo: bool) -> String {
        let Some(guest) = &self.guest else {
            return own("Say your name first.");
        };
        guest.set_echo(echo);
        own(match echo {
            true => "You see your own lines, too, once they are kept.",
            false => "You see what others say.",
        })
    }

    /// Goes to another room; gives what to answer, and how many hear of it.
    fn join(&self, room: &[u8]) -> (String, usize) {
        let Some(guest) = &self.guest else {
            return (own("Say your name first."), 1);
        };
        let room = match Name::parse(room.strip_prefix(b"#").unwrap_or(room)) {
            Err(problem) => return (own(&format!("{problem} That is true of rooms, too.")), 1),
            Ok(room) => room,
        };
        match guest.join(&room) {
            Err(problem) => (own(&problem.to_string()), 1),
            Ok(listeners) => {
                let room = room.folded();
                let here = self.hall.who(&room);
                let name = self.hall.look(&room, |room| room.name.to_string());
                let joined = format!("You are in {}. {here}", name.unwrap_or(room.clone()));
                (own(&joined) + &self.recent(&room), listeners)
            }
        }
    }

    /// What was said lately, marked so that nobody takes it for new.
    pub(super) fn recent(&self, room: &str) -> String {
        let recent = self.hall.look(room, |room| {
            let few = room.newest_few(RECENT_MESSAGES, RECENT_BYTES);
            few.map(earlier).collect()
        });
        recent.unwrap_or_default()
    }
}

/// A line of the past, with the time of day in UTC.
fn earlier(message: &Message) -> String {
    let minute = message.at / 60_000 % (24 * 60);
    let (hour, minute) = (minute / 60, minute % 60);
    format!(
        "| {hour:02}:{minute:02} {}: {}\n",
        message.name, message.text
    )
}
