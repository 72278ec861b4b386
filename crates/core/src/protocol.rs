//! The upper seam: what decides.

use std::any::{Any, TypeId};

use crate::descriptor::Descriptor;
use crate::reason::Reason;
use crate::transport::Transport;

/// One end of a conversation over a stream.
///
/// *Guaranteed* for each connection (SEMANTICS R38): `connection_made` once, then any number of the others, then
/// `connection_lost` once, and nothing after that. Callbacks never overlap and never run inside a call that the protocol
/// makes. A panic in one is caught, logged, and ends this connection only.
///
/// ```
/// use ropewalk_core::{Protocol, Transport};
///
/// struct Echo;
///
/// impl Protocol for Echo {
///     fn data_received(&mut self, transport: &Transport, data: &[u8]) {
///         transport.write(data);
///     }
/// }
/// ```
pub trait Protocol: Any {
    /// The connection is there and every layer of it is open.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.connection_made(transport);
        }
    }

    /// Some bytes came: at least one, cut anywhere. They are gone on return.
    #[doc(alias = "dataReceived")]
    fn data_received(&mut self, transport: &Transport, data: &[u8]);

    /// The same, where the bytes may be changed: what came is lent from the driver's own buffer. For protocols that transform
    /// what they receive, such as one that unmasks it. Unless this is overridden, it is
    /// [`data_received`](Self::data_received), which wrappers may call in any case.
    fn data_received_in_place(&mut self, transport: &Transport, data: &mut [u8]) {
        self.data_received(transport, data);
    }

    /// The peer sent a descriptor over a UNIX socket; the bytes that it wrote after it come later (R89). Unless this is
    /// overridden, the descriptor is closed.
    #[doc(alias = "fileDescriptorReceived")]
    fn descriptor_received(&mut self, transport: &Transport, descriptor: Descriptor) {
        if let Some(protocol) = self.wrapped() {
            protocol.descriptor_received(transport, descriptor);
        }
    }

    /// The protocol inside this one: it gets every callback that this one does not override, and may be lent to closures.
    ///
    /// What is said on the transport goes past a wrapper; to see or change the bytes of a connection write a
    /// [`Layer`](crate::Layer).
    #[doc(alias = "ProtocolWrapper")]
    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        None
    }

    /// The peer sends nothing more. Unless this is overridden, what is queued is sent and the connection ends (R61).
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, transport: &Transport) {
        match self.wrapped() {
            Some(protocol) => protocol.eof_received(transport),
            None => transport.lose_connection(),
        }
    }

    /// What was queued before [`Transport::lose_write_connection`] is sent, and our half is closed.
    #[doc(alias = "writeConnectionLost")]
    fn write_connection_lost(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.write_connection_lost(transport);
        }
    }

    /// The connection is gone; the handle does nothing any more.
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        if let Some(protocol) = self.wrapped() {
            protocol.connection_lost(transport, reason);
        }
    }

    /// More waits to be sent than the high-water mark allows: write no more for now. Reading pauses by itself.
    #[doc(alias = "pauseProducing")]
    fn writing_paused(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.writing_paused(transport);
        }
    }

    /// The queue is empty again.
    #[doc(alias = "resumeProducing")]
    fn writing_resumed(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.writing_resumed(transport);
        }
    }

    /// Reading goes on: after [`Transport::resume_reading`], or once [`Transport::wants_data`] is true again. A protocol
    /// that kept bytes back delivers them now, before newer ones.
    fn reading_resumed(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.reading_resumed(transport);
        }
    }

    /// Nothing was received or sent for the time set by [`Transport::set_timeout`]. Unless this is overridden, the
    /// connection ends with [`Reason::TimedOut`].
    #[doc(alias = "timeoutConnection")]
    fn timed_out(&mut self, transport: &Transport) {
        match self.wrapped() {
            Some(protocol) => protocol.timed_out(transport),
            None => transport.lose_after_timeout(),
        }
    }

    /// The program stops gracefully, or the service that listens does: told once. No new connection comes; work in flight
    /// may go on until the soft deadline ([`Grace`](crate::Grace)). Say goodbye, take no new work, and end the connection
    /// when there is nothing to do: that is [`is_idle`](Self::is_idle) again. Unless this is overridden, nothing happens.
    fn shutting_down(&mut self, transport: &Transport) {
        if let Some(protocol) = self.wrapped() {
            protocol.shutting_down(transport);
        }
    }

    /// Whether nothing is in flight, so that the connection may be closed: asked again and again after
    /// [`shutting_down`](Self::shutting_down), for connections that peers made. What is queued is still sent.
    ///
    /// A protocol that knows its requests answers whether none is unanswered. Unless this is overridden, it is
    /// [`Transport::is_idle`] that answers, by what can be seen from outside.
    fn is_idle(&mut self, transport: &Transport) -> bool {
        match self.wrapped() {
            Some(protocol) => protocol.is_idle(transport),
            None => transport.is_idle(0),
        }
    }

    /// The part of this protocol that has the type `wanted`: for protocols that carry another one inside, so that
    /// [`Transport::call_later`] can lend the inner one. Forward with [`lend`].
    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        lend(self.wrapped()?, wanted)
    }

    /// The protocol's name in logs.
    fn name(&self) -> &'static str {
        short_name(std::any::type_name::<Self>())
    }
}

/// A boxed protocol is a protocol, so that wrappers and factories may choose at run time.
impl Protocol for Box<dyn Protocol> {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        (**self).data_received(transport, data);
    }
    fn data_received_in_place(&mut self, transport: &Transport, data: &mut [u8]) {
        (**self).data_received_in_place(transport, data);
    }
    fn wrapped(&mut self) -> Option<&mut dyn Protocol> {
        Some(&mut **self)
    }
    fn name(&self) -> &'static str {
        (**self).name()
    }
}

/// The protocol itself or the part inside it that has the type `wanted`.
#[must_use]
pub fn lend(protocol: &mut dyn Protocol, wanted: TypeId) -> Option<&mut dyn Any> {
    if (*protocol).type_id() == wanted {
        return Some(protocol as &mut dyn Any);
    }
    protocol.inner(wanted)
}

/// `chat::Chat<alloc::string::String>` is `Chat`, which is what a log line needs.
#[must_use]
pub fn short_name(full: &'static str) -> &'static str {
    let base = full.split('<').next().unwrap_or(full);
    base.rsplit("::").next().unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Inner(u8);
    struct Outer(Inner);

    impl Protocol for Outer {
        fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
        fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
            (wanted == TypeId::of::<Inner>()).then_some(&mut self.0 as &mut dyn Any)
        }
    }

    #[test]
    fn a_protocol_lends_itself_and_what_it_carries() {
        let mut boxed: Box<dyn Protocol> = Box::new(Box::new(Outer(Inner(7))) as Box<dyn Protocol>);
        assert!(lend(&mut *boxed, TypeId::of::<Outer>()).is_some());
        let inner =
            lend(&mut *boxed, TypeId::of::<Inner>()).and_then(|any| any.downcast_mut::<Inner>());
        assert_eq!(inner.map(|inner| inner.0), Some(7));
        assert!(lend(&mut *boxed, TypeId::of::<u8>()).is_none());
        assert_eq!(boxed.name(), "Outer");
    }
}
