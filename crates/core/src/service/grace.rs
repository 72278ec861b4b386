//! How long what goes on may go on once it shall stop.

use std::time::Duration;

/// How long a graceful stop waits, counted from its beginning.
///
/// ```text
///   0              soft                hard
///   ├───────────────┼───────────────────┤
///   work in flight  tasks cancelled,    what is left
///   ends by itself  connections closed  is cut off
/// ```
///
/// The default fits into the 10 s after which `docker stop` kills; Kubernetes kills after 30 s and systemd after 90 s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// When what still goes on is cancelled: tasks fail with [`Cancelled`](crate::failure::Cancelled), and connections
    /// close once what is queued is sent.
    pub soft: Duration,
    /// When what is still left is cut off. Not before `soft`.
    pub hard: Duration,
    /// A connection on which nothing came or went for so long is idle, if nobody but its own callbacks could ever write to
    /// it. Idle ones are closed without waiting.
    pub quiet: Duration,
}

impl Grace {
    /// No time at all: everything is cut off at once.
    pub const NONE: Self = Self {
        soft: Duration::ZERO,
        hard: Duration::ZERO,
        quiet: Duration::ZERO,
    };

    /// With this soft deadline, and a hard one a second later.
    #[must_use]
    pub const fn new(soft: Duration) -> Self {
        Self {
            soft,
            hard: soft.saturating_add(Duration::from_secs(1)),
            quiet: Duration::from_secs(1),
        }
    }

    /// With this hard deadline.
    #[must_use]
    pub const fn with_hard(self, hard: Duration) -> Self {
        Self { hard, ..self }
    }

    /// With this time after which a connection counts as idle.
    #[must_use]
    pub const fn with_quiet(self, quiet: Duration) -> Self {
        Self { quiet, ..self }
    }
}

impl Default for Grace {
    /// 8 s until the soft deadline, 9 s until the hard one; idle after 1 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(8))
    }
}
