//! The exchange that a connection is at.

use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use ropewalk_core::deferred::Canceller;
use ropewalk_core::{Resolver, Transport};
use ropewalk_grammar::http1::{
    BodyLength, ClientExchange, Event, Fields, Http1Error, KeptHead, Name, Response, ResponseHead,
    Rule,
};

use super::Decoding;
use super::agent_error::{AgentProblem, Carried, Phase};
use super::agent_limits::AgentLimits;
use super::connection::Connection;
use crate::body_error::BodyError;
use crate::headers::Headers;
use crate::incoming::{Feed, Incoming};

/// What is called with each interim response (1xx).
pub(super) type OnInterim = Rc<dyn Fn(StatusCode, &HeaderMap)>;

/// A response whose head is here.
pub(super) struct Answer {
    pub(super) head: KeptHead<Response>,
    pub(super) body: Incoming,
    /// The connection, if it speaks another protocol now.
    pub(super) switched: Option<Rc<Connection>>,
}

/// What the server, or our user, is at.
pub(super) enum Stage {
    /// We wait for the head.
    Waiting,
    /// We wait for more of the body.
    Reading,
    /// Nobody wants the rest of the body, which is read and dropped.
    Draining,
    /// Our side takes its time: the body of the request is on its way, or nobody reads that of the response.
    Held,
}

/// An exchange that is not over.
pub(super) struct Current {
    pub(super) wire: ClientExchange<'static>,
    pub(super) limits: Rc<AgentLimits>,
    /// When all must be over.
    pub(super) total_due: Option<Duration>,
    answer: Option<Resolver<Answer>>,
    poke: Option<Rc<dyn Fn()>>,
    /// None before the head.
    body: Option<Feed>,
    dropped_bytes: u64,
    /// Whether the time for the head runs: bytes of it do not lengthen it, or one a minute would never be too slow.
    pub(super) is_timed: bool,
    /// Whether the time to drain runs, which no byte lengthens either.
    pub(super) is_draining: bool,
    /// Whether a byte of the response has come.
    pub(super) has_heard: bool,
    /// How long the server says that it keeps idle connections.
    pub(super) keep_alive: Option<Duration>,
    /// Whether more of the body of the request is to be sent, and who does it.
    pub(super) is_uploading: bool,
    pub(super) upload: Option<Canceller>,
    pub(super) uploader: Option<Waker>,
    /// Whether too much waits to be sent.
    pub(super) is_full: bool,
    on_interim: Option<OnInterim>,
    decompresses: bool,
}

impl Current {
    pub(super) fn new(
        wire: ClientExchange<'static>,
        limits: Rc<AgentLimits>,
        total_due: Option<Duration>,
        on_interim: Option<OnInterim>,
        decompresses: bool,
        is_uploading: bool,
    ) -> Self {
        Self {
            wire,
            limits,
            total_due,
            answer: None,
            poke: None,
            body: None,
            dropped_bytes: 0,
            is_timed: false,
            is_draining: false,
            has_heard: false,
            keep_alive: None,
            is_uploading,
            upload: None,
            uploader: None,
            is_full: false,
            on_interim,
            decompresses,
        }
    }

    /// The request is sent, and `resolver` waits for the answer.
    pub(super) fn expect(&mut self, resolver: Resolver<Answer>, poke: &Rc<dyn Fn()>) {
        self.answer = Some(resolver);
        self.poke = Some(Rc::clone(poke));
    }

    pub(super) fn received(&mut self, event: &Event<'_, Response>, connection: &Rc<Connection>) {
        self.wire.received(event);
        match event {
            Event::Head(head) if head.is_interim() => self.interim(head, &connection.transport),
            Event::Head(head) => self.begin_body(head, connection),
            Event::Body(data) => match self.reader() {
                Some(body) => body.push(data),
                None => self.dropped_bytes += data.len() as u64,
            },
            Event::Trailers(fields) => {
                if let Some(body) = self.reader() {
                    body.finish(trailers_of(*fields));
                }
            }
            Event::End => {
                if let Some(body) = self.reader() {
                    body.finish(Headers::new());
                }
            }
        }
    }

    fn interim(&mut self, head: &ResponseHead<'_>, transport: &Transport) {
        self.is_timed = false; // the server works on it, and says so
        if !self.wire.is_waiting() {
            self.wake_uploader();
        }
        if let (Some(call), Ok(status)) = (&self.on_interim, StatusCode::from_u16(head.status())) {
            let (call, headers) = (Rc::clone(call), header_map(head.fields()));
            transport
                .reactor()
                .call_soon(move |_| call(status, &headers));
        }
    }

    fn begin_body(&mut self, head: &ResponseHead<'_>, connection: &Rc<Connection>) {
        self.keep_alive = head.value(Name::KeepAlive).and_then(timeout_of);
        self.wake_uploader();
        let body = match (head.body(), self.poke.take()) {
            (BodyLength::Empty | BodyLength::Known(0), _) | (_, None) => Incoming::empty(),
            (length, Some(poke)) => self.incoming(head, length, poke),
        };
        self.body = Some(body.feed());
        if let Some(answer) = self.answer.take() {
            let switched = head.is_switch().then(|| Rc::clone(connection));
            let head = head.keep();
            let _wanted_or_abandoned = answer.resolve(Answer {
                head,
                body,
                switched,
            });
        }
    }

    fn incoming(
        &self,
        head: &ResponseHead<'_>,
        length: BodyLength,
        poke: Rc<dyn Fn()>,
    ) -> Incoming {
        let encoding = head
            .value(Name::ContentEncoding)
            .filter(|_| self.decompresses);
        let most = self.limits.decompressed_bytes;
        let decoding = encoding.and_then(|encoding| Decoding::of(encoding, most));
        let known = match length {
            BodyLength::Known(length) => Some(length),
            _ => None,
        };
        let ends_with_connection = length == BodyLength::UntilClose;
        Incoming::of_response(known, ends_with_connection, decoding, poke)
    }

    /// The body, if anybody may read it.
    fn reader(&self) -> Option<Incoming> {
        self.body.as_ref()?.body()
    }

    /// Whether more of the body waits than its reader takes.
    pub(super) fn is_held_up(&self) -> bool {
        self.reader().is_some_and(|body| body.is_full())
    }

    /// Whether more is to be read from the socket: of the head, or of a body that somebody reads, or that is to be dropped.
    pub(super) fn is_wanted(&self) -> bool {
        self.reader().is_none_or(|body| body.is_wanted())
    }

    /// Whether so much was read that nobody wanted that another connection is cheaper.
    pub(super) fn is_drained_enough(&self) -> bool {
        let most = self.limits.drain_bytes;
        self.dropped_bytes > most || most == 0 && self.is_abandoned()
    }

    /// Whether the body is here, or some of it, and nobody can read it.
    fn is_abandoned(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.body().is_none())
    }

    pub(super) fn stage(&self) -> Stage {
        match &self.body {
            None if self.is_uploading => Stage::Held,
            None => Stage::Waiting,
            Some(_) if self.is_abandoned() => Stage::Draining,
            Some(_) if self.is_held_up() || !self.is_wanted() => Stage::Held,
            Some(_) => Stage::Reading,
        }
    }

    /// Which time is over.
    pub(super) fn overdue(&self, now: Duration) -> (Phase, Duration) {
        let total = self.limits.total.unwrap_or_default();
        match self.stage() {
            _ if self.total_due.is_some_and(|due| due <= now) => (Phase::Total, total),
            Stage::Reading | Stage::Draining => (Phase::Body, self.limits.body_idle),
            Stage::Waiting | Stage::Held => (Phase::FirstByte, self.limits.first_byte),
        }
    }

    pub(super) fn wake_uploader(&mut self) {
        if let Some(uploader) = self.uploader.take() {
            uploader.wake();
        }
    }

    /// The server does not want the rest of the request.
    pub(super) fn end_upload(&mut self) {
        if let Some(upload) = self.upload.take() {
            upload.cancel();
        }
    }

    /// There will be no response, or no more of it.
    pub(super) fn fail(&mut self, problem: AgentProblem, of_body: &BodyError) {
        self.end_upload();
        if let Some(body) = self.reader() {
            body.fail(of_body.clone());
        }
        if let Some(answer) = self.answer.take().filter(Resolver::is_wanted) {
            let _wanted_a_moment_ago = answer.fail(Carried(problem));
        }
    }

    /// The server broke a rule, or ended in the middle, which the grammar calls so, too.
    pub(super) fn fail_malformed(
        &mut self,
        error: Http1Error,
        why: &BodyError,
        transport: &Transport,
    ) {
        if error.rule() != Rule::Truncated {
            return self.fail(AgentProblem::Malformed(error), why);
        }
        let problem = AgentProblem::Lost {
            peer: transport.peer().to_string(),
            reason: "closed cleanly".to_owned(),
            has_heard: self.has_heard,
        };
        self.fail(problem, &BodyError::Cut);
    }
}

pub(super) fn header_map(fields: Fields<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for field in fields.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(field.value)) {
            map.append(name, value);
        }
    }
    map
}

fn trailers_of(fields: Fields<'_>) -> Headers {
    let mut trailers = Headers::new();
    for field in fields.iter() {
        let _unsendable_is_left_out = trailers.append(field.name, field.value);
    }
    trailers
}

/// `Keep-Alive: timeout=5`: a second less, as the server's clock runs already.
fn timeout_of(value: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parameters = text
        .split(',')
        .filter_map(|part| part.trim().split_once('='));
    let (_, seconds) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("timeout"))?;
    let seconds: u64 = seconds.trim_matches('"').parse().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1).min(86_400)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_alive_says_how_long() {
        let seconds = |text: &str| timeout_of(text.as_bytes()).map(|time| time.as_secs());
        assert_eq!(seconds("timeout=5, max=100"), Some(4));
        assert_eq!(seconds("max=100,Timeout=0"), Some(0));
        assert_eq!(seconds("timeout=99999999999"), Some(86_400));
        assert_eq!(seconds("timeout=x"), None);
        assert_eq!(seconds("5"), None);
    }
}
