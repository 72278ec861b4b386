//! How unkind a world is: a plan from which each fault is drawn by the seed.
//!
//! A plan is for hunting: many seeds, every fault, and rules that must hold whatever is drawn. To provoke one fault at
//! one place there are [`Rule`](crate::Rule)s.

use std::time::Duration;

/// The probability of each fault, and how bad it may be.
///
/// ```
/// use ropewalk_sim::Faults;
///
/// let plan = Faults { reset: 0.5, ..Faults::gentle() };
/// assert_eq!(plan.refuse, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Per segment: it is cut at a drawn byte, often after the first few.
    pub split: f64,
    /// Per segment that is there to be read: it comes in one piece with the next. 1 is what a kernel does.
    pub coalesce: f64,
    /// Per segment: it comes up to this much later (never out of order).
    pub jitter: Duration,
    /// Per send, in the mood of readiness: only some bytes are taken, though there is room.
    pub short_send: f64,
    /// Per connection: its buffers hold a drawn number of bytes, from 64 to 4096.
    pub small_buffers: f64,
    /// Per poll: what is ready comes in a drawn order.
    pub shuffle: f64,
    /// Per read: the reader then stops for up to [`stall_for`](Self::stall_for).
    pub stall: f64,
    /// How long a reader stops.
    pub stall_for: Duration,
    /// Per connection: its link is cut for up to [`partition_for`](Self::partition_for) within the first ten seconds;
    /// bytes wait.
    pub partition: f64,
    /// How long a partition lasts.
    pub partition_for: Duration,
    /// Per connection: a reset at a drawn byte.
    pub reset: f64,
    /// Per connection: from a drawn byte on nothing arrives, in either direction, and nobody is told.
    pub vanish: f64,
    /// Per connection: as `vanish`, but after up to a minute whatever is sent is answered with a reset, as by a host that
    /// crashed and is back.
    pub half_open: f64,
    /// Per attempt to connect: refused.
    pub refuse: f64,
    /// Per attempt to connect: no answer, ever.
    pub unanswered: f64,
    /// Per accept: no descriptor is left, so the peer is accepted and closed.
    pub exhaust: f64,
    /// Per datagram: it is lost.
    pub datagram_loss: f64,
    /// Per datagram: it comes twice.
    pub datagram_duplicate: f64,
    /// Per datagram: later ones may overtake it, by up to 100 ms.
    pub datagram_reorder: f64,
    /// Per look-up: it fails.
    pub lookup_failure: f64,
    /// Per look-up: no answer, ever.
    pub lookup_silence: f64,
    /// A look-up takes up to this much longer.
    pub lookup_delay: Duration,
    /// A job in a thread takes up to this much longer.
    pub thread_delay: Duration,
}

impl Faults {
    /// A kind world: whole segments, roomy buffers, no failure.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            split: 0.0,
            coalesce: 1.0,
            jitter: Duration::ZERO,
            short_send: 0.0,
            small_buffers: 0.0,
            shuffle: 0.0,
            stall: 0.0,
            stall_for: Duration::ZERO,
            partition: 0.0,
            partition_for: Duration::ZERO,
            reset: 0.0,
            vanish: 0.0,
            half_open: 0.0,
            refuse: 0.0,
            unanswered: 0.0,
            exhaust: 0.0,
            datagram_loss: 0.0,
            datagram_duplicate: 0.0,
            datagram_reorder: 0.0,
            lookup_failure: 0.0,
            lookup_silence: 0.0,
            lookup_delay: Duration::ZERO,
            thread_delay: Duration::ZERO,
        }
    }

    /// All that a healthy network may do: bytes come late, in pieces, in bursts, through full buffers, and all come.
    /// Datagrams come late as well, but whole and in order.
    #[must_use]
    pub const fn gentle() -> Self {
        Self {
            split: 0.3,
            coalesce: 0.5,
            jitter: Duration::from_millis(20),
            short_send: 0.2,
            small_buffers: 0.2,
            shuffle: 0.5,
            stall: 0.02,
            stall_for: Duration::from_secs(2),
            partition: 0.05,
            partition_for: Duration::from_secs(5),
            lookup_delay: Duration::from_secs(2),
            thread_delay: Duration::from_secs(1),
            ..Self::none()
        }
    }

    /// Everything.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            reset: 0.1,
            vanish: 0.05,
            half_open: 0.05,
            refuse: 0.05,
            unanswered: 0.05,
            exhaust: 0.02,
            datagram_loss: 0.1,
            datagram_duplicate: 0.05,
            datagram_reorder: 0.1,
            lookup_failure: 0.05,
            lookup_silence: 0.02,
            ..Self::gentle()
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}
