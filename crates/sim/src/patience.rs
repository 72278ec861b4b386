//! When a dead connection is noticed: keep-alive and user time-out.
//!
//! Probes of a living peer are not simulated, one by one: they would be answered, so nothing would come of them but a
//! world that never rests. Only when a path is broken is it worked out when the first probe goes unanswered.

use std::io;
use std::time::Duration;

use ropewalk_core::driver::{ConnId, SocketOption};
use ropewalk_core::slots::Key;

use crate::network::Network;
use crate::schedule::Happening;
use crate::wire::{End, Life, Trouble, Wire, other};

/// How long a kernel repeats unacknowledged bytes before it gives up, if the user says nothing: 15 repeats, as Linux.
const RETRANSMISSION: Duration = Duration::from_millis(924_600);

impl Network {
    pub(crate) fn set_option(
        &mut self,
        host: usize,
        conn: ConnId,
        option: SocketOption,
    ) -> io::Result<()> {
        let (key, side) = self.find(host, conn).ok_or(io::ErrorKind::NotConnected)?;
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        match option {
            SocketOption::NoDelay(_) => {}
            SocketOption::KeepAlive(after) => wire.ends[side].keep_alive = after,
            SocketOption::UserTimeout(after) => wire.ends[side].user_timeout = after,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        let serial = wire.serial;
        self.note(host, format_args!("c{serial} sets {option:?}"));
        self.watch(key, side);
        Ok(())
    }

    /// Plans the moment at which a time-out may strike, unless one is planned before it.
    pub(crate) fn watch(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        let Some(due) = self.patience_ends(wire, side) else {
            return;
        };
        let due = due.max(self.now());
        if wire.ends[side]
            .watched_at
            .is_none_or(|planned| due < planned)
        {
            self.wires.get_mut(key).expect("it was there").ends[side].watched_at = Some(due);
            self.schedule
                .plan(due, Happening::Watch { wire: key, side });
        }
    }

    /// Strikes, or looks again later if there was progress.
    pub(crate) fn look_at_time_outs(&mut self, key: Key, side: usize) {
        let now = self.now();
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if wire.ends[side].watched_at != Some(now) {
            return;
        }
        wire.ends[side].watched_at = None;
        let wire = self.wires.get(key).expect("it was there");
        if self.patience_ends(wire, side).is_none_or(|due| due > now) {
            self.watch(key, side);
            return;
        }
        let answered = self.is_answered(wire, side) && wire.is_dead_end(side);
        let kind = if answered {
            io::ErrorKind::ConnectionReset
        } else {
            io::ErrorKind::TimedOut
        };
        self.send_reset(key, other(side));
        self.fail(key, side, Trouble::Kind(kind));
    }

    /// When this end gives up, as things are.
    fn patience_ends(&self, wire: &Wire, side: usize) -> Option<Duration> {
        let end = &wire.ends[side];
        if end.trouble.is_some() || matches!(end.life, Life::Connecting | Life::Gone) {
            return None;
        }
        if wire.pipes[side].is_outstanding() || !end.held.is_empty() {
            let kernels = end.broken_since.map(|_| RETRANSMISSION);
            return end
                .user_timeout
                .or(kernels)
                .map(|limit| end.progress_at.saturating_add(limit));
        }
        unanswered_probe(end, self.is_answered(wire, side))
    }

    /// Whether a packet from `side` gets an answer, be it a reset.
    fn is_answered(&self, wire: &Wire, side: usize) -> bool {
        self.passes(wire, side) && self.passes(wire, other(side))
    }
}

/// A probe is sent after every `keep_alive` of silence; the first one that goes out over a broken path is waited for as
/// long again, the first one that meets a reset is answered.
fn unanswered_probe(end: &End, dead_end: bool) -> Option<Duration> {
    let (every, broken) = (end.keep_alive?, end.broken_since?);
    let every = every.max(Duration::from_secs(1));
    let silent = broken.saturating_sub(end.heard_at);
    let before = (silent.as_nanos() / every.as_nanos()) as u32;
    let probe = end
        .heard_at
        .saturating_add(every.saturating_mul(before.saturating_add(1)));
    Some(if dead_end {
        probe
    } else {
        probe.saturating_add(every)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn silent_since(heard_at: u64, broken: u64, answered: bool) -> Option<Duration> {
        let address = ropewalk_core::Address::Tcp("10.0.0.1:1".parse().unwrap());
        let mut end = End::new(0, address, Life::Open, Duration::from_secs(heard_at));
        end.keep_alive = Some(MINUTE);
        end.broken_since = Some(Duration::from_secs(broken));
        unanswered_probe(&end, answered)
    }

    #[test]
    fn the_first_unanswered_probe_decides() {
        assert_eq!(silent_since(10, 10, false), Some(Duration::from_secs(130)));
        assert_eq!(silent_since(10, 69, false), Some(Duration::from_secs(130)));
        assert_eq!(silent_since(10, 135, false), Some(Duration::from_secs(250)));
        assert_eq!(silent_since(10, 10, true), Some(Duration::from_secs(70)));
    }
}
