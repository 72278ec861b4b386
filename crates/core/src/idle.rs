//! How long a connection may be quiet: what a protocol asks for with its handle.
//!
//! For: [`Transport`]'s time-outs. Not for: what becomes due when, which `connection::deadline` knows.

use std::time::Duration;

use crate::link::Flags;
use crate::reason::{Reason, Timeout};
use crate::transport::Transport;

impl Transport {
    /// Calls back when nothing was received or sent for `after`: [`Protocol::timed_out`](crate::Protocol::timed_out). `None` switches it off.
    /// Returns the old value (R126). Costs nothing per message.
    #[doc(alias = "setTimeout")]
    pub fn set_timeout(&self, after: Option<Duration>) -> Option<Duration> {
        self.retime(after, false)
    }

    /// The same, but only what is received counts: for whoever asks its peer whether it is there, and may be sending all the
    /// while. It takes the place of [`set_timeout`](Self::set_timeout).
    pub fn set_silence_timeout(&self, after: Option<Duration>) -> Option<Duration> {
        self.retime(after, true)
    }

    fn retime(&self, after: Option<Duration>, is_hearing: bool) -> Option<Duration> {
        if !self.is_open() {
            return self.0.idle_after.get();
        }
        match is_hearing {
            true => self.0.set(Flags::HEARING),
            false => self.0.clear(Flags::HEARING),
        }
        self.reset_timeout();
        self.0.set(Flags::RETIMED);
        self.0.note();
        self.0.idle_after.replace(after)
    }

    /// Starts the idle time-out anew.
    #[doc(alias = "resetTimeout")]
    pub fn reset_timeout(&self) {
        let now = self.0.handle.now();
        match self.0.has(Flags::HEARING) {
            true => self.0.heard.set(now),
            false => self.0.activity.set(now),
        }
    }

    /// For how long nothing was received or sent.
    #[must_use]
    pub fn quiet_for(&self) -> Duration {
        (self.0.handle.now()).saturating_sub(self.0.activity.get())
    }

    /// Ends the connection with [`Reason::TimedOut`]: what [`Protocol::timed_out`](crate::Protocol::timed_out) does unless it is overridden.
    pub fn lose_after_timeout(&self) {
        self.0.lose_because(self.idle_timed_out());
    }

    /// The same at once, whatever waits to be sent: the peer would not take it.
    pub fn abort_after_timeout(&self) {
        self.0.abort_because(self.idle_timed_out());
    }

    fn idle_timed_out(&self) -> Reason {
        Reason::TimedOut(Timeout::Idle(self.0.idle_after.get().unwrap_or_default()))
    }
}
