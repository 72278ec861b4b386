//! What the fields of a head mean for the connection: where the body ends, and what comes after.
//!
//! For: requests and responses alike; one set of rules for both keeps us from taking from a server what we would refuse
//! from a client (CL-04). Not for: any field that changes neither.

use super::field::Span;
use super::rule::Rule;
use super::{Authority, Name};

/// The end of a body, as the head tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    Empty,
    /// So many bytes.
    Known(u64),
    /// It comes in chunks, and trailers may follow it.
    Chunked,
    /// It ends with the connection: whether it is whole nobody can tell (R167). Responses only.
    UntilClose,
}

/// What a peer that sent `Expect` waits for (RFC 9110 10.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    #[default]
    Nothing,
    /// An interim 100 before it sends its body.
    Continue,
    /// Something that is not known: the answer is 417.
    Other,
}

/// The version of HTTP of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    #[default]
    Http11,
}

/// What was noted of a head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meaning {
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    /// Which field is `Host`.
    pub(super) host: Option<usize>,
    pub(super) expect: Expect,
    pub(super) connection: ConnectionOptions,
    /// Whether an `Upgrade` is there.
    pub(super) upgrade: bool,
}

/// The options of `Connection` that the grammar knows (RFC 9110 7.6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ConnectionOptions {
    pub(super) close: bool,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
}

/// No length is larger: sums with it do not overflow, in our own code or in that of others (H1-06).
pub(super) const LARGEST_LENGTH: u64 = i64::MAX as u64;

impl Meaning {
    /// Notes a field.
    #[inline]
    pub(super) fn note(&mut self, bytes: &[u8], span: &Span, index: usize) -> Result<(), Rule> {
        let Some(known) = span.known else {
            return Ok(());
        };
        match known {
            Name::Host => self.note_host(span.value(bytes), index),
            Name::Connection => {
                self.connection.note(span.value(bytes));
                Ok(())
            }
            Name::ContentLength => self.note_length(bytes, span),
            Name::TransferEncoding => self.note_encoding(bytes, span),
            Name::Expect => {
                self.note_expect(span.value(bytes));
                Ok(())
            }
            Name::Upgrade => {
                self.upgrade = true;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// RFC 9112 3.2.
    fn note_host(&mut self, value: &[u8], index: usize) -> Result<(), Rule> {
        if self.host.is_some() {
            return Err(Rule::HostRepeated);
        }
        if !value.is_empty() && !Authority::is_one(value) {
            return Err(Rule::Host);
        }
        self.host = Some(index);
        Ok(())
    }

    fn note_length(&mut self, bytes: &[u8], span: &Span) -> Result<(), Rule> {
        if self.length.is_some() {
            return Err(Rule::ContentLengthRepeated);
        }
        let length = decimal(span.value(bytes)).filter(|_| is_tidy(bytes, span));
        self.length = Some(length.ok_or(Rule::ContentLength)?);
        Ok(())
    }

    fn note_encoding(&mut self, bytes: &[u8], span: &Span) -> Result<(), Rule> {
        if self.chunked {
            return Err(Rule::TransferEncodingRepeated);
        }
        self.chunked = span.value(bytes).eq_ignore_ascii_case(b"chunked") && is_tidy(bytes, span);
        self.chunked.then_some(()).ok_or(Rule::TransferEncoding)
    }

    fn note_expect(&mut self, value: &[u8]) {
        self.expect = match self.expect {
            Expect::Nothing if value.eq_ignore_ascii_case(b"100-continue") => Expect::Continue,
            _ => Expect::Other,
        };
    }

    /// The body that the fields announce, if they do.
    pub(super) fn announced(&self, version: Version) -> Result<Option<BodyLength>, Rule> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Rule::LengthAndChunked),
            (true, None) if version == Version::Http10 => Err(Rule::ChunkedInHttp10),
            (true, None) => Ok(Some(BodyLength::Chunked)),
            (false, Some(length)) => Ok(Some(BodyLength::Known(length))),
            (false, None) => Ok(None),
        }
    }

    /// Whether a further message may follow this one, as far as its sender says (RFC 9112 9.3).
    pub(super) fn is_persistent(&self, version: Version) -> bool {
        match version {
            Version::Http11 => !self.connection.close,
            Version::Http10 => self.connection.keep_alive && !self.connection.close,
        }
    }

    /// Whether its sender asks for another protocol, or agrees to it (RFC 9110 7.8).
    pub(super) fn upgrades(&self, version: Version) -> bool {
        self.upgrade && self.connection.upgrade && version == Version::Http11
    }
}

impl ConnectionOptions {
    /// Notes the options of one `Connection` field: a list, split at commas (D3).
    pub(super) fn note(&mut self, value: &[u8]) {
        for option in value.split(|&byte| byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// RFC 9110 8.6: digits and nothing else.
fn decimal(digits: &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    (!digits.is_empty() && number <= LARGEST_LENGTH).then_some(number)
}

/// Whether nothing but one space stands around the value. The standard allows blanks, but of all fields these two
/// are written by hand only by attackers: what one parser strips another may not (H1-03, H1-05).
fn is_tidy(bytes: &[u8], span: &Span) -> bool {
    let colon = usize::from(span.name) + usize::from(span.name_length);
    let (start, end) = (
        usize::from(span.value),
        usize::from(span.value) + usize::from(span.value_length),
    );
    matches!(&bytes[colon + 1..start], b"" | b" ") && bytes[end] == b'\r'
}

/// The digits of a version take so many bytes with what is before them.
const VERSION_BYTES: usize = b"HTTP/1.1".len();

impl Version {
    /// Reads the version at `start`; `None` if it has not come yet.
    ///
    /// # Errors
    ///
    /// As soon as a byte cannot be of one, so that whoever speaks something else is told at once.
    #[inline]
    pub(super) fn read(bytes: &[u8], start: usize) -> Result<Option<Self>, (Rule, usize)> {
        match bytes[start..].first_chunk::<VERSION_BYTES>() {
            Some(b"HTTP/1.1") => Ok(Some(Self::Http11)),
            Some(b"HTTP/1.0") => Ok(Some(Self::Http10)),
            _ => odd_version(bytes, start),
        }
    }

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
        }
    }
}

#[cold]
fn odd_version(bytes: &[u8], start: usize) -> Result<Option<Version>, (Rule, usize)> {
    let text = &bytes[start..];
    for (index, (&found, &expected)) in text.iter().zip(b"HTTP/0.0").enumerate() {
        let fits = match expected {
            b'0' => found.is_ascii_digit(),
            _ => found == expected,
        };
        if !fits {
            return Err((Rule::VersionText, start + index));
        }
    }
    if text.len() < VERSION_BYTES {
        return Ok(None);
    }
    Err((Rule::Version, start))
}
