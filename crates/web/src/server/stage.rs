//! How long a client may take for what it is at (R143).
//!
//! ```text
//!   First ──► Idle ──► Head ──► Body ──► Answering ──► Idle …
//!   10 s      75 s     30 s     240 B/s   no limit
//! ```
//!
//! A request that comes whole and is answered at once leaves the stage at Idle, so it touches no timer.

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
}

impl Clock {
    pub(super) fn begin(&mut self, limits: &SiteLimits, transport: &Transport) {
        transport.set_timeout(Some(limits.first_byte));
    }

    pub(super) fn stop(&mut self, transport: &Transport) {
        transport.set_timeout(None);
        self.cancel();
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
        let is_ours = current.body_is_full() || current.wire.is_waiting();
        let fresh = std::mem::take(&mut current.fresh_bytes);
        if current.is_receiving() && !is_ours && fresh < least {
            let (error, status) = (BodyError::TooSlow, StatusCode::REQUEST_TIMEOUT);
            return self.break_off(&error, status, transport);
        }
        self.watch_body(transport);
    }
}
