//! What the handle of every message adapter is: a transport that knows what was received and not yet delivered.
//!
//! For: [`Lines`](crate::Lines), [`Strings`](crate::Strings), and what they share. Not for: any framing of its own.
//!
//! ```text
//!   handler ── asks ──► Messages ── right after the handler, or soon ──► adapter ── carries out
//! ```
//!
//! Handles only queue. So what a handler asks of its handle is noted in a [`Turn`], and the adapter carries it out when the
//! handler has returned; asked from anywhere else, the adapter is *stirred*: it gets a turn of its own, soon.

use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use ropewalk_core::timer::DelayedCall;
use ropewalk_core::{Deferred, Failure, Layer, Protocol, Transport};

/// The handle of a protocol whose adapter delivers messages: [`Lines`](crate::Lines) or [`Strings`](crate::Strings).
///
/// It derefs to the [`Transport`] of the connection, so everything that a transport can do it can; what is found here
/// takes the place of the transport's own because of the bytes that the adapter holds. Cheap to clone, to be kept as long
/// as one likes.
///
/// ```
/// use ropewalk_protocols::{LineProtocol, LineReceiver, Lines, wire::Echo};
/// use ropewalk_testing::StringTransport;
///
/// struct Upgrading;
/// impl LineProtocol for Upgrading {
///     fn line_received(&mut self, lines: &Lines, line: &[u8]) {
///         if line == b"ECHO" {
///             lines.send_line("as you like").expect("has no line break");
///             lines.switch_protocol(Echo);
///         }
///     }
/// }
///
/// let mut peer = StringTransport::new(LineReceiver::new(Upgrading));
/// peer.receive("ECHO\r\nhel");
/// peer.receive("lo");
/// assert_eq!(peer.take_sent(), b"as you like\r\nhello", "no byte behind the line is lost");
/// ```
pub struct Messages<K: ?Sized + 'static>(pub(crate) Rc<Shared<K>>);

pub(crate) struct Shared<K: ?Sized> {
    transport: Transport,
    turn: Turn,
    kind: K,
}

/// What passes between an adapter and its handles.
pub(crate) struct Turn {
    /// Received bytes that wait behind the message at hand.
    pub(crate) unread: Cell<usize>,
    /// How many bytes of the message at hand are to be received again.
    pub(crate) put_back: Cell<usize>,
    /// A handler runs: what it asks for is carried out right after it.
    pub(crate) is_delivering: Cell<bool>,
    /// Something was asked for.
    pub(crate) is_asked: Cell<bool>,
    pub(crate) limit_bytes: Cell<Option<usize>>,
    pub(crate) hand_over: Cell<Option<HandOver>>,
    stir: fn(&Transport),
}

/// Gives the connection to the next protocol, with the bytes that nobody read.
pub(crate) type HandOver = Box<dyn FnOnce(&Transport, Vec<u8>)>;

/// Bytes came before they could be meant for the layer that was to be pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyBytes {
    /// How many.
    pub count: usize,
}

impl<K: 'static> Messages<K> {
    /// A handle; `stir` gives its adapter a turn, soon.
    pub(crate) fn new(transport: &Transport, stir: fn(&Transport), kind: K) -> Self {
        let turn = Turn {
            unread: Cell::new(0),
            put_back: Cell::new(0),
            is_delivering: Cell::new(false),
            is_asked: Cell::new(false),
            limit_bytes: Cell::new(None),
            hand_over: Cell::new(None),
            stir,
        };
        Self(Rc::new(Shared {
            transport: transport.clone(),
            turn,
            kind,
        }))
    }
}

impl<K: ?Sized + 'static> Messages<K> {
    /// How many bytes were received and not yet delivered: behind the message at hand, or an unfinished one.
    ///
    /// Ask before you change what the bytes mean. [`push_layer`](Self::push_layer) asks by itself.
    #[doc(alias = "clearLineBuffer")]
    #[must_use]
    pub fn unread_bytes(&self) -> usize {
        self.turn().unread.get() + self.turn().put_back.get()
    }

    /// Whether nothing seems to be in flight, during a graceful stop: [`Transport::is_idle`], no unfinished message, and no
    /// clone of this handle but the `kept` ones that the protocol itself keeps.
    #[must_use]
    pub fn is_idle(&self, kept: usize) -> bool {
        let own = 1;
        let has_others = Rc::strong_count(&self.0) > own + kept;
        !has_others && self.unread_bytes() == 0 && self.0.transport.is_idle(own)
    }

    /// Changes the most bytes that a message may have, from the next one on.
    #[doc(alias = "MAX_LENGTH")]
    pub fn set_limit_bytes(&self, bytes: usize) {
        self.turn().limit_bytes.set(Some(bytes));
        self.asked();
    }

    /// Puts a layer on top of the stack ([`Transport::push_layer`]), if nothing waits to be read: STARTTLS.
    ///
    /// Otherwise the connection ends, because of [`EarlyBytes`]: whoever sent them did so before they could be protected,
    /// and somebody in between may have put them there. No handler may ever see them.
    #[doc(alias = "startTLS")]
    pub fn push_layer(&self, layer: impl Layer) {
        match self.unread_bytes() {
            0 => self.0.transport.push_layer(layer),
            count => self.0.transport.reject(EarlyBytes { count }),
        }
    }

    /// Gives the connection to another protocol, which gets `connection_made` and then what nobody read: everything
    /// behind the message at hand, and what was handed back of it.
    pub fn switch_protocol(&self, protocol: impl Protocol) {
        let hand_over = |transport: &Transport, unread| transport.switch_protocol(protocol, unread);
        self.turn().hand_over.set(Some(Box::new(hand_over)));
        self.asked();
    }

    /// Calls a method of the protocol after a time ([`Transport::call_later`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`: that ends this connection with a message that names both.
    #[doc(alias = "callLater")]
    pub fn call_later<P: 'static>(
        &self,
        delay: Duration,
        call: impl FnOnce(&mut P, &Self) + 'static,
    ) -> DelayedCall {
        let messages = self.clone();
        self.0
            .transport
            .call_later(delay, move |this: &mut P, _| call(this, &messages))
    }

    /// Calls a method of the protocol when `deferred` has its result ([`Transport::when`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn when<T: 'static, P: 'static>(
        &self,
        deferred: Deferred<T>,
        call: impl FnOnce(&mut P, &Self, Result<T, Failure>) + 'static,
    ) {
        let messages = self.clone();
        self.0
            .transport
            .when(deferred, move |this: &mut P, _, result| {
                call(this, &messages, result);
            });
    }

    /// Calls a method of the protocol on the reactor's turn, soon ([`Transport::call_soon`]).
    ///
    /// # Panics
    ///
    /// On its turn, when the protocol is no `P`.
    pub fn call_soon<P: 'static>(&self, call: impl FnOnce(&mut P, &Self) + 'static) {
        let messages = self.clone();
        self.0
            .transport
            .call_soon(move |this: &mut P, _| call(this, &messages));
    }

    /// Whether the connection goes to another protocol.
    pub(crate) fn is_leaving(&self) -> bool {
        let hand_over = self.turn().hand_over.take();
        let is_leaving = hand_over.is_some();
        self.turn().hand_over.set(hand_over);
        is_leaving
    }

    pub(crate) fn kind(&self) -> &K {
        &self.0.kind
    }

    pub(crate) fn turn(&self) -> &Turn {
        &self.0.turn
    }

    /// Something was asked for that the adapter must carry out.
    pub(crate) fn asked(&self) {
        let turn = self.turn();
        if !turn.is_asked.replace(true) && !turn.is_delivering.get() {
            (turn.stir)(&self.0.transport);
        }
    }
}

impl<K: ?Sized + 'static> Clone for Messages<K> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<K: ?Sized + 'static> Deref for Messages<K> {
    type Target = Transport;

    #[inline]
    fn deref(&self) -> &Transport {
        &self.0.transport
    }
}

impl<K: ?Sized + 'static> fmt::Debug for Messages<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Messages").field(&self.0.transport).finish()
    }
}

impl fmt::Display for EarlyBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count } = self;
        write!(
            f,
            "{count} bytes came behind the message after which the next layer begins; they came in clear"
        )
    }
}

impl std::error::Error for EarlyBytes {}
