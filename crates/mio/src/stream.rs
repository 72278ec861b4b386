//! One connection: its socket, and what we know of it that the kernel will not say twice.
//!
//! Registration is edge-triggered, so every edge is kept until it was used up: `unread` means that a read is worth a
//! system call. The rules that make one `recv` per message enough (epoll(7), questions and answers, 9):
//!
//! - a read that does not fill the buffer has emptied the socket; what comes later makes a new edge;
//! - unless the peer has ended its stream: the end itself is read only by the next `recv`, and makes no new edge;
//! - a write that is cut short has filled the socket; room makes a new edge.
//!
//! Writable edges are asked for only when a write was cut short for the first time: a socket is nearly always
//! writable, and asking costs one needless event for each accepted connection.

use std::io::{self, IoSlice};

use mio::{Interest, Registry, Token};
use ropewalk_core::address::Address;
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{Sent, SocketOption};
use ropewalk_core::{Descriptor, PeerCredentials};

use crate::socket::{NotBytes, Socket};

/// How many pieces one vectored send takes; more than the kernel copies in one go at any usual size.
const SLICES: usize = 64;

/// A write is cut short by this too, without a full socket (Linux stops at 2 GiB less a page).
const LONGEST_WRITE: usize = 1 << 30;

/// How much of files is sent before the others have their turn: a peer as quick as the disk would else hold the loop for a whole
/// file.
const FILES_PER_SEND: usize = 2 << 20;

/// What an event says, or what the driver remembers of one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Readiness {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer ended its stream, or the connection broke: after the bytes comes an end or an error.
    pub(crate) ending: bool,
    pub(crate) error: bool,
}

impl From<&mio::event::Event> for Readiness {
    #[inline]
    fn from(event: &mio::event::Event) -> Self {
        let error = event.is_error();
        let ending = error || event.is_read_closed();
        Self {
            readable: ending || event.is_readable(),
            writable: error || event.is_writable() || event.is_write_closed(),
            ending,
            error,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Connecting,
    /// Connected before it came to us; the handler does not know yet.
    Adopted,
    Open,
    /// Closed by the reactor; we discard up to so many more bytes.
    Lingering {
        left: u32,
    },
}

pub(crate) struct Stream {
    socket: Socket,
    phase: Phase,
    /// The kernel may hold bytes, an end or an error for us, and will make no edge for them.
    unread: bool,
    /// See [`Readiness::ending`].
    ending: bool,
    eof: bool,
    pub(crate) paused: bool,
    /// A send was cut short; the reactor waits for `Writable`.
    blocked: bool,
    /// Nothing can be sent any more.
    broken: bool,
    write_shut: bool,
    watches_writable: bool,
    /// It is in the list of those to be served without an edge.
    pub(crate) listed: bool,
    /// Others may hold what it names, so that closing alone does not end the edges.
    pub(crate) adopted: bool,
}

/// What a read gave.
pub(crate) enum Got {
    Bytes(usize),
    /// Descriptors, and the bytes that came with them.
    Descriptors(Vec<Descriptor>, usize),
    Eof,
    Nothing,
    Failed(io::Error),
}

impl Stream {
    pub(crate) const fn accepted(socket: Socket) -> Self {
        Self::new(socket, Phase::Open)
    }

    pub(crate) const fn connecting(socket: Socket) -> Self {
        Self::new(socket, Phase::Connecting)
    }

    /// One that may have anything to read already.
    pub(crate) const fn adopted(socket: Socket) -> Self {
        let mut this = Self::new(socket, Phase::Adopted);
        (this.adopted, this.unread) = (true, true);
        this
    }

    const fn new(socket: Socket, phase: Phase) -> Self {
        Self {
            socket,
            phase,
            unread: false,
            ending: false,
            eof: false,
            paused: false,
            blocked: false,
            broken: false,
            write_shut: false,
            watches_writable: false,
            listed: false,
            adopted: false,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = match self.phase {
            Phase::Connecting => {
                self.watches_writable = true;
                Interest::READABLE | Interest::WRITABLE
            }
            _ => Interest::READABLE,
        };
        if self.socket.register(registry, token, interest)? {
            self.ending = true; // Each read is worth another, until the end.
        }
        Ok(())
    }

    pub(crate) const fn phase(&self) -> Phase {
        self.phase
    }

    /// Remembers what the event said about reading.
    #[inline]
    pub(crate) const fn note(&mut self, readiness: Readiness) {
        self.unread |= readiness.readable;
        self.ending |= readiness.ending;
    }

    /// Whether a read is allowed and worth a call.
    #[inline]
    pub(crate) const fn wants_read(&self) -> bool {
        self.unread && !self.paused && !self.eof
    }

    pub(crate) const fn is_unread(&self) -> bool {
        self.unread
    }

    /// Whether the reactor waits for this writable edge; it does so no longer.
    #[inline]
    pub(crate) const fn take_blocked(&mut self) -> bool {
        std::mem::replace(&mut self.blocked, false)
    }

    #[inline(always)]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Got {
        match self.socket.read(buffer) {
            Ok(count @ 1..) => {
                self.unread = self.ending || count == buffer.len();
                Got::Bytes(count)
            }
            Ok(0) => {
                (self.eof, self.unread) = (true, false);
                Got::Eof
            }
            Err(other) => self.read_no_bytes(other),
        }
    }

    #[cold]
    fn read_no_bytes(&mut self, read: NotBytes) -> Got {
        match read {
            // The kernel ends a read behind them, so there may be more.
            NotBytes::Descriptors(descriptors, count) => Got::Descriptors(descriptors, count),
            NotBytes::Failed(error) => match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.unread = false;
                    Got::Nothing
                }
                _ => Got::Failed(error),
            },
        }
    }

    /// Sends until the queue is empty or the socket is full.
    #[inline]
    pub(crate) fn send(
        &mut self,
        outgoing: &mut Outgoing,
        pool: &mut Pool,
        registry: &Registry,
        token: Token,
    ) -> Sent {
        if matches!(self.phase, Phase::Connecting | Phase::Adopted) {
            self.blocked = true;
            return Sent::Blocked;
        }
        let mut of_files = 0;
        while !outgoing.is_empty() {
            if outgoing.first_file().is_some() {
                match self.socket.send_file(outgoing, pool) {
                    Ok(count) => of_files += count,
                    Err(error) => return self.refused(error, registry, token),
                }
                if of_files >= FILES_PER_SEND && !outgoing.is_empty() {
                    return self.yield_turn(registry, token);
                }
                continue;
            }
            let (asked, result) = self.write(outgoing);
            match result {
                Ok(count) => {
                    outgoing.advance(count, pool);
                    if count < asked && count < LONGEST_WRITE {
                        return self.block(registry, token);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.refused(error, registry, token),
            }
        }
        Sent::Done
    }

    #[cold]
    fn refused(&mut self, error: io::Error, registry: &Registry, token: Token) -> Sent {
        if error.kind() == io::ErrorKind::WouldBlock {
            return self.block(registry, token);
        }
        self.broken = true;
        Sent::Failed(error)
    }

    #[inline]
    fn write(&mut self, outgoing: &Outgoing) -> (usize, io::Result<usize>) {
        if outgoing.has_descriptors() {
            return self.socket.write_with_descriptors(outgoing);
        }
        if outgoing.is_scattered() && !outgoing.is_before_file() {
            return self.write_slices(outgoing);
        }
        let bytes = outgoing.first();
        let written = match outgoing.is_before_file() {
            true => self.socket.write_before_more(bytes),
            false => self.socket.write(bytes),
        };
        (bytes.len(), written)
    }

    fn write_slices(&mut self, outgoing: &Outgoing) -> (usize, io::Result<usize>) {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let filled = outgoing.slices(&mut slices);
        let slices = &slices[..filled];
        let asked = slices.iter().map(|slice| slice.len()).sum();
        (asked, self.socket.write_vectored(slices))
    }

    /// The next room makes an edge: registration (the first time) reports room that is there already.
    #[cold]
    fn block(&mut self, registry: &Registry, token: Token) -> Sent {
        match self.watches_writable {
            true => {
                self.blocked = true;
                Sent::Blocked
            }
            false => self.yield_turn(registry, token),
        }
    }

    /// Registering again reports room that is there already, once the others have had their turn.
    fn yield_turn(&mut self, registry: &Registry, token: Token) -> Sent {
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.socket.reregister(registry, token, both) {
            self.broken = true;
            return Sent::Failed(error);
        }
        (self.blocked, self.watches_writable) = (true, true);
        Sent::Blocked
    }

    /// After an event on a connecting socket: our address and the peer's; `None` if the event said nothing yet.
    pub(crate) fn finish_connect(&mut self) -> io::Result<Option<(Address, Address)>> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer() {
            Ok(peer) => {
                let host = self.socket.host()?;
                self.phase = Phase::Open;
                Ok(Some((host, peer)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                (self.unread, self.ending) = (false, false);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Our address and the peer's, of one that was adopted.
    pub(crate) fn begin(&mut self) -> io::Result<(Address, Address)> {
        self.phase = Phase::Open;
        Ok((self.socket.host()?, self.socket.peer()?))
    }

    pub(crate) fn host(&self) -> io::Result<Address> {
        self.socket.host()
    }

    /// Closes it for good where others may hold it too.
    pub(crate) fn deregister(self, registry: &Registry) {
        self.socket.deregister(registry);
    }

    pub(crate) fn credentials(&self) -> Option<PeerCredentials> {
        self.socket.credentials()
    }

    /// The error that the kernel holds against the connection, if any; it forgets it.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.socket.take_error().unwrap_or_else(Some)
    }

    pub(crate) fn shutdown_write(&mut self, registry: Option<&Registry>) -> io::Result<()> {
        if !self.write_shut {
            self.socket.shutdown_write(registry)?;
            self.write_shut = true;
        }
        Ok(())
    }

    /// Whether the peer can send nothing that a close would answer with a reset.
    pub(crate) fn nothing_can_come(&self) -> bool {
        self.eof
            || self.broken
            || matches!(self.phase, Phase::Connecting | Phase::Adopted)
            || self.socket.is_pair()
    }

    /// Whether an error may be known of that no read will find.
    pub(crate) const fn is_read_out(&self) -> bool {
        self.eof || self.socket.is_pair()
    }

    pub(crate) const fn linger(&mut self, left: u32) {
        self.phase = Phase::Lingering { left };
        self.paused = false;
    }

    /// While it lingers: reads once and throws away what came; `true` when it can be closed.
    pub(crate) fn discard(&mut self, buffer: &mut [u8]) -> bool {
        let Phase::Lingering { left } = self.phase else {
            return false;
        };
        match self.read(buffer) {
            Got::Bytes(count) if count < buffer.len() && self.ending => true,
            Got::Bytes(count) | Got::Descriptors(_, count) => {
                match left.checked_sub(count as u32) {
                    Some(left) => self.phase = Phase::Lingering { left },
                    None => return true,
                }
                false
            }
            Got::Nothing => false,
            Got::Eof | Got::Failed(_) => true,
        }
    }

    /// Makes the close a reset: the peer sees at once that what it has may not be all.
    pub(crate) fn abort(&self) {
        if let Err(error) = self.socket.reset_at_close() {
            tracing::debug!(%error, "a connection to abort is closed in order instead");
        }
    }

    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_its_socket_and_36_bytes() {
        assert!(size_of::<Option<Stream>>() <= size_of::<mio::net::TcpStream>() + 36);
    }
}
