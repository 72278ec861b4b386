//! Servers of NATS and Redis as far as a backplane needs them, for worlds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ropewalk_core::driver::ConnId;
use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::Framing;
use ropewalk_grammar::nats::{Delivery, NatsGrammar, Operation};
use ropewalk_grammar::resp::{RespGrammar, Value};

/// Who is there, also those whose greeting got lost, and what each subscribed to: by its name, the number of the subscription.
#[derive(Clone, Default)]
pub(crate) struct Clients(Rc<RefCell<BTreeMap<ConnId, Client>>>);

struct Client {
    transport: Transport,
    topics: BTreeMap<Vec<u8>, String>,
}

impl Clients {
    fn add(&self, transport: &Transport) {
        let client = Client {
            transport: transport.clone(),
            topics: BTreeMap::new(),
        };
        self.0.borrow_mut().insert(transport.id(), client);
    }

    fn remove(&self, transport: &Transport) {
        self.0.borrow_mut().remove(&transport.id());
    }

    fn subscribe(&self, transport: &Transport, topic: &[u8], id: &str) {
        if let Some(client) = self.0.borrow_mut().get_mut(&transport.id()) {
            client.topics.insert(topic.to_vec(), id.to_owned());
        }
    }

    fn unsubscribe(&self, transport: &Transport, is_it: impl Fn(&[u8], &str) -> bool) {
        if let Some(client) = self.0.borrow_mut().get_mut(&transport.id()) {
            client.topics.retain(|topic, id| !is_it(topic, id));
        }
    }

    fn publish(&self, topic: &[u8], tell: impl Fn(&Transport, &str)) {
        for client in self.0.borrow().values() {
            if let Some(id) = client.topics.get(topic) {
                tell(&client.transport, id);
            }
        }
    }

    /// How many subscriptions there are.
    pub(crate) fn subscriptions(&self) -> usize {
        let all = self.0.borrow();
        all.values().map(|client| client.topics.len()).sum()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.borrow().len()
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        let all = self.0.borrow();
        all.values()
            .for_each(|client| client.transport.abort_connection());
    }

    /// Says something to all.
    pub(crate) fn say(&self, data: &[u8]) {
        let all = self.0.borrow();
        all.values().for_each(|client| client.transport.write(data));
    }

    /// Stops reading, or goes on.
    pub(crate) fn pause(&self, is_paused: bool) {
        for client in self.0.borrow().values() {
            match is_paused {
                true => client.transport.pause_reading(),
                false => client.transport.resume_reading(),
            }
        }
    }
}

pub(crate) struct FakeNats {
    grammar: NatsGrammar,
    clients: Clients,
}

impl FakeNats {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self {
            grammar: NatsGrammar::new(),
            clients: clients.clone(),
        }
    }
}

fn say(transport: &Transport, operation: Operation<'_>) {
    let said = transport.write_with(|out| NatsGrammar::new().send(operation, out));
    said.expect("it can be said");
}

impl Protocol for FakeNats {
    fn connection_made(&mut self, transport: &Transport) {
        self.clients.add(transport);
        let info = r#"{"server_id":"fake","max_payload":1048576}"#;
        say(transport, Operation::Info(info));
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut input = self.grammar.receive(data);
        while let Some(operation) = input.next_event() {
            match operation.expect("clients say it well") {
                Operation::Ping => say(transport, Operation::Pong),
                Operation::Sub { subject, id, .. } => {
                    self.clients.subscribe(transport, subject.as_bytes(), id);
                }
                Operation::Unsub { id, .. } => {
                    self.clients.unsubscribe(transport, |_, other| other == id);
                }
                Operation::Pub {
                    subject, payload, ..
                } => self.clients.publish(subject.as_bytes(), |to, id| {
                    let delivery = Delivery {
                        subject,
                        id,
                        reply: None,
                        payload,
                    };
                    say(to, Operation::Msg(delivery));
                }),
                Operation::Connect(_) | Operation::Pong => {}
                other => panic!("a client said {other:?}"),
            }
        }
    }

    fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
        self.clients.remove(transport);
    }
}

pub(crate) struct FakeRedis {
    grammar: RespGrammar,
    clients: Clients,
}

impl FakeRedis {
    pub(crate) fn new(clients: &Clients) -> Self {
        Self {
            grammar: RespGrammar::new(),
            clients: clients.clone(),
        }
    }
}

fn answer(transport: &Transport, value: Value<'_>) {
    let said = transport.write_with(|out| RespGrammar::new().send(value, out));
    said.expect("it can be said");
}

impl Protocol for FakeRedis {
    fn connection_made(&mut self, transport: &Transport) {
        self.clients.add(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let mut input = self.grammar.receive(data);
        while let Some(value) = input.next_event() {
            let Ok(Value::Array(words)) = value else {
                panic!("a client said {value:?}");
            };
            let words: Vec<&[u8]> = words.iter().filter_map(Value::as_bytes).collect();
            obey(&self.clients, transport, &words);
        }
    }

    fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
        self.clients.remove(transport);
    }
}

fn obey(clients: &Clients, transport: &Transport, words: &[&[u8]]) {
    match words {
        [b"HELLO", b"3", ..] => {
            let pair = (Value::Bytes(b"proto"), Value::Integer(3));
            answer(transport, Value::Map(vec![pair]));
        }
        [b"PING"] => answer(transport, Value::Simple(b"PONG")),
        [kind @ b"SUBSCRIBE", topic] | [kind @ b"UNSUBSCRIBE", topic] => {
            match *kind {
                b"SUBSCRIBE" => clients.subscribe(transport, topic, ""),
                _ => clients.unsubscribe(transport, |other, _| other == *topic),
            }
            let kind = kind.to_ascii_lowercase();
            let parts = vec![Value::Bytes(&kind), Value::Bytes(topic), Value::Integer(1)];
            answer(transport, Value::Push(parts));
        }
        [b"PUBLISH", topic, payload] => {
            clients.publish(topic, |to, _| {
                let parts = [b"message", *topic, *payload].map(Value::Bytes);
                answer(to, Value::Push(parts.to_vec()));
            });
            answer(transport, Value::Integer(1));
        }
        other => panic!("a client said {other:?}"),
    }
}
