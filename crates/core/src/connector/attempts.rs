//! The race of a connector's attempts: Happy Eyeballs (RFC 8305).
//!
//! ```text
//!   addresses, families in turn ─► start one ─► 300 ms, or a failure ─► start the next beside it ─► …
//!                                     └── connected ─► the others are given up
//! ```
//!
//! A dead IPv6 route costs 300 ms, and a dead address no more than that, however long the kernel would wait for it.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Connector, ConnectorState};
use crate::address::Address;
use crate::driver::{ConnId, Connect, StreamOptions};
use crate::endpoint::Host;
use crate::engine::Engine;
use crate::reason::ConnectError;
use crate::timed::Timed;
use crate::timer::queue::TimerKey;

/// How long an attempt is alone before the next is started beside it: Twisted's 0.3 s (R110), where RFC 8305, section 5,
/// recommends 250 ms and allows from 100 ms to 2 s.
const ATTEMPT_DELAY: Duration = Duration::from_millis(300);

/// How many addresses of a name are tried: a name server that gives thousands must not make us knock at each.
const MOST_ADDRESSES: usize = 64;

/// The attempts of one run: from `connect` until connected or failed.
#[derive(Default)]
pub(super) struct Attempts {
    waiting: VecDeque<SocketAddr>,
    running: Vec<ConnId>,
    /// When the next is started.
    next: Option<TimerKey>,
    last_error: Option<ConnectError>,
    /// Counts runs: what was queued for an earlier one means nothing.
    run: u64,
}

impl Connector {
    /// Begins a run; gives its number.
    pub(super) fn begin_run(&self) -> u64 {
        let attempts = &mut *self.0.attempts.borrow_mut();
        *attempts = Attempts {
            run: attempts.run + 1,
            ..Attempts::default()
        };
        attempts.run
    }

    /// Whether this run goes on still.
    pub(super) fn is_running(&self, run: u64) -> bool {
        self.state() == ConnectorState::Connecting && self.0.attempts.borrow().run == run
    }

    /// Tries the addresses that a name has.
    pub(super) fn race(&self, engine: &mut Engine, host: &Host, mut addresses: Vec<IpAddr>) {
        if addresses.is_empty() {
            return self.fail_lookup("the name has no address");
        }
        if let Some(bind) = host.bind {
            addresses.retain(|ip| ip.is_ipv4() == bind.is_ipv4());
        }
        if addresses.is_empty() {
            return self.fail_lookup("the name has no address of the family of the bound address");
        }
        let sockets = families_in_turn(addresses)
            .take(MOST_ADDRESSES)
            .map(|ip| SocketAddr::new(ip, host.port))
            .collect();
        self.0.attempts.borrow_mut().waiting = sockets;
        self.start_next(engine);
    }

    pub(super) fn fail_lookup(&self, why: impl Into<String>) {
        let error = io::Error::other(why.into());
        self.fail(ConnectError::Lookup(self.to_string(), error));
    }

    /// Starts an attempt.
    pub(super) fn attempt(&self, engine: &mut Engine, address: Address, bind: Option<Address>) {
        let connect = Connect {
            address,
            bind,
            options: StreamOptions::default(),
        };
        let conn = engine.connect(self, &connect);
        self.runs(conn);
    }

    /// An attempt was started.
    pub(super) fn runs(&self, conn: ConnId) {
        self.0.attempts.borrow_mut().running.push(conn);
    }

    /// Starts an attempt at the next address beside those that run; fails if there is neither.
    fn start_next(&self, engine: &mut Engine) {
        self.forget_next();
        let next = self.0.attempts.borrow_mut().waiting.pop_front();
        let Some(address) = next else {
            return self.fail_if_none_runs();
        };
        let bind = self.0.destination.host().and_then(Host::bind_address);
        self.attempt(engine, Address::Tcp(address), bind);
        let attempts = &mut *self.0.attempts.borrow_mut();
        if !attempts.waiting.is_empty() {
            let next = Timed::NextAttempt(self.clone());
            attempts.next = Some(self.0.handle.schedule(ATTEMPT_DELAY, next));
        }
    }

    /// The last attempt has been alone long enough.
    pub(crate) fn next_is_due(&self, engine: &mut Engine) {
        self.0.attempts.borrow_mut().next = None;
        self.start_next(engine);
    }

    /// All have failed: the last failure is what is told (R111).
    fn fail_if_none_runs(&self) {
        let last = self.0.attempts.borrow_mut().final_error();
        if let Some(error) = last {
            self.fail(error);
        }
    }

    pub(crate) fn attempt_failed(&self, conn: ConnId, error: io::Error, address: &Address) {
        let attempts = &mut *self.0.attempts.borrow_mut();
        if !attempts.took_out(conn) {
            return;
        }
        attempts.last_error = Some(ConnectError::from_io(address, error));
        let (this, run) = (self.clone(), attempts.run);
        self.0.handle.command(move |engine| {
            if this.is_running(run) {
                this.start_next(engine);
            }
        });
    }

    /// An attempt is connected; false if another was before it. The first ends the run, and the others are given up.
    pub(super) fn wins(&self, conn: ConnId) -> bool {
        if !self.0.attempts.borrow_mut().took_out(conn) {
            return false;
        }
        let others = self.end_run();
        if !others.is_empty() {
            self.0.handle.command(move |engine| {
                others
                    .iter()
                    .for_each(|&other| engine.forget_attempt(other));
            });
        }
        true
    }

    /// Nothing more is started; gives the attempts that run.
    pub(super) fn end_run(&self) -> Vec<ConnId> {
        self.forget_next();
        let attempts = &mut *self.0.attempts.borrow_mut();
        attempts.waiting.clear();
        attempts.last_error = None;
        std::mem::take(&mut attempts.running)
    }

    fn forget_next(&self) {
        if let Some(key) = self.0.attempts.borrow_mut().next.take() {
            self.0.handle.unschedule(key);
        }
    }
}

impl Attempts {
    fn final_error(&mut self) -> Option<ConnectError> {
        let error = self.last_error.take();
        error.filter(|_| self.running.is_empty())
    }

    /// Whether this attempt ran; it does not any more.
    fn took_out(&mut self, conn: ConnId) -> bool {
        let place = self.running.iter().position(|&running| running == conn);
        place.map(|place| self.running.remove(place)).is_some()
    }
}

/// The addresses of both families in turn, the first family first, each in the resolver's order (RFC 8305, section 4).
fn families_in_turn(addresses: Vec<IpAddr>) -> impl Iterator<Item = IpAddr> {
    let first_is_ipv4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|ip| ip.is_ipv4() == first_is_ipv4);
    let longest = first.len().max(second.len());
    (0..longest).flat_map(move |index| {
        let pair = [first.get(index).copied(), second.get(index).copied()];
        pair.into_iter().flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_the_resolvers_first_is_first() {
        let table = [
            (
                vec!["::1", "::2", "::3", "1.1.1.1"],
                vec!["::1", "1.1.1.1", "::2", "::3"],
            ),
            (vec!["1.1.1.1", "::1", "::2"], vec!["1.1.1.1", "::1", "::2"]),
            (
                vec!["1.1.1.1", "2.2.2.2", "::1"],
                vec!["1.1.1.1", "::1", "2.2.2.2"],
            ),
            (vec!["::1"], vec!["::1"]),
            (vec![], vec![]),
        ];
        for (given, expected) in table {
            let parse = |list: Vec<&str>| list.iter().map(|ip| ip.parse().unwrap()).collect();
            let (given, expected): (Vec<IpAddr>, Vec<IpAddr>) = (parse(given), parse(expected));
            assert_eq!(families_in_turn(given).collect::<Vec<_>>(), expected);
        }
    }
}
