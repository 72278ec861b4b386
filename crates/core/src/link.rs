//! What a transport handle and the registry share about one connection.
//!
//! ```text
//!   Transport ──┐                       ┌── Registry (on its turn)
//!               ├──► Rc<Link>: queue, ◄─┤
//!   Transport ──┘    flags, wishes      └── the driver, through Handler::flush
//! ```
//!
//! Handles only queue: they append bytes, set flags, leave wishes, and put the connection on the reactor's attention list.

use std::cell::{Cell, OnceCell, RefCell};
use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use crate::address::Address;
use crate::buffer::Outgoing;
use crate::descriptor::{Descriptor, DescriptorError};
use crate::driver::{ConnId, StreamOptions};
use crate::facts::Facts;
use crate::handle::Handle;
use crate::layer::Layer;
use crate::limits::Limits;
use crate::producer::Slot;
use crate::protocol::Protocol;
use crate::reason::Reason;

/// One fact about a connection each; see the constants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags(u32);

impl Flags {
    /// The connection is there: handles may queue.
    pub(crate) const OPEN: Self = Self(1);
    /// On the reactor's attention list already.
    pub(crate) const NOTED: Self = Self(1 << 1);
    /// Inside its own event: the driver flushes right after it, no attention needed for bytes.
    pub(crate) const CORKED: Self = Self(1 << 2);
    /// `lose_connection` was asked: nothing more is written or delivered.
    pub(crate) const LOSING: Self = Self(1 << 3);
    /// `abort_connection` was asked.
    pub(crate) const ABORTING: Self = Self(1 << 4);
    /// `lose_write_connection` was asked.
    pub(crate) const LOSING_WRITE: Self = Self(1 << 5);
    /// Our half is closed.
    pub(crate) const WRITE_LOST: Self = Self(1 << 6);
    /// The protocol paused reading.
    pub(crate) const READING_PAUSED: Self = Self(1 << 7);
    /// Reading is paused because too much waits to be sent.
    pub(crate) const CHOKED: Self = Self(1 << 8);
    /// The driver was told to pause.
    pub(crate) const DRIVER_PAUSED: Self = Self(1 << 9);
    /// The driver could not send all; `Writable` will come.
    pub(crate) const BLOCKED: Self = Self(1 << 10);
    /// The protocol and producers were told to pause.
    pub(crate) const WRITING_PAUSED: Self = Self(1 << 11);
    /// There is a wish in [`Wishes`].
    pub(crate) const WISHING: Self = Self(1 << 12);
    /// The peer sends nothing more.
    pub(crate) const PEER_EOF: Self = Self(1 << 13);
    /// Layers stand between driver and protocol.
    pub(crate) const LAYERED: Self = Self(1 << 14);
    /// `resume_reading` was asked; the protocol is told once reading goes on.
    pub(crate) const RESUMING: Self = Self(1 << 15);

    /// The protocol was told that the program, or its service, stops.
    pub(crate) const SHUTTING_DOWN: Self = Self(1 << 20);

    /// A shaping layer wants no reading for now.
    pub(crate) const SHAPED: Self = Self(1 << 16);
    /// A layer shakes hands: whoever paused reading, its bytes must come.
    pub(crate) const OPENING: Self = Self(1 << 17);
    /// The layers said goodbye and wait for their peers' answer.
    pub(crate) const PARTING: Self = Self(1 << 18);
    /// The answer took too long.
    pub(crate) const PARTED: Self = Self(1 << 19);

    /// The idle time-out was set or changed.
    pub(crate) const RETIMED: Self = Self(1 << 21);
    /// For the idle time-out only what is received counts.
    pub(crate) const HEARING: Self = Self(1 << 22);

    pub(crate) const fn has(self, any_of: Self) -> bool {
        self.0 & any_of.0 != 0
    }

    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

pub(crate) struct Link {
    pub(crate) id: ConnId,
    pub(crate) handle: Handle,
    pub(crate) flags: Cell<Flags>,
    pub(crate) outgoing: RefCell<Outgoing>,
    /// Bytes that a completion driver holds.
    pub(crate) in_flight: Cell<usize>,
    /// Bytes that ran down through the layers and wait for the driver.
    pub(crate) on_wire: Cell<usize>,
    pub(crate) limits: Rc<Limits>,
    pub(crate) host: Address,
    pub(crate) peer: Address,
    /// What the socket was told, to be read back (R65).
    pub(crate) options: Cell<StreamOptions>,
    /// When bytes last came or went, for the idle time-out.
    pub(crate) activity: Cell<Duration>,
    /// When bytes last came.
    pub(crate) heard: Cell<Duration>,
    pub(crate) idle_after: Cell<Option<Duration>>,
    /// Counts `switch_protocol`: closures made for an earlier protocol are dropped.
    pub(crate) epoch: Cell<u32>,
    pub(crate) wishes: RefCell<Option<Box<Wishes>>>,
    /// What the layers found out.
    pub(crate) facts: RefCell<Option<Box<Facts>>>,
    /// The ends of the connection as a proxy before us saw them.
    pub(crate) forwarded: OnceCell<Box<Ends>>,
}

/// Both ends of a connection.
pub(crate) struct Ends {
    pub(crate) host: Address,
    pub(crate) peer: Address,
}

/// What is rarely asked of a connection, kept apart so that an idle one stays small.
#[derive(Default)]
pub(crate) struct Wishes {
    /// Why the connection shall end, other than [`Reason::Done`].
    pub(crate) reason: Option<Reason>,
    /// Layers to push, each after so many bytes of the queue: writes and pushes share one order.
    pub(crate) layers: Vec<(usize, Box<dyn Layer>)>,
    /// The next protocol, and the bytes that the last one did not want.
    pub(crate) switch: Option<(Box<dyn Protocol>, Vec<u8>)>,
    pub(crate) producer: Slot,
}

impl Wishes {
    fn is_empty(&self) -> bool {
        self.reason.is_none()
            && self.layers.is_empty()
            && self.switch.is_none()
            && self.producer.is_empty()
    }
}

impl Link {
    #[inline]
    pub(crate) fn has(&self, any_of: Flags) -> bool {
        self.flags.get().has(any_of)
    }

    #[inline]
    pub(crate) fn set(&self, flags: Flags) {
        self.flags.set(self.flags.get().or(flags));
    }

    #[inline]
    pub(crate) fn clear(&self, flags: Flags) {
        self.flags.set(self.flags.get().without(flags));
    }

    /// Puts the connection on the attention list: the reactor settles it at the end of the turn.
    #[inline]
    pub(crate) fn note(&self) {
        if !self.has(Flags::NOTED) {
            self.set(Flags::NOTED);
            self.handle.shared().noted.borrow_mut().push(self.id);
        }
    }

    /// Whether bytes may still be written.
    #[inline]
    fn takes_bytes(&self) -> bool {
        let flags = self.flags.get();
        let asked_to_end = Flags::LOSING.or(Flags::ABORTING).or(Flags::LOSING_WRITE);
        flags.has(Flags::OPEN) && (!flags.has(asked_to_end) || self.waits_for_producer())
    }

    /// Whether a producer is registered that the end waits for (R70): not when there is a reason to end without it.
    pub(crate) fn waits_for_producer(&self) -> bool {
        let wishes = self.wishes.borrow();
        wishes
            .as_ref()
            .is_some_and(|wishes| !wishes.producer.is_empty() && wishes.reason.is_none())
            && !self.has(Flags::ABORTING.or(Flags::WRITE_LOST))
    }

    /// Appends to the queue, unless the connection takes no more.
    #[inline]
    pub(crate) fn write_with(&self, write: impl FnOnce(&mut Outgoing, &mut crate::buffer::Pool)) {
        if !self.takes_bytes() || self.is_overrun() {
            return;
        }
        write(
            &mut self.outgoing.borrow_mut(),
            &mut self.handle.shared().pool.borrow_mut(),
        );
        if !self.has(Flags::CORKED.or(Flags::NOTED)) {
            self.note();
        }
    }

    /// Queues a descriptor, unless the connection takes no more.
    pub(crate) fn pass(&self, descriptor: Descriptor) -> Result<(), DescriptorError> {
        if !self.takes_bytes() {
            return Ok(());
        }
        if !matches!(self.host, Address::Unix(_)) {
            return Err(DescriptorError::NotUnix(self.peer().clone()));
        }
        if self.has(Flags::LAYERED) || self.has_layers_to_push() {
            return Err(DescriptorError::Layered);
        }
        let passed = self.outgoing.borrow_mut().pass(descriptor);
        passed.map_err(|_refused| DescriptorError::TooMany)
    }

    /// Lends the end of the queue to a closure that appends to it. Nothing is borrowed meanwhile, so the closure may do
    /// anything with the handle.
    #[inline]
    pub(crate) fn append_with<R>(&self, append: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if !self.takes_bytes() || self.is_overrun() {
            return append(&mut Vec::new());
        }
        let pool = &self.handle.shared().pool;
        let mut end = self.outgoing.borrow_mut().take_end(&mut pool.borrow_mut());
        let result = append(&mut end.buffer);
        self.outgoing
            .borrow_mut()
            .put_back(end, &mut pool.borrow_mut());
        if !self.has(Flags::CORKED.or(Flags::NOTED)) {
            self.note();
        }
        result
    }

    /// Whether more waits in memory than the limit allows; the connection is then cut off.
    #[inline]
    fn is_overrun(&self) -> bool {
        let (outgoing, limit) = (self.outgoing.borrow(), self.limits.outgoing_bytes);
        let overrun = outgoing.len() > limit && outgoing.held_bytes() > limit;
        drop(outgoing);
        if overrun {
            self.overrun();
        }
        overrun
    }

    /// Bytes that are not with the kernel yet.
    pub(crate) fn unsent(&self) -> usize {
        self.outgoing.borrow().len() + self.on_wire.get() + self.in_flight.get()
    }

    /// Whether the driver shall read nothing for now.
    #[inline]
    pub(crate) fn wants_quiet(&self) -> bool {
        if self.has(Flags::LAYERED) && self.layers_want_data() {
            return self.has(Flags::SHAPED);
        }
        self.has(
            Flags::LOSING
                .or(Flags::READING_PAUSED)
                .or(Flags::CHOKED)
                .or(Flags::SHAPED),
        )
    }

    /// Whether layers need bytes from their peers, whoever paused reading: to shake hands, to say goodbye, and until then to
    /// keep in step with what they say among themselves.
    fn layers_want_data(&self) -> bool {
        self.has(Flags::OPENING.or(Flags::PARTING))
            || self.has(Flags::LOSING) && !self.has(Flags::ABORTING) && !self.has_reason()
    }

    /// Whether the protocol may be given more; if it must wait, it will be told when to go on.
    #[inline]
    pub(crate) fn wants_data(&self) -> bool {
        if self.has(Flags::LOSING.or(Flags::READING_PAUSED)) {
            return false;
        }
        let limits = &self.limits;
        let full = limits.pause_reading_when_full && self.unsent() > self.mark();
        if full || self.has(Flags::CHOKED) {
            self.set(Flags::CHOKED.or(Flags::RESUMING));
            self.note();
        }
        !self.has(Flags::CHOKED)
    }

    /// From how many unsent bytes on nothing more is wanted. What this very event wrote says nothing about the peer, as the kernel
    /// was not offered it yet; so that may be more, and a burst is answered in one send.
    #[inline]
    fn mark(&self) -> usize {
        let is_offered = !self.has(Flags::CORKED) || self.has(Flags::BLOCKED);
        let times = if is_offered { 1 } else { TIMES_UNOFFERED };
        self.limits.high_water_bytes.saturating_mul(times)
    }

    pub(crate) fn lose(&self) {
        if self.has(Flags::OPEN) && !self.has(Flags::LOSING) {
            self.set(Flags::LOSING);
            self.note();
        }
    }

    pub(crate) fn lose_because(&self, reason: Reason) {
        if self.has(Flags::OPEN) && !self.has(Flags::LOSING) {
            self.wish(|wishes| wishes.reason = Some(reason));
            self.lose();
        }
    }

    /// Bytes came.
    #[inline]
    pub(crate) fn hear(&self) {
        let now = self.handle.turn_time();
        self.activity.set(now);
        self.heard.set(now);
    }

    pub(crate) fn abort(&self) {
        if self.has(Flags::OPEN) {
            self.set(Flags::ABORTING.or(Flags::LOSING));
            self.note();
        }
    }

    /// Ends it at once, for a reason of its own unless one was given before.
    pub(crate) fn abort_because(&self, reason: Reason) {
        if self.has(Flags::OPEN) {
            self.wish(|wishes| wishes.reason.get_or_insert(reason).is_clean());
            self.abort();
        }
    }

    pub(crate) fn wish<R>(&self, change: impl FnOnce(&mut Wishes) -> R) -> R {
        self.set(Flags::WISHING);
        change(self.wishes.borrow_mut().get_or_insert_default())
    }

    /// Lets go of wishes that are all fulfilled, so that nobody looks for one with each byte.
    pub(crate) fn forget_fulfilled(&self) {
        let wishes = &mut *self.wishes.borrow_mut();
        if wishes.as_ref().is_none_or(|wishes| wishes.is_empty()) {
            *wishes = None;
            self.clear(Flags::WISHING);
        }
    }

    /// Keeps what layers found out. Where a proxy says who connected, that is who the peer is from now on.
    pub(crate) fn learn(&self, facts: Facts) {
        if facts.is_empty() {
            return;
        }
        let known = &mut *self.facts.borrow_mut();
        let known = known.get_or_insert_default();
        known.extend(facts);
        if let (None, Some(peer)) = (self.forwarded.get(), &known.peer) {
            let host = known.host.as_ref().unwrap_or(&self.host).clone();
            let peer = peer.clone();
            let _ = self.forwarded.set(Box::new(Ends { host, peer }));
        }
    }

    pub(crate) fn host(&self) -> &Address {
        self.forwarded.get().map_or(&self.host, |ends| &ends.host)
    }

    pub(crate) fn peer(&self) -> &Address {
        self.forwarded.get().map_or(&self.peer, |ends| &ends.peer)
    }

    /// Whether there is another reason to end than that somebody wished so.
    pub(crate) fn has_reason(&self) -> bool {
        let wishes = self.wishes.borrow();
        wishes
            .as_ref()
            .is_some_and(|wishes| wishes.reason.is_some())
    }

    pub(crate) fn has_layers_to_push(&self) -> bool {
        self.has(Flags::WISHING)
            && self
                .wishes
                .borrow()
                .as_ref()
                .is_some_and(|wishes| !wishes.layers.is_empty())
    }

    /// The reason asked for, if another than done.
    pub(crate) fn take_reason(&self) -> Option<Reason> {
        self.wishes.borrow_mut().as_mut()?.reason.take()
    }

    fn overrun(&self) {
        let unsent = self.unsent();
        let limit = self.limits.outgoing_bytes;
        self.abort_because(Reason::Misbehaved(Box::new(Overrun { unsent, limit })));
    }
}

/// So many times the high-water mark may wait before any of it was offered to the kernel: as much as a driver reads at once, by
/// default. Stops small questions that come together from having large answers made before it shows that nobody reads them.
const TIMES_UNOFFERED: usize = 4;

/// The peer reads too slowly for what the protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overrun {
    /// Bytes that wait.
    pub unsent: usize,
    /// The limit, [`Limits::outgoing_bytes`].
    pub limit: usize,
}

impl std::fmt::Display for Overrun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { unsent, limit } = self;
        write!(
            f,
            "it does not read: {unsent} bytes wait, the limit is {limit}"
        )
    }
}

impl Error for Overrun {}

#[cfg(test)]
mod tests {
    use super::Flags;

    #[test]
    fn each_flag_has_its_own_bit() {
        let all = [
            Flags::OPEN,
            Flags::NOTED,
            Flags::CORKED,
            Flags::LOSING,
            Flags::ABORTING,
            Flags::LOSING_WRITE,
            Flags::WRITE_LOST,
            Flags::READING_PAUSED,
            Flags::CHOKED,
            Flags::DRIVER_PAUSED,
            Flags::BLOCKED,
            Flags::WRITING_PAUSED,
            Flags::WISHING,
            Flags::PEER_EOF,
            Flags::LAYERED,
            Flags::RESUMING,
            Flags::SHUTTING_DOWN,
            Flags::SHAPED,
            Flags::OPENING,
            Flags::PARTING,
            Flags::PARTED,
            Flags::RETIMED,
        ];
        for (place, flag) in all.iter().enumerate() {
            let is_apart = all[..place].iter().all(|other| !flag.has(*other));
            assert!(flag.0.is_power_of_two() && is_apart, "{flag:?}");
        }
    }
}
