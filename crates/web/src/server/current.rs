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
    /// None as soon as nothing more of it is to come.
    receiving: Option<Box<Receiving>>,
    pub(super) switch: Switch,
    pub(super) record: Record,
}

/// A body on its way.
struct Receiving {
    body: Incoming,
    /// Bytes since it was last looked at.
    fresh_bytes: u64,
    /// Bytes that nobody read.
    dropped_bytes: u64,
}

/// Whether the connection is to speak another protocol.
pub(super) enum Switch {
    No,
    /// The response says so, and waits for the end of the request: 101.
    Waiting(Box<Response>),
    /// The response is sent; whose the connection is to be.
    Agreed(Box<dyn Protocol>),
}

impl Current {
    pub(super) fn new(
        request: Request,
        wire: ServerExchange,
        body: Option<Incoming>,
        record: Record,
    ) -> Self {
        let receiving = |body| {
            Box::new(Receiving {
                body,
                fresh_bytes: 0,
                dropped_bytes: 0,
            })
        };
        Self {
            request,
            wire,
            receiving: body.map(receiving),
            switch: Switch::No,
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

    /// Whether nothing more of the connection may be read for now.
    pub(super) fn is_held_up(&self) -> bool {
        self.wire.is_received() || self.body_is_full()
    }

    /// Whether more waits of the body than its reader takes.
    pub(super) fn body_is_full(&self) -> bool {
        let receiving = self.receiving.as_deref();
        receiving.is_some_and(|receiving| self.is_read(receiving) && receiving.body.is_full())
    }

    /// Whether so much was read that nobody wanted that closing is cheaper (H1-13).
    pub(super) fn is_drained_enough(&self, limits: &SiteLimits) -> bool {
        let receiving = self.receiving.as_deref();
        receiving.is_some_and(|receiving| receiving.dropped_bytes > limits.drain_bytes)
    }

    /// How many bytes of the body have come since this was last asked.
    pub(super) fn take_fresh_bytes(&mut self) -> u64 {
        let receiving = self.receiving.as_deref_mut();
        receiving.map_or(0, |receiving| std::mem::take(&mut receiving.fresh_bytes))
    }

    /// What comes behind the head.
    pub(super) fn received(&mut self, event: &Event<'_, http1::Request>) {
        self.wire.received(event);
        let Some(mut receiving) = self.receiving.take() else {
            return;
        };
        match event {
            Event::Head(_) => {}
            Event::Body(data) => {
                receiving.fresh_bytes += data.len() as u64;
                match self.is_read(&receiving) {
                    true => receiving.body.push(data),
                    false => receiving.dropped_bytes += data.len() as u64,
                }
            }
            Event::Trailers(fields) => {
                let mut trailers = Headers::new();
                for field in fields.iter() {
                    let _unsendable_is_left_out = trailers.append(field.name, field.value);
                }
                receiving.body.finish(trailers);
            }
            Event::End => return receiving.body.finish(Headers::new()),
        }
        self.receiving = Some(receiving);
    }

    /// Whether somebody may read the body yet.
    fn is_read(&self, receiving: &Receiving) -> bool {
        !self.wire.is_answered() || !receiving.body.is_abandoned(self.request.is_held())
    }

    /// Whether the client waits for a go-ahead, and somebody wants its body.
    pub(super) fn must_go_ahead(&self) -> bool {
        let receiving = self.receiving.as_deref();
        self.wire.is_waiting() && receiving.is_some_and(|receiving| receiving.body.is_wanted())
    }

    pub(super) fn fail_body(&self, error: BodyError) {
        if let Some(receiving) = &self.receiving {
            receiving.body.fail(error);
        }
    }
}
