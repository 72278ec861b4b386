//! Heads that outlive the bytes that they came in.

use super::field::{Fields, Span};
use super::meaning::Meaning;
use super::message::Message;

/// A copy of a head, for whoever needs it longer than its event lasts: a handler that answers later.
///
/// It takes two allocations, whatever the number of fields.
///
/// ```
/// use ropewalk_grammar::http1::{Event, KeptHead, Name, Request, RequestDecoder};
///
/// fn first(data: &[u8]) -> KeptHead<Request> {
///     let mut decoder = RequestDecoder::new();
///     match decoder.receive(data).next_event() {
///         Some(Ok(Event::Head(head))) => head.keep(),
///         other => panic!("{other:?}"),
///     }
/// }
///
/// let kept = first(b"GET /tea HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\n\r\n");
/// assert_eq!(kept.head().target_text(), "/tea");
/// assert_eq!(kept.head().value(Name::Cookie), Some(&b"b=c"[..]));
/// ```
#[derive(Clone, Debug)]
pub struct KeptHead<M: Message> {
    message: M,
    meaning: Meaning,
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl<M: Message> KeptHead<M> {
    pub(super) fn new(message: &M, meaning: &Meaning, fields: Fields<'_>) -> Self {
        Self {
            message: message.clone(),
            meaning: *meaning,
            bytes: fields.bytes.into(),
            spans: fields.spans.into(),
        }
    }

    /// Tells whether it is another head: what a head says follows from its bytes.
    pub(super) fn renew(&mut self, message: &M, meaning: &Meaning, fields: Fields<'_>) -> bool {
        if self.bytes == fields.bytes {
            return false;
        }
        self.message.clone_from(message);
        self.meaning = *meaning;
        self.bytes.clear();
        self.bytes.extend_from_slice(fields.bytes);
        self.spans.clear();
        self.spans.extend_from_slice(fields.spans);
        true
    }

    /// The head, to be looked at as it was when it came.
    pub fn head(&self) -> M::Head<'_> {
        let fields = Fields {
            bytes: &self.bytes,
            spans: &self.spans,
        };
        self.message.head(fields, &self.meaning)
    }
}
