//! One TCP connection: its socket, and what we know of it that the kernel will not say twice.
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

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use ropewalk_core::buffer::{Outgoing, Pool};
use ropewalk_core::driver::{Sent, SocketOption, StreamOptions};
use socket2::{SockRef, TcpKeepalive};

/// How many pieces one vectored send takes; more than the kernel copies in one go at any usual size.
const SLICES: usize = 64;

/// A write is cut short by this too, without a full socket (Linux stops at 2 GiB less a page).
const LONGEST_WRITE: usize = 1 << 30;

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
    Open,
    /// Closed by the reactor; we discard up to so many more bytes.
    Lingering {
        left: u32,
    },
}

pub(crate) struct Stream {
    socket: TcpStream,
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
}

/// What a read gave.
pub(crate) enum Got {
    Bytes(usize),
    Eof,
    Nothing,
    Failed(io::Error),
}

impl Stream {
    pub(crate) const fn accepted(socket: TcpStream) -> Self {
        Self::new(socket, Phase::Open)
    }

    pub(crate) const fn connecting(socket: TcpStream) -> Self {
        Self::new(socket, Phase::Connecting)
    }

    const fn new(socket: TcpStream, phase: Phase) -> Self {
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
        registry.register(&mut self.socket, token, interest)
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

    pub(crate) const fn is_eof(&self) -> bool {
        self.eof
    }

    /// Whether the reactor waits for this writable edge; it does so no longer.
    #[inline]
    pub(crate) const fn take_blocked(&mut self) -> bool {
        std::mem::replace(&mut self.blocked, false)
    }

    #[inline]
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Got {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => {
                    (self.eof, self.unread) = (true, false);
                    return Got::Eof;
                }
                Ok(count) => {
                    self.unread = self.ending || count == buffer.len();
                    return Got::Bytes(count);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => {
                        self.unread = false;
                        return Got::Nothing;
                    }
                    _ => return Got::Failed(error),
                },
            }
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
        if self.phase == Phase::Connecting {
            self.blocked = true;
            return Sent::Blocked;
        }
        while !outgoing.is_empty() {
            let (asked, result) = self.write(outgoing);
            match result {
                Ok(count) => {
                    outgoing.advance(count, pool);
                    if count < asked && count < LONGEST_WRITE {
                        return self.block(registry, token);
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return self.block(registry, token),
                    _ => {
                        self.broken = true;
                        return Sent::Failed(error);
                    }
                },
            }
        }
        Sent::Done
    }

    #[inline]
    fn write(&mut self, outgoing: &Outgoing) -> (usize, io::Result<usize>) {
        if outgoing.is_scattered() {
            return self.write_slices(outgoing);
        }
        let bytes = outgoing.first();
        (bytes.len(), self.socket.write(bytes))
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
        self.blocked = true;
        if !self.watches_writable {
            let both = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = registry.reregister(&mut self.socket, token, both) {
                self.broken = true;
                return Sent::Failed(error);
            }
            self.watches_writable = true;
        }
        Sent::Blocked
    }

    /// After an event on a connecting socket: our address and the peer's; `None` if the event said nothing yet.
    pub(crate) fn finish_connect(&mut self) -> io::Result<Option<(SocketAddr, SocketAddr)>> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            Ok(peer) => {
                let host = self.socket.local_addr()?;
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

    /// The error that the kernel holds against the connection, if any; it forgets it.
    pub(crate) fn take_error(&self) -> Option<io::Error> {
        self.socket.take_error().unwrap_or_else(Some)
    }

    pub(crate) fn shutdown_write(&mut self) -> io::Result<()> {
        if !self.write_shut {
            self.socket.shutdown(Shutdown::Write)?;
            self.write_shut = true;
        }
        Ok(())
    }

    /// Whether the peer can send nothing that a close would answer with a reset.
    pub(crate) fn nothing_can_come(&self) -> bool {
        self.eof || self.broken || self.phase == Phase::Connecting
    }

    pub(crate) const fn linger(&mut self, left: u32) {
        self.phase = Phase::Lingering { left };
        self.paused = false;
    }

    /// While it lingers: throws away what came; `true` when it can be closed.
    pub(crate) fn discard(&mut self, buffer: &mut [u8]) -> bool {
        let Phase::Lingering { mut left } = self.phase else {
            return false;
        };
        while self.unread {
            match self.read(buffer) {
                Got::Bytes(count) if count < buffer.len() && self.ending => return true,
                Got::Bytes(count) => match left.checked_sub(count as u32) {
                    Some(rest) => left = rest,
                    None => return true,
                },
                Got::Nothing => break,
                Got::Eof | Got::Failed(_) => return true,
            }
        }
        self.phase = Phase::Lingering { left };
        false
    }

    /// Closes with a reset: the peer sees at once that what it has may not be all.
    pub(crate) fn abort(self) {
        if let Err(error) = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "a connection to abort is closed in order instead");
        }
    }

    pub(crate) fn set_option(&self, option: SocketOption) -> io::Result<()> {
        let socket = SockRef::from(&self.socket);
        match option {
            SocketOption::NoDelay(on) => socket.set_tcp_nodelay(on),
            SocketOption::KeepAlive(Some(after)) => keep_alive(&socket, after),
            SocketOption::KeepAlive(None) => socket.set_keepalive(false),
            SocketOption::UserTimeout(after) => user_timeout(&socket, after),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Sets the options of a new socket; a listener's are inherited by what it accepts (on Linux).
pub(crate) fn apply(options: StreamOptions, socket: &SockRef<'_>) -> io::Result<()> {
    if options.no_delay {
        socket.set_tcp_nodelay(true)?;
    }
    match options.keep_alive {
        Some(after) => keep_alive(socket, after),
        None => Ok(()),
    }
}

/// Kernels count in whole seconds and refuse 0 and more than 32767.
///
/// The probes after the first follow four times as quickly, where that can be set: with Linux's nine of them a peer that
/// vanished is noticed after three times and a quarter of `after`, and not eleven minutes later.
fn keep_alive(socket: &SockRef<'_>, after: Duration) -> io::Result<()> {
    let seconds = after
        .as_secs()
        .saturating_add(u64::from(after.subsec_nanos() > 0));
    let seconds = seconds.clamp(1, 32_767);
    let probes = TcpKeepalive::new().with_time(Duration::from_secs(seconds));
    #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "freebsd",
        target_vendor = "apple"
    ))]
    let probes = probes.with_interval(Duration::from_secs((seconds / 4).max(1)));
    socket.set_tcp_keepalive(&probes)
}

/// A time-out below a millisecond is rounded up, because the kernel takes 0 as "its own".
#[cfg(any(target_os = "linux", target_os = "android"))]
fn user_timeout(socket: &SockRef<'_>, after: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(after.map(|after| after.max(Duration::from_millis(1))))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_costs_its_socket_and_three_words() {
        assert!(size_of::<Option<Stream>>() <= size_of::<TcpStream>() + 24);
    }
}
