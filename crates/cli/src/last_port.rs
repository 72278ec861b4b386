//! A program that has nothing left to serve ends: `ropewalk echo stdio:` does with its input.
//!
//! Only ports for one connection end by themselves (`stdio:`, `process:`); a listening one keeps the program running.

use std::cell::Cell;
use std::rc::Rc;

use ropewalk::{Factory, Handle, Protocol, Transport};

/// What keeps a program running.
#[derive(Default)]
pub(crate) struct Occupation {
    /// Ports that were asked for and have not ended.
    ports: Cell<usize>,
    /// There are services that are no ports.
    has_others: Cell<bool>,
}

impl Occupation {
    /// A service that is no port: the program runs until it is stopped.
    pub(crate) fn add_other(&self) {
        self.has_others.set(true);
    }

    /// A port; its factory is this one from now on.
    pub(crate) fn add_port<F: Factory>(self: &Rc<Self>, handle: &Handle, factory: F) -> Port<F> {
        self.ports.set(self.ports.get() + 1);
        Port {
            factory,
            handle: handle.clone(),
            occupation: Rc::clone(self),
        }
    }

    fn port_ended(&self, handle: &Handle) {
        self.ports.set(self.ports.get().saturating_sub(1));
        if self.ports.get() > 0 || self.has_others.get() || handle.is_stopping() {
            return;
        }
        // Input may end before the rest has started.
        handle.call_when_running(|handle| {
            tracing::info!("the only connection has ended, and no other can come");
            let _stops_already = handle.stop();
        });
    }
}

/// The factory of a port, which tells when that has ended.
pub(crate) struct Port<F> {
    factory: F,
    handle: Handle,
    occupation: Rc<Occupation>,
}

impl<F: Factory> Factory for Port<F> {
    fn build_protocol(&mut self, transport: &Transport) -> Option<Box<dyn Protocol>> {
        self.factory.build_protocol(transport)
    }

    fn wrapped(&mut self) -> Option<&mut dyn Factory> {
        Some(&mut self.factory)
    }

    fn stop_factory(&mut self) {
        self.factory.stop_factory();
        self.occupation.port_ended(&self.handle);
    }
}
