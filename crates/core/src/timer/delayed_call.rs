//! The handle on one timed call.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use crate::handle::Handle;
use crate::timer::queue::TimerKey;

/// One call that [`Handle::call_later`] scheduled. Dropping it changes nothing: the call is made.
///
/// Times are the driver's, in whole nanoseconds.
pub struct DelayedCall {
    handle: Handle,
    /// [`TimerKey::NONE`] once it was cancelled through this handle; there is no other.
    key: Cell<TimerKey>,
}

/// Why a timed call could not be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerError {
    /// It was made, or is being made.
    AlreadyCalled,
    /// It was cancelled.
    AlreadyCancelled,
}

impl DelayedCall {
    pub(crate) fn new(handle: Handle, key: TimerKey) -> Self {
        let key = Cell::new(key);
        Self { handle, key }
    }

    /// Takes the call back.
    ///
    /// # Errors
    ///
    /// It was made or cancelled already; also from inside the call itself (rule 20).
    pub fn cancel(&self) -> Result<(), TimerError> {
        let cancelled = self.handle.timers().borrow_mut().cancel(self.key.get());
        if cancelled.is_none() {
            return Err(self.why_gone());
        }
        self.key.set(TimerKey::NONE);
        drop(cancelled);
        Ok(())
    }

    /// Makes it due after this time from now, sooner or later than before.
    ///
    /// On the reactor's turn, *now* is the time at which the turn first asked for it: a reset per message then costs no look
    /// at the clock, and errs by the length of a turn, as in nginx, libevent and libuv.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn reset(&self, delay: Duration) -> Result<(), TimerError> {
        self.set_due(self.handle.turn_time().saturating_add(delay))
    }

    /// Makes it due later by this time than it would have been.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn delay(&self, further: Duration) -> Result<(), TimerError> {
        let due = self.due().ok_or_else(|| self.why_gone())?;
        self.set_due(due.saturating_add(further))
    }

    /// Whether it is still to come.
    #[doc(alias = "active")]
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.due().is_some()
    }

    /// When it is due, in the driver's time; `None` once it was made or cancelled.
    #[doc(alias = "getTime")]
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.handle.timers().borrow().due(self.key.get())
    }

    fn set_due(&self, due: Duration) -> Result<(), TimerError> {
        let pending = self.handle.timers().borrow_mut().reset(self.key.get(), due);
        if pending {
            Ok(())
        } else {
            Err(self.why_gone())
        }
    }

    fn why_gone(&self) -> TimerError {
        match self.key.get() == TimerKey::NONE {
            true => TimerError::AlreadyCancelled,
            false => TimerError::AlreadyCalled,
        }
    }
}

impl fmt::Debug for DelayedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedCall")
            .field("due", &self.due())
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TimerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyCalled => "this delayed call was made already",
            Self::AlreadyCancelled => "this delayed call was cancelled already",
        })
    }
}

impl std::error::Error for TimerError {}
