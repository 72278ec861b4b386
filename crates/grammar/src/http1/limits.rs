//! How much of each thing a peer may send.

/// How long and how many the parts of a head may be.
///
/// Without them a peer could make us keep all that it sends, or look through it at each of our look-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of the first line with its CR and LF; above it a request is answered by 414. 8 KiB by default, and never more than `head_bytes`.
    ///
    /// RFC 9112 3 recommends 8000 at least.
    pub line_bytes: usize,
    /// Bytes of the head: first line, fields and the empty line; above it a request is answered by 431. Also of the trailers.
    /// 16 KiB by default for requests (R133), 32 KiB for responses. At most 65 535, whatever you set.
    ///
    /// It is what each of ten thousand connections can make us hold by never ending its head.
    pub head_bytes: usize,
    /// How many fields a head may have; above it a request is answered by 431. Also how many trailers. 500 by default (R133).
    ///
    /// Fields are looked up one after another, so it bounds what a look-up costs.
    pub fields: usize,
}

impl Limits {
    /// What is right for requests, whose senders nobody knows.
    pub const REQUEST: Self = Self {
        line_bytes: 8 * 1024,
        head_bytes: 16 * 1024,
        fields: 500,
    };

    /// What is right for responses, whose sender was chosen and may set many cookies.
    pub const RESPONSE: Self = Self {
        line_bytes: 8 * 1024,
        head_bytes: 32 * 1024,
        fields: 500,
    };

    /// No bytes of a head are numbered higher (see `Span`).
    pub(super) const MOST_HEAD_BYTES: usize = u16::MAX as usize;

    /// The same, within what is possible.
    pub(super) fn clamped(self) -> Self {
        let head_bytes = self.head_bytes.min(Self::MOST_HEAD_BYTES);
        Self {
            head_bytes,
            line_bytes: self.line_bytes.min(head_bytes),
            fields: self.fields,
        }
    }
}
