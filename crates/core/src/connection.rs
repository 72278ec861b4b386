//! One connection on the registry's side: its protocol, its layers, and how bytes come up to them.
//!
//! How bytes go down is in [`outflow`], what time does to a connection in [`deadline`], how user code is called in [`lending`].

mod arrival;
mod deadline;
mod lending;
mod outflow;
mod passed;

use std::cell::{Cell, OnceCell, RefCell};
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tracing::Span;

pub(crate) use self::arrival::Arrival;
pub(crate) use self::deadline::Deadline;
use self::deadline::Deadlines;
use self::passed::Passed;
use crate::driver::StreamOptions;
use crate::factory::Factory;
use crate::facts::Facts;
use crate::handle::Handle;
use crate::layer::{Allowance, Direction, LayerError};
use crate::limits::Limits;
use crate::link::{Flags, Link};
use crate::protocol::Protocol;
use crate::reason::Reason;
use crate::registry::Owner;
use crate::stack::Stack;
use crate::transport::Transport;
use crate::watchdog::{Callback, Of, SiteId};

pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) owner: Owner,
    protocol: Option<Box<dyn Protocol>>,
    /// The protocol, as the watchdog calls it.
    site: SiteId,
    /// What is logged in callbacks is logged in here; none if nobody asked for such.
    span: Option<Box<Span>>,
    stack: Option<Box<Stack>>,
    /// Bytes that came up while nothing could be delivered.
    held: Vec<u8>,
    /// Descriptors that were held with them.
    passed: Option<Box<Passed>>,
    deadlines: Deadlines,
}

impl Connection {
    pub(crate) fn new(
        arrival: Arrival,
        options: StreamOptions,
        limits: Rc<Limits>,
        owner: Owner,
    ) -> Self {
        let handle = owner.handle();
        let link = Link {
            id: arrival.id,
            handle: handle.clone(),
            flags: Cell::new(Flags::OPEN),
            outgoing: RefCell::default(),
            in_flight: Cell::new(0),
            on_wire: Cell::new(0),
            limits,
            host: arrival.host,
            peer: arrival.peer,
            options: Cell::new(options),
            activity: Cell::new(handle.turn_time()),
            heard: Cell::new(handle.turn_time()),
            idle_after: Cell::new(None),
            epoch: Cell::new(0),
            wishes: RefCell::default(),
            facts: RefCell::default(),
            forwarded: OnceCell::new(),
        };
        if let Some(credentials) = arrival.credentials {
            let mut facts = Facts::default();
            facts.add(credentials);
            link.learn(facts);
        }
        Self {
            transport: Transport(Rc::new(link)),
            owner,
            protocol: None,
            site: SiteId::NONE,
            span: None,
            stack: None,
            held: Vec::new(),
            passed: None,
            deadlines: Deadlines::default(),
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.transport.0
    }

    fn handle(&self) -> Handle {
        self.link().handle.clone()
    }

    fn stack_mut(&mut self) -> &mut Stack {
        self.transport.0.set(Flags::LAYERED);
        self.stack.get_or_insert_default()
    }

    /// Whether a protocol was built: it must be told when the connection is lost.
    pub(crate) fn is_made(&self) -> bool {
        self.protocol.is_some()
    }

    pub(crate) fn protocol_name(&self) -> &'static str {
        self.protocol
            .as_ref()
            .map_or("no protocol yet", |protocol| protocol.name())
    }

    // ── Up ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Begins with the layers that the factory wants.
    pub(crate) fn begin(&mut self, factory: &mut dyn Factory) {
        let peer = self.transport.peer().clone();
        match catch_unwind(AssertUnwindSafe(|| factory.layers(&peer))) {
            Ok(layers) => layers
                .into_iter()
                .for_each(|layer| self.stack_mut().push(layer)),
            Err(payload) => self.panicked("layers", &*payload),
        }
        self.open(factory);
    }

    /// Opens the layers as far as possible; once all are open, builds the protocol and tells it.
    pub(crate) fn open(&mut self, factory: &mut dyn Factory) {
        match self.open_layers() {
            Err(error) => self.layer_failed(error),
            Ok(true) => self.make(factory),
            Ok(false) => self.expect_handshake(),
        }
    }

    /// Goes on opening layers that were pushed while the protocol was there already.
    fn reopen(&mut self) {
        match self.open_layers() {
            Err(error) => self.layer_failed(error),
            Ok(true) => self.forget_handshake(),
            Ok(false) => self.expect_handshake(),
        }
    }

    /// Opens layers as far as they go, and notes what they found out.
    fn open_layers(&mut self) -> Result<bool, LayerError> {
        let Some(stack) = &mut self.stack else {
            return Ok(true);
        };
        let mut facts = Facts::default();
        let link = &self.transport.0;
        stack.lend(&mut link.handle.shared().pool.borrow_mut());
        let opened = stack.open(&mut facts);
        self.transport.0.learn(facts);
        opened
    }

    fn make(&mut self, factory: &mut dyn Factory) {
        self.forget_handshake();
        if self.is_made() || !self.transport.is_open() {
            return;
        }
        let transport = self.transport.clone();
        let built = self.watched(Callback::BuildProtocol, || {
            catch_unwind(AssertUnwindSafe(|| factory.build_protocol(&transport)))
        });
        match built {
            Ok(Some(protocol)) => {
                self.begin_protocol(protocol);
                self.guard(Callback::FactoryConnected, || factory.connected(&transport));
                self.tell_again();
                self.deliver_held();
                self.end_if_layers_did();
            }
            Ok(None) => self.owner.refused(&self.transport),
            Err(payload) => self.panicked("build_protocol", &*payload),
        }
    }

    fn begin_protocol(&mut self, protocol: Box<dyn Protocol>) {
        let peer = self.transport.peer();
        let span = tracing::info_span!("connection", %peer, protocol = protocol.name());
        self.span = (!span.is_disabled()).then(|| Box::new(span));
        let heart = &self.link().handle.shared().heart;
        self.site = heart.site("", Of::Protocol(protocol.name()));
        self.protocol = Some(protocol);
        self.call(Callback::ConnectionMade, |protocol, transport| {
            protocol.connection_made(transport);
        });
    }

    /// Bytes from the driver.
    #[inline]
    pub(crate) fn received(&mut self, data: &mut [u8]) {
        self.link().hear();
        if self.stack.is_none() {
            self.deliver(data);
        } else {
            self.received_through_layers(data);
        }
    }

    #[inline]
    fn deliver(&mut self, data: &mut [u8]) {
        let special = Flags::LOSING.or(Flags::READING_PAUSED).or(Flags::WISHING);
        if self.link().has(special) || !self.held.is_empty() {
            self.deliver_or_hold(data);
        } else {
            self.hand_over(data);
        }
    }

    #[inline]
    fn hand_over(&mut self, data: &mut [u8]) {
        self.call(Callback::DataReceived, |protocol, transport| {
            protocol.data_received_in_place(transport, data);
        });
    }

    fn received_through_layers(&mut self, data: &mut [u8]) {
        let Some(mut stack) = self.stack.take() else {
            return;
        };
        if stack.late.is_empty() {
            let passed = self.run_up(&mut stack, data);
            stack.late.extend_from_slice(&data[passed..]);
        } else {
            stack.late.extend_from_slice(data);
        }
        self.stack = Some(stack);
        self.after_layers();
    }

    /// Goes on with what had to wait because a layer shapes.
    pub(crate) fn receive_late(&mut self) {
        let Some(mut stack) = self.stack.take() else {
            return;
        };
        let mut late = take(&mut stack.late);
        let passed = self.run_up(&mut stack, &mut late);
        if passed < late.len() {
            late.drain(..passed);
            stack.late = late;
        }
        self.stack = Some(stack);
        self.after_layers();
    }

    /// Runs bytes up through the layers as far as they allow it; gives how many.
    fn run_up(&mut self, stack: &mut Stack, data: &mut [u8]) -> usize {
        let handle = &self.transport.0.handle;
        let now = handle.turn_time();
        stack.lend(&mut handle.shared().pool.borrow_mut());
        let mut passed = 0;
        while passed < data.len() {
            let count = match stack.allow(Direction::Up, data.len() - passed, now) {
                Allowance::Bytes(count) => count,
                Allowance::Wait(delay) => {
                    self.quiet_reading(delay);
                    return passed;
                }
            };
            let piece = &mut data[passed..passed + count];
            passed += count;
            if let Err(error) = stack.receive(piece, &mut |data| self.deliver_or_hold(data)) {
                self.layer_failed(error);
                return data.len();
            }
        }
        passed
    }

    /// What the layers made of bytes may be more than bytes: a handshake that is over, a goodbye.
    fn after_layers(&mut self) {
        if self.link().has(Flags::PARTING) {
            self.link().note();
        }
        if self.is_made() {
            if self.link().has(Flags::OPENING) {
                self.reopen();
            }
            self.end_if_layers_did();
        }
    }

    /// A layer's peer said goodbye: that is the end for what is above, once it has all bytes.
    fn end_if_layers_did(&mut self) {
        if !self.held.is_empty() || self.link().has(Flags::READING_PAUSED) {
            return;
        }
        match self
            .stack
            .as_mut()
            .map_or(Ok(false), |stack| stack.is_ended())
        {
            Ok(true) => self.stream_ended(),
            Ok(false) => {}
            Err(error) => self.layer_failed(error),
        }
    }

    /// The driver may have read already when somebody else in the same batch of events paused this connection, asked to
    /// end it, or pushed a layer on it.
    fn deliver_or_hold(&mut self, data: &mut [u8]) {
        if self.link().has(Flags::LOSING) {
            return;
        }
        let waits = self.link().has(Flags::READING_PAUSED)
            || !self.is_made()
            || !self.held.is_empty()
            || self.link().has_layers_to_push();
        if waits {
            self.held.extend_from_slice(data);
        } else {
            self.hand_over(data);
        }
    }

    /// Delivers what was kept while reading was paused, before anything newer.
    pub(crate) fn deliver_held(&mut self) {
        self.deliver_passed();
        if !self.held.is_empty() && self.is_made() && !self.link().has(Flags::READING_PAUSED) {
            let mut held = take(&mut self.held);
            self.deliver(&mut held);
        }
    }

    /// Reading goes on, if somebody waits for that: the protocol may deliver what it kept itself, then gets what is newer.
    pub(crate) fn reading_may_resume(&mut self) {
        let must_wait = Flags::LOSING.or(Flags::READING_PAUSED).or(Flags::CHOKED);
        if self.link().has(Flags::RESUMING) && !self.link().has(must_wait) {
            self.link().clear(Flags::RESUMING);
            self.call(Callback::ReadingResumed, |protocol, transport| {
                protocol.reading_resumed(transport);
            });
        }
        self.deliver_held();
        if self.stack.is_some() && self.is_made() {
            self.end_if_layers_did();
        }
    }

    pub(crate) fn eof(&mut self) {
        if self.link().has(Flags::PARTING) {
            self.link().set(Flags::PARTED);
            self.link().note();
        }
        if let Some(Err(error)) = self.stack.as_mut().map(|stack| stack.eof()) {
            return self.layer_failed(error);
        }
        if self.is_made() {
            self.stream_ended();
        } else {
            self.link().lose();
        }
    }

    /// Nothing more comes for the protocol; it is told once, unless it asked for the end itself (R52).
    fn stream_ended(&mut self) {
        let told = self.link().has(Flags::PEER_EOF.or(Flags::LOSING));
        self.link().set(Flags::PEER_EOF);
        if told {
            return;
        }
        self.call(Callback::EofReceived, |protocol, transport| {
            protocol.eof_received(transport);
        });
        if self.link().has(Flags::WRITE_LOST) {
            self.link().lose();
        }
    }

    fn layer_failed(&mut self, error: LayerError) {
        if let Some(stack) = &mut self.stack {
            stack.failed = true;
        }
        self.link().clear(Flags::OPENING);
        self.link().lose_because(match error {
            LayerError::Misbehaved(error) => Reason::Misbehaved(error),
            LayerError::Truncated => Reason::Lost(std::io::ErrorKind::UnexpectedEof.into()),
        });
    }

    fn switch_protocol(&mut self) {
        let switch = self.link().wish(|wishes| wishes.switch.take());
        if let Some((protocol, unread)) = switch {
            let link = self.link();
            link.epoch.set(link.epoch.get() + 1);
            let newer = take(&mut self.held);
            self.put_before_passed(unread.len());
            self.held = unread;
            self.held.extend_from_slice(&newer);
            self.begin_protocol(protocol);
            self.tell_again();
            self.deliver_held();
        }
    }

    // ── The end ─────────────────────────────────────────────────────────────────────────────────────────────────────

    /// Tells the protocol, once, that the program or its service stops. A peer whose layers are not open yet has asked for
    /// nothing, and need not be waited for.
    pub(crate) fn tell_shutting_down(&mut self) {
        if self.link().has(Flags::SHUTTING_DOWN) {
            return;
        }
        self.link().set(Flags::SHUTTING_DOWN);
        if self.is_made() {
            self.tell_again();
        } else if matches!(self.owner, Owner::Port(_)) {
            self.link().lose();
        }
    }

    /// Tells a protocol that came later.
    fn tell_again(&mut self) {
        if self.link().has(Flags::SHUTTING_DOWN) {
            self.call(Callback::ShuttingDown, |protocol, transport| {
                protocol.shutting_down(transport);
            });
        }
    }

    /// Whether nothing is in flight: everything that came was delivered, and the protocol says so.
    pub(crate) fn is_idle(&mut self) -> bool {
        let is_late = |stack: &Stack| !stack.late.is_empty();
        if !self.held.is_empty() || self.stack.as_deref().is_some_and(is_late) {
            return false;
        }
        let mut is_idle = false;
        self.call(Callback::IsIdle, |protocol, transport| {
            is_idle = protocol.is_idle(transport);
        });
        is_idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// USERS P11: an idle connection is small; what it needs only sometimes it owns only then.
    #[test]
    fn an_idle_connection_owns_less_than_half_a_kibibyte() {
        let size = size_of::<Connection>() + size_of::<Link>() + 2 * size_of::<usize>();
        assert!(size <= 512, "{size} bytes");
    }
}
