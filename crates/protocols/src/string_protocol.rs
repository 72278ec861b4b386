//! A protocol that is told of strings, its handle, and what it needs of a framing.
//!
//! For: binary protocols whose messages are strings of bytes, whatever the framing. Not for: the rules of the framings,
//! which are the grammars', nor for the strings' way from the connection, which is [`StringReceiver`].

use std::any::{Any, TypeId};
use std::error::Error;
use std::fmt;

#[cfg(doc)]
use ropewalk_core::{Protocol, Transport};
use ropewalk_core::{Reason, short_name};
use ropewalk_grammar::{Framing, LengthPrefixedGrammar, NetstringGrammar};

#[cfg(doc)]
use crate::StringReceiver;
use crate::messages::Messages;

/// A protocol that speaks in strings of bytes. [`StringReceiver`] makes it a [`Protocol`] and chooses the framing, of which
/// the protocol knows nothing.
///
/// *Guaranteed*: the same strings in the same order, however the peer's bytes are cut. Between two calls anything that was
/// asked for on [`Strings`] has happened: after [`pause_reading`](Transport::pause_reading) nothing comes until
/// [`resume_reading`](Transport::resume_reading), after [`lose_connection`](Transport::lose_connection) nothing comes at
/// all. Delivery also waits while more is queued to be sent than the high-water mark allows, so that a peer cannot ask for
/// answers faster than it takes them.
#[doc(alias = "IntNStringReceiver")]
#[allow(
    unused_variables,
    reason = "the names of the arguments are documentation"
)]
pub trait StringProtocol: Any {
    /// The connection is there; see [`Protocol::connection_made`].
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, strings: &Strings) {}

    /// A string; it may be empty.
    #[doc(alias = "stringReceived")]
    fn string_received(&mut self, strings: &Strings, string: &[u8]);

    /// The peer declared a string longer than the limit, or broke another rule of the framing. Nothing more can be
    /// delivered; unless this is overridden, that ends the connection, and an override had better do so too.
    #[doc(alias = "lengthLimitExceeded")]
    #[doc(alias = "handleParseError")]
    fn string_rejected(&mut self, strings: &Strings, error: StringError) {
        strings.reject(error.into_inner());
    }

    /// The peer sends nothing more, and every string of it was delivered; see [`Protocol::eof_received`].
    #[doc(alias = "readConnectionLost")]
    fn eof_received(&mut self, strings: &Strings) {
        strings.lose_connection();
    }

    /// Our half is closed; see [`Protocol::write_connection_lost`].
    #[doc(alias = "writeConnectionLost")]
    fn write_connection_lost(&mut self, strings: &Strings) {}

    /// The connection is gone; see [`Protocol::connection_lost`].
    #[doc(alias = "connectionLost")]
    fn connection_lost(&mut self, strings: &Strings, reason: &Reason) {}

    /// Too much waits to be sent; see [`Protocol::writing_paused`].
    #[doc(alias = "pauseProducing")]
    fn writing_paused(&mut self, strings: &Strings) {}

    /// All is sent; see [`Protocol::writing_resumed`].
    #[doc(alias = "resumeProducing")]
    fn writing_resumed(&mut self, strings: &Strings) {}

    /// Nothing came or went for the time set; see [`Protocol::timed_out`].
    #[doc(alias = "timeoutConnection")]
    fn timed_out(&mut self, strings: &Strings) {
        strings.lose_after_timeout();
    }

    /// The program stops gracefully, or the service that listens does; see [`Protocol::shutting_down`].
    fn shutting_down(&mut self, strings: &Strings) {}

    /// Whether nothing is in flight, so that the connection may be closed in a graceful stop; see [`Protocol::is_idle`].
    /// Unless this is overridden, [`Messages::is_idle`](crate::Messages::is_idle) answers.
    fn is_idle(&mut self, strings: &Strings) -> bool {
        strings.is_idle(0)
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

/// The handle of a [`StringProtocol`]: a [`Transport`] that sends strings.
pub type Strings = Messages<dyn StringSender>;

/// A framing of strings: what [`StringReceiver`] needs beyond [`Framing`], which does the work.
///
/// A framing of your own is a [`Framing`] whose events are strings, and one method here:
///
/// ```
/// use std::convert::Infallible;
/// use ropewalk_grammar::{Backlog, Frame, Framing, Pending};
/// use ropewalk_protocols::{StringFraming, StringProtocol, StringReceiver, Strings};
/// use ropewalk_testing::StringTransport;
///
/// /// Records of four bytes.
/// #[derive(Clone, Default)]
/// struct Quads(Backlog);
///
/// impl Framing for Quads {
///     type Event<'a> = &'a [u8];
///     type Error = Infallible;
///     fn send(&self, quad: &[u8], out: &mut Vec<u8>) -> Result<(), Infallible> {
///         out.extend_from_slice(&quad[..4]);
///         Ok(())
///     }
///     fn backlog(&self) -> &Backlog {
///         &self.0
///     }
///     fn backlog_mut(&mut self) -> &mut Backlog {
///         &mut self.0
///     }
///     fn measure(&mut self, pending: Pending<'_>) -> Result<Option<Frame>, Infallible> {
///         Ok((pending.len() >= 4).then(|| Frame::new(4, 0..4)))
///     }
///     fn event<'a>(&self, body: &'a [u8]) -> &'a [u8] {
///         body
///     }
/// }
///
/// impl StringFraming for Quads {
///     fn set_limit_bytes(&mut self, _: usize) {} // all are of one length
/// }
///
/// struct Echo;
/// impl StringProtocol for Echo {
///     fn string_received(&mut self, strings: &Strings, quad: &[u8]) {
///         strings.send_string(quad).expect("has four bytes");
///     }
/// }
///
/// let mut peer = StringTransport::new(StringReceiver::with_framing(Quads::default(), Echo));
/// peer.receive("abcdefgh..");
/// assert_eq!(peer.take_sent(), b"abcdefgh");
/// ```
pub trait StringFraming:
    for<'a> Framing<Event<'a> = &'a [u8], Error: Send + Sync + 'static> + Clone + 'static
{
    /// Changes the longest string accepted from the peer, from the next one on.
    fn set_limit_bytes(&mut self, bytes: usize);
}

impl StringFraming for LengthPrefixedGrammar {
    fn set_limit_bytes(&mut self, bytes: usize) {
        Self::set_limit_bytes(self, bytes);
    }
}

impl StringFraming for NetstringGrammar {
    fn set_limit_bytes(&mut self, bytes: usize) {
        Self::set_limit_bytes(self, bytes);
    }
}

/// A framing, seen from the sender's side: every [`StringFraming`] is one.
pub trait StringSender {
    /// Appends a string as the peer must see it.
    ///
    /// # Errors
    ///
    /// The framing cannot say it; `out` is then unchanged.
    fn append_string(&self, string: &[u8], out: &mut Vec<u8>) -> Result<(), StringError>;
}

impl<G: StringFraming> StringSender for G {
    fn append_string(&self, string: &[u8], out: &mut Vec<u8>) -> Result<(), StringError> {
        self.send(string, out).map_err(StringError::new)
    }
}

impl Messages<dyn StringSender> {
    /// Sends a string.
    ///
    /// # Errors
    ///
    /// The framing cannot say a string so long; nothing is sent (R123).
    #[doc(alias = "sendString")]
    pub fn send_string(&self, string: impl AsRef<[u8]>) -> Result<(), StringError> {
        let string = string.as_ref();
        self.write_with(|out| self.kind().append_string(string, out))
    }
}

/// A rule of the framing that was broken: by the peer, or by a string that cannot be sent.
///
/// ```
/// use ropewalk_grammar::LengthPrefixedError;
/// use ropewalk_protocols::{StringError, StringProtocol, Strings};
///
/// struct Polite;
/// impl StringProtocol for Polite {
///     fn string_received(&mut self, _: &Strings, _: &[u8]) {}
///     fn string_rejected(&mut self, strings: &Strings, error: StringError) {
///         if let Some(LengthPrefixedError::TooLong { limit, .. }) = error.get() {
///             let _ = strings.send_string(format!("at most {limit} bytes, please"));
///         }
///         strings.reject(error.into_inner());
///     }
/// }
/// ```
#[derive(Debug)]
pub struct StringError(Box<dyn Error + Send + Sync>);

impl StringError {
    pub(crate) fn new(error: impl Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }

    /// The framing's own error, if it is an `E`: a [`LengthPrefixedError`](ropewalk_grammar::LengthPrefixedError) or a
    /// [`NetstringError`](ropewalk_grammar::NetstringError).
    #[must_use]
    pub fn get<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The framing's own error, to reject a connection with.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl fmt::Display for StringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for StringError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
