//! A backplane by one connection to a server, whatever it speaks.
//!
//! ```text
//!   publish ─► outbox, while the server is away or slow ─┐
//!   subscribe ─► noted, for the next connection too ─────┴─► Dialect ─► connection, kept by a ClientService
//!   listener ◄─ Talk, one per connection ◄─ Dialect ◄──────────────────┘
//! ```

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use ropewalk_core::endpoint::Destination;
use ropewalk_core::{BackOff, ClientService, Deferred, Factory, Handle, Protocol, Transport};
use ropewalk_grammar::Framing;

use super::BackplaneListener;
use super::outbox::Outbox;
use super::talk::Talk;

/// What a server is told, and how its words are understood.
pub(super) trait Dialect: 'static {
    type Grammar: Framing;

    /// The server, in logs.
    const SERVER: &'static str;

    fn grammar(&self) -> Self::Grammar;

    /// What is said first, if anything is.
    fn greet(&self, out: &mut Vec<u8>);

    /// What is said once the server has welcomed us.
    fn join(&self, welcome: &Welcome, out: &mut Vec<u8>);

    fn subscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>);

    fn unsubscribe(&self, topic: &str, id: u64, out: &mut Vec<u8>);

    fn publish(&self, topic: &str, payload: &[u8], out: &mut Vec<u8>);

    fn ping(&self, out: &mut Vec<u8>);

    fn pong(&self, out: &mut Vec<u8>);

    fn understand<'a>(&self, event: <Self::Grammar as Framing>::Event<'a>) -> Heard<'a>;

    /// The connection is to be protected from here on.
    fn protect(&self, transport: &Transport) -> Result<(), String> {
        let _ = transport;
        Ok(())
    }
}

/// What a server said.
pub(super) enum Heard<'a> {
    Nothing,
    Welcome(Welcome),
    Ping,
    Pong,
    /// Somebody published; what to is known by the name, or by the number of our subscription.
    Named(&'a [u8], &'a [u8]),
    Numbered(u64, &'a [u8]),
    /// It does not do one thing.
    Complaint(String),
    /// It does not let us in.
    Refused(String),
}

impl Heard<'_> {
    /// What came in clear behind a greeting that asks for protection must not be taken for something that came under it.
    pub(super) fn unless_injected(self, unread: usize) -> Self {
        match self {
            Self::Welcome(welcome) if welcome.wants_protection && unread > 0 => {
                Self::Refused("something came in clear between its greeting and TLS".to_owned())
            }
            heard => heard,
        }
    }
}

/// What a server says about itself.
pub(super) struct Welcome {
    /// The longest payload that it takes.
    pub(super) most_bytes: usize,
    /// It wants to be spoken to under protection.
    pub(super) wants_protection: bool,
}

/// What the next answer to a ping means.
pub(super) enum Awaited {
    /// All subscriptions are in effect.
    All,
    /// This one is.
    Topic(Rc<str>),
    /// The server lives.
    Life,
}

pub(super) struct Client<D: Dialect>(Rc<State<D>>);

pub(super) struct State<D> {
    pub(super) dialect: D,
    destination: Destination,
    user: OnceCell<(Handle, Rc<dyn BackplaneListener>)>,
    service: RefCell<Option<ClientService>>,
    /// What is subscribed to, and what as.
    topics: RefCell<BTreeMap<Rc<str>, u64>>,
    names: RefCell<BTreeMap<u64, Rc<str>>>,
    last_id: Cell<u64>,
    /// The connection, from the server's welcome on.
    joined: RefCell<Option<Transport>>,
    pub(super) awaited: RefCell<VecDeque<Awaited>>,
    /// All subscriptions are in effect.
    is_ready: Cell<bool>,
    most_bytes: Cell<usize>,
    outbox: RefCell<Outbox>,
    dropped: Cell<u64>,
}

/// A first attempt again within a second, later ones within half a minute, all spread.
const BACK_OFF: BackOff = BackOff {
    initial: Duration::from_millis(250),
    factor: 2.0,
    jitter: 0.2,
    spread: Duration::from_millis(250),
    maximum: Duration::from_secs(30),
};

impl<D: Dialect> Client<D> {
    pub(super) fn new(dialect: D, destination: Destination) -> Self {
        Self(Rc::new(State {
            dialect,
            destination,
            user: OnceCell::new(),
            service: RefCell::default(),
            topics: RefCell::default(),
            names: RefCell::default(),
            last_id: Cell::new(0),
            joined: RefCell::default(),
            awaited: RefCell::default(),
            is_ready: Cell::new(false),
            most_bytes: Cell::new(usize::MAX),
            outbox: RefCell::default(),
            dropped: Cell::new(0),
        }))
    }

    pub(super) fn start(&self, reactor: &Handle, listener: Rc<dyn BackplaneListener>) {
        let state = &self.0;
        if state.user.set((reactor.clone(), listener)).is_err() {
            return;
        }
        let factory = Talkers(Rc::downgrade(state));
        let service = ClientService::new(reactor, state.destination.clone(), factory);
        let service = service.expect("the endpoint was understood before");
        let service = service.with_back_off(BACK_OFF);
        service.start_service();
        state.service.replace(Some(service));
    }

    pub(super) fn subscribe(&self, topic: &str) {
        let state = &self.0;
        if state.topics.borrow().contains_key(topic) {
            return;
        }
        let (name, id): (Rc<str>, u64) = (topic.into(), state.last_id.get() + 1);
        state.last_id.set(id);
        state.topics.borrow_mut().insert(Rc::clone(&name), id);
        state.names.borrow_mut().insert(id, Rc::clone(&name));
        if let Some(transport) = &*state.joined.borrow() {
            let dialect = &state.dialect;
            transport.write_with(|out| dialect.subscribe(topic, id, out));
            state.ping(transport, Awaited::Topic(name));
        }
    }

    pub(super) fn unsubscribe(&self, topic: &str) {
        let state = &self.0;
        let Some(id) = state.topics.borrow_mut().remove(topic) else {
            return;
        };
        state.names.borrow_mut().remove(&id);
        if let Some(transport) = &*state.joined.borrow() {
            transport.write_with(|out| state.dialect.unsubscribe(topic, id, out));
        }
    }

    pub(super) fn publish(&self, topic: &str, payload: Bytes) {
        let state = &self.0;
        let waits = !state.outbox.borrow().is_empty();
        match &*state.joined.borrow() {
            Some(transport) if state.is_ready.get() && !waits && !transport.is_full() => {
                state.publish_now(transport, topic, &payload);
            }
            _ => {
                let dropped = state.outbox.borrow_mut().push(topic, payload);
                state.dropped(dropped);
            }
        }
    }

    pub(super) fn stop(&self) -> Deferred<()> {
        let service = self.0.service.borrow().clone();
        let service = service.expect("it is stopped after its start");
        self.0.is_ready.set(false); // nobody is told that it is lost
        let stopped = service.stop_service();
        let state = Rc::clone(&self.0);
        stopped.add_both(move |result| {
            drop(state); // until now it was needed, whoever dropped the backplane
            result
        })
    }
}

impl<D: Dialect> State<D> {
    /// The server is there: says all that we want of it.
    pub(super) fn joined(&self, transport: &Transport, welcome: &Welcome) {
        self.most_bytes.set(welcome.most_bytes);
        self.awaited.borrow_mut().clear();
        transport.write_with(|out| {
            self.dialect.join(welcome, out);
            for (topic, id) in &*self.topics.borrow() {
                self.dialect.subscribe(topic, *id, out);
            }
        });
        self.ping(transport, Awaited::All);
        self.joined.replace(Some(transport.clone()));
    }

    pub(super) fn ping(&self, transport: &Transport, awaited: Awaited) {
        transport.write_with(|out| self.dialect.ping(out));
        self.awaited.borrow_mut().push_back(awaited);
    }

    pub(super) fn pong(self: &Rc<Self>, transport: &Transport) {
        let awaited = self.awaited.borrow_mut().pop_front();
        match awaited {
            Some(Awaited::All) => {
                self.is_ready.set(true);
                self.tell(|listener| listener.back(None));
                self.flush(transport);
            }
            Some(Awaited::Topic(topic)) if self.topics.borrow().contains_key(&topic) => {
                self.tell(|listener| listener.back(Some(&topic)));
            }
            _ => {}
        }
    }

    /// Sends what waits, as far as the server takes it.
    pub(super) fn flush(self: &Rc<Self>, transport: &Transport) {
        while self.is_ready.get() && !transport.is_full() {
            let Some((topic, payload)) = self.outbox.borrow_mut().pop() else {
                return;
            };
            self.publish_now(transport, &topic, &payload);
        }
    }

    fn publish_now(self: &Rc<Self>, transport: &Transport, topic: &str, payload: &[u8]) {
        if payload.len() > self.most_bytes.get() {
            let (bytes, most) = (payload.len(), self.most_bytes.get());
            tracing::warn!(
                topic,
                bytes,
                most,
                "{} does not take so large a message",
                D::SERVER
            );
            return self.dropped(1);
        }
        transport.write_with(|out| self.dialect.publish(topic, payload, out));
    }

    /// Tells, soon and once for many, that messages were dropped.
    fn dropped(self: &Rc<Self>, messages: u64) {
        let before = self.dropped.get();
        self.dropped.set(before + messages);
        let Some((handle, _)) = self.user.get().filter(|_| before == 0 && messages > 0) else {
            return;
        };
        let this = Rc::downgrade(self);
        handle.call_later(Duration::ZERO, move |_| {
            if let Some(this) = this.upgrade() {
                let messages = this.dropped.take();
                this.tell(|listener| listener.dropped(messages));
            }
        });
    }

    pub(super) fn received(&self, name: &str, payload: &[u8]) {
        if self.topics.borrow().contains_key(name) {
            self.tell(|listener| listener.received(name, payload));
        }
    }

    pub(super) fn received_as(&self, id: u64, payload: &[u8]) {
        let name = self.names.borrow().get(&id).cloned();
        if let Some(name) = name {
            self.tell(|listener| listener.received(&name, payload));
        }
    }

    /// The connection is gone.
    pub(super) fn lost(&self) {
        self.joined.take();
        self.awaited.borrow_mut().clear();
        if self.is_ready.take() {
            self.tell(|listener| listener.lost());
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.is_ready.get()
    }

    fn tell(&self, what: impl FnOnce(&dyn BackplaneListener)) {
        if let Some((_, listener)) = self.user.get() {
            what(&**listener);
        }
    }
}

impl<D: Dialect> Drop for Client<D> {
    fn drop(&mut self) {
        if let Some(transport) = &*self.0.joined.borrow() {
            transport.lose_connection();
        }
    }
}

struct Talkers<D>(Weak<State<D>>);

impl<D: Dialect> Factory for Talkers<D> {
    fn build_protocol(&mut self, _: &Transport) -> Option<Box<dyn Protocol>> {
        self.0.upgrade()?;
        Some(Box::new(Talk::new(self.0.clone())?))
    }
}
