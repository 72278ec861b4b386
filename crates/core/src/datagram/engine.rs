//! What handles of datagram ports asked for, done on the reactor's turn.

use std::io;
use std::rc::Rc;

use super::DatagramProtocol;
use super::link::DatagramLink;
use super::ports::{LentPort, Port};
use super::transport::DatagramTransport;
use crate::driver::{Bind, DatagramQueue, Datagrams, PortId};
use crate::engine::Engine;
use crate::handle::Handle;
use crate::reason::ListenError;
use crate::service::Owned;
use crate::watchdog::Callback;

impl Engine {
    pub(crate) fn bind(
        &mut self,
        handle: &Handle,
        bind: &Bind,
        protocol: Box<dyn DatagramProtocol>,
    ) -> Result<DatagramTransport, ListenError> {
        let (id, host) = self
            .datagrams()
            .and_then(|datagrams| datagrams.bind(bind))
            .map_err(|error| ListenError::Bind {
                address: bind.address.clone(),
                error,
            })?;
        let link = Rc::new(DatagramLink::new(
            id,
            handle.clone(),
            host,
            bind.limit_bytes,
        ));
        handle.own(|| Owned::thing(&link));
        let transport = DatagramTransport(link);
        let port = Port::new(transport.clone(), protocol);
        self.registry.datagrams.insert(id, port).call(
            Callback::StartProtocol,
            |protocol, transport| {
                protocol.start_protocol(transport);
            },
        );
        Ok(transport)
    }

    fn datagrams(&mut self) -> io::Result<&mut dyn Datagrams> {
        let name = self.driver.name();
        self.driver.datagrams().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the driver {name} has no datagrams"),
            )
        })
    }

    pub(crate) fn ask_datagrams(
        &mut self,
        id: PortId,
        ask: impl FnOnce(&mut dyn Datagrams, PortId) -> io::Result<()>,
    ) -> io::Result<()> {
        if self.registry.datagrams.get_mut(id).is_none() {
            return Err(io::Error::new(
                io::ErrorKind::NotConnected,
                "the port is closed",
            ));
        }
        ask(self.datagrams()?, id)
    }

    /// Lends the protocol of a port to a closure, if the port is there.
    pub(crate) fn lend_port(&mut self, id: PortId, call: LentPort) {
        if let Some(port) = self.registry.datagrams.get_mut(id)
            && port.transport.is_open()
        {
            port.call(Callback::LentClosure, call);
        }
    }

    /// Brings every port that was noted to where its handles want it.
    pub(crate) fn settle_ports(&mut self) {
        let mut noted = self.registry.handle.shared().noted_ports.take();
        for id in noted.drain(..) {
            self.settle_port(id);
        }
        let list = &mut *self.registry.handle.shared().noted_ports.borrow_mut();
        if list.is_empty() {
            *list = noted;
        }
    }

    fn settle_port(&mut self, id: PortId) {
        let (Some(datagrams), Some(port)) =
            (self.driver.datagrams(), self.registry.datagrams.get_mut(id))
        else {
            return;
        };
        let link = Rc::clone(&port.transport.0);
        link.noted.set(false);
        if !link.blocked.get() {
            port.flush(&mut |queue: &mut DatagramQueue| datagrams.send(id, queue));
        }
        let quiet = link.wants_quiet();
        match (link.driver_paused.replace(quiet), quiet) {
            (false, true) => datagrams.pause(id),
            (true, false) => datagrams.resume(id),
            _ => {}
        }
    }

    /// Closes a port: what waits is sent if the kernel takes it now.
    pub(crate) fn close_port(&mut self, id: PortId) {
        let Some(mut port) = self.registry.datagrams.remove(id) else {
            return;
        };
        port.transport.0.open.set(false);
        if let Some(datagrams) = self.driver.datagrams() {
            port.flush(&mut |queue: &mut DatagramQueue| datagrams.send(id, queue));
            datagrams.close(id);
        }
        port.transport.0.queue.borrow_mut().clear();
        port.call(Callback::StopProtocol, |protocol, transport| {
            protocol.stop_protocol(transport);
        });
    }

    pub(crate) fn close_ports(&mut self) {
        for id in self.registry.datagrams.ids() {
            self.close_port(id);
        }
    }
}
