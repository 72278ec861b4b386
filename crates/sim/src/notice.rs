//! What a connection has to tell its driver, one thing at a time.

use std::io;
use std::time::Duration;

use ropewalk_core::driver::ConnId;
use ropewalk_core::slots::Key;
use ropewalk_core::{Address, Descriptor};

use crate::link::Reading;
use crate::network::Network;
use crate::pipe::Fin;
use crate::schedule::Happening;
use crate::wire::{Life, Wire, other};

/// Something to tell; received bytes lie in the driver's buffer.
#[derive(Debug)]
pub(crate) enum Notice {
    Connected {
        host: Address,
        peer: Address,
    },
    ConnectFailed(io::Error),
    Writable,
    Received,
    /// Descriptors, and the bytes that came with them.
    DescriptorsReceived(Vec<Descriptor>),
    Eof,
    Failed(io::Error),
}

/// Which notice is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pending {
    Connected,
    ConnectFailed,
    Failed,
    Writable,
    Received,
    Eof,
}

/// At most so much in one notice: what a driver's receive buffer holds.
const READ_LIMIT: usize = 64 * 1024;

impl Network {
    /// What there is to tell now.
    ///
    /// Trouble comes after the bytes that came before it. While paused it waits, too, unless a send waits for room:
    /// then the application is owed an answer.
    pub(crate) fn pending(&self, wire: &Wire, side: usize) -> Option<Pending> {
        let (end, incoming) = (&wire.ends[side], &wire.pipes[other(side)]);
        end.conn?;
        if end.fresh {
            return match (end.trouble, end.life) {
                (Some(_), _) => Some(Pending::ConnectFailed),
                (None, Life::Open) => Some(Pending::Connected),
                (None, _) => None,
            };
        }
        let reads = self.reads(wire, side);
        if incoming.unread() > 0 && reads && (end.trouble.is_some() || !end.has_room) {
            Some(Pending::Received)
        } else if end.trouble.is_some() {
            let told = end.wants_room || end.has_room || !end.paused && incoming.unread() == 0;
            told.then_some(Pending::Failed)
        } else if end.has_room {
            Some(Pending::Writable)
        } else {
            let over = incoming.fin() == Fin::Landed && incoming.unread() == 0;
            (over && reads && !end.eof_told).then_some(Pending::Eof)
        }
    }

    /// Whether the application takes bytes now.
    fn reads(&self, wire: &Wire, side: usize) -> bool {
        let end = &wire.ends[side];
        !end.paused
            && end.stalled_until <= self.now.get()
            && self.link(wire, other(side)).reading != Reading::Stopped
    }

    /// Takes the next notice of a connection; received bytes go into `buffer`.
    pub(crate) fn take_notice(
        &mut self,
        host: usize,
        conn: ConnId,
        buffer: &mut Vec<u8>,
    ) -> Option<Notice> {
        let (key, side) = self.find(host, conn)?;
        let wire = self.wires.get_mut(key)?;
        wire.ends[side].listed = false;
        let serial = wire.serial;
        let pending = self.pending(self.wires.get(key)?, side)?;
        let mut descriptors = Vec::new();
        if pending == Pending::Received {
            descriptors = self.read(key, side, buffer);
            self.note_received(key, side, buffer);
        } else {
            self.note(host, format_args!("c{serial} tells {pending:?}"));
        }
        let notice = match descriptors.is_empty() {
            true => self.tell(key, side, pending),
            false => Notice::DescriptorsReceived(descriptors),
        };
        self.mark(key, side);
        Some(notice)
    }

    fn tell(&mut self, key: Key, side: usize, pending: Pending) -> Notice {
        let wire = self.wires.get_mut(key).expect("it has something to tell");
        let end = &mut wire.ends[side];
        match pending {
            Pending::Connected => {
                end.fresh = false;
                let host = end.address.clone();
                let peer = wire.ends[other(side)].address.clone();
                Notice::Connected { host, peer }
            }
            Pending::Writable => {
                end.has_room = false;
                Notice::Writable
            }
            Pending::Received => Notice::Received,
            Pending::Eof => {
                end.eof_told = true;
                Notice::Eof
            }
            Pending::ConnectFailed => Notice::ConnectFailed(self.tell_trouble(key, side)),
            Pending::Failed => Notice::Failed(self.tell_trouble(key, side)),
        }
    }

    /// The last that is told of a connection.
    fn tell_trouble(&mut self, key: Key, side: usize) -> io::Error {
        let trouble = self.wires.get(key).and_then(|wire| wire.ends[side].trouble);
        self.end(key, side);
        trouble.expect("trouble is pending").into()
    }

    /// Reads into `buffer`, which opens the window for the peer; a slow reader then stops for a while. Gives the
    /// descriptors that came with the bytes.
    fn read(&mut self, key: Key, side: usize, buffer: &mut Vec<u8>) -> Vec<Descriptor> {
        let wire = self.wires.get(key).expect("it has something to read");
        let link = self.link(wire, other(side));
        let limit = match link.reading {
            Reading::Slow(rate) => (rate / 10).clamp(1, READ_LIMIT as u64) as usize,
            _ => READ_LIMIT,
        };
        let joined = link.coalesce(&self.faults);
        let (random, now) = (&mut self.random, self.now.get());
        let wire = self.wires.get_mut(key).expect("it has something to read");
        buffer.clear();
        // A kernel joins all that it has; nothing needs to be drawn for that.
        let joins = || joined >= 1.0 || random.chance(joined);
        let pipe = &mut wire.pipes[other(side)];
        let descriptors = pipe.take_passed();
        let limit = limit.min(pipe.until_passed());
        pipe.read(buffer, limit, joins);
        let rest = match link.reading {
            Reading::Slow(rate) => {
                Duration::from_secs_f64(buffer.len() as f64 / rate.max(1) as f64)
            }
            _ if self.random.chance(self.faults.stall) => {
                self.random.duration(self.faults.stall_for)
            }
            _ => Duration::ZERO,
        };
        if !rest.is_zero() {
            wire.ends[side].stalled_until = now + rest;
            self.plan(rest, Happening::ReadOn { wire: key, side });
        }
        self.pump(key, other(side));
        descriptors
    }
}
