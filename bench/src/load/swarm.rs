//! Many client connections on one epoll; each knows which bytes it sent and which must come back.
//!
//! The bytes of a stream are a function of the connection and of the position in it, so that every
//! byte received can be compared without keeping what was sent.

use std::os::fd::RawFd;

use super::Target;
use super::wire::{Dialer, Wire};
use crate::Outcome;
use crate::socket::{Epoll, READABLE, WRITABLE};

const RECEIVE_BYTES: usize = 256 * 1024;
/// How many cores a server that tells them has; of one with one core, none are on the other.
const CORES: usize = 2;

/// Endless bytes, the same in every run: a pseudo-random block of prime length, over and over.
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    const PERIOD: usize = 65_521;
    /// The longest slice [`Pattern::at`] gives.
    pub(crate) const LONGEST: usize = RECEIVE_BYTES;

    pub(crate) fn new() -> Self {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        let mut block: Vec<u8> = Vec::with_capacity(Self::PERIOD + Self::LONGEST);
        for _ in 0..Self::PERIOD {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            block.push((state >> 32) as u8);
        }
        let again: Vec<u8> = block.iter().copied().cycle().take(Self::LONGEST).collect();
        block.extend(again);
        Self(block)
    }

    /// `length` bytes (at most [`Pattern::LONGEST`]) of the stream with that phase, from `position`.
    pub(crate) fn at(&self, phase: usize, position: u64, length: usize) -> &[u8] {
        let start = ((phase as u64 + position) % Self::PERIOD as u64) as usize;
        &self.0[start..start + length]
    }
}

/// One client connection.
pub(crate) struct Client {
    wire: Wire,
    phase: usize,
    sent: u64,
    received: u64,
    /// Bytes due that the kernel has not yet taken.
    owed: u64,
    blocked: bool,
}

impl Client {
    fn new(wire: Wire, phase: usize) -> Self {
        Self {
            wire,
            phase,
            sent: 0,
            received: 0,
            owed: 0,
            blocked: false,
        }
    }
}

/// All clients of one generator.
pub(crate) struct Swarm {
    epoll: Epoll,
    /// How many connections are on each of the server's cores, if it tells.
    by_core: Vec<u32>,
    clients: Vec<Client>,
    pattern: Pattern,
    buffer: Vec<u8>,
}

impl Swarm {
    /// Connects `count` clients, each with a stream of its own.
    pub(crate) fn connect(target: &Target, count: usize) -> Outcome<Self> {
        Self::with_phases(target, count, |index| index * 7919)
    }

    /// Connects `count` clients that all expect one and the same stream.
    pub(crate) fn connect_alike(target: &Target, count: usize) -> Outcome<Self> {
        Self::with_phases(target, count, |_| 0)
    }

    fn with_phases(target: &Target, count: usize, phase: impl Fn(usize) -> usize) -> Outcome<Self> {
        let dialer = Dialer::new(target)?;
        let mut swarm = Self {
            epoll: Epoll::new()?,
            by_core: vec![0; if target.told_core { CORES } else { 0 }],
            clients: Vec::with_capacity(count),
            pattern: Pattern::new(),
            buffer: vec![0; RECEIVE_BYTES],
        };
        for index in 0..count {
            let (wire, core) = dialer.dial()?;
            if let Some(core) = core.and_then(|core| swarm.by_core.get_mut(core)) {
                *core += 1;
            }
            swarm.epoll.add(wire.fd(), index as u64, READABLE)?;
            swarm.clients.push(Client::new(wire, phase(index)));
        }
        Ok(swarm)
    }

    pub(crate) fn len(&self) -> usize {
        self.clients.len()
    }

    /// The most and the fewest connections on a core of the server, if it told.
    pub(crate) fn most_and_fewest(&self) -> Option<(u32, u32)> {
        let most = self.by_core.iter().max()?;
        Some((*most, *self.by_core.iter().min()?))
    }

    /// Bytes that client has received and checked.
    pub(crate) fn received(&self, index: usize) -> u64 {
        self.clients[index].received
    }

    /// Bytes that client has handed to the kernel.
    pub(crate) fn sent(&self, index: usize) -> u64 {
        self.clients[index].sent
    }

    /// Sends `bytes` more bytes of that client's stream, now or as soon as the kernel takes them.
    pub(crate) fn push(&mut self, index: usize, bytes: u64) -> Outcome<()> {
        self.clients[index].owed += bytes;
        if self.clients[index].blocked {
            Ok(())
        } else {
            self.flush(index)
        }
    }

    /// Waits at most `timeout_ms` and receives what has come; `progress` hears (client, bytes).
    /// Returns whether anything came.
    pub(crate) fn turn(
        &mut self,
        timeout_ms: i32,
        mut progress: impl FnMut(&mut Self, usize, u64) -> Outcome<()>,
    ) -> Outcome<bool> {
        let count = self.epoll.wait(timeout_ms)?;
        for event in 0..count {
            let (token, readiness) = self.epoll.event(event);
            let index = token as usize;
            if readiness & WRITABLE != 0 {
                self.flush(index)?;
            }
            if readiness & !WRITABLE != 0 {
                let bytes = self.receive(index)?;
                progress(self, index, bytes)?;
            }
        }
        Ok(count > 0)
    }

    /// Sends what is owed without reading, until the kernel takes no more.
    pub(crate) fn flush(&mut self, index: usize) -> Outcome<()> {
        let client = &mut self.clients[index];
        client.wire.flush()?;
        while client.owed > 0 {
            let length = client.owed.min(Pattern::LONGEST as u64) as usize;
            let bytes = self.pattern.at(client.phase, client.sent, length);
            let count = client.wire.send(bytes)?;
            client.sent += count as u64;
            client.owed -= count as u64;
            if count < length {
                break;
            }
        }
        let blocked = client.owed > 0 || client.wire.is_blocked();
        if blocked != client.blocked {
            client.blocked = blocked;
            watch(&self.epoll, client.wire.fd(), index, blocked)?;
        }
        Ok(())
    }

    fn receive(&mut self, index: usize) -> Outcome<u64> {
        let client = &mut self.clients[index];
        let (phase, at) = (client.phase, client.received);
        let (mut count, mut right) = (0, true);
        let goes_on = client.wire.receive(&mut self.buffer, |bytes| {
            right &= bytes == self.pattern.at(phase, at + count, bytes.len());
            count += bytes.len() as u64;
        })?;
        if !right {
            return Err(format!("connection {index}: other bytes than sent, after {at}").into());
        }
        if !goes_on {
            return Err(format!("the server closed connection {index}").into());
        }
        client.received += count;
        Ok(count)
    }
}

fn watch(epoll: &Epoll, fd: RawFd, index: usize, blocked: bool) -> Outcome<()> {
    let interest = if blocked {
        READABLE | WRITABLE
    } else {
        READABLE
    };
    Ok(epoll.modify(fd, index as u64, interest)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_does_not_depend_on_how_it_is_cut() {
        let pattern = Pattern::new();
        let whole = pattern.at(3, 65_000, 2_000).to_vec();
        let parts: Vec<u8> = (0..200)
            .flat_map(|part| pattern.at(3, 65_000 + part * 10, 10).to_vec())
            .collect();
        assert_eq!(whole, parts);
    }

    #[test]
    fn neighbours_have_different_streams() {
        let pattern = Pattern::new();
        assert_ne!(pattern.at(0, 0, 64), pattern.at(7919, 0, 64));
    }
}
