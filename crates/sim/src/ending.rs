//! How a connection ends: closed in order, aborted, reset, or with its host.

use std::io;
use std::time::Duration;

use ropewalk_core::driver::ConnId;
use ropewalk_core::slots::Key;

use crate::network::Network;
use crate::pipe::Fin;
use crate::schedule::Happening;
use crate::wire::{Life, Trouble, Wire, other};

/// How long a driver reads on, and throws away, after a close: closing a socket over unread bytes resets, and a reset
/// destroys what the peer has not read yet.
const LINGER: Duration = Duration::from_secs(2);

/// How much it reads meanwhile; a peer that sends more is reset.
const LINGER_BYTES: u64 = 16 * 1024 * 1024;

impl Network {
    /// Ends a connection in order: everything sent, then the end.
    pub(crate) fn close(&mut self, host: usize, conn: ConnId) {
        let Some((key, side)) = self.disown(host, conn, "closes") else {
            return;
        };
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        if wire.ends[side].trouble.is_some() {
            self.end(key, side);
        } else if wire.ends[side].life == Life::Connecting {
            self.send_reset(key, other(side));
            self.end(key, side);
        } else {
            self.linger(key, side);
        }
    }

    fn linger(&mut self, key: Key, side: usize) {
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        wire.ends[side].life = Life::Lingering;
        wire.ends[side].finishing = true;
        wire.pipes[other(side)].discard_unread();
        self.plan(LINGER, Happening::Lingered { wire: key, side });
        self.pump(key, other(side));
        self.feed(key, side);
        self.watch(key, side);
        self.end_if_over(key, side);
    }

    /// The driver has lingered long enough: the descriptor is free, the kernel sends what is left.
    pub(crate) fn lingered(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let end = &mut wire.ends[side];
        if end.life != Life::Lingering {
            return;
        }
        if !end.held.is_empty() {
            self.plan(LINGER, Happening::Lingered { wire: key, side });
            return;
        }
        end.life = Life::Orphaned;
        self.release_descriptor(key, side);
        self.end_if_over(key, side);
    }

    /// Ends the lingering over a peer that sends too much.
    pub(crate) fn linger_no_longer(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if wire.ends[side].discarded > LINGER_BYTES && wire.ends[side].held.is_empty() {
            self.lingered(key, side);
        }
    }

    /// Ends a connection at once; what was not read by the peer is lost.
    pub(crate) fn abort(&mut self, host: usize, conn: ConnId) {
        let Some((key, side)) = self.disown(host, conn, "aborts") else {
            return;
        };
        // There is no reset on a UNIX socket, only what a kernel says when bytes were not read.
        if self.wires.get(key).is_some_and(Wire::is_unix) {
            self.abandon(key, side);
        } else {
            self.tear_down(key, side);
        }
    }

    /// A reset to the peer, and nothing left here.
    fn tear_down(&mut self, key: Key, side: usize) {
        let wire = self.wires.get_mut(key).expect("the caller has it");
        wire.pipes[side].cut_off();
        if wire.ends[side].trouble.is_none() {
            self.send_reset(key, other(side));
        }
        self.end(key, side);
    }

    /// Closes a connection that was just accepted and is not wanted; nothing was sent, so a reset destroys nothing.
    pub(crate) fn refuse(&mut self, host: usize, conn: ConnId) {
        if let Some((key, side)) = self.disown(host, conn, "is not wanted") {
            self.abandon(key, side);
        }
    }

    /// Closes without a driver that lingers: with a reset if bytes are unread, as a kernel does.
    pub(crate) fn abandon(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if wire.ends[side].life == Life::Connecting || wire.pipes[other(side)].unread() > 0 {
            self.tear_down(key, side);
            return;
        }
        let end = &mut wire.ends[side];
        (end.conn, end.life, end.finishing) = (None, Life::Orphaned, true);
        end.held = ropewalk_core::buffer::Outgoing::default();
        self.release_descriptor(key, side);
        self.feed(key, side);
        self.watch(key, side);
        self.end_if_over(key, side);
    }

    /// Ends our half of the stream.
    pub(crate) fn shutdown_write(&mut self, host: usize, conn: ConnId) {
        let Some((key, side)) = self.find(host, conn) else {
            return;
        };
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        let serial = wire.serial;
        if !std::mem::replace(&mut wire.ends[side].finishing, true) {
            self.note(host, format_args!("c{serial} ends its half"));
            self.feed(key, side);
            self.watch(key, side);
        }
    }

    /// A reset is at `side`, unless it was lost on the way: nobody sends a reset twice.
    pub(crate) fn reset(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        if !wire.forgotten && !self.passes(wire, other(side)) {
            self.review(key, side);
            return;
        }
        if wire.ends[side].life == Life::Gone || wire.ends[side].trouble.is_some() {
            return;
        }
        let wire = self.wires.get_mut(key).expect("it was there");
        wire.pipes[other(side)].clear();
        self.fail(key, side, Trouble::Kind(io::ErrorKind::ConnectionReset));
    }

    /// Sends a reset to `to` from the other side.
    pub(crate) fn send_reset(&mut self, key: Key, to: usize) {
        let after = self.travel(key, other(to));
        self.plan(
            after,
            Happening::Reset {
                wire: key,
                side: to,
            },
        );
    }

    /// What `side` sent meets nobody: a reset is the answer.
    pub(crate) fn bounce(&mut self, key: Key, side: usize) {
        let wire = self.wires.get_mut(key).expect("its segment is due");
        wire.pipes[side].cut_off();
        let receiver_is_orphan = wire.ends[other(side)].life == Life::Orphaned;
        self.send_reset(key, side);
        if receiver_is_orphan {
            self.end(key, other(side));
        }
    }

    /// The connection is broken for `side`: its application, if it has one, is told.
    pub(crate) fn fail(&mut self, key: Key, side: usize, trouble: Trouble) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let end = &mut wire.ends[side];
        if end.life == Life::Gone || end.trouble.is_some() {
            return;
        }
        let (host, serial) = (end.host, wire.serial);
        end.trouble = Some(trouble);
        wire.pipes[side].cut_off();
        let has_application = end.conn.is_some();
        self.note(host, format_args!("c{serial} breaks: {trouble}"));
        if has_application {
            self.mark(key, side);
        } else {
            self.end(key, side);
        }
    }

    /// An end that nobody has any more is gone when both halves are.
    pub(crate) fn end_if_over(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get(key) else {
            return;
        };
        let sent = wire.pipes[side].fin() == Fin::Landed;
        let heard = wire.pipes[other(side)].fin() == Fin::Landed;
        let over = match wire.ends[side].life {
            Life::Lingering => sent && heard,
            Life::Orphaned => sent,
            _ => false,
        };
        if over {
            self.end(key, side);
        }
    }

    /// Nothing is left of this end; of the whole connection, when the other is gone too.
    pub(crate) fn end(&mut self, key: Key, side: usize) {
        self.release_descriptor(key, side);
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        let end = &mut wire.ends[side];
        end.life = Life::Gone;
        if let Some(conn) = end.conn.take() {
            self.hosts[end.host].conns.remove(conn.0);
        }
        if wire.ends.iter().all(|end| end.life == Life::Gone) {
            self.wires.remove(key);
        }
    }

    fn release_descriptor(&mut self, key: Key, side: usize) {
        let Some(wire) = self.wires.get_mut(key) else {
            return;
        };
        if std::mem::take(&mut wire.ends[side].has_descriptor) {
            self.hosts[wire.ends[side].host].descriptors -= 1;
        }
    }

    /// Takes the driver's name from a connection: no notice will bear it.
    fn disown(&mut self, host: usize, conn: ConnId, does: &str) -> Option<(Key, usize)> {
        let (key, side) = self.hosts[host].conns.remove(conn.0)?;
        let wire = self.wires.get_mut(key).expect("a name has its wire");
        wire.ends[side].conn = None;
        let serial = wire.serial;
        self.note(host, format_args!("c{serial} {does}"));
        Some((key, side))
    }
}

/// Hosts and processes.
impl Network {
    /// A host is switched off: nobody is told anything.
    pub(crate) fn crash(&mut self, host: usize) {
        self.note(host, format_args!("crashes"));
        for (key, side) in self.ends_on(host) {
            let wire = self.wires.get_mut(key).expect("ends have wires");
            wire.ends[side].conn = None;
            wire.ends[side].has_descriptor = false;
            wire.pipes[side].discard_unsent();
            wire.pipes[other(side)].discard_unread();
            self.end(key, side);
        }
        self.hosts[host].leave_paths();
        self.hosts[host].forget_process();
        self.hosts[host].up = false;
        self.changed();
    }

    pub(crate) fn restart(&mut self, host: usize) {
        self.note(host, format_args!("is up again"));
        self.hosts[host].up = true;
        self.changed();
    }

    /// The process of a host ends: its kernel closes what it had.
    pub(crate) fn exit(&mut self, host: usize) {
        self.note(host, format_args!("has no driver any more"));
        for (key, side) in self.ends_on(host) {
            self.abandon(key, side);
        }
        self.hosts[host].forget_process();
    }

    /// Resets the connections between two hosts, on both sides.
    pub(crate) fn reset_between(&mut self, a: usize, b: usize) {
        self.note(
            a,
            format_args!("loses its connections to {}", self.hosts[b].name.clone()),
        );
        for key in self.wires.keys() {
            let hosts = self
                .wires
                .get(key)
                .expect("of its keys")
                .ends
                .each_ref()
                .map(|end| end.host);
            if hosts == [a, b] || hosts == [b, a] {
                self.fail(key, 0, Trouble::Kind(io::ErrorKind::ConnectionReset));
                self.fail(key, 1, Trouble::Kind(io::ErrorKind::ConnectionReset));
            }
        }
    }

    fn ends_on(&self, host: usize) -> Vec<(Key, usize)> {
        let ends = self.wires.iter().flat_map(|(key, wire)| {
            wire.ends
                .iter()
                .enumerate()
                .map(move |(side, end)| (key, side, end))
        });
        ends.filter(|(.., end)| end.host == host && end.life != Life::Gone)
            .map(|(key, side, _)| (key, side))
            .collect()
    }
}
