//! What the cores share: a seat for each, with its mailbox and its load.
//!
//! ```text
//!   core 0 ── send ──────► messages of 1 ────► its on_message
//!      └───── hand over ─► connections of 1 ─► its port of the same number
//! ```
//!
//! Nothing here is touched by the bytes of a connection: those never leave their core.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ropewalk_core::{Address, Descriptor, Reactor};

use crate::core::Core;
use crate::mailbox::{MAILBOX_MESSAGES, Mailbox, locked};

/// Brings several reactors together as cores that may send each other messages of the type `M`.
///
/// [`Cores`](crate::Cores) does this for reactors on threads of their own. A hub is for those who make the reactors
/// themselves, such as tests that run many in one simulated world:
///
/// ```
/// use ropewalk_core::Reactor;
/// use ropewalk_cores::Hub;
/// use ropewalk_sim::World;
///
/// let world = World::new(1);
/// world.host("zero");
/// world.host("one");
/// let mut reactors = ["zero", "one"].map(|host| Reactor::new(world.driver(host)));
/// let hub = Hub::<String>::new(2);
/// let cores: Vec<_> = (0..2).map(|at| hub.join(at, &reactors[at])).collect();
///
/// cores[1].on_message(|core, from, text| {
///     assert_eq!((core.index(), from, text.as_str()), (1, 0, "hello"));
///     core.reactor().stop().unwrap();
/// });
/// cores[0].reactor().call_when_running({
///     let core = cores[0].clone();
///     move |reactor| {
///         core.send(1, "hello".to_owned()).unwrap();
///         let _ = reactor.stop();
///     }
/// });
/// let [zero, one] = &mut reactors;
/// world.run(&mut [zero, one]).unwrap();
/// ```
pub struct Hub<M>(Arc<Seats<M>>);

pub(crate) struct Seats<M> {
    seats: Box<[Seat<M>]>,
    /// Where core 0 listens. Looked at only while cores are set up.
    ports: Mutex<Vec<SharedPort>>,
    /// Drawn by who first asks.
    group: OnceLock<u64>,
}

/// A port that all cores share.
#[derive(Clone)]
pub(crate) struct SharedPort {
    /// The endpoint, as it was given.
    pub(crate) text: String,
    /// Its real address.
    pub(crate) address: Address,
}

/// One core as the others see it.
pub(crate) struct Seat<M> {
    pub(crate) messages: Mailbox<Message<M>>,
    pub(crate) connections: Mailbox<Handed>,
    load: AtomicUsize,
}

pub(crate) struct Message<M> {
    pub(crate) from: usize,
    pub(crate) message: M,
}

/// A connection on its way to the core that will serve it.
pub(crate) struct Handed {
    /// The number of the port it came to.
    pub(crate) port: usize,
    pub(crate) descriptor: Descriptor,
}

/// How many connections may be on their way to one core; beyond, the core that accepted them serves them itself.
///
/// The attack: a flood of connections while one core is stuck, which would hold a descriptor each.
const CONNECTIONS_UNDER_WAY: usize = 1024;

impl<M: Send + 'static> Hub<M> {
    /// A hub for so many cores.
    ///
    /// # Panics
    ///
    /// For no core at all.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        Self::with_mailboxes(cores, MAILBOX_MESSAGES)
    }

    /// A hub whose mailboxes hold so many messages each.
    ///
    /// # Panics
    ///
    /// For no core at all, or mailboxes for nothing.
    #[must_use]
    pub fn with_mailboxes(cores: usize, messages: usize) -> Self {
        assert!(cores > 0, "Hub::new(0): there is one core at least");
        assert!(
            messages > 0,
            "a mailbox for no message: send would always fail"
        );
        Self(Arc::new(Seats {
            seats: (0..cores).map(|_| Seat::new(messages)).collect(),
            ports: Mutex::default(),
            group: OnceLock::new(),
        }))
    }

    /// How many cores.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// Gives a reactor its place; on its own thread, once for each place.
    ///
    /// # Panics
    ///
    /// The place is taken, or there is no such place.
    #[must_use]
    pub fn join(&self, index: usize, reactor: &Reactor) -> Core<M> {
        let inbox = self.0.seat(index).messages.take_inbox();
        let inbox =
            inbox.unwrap_or_else(|| panic!("Hub::join: another reactor is core {index} already"));
        Core::new(Arc::clone(&self.0), index, reactor.handle(), inbox)
    }
}

impl<M> Clone for Hub<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Seats<M> {
    pub(crate) fn count(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn seat(&self, index: usize) -> &Seat<M> {
        let count = self.count();
        self.seats
            .get(index)
            .unwrap_or_else(|| panic!("there is no core {index}: they are 0 to {}", count - 1))
    }

    pub(crate) fn group(&self, draw: impl FnOnce() -> u64) -> u64 {
        *self.group.get_or_init(draw)
    }

    pub(crate) fn add_port(&self, port: SharedPort) {
        locked(&self.ports).push(port);
    }

    pub(crate) fn port(&self, number: usize) -> Option<SharedPort> {
        locked(&self.ports).get(number).cloned()
    }

    /// The core with the fewest connections; of equals the first.
    pub(crate) fn least_loaded(&self) -> usize {
        let loads = self.seats.iter().map(Seat::load).enumerate();
        loads
            .min_by_key(|&(index, load)| (load, index))
            .map_or(0, |(index, _)| index)
    }
}

impl<M> Seat<M> {
    fn new(messages: usize) -> Self {
        Self {
            messages: Mailbox::new(messages),
            connections: Mailbox::new(CONNECTIONS_UNDER_WAY),
            load: AtomicUsize::new(0),
        }
    }

    /// How many connections it serves, those on their way to it included.
    pub(crate) fn load(&self) -> usize {
        self.load.load(Ordering::Relaxed)
    }

    pub(crate) fn add_connection(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_connection(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<M> fmt::Debug for Hub<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({} cores)", self.0.count())
    }
}
