//! What reactor and driver promise each other about datagram ports; what they promise about connections is beside this.

use std::collections::HashMap;
use std::io;

use ropewalk_core::Address;
use ropewalk_core::driver::{
    Bind, DatagramOption, DatagramQueue, Datagrams, Demand, Event, PortId, Sent,
};

use super::supervisor::Supervisor;

/// What was said about each port so far; none is ever forgotten.
#[derive(Default)]
pub(super) struct Ports(HashMap<PortId, Port>);

#[derive(Debug, Default)]
struct Port {
    limit_bytes: usize,
    is_paused: bool,
    is_blocked: bool,
    is_connected: bool,
    is_gone: bool,
}

/// Fails the test, unless it fails already.
fn broken(what: &str, port: PortId, state: Option<&Port>) {
    assert!(std::thread::panicking(), "{what}: {port:?}, {state:?}");
}

impl Ports {
    fn born(&mut self, port: PortId, limit_bytes: usize) {
        let state = Port {
            limit_bytes,
            ..Port::default()
        };
        let before = self.0.insert(port, state);
        if before.is_some() {
            broken("the driver gave a name twice", port, before.as_ref());
        }
    }

    /// Notes something about a port that must be there.
    fn live(&mut self, port: PortId, who: &str, note: impl FnOnce(&mut Port) -> bool) {
        match self.0.get_mut(&port) {
            Some(state) if !state.is_gone => {
                if !note(state) {
                    broken(&format!("{who}, and must not"), port, Some(state));
                }
            }
            state => broken(&format!("{who}, which is gone"), port, state.as_deref()),
        }
    }

    pub(super) fn check(&mut self, event: &Event<'_>) {
        match event {
            Event::Datagram { port, data, .. } => {
                self.live(*port, "the driver delivers to a port", |state| {
                    !state.is_paused && data.len() <= state.limit_bytes
                });
            }
            Event::DatagramsWritable { port } => {
                self.live(*port, "the driver unblocks a port", |state| {
                    std::mem::take(&mut state.is_blocked)
                });
            }
            Event::DatagramsRefused { port, .. } => {
                self.live(*port, "the driver tells of a refusal at a port", |state| {
                    state.is_connected
                });
            }
            _ => {}
        }
    }

    /// The driver wants what was written at a port.
    pub(super) fn flushed(&mut self, port: PortId) {
        self.live(port, "the driver flushes a port", |_| true);
    }

    pub(super) fn demanded(&mut self, port: PortId, demand: Demand) {
        if let Some(state) = self.0.get_mut(&port) {
            state.is_paused |= demand == Demand::Pause;
            state.is_gone |= demand == Demand::Close;
        }
    }

    /// What a call of the driver's `send` came to: it says that it is blocked if and only if something is left.
    pub(super) fn sent(&mut self, port: PortId, queue: &DatagramQueue, sent: &Sent) {
        self.live(port, "the reactor sends at a port", |state| {
            state.is_blocked |= matches!(sent, Sent::Blocked);
            match sent {
                Sent::Done => queue.is_empty(),
                Sent::Blocked => !queue.is_empty(),
                _ => true,
            }
        });
    }
}

/// Which port an event is about.
pub(super) fn named(event: &Event<'_>) -> Option<PortId> {
    match event {
        Event::Datagram { port, .. }
        | Event::DatagramsWritable { port }
        | Event::DatagramsRefused { port, .. } => Some(*port),
        _ => None,
    }
}

impl Supervisor {
    fn inner_datagrams(&mut self) -> &mut dyn Datagrams {
        let datagrams = self.driver.datagrams();
        datagrams.expect("a driver that had datagrams has them still")
    }
}

impl Datagrams for Supervisor {
    fn bind(&mut self, bind: &Bind) -> io::Result<(PortId, Address)> {
        let (port, host) = self.inner_datagrams().bind(bind)?;
        self.ports.born(port, bind.limit_bytes);
        Ok((port, host))
    }

    fn close(&mut self, port: PortId) {
        self.ports.live(port, "the reactor closes a port", |state| {
            state.is_gone = true;
            true
        });
        self.inner_datagrams().close(port);
    }

    fn send(&mut self, port: PortId, queue: &mut DatagramQueue) -> Sent {
        let sent = self.inner_datagrams().send(port, queue);
        self.ports.sent(port, queue, &sent);
        sent
    }

    fn connect(&mut self, port: PortId, peer: &Address) -> io::Result<()> {
        self.inner_datagrams().connect(port, peer)?;
        self.ports
            .live(port, "the reactor connects a port", |state| {
                state.is_connected = true;
                true
            });
        Ok(())
    }

    fn set_option(&mut self, port: PortId, option: &DatagramOption) -> io::Result<()> {
        self.ports
            .live(port, "the reactor sets an option of a port", |_| true);
        self.inner_datagrams().set_option(port, option)
    }

    fn pause(&mut self, port: PortId) {
        self.ports.live(port, "the reactor pauses a port", |state| {
            state.is_paused = true;
            true
        });
        self.inner_datagrams().pause(port);
    }

    fn resume(&mut self, port: PortId) {
        self.ports
            .live(port, "the reactor resumes a port", |state| {
                state.is_paused = false;
                true
            });
        self.inner_datagrams().resume(port);
    }
}

#[cfg(test)]
mod tests {
    use ropewalk_core::slots::Slots;

    use super::*;

    /// A port with a limit of 4 bytes.
    fn port() -> (Ports, PortId) {
        let (mut ports, mut names) = (Ports::default(), Slots::new());
        let port = PortId(names.insert(()));
        ports.born(port, 4);
        (ports, port)
    }

    fn deliver(ports: &mut Ports, port: PortId, data: &mut [u8]) {
        let peer = Address::Udp(([192, 0, 2, 1], 1).into());
        let peer = &peer;
        ports.check(&Event::Datagram { port, peer, data });
    }

    #[test]
    #[should_panic(expected = "delivers to a port, and must not")]
    fn nothing_is_delivered_to_a_paused_port() {
        let (mut ports, port) = port();
        deliver(&mut ports, port, &mut [0; 4]);
        ports.demanded(port, Demand::Pause);
        deliver(&mut ports, port, &mut [0; 4]);
    }

    #[test]
    #[should_panic(expected = "delivers to a port, and must not")]
    fn nothing_longer_than_the_limit_is_delivered() {
        let (mut ports, port) = port();
        deliver(&mut ports, port, &mut [0; 5]);
    }

    #[test]
    #[should_panic(expected = "unblocks a port, and must not")]
    fn only_what_was_blocked_becomes_writable() {
        let (mut ports, port) = port();
        ports.check(&Event::DatagramsWritable { port });
    }

    #[test]
    #[should_panic(expected = "delivers to a port, which is gone")]
    fn no_event_names_a_closed_port() {
        let (mut ports, port) = port();
        ports.demanded(port, Demand::Close);
        deliver(&mut ports, port, &mut []);
    }

    #[test]
    #[should_panic(expected = "sends at a port, and must not")]
    fn what_is_done_leaves_nothing() {
        let (mut ports, port) = port();
        let mut queue = DatagramQueue::default();
        assert!(queue.push(b"left", None));
        ports.sent(port, &queue, &Sent::Done);
    }
}
