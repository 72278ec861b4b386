//! Server-sent events to all who listen, with what they missed.
//!
//! ```text
//!   publish ──► history, bounded ──┐ those behind Last-Event-ID
//!          └──► stream, stream, …  └──► stream of one who comes back
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use bytes::Bytes;
use ropewalk_core::Handle;

use crate::event::Event;
use crate::event_stream::{EventLimits, EventStream};
use crate::reply::Reply;
use crate::request::Request;

/// A topic that clients listen to. It keeps the last events, so that one whose connection broke gets what it missed. Clones are the same
/// topic.
///
/// How many may listen is bounded by how many connections the port may have ([`Limits`](ropewalk_core::Limits)).
///
/// ```
/// use ropewalk_testing::StringTransport;
/// use ropewalk_web::{Event, EventTopic, Request, Router, Site};
/// # let reactor = ropewalk_testing::Clock::new();
///
/// let news = EventTopic::new(&reactor);
/// let listen = news.clone();
/// let router = Router::new().get("/news", move |request: &Request| listen.subscribe(request));
/// let mut client = StringTransport::builder().factory(Site::new(router));
/// news.publish(Event::new("before").with_id("1")?);
/// client.receive("GET /news HTTP/1.0\r\nLast-Event-ID: 0\r\n\r\n");
/// news.publish(Event::new("after").with_id("2")?);
/// client.settle();
/// assert!(client.take_sent().ends_with(b"\r\n\r\nid: 1\ndata: before\n\nid: 2\ndata: after\n\n"));
/// # Ok::<(), ropewalk_web::EventError>(())
/// ```
#[derive(Clone)]
pub struct EventTopic(Rc<RefCell<State>>);

struct State {
    /// Begins the ids, so that those of an earlier run of this program are none of ours.
    run: String,
    published: u64,
    history: VecDeque<Kept>,
    history_bytes: usize,
    most_events: usize,
    most_bytes: usize,
    limits: EventLimits,
    streams: Vec<EventStream>,
}

struct Kept {
    id: Box<str>,
    bytes: Bytes,
}

impl EventTopic {
    /// A topic that keeps up to 100 events and 256 KiB.
    pub fn new(reactor: &Handle) -> Self {
        let run = reactor
            .random_bytes::<4>()
            .map(|byte| format!("{byte:02x}"));
        Self(Rc::new(RefCell::new(State {
            run: run.concat(),
            published: 0,
            history: VecDeque::new(),
            history_bytes: 0,
            most_events: 100,
            most_bytes: 256 * 1024,
            limits: EventLimits::default(),
            streams: Vec::new(),
        })))
    }

    /// The same, keeping at most so many events and bytes of them; none if either is 0.
    #[must_use]
    pub fn with_history(self, events: usize, bytes: usize) -> Self {
        let mut state = self.0.borrow_mut();
        (state.most_events, state.most_bytes) = (events, bytes);
        state.forget();
        drop(state);
        self
    }

    /// The same, for those who come from now on, with other limits.
    #[must_use]
    pub fn with_limits(self, limits: EventLimits) -> Self {
        self.0.borrow_mut().limits = limits;
        self
    }

    /// Sends an event to all who listen, and keeps it. One without an id gets one.
    pub fn publish(&self, event: Event) {
        let mut state = self.0.borrow_mut();
        state.published += 1;
        let event = match event.id() {
            Some(_) => event,
            None => {
                let id = format!("{}-{}", state.run, state.published);
                event.with_id(&id).expect("the id has no line break")
            }
        };
        let bytes = event.to_bytes();
        // Those who are gone, or read too slowly, are forgotten.
        let streams = std::mem::take(&mut state.streams);
        state.keep(event.id().unwrap_or_default(), bytes.clone());
        drop(state);
        let listens = |stream: &EventStream| stream.send_bytes(bytes.clone()).is_ok();
        let streams = streams.into_iter().filter(listens).collect();
        self.0.borrow_mut().streams = streams;
    }

    /// Has a client listen. If it says by `Last-Event-ID` which event it had last, it is sent those behind that; if that one is forgotten,
    /// all that are kept.
    pub fn subscribe(&self, request: &Request) -> Reply {
        let limits = self.0.borrow().limits.clone();
        EventStream::open_within(request, limits, |stream| {
            let mut state = self.0.borrow_mut();
            state.streams.retain(EventStream::is_open);
            if let Some(last) = EventStream::last_event_id(request) {
                let missed = state.missed(last).concat();
                if !missed.is_empty() && stream.send_bytes(missed.into()).is_err() {
                    return;
                }
            }
            state.streams.push(stream);
        })
    }

    /// How many listen.
    pub fn subscribers(&self) -> usize {
        let state = self.0.borrow();
        state
            .streams
            .iter()
            .filter(|stream| stream.is_open())
            .count()
    }

    /// Ends the streams of all who listen; browsers come back.
    pub fn close(&self) {
        let streams = std::mem::take(&mut self.0.borrow_mut().streams);
        drop(streams);
    }
}

impl State {
    fn keep(&mut self, id: &str, bytes: Bytes) {
        self.history_bytes += bytes.len();
        self.history.push_back(Kept {
            id: id.into(),
            bytes,
        });
        self.forget();
    }

    fn forget(&mut self) {
        while self.history.len() > self.most_events || self.history_bytes > self.most_bytes {
            let Some(kept) = self.history.pop_front() else {
                return;
            };
            self.history_bytes -= kept.bytes.len();
        }
    }

    fn missed(&self, last: &str) -> Vec<&[u8]> {
        let seen = self.history.iter().rposition(|kept| *kept.id == *last);
        let missed = self.history.iter().skip(seen.map_or(0, |seen| seen + 1));
        missed.map(|kept| &kept.bytes[..]).collect()
    }
}

impl fmt::Debug for EventTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.borrow();
        f.debug_struct("EventTopic")
            .field("subscribers", &state.streams.len())
            .field("kept", &state.history.len())
            .finish_non_exhaustive()
    }
}
