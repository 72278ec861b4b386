//! Descriptors on their way up: each is told before the bytes that were written after it (R89).

use std::collections::VecDeque;

use super::Connection;
use crate::descriptor::Descriptor;
use crate::link::Flags;
use crate::watchdog::Callback;

/// Descriptors that came and were not told yet, each with how many of the held bytes go before it.
///
/// There are few: the driver brings a bounded number with a message, and brings none while reading is paused.
#[derive(Default)]
pub(super) struct Passed(VecDeque<(usize, Descriptor)>);

impl Connection {
    /// Descriptors from the driver, and the bytes that came with them.
    pub(crate) fn descriptors_received(&mut self, descriptors: Vec<Descriptor>, data: &mut [u8]) {
        if self.stack.is_some() {
            tracing::warn!(
                peer = %self.transport.peer(), count = descriptors.len(),
                "descriptors came through a layer, which has no place for them; they are closed"
            );
            return self.received(data);
        }
        let before = self.held.len();
        let passed = self.passed.get_or_insert_default();
        passed.0.extend(
            descriptors
                .into_iter()
                .map(|descriptor| (before, descriptor)),
        );
        self.link().hear();
        self.held.extend_from_slice(data);
        self.deliver_held();
    }

    /// Tells the descriptors that are held, with the bytes before each, as far as the protocol takes them.
    pub(super) fn deliver_passed(&mut self) {
        while self.passed.is_some() && self.is_made() {
            if self.link().has(Flags::LOSING) {
                return self.passed = None;
            }
            if self.link().has(Flags::READING_PAUSED) || self.link().has_layers_to_push() {
                return;
            }
            self.deliver_next_passed();
        }
    }

    fn deliver_next_passed(&mut self) {
        let Some(passed) = &mut self.passed else {
            return;
        };
        let before = passed.0.front().map(|(before, _)| *before);
        if let Some(before @ 1..) = before {
            passed.0.iter_mut().for_each(|(place, _)| *place -= before);
            let mut bytes: Vec<u8> = self.held.drain(..before).collect();
            return self.hand_over(&mut bytes);
        }
        let next = passed.0.pop_front();
        if passed.0.is_empty() {
            self.passed = None;
        }
        if let Some((_, descriptor)) = next {
            self.call(Callback::DescriptorReceived, |protocol, transport| {
                protocol.descriptor_received(transport, descriptor);
            });
        }
    }

    /// So many bytes come before everything that is held.
    pub(super) fn put_before_passed(&mut self, bytes: usize) {
        if let Some(passed) = &mut self.passed {
            passed.0.iter_mut().for_each(|(place, _)| *place += bytes);
        }
    }

    /// What is held belongs to a layer now.
    pub(super) fn refuse_passed(&mut self) {
        if self.passed.take().is_some() {
            tracing::warn!(peer = %self.transport.peer(), "a layer was pushed over descriptors that came; they are closed");
        }
    }
}
