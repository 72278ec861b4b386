//! What browsers and the chat say to each other: JSON, an object per WebSocket text message, told apart by `type`.
//!
//! ```text
//!   browser                                          chat
//!     hello {name, token}                   ─►
//!                                           ◄─  welcome {name}           or refused {what: "name", why, again}
//!                                           ◄─  rooms {all, rooms, gone}          again whenever something changed
//!     join {room, id?, seen?}               ─►
//!                                           ◄─  room {room, id, here, people, last}   or refused {what: "room", why}
//!                                           ◄─  history {room, messages, more, earlier, gap}
//!     more {seen}          while `more`     ─►
//!                                           ◄─  history …
//!     say {room, key, text}                 ─►
//!                                           ◄─  message {room, seq, key?, name, text, at}    to all who are in the room
//!                                           ◄─  ack {room, key, seq}     or refused {what: "message", key, why, again}
//!                                           ◄─  slow {}       once a minute, while so much is said that it is read slowly
//!     typing {}                             ─►
//!                                           ◄─  typing {room, name}, joined {room, name}, left {room, name}
//!     earlier {before}                      ─►
//!                                           ◄─  history {messages: those before}
//!     ping {}          when nothing comes   ─►
//!                                           ◄─  pong {}
//! ```
//!
//! # Nothing lost, nothing doubled
//!
//! - The messages of a room are numbered 1, 2, 3 … (`seq`), without gaps, and arrive in that order. After a lost connection the
//!   browser says the last that it has (`seen`) and whose numbers those are (`id`), and gets all that came since, in pieces, before
//!   anything new. `gap` says that the history no longer reaches back so far. With another `id` the numbers begin anew.
//! - A message is numbered, shown and acknowledged (`ack`) once it is kept. What is not acknowledged is sent again with its
//!   `key`, which nobody else has thought of: 16 random bytes. A key that the room knows is acknowledged, and nothing else.
//! - Every `join` is answered by one `room` or `refused`, in order, so that who changes his mind knows which answers still hold.
//! - A browser is not told of the pings of WebSocket, so it asks itself whether the chat is still there.
//! - Who comes back with the same `token` takes its name back, from its own lost connection too: that is closed with 4001.

use serde::{Deserialize, Serialize};

use super::hall::Message;

/// What a browser says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Asked {
    Hello {
        name: String,
        token: String,
    },
    Join {
        room: String,
        id: Option<String>,
        seen: Option<u64>,
    },
    More {
        seen: u64,
    },
    Earlier {
        before: u64,
    },
    Say {
        room: String,
        key: String,
        text: String,
    },
    Typing {},
    Ping {},
}

/// What a browser is told.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Told<'a> {
    Welcome {
        name: &'a str,
    },
    Refused {
        what: What,
        why: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<&'a str>,
        /// Whether the same may be granted a little later.
        again: bool,
    },
    Rooms {
        /// Whether these are all; else they are what changed.
        all: bool,
        rooms: Vec<RoomTold<'a>>,
        gone: Vec<&'a str>,
    },
    Room {
        room: &'a str,
        id: &'a str,
        /// The first of them; `people` is how many they are.
        here: Vec<&'a str>,
        people: usize,
        last: u64,
    },
    History {
        room: &'a str,
        messages: Vec<&'a Message>,
        /// Whether there are later ones, to be asked for with `more`.
        more: bool,
        /// Whether there are ones before, to be asked for with `earlier`.
        earlier: bool,
        /// Whether some before these are lost for whoever asked.
        gap: bool,
    },
    Message {
        room: &'a str,
        #[serde(flatten)]
        message: &'a Message,
    },
    Ack {
        room: &'a str,
        key: &'a str,
        seq: u64,
    },
    Joined {
        room: &'a str,
        name: &'a str,
    },
    Left {
        room: &'a str,
        name: &'a str,
    },
    Typing {
        room: &'a str,
        name: &'a str,
    },
    /// More comes than is passed on: it is read more slowly.
    Slow {},
    Pong {},
}

/// What was refused.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum What {
    Name,
    Room,
    Message,
}

/// A room among others.
#[derive(Debug, Serialize)]
pub(crate) struct RoomTold<'a> {
    pub(crate) name: &'a str,
    pub(crate) people: usize,
    pub(crate) last: u64,
}

impl Told<'_> {
    /// As it is sent.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("no map has keys that are no text")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_say_is_understood_and_nothing_else() {
        let asked = |text: &str| serde_json::from_str::<Asked>(text);
        let said = asked(r#"{"type":"say","room":"lobby","key":"k","text":"hi"}"#).unwrap();
        assert!(matches!(said, Asked::Say { text, .. } if text == "hi"));
        let join = asked(r#"{"type":"join","room":"lobby"}"#).unwrap();
        assert!(matches!(join, Asked::Join { seen: None, .. }));
        for wrong in ["", "{}", r#"{"type":"shout"}"#, r#"{"type":"more"}"#, "[1"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_told_is_one_flat_object() {
        let message = Message {
            seq: 7,
            key: None,
            name: "Ann".into(),
            text: "\"hi\"".into(),
            at: 5,
        };
        let told = Told::Message {
            room: "lobby",
            message: &message,
        };
        let text =
            r#"{"type":"message","room":"lobby","seq":7,"name":"Ann","text":"\"hi\"","at":5}"#;
        assert_eq!(told.text(), text);
    }
}
