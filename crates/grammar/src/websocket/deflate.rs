//! Agreeing on permessage-deflate (RFC 7692 7.1).

use std::fmt::Write;

use super::extension::COMPRESSION;
use super::{Extension, Parameter, Role};

/// How to compress, and what to agree to.
///
/// The default lets go of the context after each message, in both directions: then an idle connection needs no memory for
/// compression. With context take-over messages that are alike shrink far more, and a connection that has sent and received
/// one holds 340 KiB, up to 430 KiB after long ones: a thousand clients may so take 430 MB. Smaller [windows](Self::with_window_bits)
/// take less.
///
/// ```
/// use ropewalk_grammar::websocket::Deflate;
///
/// let deflate = Deflate::new().with_context_takeover(true).with_window_bits(12);
/// assert_eq!(deflate.offer(), "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    pub(super) level: u8,
    pub(super) compress_from_bytes: usize,
    takes_over: bool,
    window_bits: u8,
}

/// What both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateAgreed {
    server_takes_over: bool,
    client_takes_over: bool,
    server_window_bits: u8,
    client_window_bits: u8,
    /// What the client offered must be answered; what it did not must not be.
    says_server_bits: bool,
    says_client_bits: bool,
}

/// The largest window, of 32 KiB.
const MOST_BITS: u8 = 15;

/// Parameters of one offer or answer; a window without a value is the largest.
#[derive(Clone, Copy, Debug, Default)]
struct Parameters {
    server_no_context_takeover: Option<()>,
    client_no_context_takeover: Option<()>,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<u8>,
}

impl Deflate {
    /// Quick compression of messages from 64 bytes on, without context take-over.
    pub fn new() -> Self {
        Self {
            level: 1,
            compress_from_bytes: 64,
            takes_over: false,
            window_bits: MOST_BITS,
        }
    }

    /// How hard to try, from 1 (the default: three times as fast, a fifth larger) to 9.
    ///
    /// # Panics
    ///
    /// When it is another number.
    #[must_use]
    pub fn with_level(mut self, level: u8) -> Self {
        assert!(
            (1..=9).contains(&level),
            "Deflate::with_level({level}): give a level from 1 to 9"
        );
        self.level = level;
        self
    }

    /// From how many bytes on a message is compressed; shorter ones are sent as they are.
    #[must_use]
    pub fn with_compress_from_bytes(mut self, bytes: usize) -> Self {
        self.compress_from_bytes = bytes;
        self
    }

    /// Whether messages may refer to those before them, in both directions, if the peer agrees.
    ///
    /// An attacker who can put text of his own beside a secret into compressed messages, and see their lengths, finds out
    /// the secret (CRIME); compress no secrets.
    #[must_use]
    pub fn with_context_takeover(mut self, takes_over: bool) -> Self {
        self.takes_over = takes_over;
        self
    }

    /// The largest window of either side, from 9 (512 bytes) to 15 (32 KiB).
    ///
    /// # Panics
    ///
    /// When it is another number.
    #[must_use]
    pub fn with_window_bits(mut self, bits: u8) -> Self {
        assert!(
            (9..=15).contains(&bits),
            "Deflate::with_window_bits({bits}): give 9 to 15"
        );
        self.window_bits = bits;
        self
    }

    /// What a client offers: the value of `Sec-WebSocket-Extensions`.
    pub fn offer(&self) -> String {
        let mut offer = COMPRESSION.to_owned();
        if !self.takes_over {
            offer += "; server_no_context_takeover; client_no_context_takeover";
        }
        if self.window_bits < MOST_BITS {
            let bits = self.window_bits;
            write!(
                offer,
                "; server_max_window_bits={bits}; client_max_window_bits={bits}"
            )
            .expect("a String takes all");
        } else {
            offer += "; client_max_window_bits";
        }
        offer
    }

    /// What a server agrees to: the first offer that it can.
    pub fn agree<'a>(
        &self,
        offers: impl IntoIterator<Item = Extension<'a>>,
    ) -> Option<DeflateAgreed> {
        let mut ours = offers.into_iter().filter(|offer| offer.name == COMPRESSION);
        ours.find_map(|offer| self.agree_to(Parameters::read(offer)?))
    }

    fn agree_to(&self, offered: Parameters) -> Option<DeflateAgreed> {
        let bits = |offered: Option<u8>| self.window_bits.min(offered.unwrap_or(MOST_BITS));
        let client_window_bits = match offered.client_max_window_bits {
            None => MOST_BITS,
            offered => bits(offered),
        };
        let agreed = DeflateAgreed {
            server_takes_over: self.takes_over && offered.server_no_context_takeover.is_none(),
            client_takes_over: self.takes_over && offered.client_no_context_takeover.is_none(),
            server_window_bits: bits(offered.server_max_window_bits),
            client_window_bits,
            says_server_bits: offered.server_max_window_bits.is_some(),
            says_client_bits: offered.client_max_window_bits.is_some(),
        };
        // No compressor makes a window of 256 bytes, so such an offer is declined.
        (agreed.server_window_bits > 8).then_some(agreed)
    }

    /// What a client reads in the server's answer to its [`offer`](Self::offer); `None` if it is no answer to that.
    pub fn agreed(&self, answer: Extension<'_>) -> Option<DeflateAgreed> {
        let answered = Parameters::read(answer).filter(|_| answer.name == COMPRESSION)?;
        // Only an offer may leave the size of a window to the other side (RFC 7692 7.1.2.2).
        let is_vague = |window: Parameter<'_>| {
            window.name == "client_max_window_bits" && window.value.is_none()
        };
        if answer.parameters().any(is_vague) {
            return None;
        }
        let is_asked = self.window_bits < MOST_BITS;
        let server_window_bits = answered.server_max_window_bits.unwrap_or(MOST_BITS);
        let client_window_bits = answered.client_max_window_bits.unwrap_or(self.window_bits);
        let server_forgets = answered.server_no_context_takeover.is_some();
        let is_right = (self.takes_over || server_forgets)
            && (!is_asked || server_window_bits <= self.window_bits)
            && client_window_bits <= self.window_bits;
        is_right.then_some(DeflateAgreed {
            server_takes_over: !server_forgets,
            client_takes_over: self.takes_over && answered.client_no_context_takeover.is_none(),
            server_window_bits,
            client_window_bits,
            says_server_bits: answered.server_max_window_bits.is_some(),
            says_client_bits: answered.client_max_window_bits.is_some(),
        })
    }
}

impl Default for Deflate {
    fn default() -> Self {
        Self::new()
    }
}

impl DeflateAgreed {
    /// What a server answers: the value of `Sec-WebSocket-Extensions`.
    pub fn answer(&self) -> String {
        let mut answer = COMPRESSION.to_owned();
        if !self.server_takes_over {
            answer += "; server_no_context_takeover";
        }
        if !self.client_takes_over {
            answer += "; client_no_context_takeover";
        }
        let (server, client) = (self.server_window_bits, self.client_window_bits);
        if self.says_server_bits || server < MOST_BITS {
            write!(answer, "; server_max_window_bits={server}").expect("a String takes all");
        }
        if self.says_client_bits && client < MOST_BITS {
            write!(answer, "; client_max_window_bits={client}").expect("a String takes all");
        }
        answer
    }

    /// Whether messages of `role` may refer to those before them.
    pub fn takes_over(&self, role: Role) -> bool {
        match role {
            Role::Server => self.server_takes_over,
            Role::Client => self.client_takes_over,
        }
    }

    /// The window of what `role` compresses, as a power of two.
    pub fn window_bits(&self, role: Role) -> u8 {
        match role {
            Role::Server => self.server_window_bits,
            Role::Client => self.client_window_bits,
        }
    }
}

impl Parameters {
    /// `None` for unknown parameters, doubled ones, and wrong values.
    fn read(extension: Extension<'_>) -> Option<Self> {
        let mut read = Self::default();
        for parameter in extension.parameters() {
            let is_new = match (parameter.name, parameter.value) {
                ("server_no_context_takeover", None) => {
                    read.server_no_context_takeover.replace(()).is_none()
                }
                ("client_no_context_takeover", None) => {
                    read.client_no_context_takeover.replace(()).is_none()
                }
                ("server_max_window_bits", Some(bits)) => read
                    .server_max_window_bits
                    .replace(window_bits(bits)?)
                    .is_none(),
                ("client_max_window_bits", bits) => {
                    let bits = bits.map_or(Some(MOST_BITS), window_bits)?;
                    read.client_max_window_bits.replace(bits).is_none()
                }
                _ => return None,
            };
            if !is_new {
                return None;
            }
        }
        Some(read)
    }
}

/// A number from 8 to 15, without zeros before it (RFC 7692 7.1.2.1).
fn window_bits(text: &str) -> Option<u8> {
    match text {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}
