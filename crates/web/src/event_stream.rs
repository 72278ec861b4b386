//! Server-sent events to one client.
//!
//! ```text
//!   send ── push ──► exchange ── transport ──► client      more than a limit waits: the client is dropped
//!   heartbeat: a comment, when nothing was sent for 15 s   so that proxies keep the connection, and a dead one is seen
//! ```

use std::cell::RefCell;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use ropewalk_core::Handle;
use ropewalk_core::timer::DelayedCall;
use ropewalk_grammar::http1::{Method, Name};

use crate::body_error::BodyError;
use crate::event::Event;
use crate::reply::Reply;
use crate::request::Request;
use crate::responder::BodySender;
use crate::response::Response;

/// How events are sent to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventLimits {
    /// After how long without an event a comment is sent: 15 s, as most proxies cut what is silent for a minute.
    pub heartbeat: Duration,
    /// How many bytes may wait for a client; one that reads more slowly is dropped, comes back by itself, and is sent what it missed if there is
    /// a history: 1 MiB. Against those who listen and do not read.
    pub unsent_bytes: usize,
}

impl Default for EventLimits {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(15),
            unsent_bytes: 1024 * 1024,
        }
    }
}

/// Sends events to one client, for as long as it listens; a browser whose stream ends comes back by itself. Dropping it ends the stream,
/// and so does a site that stops.
///
/// For one event to many clients see [`EventTopic`](crate::EventTopic).
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Event, EventStream, Request, Router, Site};
///
/// let events = |request: &Request| {
///     EventStream::open(request, |stream| {
///         let _listens = stream.send(&Event::new("hello"));
///         // … and kept for what comes later; here it ends.
///     })
/// };
/// let mut client = StringTransport::builder().factory(Site::new(Router::new().get("/events", events)));
/// client.receive("GET /events HTTP/1.0\r\n\r\n");
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\ndata: hello\n\n"));
/// ```
pub struct EventStream(Rc<RefCell<State>>);

struct State {
    sender: Option<BodySender>,
    limits: EventLimits,
    heartbeat: Option<DelayedCall>,
}

impl EventStream {
    /// Answers a request with a stream of events, which `call` is given.
    pub fn open(request: &Request, call: impl FnOnce(Self)) -> Reply {
        Self::open_within(request, EventLimits::default(), call)
    }

    /// The same with limits of your own.
    pub fn open_within(request: &Request, limits: EventLimits, call: impl FnOnce(Self)) -> Reply {
        let head = head();
        if request.head().method() == Method::Head {
            return head.into();
        }
        request.respond_later(|responder| {
            let sender = Some(responder.respond_in_pieces(head));
            let reactor = request.reactor();
            let state = State {
                sender,
                limits,
                heartbeat: None,
            };
            let stream = Self(Rc::new(RefCell::new(state)));
            let ending = Rc::downgrade(&stream.0);
            request.on_shutting_down(move || {
                if let Some(state) = ending.upgrade() {
                    state.borrow_mut().end();
                }
            });
            beat(&stream.0, reactor);
            call(stream);
        })
    }

    /// Sends an event.
    ///
    /// # Errors
    ///
    /// [`BodyError::Cut`]: the client is gone. [`BodyError::TooSlow`]: it reads too slowly, and is dropped.
    pub fn send(&self, event: &Event) -> Result<(), BodyError> {
        self.send_bytes(event.to_bytes())
    }

    pub(crate) fn send_bytes(&self, bytes: Bytes) -> Result<(), BodyError> {
        self.0.borrow_mut().send(bytes)
    }

    /// Whether the client still listens.
    pub fn is_open(&self) -> bool {
        let state = self.0.borrow();
        let sender = state.sender.as_ref();
        sender.is_some_and(|sender| !sender.request().is_abandoned())
    }

    /// The last event that the client had, if it comes back and says so.
    pub fn last_event_id(request: &Request) -> Option<&str> {
        request.header("Last-Event-ID").filter(|id| !id.is_empty())
    }
}

impl State {
    fn send(&mut self, bytes: Bytes) -> Result<(), BodyError> {
        let sender = self.sender.as_mut().ok_or(BodyError::Cut)?;
        sender.push(bytes)?;
        if sender.unsent_bytes() > self.limits.unsent_bytes {
            if let Some(sender) = self.sender.take() {
                let unsent_bytes = sender.unsent_bytes();
                tracing::debug!(request = ?sender.request(), unsent_bytes, "a client reads its events too slowly, and is dropped");
                sender.drop_client();
            }
            return Err(BodyError::TooSlow);
        }
        if let Some(heartbeat) = &self.heartbeat {
            let _it_may_be_beating_now = heartbeat.reset(self.limits.heartbeat);
        }
        Ok(())
    }
}

impl State {
    fn end(&mut self) {
        if let Some(heartbeat) = self.heartbeat.take() {
            let _it_may_be_over = heartbeat.cancel();
        }
        if let Some(sender) = self.sender.take() {
            sender.finish();
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.end();
    }
}

fn head() -> Response {
    let mut head = Response::empty(http::StatusCode::OK).with_type("text/event-stream");
    let headers = head.headers_mut();
    headers.replace(
        Name::CacheControl.into(),
        HeaderValue::from_static("no-store"),
    );
    // nginx collects responses unless it is told not to.
    let unbuffered = headers.set("X-Accel-Buffering", HeaderValue::from_static("no"));
    unbuffered.expect("it is a name");
    head
}

/// Sends a comment when nothing was sent for long enough, and again.
fn beat(state: &Rc<RefCell<State>>, reactor: &Handle) {
    let weak: Weak<RefCell<State>> = Rc::downgrade(state);
    let after = state.borrow().limits.heartbeat;
    let call = reactor.call_later(after, move |reactor: &Handle| {
        let Some(state) = weak.upgrade() else { return };
        let sent = state.borrow_mut().send(Bytes::from_static(b":\n\n"));
        if sent.is_ok() {
            beat(&state, reactor);
        }
    });
    state.borrow_mut().heartbeat = Some(call);
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream")
            .field("is_open", &self.is_open())
            .finish_non_exhaustive()
    }
}
