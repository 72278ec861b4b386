//! A connection to a server: HTTP/1.1 seen from the client, one request at a time.
//!
//! ```text
//!   begin ─► head, body ─► transport          whoever has the lease
//!   data_received ─► decoder ─► Head ─► answer, a Deferred
//!                       ▲       Body ─► incoming body, while somebody reads it (R167)
//!                       │       End  ─► back to the host, or closed
//!                       └── poke: the body is wanted, was emptied, or nobody reads it any more
//! ```
//!
//! Who holds a connection shares it with the reactor's protocol ([`HttpClient`]): writing only queues, so nothing of a user's runs in here.

use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use ropewalk_core::deferred::Canceller;
use ropewalk_core::{Deferred, Protocol, Reason, Transport};
use ropewalk_grammar::http1::{AfterExchange, ClientExchange, ResponseDecoder, SendError};

use super::agent_error::AgentProblem;
use super::alarm::Alarm;
use super::current::{Answer, Current, Stage};
use super::host::Host;
use crate::body_error::BodyError;
use crate::headers::Headers;

/// Chunks up to this length are copied behind what stands before them; larger ones are shared.
const COPIED_BYTES: usize = 16 * 1024;

/// How long the rest of a body that nobody wants may take: it is short, or not worth waiting for.
const DRAIN: Duration = Duration::from_secs(2);

pub(super) struct Connection {
    pub(super) transport: Transport,
    host: Weak<Host>,
    poke: Rc<dyn Fn()>,
    state: RefCell<State>,
}

/// What the reactor knows of a connection.
pub(super) struct HttpClient(pub(super) Rc<Connection>);

struct State {
    decoder: ResponseDecoder,
    current: Option<Current>,
    alarm: Alarm,
    /// It had a response before.
    is_used: bool,
    /// The server sends nothing more.
    has_ended: bool,
    /// The host does not count it any more.
    is_forgotten: bool,
    /// How long it may be idle, as far as the server says.
    keep_alive: Option<Duration>,
}

/// What is left to do once the state is not borrowed any more.
enum Then {
    Nothing,
    GiveBack,
    Forget,
}

impl Connection {
    pub(super) fn new(transport: &Transport, host: &Rc<Host>) -> Rc<Self> {
        let poked = transport.clone();
        Rc::new(Self {
            transport: transport.clone(),
            host: Rc::downgrade(host),
            poke: Rc::new(move || poked.call_soon(HttpClient::poked)),
            state: RefCell::new(State {
                decoder: ResponseDecoder::new(),
                current: None,
                alarm: Alarm::default(),
                is_used: false,
                has_ended: false,
                is_forgotten: false,
                keep_alive: None,
            }),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.transport.is_open()
    }

    /// Whether a response came over it before.
    pub(super) fn is_used(&self) -> bool {
        self.state.borrow().is_used
    }

    /// Ends it, in order.
    pub(super) fn close(&self) {
        self.transport.lose_connection();
    }

    /// Nobody uses it now.
    pub(super) fn give_back(self: &Rc<Self>) {
        match self.host.upgrade() {
            Some(host) => host.returned(Rc::clone(self)),
            None => self.close(),
        }
    }

    /// Begins an exchange: `send` writes the head, and what of the body is there, and gives what is left to be sent.
    pub(super) fn begin(
        self: &Rc<Self>,
        mut current: Current,
        send: impl FnOnce(
            &mut ResponseDecoder,
            &mut Vec<u8>,
        ) -> Result<ClientExchange<'static>, SendError>,
    ) -> Result<Deferred<Answer>, SendError> {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let decoder = &mut state.decoder;
        current.wire = self.transport.write_with(|out| send(decoder, out))?;
        let (answer, resolver) = Deferred::new(self.transport.reactor());
        current.expect(resolver, &self.poke);
        state.current = Some(current);
        state.watch(&self.transport);
        Ok(answer)
    }

    /// The request is not wanted any more, whatever has come of it.
    pub(super) fn abandon(&self) {
        let current = self.state.borrow_mut().current.take();
        if current.is_some() {
            self.transport.abort_connection();
        }
    }

    /// The user has the connection now: what has come that was not read yet.
    pub(super) fn take_over(&self) -> Vec<u8> {
        let mut state = self.state.borrow_mut();
        state.alarm.stop();
        state.decoder.take_rest()
    }

    // ── The body of the request ─────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn set_upload(&self, task: Canceller) {
        if let Some(current) = &mut self.state.borrow_mut().current {
            current.upload = Some(task);
        }
    }

    /// Whether the server said to go on, where it was asked; fails when the exchange is over.
    pub(super) fn poll_go_ahead(&self, context: &Context<'_>) -> Poll<Result<(), BodyError>> {
        self.poll_upload(context, |current| !current.wire.is_waiting())
    }

    /// Whether there is room for more.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<Result<(), BodyError>> {
        self.poll_upload(context, |current| !current.is_full)
    }

    fn poll_upload(
        &self,
        context: &Context<'_>,
        is_ready: impl FnOnce(&Current) -> bool,
    ) -> Poll<Result<(), BodyError>> {
        match &mut self.state.borrow_mut().current {
            None => Poll::Ready(Err(BodyError::Cut)),
            Some(current) if is_ready(current) => Poll::Ready(Ok(())),
            Some(current) => {
                current.uploader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn send_chunk(&self, chunk: &Bytes) -> Result<(), AgentProblem> {
        let mut state = self.state.borrow_mut();
        let Some(current) = &mut state.current else {
            return Err(BodyError::Cut.into());
        };
        let (wire, transport) = (&mut current.wire, &self.transport);
        if chunk.len() <= COPIED_BYTES {
            transport.write_with(|out| wire.send_body(chunk, out))?;
        } else {
            let length = chunk.len() as u64;
            let behind = transport.write_with(|out| wire.send_body_apart(length, out))?;
            transport.write_owned(chunk.clone());
            transport.write(behind);
        }
        Ok(())
    }

    pub(super) fn send_end(self: &Rc<Self>, trailers: &Headers) -> Result<(), AgentProblem> {
        let then = {
            let mut state = self.state.borrow_mut();
            let Some(current) = &mut state.current else {
                return Ok(());
            };
            let wire = &mut current.wire;
            self.transport
                .write_with(|out| wire.send_trailers(trailers.iter(), out))?;
            current.upload = None;
            current.is_uploading = false;
            state.watch(&self.transport);
            state.settle(self)
        };
        self.carry_out(then);
        Ok(())
    }

    /// The body of the request cannot be sent: the server must see that it is not whole.
    pub(super) fn fail_upload(&self, problem: AgentProblem) {
        let current = self.state.borrow_mut().current.take();
        if let Some(mut current) = current {
            current.upload = None; // it is the one that says so
            current.fail(problem, &BodyError::Cut);
            self.transport.abort_connection();
        }
    }

    // ── What the reactor tells ──────────────────────────────────────────────────────────────────────────────────────

    fn read(self: &Rc<Self>, data: &[u8]) {
        let then = self.state.borrow_mut().read(data, self);
        self.carry_out(then);
    }

    fn eof(self: &Rc<Self>) {
        let then = {
            let mut state = self.state.borrow_mut();
            state.has_ended = true;
            drop(state.decoder.receive_eof()); // what there is is read with all else
            state.read(&[], self)
        };
        self.carry_out(then);
        if self.state.borrow().current.is_none() {
            self.transport.lose_connection();
        }
    }

    fn lost(self: &Rc<Self>, reason: &Reason) {
        let current = {
            let mut state = self.state.borrow_mut();
            state.alarm.stop();
            state.read_the_rest(self);
            state.current.take()
        };
        if let Some(mut current) = current {
            let problem = AgentProblem::Lost {
                peer: self.transport.peer().to_string(),
                reason: reason.to_string(),
                has_heard: current.has_heard,
            };
            current.fail(problem, &BodyError::Cut);
        }
        self.carry_out(Then::Forget);
    }

    fn overdue(&self) {
        let current = {
            let mut state = self.state.borrow_mut();
            if !state.alarm.rang(&self.transport) {
                return;
            }
            if state.is_sending(&self.transport) {
                return state.watch_anew(&self.transport);
            }
            state.current.take()
        };
        let Some(mut current) = current else {
            return self.close(); // idle for long enough
        };
        let (phase, after) = current.overdue(self.transport.reactor().now());
        current.fail(AgentProblem::TimedOut(phase, after), &BodyError::TooSlow);
        self.transport.abort_connection();
    }

    fn set_full(&self, is_full: bool) {
        if let Some(current) = &mut self.state.borrow_mut().current {
            current.is_full = is_full;
            current.wake_uploader();
        }
    }

    fn carry_out(self: &Rc<Self>, then: Then) {
        match then {
            Then::Nothing => {}
            Then::GiveBack => self.give_back(),
            Then::Forget => {
                let was_forgotten =
                    std::mem::replace(&mut self.state.borrow_mut().is_forgotten, true);
                if !was_forgotten && let Some(host) = self.host.upgrade() {
                    host.lost(self);
                }
            }
        }
    }
}

impl State {
    /// Reads what there is, as far as somebody wants it.
    fn read(&mut self, data: &[u8], connection: &Rc<Connection>) -> Then {
        let transport = &connection.transport;
        if let Some(current) = &mut self.current {
            current.has_heard |= !data.is_empty();
        }
        let mut input = self.decoder.receive(data);
        let mut broken = None;
        loop {
            if self.current.as_ref().is_some_and(Current::is_held_up) {
                break;
            }
            match input.next_event() {
                None => break,
                Some(Err(error)) => {
                    broken = Some(error);
                    break;
                }
                Some(Ok(event)) => {
                    let Some(current) = &mut self.current else {
                        break;
                    };
                    current.received(&event, connection);
                    if current.wire.after() != AfterExchange::Busy {
                        break;
                    }
                }
            }
        }
        drop(input);
        if let Some(error) = broken {
            if let Some(mut current) = self.current.take() {
                let why = BodyError::Malformed(error.to_string());
                current.fail_malformed(error, &why, transport);
            }
            transport.abort_connection();
            return Then::Nothing;
        }
        self.settle(connection)
    }

    /// Where the exchange is, now that something has happened.
    fn settle(&mut self, connection: &Rc<Connection>) -> Then {
        let transport = &connection.transport;
        let Some(current) = &mut self.current else {
            return Then::Nothing;
        };
        match current.wire.after() {
            AfterExchange::Busy | AfterExchange::Drain => {
                if current.is_drained_enough() {
                    self.current = None;
                    transport.abort_connection();
                    return Then::Nothing;
                }
                let is_held_up = current.is_held_up() || !current.is_wanted();
                if is_held_up != transport.is_reading_paused() {
                    match is_held_up {
                        true => transport.pause_reading(),
                        false => transport.resume_reading(),
                    }
                }
                self.watch(transport);
                Then::Nothing
            }
            AfterExchange::Reuse if !self.has_ended && self.decoder.buffered() == 0 => {
                self.keep_alive = current.keep_alive.or(self.keep_alive);
                self.current = None;
                self.is_used = true;
                if transport.is_reading_paused() {
                    transport.resume_reading();
                }
                self.watch_idle(connection);
                Then::GiveBack
            }
            // Also if something stands behind the response: nobody asked for it, and the next must not take it for its own.
            AfterExchange::Reuse | AfterExchange::Close => {
                current.end_upload();
                self.current = None;
                self.alarm.stop();
                transport.lose_connection();
                Then::Nothing
            }
            AfterExchange::Switch => {
                self.current = None;
                self.alarm.stop();
                transport.pause_reading();
                Then::Forget
            }
        }
    }

    /// The connection is gone: what came before is still read, whoever waits for it.
    fn read_the_rest(&mut self, connection: &Rc<Connection>) {
        let mut input = self.decoder.receive(&[]);
        while let (Some(current), Some(Ok(event))) = (&mut self.current, input.next_event()) {
            current.received(&event, connection);
            if current.wire.after() != AfterExchange::Busy {
                self.current = None;
            }
        }
    }

    /// Sets the deadline of what the exchange is at.
    fn watch(&mut self, transport: &Transport) {
        let Some(current) = &mut self.current else {
            return;
        };
        let now = transport.reactor().turn_time();
        let stage = match current.stage() {
            Stage::Waiting if std::mem::replace(&mut current.is_timed, true) => return,
            Stage::Waiting => Some(now + current.limits.first_byte),
            Stage::Draining if std::mem::replace(&mut current.is_draining, true) => return,
            Stage::Draining => Some(now + DRAIN.min(current.limits.body_idle)),
            Stage::Reading => Some(now + current.limits.body_idle),
            Stage::Held => None,
        };
        let due = match (stage, current.total_due) {
            (Some(stage), Some(total)) => Some(stage.min(total)),
            (stage, total) => stage.or(total),
        };
        self.alarm.set(due, transport);
    }

    /// Whether the server cannot answer yet, as it has not all of the request; how long it takes none is for `write_stall` to judge.
    fn is_sending(&self, transport: &Transport) -> bool {
        let now = transport.reactor().now();
        let waits = |current: &Current| {
            let is_over = current.total_due.is_some_and(|due| due <= now);
            !is_over && matches!(current.stage(), Stage::Waiting)
        };
        self.current.as_ref().is_some_and(waits) && transport.unsent_bytes() > 0
    }

    /// Gives the server its whole time once more.
    fn watch_anew(&mut self, transport: &Transport) {
        if let Some(current) = &mut self.current {
            current.is_timed = false;
        }
        self.watch(transport);
    }

    fn watch_idle(&mut self, connection: &Connection) {
        let Some(pool) = connection
            .host
            .upgrade()
            .and_then(|host| host.pool.upgrade())
        else {
            return;
        };
        let most = pool.limits.idle;
        let time = self.keep_alive.map_or(most, |told| told.min(most));
        let due = connection.transport.reactor().turn_time() + time;
        self.alarm.set(Some(due), &connection.transport);
    }
}

impl HttpClient {
    pub(super) fn alarm_rang(&mut self, _: &Transport) {
        self.0.overdue();
    }

    /// The reader of a body began, emptied it, or is gone.
    fn poked(&mut self, _: &Transport) {
        self.0.read(&[]);
    }
}

impl Protocol for HttpClient {
    fn connection_made(&mut self, _: &Transport) {
        if let Some(host) = self.0.host.upgrade() {
            self.0.state.borrow_mut().watch_idle(&self.0);
            host.connected(Rc::clone(&self.0));
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.0.read(data);
    }

    /// An idle connection that the server closes leaves the pool at once; a response may end so, or be cut.
    fn eof_received(&mut self, _: &Transport) {
        self.0.eof();
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.0.set_full(true);
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.0.set_full(false);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &Reason) {
        self.0.lost(reason);
    }

    fn name(&self) -> &'static str {
        "HttpClient"
    }
}
