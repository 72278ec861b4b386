//! A tab of a browser: what the page's script does, without the page.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use ropewalk::sim::Random;
use ropewalk::web::Agent;
use ropewalk::web::websocket::{WebSocket, WebSocketClient, WebSocketProtocol, WebSocketService};
use ropewalk::{BackOff, Handle};
use serde_json::{Value, json};

use super::super::hall::Message;

/// An answer that takes longer means that the connection is dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// One tab; clones are the same.
#[derive(Clone)]
pub(super) struct Tab(Rc<Page>);

struct Page {
    name: String,
    room: String,
    reactor: Handle,
    random: RefCell<Random>,
    id: RefCell<Option<String>>,
    /// Number, key or nothing, and text of what is shown.
    shown: RefCell<Vec<(u64, String)>>,
    seen: Cell<u64>,
    pending: RefCell<VecDeque<(String, String)>>,
    said: RefCell<Vec<String>>,
    is_silent: Cell<bool>,
    socket: RefCell<Option<WebSocket>>,
    service: RefCell<Option<WebSocketService>>,
    visits: Cell<usize>,
    again: Cell<usize>,
    /// What must not happen; a panic in a callback would only end the connection.
    wrong: RefCell<Vec<String>>,
}

/// One connection of a tab.
struct Visit(Tab);

impl Tab {
    /// A tab that connects, comes back, and talks.
    pub(super) fn open(reactor: &Handle, name: &str, room: &str, random: Random) -> Self {
        let tab = Self(Rc::new(Page {
            name: name.to_owned(),
            room: room.to_owned(),
            reactor: reactor.clone(),
            random: RefCell::new(random),
            id: RefCell::default(),
            shown: RefCell::default(),
            seen: Cell::new(0),
            pending: RefCell::default(),
            said: RefCell::default(),
            is_silent: Cell::new(false),
            socket: RefCell::default(),
            service: RefCell::default(),
            visits: Cell::new(0),
            again: Cell::new(0),
            wrong: RefCell::default(),
        }));
        let client = WebSocketClient::new("ws://10.0.0.1:8080/ws").expect("a right address");
        let own = tab.clone();
        let service = client.service(&Agent::new(reactor), move || Visit(own.clone()));
        let service = service.with_back_off(BackOff {
            maximum: Duration::from_secs(15),
            ..BackOff::of_client_service()
        });
        service.start_service();
        *tab.0.service.borrow_mut() = Some(service);
        tab.talk_later();
        tab
    }

    pub(super) fn room(&self) -> &str {
        &self.0.room
    }

    pub(super) fn returns(&self) -> usize {
        self.0.visits.get().saturating_sub(1)
    }

    pub(super) fn sent_again(&self) -> usize {
        self.0.again.get()
    }

    /// Says nothing new any more.
    pub(super) fn fall_silent(&self) {
        self.0.is_silent.set(true);
    }

    /// Closes the tab.
    pub(super) fn close(&self) {
        if let Some(service) = self.0.service.take() {
            drop(service.stop_service());
        }
    }

    /// Compares what it shows with all that was said in its room.
    pub(super) fn check(&self, all: &[Message]) {
        let page = &*self.0;
        let (name, wrong) = (&page.name, page.wrong.borrow());
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
        assert!(
            page.pending.borrow().is_empty(),
            "{name}: {:?} are not acknowledged",
            page.pending
        );
        let own = all.iter().filter(|message| message.name == *name);
        let own: Vec<&str> = own.map(|message| message.text.as_str()).collect();
        assert_eq!(
            own,
            *page.said.borrow(),
            "{name}: what it said is said once and in order"
        );
        let shown = page.shown.borrow();
        let first = shown.first().map_or(1, |(seq, _)| *seq);
        let wanted = all.iter().filter(|message| message.seq >= first);
        let wanted: Vec<(u64, String)> = wanted
            .map(|message| (message.seq, message.text.clone()))
            .collect();
        assert_eq!(
            *shown, wanted,
            "{name} shows what was said, from {first} on"
        );
    }

    fn talk_later(&self) {
        let longest = [50, 1000, 6000][self.0.random.borrow_mut().index(3)];
        let delay = self
            .0
            .random
            .borrow_mut()
            .duration(Duration::from_millis(longest));
        let this = self.clone();
        self.0.reactor.call_later(delay, move |_: &Handle| {
            if !this.0.is_silent.get() && this.0.said.borrow().len() < 25 {
                this.say();
                this.talk_later();
            }
        });
    }

    fn say(&self) {
        let page = &*self.0;
        let number = page.said.borrow().len();
        let (key, text) = (
            format!("{} {number}", page.name),
            format!("{}/{number}", page.name),
        );
        page.said.borrow_mut().push(text.clone());
        page.pending
            .borrow_mut()
            .push_back((key.clone(), text.clone()));
        self.send_pending(&key, &text);
    }

    fn send_pending(&self, key: &str, text: &str) {
        let page = &*self.0;
        let Some(socket) = &*page.socket.borrow() else {
            return;
        };
        let said = json!({"type": "say", "room": page.room, "key": key, "text": text});
        socket.send_text(said.to_string());
        let (this, socket, key) = (self.clone(), socket.clone(), key.to_owned());
        page.reactor.call_later(PATIENCE, move |_: &Handle| {
            let is_waiting = this
                .0
                .pending
                .borrow()
                .iter()
                .any(|(waiting, _)| *waiting == key);
            if is_waiting && this.0.socket.borrow().as_ref() == Some(&socket) {
                socket.transport().abort_connection();
            }
        });
    }

    fn join(&self, socket: &WebSocket) {
        let page = &*self.0;
        let mut join = json!({"type": "join", "room": page.room});
        if let Some(id) = &*page.id.borrow() {
            join["id"] = json!(id);
            join["seen"] = json!(page.seen.get());
        }
        socket.send_text(join.to_string());
    }

    fn hear(&self, socket: &WebSocket, told: &Value) {
        let page = &*self.0;
        match told["type"].as_str().expect("a type") {
            "welcome" => {
                page.visits.update(|visits| visits + 1);
                *page.socket.borrow_mut() = Some(socket.clone());
                self.join(socket);
                let pending = page.pending.borrow().clone();
                page.again.update(|again| again + pending.len());
                for (key, text) in &pending {
                    self.send_pending(key, text);
                }
            }
            "refused" => page.wrong.borrow_mut().push(told.to_string()),
            "room" => {
                let id = told["id"].as_str().expect("an id").to_owned();
                let before = page.id.replace(Some(id.clone()));
                if page.seen.get() > 0 && before.is_some_and(|before| before != id) {
                    page.wrong
                        .borrow_mut()
                        .push(format!("another room: {told}"));
                }
            }
            "history" => {
                for message in told["messages"].as_array().expect("messages") {
                    self.show(message);
                }
                if told["more"] == true {
                    let more = json!({"type": "more", "seen": page.seen.get()});
                    socket.send_text(more.to_string());
                }
            }
            "message"
                if told["seq"].as_u64() > Some(page.seen.get() + 1) && page.seen.get() > 0 =>
            {
                self.join(socket);
            }
            "message" => self.show(told),
            "ack" => self.forget(told["key"].as_str().expect("a key")),
            _ => {}
        }
    }

    fn show(&self, message: &Value) {
        let page = &*self.0;
        let seq = message["seq"].as_u64().expect("a number");
        if seq > page.seen.get() {
            page.seen.set(seq);
            let text = message["text"].as_str().expect("a text").to_owned();
            page.shown.borrow_mut().push((seq, text));
        }
    }

    fn forget(&self, key: &str) {
        self.0
            .pending
            .borrow_mut()
            .retain(|(waiting, _)| waiting != key);
    }
}

impl WebSocketProtocol for Visit {
    fn opened(&mut self, socket: &WebSocket) {
        let name = &self.0.0.name;
        let hello = json!({"type": "hello", "name": name, "token": name});
        socket.send_text(hello.to_string());
    }

    fn text_received(&mut self, socket: &WebSocket, text: &str) {
        let told = serde_json::from_str(text).expect("JSON");
        self.0.hear(socket, &told);
    }

    fn connection_lost(&mut self, socket: &WebSocket, _: &ropewalk::web::websocket::Ending<'_>) {
        let mut own = self.0.0.socket.borrow_mut();
        if own.as_ref() == Some(socket) {
            *own = None;
        }
    }
}
