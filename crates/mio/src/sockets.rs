//! Every stream of a driver, and what happens to each when it is ready.
//!
//! ```text
//!   event ─► note ─► Writable? ─► read ─► Received ─► flush ─► read again while the buffer was full
//!                                  │
//!                   budget used up ┴─► list: served in the next poll, after the others
//! ```

use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use mio::Registry;
use ropewalk_core::address::Address;
use ropewalk_core::driver::{ConnId, Connect, Demand, Event, Handler};
use ropewalk_core::slots::{Key, Slots};

use crate::connect;
use crate::linger::{Lingers, MOST_BYTES};
use crate::socket::Socket;
use crate::stream::{Got, Phase, Readiness, Stream};
use crate::token::Target;

/// How many full buffers one connection may deliver, or have thrown away, before the others have their turn, so that a fast peer starves
/// nobody.
const READS_PER_TURN: usize = 2;

/// What serving a socket needs of the driver.
pub(crate) struct Turn<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) handler: &'a mut dyn Handler,
    pub(crate) buffer: &'a mut [u8],
    /// When the driver's time began. The clock is read only when something depends on it.
    pub(crate) start: Instant,
}

/// What becomes of a connection after it was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Keep,
    /// It has more to read; the others come first.
    Again,
    Close,
    /// The handler heard its last event.
    Gone,
}

#[derive(Default)]
pub(crate) struct Sockets {
    /// `None` stands for a connection that failed before it had a socket, and is not reported yet.
    streams: Slots<Option<Stream>>,
    lingers: Lingers,
    /// Those that want to be served without an edge; a key may be stale.
    list: Vec<Key>,
    failed: VecDeque<(Key, io::Error)>,
    /// There as soon as a connection was adopted, to unwatch it.
    registry: Option<Registry>,
}

impl Sockets {
    /// The connection of that name, unless the reactor closed it.
    #[inline]
    pub(crate) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Stream> {
        let stream = self.streams.get_mut(conn.0)?.as_mut()?;
        (!matches!(stream.phase(), Phase::Lingering { .. })).then_some(stream)
    }

    /// Whether something is to be done without waiting for the kernel.
    pub(crate) fn has_work(&self) -> bool {
        !self.list.is_empty() || !self.failed.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.lingers.deadline()
    }

    /// Starts to connect; a failure becomes an event.
    pub(crate) fn connect(&mut self, connect: &Connect, registry: &Registry) -> ConnId {
        let (stream, error) = match connect::start(connect) {
            Ok(socket) => (Some(Stream::connecting(socket)), None),
            Err(error) => (None, Some(error)),
        };
        let key = self.streams.insert(stream);
        if let Some(error) = error.or_else(|| self.register(key, registry).err()) {
            self.failed.push_back((key, error));
        }
        ConnId(key)
    }

    /// Takes in a connection that was made elsewhere; its name and our end. The handler hears of it in the next poll.
    ///
    /// # Errors
    ///
    /// It is not connected, or the kernel does not watch it; it is closed.
    pub(crate) fn adopt(
        &mut self,
        socket: Socket,
        registry: &Registry,
    ) -> io::Result<(ConnId, Address)> {
        if self.registry.is_none() {
            self.registry = Some(registry.try_clone()?);
        }
        let stream = Stream::adopted(socket);
        let host = stream.host()?;
        let key = self.streams.insert(Some(stream));
        if let Err(error) = self.register(key, registry) {
            self.remove(key);
            return Err(error);
        }
        self.list(key);
        Ok((ConnId(key), host))
    }

    pub(crate) fn shutdown_write(&mut self, conn: ConnId) -> io::Result<()> {
        let registry = self.registry.take();
        let result = self
            .get_mut(conn)
            .map_or(Ok(()), |stream| stream.shutdown_write(registry.as_ref()));
        self.registry = registry;
        result
    }

    fn register(&mut self, key: Key, registry: &Registry) -> io::Result<()> {
        match self.streams.get_mut(key) {
            Some(Some(stream)) => stream.register(registry, Target::Stream(key).token()),
            _ => Ok(()),
        }
    }

    /// Takes in an accepted socket and tells the handler.
    ///
    /// # Errors
    ///
    /// The kernel does not watch the socket; it is closed.
    pub(crate) fn admit(
        &mut self,
        socket: Socket,
        turn: &mut Turn<'_>,
        accepted: impl FnOnce(ConnId) -> Event<'static>,
    ) -> io::Result<()> {
        let key = self.streams.insert(Some(Stream::accepted(socket)));
        if let Err(error) = self.register(key, turn.registry) {
            self.remove(key);
            return Err(error);
        }
        let conn = ConnId(key);
        let Some(Some(stream)) = self.streams.get_mut(key) else {
            return Ok(());
        };
        let fate = match obey(turn.handler.event(accepted(conn)), stream) {
            // Refused before a byte was sent: a reset destroys nothing, so a flood of them need not linger.
            ControlFlow::Break(_) => Fate::Gone,
            ControlFlow::Continue(()) => match flush(turn.handler, turn.registry, conn, stream) {
                ControlFlow::Break(fate) => fate,
                ControlFlow::Continue(()) => Fate::Keep,
            },
        };
        self.settle(conn, fate, turn);
        Ok(())
    }

    /// Reports the failures that were known at once.
    pub(crate) fn report_failed(&mut self, handler: &mut dyn Handler) {
        for _ in 0..self.failed.len() {
            let Some((key, error)) = self.failed.pop_front() else {
                return;
            };
            if self.streams.remove(key).is_some() {
                handler.event(Event::ConnectFailed {
                    conn: ConnId(key),
                    error,
                });
            }
        }
    }

    /// Serves those that are listed, once each.
    pub(crate) fn serve_list(&mut self, turn: &mut Turn<'_>) {
        let listed = self.list.len();
        for position in 0..listed {
            let key = self.list[position];
            if let Some(Some(stream)) = self.streams.get_mut(key) {
                stream.listed = false;
                self.serve(key, Readiness::default(), turn);
            }
        }
        self.list.drain(..listed);
    }

    /// Does what a readiness event calls for.
    #[inline]
    pub(crate) fn serve(&mut self, key: Key, readiness: Readiness, turn: &mut Turn<'_>) {
        let Some(Some(stream)) = self.streams.get_mut(key) else {
            return;
        };
        stream.note(readiness);
        let conn = ConnId(key);
        if let ControlFlow::Break(fate) = turn.serve(conn, stream, readiness) {
            self.settle(conn, fate, turn);
        }
    }

    fn settle(&mut self, conn: ConnId, fate: Fate, turn: &Turn<'_>) {
        match fate {
            Fate::Keep => {}
            Fate::Again => self.list(conn.0),
            Fate::Close => self.close(conn, turn.now()),
            Fate::Gone => self.remove(conn.0),
        }
    }

    fn list(&mut self, key: Key) {
        if let Some(Some(stream)) = self.streams.get_mut(key)
            && !stream.listed
        {
            stream.listed = true;
            self.list.push(key);
        }
    }

    pub(crate) fn resume(&mut self, conn: ConnId) {
        let Some(stream) = self.get_mut(conn) else {
            return;
        };
        stream.paused = false;
        if stream.wants_read() && stream.phase() == Phase::Open {
            self.list(conn.0);
        }
    }

    /// Closes in order: see [`crate::linger`].
    pub(crate) fn close(&mut self, conn: ConnId, now: Duration) {
        let Some(stream) = self.get_mut(conn) else {
            self.forget_failed(conn.0);
            return;
        };
        if stream.nothing_can_come() || stream.shutdown_write(None).is_err() {
            self.remove(conn.0);
            return;
        }
        stream.linger(MOST_BYTES);
        if stream.is_unread() {
            self.list(conn.0);
        }
        self.lingers.begin(now, conn.0);
        if self.lingers.is_full() {
            self.end_oldest_linger();
        }
    }

    pub(crate) fn abort(&mut self, conn: ConnId) {
        if self.get_mut(conn).is_some() {
            if let Some(Some(stream)) = self.streams.get(conn.0) {
                stream.abort();
            }
            self.remove(conn.0);
        } else {
            self.forget_failed(conn.0);
        }
    }

    /// Closes the sockets that lingered long enough.
    pub(crate) fn end_lingers(&mut self, start: Instant) {
        if self.deadline().is_none() {
            return;
        }
        let now = start.elapsed();
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            self.end_oldest_linger();
        }
    }

    /// Frees a descriptor; `false` if nobody lingers.
    pub(crate) fn end_oldest_linger(&mut self) -> bool {
        let oldest = self.lingers.oldest();
        oldest.inspect(|&key| self.remove(key)).is_some()
    }

    /// A failure not reported yet will not be.
    fn forget_failed(&mut self, key: Key) {
        if matches!(self.streams.get(key), Some(None)) {
            self.streams.remove(key);
        }
    }

    /// Closes the socket and frees its name.
    fn remove(&mut self, key: Key) {
        let Some(Some(stream)) = self.streams.remove(key) else {
            return;
        };
        let phase = stream.phase();
        if stream.adopted
            && let Some(registry) = &self.registry
        {
            stream.deregister(registry);
        }
        if matches!(phase, Phase::Lingering { .. }) {
            self.lingers.ended(|key| self.streams.get(key).is_some());
        }
    }
}

impl Turn<'_> {
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// `Break` if the connection needs something done that its own entry cannot say.
    #[inline]
    fn serve(
        &mut self,
        conn: ConnId,
        stream: &mut Stream,
        readiness: Readiness,
    ) -> ControlFlow<Fate> {
        match stream.phase() {
            Phase::Open => {}
            Phase::Connecting => self.finish_connect(conn, stream, readiness)?,
            Phase::Adopted => self.begin(conn, stream)?,
            Phase::Lingering { .. } => return self.discard(stream),
        }
        if readiness.writable && stream.take_blocked() {
            self.tell(conn, stream, Event::Writable { conn })?;
        }
        self.read(conn, stream)?;
        if readiness.error && stream.is_read_out() {
            return self.fail_if_broken(conn, stream);
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn read(&mut self, conn: ConnId, stream: &mut Stream) -> ControlFlow<Fate> {
        for _ in 0..READS_PER_TURN {
            if !stream.wants_read() {
                return ControlFlow::Continue(());
            }
            match stream.read(self.buffer) {
                Got::Bytes(count) => {
                    let event = Event::Received {
                        conn,
                        data: &mut self.buffer[..count],
                    };
                    tell(self.handler, self.registry, conn, stream, event)?;
                }
                Got::Descriptors(descriptors, count) => {
                    let data = &mut self.buffer[..count];
                    let event = Event::DescriptorsReceived {
                        conn,
                        descriptors,
                        data,
                    };
                    tell(self.handler, self.registry, conn, stream, event)?;
                }
                Got::Eof => self.tell(conn, stream, Event::Eof { conn })?,
                Got::Nothing => return ControlFlow::Continue(()),
                Got::Failed(error) => return self.fail(Event::Failed { conn, error }),
            }
        }
        match stream.wants_read() {
            true => ControlFlow::Break(Fate::Again),
            false => ControlFlow::Continue(()),
        }
    }

    #[cold]
    fn discard(&mut self, stream: &mut Stream) -> ControlFlow<Fate> {
        for _ in 0..READS_PER_TURN {
            if !stream.is_unread() {
                return ControlFlow::Continue(());
            }
            if stream.discard(self.buffer) {
                return ControlFlow::Break(Fate::Gone);
            }
        }
        ControlFlow::Break(Fate::Again)
    }

    #[cold]
    fn finish_connect(
        &mut self,
        conn: ConnId,
        stream: &mut Stream,
        readiness: Readiness,
    ) -> ControlFlow<Fate> {
        if !readiness.writable && !readiness.ending {
            return ControlFlow::Break(Fate::Keep);
        }
        match stream.finish_connect() {
            Ok(Some((host, peer))) => self.connected(conn, stream, host, peer),
            Ok(None) => ControlFlow::Break(Fate::Keep),
            Err(error) => self.fail(Event::ConnectFailed { conn, error }),
        }
    }

    /// Tells of an adopted connection, unless it broke on its way.
    #[cold]
    fn begin(&mut self, conn: ConnId, stream: &mut Stream) -> ControlFlow<Fate> {
        match stream.begin() {
            Ok((host, peer)) => self.connected(conn, stream, host, peer),
            Err(error) => self.fail(Event::ConnectFailed { conn, error }),
        }
    }

    fn connected(
        &mut self,
        conn: ConnId,
        stream: &mut Stream,
        host: Address,
        peer: Address,
    ) -> ControlFlow<Fate> {
        let credentials = stream.credentials();
        let event = Event::Connected {
            conn,
            host,
            peer,
            credentials,
        };
        self.tell(conn, stream, event)
    }

    /// After the end of the peer's stream no read will find the reset that follows when we write on.
    #[cold]
    fn fail_if_broken(&mut self, conn: ConnId, stream: &Stream) -> ControlFlow<Fate> {
        match stream.take_error() {
            Some(error) => self.fail(Event::Failed { conn, error }),
            None => ControlFlow::Continue(()),
        }
    }

    /// The last event of a connection. Nothing can be sent any more, so nothing is flushed.
    fn fail(&mut self, event: Event<'_>) -> ControlFlow<Fate> {
        self.handler.event(event);
        ControlFlow::Break(Fate::Gone)
    }

    fn tell(&mut self, conn: ConnId, stream: &mut Stream, event: Event<'_>) -> ControlFlow<Fate> {
        tell(self.handler, self.registry, conn, stream, event)
    }
}

/// Hands an event to the handler, sends what it wrote, and keeps what it demands.
#[inline]
fn tell(
    handler: &mut dyn Handler,
    registry: &Registry,
    conn: ConnId,
    stream: &mut Stream,
    event: Event<'_>,
) -> ControlFlow<Fate> {
    obey(handler.event(event), stream)?;
    flush(handler, registry, conn, stream)
}

#[inline]
fn flush(
    handler: &mut dyn Handler,
    registry: &Registry,
    conn: ConnId,
    stream: &mut Stream,
) -> ControlFlow<Fate> {
    let token = Target::Stream(conn.0).token();
    let demand = handler.flush(conn, &mut |outgoing, pool| {
        stream.send(outgoing, pool, registry, token)
    });
    obey(demand, stream)
}

#[inline]
const fn obey(demand: Demand, stream: &mut Stream) -> ControlFlow<Fate> {
    match demand {
        Demand::Continue => {}
        Demand::Pause => stream.paused = true,
        Demand::Close => return ControlFlow::Break(Fate::Close),
    }
    ControlFlow::Continue(())
}
