//! Notices a turn or a callback that takes too long, says which one, and can end a process that is stuck.
//!
//! One callback that computes, waits for a lock or reads a slow disk stops every connection of its reactor. So somebody
//! outside of the reactor's thread looks at it now and then; the reactor only leaves marks, which cost a handful of
//! instructions per callback, and no look at a clock.
//!
//! ```text
//!   reactor's thread                                                      driver's thread, or the simulated world
//!     driver:  rest ─ wait ─ work                 ┌───────────┐
//!     each callback:  enter ─ user code ─ leave ──►   Pulse   ◄── Lookout::look, every quarter of `slow`
//!        └─ was I late? a warning, with the peer ◄┤  (atomic) │     ├─ the same callback as `slow` ago? marks it late
//!                                                 └───────────┘     └─ the same turn as `stuck` ago? an error, while it lasts
//! ```
//!
//! Not for: deadlines of connections ([`Limits`](crate::Limits)) or of hooks at a stop ([`Grace`](crate::Grace)).

mod lookout;
mod pulse;
mod site;

use std::time::Duration;

pub use self::lookout::{Lookout, Seen, Stuck};
pub(crate) use self::pulse::Heart;
pub use self::pulse::Pulse;
pub(crate) use self::site::{Callback, Of, SiteId};

/// When a reactor counts as slow, as stuck, and as lost: set by [`Reactor::set_watchdog`](crate::Reactor::set_watchdog).
///
/// *Today* the mio driver looks every quarter of the shortest time, and not at all while the reactor waits for events. On a
/// simulated network only what takes virtual time is slow: a callback that spends some with `World::spend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    /// A callback, or a turn, that took this long is logged as a warning once it is over, with its protocol and peer, or
    /// where it was made. One that took a quarter longer is never missed. `None`: nothing is said.
    pub slow: Option<Duration>,
    /// A turn that lasts this long is logged as an error while it lasts, with what runs and what its thread does; again at
    /// twice the time, and so on. `None`: nothing is said.
    pub stuck: Option<Duration>,
    /// A turn that lasts this long ends the process (`SIGABRT`, with a core dump where those are kept), so that a service
    /// manager starts another. `None`, which is the default: never.
    pub abort: Option<Duration>,
}

impl Watchdog {
    /// Nobody looks.
    pub const OFF: Self = Self {
        slow: None,
        stuck: None,
        abort: None,
    };

    /// The shortest of its times.
    #[must_use]
    pub fn shortest(&self) -> Option<Duration> {
        let times = [self.slow, self.stuck, self.abort];
        times.into_iter().flatten().min()
    }
}

impl Default for Watchdog {
    /// Slow from 100 ms on, stuck from 5 s on.
    fn default() -> Self {
        Self {
            slow: Some(Duration::from_millis(100)),
            stuck: Some(Duration::from_secs(5)),
            abort: None,
        }
    }
}

#[cfg(test)]
mod tests;
