//! Heads and chunks as they are sent. What could be read as more than it is meant to be is refused (H1-15, CL-02, R138, R171).
//!
//! Not for: `Date`, `Server` and other fields of custom; they are their owner's. Not for: whether a message fits the other
//! side's; see [`ServerExchange`](super::ServerExchange) and [`ClientExchange`](super::ClientExchange).

use std::error::Error;
use std::fmt;

use super::meaning::BodyLength;
use super::{Method, Name, SendName, Target, scan};

/// Why something was not sent. Nothing of it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The method is not a token.
    Method,
    /// The target has not the form that the method needs, or a byte that would end it.
    Target,
    /// A status has three digits, and the first is not zero.
    Status(u16),
    /// The reason has a control character.
    Reason,
    /// The name of a field is not a token.
    FieldName(Box<str>),
    /// The value of a field has a control character, or blanks around it.
    FieldValue(Box<str>),
    /// This field is written for you, from what you say of the body and the connection.
    Reserved(Name),
    /// A trailer may not carry this field.
    Trailer(Name),
    /// The request lacks its `Host`, or has more than one, or it is not a host.
    Host,
    /// The body is longer or shorter than its head says (R169).
    Length,
    /// It is not the time for it: the part before it is missing, or it has been sent.
    Order(&'static str),
}

/// Appends the head of a request.
///
/// `fields` are `Host` and what else there is to say, but `Content-Length` and `Transfer-Encoding`, which follow from
/// `body` (CL-03): every body has a length or is chunked.
///
/// ```
/// use ropewalk_grammar::http1::{BodyLength, Method, Name, send_request_head};
///
/// let mut out = Vec::new();
/// send_request_head(Method::Put, "/tea", [(Name::Host, "example.com")], BodyLength::Known(3), &mut out)?;
/// assert_eq!(out, b"PUT /tea HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\n");
/// let split = send_request_head(Method::Get, "/ HTTP/1.1\r\nX: ", [(Name::Host, "example.com")], BodyLength::Empty, &mut out);
/// assert!(split.is_err());
/// # Ok::<(), ropewalk_grammar::http1::SendError>(())
/// ```
///
/// # Errors
///
/// When the method is no token, the target is none, a field could be read as more than one, or `Host` is missing, doubled
/// or wrong; [`SendError::Length`] for [`BodyLength::UntilClose`], as no request ends so. `out` is unchanged then.
pub fn send_request_head<N: SendName, V: AsRef<[u8]>>(
    method: Method<'_>,
    target: &str,
    fields: impl IntoIterator<Item = (N, V)>,
    body: BodyLength,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    whole_or_nothing(out, |out| {
        send_request_line(method, target, out)?;
        let sent = send_fields(fields, &[], out)?;
        if sent.hosts != 1 {
            return Err(SendError::Host);
        }
        match body {
            BodyLength::Empty if method.expects_content() => send_length(0, out),
            BodyLength::UntilClose => return Err(SendError::Length),
            body => send_body_length(body, out),
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    })
}

/// Appends the head of a response; `reason` may be [`reason_phrase`](super::reason_phrase), or empty.
///
/// `fields` are all but `Content-Length` and `Transfer-Encoding`, which follow from `body`. [`BodyLength::Empty`] writes
/// neither: it is for what has no body by nature (1xx, 204, 304, 2xx to CONNECT); an empty page is [`BodyLength::Known`]`(0)`.
///
/// ```
/// use ropewalk_grammar::http1::{BodyLength, Name, reason_phrase, send_response_head};
///
/// let mut out = Vec::new();
/// send_response_head(200, reason_phrase(200), [(Name::ContentType, "text/plain")], BodyLength::Known(3), &mut out)?;
/// assert_eq!(out, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
/// # Ok::<(), ropewalk_grammar::http1::SendError>(())
/// ```
///
/// # Errors
///
/// When the status has not three digits, or the reason or a field could be read as more than it is; `out` is unchanged then.
pub fn send_response_head<N: SendName, V: AsRef<[u8]>>(
    status: u16,
    reason: &str,
    fields: impl IntoIterator<Item = (N, V)>,
    body: BodyLength,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    whole_or_nothing(out, |out| {
        send_status_line(status, reason, out)?;
        send_fields(fields, &[], out)?;
        send_body_length(body, out);
        out.extend_from_slice(b"\r\n");
        Ok(())
    })
}

/// Appends `data` as a chunk; nothing if it is empty, as that would end the body.
pub fn send_chunk(data: &[u8], out: &mut Vec<u8>) {
    if !data.is_empty() {
        send_chunk_start(data.len() as u64, out);
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the line before a chunk of `length` bytes that are sent otherwise, as a file is; CR and LF must follow them.
///
/// # Panics
///
/// When `length` is zero: that is the end of the body, which [`send_last_chunk`] sends.
pub fn send_chunk_start(length: u64, out: &mut Vec<u8>) {
    assert!(
        length > 0,
        "send_chunk_start(0) would end the body: use send_last_chunk for that"
    );
    let digits = (u64::BITS - length.leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        let digit = (length >> (place * 4)) & 0xf;
        out.push(b"0123456789abcdef"[digit as usize]);
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body, with `trailers`.
///
/// # Errors
///
/// When a trailer could be read as more than one, or may not be one ([`Name::may_trail`]); `out` is unchanged then.
pub fn send_last_chunk<N: SendName, V: AsRef<[u8]>>(
    trailers: impl IntoIterator<Item = (N, V)>,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    whole_or_nothing(out, |out| {
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers {
            let known = name.known();
            if let Some(known) = known.filter(|known| !known.may_trail()) {
                return Err(SendError::Trailer(known));
            }
            send_field(name.as_ref(), known, value.as_ref(), out)?;
        }
        out.extend_from_slice(b"\r\n");
        Ok(())
    })
}

/// What there was among the fields that were sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SentFields {
    pub(super) hosts: usize,
    pub(super) upgrade: bool,
    pub(super) expect: bool,
}

impl SentFields {
    /// Whoever sends `Upgrade` says so in `Connection`: it is meant for the next hop alone (RFC 9110 7.8).
    #[inline]
    pub(super) fn send_option(self, out: &mut Vec<u8>) {
        if self.upgrade {
            out.extend_from_slice(b"Connection: upgrade\r\n");
        }
    }
}

/// Undoes what `send` appended when it fails.
pub(super) fn whole_or_nothing<T>(
    out: &mut Vec<u8>,
    send: impl FnOnce(&mut Vec<u8>) -> Result<T, SendError>,
) -> Result<T, SendError> {
    let before = out.len();
    send(out).inspect_err(|_| out.truncate(before))
}

pub(super) fn send_request_line(
    method: Method<'_>,
    target: &str,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    let token = method.as_str();
    if token.is_empty() || scan::token_end(token.as_bytes(), 0) < token.len() {
        return Err(SendError::Method);
    }
    let ends_early = scan::target_end(target.as_bytes(), 0) < target.len();
    if target.is_empty() || ends_early || Target::of(Method::of(token), target).is_err() {
        return Err(SendError::Target);
    }
    for part in [token, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    Ok(())
}

#[inline]
pub(super) fn send_status_line(
    status: u16,
    reason: &str,
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    if !(100..1000).contains(&status) {
        return Err(SendError::Status(status));
    }
    if scan::text_end(reason.as_bytes(), 0) < reason.len() {
        return Err(SendError::Reason);
    }
    let digit = |place| b'0' + (status / place % 10) as u8;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[digit(100), digit(10), digit(1), b' ']);
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends fields, none of which may be `Content-Length`, `Transfer-Encoding` or one of `reserved`.
#[inline]
pub(super) fn send_fields<N: SendName, V: AsRef<[u8]>>(
    fields: impl IntoIterator<Item = (N, V)>,
    reserved: &[Name],
    out: &mut Vec<u8>,
) -> Result<SentFields, SendError> {
    let mut sent = SentFields::default();
    for (name, value) in fields {
        let (known, value) = (name.known(), value.as_ref());
        match known {
            Some(known @ (Name::ContentLength | Name::TransferEncoding)) => {
                return Err(SendError::Reserved(known));
            }
            Some(known) if reserved.contains(&known) => {
                return Err(SendError::Reserved(known));
            }
            Some(Name::Host) if value.is_empty() || super::Authority::is_one(value) => {
                sent.hosts += 1;
            }
            Some(Name::Host) => return Err(SendError::Host),
            Some(Name::Upgrade) => sent.upgrade = true,
            Some(Name::Expect) => sent.expect = true,
            _ => {}
        }
        send_field(name.as_ref(), known, value, out)?;
    }
    Ok(sent)
}

/// Appends one field, if it can be read as no more than that.
#[inline]
pub(super) fn send_field(
    name: &[u8],
    known: Option<Name>,
    value: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SendError> {
    if known.is_some() {
        // a token, as all known names are
    } else if name.is_empty() || scan::token_end(name, 0) < name.len() {
        return Err(SendError::FieldName(shown(name)));
    }
    let is_padded = matches!(value, [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    if is_padded || scan::text_end(value, 0) < value.len() {
        return Err(SendError::FieldValue(shown(name)));
    }
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// The end of a head: what follows from the body and the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) body: BodyLength,
    pub(super) closes: bool,
}

impl Ending {
    pub(super) fn send(self, out: &mut Vec<u8>) {
        send_body_length(self.body, out);
        if self.closes {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[inline]
pub(super) fn send_body_length(body: BodyLength, out: &mut Vec<u8>) {
    match body {
        BodyLength::Empty | BodyLength::UntilClose => {}
        BodyLength::Known(length) => send_length(length, out),
        BodyLength::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

#[inline]
fn send_length(length: u64, out: &mut Vec<u8>) {
    const NAME: &[u8; 16] = b"Content-Length: ";
    const DIGITS: usize = u64::MAX.ilog10() as usize + 1;
    let mut line = *b"................99999999999999999999\r\n";
    let (mut start, mut rest) = (NAME.len() + DIGITS, length);
    loop {
        start -= 1;
        line[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    start -= NAME.len();
    line[start..start + NAME.len()].copy_from_slice(NAME);
    out.extend_from_slice(&line[start..]);
}

#[cold]
fn shown(name: &[u8]) -> Box<str> {
    name.escape_ascii().to_string().into()
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("a method is a token, of letters, digits and few marks"),
            Self::Target => f.write_str(
                "the target must be a path, an absolute URI, host:port for CONNECT or '*' for OPTIONS, of visible ASCII \
                 characters without '#'; encode others with percent signs",
            ),
            Self::Status(status) => write!(f, "a status is from 100 to 999, not {status}"),
            Self::Reason => f.write_str("a reason has no control characters; leave it empty"),
            Self::FieldName(name) => write!(f, "the name of a field is a token, which {name:?} is not"),
            Self::FieldValue(name) => write!(
                f,
                "the value of the field {name} has a control character or blanks around it; encode it or trim it",
            ),
            Self::Reserved(name) => write!(
                f,
                "the field {name} is written from what you say of the body and the connection: leave it out",
            ),
            Self::Trailer(name) => write!(f, "{name} may not be a trailer: send it in the head"),
            Self::Host => f.write_str("a request has one Host field, which is empty or a host and maybe a port"),
            Self::Length => f.write_str("the body is not as long as its head says"),
            Self::Order(what) => f.write_str(what),
        }
    }
}

impl Error for SendError {}
