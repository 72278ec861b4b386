//! Who looks at a reactor from outside, and decides what is late.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pulse::Marks;
use super::{Pulse, Watchdog};

/// Looks at the [`Pulse`] of one reactor. It belongs to the driver, which has threads, or none and a time of its own.
#[derive(Debug)]
pub struct Lookout {
    pulse: Arc<Pulse>,
    watchdog: Watchdog,
    last: Option<Look>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    marks: Marks,
    turn_since: Duration,
    call_since: Duration,
    /// The turn is reported as stuck again from this time on.
    next_report: Option<Duration>,
}

/// What a look has seen.
#[derive(Debug)]
pub enum Seen {
    /// The reactor waits for events.
    Rest,
    /// It works, and not for too long.
    Work,
    /// It is stuck, which is to be told now.
    Stuck(Stuck),
    /// It is stuck for so long that the process is to be ended.
    Lost(Stuck),
}

/// A reactor that is stuck, for [`Display`](fmt::Display).
#[derive(Debug)]
pub struct Stuck {
    /// For how long.
    pub lasts: Duration,
    text: String,
}

impl Lookout {
    pub(crate) fn new(pulse: Arc<Pulse>, watchdog: Watchdog) -> Self {
        Self {
            pulse,
            watchdog,
            last: None,
        }
    }

    /// What it looks at.
    #[must_use]
    pub fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    /// How long to wait between two looks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let shortest = self.watchdog.shortest().unwrap_or(Duration::MAX);
        (shortest / 4).max(Duration::from_millis(1))
    }

    /// Forgets since when things last: who looks could not, perhaps because the whole process was stopped.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// Looks, at this time of the driver's clock.
    pub fn look(&mut self, now: Duration) -> Seen {
        let marks = self.pulse.marks();
        if marks.turn.is_multiple_of(2) {
            self.last = None;
            return Seen::Rest;
        }
        let mut look = self.compare(marks, now);
        let (turn_lasts, call_lasts) = (now - look.turn_since, now - look.call_since);
        let is_late = |limit: Option<Duration>, lasts| limit.is_some_and(|limit| lasts >= limit);
        if is_late(self.watchdog.slow, call_lasts) {
            self.pulse.mark_late_call(marks.call, look.call_since);
        }
        if is_late(self.watchdog.slow, turn_lasts) {
            self.pulse.mark_late_turn(marks.turn, look.turn_since);
        }
        let is_lost = is_late(self.watchdog.abort, turn_lasts);
        let is_stuck = is_late(look.next_report, turn_lasts);
        if is_stuck {
            look.next_report = Some(turn_lasts * 2);
        }
        self.last = Some(look);
        match (is_lost, is_stuck) {
            (false, false) => Seen::Work,
            (false, true) => Seen::Stuck(self.stuck(look, now)),
            (true, _) => Seen::Lost(self.stuck(look, now)),
        }
    }

    /// Since when what is seen now is so.
    fn compare(&self, marks: Marks, now: Duration) -> Look {
        let fresh = Look {
            marks,
            turn_since: now,
            call_since: now,
            next_report: self.watchdog.stuck,
        };
        match self.last {
            Some(last) if last.marks.turn == marks.turn => Look {
                marks,
                call_since: if last.marks.call == marks.call {
                    last.call_since
                } else {
                    now
                },
                ..last
            },
            _ => fresh,
        }
    }

    fn stuck(&self, look: Look, now: Duration) -> Stuck {
        let lasts = now - look.turn_since;
        let one = now - look.call_since;
        let (name, runs) = self.pulse.name(look.marks.doing);
        let text = match (runs, one >= lasts / 2) {
            (true, true) => format!("{name} runs for {one:?}"),
            (true, false) => format!("many callbacks run in one turn; now it is {name}"),
            (false, _) => format!("nothing of the program runs; the last was {name}"),
        };
        Stuck { lasts, text }
    }
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
