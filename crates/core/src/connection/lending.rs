//! How a connection calls user code: marked for the watchdog, in its span, and with panics caught.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracing::Span;

use super::Connection;
use crate::link::Flags;
use crate::panic;
use crate::protocol::Protocol;
use crate::reason::Reason;
use crate::transport::Transport;
use crate::watchdog::Callback;

impl Connection {
    /// Lends the protocol to user code. A panic ends this connection only (R14).
    #[inline]
    pub(crate) fn call(
        &mut self,
        callback: Callback,
        call: impl FnOnce(&mut dyn Protocol, &Transport),
    ) {
        let Some(protocol) = self.protocol.as_deref_mut() else {
            return;
        };
        let transport = &self.transport;
        let inside = self.span.as_deref().map(Span::enter);
        let heart = &transport.0.handle.shared().heart;
        let entry = heart.enter(callback, self.site);
        let called = catch_unwind(AssertUnwindSafe(|| call(protocol, transport)));
        let is_late = heart.leave(entry);
        drop(inside);
        if is_late {
            self.tell_late(callback);
        }
        if let Err(payload) = called {
            self.panicked(callback.name(), &*payload);
        }
        if self.link().has(Flags::WISHING) {
            self.switch_protocol();
        }
    }

    /// Runs other user code on this connection's account.
    pub(super) fn guard(&mut self, callback: Callback, call: impl FnOnce()) {
        let called = self.watched(callback, || catch_unwind(AssertUnwindSafe(call)));
        if let Err(payload) = called {
            self.panicked(callback.name(), &*payload);
        }
    }

    pub(super) fn watched<R>(&self, callback: Callback, call: impl FnOnce() -> R) -> R {
        let heart = &self.link().handle.shared().heart;
        let entry = heart.enter(callback, self.site);
        let outcome = call();
        if heart.leave(entry) {
            self.tell_late(callback);
        }
        outcome
    }

    #[cold]
    fn tell_late(&self, callback: Callback) {
        let (peer, protocol) = (self.transport.peer(), self.protocol_name());
        let (callback, took) = (callback.name(), self.handle().shared().heart.lasted());
        tracing::warn!(%peer, protocol, callback, ?took, "a callback blocked the reactor");
    }

    pub(super) fn panicked(
        &mut self,
        callback: &'static str,
        payload: &(dyn std::any::Any + Send),
    ) {
        let message = panic::message(payload);
        tracing::error!(
            peer = %self.transport.peer(), protocol = self.protocol_name(), callback, panic = %message,
            "a protocol panicked; its connection ends"
        );
        let handle = self.handle();
        let link = self.link();
        link.outgoing
            .borrow_mut()
            .clear(&mut handle.shared().pool.borrow_mut());
        link.clear(Flags::LOSING);
        link.lose_because(Reason::Panicked(message));
    }
}
