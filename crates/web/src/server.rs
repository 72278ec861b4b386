//! HTTP/1.1 on a connection, seen from the server.
//!
//! ```text
//!   data_received ─► decoder ─► Head ─► request, down the tree ─► reply ─┐
//!                        ▲      Body ─► incoming body                    │
//!                        │ held up: not answered, nobody reads           ▼
//!   pump ────────────────┴── orders of handles ──────────────────► bytes, in order
//! ```
//!
//! One request at a time (R129): the next is not even looked at before the one before is answered; its bytes wait in the
//! decoder, and beyond 16 KiB in the client (R130).

mod answer;
mod current;
mod record;
mod stage;

use std::rc::Rc;

use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::http1::{AfterExchange, Event, Http1Error, RequestDecoder};

pub(crate) use self::answer::deliver;
use self::current::{Current, Switch};
pub(crate) use self::record::AccessRecorder;
use self::stage::{Clock, Stage};
use crate::body_error::BodyError;
use crate::request::Request;
use crate::site::SiteShared;

/// How much may wait behind a request that is not answered before the connection stops reading (R130).
const AHEAD_BYTES: usize = 16 * 1024;

/// How many requests that came in one piece are answered in one turn. Against one who sends thousands at once and keeps all others waiting.
const TURN_REQUESTS: usize = 64;

/// The protocol of a connection of a [`Site`](crate::Site).
pub(crate) struct HttpServer {
    decoder: RequestDecoder,
    stream: Stream,
    /// It has had its share of this turn, and goes on in the next.
    is_queued: bool,
}

/// All but the decoder, whose events borrow it.
struct Stream {
    site: Rc<SiteShared>,
    current: Option<Current>,
    /// The memory of the request before, while the connection is read: often the next is the same.
    spare: Option<Request>,
    clock: Clock,
    /// No further request is read: what was sent says so, or the client broke the rules.
    is_closing: bool,
    /// The client sends no more; what has come is still answered.
    has_ended: bool,
    /// The connection is one too many: its first request is answered 503, and it ends.
    is_surplus: bool,
}

/// What to do after an event.
#[derive(PartialEq)]
enum Then {
    GoOn,
    /// The response is out: the next request may come.
    Next,
    Stop,
    Switch,
}

impl HttpServer {
    pub(crate) fn new(site: &Rc<SiteShared>) -> Self {
        Self {
            is_queued: false,
            decoder: RequestDecoder::new(),
            stream: Stream {
                site: Rc::clone(site),
                current: None,
                spare: None,
                clock: Clock::default(),
                is_closing: false,
                has_ended: false,
                is_surplus: site.load.is_over(&site.limits),
            },
        }
    }

    /// Does what handles have ordered, and reads on.
    pub(crate) fn carry_out(&mut self, transport: &Transport) {
        self.stream.carry_out(transport);
        self.read(transport, &[]);
    }

    fn read(&mut self, transport: &Transport, data: &[u8]) {
        self.answer_all(transport, data);
        if let Some(spare) = self.stream.spare.take() {
            self.stream.site.recycle(spare);
        }
    }

    fn answer_all(&mut self, transport: &Transport, data: &[u8]) {
        let stream = &mut self.stream;
        let mut input = self.decoder.receive(data);
        let mut then = stream.settle(transport);
        let mut left = TURN_REQUESTS;
        loop {
            match then {
                Then::Next => {
                    input.decoder().resume();
                    left -= 1;
                }
                Then::Switch => return stream.switch(transport, input.take_rest()),
                Then::Stop => return drop(input.take_rest()),
                Then::GoOn => {}
            }
            if stream.is_held_up() || !transport.wants_data() {
                break;
            }
            if left == 0 {
                if !std::mem::replace(&mut self.is_queued, true) {
                    transport.call_soon(Self::read_on);
                }
                break;
            }
            match input.next_event() {
                Some(Ok(event)) => {
                    let is_head = matches!(event, Event::Head(_));
                    stream.event(&event, transport);
                    if is_head {
                        input.take_end();
                    }
                }
                Some(Err(error)) => stream.refuse(&error, transport),
                None if stream.has_ended => stream.end(transport),
                None => break,
            }
            then = stream.settle(transport);
        }
        drop(input);
        self.hold_back(transport);
        let stage = self.stage();
        self.stream.enter(stage, transport);
    }

    fn read_on(&mut self, transport: &Transport) {
        self.is_queued = false;
        self.read(transport, &[]);
    }

    /// Stops reading while too much waits, and goes on when it does not.
    fn hold_back(&self, transport: &Transport) {
        let is_held_up = self.is_queued || self.stream.is_held_up();
        let is_ahead = is_held_up && self.decoder.buffered() > AHEAD_BYTES;
        if is_ahead && !transport.is_reading_paused() {
            transport.pause_reading();
        } else if !is_ahead && transport.is_reading_paused() {
            transport.resume_reading();
        }
    }

    fn stage(&self) -> Stage {
        match &self.stream.current {
            None if self.decoder.is_idle() => Stage::Idle,
            None => Stage::Head,
            Some(current) if !current.wire.is_received() => Stage::Body,
            Some(_) => Stage::Answering,
        }
    }

    fn head_overdue(&mut self, transport: &Transport) {
        if self.stream.current.is_none() && !self.decoder.is_idle() {
            self.stream
                .answer_early(http::StatusCode::REQUEST_TIMEOUT, transport);
        }
    }
}

impl Stream {
    /// Whether no event may be told now: the request is here and not answered, or its body waits to be read.
    fn is_held_up(&self) -> bool {
        self.is_closing || self.current.as_ref().is_some_and(Current::is_held_up)
    }

    fn event(
        &mut self,
        event: &Event<'_, ropewalk_grammar::http1::Request>,
        transport: &Transport,
    ) {
        if let Event::Head(head) = event {
            return self.begin(head, transport);
        }
        let Some(current) = &mut self.current else {
            return;
        };
        current.received(event);
        if let (Event::End, Switch::Waiting(_)) = (event, &current.switch)
            && let Switch::Waiting(mut response) =
                std::mem::replace(&mut current.switch, Switch::No)
        {
            self.respond(&mut response, transport);
        }
    }

    /// Where the exchange is, now that something has happened.
    fn settle(&mut self, transport: &Transport) -> Then {
        let Some(current) = &self.current else {
            return if self.is_closing {
                Then::Stop
            } else {
                Then::GoOn
            };
        };
        match current.wire.after() {
            AfterExchange::Busy => Then::GoOn,
            AfterExchange::Drain if !current.is_drained_enough(&self.site.limits) => Then::GoOn,
            AfterExchange::Drain | AfterExchange::Close => {
                self.finish();
                self.is_closing = true;
                transport.lose_connection();
                Then::Stop
            }
            AfterExchange::Reuse => {
                self.finish();
                if transport.is_shutting_down() {
                    self.is_closing = true;
                    transport.lose_connection();
                    return Then::Stop;
                }
                Then::Next
            }
            AfterExchange::Switch => Then::Switch,
        }
    }

    fn finish(&mut self) {
        if let Some(mut current) = self.current.take() {
            self.leave(&current);
            current.request.0.exchange.finish();
            if current.request.clear() {
                self.spare = Some(current.request);
            }
        }
    }

    /// The request is over, for the log and for the limits.
    fn leave(&self, current: &Current) {
        self.record(current);
        let client = || current.request.client();
        self.site.load.leave(client, &self.site.limits);
    }

    fn switch(&mut self, transport: &Transport, unread: Vec<u8>) {
        let current = self.current.as_mut();
        let switch = current.map(|current| std::mem::replace(&mut current.switch, Switch::No));
        self.finish();
        self.clock.stop(transport);
        if let Some(Switch::Agreed(protocol)) = switch {
            transport.switch_protocol(protocol, unread);
        }
    }

    /// The client broke the rules of HTTP (R132).
    fn refuse(&mut self, error: &Http1Error, transport: &Transport) {
        tracing::debug!(peer = %transport.peer(), %error, "a request was refused");
        let status = http::StatusCode::from_u16(error.status());
        let status = status.unwrap_or(http::StatusCode::BAD_REQUEST);
        match &self.current {
            None => self.answer_early(status, transport),
            Some(_) => self.break_off(&BodyError::Malformed(error.to_string()), status, transport),
        }
    }

    /// All is answered that came whole; what did not will never be.
    fn end(&mut self, transport: &Transport) {
        self.give_up();
        self.is_closing = true;
        transport.lose_connection();
    }

    /// The client leaves: nobody will get an answer.
    fn give_up(&mut self) {
        if let Some(current) = self.current.take() {
            self.leave(&current);
            current.fail_body(BodyError::Cut);
            current.request.0.exchange.give_up(|| BodyError::Cut.into());
        }
    }
}

impl Protocol for HttpServer {
    fn connection_made(&mut self, transport: &Transport) {
        self.stream.clock.begin(&self.stream.site.limits, transport);
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.read(transport, data);
    }

    fn reading_resumed(&mut self, transport: &Transport) {
        self.read(transport, &[]);
    }

    /// A client that sends no more may still wait for its answer.
    fn eof_received(&mut self, transport: &Transport) {
        self.stream.has_ended = true;
        self.read(transport, &[]);
    }

    fn writing_paused(&mut self, transport: &Transport) {
        self.stream.watch_reader(transport);
        if let Some(current) = &self.stream.current {
            current.request.0.exchange.set_full(true);
        }
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.stream.clock.forget_reader();
        if let Some(current) = &self.stream.current {
            current.request.0.exchange.set_full(false);
            current.request.0.exchange.wake();
        }
    }

    fn timed_out(&mut self, transport: &Transport) {
        transport.lose_after_timeout();
    }

    fn shutting_down(&mut self, transport: &Transport) {
        match &mut self.stream.current {
            Some(current) => {
                current.wire.close();
                current.request.0.exchange.stop();
            }
            None if self.decoder.is_idle() => transport.lose_connection(),
            None => {}
        }
    }

    fn is_idle(&mut self, _: &Transport) -> bool {
        self.stream.current.is_none() && self.decoder.is_idle()
    }

    fn connection_lost(&mut self, transport: &Transport, _: &Reason) {
        self.stream.give_up();
        self.stream.clock.stop(transport);
    }

    fn name(&self) -> &'static str {
        "Http"
    }
}
