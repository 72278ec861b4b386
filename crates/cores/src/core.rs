//! One core, on its own thread.

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ropewalk_core::timer::sleep;
use ropewalk_core::{Adopter, Handle, Phase};

use crate::hub::{Handed, Message, Seat, Seats};
use crate::mailbox::{Inbox, SendError};

/// A handle on one core for those who live on it; cheap to clone, and it stays on its thread.
///
/// Only what crosses a mailbox has to be `Send`. Everything else of a core — protocols, factories, rooms full of clients —
/// is its own, and needs no lock.
pub struct Core<M>(Rc<State<M>>);

/// How many messages are delivered before the core's sockets have their turn.
const MESSAGES_PER_TURN: usize = 256;

type OnMessage<M> = Rc<dyn Fn(&Core<M>, usize, M)>;

struct State<M> {
    seats: Arc<Seats<M>>,
    index: usize,
    handle: Handle,
    on_message: RefCell<Option<OnMessage<M>>>,
    /// Kept until somebody listens to messages; then the task has it.
    inbox: RefCell<Option<Inbox<Message<M>>>>,
    /// What serves the connections that come from other cores, for each port in the order of [`Core::listen`].
    ports: RefCell<Vec<Option<Adopter>>>,
}

impl<M: Send + 'static> Core<M> {
    pub(crate) fn new(
        seats: Arc<Seats<M>>,
        index: usize,
        handle: Handle,
        inbox: Inbox<Message<M>>,
    ) -> Self {
        Self(Rc::new(State {
            seats,
            index,
            handle,
            on_message: RefCell::default(),
            inbox: RefCell::new(Some(inbox)),
            ports: RefCell::default(),
        }))
    }

    /// Its number, from 0.
    #[must_use]
    pub fn index(&self) -> usize {
        self.0.index
    }

    /// How many cores there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.seats.count()
    }

    /// A number that all cores of a hub have, and those of another most likely do not: what they send to the world can be told
    /// from what others send.
    #[must_use]
    pub fn group(&self) -> u64 {
        self.0
            .seats
            .group(|| u64::from_be_bytes(self.0.handle.random_bytes()))
    }

    /// Its reactor.
    #[must_use]
    pub fn reactor(&self) -> &Handle {
        &self.0.handle
    }

    /// How many connections a core serves of those that came through [`listen`](Self::listen): for metrics.
    ///
    /// # Panics
    ///
    /// There is no such core.
    #[must_use]
    pub fn load(&self, core: usize) -> usize {
        self.0.seats.seat(core).load()
    }

    /// Sends a message to a core, this one included. The messages of one core to another arrive in the order sent.
    ///
    /// # Errors
    ///
    /// Too many messages wait there, or the core is gone; the message comes back.
    ///
    /// # Panics
    ///
    /// There is no such core.
    pub fn send(&self, to: usize, message: M) -> Result<(), SendError<M>> {
        let from = self.index();
        let sent = self.seat(to).messages.send(Message { from, message });
        sent.map_err(|error| error.map(|refused| refused.message))
    }

    /// Sends a message to every other core; gives the numbers of those that could not take it.
    #[must_use = "a core that is slow misses the message: drop what it serves, or tell it later"]
    pub fn broadcast(&self, message: &M) -> Vec<usize>
    where
        M: Clone,
    {
        let others = (0..self.count()).filter(|&to| to != self.index());
        others
            .filter(|&to| self.send(to, message.clone()).is_err())
            .collect()
    }

    /// Calls a function on this core's turn for each message, with the number of the core that sent it. What came
    /// earlier is kept until now. A second function takes the place of the first.
    pub fn on_message(&self, call: impl Fn(&Self, usize, M) + 'static) {
        *self.0.on_message.borrow_mut() = Some(Rc::new(call));
        if let Some(inbox) = self.0.inbox.borrow_mut().take() {
            self.0.handle.spawn(receive(Listening(self.clone()), inbox));
        }
    }

    pub(crate) fn seats(&self) -> &Arc<Seats<M>> {
        &self.0.seats
    }

    fn seat(&self, index: usize) -> &Seat<M> {
        self.0.seats.seat(index)
    }

    pub(crate) fn own_seat(&self) -> &Seat<M> {
        self.seat(self.0.index)
    }

    // ── Connections ─────────────────────────────────────────────────────────────────────────────────────────────────

    /// How many ports this core listens at.
    pub(crate) fn ports(&self) -> usize {
        self.0.ports.borrow().len()
    }

    /// Adds a port, with what serves its connections if they come from other cores.
    pub(crate) fn add_port(&self, adopter: Option<Adopter>) {
        self.0.ports.borrow_mut().push(adopter);
        if let Some(inbox) = self.own_seat().connections.take_inbox() {
            let this = self.clone();
            self.0
                .handle
                .add_trigger(Phase::DuringShutdown, move |_| drop(this.0.ports.take()));
            self.0.handle.spawn(serve(Serving(self.clone()), inbox));
        }
    }

    /// Gives a connection to a core, which counts it from now on. One that has no room, or is gone, leaves it to us.
    pub(crate) fn hand_over(&self, to: usize, handed: Handed) {
        let seat = self.seat(to);
        seat.add_connection();
        if let Err(refused) = seat.connections.send(handed) {
            seat.remove_connection();
            self.serve(refused.into_message());
        }
    }

    fn serve(&self, handed: Handed) {
        if let Some(Some(adopter)) = self.0.ports.borrow().get(handed.port) {
            adopter.adopt(handed.descriptor);
        }
    }

    fn deliver(&self, from: usize, message: M) {
        let Some(call) = self.0.on_message.borrow().clone() else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| call(self, from, message))).is_err() {
            tracing::error!(
                core = self.index(),
                from,
                "on_message panicked; the core goes on"
            );
        }
    }
}

/// Hands out messages for as long as the reactor lives.
async fn receive<M: Send + 'static>(core: Listening<M>, inbox: Inbox<Message<M>>) {
    let (core, mut in_a_row) = (&core.0, 0);
    let messages = &core.own_seat().messages;
    let next = || poll_fn(|context| messages.poll_receive(&inbox, context));
    while let Some(Message { from, message }) = next().await {
        core.deliver(from, message);
        in_a_row += 1;
        if in_a_row == MESSAGES_PER_TURN {
            in_a_row = 0;
            let _next_turn = sleep(core.reactor(), Duration::ZERO).await;
        }
    }
}

/// Serves what other cores hand over, for as long as the reactor lives.
async fn serve<M: Send + 'static>(core: Serving<M>, inbox: Inbox<Handed>) {
    let core = &core.0;
    let connections = &core.own_seat().connections;
    while let Some(handed) = poll_fn(|context| connections.poll_receive(&inbox, context)).await {
        core.serve(handed);
        let seats = Arc::clone(core.seats());
        let index = core.index();
        // The port counts it in the next turn's events, which come before timers: it is never counted less than once.
        core.reactor().call_later(Duration::ZERO, move |_| {
            seats.seat(index).remove_connection();
        });
    }
}

/// A core whose ports are closed with its reactor: their factories hold the core in turn.
struct Serving<M>(Core<M>);

impl<M> Drop for Serving<M> {
    fn drop(&mut self) {
        let ports = self.0.0.ports.take();
        drop(ports);
    }
}

/// A core whose function is forgotten with its reactor: the function may hold the core in turn.
struct Listening<M>(Core<M>);

impl<M> Drop for Listening<M> {
    fn drop(&mut self) {
        let call = self.0.0.on_message.take();
        drop(call);
    }
}

impl<M> Clone for Core<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<M> fmt::Debug for Core<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Core({})", self.0.index)
    }
}
