//! Strings on their way from the connection to a protocol (SEMANTICS R122, R123).
//!
//! For: back-pressure, the end, the next protocol, with 8, 16 and 32 bit prefixes, netstrings and framings of your own.
//! Not for: the rules of the framings, which are the grammars'.

use std::any::{Any, TypeId};
use std::rc::Rc;

use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::{Input, LengthPrefixedGrammar, NetstringGrammar, Width};

use crate::messages::{Messages, Shared};
use crate::string_protocol::{StringError, StringFraming, StringProtocol, StringSender, Strings};

/// Makes a [`Protocol`] of a [`StringProtocol`], for any framing of strings.
///
/// Strings have at most 99 999 bytes, unless you say otherwise. No byte is copied that comes in one piece with its string,
/// and nothing is allocated for a string; a declared length alone costs no memory.
///
/// ```
/// use ropewalk_protocols::{StringProtocol, StringReceiver, Strings};
/// use ropewalk_testing::StringTransport;
///
/// struct Echo;
///
/// impl StringProtocol for Echo {
///     fn string_received(&mut self, strings: &Strings, string: &[u8]) {
///         strings.send_string(string).expect("what came in this framing can go in it");
///     }
/// }
///
/// let mut peer = StringTransport::new(StringReceiver::int16(Echo));
/// peer.receive(b"\x00\x05hello\x00");
/// assert_eq!(peer.take_sent(), b"\x00\x05hello");
///
/// let mut peer = StringTransport::new(StringReceiver::netstring(Echo));
/// peer.receive("5:hello,0:,");
/// assert_eq!(peer.take_sent(), b"5:hello,0:,");
/// ```
#[derive(Debug)]
pub struct StringReceiver<P, G = LengthPrefixedGrammar> {
    protocol: P,
    framing: G,
    strings: Option<Strings>,
    /// Strings are left that could not be delivered yet.
    is_held_up: bool,
    /// The peer sends nothing more; told once all strings are delivered.
    has_ended: bool,
}

impl<P: StringProtocol> StringReceiver<P> {
    /// Strings of at most 255 bytes, behind one byte of length.
    #[doc(alias = "Int8StringReceiver")]
    #[must_use]
    pub fn int8(protocol: P) -> Self {
        Self::with_framing(LengthPrefixedGrammar::new(Width::Bits8), protocol)
    }

    /// Strings of at most 65 535 bytes, behind two bytes of length in network order.
    #[doc(alias = "Int16StringReceiver")]
    #[must_use]
    pub fn int16(protocol: P) -> Self {
        Self::with_framing(LengthPrefixedGrammar::new(Width::Bits16), protocol)
    }

    /// Strings behind four bytes of length in network order.
    #[doc(alias = "Int32StringReceiver")]
    #[must_use]
    pub fn int32(protocol: P) -> Self {
        Self::with_framing(LengthPrefixedGrammar::new(Width::Bits32), protocol)
    }
}

impl<P: StringProtocol> StringReceiver<P, NetstringGrammar> {
    /// Netstrings: `5:hello,`.
    #[doc(alias = "NetstringReceiver")]
    #[must_use]
    pub fn netstring(protocol: P) -> Self {
        Self::with_framing(NetstringGrammar::new(), protocol)
    }
}

impl<P: StringProtocol, G: StringFraming> StringReceiver<P, G> {
    /// Strings in this framing.
    #[must_use]
    pub fn with_framing(framing: G, protocol: P) -> Self {
        Self {
            protocol,
            framing,
            strings: None,
            is_held_up: false,
            has_ended: false,
        }
    }

    /// With strings of at most `bytes`.
    #[doc(alias = "MAX_LENGTH")]
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.framing.set_limit_bytes(bytes);
        self
    }

    /// The handle, once the connection is made.
    #[must_use]
    pub fn strings(&self) -> Option<&Strings> {
        self.strings.as_ref()
    }

    /// Delivers what can be delivered.
    fn deliver(&mut self, mut data: &[u8]) {
        let Some(strings) = &self.strings else { return };
        let turn = strings.turn();
        loop {
            if turn.is_asked.take()
                && let Some(bytes) = turn.limit_bytes.take()
            {
                self.framing.set_limit_bytes(bytes);
            }
            let mut input = self.framing.receive(std::mem::take(&mut data));
            turn.is_delivering.set(true);
            self.is_held_up = !deliver_each(&mut self.protocol, strings, &mut input);
            turn.is_delivering.set(false);
            if let Some(hand_over) = turn.hand_over.take() {
                hand_over(strings, input.take_rest());
            } else if !strings.is_open() {
                input.discard(); // R119
            } else if turn.is_asked.get() {
                continue;
            }
            break;
        }
        turn.unread.set(self.framing.buffered());
        self.tell_end();
    }

    fn tell_end(&mut self) {
        if self.has_ended
            && !self.is_held_up
            && let Some(strings) = &self.strings
        {
            self.has_ended = false;
            self.protocol.eof_received(strings);
        }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut P, &Strings)) {
        if let Some(strings) = &self.strings {
            tell(&mut self.protocol, strings);
        }
    }
}

impl<P: StringProtocol, G: StringFraming> Protocol for StringReceiver<P, G> {
    fn connection_made(&mut self, transport: &Transport) {
        let stir =
            |transport: &Transport| transport.call_soon(|this: &mut Self, _| this.deliver(&[]));
        let strings: Rc<Shared<dyn StringSender>> =
            Messages::new(transport, stir, self.framing.clone()).0;
        self.strings = Some(Messages(strings));
        self.tell(|protocol, strings| protocol.connection_made(strings));
    }

    fn data_received(&mut self, _transport: &Transport, data: &[u8]) {
        self.deliver(data);
    }

    fn reading_resumed(&mut self, _transport: &Transport) {
        self.deliver(&[]);
    }

    fn eof_received(&mut self, _transport: &Transport) {
        self.has_ended = true;
        self.tell_end();
    }

    fn write_connection_lost(&mut self, _transport: &Transport) {
        self.tell(|protocol, strings| protocol.write_connection_lost(strings));
    }

    fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
        self.tell(|protocol, strings| protocol.connection_lost(strings, reason));
    }

    fn writing_paused(&mut self, _transport: &Transport) {
        self.tell(|protocol, strings| protocol.writing_paused(strings));
    }

    fn writing_resumed(&mut self, _transport: &Transport) {
        self.tell(|protocol, strings| protocol.writing_resumed(strings));
    }

    fn timed_out(&mut self, _transport: &Transport) {
        self.tell(|protocol, strings| protocol.timed_out(strings));
    }

    fn shutting_down(&mut self, _transport: &Transport) {
        self.tell(|protocol, strings| protocol.shutting_down(strings));
    }

    fn is_idle(&mut self, transport: &Transport) -> bool {
        match &self.strings {
            Some(strings) => self.protocol.is_idle(strings),
            None => transport.is_idle(0),
        }
    }

    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        if wanted == TypeId::of::<P>() {
            return Some(&mut self.protocol);
        }
        self.protocol.inner(wanted)
    }

    fn name(&self) -> &'static str {
        self.protocol.name()
    }
}

/// Delivers strings until a handler asked for something, or there is none left; false when the connection takes no more for
/// now.
fn deliver_each<P: StringProtocol, G: StringFraming>(
    protocol: &mut P,
    strings: &Strings,
    input: &mut Input<'_, G>,
) -> bool {
    let turn = strings.turn();
    while !turn.is_asked.get() {
        if !strings.wants_data() {
            return false;
        }
        match input.next_with_unread() {
            None => return true,
            Some(Ok((string, unread))) => {
                turn.unread.set(unread);
                protocol.string_received(strings, string);
            }
            Some(Err(error)) => {
                let unread = input.rest().len();
                turn.unread.set(unread);
                protocol.string_rejected(strings, StringError::new(error));
            }
        }
    }
    true
}
