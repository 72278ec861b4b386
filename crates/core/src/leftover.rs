//! What is still there: for tests that must leave nothing behind, and for a look into a live process.
//!
//! Only what can be told without cost to the living: places are kept for timers, ports and connectors, not for each write.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::address::Address;
use crate::connection::Connection;
use crate::reactor::Reactor;
use crate::registry::Owner;
use crate::task::TaskReport;
use crate::timed::Timed;

/// Something of a reactor that is open or still to come, and where it was made.
///
/// Shown as one line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Leftover {
    /// A timed call that was neither made nor cancelled.
    Timer {
        /// How long until it is due.
        due_in: Duration,
        /// Where `call_later` was called.
        made: &'static Location<'static>,
    },
    /// A port that listens.
    Port {
        /// Its address.
        host: Address,
        /// Where `listen` was called.
        made: &'static Location<'static>,
    },
    /// An attempt to connect.
    Attempt {
        /// Where to.
        destination: String,
        /// Where `connect` was called.
        made: &'static Location<'static>,
    },
    /// A connection that is not lost.
    Connection {
        /// Our end.
        host: Address,
        /// Their end.
        peer: Address,
        /// The protocol's name.
        protocol: &'static str,
        /// Bytes that wait to be sent.
        unsent_bytes: usize,
        /// How long nothing came or went.
        quiet_for: Duration,
        /// Whether somebody asked to end it.
        is_ending: bool,
        /// Where `listen` or `connect` was called for it.
        made: &'static Location<'static>,
    },
    /// A task that has not ended.
    Task(TaskReport),
}

impl Reactor {
    /// Everything that is open or still to come: timers, ports, attempts to connect, connections, tasks.
    ///
    /// Timers of the engine itself (an idle time-out, a stalled write) belong to their connection and are not listed.
    #[doc(alias = "getReaders")]
    #[doc(alias = "getDelayedCalls")]
    #[must_use]
    pub fn leftovers(&self) -> Vec<Leftover> {
        let (mut all, registry) = (self.timers_left(), self.registry());
        all.extend(registry.ports.iter().map(|(_, port)| Leftover::Port {
            host: port.host.clone(),
            made: port.made,
        }));
        let connections = registry.connections.iter();
        all.extend(connections.map(|(_, connection)| of_connection(connection, self.now())));
        all.extend(self.tasks().live().into_iter().map(Leftover::Task));
        all
    }

    fn timers_left(&self) -> Vec<Leftover> {
        let (timers, now) = (self.timers().borrow(), self.now());
        let mut pending: Vec<_> = timers
            .iter()
            .filter_map(|(_, due, timed)| Some((due, of_timed(timed, due.saturating_sub(now))?)))
            .collect();
        pending.sort_by_key(|(due, _)| *due);
        pending.into_iter().map(|(_, leftover)| leftover).collect()
    }
}

fn of_timed(timed: &Timed, due_in: Duration) -> Option<Leftover> {
    match timed {
        Timed::Call(_, made) | Timed::Lent { made, .. } => Some(Leftover::Timer { due_in, made }),
        Timed::ConnectTimeout(connector) => Some(Leftover::Attempt {
            destination: connector.to_string(),
            made: connector.made(),
        }),
        Timed::NextAttempt(_) | Timed::Deadline(..) | Timed::Drains => None,
    }
}

fn of_connection(connection: &Connection, now: Duration) -> Leftover {
    let transport = &connection.transport;
    Leftover::Connection {
        host: transport.host().clone(),
        peer: transport.peer().clone(),
        protocol: connection.protocol_name(),
        unsent_bytes: connection.unsent(),
        quiet_for: now.saturating_sub(connection.link().activity.get()),
        is_ending: !transport.is_open(),
        made: match &connection.owner {
            Owner::Port(port) => port.made,
            Owner::Connector(connector) => connector.made(),
        },
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timer { due_in, made } => write!(f, "timer due in {due_in:?}, made at {made}"),
            Self::Port { host, made } => write!(f, "port {host}, made at {made}"),
            Self::Attempt { destination, made } => {
                write!(f, "attempt to connect to {destination}, made at {made}")
            }
            Self::Connection {
                host,
                peer,
                protocol,
                unsent_bytes,
                quiet_for,
                is_ending,
                made,
            } => {
                let ending = if *is_ending { ", asked to end" } else { "" };
                write!(
                    f,
                    "connection of {protocol} from {host} to {peer}, quiet for {quiet_for:?}, \
                     {unsent_bytes} bytes unsent{ending}, made at {made}"
                )
            }
            Self::Task(report) => report.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_the_place() {
        let made = Location::caller();
        let timer = Leftover::Timer {
            due_in: Duration::from_secs(3),
            made,
        };
        assert_eq!(
            timer.to_string(),
            format!("timer due in 3s, made at {made}")
        );
    }
}
