//! Bytes on their way down: the queue of the link, the layers, the driver.

use std::io;
use std::mem::take;

use super::Connection;
use crate::buffer::{Outgoing, Pool};
use crate::driver::Sent;
use crate::link::Flags;
use crate::producer::Registration;
use crate::reason::Reason;
use crate::transport::Transport;
use crate::watchdog::Callback;

impl Connection {
    /// Sends what is queued, as far as the driver takes it.
    #[inline]
    pub(crate) fn flush(&mut self, send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) {
        if self.link().has(Flags::LAYERED.or(Flags::WISHING)) {
            self.run_down();
        }
        let link = &self.transport.0;
        if link.has(Flags::BLOCKED.or(Flags::ABORTING)) {
            return self.check_mark();
        }
        if self.stack.is_some() {
            return self.flush_wire(send);
        }
        let mut outgoing = link.outgoing.borrow_mut();
        if outgoing.is_empty() {
            return;
        }
        let length = outgoing.len();
        let sent = send(&mut outgoing, &mut link.handle.shared().pool.borrow_mut());
        let taken = length - outgoing.len();
        drop(outgoing);
        self.sent(taken, sent);
    }

    /// Sends what ran down through the layers, and what then may.
    fn flush_wire(&mut self, send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) {
        while let Some(stack) = &mut self.stack
            && !stack.wire.is_empty()
        {
            let link = &self.transport.0;
            let length = stack.wire.len();
            let sent = send(&mut stack.wire, &mut link.handle.shared().pool.borrow_mut());
            let left = stack.wire.len();
            link.on_wire.set(left);
            self.sent(length - left, sent);
            if self.link().outgoing.borrow().is_empty() {
                return;
            }
            self.run_down();
            if self.link().has(Flags::BLOCKED.or(Flags::ABORTING)) {
                return self.check_mark();
            }
        }
    }

    #[inline(always)]
    fn sent(&mut self, taken: usize, sent: Sent) {
        let link = &self.transport.0;
        link.activity.set(link.handle.turn_time());
        match sent {
            Sent::Done => {
                let to_tell = Flags::WRITING_PAUSED.or(Flags::CHOKED).or(Flags::WISHING);
                // Layers that a protocol pushed before it asked for the end say goodbye once all is sent.
                let to_part =
                    link.has(Flags::LAYERED) && link.has(Flags::LOSING.or(Flags::LOSING_WRITE));
                if link.has(to_tell) || to_part {
                    link.note();
                }
            }
            other => self.sent_partly(taken, other),
        }
    }

    #[cold]
    fn sent_partly(&mut self, taken: usize, sent: Sent) {
        let link = &self.transport.0;
        match sent {
            Sent::Done => {}
            Sent::Blocked => self.blocked(),
            Sent::Taken => {
                link.in_flight.set(taken);
                self.blocked();
            }
            Sent::Failed(error) => link.abort_because(Reason::Lost(error)),
        }
    }

    fn blocked(&mut self) {
        self.link().set(Flags::BLOCKED);
        self.expect_progress();
        self.check_mark();
    }

    /// Above the high-water mark everything that fills the queue is asked to pause, at the end of the turn.
    fn check_mark(&mut self) {
        let link = &self.transport.0;
        if self.unsent() <= link.limits.high_water_bytes {
            return;
        }
        if link.limits.pause_reading_when_full {
            link.set(Flags::CHOKED);
        }
        if !link.has(Flags::WRITING_PAUSED) {
            link.note();
        }
    }

    /// The driver can send again, or has sent what it held.
    pub(crate) fn writable(&mut self) {
        self.forget_stall();
        let link = self.link();
        link.clear(Flags::BLOCKED);
        link.in_flight.set(0);
        link.note();
    }

    /// Bytes that are not with the kernel yet, on every level.
    pub(crate) fn unsent(&self) -> usize {
        if let Some(stack) = &self.stack {
            self.link().on_wire.set(stack.wire.len());
        }
        self.link().unsent()
    }

    /// Whether everything written is with the kernel.
    pub(crate) fn is_drained(&self) -> bool {
        self.unsent() == 0 && !self.link().has(Flags::BLOCKED)
    }

    /// Lets the layers say goodbye, once; what they say is flushed next.
    fn close_layers(&mut self) {
        let handle = self.handle();
        if let Some(stack) = &mut self.stack {
            stack.close(&mut handle.shared().pool.borrow_mut());
        }
    }

    /// Brings the connection to where its handles want it, as far as it can alone.
    pub(crate) fn settle(&mut self, send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) {
        if self.link().has(Flags::WISHING) {
            self.switch_protocol();
        }
        self.rearm_idle();
        self.flush(send);
        self.regulate();
        self.flush(send);
        if self.link().has(Flags::WISHING) {
            self.link().forget_fulfilled();
        }
        if self.link().has(Flags::LOSING.or(Flags::LOSING_WRITE))
            && self.stack.is_some()
            && self.is_drained()
            && !self.link().waits_for_producer()
        {
            self.close_layers();
            self.flush(send);
            self.part();
        }
    }

    /// Ends in order what the driver is about to close, as far as that needs no answer.
    pub(crate) fn say_goodbye(&mut self, send: &mut dyn FnMut(&mut Outgoing, &mut Pool) -> Sent) {
        if self.stack.is_some() {
            self.flush(send);
            self.close_layers();
            self.flush(send);
        }
    }

    /// Waits for the layers' peers to answer the goodbye, unless the end has a reason that makes no friends (R77).
    fn part(&mut self) {
        let link = self.link();
        if !link.has(Flags::LOSING) {
            return;
        }
        let over = link.has(Flags::PARTED.or(Flags::ABORTING)) || link.has_reason();
        if over || self.stack.as_ref().is_none_or(|stack| stack.is_closed()) {
            self.link().clear(Flags::PARTING);
        } else {
            self.link().set(Flags::PARTING);
            self.expect_handshake();
        }
    }

    /// Whether `lose_connection` was asked, everything is sent, and no producer wants to write more (R70).
    pub(crate) fn may_close(&self) -> bool {
        self.link().has(Flags::LOSING)
            && self.is_drained()
            && !self.link().waits_for_producer()
            && !self.link().has(Flags::PARTING)
    }

    /// Whether `lose_write_connection` was asked and everything is sent.
    pub(crate) fn may_shut_down_writing(&self) -> bool {
        let link = self.link();
        link.has(Flags::LOSING_WRITE)
            && !link.has(Flags::WRITE_LOST)
            && self.is_drained()
            && !self.link().waits_for_producer()
    }

    /// Our half is closed; if theirs is too, the connection is over.
    pub(crate) fn write_lost(&mut self) {
        self.link().set(Flags::WRITE_LOST);
        self.call(Callback::WriteConnectionLost, |protocol, transport| {
            protocol.write_connection_lost(transport);
        });
        if self.link().has(Flags::PEER_EOF) {
            self.link().lose();
        }
    }

    /// Tells protocol and producer what the queue's length means for them: pause, or go on.
    fn regulate(&mut self) {
        let (unsent, high) = (self.unsent(), self.link().limits.high_water_bytes);
        if unsent <= high / 2 {
            self.link().clear(Flags::CHOKED);
        }
        if unsent > high {
            if !self.link().has(Flags::WRITING_PAUSED) {
                self.link().set(Flags::WRITING_PAUSED);
                self.call(Callback::WritingPaused, |protocol, transport| {
                    protocol.writing_paused(transport);
                });
            }
            self.with_producer(Registration::pause);
        } else if self.is_drained() {
            if self.link().has(Flags::WRITING_PAUSED) {
                self.link().clear(Flags::WRITING_PAUSED);
                self.call(Callback::WritingResumed, |protocol, transport| {
                    protocol.writing_resumed(transport);
                });
            }
            self.with_producer(Registration::drained);
        }
    }

    /// Tells the producer, once and last, that the connection is gone (R69).
    pub(crate) fn stop_producer(&mut self) {
        self.with_producer(Registration::stop);
        self.transport.unregister_producer();
    }

    /// Calls the producer, which may write, unregister itself and register another.
    fn with_producer(&mut self, tell: impl FnOnce(&mut Registration, &Transport)) {
        if !self.link().has(Flags::WISHING) {
            return;
        }
        let Some(mut registration) = self.link().wish(|wishes| wishes.producer.begin()) else {
            return;
        };
        let transport = self.transport.clone();
        self.guard(Callback::Producer, || tell(&mut registration, &transport));
        let gone = self.link().wish(|wishes| wishes.producer.end(registration));
        drop(gone);
    }

    /// Moves the queue through the layers to the wire; pushed layers take their place in the order of writes.
    fn run_down(&mut self) {
        let mut queue = self.link().outgoing.take();
        let mut unreadable = self.push_layers(&mut queue).err();
        let handle = self.handle();
        let mut delay = None;
        if let Some(stack) = &mut self.stack {
            let pool = &mut handle.shared().pool.borrow_mut();
            if stack.failed {
                queue.clear(pool);
            }
            if stack.opening().is_none() && !self.deadlines.is_writing_quiet() {
                match stack.send(&mut queue, handle.turn_time(), pool) {
                    Ok(wait) => delay = wait,
                    Err(error) => unreadable = Some(error),
                }
            }
            stack.run_down(pool);
        }
        if let Some(error) = unreadable {
            self.link().abort_because(Reason::Lost(error));
        }
        let newer = self.link().outgoing.replace(queue);
        let pool = &mut handle.shared().pool.borrow_mut();
        self.link().outgoing.borrow_mut().append(newer, pool);
        if let Some(delay) = delay {
            self.quiet_writing(delay);
        }
        if self.deadlines.is_writing_quiet() {
            self.check_mark();
        }
    }

    fn push_layers(&mut self, queue: &mut Outgoing) -> io::Result<()> {
        if !self.link().has_layers_to_push() {
            return Ok(());
        }
        let handle = self.handle();
        let mut pushed = 0;
        for (before, layer) in self.link().wish(|wishes| take(&mut wishes.layers)) {
            let mut pool = handle.shared().pool.borrow_mut();
            self.stack_mut()
                .send_at_once(queue, before - pushed, &mut pool)?;
            drop(pool);
            pushed = before;
            self.stack_mut().push(layer);
            self.reopen();
            self.raise_held();
        }
        Ok(())
    }

    /// Bytes held for the protocol belong to the layer that was just pushed.
    fn raise_held(&mut self) {
        let mut held = take(&mut self.held);
        self.refuse_passed();
        let Some(mut stack) = self.stack.take() else {
            return;
        };
        let outcome =
            stack.receive_at_top(&mut held, &mut |data| self.held.extend_from_slice(data));
        self.stack = Some(stack);
        match outcome {
            Err(error) => self.layer_failed(error),
            Ok(()) => self.reopen(),
        }
        self.link().note();
    }
}
