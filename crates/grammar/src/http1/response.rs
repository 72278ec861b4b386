//! Responses as they are received: the status line (RFC 9112 4) and where their bodies end (RFC 9112 6.3).

use super::field::{Fields, Key};
use super::machine::{Next, Verdict};
use super::meaning::{BodyLength, Meaning, Version};
use super::message::{Message, Sealed};
use super::rule::{Broken, Rule};
use super::{KeptHead, Limits, Method, ResponseDecoder, scan};

/// The kind of message that a server sends.
#[derive(Clone, Debug)]
pub struct Response {
    line: Line,
    body: BodyLength,
    next: Next,
    awaited: Option<Awaited>,
}

/// What is known of the request whose response is awaited.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    method: Asked,
    upgrade: bool,
    /// How many interim responses have come.
    interim: u8,
}

/// The methods whose responses end elsewhere than their heads say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Head,
    Connect,
    Other,
}

/// The head of a response, lent from the received bytes.
///
/// ```
/// use ropewalk_grammar::http1::{BodyLength, Event, Method, Name, ResponseDecoder};
///
/// let mut decoder = ResponseDecoder::new();
/// decoder.expect(Method::Get, false);
/// let mut input = decoder.receive(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
/// let Some(Ok(Event::Head(head))) = input.next_event() else { panic!("a head is there") };
/// assert_eq!((head.status(), head.reason()), (404, &b"Not Found"[..]));
/// assert_eq!(head.body(), BodyLength::Known(4));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    response: &'a Response,
    fields: Fields<'a>,
    meaning: &'a Meaning,
}

/// The server has agreed: there is no way back.
const SWITCH: Next = Next::Switch {
    is_persistent: false,
};

/// So many interim responses may come before the final one: 100 and some hints.
const MOST_INTERIM: u8 = 32;

impl ResponseDecoder {
    /// Reads responses within [`Limits::RESPONSE`].
    pub fn new() -> Self {
        let response = Response {
            line: Line::default(),
            body: BodyLength::Empty,
            next: Next::Message,
            awaited: None,
        };
        Self::with_message(response, Limits::RESPONSE)
    }

    /// Says that a request is being sent, and so a response to come: without it, any byte is an error (RFC 9112 9.2).
    ///
    /// `upgrade` says whether the request asks for another protocol; else no server may agree to one. One request at a
    /// time: call it again once [`Event::End`](super::Event::End) has come. [`ClientExchange`](super::ClientExchange) does it for you.
    ///
    /// # Panics
    ///
    /// When a response is awaited already: this client sends no request before the last is answered.
    pub fn expect(&mut self, method: Method<'_>, upgrade: bool) {
        let awaited = &mut self.machine.message.awaited;
        assert!(
            awaited.is_none(),
            "ResponseDecoder::expect: a response is awaited already; call it after the End of that one",
        );
        let method = Asked::of(method);
        *awaited = Some(Awaited {
            method,
            upgrade,
            interim: 0,
        });
    }
}

impl Default for ResponseDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Asked {
    #[inline]
    pub(super) fn of(method: Method<'_>) -> Self {
        match method {
            Method::Head => Self::Head,
            Method::Connect => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl<'a> ResponseHead<'a> {
    /// The status, from 100 to 999.
    pub fn status(&self) -> u16 {
        self.response.line.status
    }

    /// The words behind it, which mean nothing. They need not be text.
    pub fn reason(&self) -> &'a [u8] {
        let line = &self.response.line;
        &self.fields.bytes[line.reason..line.reason_end]
    }

    /// The version.
    pub fn version(&self) -> Version {
        self.response.line.version
    }

    /// The fields.
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// The value of the field of this name; of the last, if it is there more than once.
    pub fn value<'k>(&self, key: impl Into<Key<'k>>) -> Option<&'a [u8]> {
        self.fields.value(key)
    }

    /// The body that follows: none to HEAD, nor with 1xx, 204 and 304, whatever the fields say.
    pub fn body(&self) -> BodyLength {
        self.response.body
    }

    /// What `Content-Length` says, which for HEAD and 304 is not the body's.
    pub fn content_length(&self) -> Option<u64> {
        self.meaning.length
    }

    /// Whether the response proper is yet to come (RFC 9110 15.2); no [`Event::End`](super::Event::End) follows then.
    pub fn is_interim(&self) -> bool {
        self.response.next == Next::FinalHead
    }

    /// Whether a further request may be sent on the connection once this response has ended.
    pub fn is_persistent(&self) -> bool {
        self.response.next.is_persistent()
    }

    /// Whether what follows is another protocol: 101 to an upgrade, or 2xx to CONNECT.
    pub fn is_switch(&self) -> bool {
        self.response.next == SWITCH
    }

    /// A copy, for whoever needs it longer than the event lasts.
    pub fn keep(&self) -> KeptHead<Response> {
        KeptHead::new(self.response, self.meaning, self.fields)
    }

    /// All bytes of the head, with its last CR and LF.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.fields.bytes
    }
}

impl Message for Response {
    type Head<'a> = ResponseHead<'a>;
}

impl Sealed for Response {
    const MAY_FOLLOW_EMPTY_LINE: bool = false;
    const REPEATS: bool = false;

    fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    fn begin(&mut self) -> Result<(), Broken> {
        self.line = Line::default();
        match self.awaited {
            Some(_) => Ok(()),
            None => Err((Rule::Unsolicited, 0)),
        }
    }

    #[inline]
    fn read_line(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        self.line.read(bytes)
    }

    fn judge(&mut self, _head: &[u8], meaning: &Meaning) -> Result<(), Broken> {
        let awaited = self.awaited.as_mut().expect("begin has looked");
        let verdict = awaited.judge(&self.line, meaning);
        let verdict = verdict.map_err(|rule| (rule, 0))?;
        (self.body, self.next) = (verdict.body, verdict.next);
        Ok(())
    }

    #[inline]
    fn verdict(&self) -> Verdict {
        Verdict {
            body: self.body,
            next: self.next,
        }
    }

    #[inline]
    fn head<'a>(&'a self, fields: Fields<'a>, meaning: &'a Meaning) -> ResponseHead<'a> {
        ResponseHead {
            response: self,
            fields,
            meaning,
        }
    }

    fn end(&mut self) {
        self.awaited = None;
    }
}

impl Awaited {
    /// RFC 9112 6.3, in its order.
    fn judge(&mut self, line: &Line, meaning: &Meaning) -> Result<Verdict, Rule> {
        let (empty, version) = (BodyLength::Empty, line.version);
        match line.status {
            101 if self.upgrade && meaning.upgrades(version) => {
                return Ok(Verdict {
                    body: empty,
                    next: SWITCH,
                });
            }
            101 => return Err(Rule::UnaskedSwitch),
            100..200 => return self.interim(),
            200..300 if self.method == Asked::Connect => {
                return Ok(Verdict {
                    body: empty,
                    next: SWITCH,
                });
            }
            _ => {}
        }
        let announced = meaning.announced(version)?;
        let body = match line.status {
            _ if self.method == Asked::Head => empty,
            204 | 304 => empty,
            _ => announced.unwrap_or(BodyLength::UntilClose),
        };
        // A 204 that announces a body may well send one: what follows would not be a response.
        let lies = line.status == 204
            && !matches!(
                announced,
                None | Some(BodyLength::Empty | BodyLength::Known(0))
            );
        let ends = lies || body == BodyLength::UntilClose || !meaning.is_persistent(version);
        let next = if ends { Next::Close } else { Next::Message };
        Ok(Verdict { body, next })
    }

    fn interim(&mut self) -> Result<Verdict, Rule> {
        if self.interim == MOST_INTERIM {
            return Err(Rule::TooManyInterim);
        }
        self.interim += 1;
        Ok(Verdict {
            body: BodyLength::Empty,
            next: Next::FinalHead,
        })
    }
}

/// The status line, as far as it has come.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    step: Step,
    /// How far the bytes have been looked at.
    at: usize,
    version: Version,
    status: u16,
    reason: usize,
    reason_end: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Version,
    /// The space before the status, its three digits, and what is behind.
    Status,
    Reason,
    LineFeed,
}

/// A space, three digits, and what is behind.
const STATUS_BYTES: usize = 5;

impl Line {
    /// Reads on; gives where the line ends.
    fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        if self.step == Step::Version {
            let Some(version) = Version::read(bytes, 0)? else {
                return Ok(None);
            };
            self.version = version;
            self.at = version.as_str().len();
            self.step = Step::Status;
        }
        if self.step == Step::Status {
            let Some(status) = read_status(bytes, self.at)? else {
                return Ok(None);
            };
            self.status = status;
            // Without a reason, the space before it is often left out.
            let is_space = bytes[self.at + STATUS_BYTES - 1] == b' ';
            self.at += STATUS_BYTES - usize::from(!is_space);
            self.reason = self.at;
            self.step = Step::Reason;
        }
        if self.step == Step::Reason {
            self.at = scan::text_end(bytes, self.at);
            match bytes.get(self.at) {
                Some(b'\r') => {}
                Some(b'\n') => return Err((Rule::BareLf, self.at)),
                Some(_) => return Err((Rule::Reason, self.at)),
                None => return Ok(None),
            }
            self.reason_end = self.at;
            self.at += 1;
            self.step = Step::LineFeed;
        }
        match bytes.get(self.at) {
            Some(b'\n') => Ok(Some(self.at + 1)),
            Some(_) => Err((Rule::BareCr, self.at)),
            None => Ok(None),
        }
    }
}

/// The status at `start`, where a space must stand before it; `None` while it has not come with the byte behind.
fn read_status(bytes: &[u8], start: usize) -> Result<Option<u16>, Broken> {
    let mut status = 0;
    for (index, &byte) in bytes[start..].iter().take(STATUS_BYTES).enumerate() {
        let fits = match index {
            0 => byte == b' ',
            1 => byte.is_ascii_digit() && byte != b'0',
            2 | 3 => byte.is_ascii_digit(),
            _ => matches!(byte, b' ' | b'\r' | b'\n'),
        };
        if !fits {
            return Err((Rule::Status, start + index));
        }
        if (1..4).contains(&index) {
            status = status * 10 + u16::from(byte - b'0');
        }
    }
    Ok((bytes.len() >= start + STATUS_BYTES).then_some(status))
}
