//! The request that a connection is at.

use ropewalk_core::Protocol;
use ropewalk_grammar::http1::{self, Event, ServerExchange};

use super::record::Record;
use crate::body_error::BodyError;
use crate::headers::Headers;
use crate::incoming::Incoming;
use crate::request::Request;
use crate::response::Response;
use crate::site::SiteShared;
use crate::site_limits::SiteLimits;

/// A request that is not over.
pub(super) struct Current {
    pub(super) request: Request,
    pub(super) wire: ServerExchange,
    body: Option<Incoming>,
    has_ended: bool,
    /// Bytes of the body since it was last looked at.
    pub(super) fresh_bytes: u64,
    /// Bytes of the body that nobody read, and how many may be.
    dropped_bytes: u64,
    drain_bytes: u64,
    /// A response that must wait for the end of the request: 101.
    pub(super) waiting: Option<Box<Response>>,
    /// Whose the connection will be.
    pub(super) protocol: Option<Box<dyn Protocol>>,
    pub(super) record: Record,
}

impl Current {
    pub(super) fn new(
        request: Request,
        wire: ServerExchange,
        is_whole: bool,
        body: Option<Incoming>,
        limits: &SiteLimits,
        record: Record,
    ) -> Self {
        Self {
            request,
            wire,
            body,
            has_ended: is_whole,
            fresh_bytes: 0,
            dropped_bytes: 0,
            drain_bytes: limits.drain_bytes,
            waiting: None,
            protocol: None,
            record,
        }
    }

    /// Whether the site has room for one more request; it counts until it is over. A surplus connection has no second one.
    pub(super) fn is_admitted(&mut self, site: &SiteShared, is_surplus: bool) -> bool {
        let admits = (site.load).admits(|| self.request.client(), &site.limits);
        if is_surplus {
            self.wire.close();
        }
        admits && !is_surplus
    }

    /// So much of a body is sent, if it is seen at all.
    pub(super) fn count_sent(&mut self, bytes: usize) {
        if !self.wire.is_unseen() {
            self.record.sent_bytes += bytes as u64;
        }
    }

    /// Whether some of the request is still to come.
    pub(super) fn is_receiving(&self) -> bool {
        !self.has_ended
    }

    /// Whether nothing more of the connection may be read for now.
    pub(super) fn is_held_up(&self) -> bool {
        self.has_ended || self.body_is_full()
    }

    /// Whether more waits of the body than its reader takes.
    pub(super) fn body_is_full(&self) -> bool {
        self.reader().is_some_and(Incoming::is_full)
    }

    /// Whether so much was read that nobody wanted that closing is cheaper (H1-13).
    pub(super) fn is_drained_enough(&self) -> bool {
        self.dropped_bytes > self.drain_bytes
    }

    pub(super) fn received(&mut self, event: &Event<'_, http1::Request>) {
        self.wire.received(event);
        match event {
            Event::Head(_) => {}
            Event::Body(data) => {
                self.fresh_bytes += data.len() as u64;
                match self.reader() {
                    Some(body) => body.push(data),
                    None => self.dropped_bytes += data.len() as u64,
                }
            }
            Event::Trailers(fields) => {
                if let Some(body) = self.reader() {
                    let mut trailers = Headers::new();
                    for field in fields.iter() {
                        let _unsendable_is_left_out = trailers.append(field.name, field.value);
                    }
                    body.finish(trailers);
                }
            }
            Event::End => {
                self.has_ended = true;
                if let Some(body) = self.body.take() {
                    body.finish(Headers::new());
                }
            }
        }
    }

    /// The body, if somebody may read it yet.
    fn reader(&self) -> Option<&Incoming> {
        let body = self.body.as_ref()?;
        let is_over = self.wire.is_answered() && body.is_abandoned(self.request.is_held());
        (!is_over).then_some(body)
    }

    /// Whether the client waits for a go-ahead, and somebody wants its body.
    pub(super) fn must_go_ahead(&self) -> bool {
        self.wire.is_waiting() && self.body.as_ref().is_some_and(Incoming::is_wanted)
    }

    pub(super) fn fail_body(&self, error: BodyError) {
        if let Some(body) = &self.body {
            body.fail(error);
        }
    }
}
