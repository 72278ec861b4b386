//! One connection to a server.

use std::rc::{Rc, Weak};
use std::time::Duration;

use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::Framing;

use super::client::{Awaited, Dialect, Heard, State};

/// What a server says, told to the client.
pub(super) struct Talk<D: Dialect> {
    client: Weak<State<D>>,
    grammar: D::Grammar,
    /// Nothing came since the last look.
    is_silent: bool,
    is_joined: bool,
    next_look: Option<DelayedCall>,
}

/// How long the server may take to let us in, and how often it is looked at afterwards: one from which nothing came in that
/// time gets a ping, and is given up after as much silence again.
const LOOK: Duration = Duration::from_secs(10);

impl<D: Dialect> Talk<D> {
    pub(super) fn new(client: Weak<State<D>>) -> Option<Self> {
        let grammar = client.upgrade()?.dialect.grammar();
        Some(Self {
            client,
            grammar,
            is_silent: false,
            is_joined: false,
            next_look: None,
        })
    }

    fn look_later(&mut self, transport: &Transport) {
        let look = transport.call_later(LOOK, |this: &mut Self, transport| this.look(transport));
        self.next_look = Some(look);
    }

    fn look(&mut self, transport: &Transport) {
        let Some(client) = self.client.upgrade() else {
            return transport.lose_connection();
        };
        if !client.is_ready() || self.is_silent {
            tracing::warn!("{} does not answer", D::SERVER);
            return transport.abort_connection();
        }
        self.is_silent = true;
        client.ping(transport, Awaited::Life);
        self.look_later(transport);
    }
}

impl<D: Dialect> Protocol for Talk<D> {
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(client) = self.client.upgrade() {
            transport.write_with(|out| client.dialect.greet(out));
        }
        self.look_later(transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        let Some(client) = self.client.upgrade() else {
            return transport.lose_connection();
        };
        self.is_silent = false;
        let mut input = self.grammar.receive(data);
        while let Some(event) = input.next_with_unread() {
            let (heard, unread) = match event {
                Ok((event, unread)) => (client.dialect.understand(event), unread),
                Err(error) => (Heard::Refused(error.to_string()), 0),
            };
            let heard = heard.unless_injected(unread);
            hear(&client, transport, &mut self.is_joined, heard);
            if !transport.is_open() {
                break;
            }
        }
        if !transport.is_open() {
            input.discard();
        }
    }

    fn writing_resumed(&mut self, transport: &Transport) {
        if let Some(client) = self.client.upgrade() {
            client.flush(transport);
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        if let Some(look) = self.next_look.take() {
            let _it_may_have_run = look.cancel();
        }
        if let Some(client) = self.client.upgrade() {
            client.lost();
        }
    }
}

fn hear<D: Dialect>(
    client: &Rc<State<D>>,
    transport: &Transport,
    is_joined: &mut bool,
    heard: Heard<'_>,
) {
    match heard {
        Heard::Nothing => {}
        Heard::Welcome(_) if *is_joined => {}
        Heard::Welcome(welcome) => {
            *is_joined = true;
            if welcome.wants_protection
                && let Err(why) = client.dialect.protect(transport)
            {
                return refuse::<D>(transport, why);
            }
            client.joined(transport, &welcome);
        }
        Heard::Ping => transport.write_with(|out| client.dialect.pong(out)),
        Heard::Pong => client.pong(transport),
        Heard::Named(name, payload) => {
            if let Ok(name) = str::from_utf8(name) {
                client.received(name, payload);
            }
        }
        Heard::Numbered(id, payload) => client.received_as(id, payload),
        Heard::Complaint(why) if !*is_joined => refuse::<D>(transport, why),
        Heard::Complaint(why) => tracing::warn!(why, "{} complains", D::SERVER),
        Heard::Refused(why) => refuse::<D>(transport, why),
    }
}

fn refuse<D: Dialect>(transport: &Transport, why: String) {
    tracing::error!(why, peer = %transport.peer(), "{} cannot be used", D::SERVER);
    transport.reject(why);
}
