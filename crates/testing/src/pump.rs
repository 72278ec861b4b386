//! Two protocols wired together, and the test moves the bytes.
//!
//! ```text
//!   client ── sent ─► wire ── one piece per step ─► received ── server
//!          ◄─ received ── one piece per step ── wire ◄─ sent ──
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ropewalk_core::{Address, ConnectOptions, Handle, Protocol, Reason, Transport};

use crate::chunks::Chunks;
use crate::clock::Clock;
use crate::memory::{Arrival, End};
use crate::string_transport::Once;
use crate::watched::Watched;

/// Two protocols on two ends of one connection, without a network; nothing moves but by [`step`](Self::step) and
/// [`flush`](Self::flush).
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
/// use ropewalk_testing::{Chunks, Pump, Side};
///
/// struct Echo;
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
///
/// #[derive(Default)]
/// struct Client(Vec<u8>);
/// impl Protocol for Client {
///     fn connection_made(&mut self, transport: &Transport) {
///         transport.write("hello");
///     }
///     fn data_received(&mut self, _: &Transport, data: &[u8]) {
///         self.0.extend_from_slice(data);
///     }
/// }
///
/// let mut pump = Pump::new(Client::default(), Echo).with_chunks(Chunks::of(1));
/// pump.flush();
/// assert_eq!(pump.protocol(Side::Client, |client: &mut Client| client.0.clone()), b"hello");
/// ```
#[doc(alias = "IOPump")]
#[doc(alias = "FakeTransport")]
pub struct Pump {
    clock: Clock,
    ends: [Watched; 2],
    wires: [Wire; 2],
    chunks: Chunks,
    next: Side,
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The one named first.
    Client,
    /// The one named second.
    Server,
}

impl Side {
    /// The one at the far end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What one side sent, on its way to the other.
#[derive(Default)]
struct Wire {
    bytes: VecDeque<u8>,
    /// The sender ended its half; told after the bytes.
    ended: bool,
    end_told: bool,
}

/// What a wire holds before its sender is blocked.
const WIRE_BYTES: usize = 64 * 1024;

/// Whoever moves so many pieces without coming to rest never will.
const STEPS_OF_A_FLUSH: u32 = 250_000;

impl Pump {
    /// Connects the two: both had their `connection_made`, the client first, and nothing has moved yet.
    #[must_use]
    pub fn new(client: impl Protocol, server: impl Protocol) -> Self {
        let mut clock = Clock::new();
        let addresses = [
            SocketAddr::from(([192, 0, 2, 1], 54_321)),
            SocketAddr::from(([192, 0, 2, 2], 8000)),
        ];
        let mut connect = |protocol: Box<dyn Protocol>, host: SocketAddr, peer: SocketAddr| {
            let options = ConnectOptions::new(peer).expect("a socket address can be read");
            let factory = Box::new(Once {
                protocol: Some(protocol),
                layers: Vec::new(),
            });
            Watched::connect(&mut clock, Address::Tcp(host), options, factory)
        };
        let ends = [
            connect(Box::new(client), addresses[0], addresses[1]),
            connect(Box::new(server), addresses[1], addresses[0]),
        ];
        let wires = Default::default();
        let mut pump = Self {
            clock,
            ends,
            wires,
            chunks: Chunks::whole(),
            next: Side::Client,
        };
        pump.collect();
        pump
    }

    /// The pieces in which bytes are moved from now on.
    #[must_use]
    pub fn with_chunks(mut self, chunks: Chunks) -> Self {
        self.chunks = chunks;
        self
    }

    /// Moves one piece, in turn from either side, and lets what follows from it happen; `false` if there is nothing to
    /// move.
    #[doc(alias = "pump")]
    pub fn step(&mut self) -> bool {
        self.settle();
        let side = self.next;
        let moved = if self.carry(side) {
            self.next = side.other();
            true
        } else {
            self.carry(side.other())
        };
        self.settle();
        moved
    }

    /// Moves everything, until both are at rest.
    ///
    /// # Panics
    ///
    /// If they never come to rest.
    pub fn flush(&mut self) {
        for _ in 0..STEPS_OF_A_FLUSH {
            if !self.step() {
                return;
            }
        }
        panic!("the two never stop talking: {STEPS_OF_A_FLUSH} pieces were moved");
    }

    /// Lets time pass, then moves everything.
    ///
    /// # Panics
    ///
    /// If the two never come to rest.
    pub fn advance(&mut self, time: Duration) {
        self.clock.advance(time);
        self.flush();
    }

    /// Lets what was asked for on handles happen; moves nothing.
    pub fn settle(&mut self) {
        self.clock.settle();
        self.collect();
    }

    /// The transport of one side.
    #[must_use]
    pub fn transport(&self, side: Side) -> Transport {
        self.ends[side as usize].transport()
    }

    /// Looks at the protocol of one side, also when its connection is lost.
    ///
    /// # Panics
    ///
    /// If it, or one inside it, is no `P`.
    pub fn protocol<P: 'static, R: 'static>(
        &mut self,
        side: Side,
        look: impl FnOnce(&mut P) -> R + 'static,
    ) -> R {
        self.ends[side as usize].protocol(&mut self.clock, look)
    }

    /// How many bytes of one side are under way to the other.
    #[must_use]
    pub fn in_flight(&self, side: Side) -> usize {
        self.wires[side as usize].bytes.len()
    }

    /// Why the connection ended, as one side was told. An error inside keeps its kind and its text only.
    #[must_use]
    pub fn lost_reason(&self, side: Side) -> Option<Reason> {
        self.ends[side as usize].lost_reason()
    }

    /// The reactor that both live on.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.clock
    }

    /// Puts what the reactor sent on the wires.
    fn collect(&mut self) {
        for side in [Side::Client, Side::Server] {
            let (memory, conn) = (self.clock.memory(), self.ends[side as usize].conn);
            let wire = &mut self.wires[side as usize];
            wire.bytes.extend(memory.take_sent(conn));
            wire.ended |= memory.is_write_closed(conn);
            memory.set_room(conn, WIRE_BYTES.saturating_sub(wire.bytes.len()));
            if memory.end(conn) == Some(End::Aborted) {
                self.reset(side);
            }
        }
    }

    /// What was under way is lost, and the far end is told at once.
    fn reset(&mut self, side: Side) {
        let far = self.ends[side.other() as usize].conn;
        let wire = &mut self.wires[side as usize];
        wire.bytes.clear();
        if !wire.end_told && self.clock.memory().end(far).is_none() {
            let error = io::ErrorKind::ConnectionReset.into();
            self.clock.memory().arrive(far, Arrival::Failed(error));
        }
        wire.end_told = true;
    }

    /// Carries one piece, or the end, of what one side sent to the other, unless that does not read.
    fn carry(&mut self, side: Side) -> bool {
        let (memory, far) = (self.clock.memory(), self.ends[side.other() as usize].conn);
        let wire = &mut self.wires[side as usize];
        if memory.end(far).is_some() {
            // Nobody is there: a kernel would go on reading for a while, and throw it away.
            let moved = !wire.bytes.is_empty();
            wire.bytes.clear();
            return moved;
        }
        if memory.is_held_up(far) {
            return false;
        }
        if !wire.bytes.is_empty() {
            let length = self.chunks.next(wire.bytes.len());
            memory.arrive(far, Arrival::Bytes(wire.bytes.drain(..length).collect()));
            return true;
        }
        let ends_now = wire.ended && !wire.end_told;
        if ends_now {
            wire.end_told = true;
            memory.arrive(far, Arrival::Eof);
        }
        ends_now
    }
}

impl fmt::Debug for Pump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("from_client", &self.in_flight(Side::Client))
            .field("from_server", &self.in_flight(Side::Server))
            .finish_non_exhaustive()
    }
}
