//! Fields as they lie in the received bytes (RFC 9110 5).

use std::fmt;

use super::{Name, scan};

/// Where a field lies, counted from the beginning of its section's head. No head is longer than 65 535 bytes
/// ([`Limits`](super::Limits)), so ten bytes a field are enough.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) name: u16,
    pub(super) name_length: u16,
    pub(super) value: u16,
    pub(super) value_length: u16,
    pub(super) known: Option<Name>,
}

impl Span {
    /// The same field where the section begins at `to` instead of `from`.
    #[inline]
    pub(super) fn follow(&mut self, from: usize, to: usize) {
        let distance = (to as u16).wrapping_sub(from as u16);
        self.name = self.name.wrapping_add(distance);
        self.value = self.value.wrapping_add(distance);
    }

    pub(super) fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.name);
        &bytes[start..start + usize::from(self.name_length)]
    }

    pub(super) fn value<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.value);
        &bytes[start..start + usize::from(self.value_length)]
    }
}

/// The fields of a head or of trailers, in the order in which they came.
///
/// Lent from the received bytes: copy what must outlive the event.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) spans: &'a [Span],
}

/// One field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name, as it was sent.
    pub name: &'a str,
    /// The same, if it is known.
    pub known: Option<Name>,
    /// The value, without the blanks around it. It has no control characters but tabs, and need not be text.
    pub value: &'a [u8],
}

/// By what a field is looked up: a [`Name`], or any text, without regard to case.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// A known name: comparing it costs a byte.
    Known(Name),
    /// A name of one's own.
    Other(&'a str),
}

impl From<Name> for Key<'_> {
    fn from(name: Name) -> Self {
        Self::Known(name)
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(name: &'a str) -> Self {
        Name::of(name.as_bytes()).map_or(Self::Other(name), Self::Known)
    }
}

impl<'a> Fields<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Field<'a>> + use<'a> {
        let bytes = self.bytes;
        self.spans.iter().map(move |span| Field {
            name: scan::ascii(span.name(bytes)),
            known: span.known,
            value: span.value(bytes),
        })
    }

    /// The value of the field of this name; of the last, if it is there more than once (R139).
    #[doc(alias = "getHeader")]
    pub fn value<'k>(&self, key: impl Into<Key<'k>>) -> Option<&'a [u8]> {
        let key = key.into();
        let span = self.spans.iter().rfind(|span| self.is_named(span, key))?;
        Some(span.value(self.bytes))
    }

    /// The values of all fields of this name, in order.
    #[doc(alias = "getRawHeaders")]
    pub fn values<'k, K: Into<Key<'k>>>(
        &self,
        key: K,
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'k, K> {
        let (fields, key) = (*self, key.into());
        let spans = fields.spans.iter();
        spans
            .filter(move |span| fields.is_named(span, key))
            .map(move |span| span.value(fields.bytes))
    }

    #[inline]
    fn is_named(&self, span: &Span, key: Key<'_>) -> bool {
        match key {
            Key::Known(name) => span.known == Some(name),
            Key::Other(name) => {
                span.known.is_none() && span.name(self.bytes).eq_ignore_ascii_case(name.as_bytes())
            }
        }
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.value.escape_ascii())
    }
}

impl fmt::Debug for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields<'_> {}
