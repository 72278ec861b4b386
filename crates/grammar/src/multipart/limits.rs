//! How much of each thing a peer may send.

/// How many and how long the parts of a body may be (H1-24).
///
/// Without them a peer makes whoever collects parts hold all that it sends, or makes a million parts of a few megabytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many parts; 128 by default. Each costs its owner more than its bytes, such as a file.
    pub parts: usize,
    /// Bytes of a part's head, from boundary to content; 4 KiB by default, at most 65 535 whatever you set. So much is kept of an
    /// unfinished head.
    pub head_bytes: usize,
    /// Bytes of a part's name, and of a filename, as they are written; 512 by default. Names become keys, and keys are kept.
    pub name_bytes: usize,
    /// Bytes of one part's content; 16 MiB by default.
    pub part_bytes: u64,
    /// Bytes of everything, heads and boundaries included; 16 MiB by default.
    pub total_bytes: u64,
}

impl Limits {
    /// Positions in a head are kept in 16 bits.
    pub(super) fn clamped(self) -> Self {
        Self {
            head_bytes: self.head_bytes.min(usize::from(u16::MAX)),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            parts: 128,
            head_bytes: 4 * 1024,
            name_bytes: 512,
            part_bytes: 16 * 1024 * 1024,
            total_bytes: 16 * 1024 * 1024,
        }
    }
}
