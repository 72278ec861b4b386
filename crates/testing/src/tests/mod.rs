//! The fakes themselves, tested.

mod fake_datagram_transport;
mod pump;
mod run_test;
mod string_transport;

use ropewalk_core::{Protocol, Reason, Transport};

/// Sends back what it gets.
pub(crate) struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        transport.write(data);
    }
}

/// Writes down what it is told.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    pub(crate) lines: Vec<String>,
    pub(crate) bytes: Vec<u8>,
}

impl Diary {
    fn note(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }
}

impl Protocol for Diary {
    fn connection_made(&mut self, _transport: &Transport) {
        self.note("made");
    }
    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.note(String::from_utf8_lossy(data));
    }
    fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
        self.note(reason.to_string());
    }
    fn writing_paused(&mut self, _transport: &Transport) {
        self.note("paused");
    }
    fn writing_resumed(&mut self, _transport: &Transport) {
        self.note("resumed");
    }
}
