//! The rooms for browsers: a WebSocket on which [`wire`](super::wire) is spoken.

use std::cell::Cell;
use std::time::Duration;

use ropewalk::Failure;
use ropewalk::web::websocket::{
    CloseCode, Ending, Opening, SlowPeer, WebSocket, WebSocketOptions, WebSocketProtocol,
    WebSocketServer,
};

use super::budget::Budget;
use super::hall::{Guest, Hall, MOST_NAMES, Piece, Room, Seat, TEXT_BYTES};
use super::text::{Name, printable};
use super::wire::{Asked, Told, What};

/// The longest message: the longest text, every byte of it escaped.
const LIMIT_BYTES: usize = 6 * TEXT_BYTES + 1024;

/// The longest key, and the longest token. Keys are kept.
const KEY_BYTES: usize = 64;

/// How long a browser may take to say hello. Stops those who connect only to hold a connection.
const HELLO_TIME: Duration = Duration::from_secs(30);

/// How long a browser may take to answer a goodbye. One that sleeps answers none, and nothing is lost without: it says again what
/// was not acknowledged, and asks for what it did not see. So the chat is stopped as quickly.
const PARTING_TIME: Duration = Duration::from_secs(1);

/// One connection.
pub(crate) struct Browser {
    hall: Hall,
    /// There once the name is known.
    guest: Option<Guest>,
    budget: Budget,
    /// Bytes that it was told since it last paid: a short question has a long answer.
    told: Cell<usize>,
}

/// The server that browsers connect to.
pub(crate) fn server(hall: Hall) -> WebSocketServer<Browser> {
    let make = move |_: &Opening<'_>| Browser {
        hall: hall.clone(),
        guest: None,
        budget: Budget::default(),
        told: Cell::new(0),
    };
    WebSocketServer::new(make).with_options(WebSocketOptions {
        limit_bytes: LIMIT_BYTES,
        slow_peer: SlowPeer::Disconnect,
        close_timeout: PARTING_TIME,
        ..WebSocketOptions::default()
    })
}

impl WebSocketProtocol for Browser {
    fn opened(&mut self, socket: &WebSocket) {
        socket.call_later(HELLO_TIME, |this: &mut Self, socket| {
            if this.guest.is_none() {
                socket.close(CloseCode::POLICY, "nobody said hello");
            }
        });
        self.rest(socket, None);
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        let Ok(asked) = serde_json::from_str(text) else {
            return socket.close(CloseCode::POLICY, "that is not spoken here");
        };
        let listeners = self.obey(socket, asked);
        let now = socket.reactor().now();
        let to_others = self.budget.spend(text.len(), listeners, now);
        let too_fast = self.too_fast(now);
        if self.budget.should_tell(to_others, too_fast.is_some(), now) {
            socket.send_text(Told::Slow {}.text());
        }
        let to_him = self.budget.spend(self.told.take(), 1, now);
        self.rest(socket, to_others.max(to_him).max(too_fast));
    }

    fn connection_lost(&mut self, socket: &WebSocket, ending: &Ending<'_>) {
        let Some(guest) = self.guest.take() else {
            return;
        };
        tracing::info!(name = %guest.name(), peer = %socket.peer(), %ending, "a browser left");
        // A page that is closed says so; else it may be the network's fault, and it comes back.
        match ending.code() {
            1000 | 1001 => guest.leave("left"),
            _ => guest.cut_off(),
        }
    }
}

impl Browser {
    /// Does what is asked; tells how many hear of it.
    fn obey(&mut self, socket: &WebSocket, asked: Asked) -> usize {
        match (asked, &self.guest) {
            (Asked::Hello { name, token }, None) => self.greet(socket, &name, token),
            (Asked::Hello { .. }, Some(_)) => socket.close(CloseCode::POLICY, "you have a name"),
            (_, None) => socket.close(CloseCode::POLICY, "say hello first"),
            (Asked::Join { room, id, seen }, Some(guest)) => {
                return self.join(socket, guest, &room, id.zip(seen));
            }
            (Asked::More { seen }, Some(guest)) => self.go_on_from(socket, guest, seen),
            (Asked::Earlier { before }, Some(guest)) => {
                self.tell(socket, guest, |room| room.before(before));
            }
            (Asked::Say { room, key, text }, Some(guest)) => {
                return self.say(socket, guest, &room, key, &text);
            }
            (Asked::Typing {}, Some(guest)) => {
                guest.type_on();
                return guest.room().map_or(1, |room| self.hall.count(&room));
            }
            (Asked::Ping {}, Some(_)) => self.send(socket, &Told::Pong {}),
        }
        1
    }

    fn greet(&mut self, socket: &WebSocket, name: &str, token: String) {
        let (reactor, peer) = (socket.reactor(), socket.peer());
        if token.is_empty() || token.len() > KEY_BYTES {
            return socket.close(CloseCode::POLICY, "a token has 1 to 64 bytes");
        }
        let entered = match Name::parse(name.as_bytes()) {
            Err(problem) => Err((problem.to_string(), false)),
            Ok(name) => {
                let seat = Seat::Browser(socket.clone());
                let entered = self.hall.enter(reactor, peer, name, Some(token), seat);
                entered.map_err(|problem| (problem.to_string(), problem.may_pass()))
            }
        };
        match entered {
            Err((why, again)) => refuse(socket, What::Name, &why, None, again),
            Ok(guest) => {
                tracing::info!(name = %guest.name(), %peer, "a browser joined");
                let name = guest.name().as_str();
                socket.send_text(Told::Welcome { name }.text());
                self.hall.tell_rooms(socket);
                self.guest = Some(guest);
            }
        }
    }

    fn send(&self, socket: &WebSocket, told: &Told<'_>) {
        let text = told.text();
        self.told.update(|bytes| bytes + text.len());
        socket.send_text(text);
    }

    /// Goes to a room, and tells what was said there: since then, or lately. Gives how many hear of it.
    fn join(
        &self,
        socket: &WebSocket,
        guest: &Guest,
        room: &str,
        seen: Option<(String, u64)>,
    ) -> usize {
        let joined = Name::parse(room.as_bytes())
            .map_err(|problem| problem.to_string())
            .and_then(|room| guest.join(&room).map_err(|problem| problem.to_string()));
        let listeners = match joined {
            Ok(listeners) => listeners,
            Err(why) => {
                refuse(socket, What::Room, &why, None, false);
                return 1;
            }
        };
        let Some(room) = guest.room() else {
            return listeners;
        };
        guest.stop_listening(socket);
        let mut here = self.hall.here(&room, MOST_NAMES);
        here.sort_unstable();
        let seen = self.hall.look(&room, |room| {
            let told = Told::Room {
                room: room.name.as_str(),
                id: &room.id,
                here: here.iter().map(String::as_str).collect(),
                people: room.here.len(),
                last: room.last,
            };
            self.send(socket, &told);
            seen.filter(|(id, seen)| *id == room.id && *seen <= room.last)
        });
        match seen.flatten() {
            Some((_, seen)) => self.go_on_from(socket, guest, seen),
            None => {
                self.tell(socket, guest, |room| room.before(u64::MAX));
                guest.listen(socket);
            }
        }
        listeners
    }

    /// Tells what came after that; whoever has all hears what is new.
    fn go_on_from(&self, socket: &WebSocket, guest: &Guest, seen: u64) {
        if self.tell(socket, guest, |room| room.after(seen)) == Some(false) {
            guest.listen(socket);
        }
    }

    /// Tells a piece of the history; gives whether there are later ones.
    fn tell(
        &self,
        socket: &WebSocket,
        guest: &Guest,
        choose: impl FnOnce(&Room) -> Piece<'_>,
    ) -> Option<bool> {
        self.hall.look(&guest.room()?, |room| {
            let Piece {
                messages,
                more,
                earlier,
                gap,
            } = choose(room);
            let told = Told::History {
                room: room.name.as_str(),
                messages,
                more,
                earlier,
                gap,
            };
            self.send(socket, &told);
            more
        })
    }

    fn say(&self, socket: &WebSocket, guest: &Guest, room: &str, key: String, text: &str) -> usize {
        if key.is_empty() || key.len() > KEY_BYTES {
            socket.close(CloseCode::POLICY, "a key has 1 to 64 bytes");
            return 1;
        }
        let problem = match Name::parse(room.as_bytes()) {
            Err(problem) => problem.to_string(),
            Ok(_) if text.trim().is_empty() => "There is nothing in it.".to_owned(),
            Ok(_) if text.len() > TEXT_BYTES => {
                format!("It has more than {TEXT_BYTES} bytes; nobody got it.")
            }
            Ok(room) => {
                let text = printable(text.as_bytes());
                match guest.say_once(&room, key.clone(), text, socket) {
                    Ok(()) => return self.hall.count(&room.folded()),
                    Err(problem) => problem.to_string(),
                }
            }
        };
        refuse(socket, What::Message, &problem, Some(&key), false);
        1
    }

    /// How long to wait if too much comes from his address.
    fn too_fast(&self, now: Duration) -> Option<Duration> {
        let guest = self.guest.as_ref()?;
        self.hall.too_fast(guest.peer(), now)
    }

    /// Reads on after so long, and when the hall allows it.
    fn rest(&mut self, socket: &WebSocket, wait: Option<Duration>) {
        if let Some(wait) = wait {
            socket.transport().pause_reading();
            socket.call_later(wait, |this: &mut Self, socket| this.go_on(socket));
        } else if let Some(calm) = self.hall.busy(socket.reactor()) {
            socket.transport().pause_reading();
            socket.when(calm, |this: &mut Self, socket, _: Result<(), Failure>| {
                this.go_on(socket);
            });
        }
    }

    fn go_on(&mut self, socket: &WebSocket) {
        match self.hall.busy(socket.reactor()) {
            None => socket.transport().resume_reading(),
            Some(calm) => socket.when(calm, |this: &mut Self, socket, _: Result<(), Failure>| {
                this.go_on(socket);
            }),
        }
    }
}

fn refuse(socket: &WebSocket, what: What, why: &str, key: Option<&str>, again: bool) {
    let refused = Told::Refused {
        what,
        why,
        key,
        again,
    };
    socket.send_text(refused.text());
}
