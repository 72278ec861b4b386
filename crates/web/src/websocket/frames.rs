//! A message for many, framed at most once in each way.

use std::sync::OnceLock;

use bytes::Bytes;
use ropewalk_grammar::websocket::{Deflate, Encoder, Event, Extension};

use super::message::Message;

/// A message, and what it looks like on the wire of servers: as it is, and compressed by itself with each size of window.
///
/// Each is made when a receiver first needs it. Other cores share them: whoever finds one being made waits for that instead of
/// doing the same work again; nobody ever waits for one that is made.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) message: Message,
    plain: OnceLock<Bytes>,
    /// With windows of 9 to 15 bits.
    deflated: [OnceLock<Bytes>; 7],
}

impl Frames {
    pub(super) fn new(message: Message) -> Self {
        Self {
            message,
            plain: OnceLock::new(),
            deflated: [const { OnceLock::new() }; 7],
        }
    }

    /// The frame as it is; with `deflate` compressed so, if that makes it shorter for receivers whose window has `window_bits`.
    pub(super) fn get(&self, deflate: Option<(Deflate, u8)>) -> &Bytes {
        let Some((deflate, window_bits)) = deflate else {
            return self.plain.get_or_init(|| frame(&self.message, None));
        };
        let place = usize::from(window_bits - 9);
        self.deflated[place].get_or_init(|| {
            let alone = deflate.with_context_takeover(false);
            frame(&self.message, Some(alone.with_window_bits(window_bits)))
        })
    }
}

/// Whether a frame is compressed: its first bit of the reserved ones (RFC 7692 6).
pub(super) fn is_compressed(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0x40 != 0)
}

fn frame(message: &Message, deflate: Option<Deflate>) -> Bytes {
    let mut out = Vec::with_capacity(message.len() + 10);
    let mut encoder = Encoder::server();
    let offer = Extension::parse(b"permessage-deflate").flatten();
    if let Some(deflate) = deflate
        && let Some(agreed) = deflate.agree(offer)
    {
        encoder = encoder.with_deflate(agreed, &deflate);
    }
    let sent = encoder.send(event(message), &mut out);
    sent.expect("a new encoder takes any message");
    out.shrink_to_fit(); // it may wait for a slow peer
    out.into()
}

/// A message, to be sent.
pub(super) fn event(message: &Message) -> Event<'_> {
    match message {
        Message::Text(text) => Event::Text(text),
        Message::Binary(data) => Event::Binary(data),
    }
}
