//! A message on its way to another core.

use std::fmt;
use std::sync::Arc;

use super::frames::Frames;

/// A message to a topic, framed and compressed at most once for all cores: what crosses their mailboxes.
///
/// See `Topics::on_core`.
#[derive(Clone)]
pub struct Published {
    /// How many of those before it were dropped.
    pub(super) missed: u64,
    pub(super) carried: Option<Arc<Carried>>,
}

/// What all cores share.
pub(super) struct Carried {
    pub(super) topic: Arc<str>,
    pub(super) key: Option<u64>,
    pub(super) frames: Frames,
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = self.carried.as_ref().map(|carried| &*carried.topic);
        f.debug_struct("Published")
            .field("topic", &topic)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}
