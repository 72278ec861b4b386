//! Two connections that have left HTTP, joined: what one receives the other sends, and neither takes more than the other can send.

use std::time::Duration;

use ropewalk_core::{Protocol, Reason, Transport};

use crate::client::Upgraded;

/// The client's end, which takes the server's over once it is there.
pub(super) struct Tunnel {
    upgraded: Option<Upgraded>,
    other: Option<Transport>,
    idle: Duration,
}

/// The server's end.
struct FarEnd {
    other: Transport,
}

impl Tunnel {
    pub(super) fn new(upgraded: Upgraded, idle: Duration) -> Self {
        Self {
            upgraded: Some(upgraded),
            other: None,
            idle,
        }
    }
}

impl Protocol for Tunnel {
    fn connection_made(&mut self, transport: &Transport) {
        // What comes from the server is sent here, so this end sees all.
        transport.set_timeout(Some(self.idle));
        if let Some(upgraded) = self.upgraded.take() {
            self.other = Some(upgraded.transport().clone());
            let other = transport.clone();
            upgraded.switch_protocol(FarEnd { other });
        }
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.other.iter().for_each(|other| other.write(data));
    }

    fn eof_received(&mut self, _: &Transport) {
        self.other.iter().for_each(Transport::lose_write_connection);
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.other.iter().for_each(Transport::pause_reading);
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.other.iter().for_each(Transport::resume_reading);
    }

    /// The server's end has a handle of this one.
    fn is_idle(&mut self, transport: &Transport) -> bool {
        transport.is_idle(1)
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.other.iter().for_each(Transport::lose_connection);
    }
}

impl Protocol for FarEnd {
    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        self.other.write(data);
    }

    fn eof_received(&mut self, _: &Transport) {
        self.other.lose_write_connection();
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.other.pause_reading();
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.other.resume_reading();
    }

    fn connection_lost(&mut self, _: &Transport, _: &Reason) {
        self.other.lose_connection();
    }
}
