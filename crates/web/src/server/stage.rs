//! How long a client may take for what it is at (R143).
//!
//! ```text
//!   First ──► Idle ──► Head ──► Body ──► Answering ──► Idle …
//!   10 s      75 s     30 s     240 B/s   no limit
//! ```
//!
//! A request that comes whole and is answered at once leaves the stage at Idle, so it touches no timer.
//!
//! Apart from the stage, a client is watched while so much waits for it that writing is paused: it must take some of it.

use http::StatusCode;
use ropewalk_core::Transport;
use ropewalk_core::timer::DelayedCall;

use super::{HttpServer, Stream};
use crate::body_error::BodyError;
use crate::site_limits::SiteLimits;

/// What the client is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has sent nothing yet.
    #[default]
    First,
    Idle,
    Head,
    Body,
    /// It waits for us.
    Answering,
}

#[derive(Default)]
pub(super) struct Clock {
    stage: Stage,
    timer: Option<DelayedCall>,
    reader: Option<Box<Reader>>,
}

/// A client for whom much waits.
struct Reader {
    timer: DelayedCall,
    /// What waited when it was last looked at, and what had been given to the connection by then.
    unsent_bytes: u64,
    given_bytes: u64,
}

impl Clock {
    pub(super) fn begin(&mut self, limits: &SiteLimits, transport: &Transport) {
        transport.set_timeout(Some(limits.first_byte));
    }

    pub(super) fn stop(&mut self, transport: &Transport) {
        transport.set_timeout(None);
        self.cancel();
        self.forget_reader();
    }

    /// The client has taken enough.
    pub(super) fn forget_reader(&mut self) {
        if let Some(reader) = self.reader.take() {
            let _done_already = reader.timer.cancel();
        }
    }

    fn cancel(&mut self) {
        if let Some(timer) = self.timer.take() {
            let _done_already = timer.cancel();
        }
    }
}

impl Stream {
    pub(super) fn enter(&mut self, stage: Stage, transport: &Transport) {
        if self.clock.stage == stage {
            return;
        }
        self.clock.stage = stage;
        self.clock.cancel();
        let limits = &self.site.limits;
        match stage {
            Stage::First => {}
            Stage::Idle => drop(transport.set_timeout(Some(limits.keep_alive))),
            Stage::Head => {
                transport.set_timeout(None);
                let overdue = transport.call_later(limits.head, HttpServer::head_overdue);
                self.clock.timer = Some(overdue);
            }
            Stage::Body => {
                transport.set_timeout(None);
                self.watch_body(transport);
            }
            Stage::Answering => drop(transport.set_timeout(None)),
        }
    }

    /// Looks from time to time whether enough of the body comes.
    fn watch_body(&mut self, transport: &Transport) {
        let window = self.site.limits.body_window;
        let look = |this: &mut HttpServer, transport: &Transport| {
            this.stream.look_at_body(transport);
            this.read(transport, &[]);
        };
        self.clock.timer = Some(transport.call_later(window, look));
    }

    fn look_at_body(&mut self, transport: &Transport) {
        let limits = &self.site.limits;
        let least = limits.body_rate * limits.body_window.as_secs();
        let Some(current) = &mut self.current else {
            return;
        };
        let is_ours =
            current.body_is_full() || current.wire.is_waiting() || !transport.wants_data();
        let fresh = current.take_fresh_bytes();
        if !current.wire.is_received() && !is_ours && fresh < least {
            let (error, status) = (BodyError::TooSlow, StatusCode::REQUEST_TIMEOUT);
            return self.break_off(&error, status, transport);
        }
        self.watch_body(transport);
    }
    /// Looks from time to time whether enough is taken of what waits.
    pub(super) fn watch_reader(&mut self, transport: &Transport) {
        self.clock.forget_reader();
        let look = |this: &mut HttpServer, transport: &Transport| {
            this.stream.look_at_reader(transport);
        };
        let window = self.site.limits.response_window;
        self.clock.reader = Some(Box::new(Reader {
            timer: transport.call_later(window, look),
            unsent_bytes: transport.unsent_bytes() as u64,
            given_bytes: self.given_bytes(),
        }));
    }

    /// How much was given to the connection of the response that it is at.
    fn given_bytes(&self) -> u64 {
        let current = self.current.as_ref();
        current.map_or(0, |current| current.record.sent_bytes)
    }

    fn look_at_reader(&mut self, transport: &Transport) {
        let limits = &self.site.limits;
        let least = limits.response_rate * limits.response_window.as_secs();
        let Some(reader) = self.clock.reader.take() else {
            return;
        };
        // Little is given while writing is paused, but some is: events, for example.
        let given = self.given_bytes().saturating_sub(reader.given_bytes);
        let waited = reader.unsent_bytes + given;
        let taken = waited.saturating_sub(transport.unsent_bytes() as u64);
        if taken < least.min(reader.unsent_bytes) {
            tracing::debug!(peer = %transport.peer(), taken, "a client reads too slowly, and is dropped");
            return self.drop_client(transport);
        }
        self.watch_reader(transport);
    }
}
