//! A deadline that is moved at each message and costs nothing there.
//!
//! Only a deadline that is sooner than the timer moves the timer; else the timer looks, when it is due, how far the deadline has moved.

use std::time::Duration;

use ropewalk_core::Transport;
use ropewalk_core::timer::DelayedCall;

use super::connection::HttpClient;

#[derive(Default)]
pub(super) struct Alarm {
    due: Option<Duration>,
    timer: Option<(Duration, DelayedCall)>,
}

impl Alarm {
    /// Sets the deadline, in the driver's time; none is no deadline.
    pub(super) fn set(&mut self, due: Option<Duration>, transport: &Transport) {
        self.due = due;
        let Some(due) = due else { return };
        if self.timer.as_ref().is_none_or(|(rings, _)| *rings > due) {
            self.arm(due, transport);
        }
    }

    /// The timer was due: whether the deadline is over. Else the timer is set anew.
    pub(super) fn rang(&mut self, transport: &Transport) -> bool {
        self.timer = None;
        match self.due {
            None => false,
            Some(due) if due <= transport.reactor().now() => {
                self.due = None;
                true
            }
            Some(due) => {
                self.arm(due, transport);
                false
            }
        }
    }

    pub(super) fn stop(&mut self) {
        self.due = None;
        if let Some((_, timer)) = self.timer.take() {
            let _rang_already = timer.cancel();
        }
    }

    fn arm(&mut self, due: Duration, transport: &Transport) {
        if let Some((_, timer)) = self.timer.take() {
            let _rang_already = timer.cancel();
        }
        let delay = due.saturating_sub(transport.reactor().now());
        let timer = transport.call_later(delay, HttpClient::alarm_rang);
        self.timer = Some((due, timer));
    }
}
