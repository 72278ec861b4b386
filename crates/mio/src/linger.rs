//! Sockets that the reactor closed and that must not be closed yet.
//!
//! A kernel that closes a socket over unread bytes, or gets bytes for one that is closed, answers with a reset; and the
//! reset destroys, at the peer, what we had sent and it has not read: the end of a response, the reason of a refusal. So
//! an orderly close ends only our half, and the socket stays here, reading and discarding, until the peer ends its half
//! (RFC 9112 §9.6 asks HTTP servers for exactly this).
//!
//! **The attack.** A peer that never ends its half, or sends for ever, would keep our descriptor and our attention for
//! nothing. Hence three limits: a time, an amount, and a number of sockets; beyond the last the oldest is closed at once.
//! An attacker can so only bring back the reset, for others who close at that moment, and only while it keeps making
//! new connections; and when descriptors run out these are the first to go.

use std::collections::VecDeque;
use std::time::Duration;

use ropewalk_core::slots::Key;

/// How long the peer may take to end its half. A round trip is enough; this survives two lost segments.
pub(crate) const LONGEST: Duration = Duration::from_secs(2);

/// How much it may send meanwhile: a pipelined batch or the rest of an upload that was refused, the longest that a form usually has.
pub(crate) const MOST_BYTES: u32 = 16 * 1024 * 1024;

/// How many sockets may linger.
const MOST_SOCKETS: usize = 1024;

/// The lingering sockets, oldest first. All linger for the same time, so order of closing is order of deadlines.
#[derive(Debug, Default)]
pub(crate) struct Lingers {
    queue: VecDeque<(Duration, Key)>,
    /// How many entries of the queue still linger; the others ended early and are skipped.
    live: usize,
}

impl Lingers {
    /// Adds one; the oldest must go if [`is_full`](Self::is_full) says so.
    pub(crate) fn begin(&mut self, now: Duration, key: Key) {
        self.queue.push_back((now + LONGEST, key));
        self.live += 1;
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.live > MOST_SOCKETS
    }

    pub(crate) fn oldest(&self) -> Option<Key> {
        self.queue.front().map(|&(_, key)| key)
    }

    /// When the oldest must go.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.queue.front().map(|&(deadline, _)| deadline)
    }

    /// One ended. Keeps the front alive, so that no dead entry wakes the driver, and the dead fewer than the living.
    pub(crate) fn ended(&mut self, lingers: impl Fn(Key) -> bool) {
        self.live -= 1;
        if self.live == 0 {
            self.queue.clear();
        } else if self.queue.len() > 2 * self.live + 64 {
            self.queue.retain(|&(_, key)| lingers(key));
        } else {
            while self.oldest().is_some_and(|key| !lingers(key)) {
                self.queue.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_lives_and_the_dead_are_few() {
        let mut lingers = Lingers::default();
        let key = |n| Key::new(n, 0);
        for n in 0..1000 {
            lingers.begin(Duration::from_millis(n.into()), key(n));
        }
        for gone in (0..1000).filter(|n| n % 10 != 3) {
            lingers.ended(|key| key.index() > gone || key.index() % 10 == 3);
            assert!(lingers.queue.len() <= 2 * lingers.live + 64);
        }
        assert_eq!((lingers.live, lingers.oldest()), (100, Some(key(3))));
        assert_eq!(lingers.deadline(), Some(LONGEST + Duration::from_millis(3)));
    }

    #[test]
    fn the_last_one_leaves_nothing() {
        let mut lingers = Lingers::default();
        lingers.begin(Duration::ZERO, Key::new(1, 0));
        lingers.ended(|_| false);
        assert_eq!((lingers.oldest(), lingers.deadline()), (None, None));
    }

    #[test]
    fn it_is_full_beyond_its_limit() {
        let mut lingers = Lingers::default();
        for n in 0..MOST_SOCKETS as u32 {
            lingers.begin(Duration::ZERO, Key::new(n, 0));
        }
        assert!(!lingers.is_full());
        lingers.begin(Duration::ZERO, Key::new(u32::MAX, 0));
        assert!(lingers.is_full());
    }
}
