//! A protocol that is told of lines, and of raw bytes in between, and its handle.
//!
//! For: text protocols whose commands are lines and whose bodies are bytes. Not for: the rules of lines, which are
//! [`LineGrammar`]'s, nor for their way from the connection, which is [`LineReceiver`].

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};

#[cfg(doc)]
use ropewalk_core::{Protocol, Transport};
use ropewalk_core::{Reason, short_name};
use ropewalk_grammar::{Delimiter, Input, LineError, LineGrammar};

#[cfg(doc)]
use crate::LineReceiver;
use crate::messages::Messages;

/// A protocol that speaks in lines. [`LineReceiver`] makes it a [`Protocol`].
///
/// *Guaranteed*: the same lines and the same raw bytes in the same order, however the peer's bytes are cut. Between two
/// calls anything that was asked for on [`Lines`] has happened: after a switch of the mode the next byte is in that mode,
/// after [`pause_reading`](Transport::pause_reading) nothing comes until [`resume_reading`](Transport::resume_reading),
/// after [`lose_connection`](Transport::lose_connection) nothing comes at all. Delivery also waits while more is queued to
/// be sent than the high-water mark allows, so that a peer cannot ask for answers faster than it takes them.
///
/// A body of bytes between lines:
///
/// ```
/// use ropewalk_protocols::{LineProtocol, LineReceiver, Lines};
/// use ropewalk_testing::StringTransport;
///
/// /// `PUT 5` and five bytes are answered with `got it`.
/// #[derive(Default)]
/// struct Store(usize);
///
/// impl LineProtocol for Store {
///     fn line_received(&mut self, lines: &Lines, line: &[u8]) {
///         let length = line.strip_prefix(b"PUT ").and_then(|length| str::from_utf8(length).ok()?.parse().ok());
///         match length {
///             Some(length) if length > 0 => {
///                 self.0 = length;
///                 lines.set_raw_mode();
///             }
///             _ => lines.reject("a line must be PUT and a length"),
///         }
///     }
///     fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
///         let body = data.len().min(self.0);
///         self.0 -= body;
///         if self.0 == 0 {
///             lines.send_line("got it").expect("has no line break");
///             lines.set_line_mode(data.len() - body); // what follows the body is lines
///         }
///     }
/// }
///
/// let mut peer = StringTransport::new(LineReceiver::new(Store::default()));
/// peer.receive("PUT 5\r\nhelloPUT 2\r\n\r\n");
/// assert_eq!(peer.take_sent(), b"got it\r\ngot it\r\n");
/// ```
#[doc(alias = "LineReceiver")]
#[doc(alias = "LineOnlyReceiver")]
#[allow(
    unused_variables,
    reason = "the names of the arguments are documentation"
)]
pub trait LineProtocol: Any {
    /// The connection is there; see [`Protocol::connection_made`].
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, lines: &Lines) {}

    /// A line, without its delimiter.
    #[doc(alias = "lineReceived")]
    fn line_received(&mut self, lines: &Lines, line: &[u8]);

    /// Bytes in raw mode: at least one, cut anywhere.
    ///
    /// # Panics
    ///
    /// Unless it is overridden: whoever calls [`Lines::set_raw_mode`] must say what becomes of raw bytes.
    #[doc(alias = "rawDataReceived")]
    fn raw_data_received(&mut self, lines: &Lines, data: &[u8]) {
        panic!(
            "{} called Lines::set_raw_mode but has no raw_data_received; write LineProtocol::raw_data_received",
            self.name()
        );
    }

    /// The peer sent a line longer than the limit; unless this is overridden, that ends the connection (R118).
    ///
    /// `rest` is that line, as far as it came, and everything behind it. If this neither ends the connection nor switches
    /// to raw mode (which delivers `rest` again, raw), `rest` is dropped and the next byte that comes begins a line,
    /// though it may be from the middle of the rejected one.
    #[doc(alias = "lineLengthExceeded")]
    fn line_length_exceeded(&mut self, lines: &Lines, error: LineError, rest: &[u8]) {
        lines.reject(error);
    }

    /// The peer sends nothing more, and every line of it was delivered; see [`Protocol::eof_received`].
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, lines: &Lines) {
        lines.lose_connection();
    }

    /// Our half is closed; see [`Protocol::write_connection_lost`].
    #[doc(alias = "writeConnectionLost")]
    fn write_connection_lost(&mut self, lines: &Lines) {}

    /// The connection is gone; see [`Protocol::connection_lost`].
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, lines: &Lines, reason: &Reason) {}

    /// Too much waits to be sent; see [`Protocol::writing_paused`].
    #[doc(alias = "pauseProducing")]
    fn writing_paused(&mut self, lines: &Lines) {}

    /// All is sent; see [`Protocol::writing_resumed`].
    #[doc(alias = "resumeProducing")]
    fn writing_resumed(&mut self, lines: &Lines) {}

    /// Nothing came or went for the time set; see [`Protocol::timed_out`].
    #[doc(alias = "timeoutConnection")]
    fn timed_out(&mut self, lines: &Lines) {
        lines.lose_after_timeout();
    }

    /// The program stops gracefully, or the service that listens does; see [`Protocol::shutting_down`].
    fn shutting_down(&mut self, lines: &Lines) {}

    /// Whether nothing is in flight, so that the connection may be closed in a graceful stop; see [`Protocol::is_idle`].
    /// Unless this is overridden, [`Messages::is_idle`](crate::Messages::is_idle) answers.
    fn is_idle(&mut self, lines: &Lines) -> bool {
        lines.is_idle(0)
    }

    /// The part of this protocol that has the type `wanted`; see [`Protocol::inner`].
    fn inner(&mut self, wanted: TypeId) -> Option<&mut dyn Any> {
        None
    }

    /// The protocol's name in logs.
    fn name(&self) -> &'static str {
        short_name(std::any::type_name::<Self>())
    }
}

/// The handle of a [`LineProtocol`]: a [`Transport`] that sends lines and switches to raw bytes.
///
/// What it asks of the receiving side holds from the next byte on that was not delivered, whether asked in a handler or
/// later.
pub type Lines = Messages<LineMode>;

/// What [`Lines`] knows beyond a transport.
#[derive(Debug)]
pub struct LineMode {
    delimiter: RefCell<Delimiter>,
    is_delimiter_new: Cell<bool>,
    is_raw: Cell<bool>,
    /// How long the raw bytes are that a handler has at hand.
    pub(crate) at_hand: Cell<usize>,
}

impl LineMode {
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        Self {
            delimiter: RefCell::new(delimiter),
            is_delimiter_new: Cell::new(false),
            is_raw: Cell::new(false),
            at_hand: Cell::new(0),
        }
    }
}

impl Messages<LineMode> {
    /// Sends a line and its delimiter.
    ///
    /// # Errors
    ///
    /// The peer would read more than one line; nothing is sent. Never put a peer's bytes in a line without looking at
    /// this error: it is what keeps a name with a line break inside from becoming a command.
    #[doc(alias = "sendLine")]
    pub fn send_line(&self, line: impl AsRef<[u8]>) -> Result<(), LineError> {
        let line = line.as_ref();
        let delimiter = self.kind().delimiter.borrow();
        self.write_with(|out| delimiter.send_line(line, out))
    }

    /// Delivers bytes as they come, from the next one on (R121).
    #[doc(alias = "setRawMode")]
    pub fn set_raw_mode(&self) {
        self.kind().is_raw.set(true);
        self.asked();
    }

    /// Delivers lines, from the last `unread` bytes of the raw bytes at hand on (R121): how many of them were meant as
    /// lines already. Elsewhere than in [`LineProtocol::raw_data_received`] that is 0.
    ///
    /// # Panics
    ///
    /// When so many bytes are not at hand.
    #[doc(alias = "setLineMode")]
    pub fn set_line_mode(&self, unread: usize) {
        let at_hand = self.kind().at_hand.get();
        assert!(
            unread <= at_hand,
            "Lines::set_line_mode({unread}): only the {at_hand} raw bytes at hand can be handed back",
        );
        self.kind().is_raw.set(false);
        self.turn().put_back.set(unread);
        self.asked();
    }

    /// Whether bytes are delivered as they come.
    #[must_use]
    pub fn is_raw_mode(&self) -> bool {
        self.kind().is_raw.get()
    }

    /// Changes what ends a line: those sent from now on, and those received from the next byte on.
    pub fn set_delimiter(&self, delimiter: Delimiter) {
        self.kind().delimiter.replace(delimiter);
        self.kind().is_delimiter_new.set(true);
        self.asked();
    }

    /// Tells the grammar what was asked for. Right behind an event what is handed back of it becomes pending again.
    #[cold]
    pub(crate) fn carry_out(&self, input: &mut Input<'_, LineGrammar>) {
        let (turn, mode) = (self.turn(), self.kind());
        turn.is_asked.set(false);
        if let Some(bytes) = turn.limit_bytes.take() {
            input.set_limit_bytes(bytes);
        }
        let put_back = turn.put_back.take();
        if put_back > 0 || !mode.is_raw.get() {
            input.set_line(put_back);
        }
        if mode.is_raw.get() {
            input.set_raw();
        }
        if mode.is_delimiter_new.take() {
            input.set_delimiter(mode.delimiter.borrow().clone());
        }
    }
}
