//! The rules of HTTP/1.1 that a peer can break.

use std::error::Error;
use std::fmt;

/// A rule was broken by the peer: which one, where, and what a server answers before it closes.
///
/// After it nothing more is read from the stream: whoever goes on after a message that two parsers may
/// understand differently lets a request be smuggled past the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Http1Error {
    pub(super) rule: Rule,
    pub(super) offset: u64,
}

/// Which rule, and where in the bytes at hand.
pub(super) type Broken = (Rule, usize);

impl Http1Error {
    /// The rule.
    pub fn rule(&self) -> Rule {
        self.rule
    }

    /// Where in the stream it was broken, counted from 0: the byte that should not be there, or the beginning of
    /// what is wrong as a whole.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What a server answers; it closes in any case.
    ///
    /// Where a response broke the rule, there is nobody to answer; a gateway tells its own client 502.
    pub fn status(&self) -> u16 {
        self.rule.status()
    }
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $variant:ident, $status:literal, $message:literal;)*) => {
        /// A rule of RFC 9110, RFC 9112 or of ours; its section is in its description.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Rule {
            $($(#[doc = $doc])+ $variant,)*
        }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Rule] = &[$(Rule::$variant),*];

            /// What a server answers to a request that breaks it.
            pub const fn status(self) -> u16 {
                match self {
                    $(Rule::$variant => $status,)*
                }
            }

            /// The rule in words.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Rule::$variant => $message,)*
                }
            }
        }
    };
}

rules! {
    /// At most one empty line stands before a request (RFC 9112 2.2, R134, H1-09).
    EmptyLines, 400, "at most one empty line may stand before a request";
    /// A request begins with a method, a token, and one space (RFC 9112 3.1).
    Method, 400, "a request line begins with a method, which is a token, and one space";
    /// The request target is of visible ASCII without `#`, and one space follows (RFC 9112 3.2, H1-10).
    Target, 400, "a request target is of visible ASCII characters without '#', and one space follows it";
    /// The target has one of the four forms (RFC 9112 3.2).
    TargetForm, 400, "a request target is a path that begins with '/', an absolute URI, host:port for CONNECT, or '*' for OPTIONS";
    /// Only OPTIONS can be asked of `*` (RFC 9112 3.2.4, R149).
    AsteriskTarget, 405, "only OPTIONS may be asked of '*'";
    /// The target of CONNECT is a host and a port (RFC 9110 9.3.6).
    ConnectTarget, 400, "the target of CONNECT is a host, a colon and a port";
    /// The authority of an absolute target is a host and maybe a port, without user information (RFC 9110 4.2.4).
    Authority, 400, "the authority of a target is a host and at most a port, without user information";
    /// The version is written `HTTP/1.1` or `HTTP/1.0` (RFC 9112 2.3), and nothing follows it on a request line.
    VersionText, 400, "a version is written HTTP/1.1 or HTTP/1.0, in capitals, and ends a request line";
    /// The version is 1.0 or 1.1 (R131; RFC 9110 15.6.6 has 505, which Twisted, and so we, do not tell from any other wrong line).
    Version, 400, "the version is neither HTTP/1.1 nor HTTP/1.0";
    /// The first line has a limit ([`Limits::line_bytes`](super::Limits::line_bytes)).
    LineTooLong, 414, "the first line is longer than is accepted; if such lines are right, raise Limits::line_bytes";
    /// The status is three digits, of which the first is not zero (RFC 9112 4).
    Status, 400, "a status is three digits, the first not zero, between one space and a space or the line's end";
    /// A reason phrase is of visible characters, spaces and tabs (RFC 9112 4).
    Reason, 400, "a reason phrase has no control characters";
    /// A line ends with CR and LF, not with LF alone (RFC 9112 2.2, H1-08, D13).
    BareLf, 400, "a line ends with CR and LF, not with LF alone";
    /// LF follows every CR (RFC 9112 2.2, H1-08). The place is where it should stand.
    BareCr, 400, "a CR stands only before LF";
    /// The name of a field is a token and not empty (RFC 9112 5, H1-11).
    FieldName, 400, "the name of a field is a token and not empty";
    /// A field has a colon (RFC 9112 5, H1-10).
    FieldColon, 400, "a field has a colon behind its name";
    /// The colon follows the name at once (RFC 9112 5.1, H1-10).
    SpaceBeforeColon, 400, "no space stands between the name of a field and its colon";
    /// Fields are not folded over lines (RFC 9112 5.2, H1-10).
    Folding, 400, "a field is not continued on a further line, nor does the first begin with a space";
    /// The value of a field has no control characters but tabs (RFC 9110 5.5, H1-11).
    FieldValue, 400, "the value of a field has no control characters";
    /// The number of fields has a limit ([`Limits::fields`](super::Limits::fields), R133, H1-17).
    TooManyFields, 431, "there are more fields than are accepted; if so many are right, raise Limits::fields";
    /// The bytes of a head have a limit ([`Limits::head_bytes`](super::Limits::head_bytes), R133, H1-17).
    HeadTooLarge, 431, "the head is longer than is accepted; if such heads are right, raise Limits::head_bytes";
    /// `Content-Length` is digits and nothing else, below 2⁶³ (RFC 9110 8.6, H1-05, H1-06).
    ContentLength, 400, "a Content-Length is decimal digits below 2^63, behind at most one space";
    /// `Content-Length` is there once, also if both say the same (RFC 9112 6.3, H1-01).
    ContentLengthRepeated, 400, "there is more than one Content-Length";
    /// `Transfer-Encoding` is `chunked` and nothing else (RFC 9112 6.1, R132, H1-03).
    TransferEncoding, 400, "a Transfer-Encoding is 'chunked' and nothing else, behind at most one space";
    /// `Transfer-Encoding` is there once (H1-03).
    TransferEncodingRepeated, 400, "there is more than one Transfer-Encoding";
    /// A body has a length or is chunked, not both (RFC 9112 6.1, H1-02).
    LengthAndChunked, 400, "Content-Length and Transfer-Encoding exclude each other";
    /// HTTP/1.0 knows no `Transfer-Encoding` (RFC 9112 6.1, H1-04).
    ChunkedInHttp10, 400, "HTTP/1.0 has no Transfer-Encoding";
    /// HTTP/1.0 POST, PUT and PATCH have a `Content-Length` (RFC 1945 8.3, H1-04): no request ends by closing.
    LengthMissing, 400, "an HTTP/1.0 request with content needs a Content-Length";
    /// CONNECT has no body (RFC 9110 9.3.6): who takes its bytes for the tunnel's and who does not would disagree.
    ConnectBody, 400, "CONNECT has no body";
    /// HTTP/1.1 needs `Host` (RFC 9112 3.2).
    HostMissing, 400, "an HTTP/1.1 request needs a Host field";
    /// `Host` is there once (RFC 9112 3.2).
    HostRepeated, 400, "there is more than one Host field";
    /// `Host` is empty or a host and maybe a port (RFC 9110 7.2).
    Host, 400, "a Host field is empty, or a host and at most a port";
    /// The size of a chunk is hexadecimal digits (RFC 9112 7.1, R135, H1-06).
    ChunkSize, 400, "the size of a chunk is hexadecimal digits, without sign, prefix or space";
    /// It has at most 16 digits and is below 2⁶³ (H1-06).
    ChunkSizeTooLarge, 400, "the size of a chunk has at most 16 digits and is below 2^63";
    /// Extensions are `;name`, `;name=token` or `;name="text"`, without spaces around (RFC 9112 7.1.1, H1-07).
    ChunkExtension, 400, "an extension of a chunk is ;name, ;name=token or ;name=\"text\"";
    /// The line of a chunk's size has at most 1024 bytes (R135, H1-07).
    ChunkLineTooLong, 400, "the line of a chunk's size is longer than 1024 bytes";
    /// All those lines are not much more than what they frame (H1-07).
    ChunkOverhead, 400, "the chunks are so small, or their extensions so long, that there is more framing than content";
    /// CR and LF follow the content of a chunk (RFC 9112 7.1, R135).
    ChunkEnd, 400, "CR and LF follow the content of a chunk at once";
    /// A trailer carries nothing that belongs in the head (RFC 9110 6.5.1); see [`Name::may_trail`](super::Name::may_trail).
    TrailerField, 400, "a trailer may not carry this field";
    /// Trailers have the limit of heads, in bytes and in number (R135).
    TrailersTooLarge, 400, "the trailers are more or longer than is accepted; if such trailers are right, raise Limits";
    /// The stream ends between messages (RFC 9112 8).
    Truncated, 400, "the stream ended within a message";
    /// A response follows a request (RFC 9112 9.2).
    Unsolicited, 400, "there are bytes of a response that nobody asked for";
    /// The peer changes the protocol only if it was asked to (RFC 9110 7.8).
    UnaskedSwitch, 400, "the protocol is switched though nobody asked for it";
    /// Interim responses to one request have a limit, as a peer that sends nothing else would never be done with.
    TooManyInterim, 400, "more than 32 interim responses came before the final one";
}

impl fmt::Display for Http1Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (byte {} of the stream)",
            self.rule.message(),
            self.offset
        )
    }
}

impl Error for Http1Error {}
