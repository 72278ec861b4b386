//! What a topic may have missed.

/// Something that a topic is told about messages from and to elsewhere, so that a program can ask for what was missed where it is
/// kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Gap {
    /// The backplane is lost: nothing comes from other machines, and what is sent to them waits.
    Lost,
    /// From now on all comes that other machines send; what they sent before, since [`Lost`](Self::Lost) or ever, is missed. Told
    /// also when the backplane is there for the first time, or the topic is new to it.
    Back,
    /// So many messages from another core were dropped, to this topic or others: this core is slower than that one.
    Missed(u64),
    /// So many messages to other machines were dropped, to this topic or others: the backplane was away, or slow, or does not take
    /// what is so large.
    Unsent(u64),
}
