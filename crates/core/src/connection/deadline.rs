//! What time does to a connection: idle, stalled, still shaking hands, shaped.
//!
//! Deadlines are lazy: activity only notes the time, and a timer that comes due too early is set again. So an idle time-out
//! costs nothing per message.

use std::time::Duration;

use super::Connection;
use crate::link::Flags;
use crate::reason::{Reason, Timeout};
use crate::timed::Timed;
use crate::timer::queue::TimerKey;
use crate::watchdog::Callback;

#[derive(Default)]
pub(super) struct Deadlines {
    idle: Option<TimerKey>,
    stall: Option<TimerKey>,
    handshake: Option<TimerKey>,
    quiet_reading: Option<TimerKey>,
    quiet_writing: Option<TimerKey>,
}

impl Deadlines {
    /// Whether a shaping layer wants nothing sent for now.
    pub(super) fn is_writing_quiet(&self) -> bool {
        self.quiet_writing.is_some()
    }
}

/// Which deadline of a connection came due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    Idle,
    WriteStall,
    Handshake,
    QuietReading,
    QuietWriting,
}

impl Connection {
    /// A deadline of this connection came due.
    pub(crate) fn deadline(&mut self, deadline: Deadline) {
        match deadline {
            Deadline::Idle => self.idle_due(),
            Deadline::WriteStall => self.stall_due(),
            Deadline::Handshake => self.handshake_due(),
            Deadline::QuietReading => {
                self.deadlines.quiet_reading = None;
                self.link().clear(Flags::SHAPED);
                self.link().note();
                self.receive_late();
            }
            Deadline::QuietWriting => {
                self.deadlines.quiet_writing = None;
                self.link().note();
            }
        }
    }

    /// The idle time-out was set, changed or switched off.
    pub(crate) fn rearm_idle(&mut self) {
        if self.link().has(Flags::RETIMED) {
            self.link().clear(Flags::RETIMED);
            let armed = self.deadlines.idle.take();
            self.disarm(armed);
            self.deadlines.idle = self
                .link()
                .idle_after
                .get()
                .map(|after| self.arm(after, Deadline::Idle));
        }
    }

    fn idle_due(&mut self) {
        self.deadlines.idle = None;
        let link = self.link();
        let Some(after) = link.idle_after.get() else {
            return;
        };
        let last = match link.has(Flags::HEARING) {
            true => link.heard.get(),
            false => link.activity.get(),
        };
        let quiet = link.handle.turn_time().saturating_sub(last);
        if quiet < after {
            self.deadlines.idle = Some(self.arm(after - quiet, Deadline::Idle));
        } else {
            self.call(Callback::TimedOut, |protocol, transport| {
                protocol.timed_out(transport);
            });
        }
    }

    pub(super) fn expect_progress(&mut self) {
        if self.deadlines.stall.is_none()
            && let Some(after) = self.link().limits.write_stall
        {
            self.deadlines.stall = Some(self.arm(after, Deadline::WriteStall));
        }
    }

    pub(super) fn forget_stall(&mut self) {
        let armed = self.deadlines.stall.take();
        self.disarm(armed);
    }

    /// An end that reads on while it is full may itself be what its peer waits for: one that pauses while full reads nothing from
    /// us until we have read what it sent. So there bytes that come are progress, too.
    fn stall_due(&mut self) {
        self.deadlines.stall = None;
        let link = self.link();
        let after = link.limits.write_stall.unwrap_or_default();
        let quiet = link.handle.turn_time().saturating_sub(link.activity.get());
        if quiet < after && !link.limits.pause_reading_when_full {
            self.deadlines.stall = Some(self.arm(after - quiet, Deadline::WriteStall));
        } else {
            self.time_out(Timeout::WriteStall(after));
        }
    }

    /// A layer shakes hands, or its peer's goodbye is waited for: both not for ever.
    pub(super) fn expect_handshake(&mut self) {
        if !self.link().has(Flags::OPENING.or(Flags::PARTING)) {
            self.link().set(Flags::OPENING);
            self.link().note();
        }
        if self.deadlines.handshake.is_none()
            && let Some(after) = self.link().limits.handshake
        {
            self.deadlines.handshake = Some(self.arm(after, Deadline::Handshake));
        }
    }

    pub(super) fn forget_handshake(&mut self) {
        if self.link().has(Flags::PARTING) {
            return;
        }
        self.link().clear(Flags::OPENING);
        let armed = self.deadlines.handshake.take();
        self.disarm(armed);
    }

    fn handshake_due(&mut self) {
        self.deadlines.handshake = None;
        if self.link().has(Flags::PARTING) {
            self.link().set(Flags::PARTED);
            return self.link().note();
        }
        let layer = self
            .stack
            .as_ref()
            .and_then(|stack| stack.opening())
            .unwrap_or("layer");
        tracing::debug!(peer = %self.transport.peer(), layer, "the handshake took too long");
        let after = self.link().limits.handshake.unwrap_or_default();
        self.time_out(Timeout::Handshake(after));
    }

    /// Ends the connection without waiting for a peer that takes nothing.
    fn time_out(&mut self, timeout: Timeout) {
        self.link().abort_because(Reason::TimedOut(timeout));
    }

    /// A shaping layer lets nothing up for a while: the driver pauses.
    pub(super) fn quiet_reading(&mut self, delay: Duration) {
        self.link().set(Flags::SHAPED);
        self.link().note();
        if self.deadlines.quiet_reading.is_none() {
            self.deadlines.quiet_reading = Some(self.arm(delay, Deadline::QuietReading));
        }
    }

    /// A shaping layer lets nothing down for a while.
    pub(super) fn quiet_writing(&mut self, delay: Duration) {
        if self.deadlines.quiet_writing.is_none() {
            self.deadlines.quiet_writing = Some(self.arm(delay, Deadline::QuietWriting));
        }
    }

    /// Takes every timer of this connection out of the queue.
    pub(crate) fn forget_deadlines(&mut self) {
        let Deadlines {
            idle,
            stall,
            handshake,
            quiet_reading,
            quiet_writing,
        } = std::mem::take(&mut self.deadlines);
        for armed in [idle, stall, handshake, quiet_reading, quiet_writing] {
            self.disarm(armed);
        }
    }

    fn arm(&self, after: Duration, deadline: Deadline) -> TimerKey {
        self.link()
            .handle
            .schedule(after, Timed::Deadline(self.link().id, deadline))
    }

    fn disarm(&self, armed: Option<TimerKey>) {
        if let Some(key) = armed {
            self.link().handle.unschedule(key);
        }
    }
}
