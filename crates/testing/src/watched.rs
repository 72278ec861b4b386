//! A connection on the memory driver, and what became of its protocol.

use std::any::{Any, TypeId, type_name};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use ropewalk_core::driver::ConnId;
use ropewalk_core::{
    Address, ConnectError, ConnectOptions, Connector, Descriptor, Factory, Layer, Protocol, Reason,
    Transport, lend,
};

use crate::clock::Clock;

/// One connection whose protocol, transport and end the test can look at.
pub(crate) struct Watched {
    pub(crate) conn: ConnId,
    seen: Rc<Seen>,
}

/// What the connection's callbacks told.
#[derive(Default)]
struct Seen {
    transport: RefCell<Option<Transport>>,
    lost: RefCell<Option<Reason>>,
    failed: RefCell<Option<String>>,
    /// The protocol, once its connection is lost or another took its place.
    buried: RefCell<Option<Box<dyn Protocol>>>,
}

impl Watched {
    /// Connects and lets what follows from it happen.
    pub(crate) fn connect(
        clock: &mut Clock,
        host: Address,
        options: ConnectOptions,
        factory: Box<dyn Factory>,
    ) -> Self {
        let (conn, seen) = (clock.memory().answer(host), Rc::<Seen>::default());
        let watcher = Watcher {
            factory,
            seen: seen.clone(),
        };
        clock
            .connect_with(options, watcher)
            .expect("the address was read already");
        clock.settle();
        Self { conn, seen }
    }

    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn transport(&self) -> Transport {
        let transport = self.seen.transport.borrow().clone();
        transport.expect("no protocol was built yet: a layer is not open, or the factory refused")
    }

    /// Whether a protocol was built.
    pub(crate) fn is_made(&self) -> bool {
        self.seen.transport.borrow().is_some()
    }

    pub(crate) fn lost_reason(&self) -> Option<Reason> {
        self.seen.lost.borrow().as_ref().map(copy)
    }

    pub(crate) fn connect_error(&self) -> Option<String> {
        self.seen.failed.borrow().clone()
    }

    /// Lends the protocol, dead or alive.
    pub(crate) fn protocol<P: 'static, R: 'static>(
        &self,
        clock: &mut Clock,
        look: impl FnOnce(&mut P) -> R + 'static,
    ) -> R {
        if self.lost_reason().is_some()
            && let Some(buried) = &mut *self.seen.buried.borrow_mut()
        {
            let name = buried.name();
            let found = lend(&mut **buried, TypeId::of::<P>()).and_then(<dyn Any>::downcast_mut);
            return look(found.unwrap_or_else(|| wrong::<P>(name)));
        }
        let result = Rc::new(RefCell::new(None));
        let answer = result.clone();
        self.transport().call_soon(move |protocol: &mut P, _| {
            *answer.borrow_mut() = Some(look(protocol));
        });
        clock.settle();
        result
            .take()
            .unwrap_or_else(|| wrong::<P>("another, or looking at it panicked"))
    }
}

fn wrong<P>(name: &str) -> ! {
    panic!(
        "the test looks for {}, but the protocol of the connection is {name}",
        type_name::<P>()
    )
}

/// A reason like another: its error keeps its kind and its text.
fn copy(reason: &Reason) -> Reason {
    match reason {
        Reason::Done => Reason::Done,
        Reason::Aborted => Reason::Aborted,
        Reason::TimedOut(timeout) => Reason::TimedOut(*timeout),
        Reason::Lost(error) => Reason::Lost(io::Error::new(error.kind(), error.to_string())),
        Reason::Misbehaved(error) => Reason::Misbehaved(error.to_string().into()),
        Reason::Panicked(message) => Reason::Panicked(message.clone()),
        other => Reason::Lost(io::Error::other(other.to_string())),
    }
}

/// The factory of the test, overheard.
struct Watcher {
    factory: Box<dyn Factory>,
    seen: Rc<Seen>,
}

impl Factory for Watcher {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        let protocol = self.factory.build_protocol(transport)?;
        *self.seen.transport.borrow_mut() = Some(transport.clone());
        Some(Box::new(Kept {
            protocol: Some(protocol),
            seen: self.seen.clone(),
        }))
    }

    fn connected(&mut self, transport: &Transport) {
        self.factory.connected(transport);
    }

    fn layers(&mut self, peer: &Address) -> Vec<Box<dyn Layer>> {
        self.factory.layers(peer)
    }

    fn start_factory(&mut self) {
        self.factory.start_factory();
    }

    fn stop_factory(&mut self) {
        self.factory.stop_factory();
    }

    fn started_connecting(&mut self, connector: &Connector) {
        self.factory.started_connecting(connector);
    }

    fn connection_failed(&mut self, connector: &Connector, error: ConnectError) {
        *self.seen.failed.borrow_mut() = Some(error.to_string());
        self.factory.connection_failed(connector, error);
    }

    fn connection_lost(&mut self, connector: &Connector, reason: &Reason) {
        *self.seen.lost.borrow_mut() = Some(copy(reason));
        self.factory.connection_lost(connector, reason);
    }
}

/// The protocol of the test, kept when the reactor drops it, so that it can be looked at afterwards.
struct Kept {
    /// There until it is dropped.
    protocol: Option<Box<dyn Protocol>>,
    seen: Rc<Seen>,
}

impl Kept {
    fn with(&mut self, call: impl FnOnce(&mut dyn Protocol)) {
        if let Some(protocol) = &mut self.protocol {
            call(&mut **protocol);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let before = self.seen.buried.replace(self.protocol.take());
        drop(before);
    }
}

impl Protocol for Kept {
    fn connection_made(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.connection_made(transport));
    }
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.with(|protocol| protocol.data_received(transport, data));
    }
    fn descriptor_received(&mut self, transport: &Transport, descriptor: Descriptor) {
        self.with(|protocol| protocol.descriptor_received(transport, descriptor));
    }
    fn eof_received(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.eof_received(transport));
    }
    fn write_connection_lost(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.write_connection_lost(transport));
    }
    fn connection_lost(&mut self, transport: &Transport, reason: &Reason) {
        self.with(|protocol| protocol.connection_lost(transport, reason));
    }
    fn writing_paused(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.writing_paused(transport));
    }
    fn writing_resumed(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.writing_resumed(transport));
    }
    fn reading_resumed(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.reading_resumed(transport));
    }
    fn timed_out(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.timed_out(transport));
    }
    fn shutting_down(&mut self, transport: &Transport) {
        self.with(|protocol| protocol.shutting_down(transport));
    }
    fn is_idle(&mut self, transport: &Transport) -> bool {
        self.protocol
            .as_mut()
            .is_none_or(|protocol| protocol.is_idle(transport))
    }
    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        lend(&mut **self.protocol.as_mut()?, wanted)
    }
    fn name(&self) -> &'static str {
        self.protocol
            .as_ref()
            .map_or("gone", |protocol| protocol.name())
    }
}
