//! Lines on their way from the connection to a protocol (SEMANTICS R117 to R121).
//!
//! For: back-pressure, the end, the next protocol. Not for: the rules of lines, which are [`LineGrammar`]'s.
//!
//! ```text
//!   data_received ─► LineGrammar ─► one event ─► handler ─► what it asked for ─► the next event …
//!                        ▲                                                        │ paused, full
//!   reading_resumed ─────┴──────────────── what is left waits ◄───────────────────┘
//! ```

use std::any::{Any, TypeId};

use ropewalk_core::{Protocol, Reason, Transport};
use ropewalk_grammar::{Delimiter, Framing, Input, LineEvent, LineGrammar};

use crate::line_protocol::{LineMode, LineProtocol, Lines};
use crate::messages::Messages;

/// Makes a [`Protocol`] of a [`LineProtocol`].
///
/// Lines end with CRLF and have at most 16 384 bytes, unless you say otherwise. No byte is copied that comes in one piece
/// with its line, and nothing is allocated for a line.
///
/// ```
/// use ropewalk_protocols::{LineProtocol, LineReceiver, Lines};
/// use ropewalk_testing::StringTransport;
///
/// struct Greeter;
///
/// impl LineProtocol for Greeter {
///     fn line_received(&mut self, lines: &Lines, name: &[u8]) {
///         if lines.send_line([b"hello, ", name].concat()).is_err() {
///             lines.lose_connection();
///         }
///     }
/// }
///
/// let mut peer = StringTransport::new(LineReceiver::new(Greeter));
/// peer.receive("world\r\nanybo");
/// assert_eq!(peer.take_sent(), b"hello, world\r\n");
/// ```
///
/// Closures are lent the protocol inside, and `Lines` lends it together with itself:
///
/// ```
/// # use ropewalk_protocols::{LineProtocol, Lines};
/// # use std::time::Duration;
/// # struct Greeter(u32);
/// impl LineProtocol for Greeter {
///     fn line_received(&mut self, lines: &Lines, _: &[u8]) {
///         lines.call_later(Duration::from_secs(1), |this: &mut Self, lines| {
///             this.0 += 1;
///             lines.send_line(format!("{} answers so far", this.0)).expect("has no line break");
///         });
///     }
/// }
/// ```
#[doc(alias = "basic.LineReceiver")]
#[derive(Debug)]
pub struct LineReceiver<P> {
    protocol: P,
    grammar: LineGrammar,
    lines: Option<Lines>,
    /// Lines are left that could not be delivered yet.
    is_held_up: bool,
    /// The peer sends nothing more; told once all lines are delivered.
    has_ended: bool,
}

/// Why lines are no longer delivered.
#[derive(PartialEq)]
enum Stop {
    /// There is no whole line, or the connection goes to another protocol.
    Done,
    /// The connection takes no more for now.
    HeldUp,
    /// A line was too long, and the protocol did not switch to raw bytes.
    TooLong,
}

impl<P: LineProtocol> LineReceiver<P> {
    /// Lines for this protocol.
    #[must_use]
    pub fn new(protocol: P) -> Self {
        let grammar = LineGrammar::new();
        Self {
            protocol,
            grammar,
            lines: None,
            is_held_up: false,
            has_ended: false,
        }
    }

    /// With lines that end with `delimiter`.
    #[must_use]
    pub fn with_delimiter(mut self, delimiter: Delimiter) -> Self {
        self.grammar.set_delimiter(delimiter);
        self
    }

    /// With lines of at most `bytes` before the delimiter.
    #[doc(alias = "MAX_LENGTH")]
    #[must_use]
    pub fn with_limit_bytes(mut self, bytes: usize) -> Self {
        self.grammar.set_limit_bytes(bytes);
        self
    }

    /// The handle, once the connection is made.
    #[must_use]
    pub fn lines(&self) -> Option<&Lines> {
        self.lines.as_ref()
    }

    /// Delivers what can be delivered.
    fn deliver(&mut self, data: &[u8]) {
        let Some(lines) = &self.lines else { return };
        let turn = lines.turn();
        let mut input = self.grammar.receive(data);
        turn.is_delivering.set(true);
        let stop = deliver_each(&mut self.protocol, lines, &mut input);
        turn.is_delivering.set(false);
        self.is_held_up = stop == Stop::HeldUp;
        if let Some(hand_over) = turn.hand_over.take() {
            hand_over(lines, input.take_rest());
        } else if !lines.is_open() {
            input.discard(); // R119
        } else if stop == Stop::TooLong {
            input.discard();
            self.grammar.set_line();
        } else {
            drop(input);
        }
        turn.unread.set(self.grammar.buffered());
        self.tell_end();
    }

    fn tell_end(&mut self) {
        if self.has_ended
            && !self.is_held_up
            && let Some(lines) = &self.lines
        {
            self.has_ended = false;
            self.protocol.eof_received(lines);
        }
    }

    fn tell(&mut self, tell: impl FnOnce(&mut P, &Lines)) {
        if let Some(lines) = &self.lines {
            tell(&mut self.protocol, lines);
        }
    }
}

impl<P: LineProtocol> Protocol for LineReceiver<P> {
    fn connection_made(&mut self, transport: &Transport) {
        let stir =
            |transport: &Transport| transport.call_soon(|this: &mut Self, _| this.deliver(&[]));
        let mode = LineMode::new(self.grammar.delimiter().clone());
        self.lines = Some(Messages::new(transport, stir, mode));
        self.tell(|protocol, lines| protocol.connection_made(lines));
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
        self.tell(|protocol, lines| protocol.write_connection_lost(lines));
    }

    fn connection_lost(&mut self, _transport: &Transport, reason: &Reason) {
        self.tell(|protocol, lines| protocol.connection_lost(lines, reason));
    }

    fn writing_paused(&mut self, _transport: &Transport) {
        self.tell(|protocol, lines| protocol.writing_paused(lines));
    }

    fn writing_resumed(&mut self, _transport: &Transport) {
        self.tell(|protocol, lines| protocol.writing_resumed(lines));
    }

    fn timed_out(&mut self, _transport: &Transport) {
        self.tell(|protocol, lines| protocol.timed_out(lines));
    }

    fn shutting_down(&mut self, _transport: &Transport) {
        self.tell(|protocol, lines| protocol.shutting_down(lines));
    }

    fn is_idle(&mut self, transport: &Transport) -> bool {
        match &self.lines {
            Some(lines) => self.protocol.is_idle(lines),
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

/// Delivers lines and raw bytes until there is a reason to stop. What each handler asked for is carried out right after it.
fn deliver_each<P: LineProtocol>(
    protocol: &mut P,
    lines: &Lines,
    input: &mut Input<'_, LineGrammar>,
) -> Stop {
    let (turn, mode) = (lines.turn(), lines.kind());
    loop {
        if turn.is_asked.get() {
            lines.carry_out(input);
            if lines.is_leaving() {
                return Stop::Done;
            }
        }
        if !lines.wants_data() {
            return Stop::HeldUp;
        }
        match input.next_with_unread() {
            None => return Stop::Done,
            Some(Ok((LineEvent::Line(line), unread))) => {
                turn.unread.set(unread);
                protocol.line_received(lines, line);
            }
            Some(Ok((LineEvent::Raw(data), unread))) => {
                turn.unread.set(unread);
                mode.at_hand.set(data.len());
                protocol.raw_data_received(lines, data);
                mode.at_hand.set(0);
            }
            Some(Err(error)) => {
                let rest = input.rest();
                turn.unread.set(rest.len());
                protocol.line_length_exceeded(lines, error, rest);
                if !lines.is_raw_mode() {
                    lines.carry_out(input);
                    return Stop::TooLong;
                }
            }
        }
    }
}
