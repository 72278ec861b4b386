//! What waits for a server that is away or slow.

use std::collections::VecDeque;

use bytes::Bytes;

/// Messages, oldest first. The newest are kept.
#[derive(Default)]
pub(super) struct Outbox {
    messages: VecDeque<(Box<str>, Bytes)>,
    bytes: usize,
}

/// So much waits at most. The attack: a server that does not read, or is away, while clients have much to say.
const MOST_MESSAGES: usize = 1024;
const MOST_BYTES: usize = 4 * 1024 * 1024;

impl Outbox {
    /// Adds a message; tells how many were dropped for it.
    pub(super) fn push(&mut self, topic: &str, payload: Bytes) -> u64 {
        self.bytes += payload.len();
        self.messages.push_back((topic.into(), payload));
        let mut dropped = 0;
        while self.messages.len() > MOST_MESSAGES || self.bytes > MOST_BYTES {
            drop(self.pop());
            dropped += 1;
        }
        dropped
    }

    pub(super) fn pop(&mut self) -> Option<(Box<str>, Bytes)> {
        let (topic, payload) = self.messages.pop_front()?;
        self.bytes -= payload.len();
        Some((topic, payload))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let mut outbox = Outbox::default();
        let dropped: u64 = (0..1030_u32)
            .map(|number| outbox.push("a", number.to_be_bytes().to_vec().into()))
            .sum();
        assert_eq!(dropped, 6);
        assert_eq!(outbox.pop().unwrap().1[..], 6_u32.to_be_bytes());
        let large = Bytes::from(vec![0; 3 * 1024 * 1024]);
        assert_eq!(outbox.push("a", large.clone()), 0);
        assert_eq!(outbox.push("a", large), 1024);
        assert_eq!(outbox.push("a", vec![0; 5 * 1024 * 1024].into()), 2);
        assert!(outbox.is_empty() && outbox.bytes == 0);
    }
}
