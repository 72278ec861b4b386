//! The datagrams of a simulated driver.

use std::io;

use ropewalk_core::Address;
use ropewalk_core::driver::{
    Bind, DatagramOption, DatagramQueue, Datagrams, Demand, Event, Handler, PortId, Sent,
};

use super::{SimDriver, crashed};
use crate::datagram::PortTold;

impl SimDriver {
    /// Tells all that a port has; those that wait longer than one batch have their turn later.
    pub(super) fn tell_port(&mut self, port: PortId, handler: &mut dyn Handler) -> bool {
        const BATCH: usize = 32;
        let mut told = false;
        for _ in 0..BATCH {
            let next = self.ask(|network, host| network.take_port_told(host, port));
            let Some(next) = next.flatten() else { break };
            told = true;
            let demand = handler.event(match &mut { next } {
                PortTold::Writable => Event::DatagramsWritable { port },
                PortTold::Refused(error) => Event::DatagramsRefused {
                    port,
                    error: std::mem::replace(error, io::ErrorKind::Other.into()),
                },
                PortTold::Datagram(peer, data) => Event::Datagram { port, peer, data },
            });
            if !self.obey_port(port, demand) {
                return told;
            }
        }
        let mut send = |queue: &mut DatagramQueue| {
            self.ask(|network, host| network.send_datagrams(host, port, queue))
                .unwrap_or_else(|| Sent::Failed(crashed()))
        };
        let demand = handler.flush_datagrams(port, &mut send);
        self.obey_port(port, demand);
        self.ask(|network, host| network.mark_port(host, port));
        told
    }

    /// Whether the port may be told more.
    fn obey_port(&mut self, port: PortId, demand: Demand) -> bool {
        match demand {
            Demand::Continue => {}
            Demand::Pause => Datagrams::pause(self, port),
            Demand::Close => Datagrams::close(self, port),
        }
        demand != Demand::Close
    }
}

impl Datagrams for SimDriver {
    fn bind(&mut self, bind: &Bind) -> io::Result<(PortId, Address)> {
        let bound = self.ask(|network, host| network.bind(host, bind));
        Ok(bound.ok_or_else(crashed)??)
    }

    fn close(&mut self, port: PortId) {
        self.ask(|network, host| network.close_port(host, port));
    }

    fn send(&mut self, port: PortId, queue: &mut DatagramQueue) -> Sent {
        self.ask(|network, host| network.send_datagrams(host, port, queue))
            .unwrap_or_else(|| Sent::Failed(crashed()))
    }

    fn connect(&mut self, port: PortId, peer: &Address) -> io::Result<()> {
        let connected = self.ask(|network, host| network.connect_port(host, port, peer));
        Ok(connected.ok_or_else(crashed)??)
    }

    fn set_option(&mut self, port: PortId, option: &DatagramOption) -> io::Result<()> {
        let set = self.ask(|network, host| network.port(host, port)?.set_option(option));
        Ok(set.ok_or_else(crashed)??)
    }

    fn pause(&mut self, port: PortId) {
        self.ask(|network, host| network.pause_port(host, port, true));
    }

    fn resume(&mut self, port: PortId) {
        self.ask(|network, host| network.pause_port(host, port, false));
    }
}
