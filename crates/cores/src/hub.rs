//! What the cores share: a seat for each, with its mailbox and its load.
//!
//! ```text
//!   core 0 ── send ──► mailbox of 1 ──► task on core 1 ──► its on_message
//!      └──── hand over ─► descriptor in a call ─────────► served on core 1
//! ```
//!
//! Nothing here is touched by the bytes of a connection: those never leave their core.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use ropewalk_core::{Reactor, Remote};

use crate::core::Core;

/// How many messages may wait for one core, unless the hub is told otherwise.
///
/// The attack: whoever makes one core send without end to another that is slower. Beyond it the sender is refused, and
/// may drop the message or slow down its own peer.
pub const MAILBOX_MESSAGES: usize = 16 * 1024;

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

pub(crate) struct Seats<M>(Box<[Seat<M>]>);

/// One core as the others see it.
pub(crate) struct Seat<M> {
    remote: OnceLock<Remote>,
    sender: SyncSender<Message<M>>,
    receiver: Mutex<Option<Receiver<Message<M>>>>,
    /// Its task found the mailbox empty and left a waker.
    sleeps: AtomicBool,
    waker: Mutex<Option<Waker>>,
    connections: AtomicUsize,
}

struct Message<M> {
    from: usize,
    message: M,
}

/// Why a message was not taken; it comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<M> {
    /// Too many wait there already ([`MAILBOX_MESSAGES`]).
    Full(M),
    /// That core is gone.
    Gone(M),
}

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
        Self(Arc::new(Seats(
            (0..cores).map(|_| Seat::new(messages)).collect(),
        )))
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
        let seat = self.0.seat(index);
        let receiver = seat
            .receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let receiver = receiver
            .unwrap_or_else(|| panic!("Hub::join: another reactor is core {index} already"));
        let _first = seat.remote.set(reactor.remote());
        Core::new(Arc::clone(&self.0), index, reactor.handle(), receiver)
    }
}

impl<M> Clone for Hub<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M> Seats<M> {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn seat(&self, index: usize) -> &Seat<M> {
        let count = self.0.len();
        self.0
            .get(index)
            .unwrap_or_else(|| panic!("there is no core {index}: they are 0 to {}", count - 1))
    }

    /// The core with the fewest connections; of equals the first.
    pub(crate) fn least_loaded(&self) -> usize {
        let loads = self.0.iter().map(Seat::load);
        loads
            .enumerate()
            .min_by_key(|&(index, load)| (load, index))
            .map_or(0, |(index, _)| index)
    }
}

impl<M> Seat<M> {
    fn new(messages: usize) -> Self {
        let (sender, receiver) = sync_channel(messages);
        Self {
            remote: OnceLock::new(),
            sender,
            receiver: Mutex::new(Some(receiver)),
            sleeps: AtomicBool::new(false),
            waker: Mutex::new(None),
            connections: AtomicUsize::new(0),
        }
    }

    /// The way to its reactor, once it has joined.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.get()
    }

    /// How many connections it serves, those on their way to it included.
    pub(crate) fn load(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn add_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn send(&self, from: usize, message: M) -> Result<(), SendError<M>> {
        let sent = self.sender.try_send(Message { from, message });
        sent.map_err(|error| match error {
            TrySendError::Full(refused) => SendError::Full(refused.message),
            TrySendError::Disconnected(refused) => SendError::Gone(refused.message),
        })?;
        if self.sleeps.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Ok(())
    }

    fn wake(&self) {
        let waker = self.lock_waker().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next message, or the promise to wake the task when there is one.
    pub(crate) fn poll_receive(
        &self,
        receiver: &Inbox<M>,
        context: &Context<'_>,
    ) -> Poll<Option<(usize, M)>> {
        if let Some(received) = receiver.take() {
            return Poll::Ready(received);
        }
        *self.lock_waker() = Some(context.waker().clone());
        self.sleeps.store(true, Ordering::SeqCst);
        // A sender that came between the two looks saw no sleeper: look again.
        match receiver.take() {
            Some(received) => Poll::Ready(received),
            None => Poll::Pending,
        }
    }

    fn lock_waker(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving end of a mailbox.
pub(crate) struct Inbox<M>(Receiver<Message<M>>);

impl<M> Inbox<M> {
    /// A message; `Some(None)` when none can ever come; `None` when none is there.
    fn take(&self) -> Option<Option<(usize, M)>> {
        match self.0.try_recv() {
            Ok(Message { from, message }) => Some(Some((from, message))),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }
}

impl<M> From<Receiver<Message<M>>> for Inbox<M> {
    fn from(receiver: Receiver<Message<M>>) -> Self {
        Self(receiver)
    }
}

impl<M> SendError<M> {
    /// The message, to try again.
    pub fn into_message(self) -> M {
        match self {
            Self::Full(message) | Self::Gone(message) => message,
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => {
                "the mailbox of that core is full: it is slower than those who send to it"
            }
            Self::Gone(_) => "that core is gone",
        })
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Gone(_) => "Gone(..)",
        })
    }
}

impl<M> std::error::Error for SendError<M> {}

impl<M> fmt::Debug for Hub<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({} cores)", self.0.count())
    }
}
